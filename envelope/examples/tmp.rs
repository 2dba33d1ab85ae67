use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use std::io::{Read, Write};
use std::time::Instant;
use wardkeep_envelope::*;
fn fixed(out: &mut [u8]) -> Result<(), RandomFailed> { out.fill(7); Ok(()) }
fn main() {
    let key = DataKey::new("bench/key", vec![1; 60], FileKey::from_bytes([9; 32])).unwrap();
    let sealer = || Sealer::new(key.file_key(), &[&key], b"bench", &mut fixed).unwrap();
    let plaintext = vec![0x5a; 64 << 20];
    let sealed = sealer().seal(&plaintext).unwrap();
    let mut best = [f64::MAX; 7];
    let cipher = Aes256Gcm::new(&[9; 32].into());
    let mut buffer = plaintext.clone();
    let mut part = vec![0; 64 << 10];
    let mut b2 = Vec::with_capacity(sealed.len());
    for _ in 0..40 {
        let mut t = |i: usize, f: &mut dyn FnMut()| { let s = Instant::now(); f(); best[i] = best[i].min(s.elapsed().as_secs_f64()); };
        t(0, &mut || for c in buffer.chunks_mut(64 << 10) { std::hint::black_box(cipher.encrypt_inout_detached(&[0; 12].into(), &[], c.into()).unwrap()); });
        t(1, &mut || { let mut w = sealer().writer(std::io::sink()).unwrap(); w.write_all(&plaintext).unwrap(); w.finish().unwrap(); });
        b2.clear(); b2.extend_from_slice(&plaintext);
        t(2, &mut || sealer().seal_in_place(&mut b2).unwrap());
        t(3, &mut || { let mut r = Opener::from_bytes(&sealed).unwrap().reader(&[&key], b"bench").unwrap(); while r.read(&mut part).unwrap() > 0 {} });
        t(4, &mut || Opener::open_in_place(&mut b2, &[&key], b"bench").unwrap());
        t(5, &mut || drop(std::hint::black_box(sealer().seal(&plaintext).unwrap())));
        t(6, &mut || drop(std::hint::black_box(plaintext.clone())));
    }
    for (n, b) in ["floor", "seal_stream", "seal_in_place", "open_stream", "open_in_place", "seal_whole", "clone"].iter().zip(best) {
        println!("{n} {:.2} GB/s", (64 << 20) as f64 / b / 1e9);
    }
}
