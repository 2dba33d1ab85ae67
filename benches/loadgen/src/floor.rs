//! The bare operation that a request stands on: RSA-3072 OAEP-SHA-256 decryption in aws-lc-rs, key parsed once.

use std::time::{Duration, Instant};

use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
};

use crate::record::Record;
use crate::{Fail, process};

/// Measures on one thread, and on as many as there are processors: two threads of one core slow each other, and
/// the server's share is measured with all of them busy.
pub fn rsa(results: &str, seconds: f64) -> Result<(), Fail> {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa3072)?;
    let public = OaepPublicEncryptingKey::new(key.public_key())?;
    let mut ciphertext = vec![0; public.ciphertext_size()];
    public.encrypt(&OAEP_SHA256_MGF1SHA256, &[7; 32], &mut ciphertext, Some(b"label"))?;
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in [1, all] {
        point(&key, &ciphertext, threads, seconds)?.keep(results)?;
    }
    Ok(())
}

fn point(key: &PrivateDecryptingKey, ciphertext: &[u8], threads: usize, seconds: f64) -> Result<Record, Fail> {
    let span = Duration::from_secs_f64(seconds);
    let (before, start) = (process::cpu_seconds(std::process::id())?, Instant::now());
    let count = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(|| decrypt(key, ciphertext, span))).collect();
        let mut sum = 0;
        for handle in handles {
            sum += handle.join().map_err(|_| "a thread of the floor ended early")??;
        }
        Ok::<u64, Fail>(sum)
    })?;
    let cpu = process::cpu_seconds(std::process::id())? - before;
    Ok(Record {
        side: "floor".to_owned(),
        case: "unwrap_rsa3072".to_owned(),
        connections: threads,
        rate: count as f64 / start.elapsed().as_secs_f64(),
        server_cpu: Some(cpu * 1e3 / count as f64),
        ..Record::default()
    })
}

fn decrypt(key: &PrivateDecryptingKey, ciphertext: &[u8], span: Duration) -> Result<u64, Fail> {
    let key = OaepPrivateDecryptingKey::new(key.clone())?;
    let mut out = vec![0; key.min_output_size()];
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < span {
        let plain = key.decrypt(&OAEP_SHA256_MGF1SHA256, ciphertext, &mut out, Some(b"label"))?;
        if plain != [7; 32] {
            return Err("wrong plaintext".into());
        }
        count += 1;
    }
    Ok(count)
}
