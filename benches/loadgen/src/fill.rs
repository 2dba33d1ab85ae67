//! Ten thousand keys: made over the API, then measured after a new start.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::call::{Group, Target};
use crate::record::Record;
use crate::{Fail, cases, http, process};

const RING: &str = "many";
const WORKERS: usize = 16;

/// Makes that many AES and RSA-3072 keys of usage `wrap`.
pub fn fill(ready: &str, aes: u32, rsa: u32) -> Result<(), Fail> {
    let target = Arc::new(Target::read(ready, Group::X25519)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let start = Instant::now();
    runtime.block_on(async {
        cases::make_ring(&target, RING).await?;
        let next = Arc::new(AtomicU32::new(0));
        let workers: Vec<_> =
            (0..WORKERS).map(|_| tokio::spawn(worker(target.clone(), next.clone(), aes, rsa))).collect();
        for worker in workers {
            worker.await??;
        }
        Ok::<(), Fail>(())
    })?;
    println!("made {aes} AES and {rsa} RSA-3072 keys in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// RSA keys come first: each costs a quarter of a second, and the AES keys fill the gaps.
async fn worker(target: Arc<Target>, next: Arc<AtomicU32>, aes: u32, rsa: u32) -> Result<(), Fail> {
    let mut stream = target.connect().await?;
    let mut left = 200u32;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= aes + rsa {
            return Ok(());
        }
        let (name, spec) = if number < rsa { ("rsa", "rsa-3072") } else { ("aes", "aes-256-gcm") };
        let body: Value = json!({"key": format!("{RING}/{name}-{number}"), "spec": spec, "usage": "wrap"});
        let request = target.request("POST", "/v1/keys", &body.to_string());
        loop {
            let answer = tokio::time::timeout(Duration::from_secs(30), http::exchange(&mut stream, &request)).await?;
            match answer {
                Ok(answer) if (200..300).contains(&answer.status) || answer.status == 409 => break,
                // Too much at once, or the connection reached its age: waits and asks again, for a while.
                Ok(answer) if matches!(answer.status, 429 | 503) && left > 0 => {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                Err(_) if left > 0 => stream = target.connect().await?,
                Ok(answer) => {
                    return Err(format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body)).into());
                }
                Err(error) => return Err(error),
            }
            left -= 1;
        }
    }
}

/// Notes memory and time to ready of a server that was started anew on that many keys, and that it works.
pub fn loaded(results: &str, ready_ms: f64, ready: &str, pid: u32, keys: usize) -> Result<(), Fail> {
    let idle = process::resident_mib(pid)?;
    let note = |case: &str, rss: f64| Record {
        side: "wardkeep".to_owned(),
        case: case.to_owned(),
        connections: keys,
        rss_mib: Some(rss),
        ready_ms: Some(ready_ms),
        ..Record::default()
    };
    note("loaded_keys", idle).keep(results)?;
    let target = Target::read(ready, Group::X25519)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Every hundredth key once, all RSA keys among them: parsed keys live in a bounded cache.
    runtime.block_on(async {
        for number in (0..100).chain((100..keys).step_by(100)) {
            let name = if number < 100 { "rsa" } else { "aes" };
            let body = json!({"key": format!("{RING}/{name}-{number}"), "plaintext": false});
            target.call("POST", "/v1/data-keys", &body).await?;
        }
        Ok::<(), Fail>(())
    })?;
    note("loaded_keys_used", process::resident_mib(pid)?).keep(results)
}
