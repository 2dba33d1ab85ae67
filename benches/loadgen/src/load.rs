//! The closed loop: each connection sends a request, waits for the whole answer, and sends it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::call::{Stream, Target};
use crate::record::Record;
use crate::{Fail, http, process};

/// What is sent, and when an answer counts.
#[derive(Clone)]
pub struct Plan {
    /// To whom.
    pub target: Target,
    /// The whole request.
    pub request: Vec<u8>,
    /// What a right answer holds, besides a status of 200 to 299.
    pub expect: &'static str,
    /// A new connection for every request.
    pub handshake: bool,
    /// The server's process.
    pub pid: u32,
    /// How long a point is measured.
    pub seconds: f64,
}

const WARM_UP: u8 = 0;
const COUNTING: u8 = 1;
const DONE: u8 = 2;

/// Shared by the connections of one point.
#[derive(Default)]
struct Phase {
    now: AtomicU8,
    failed: AtomicU64,
}

/// Measures one number of connections.
pub fn point(plan: &Plan, side: &str, case: &str, connections: usize) -> Result<Record, Fail> {
    // One connection keeps one thread busy; a second would only add wake-ups on a small machine.
    let threads = connections.min(std::thread::available_parallelism().map_or(1, usize::from));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let record = runtime.block_on(run(Arc::new(plan.clone()), connections))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(Record { side: side.to_owned(), case: case.to_owned(), ..record })
}

async fn run(plan: Arc<Plan>, connections: usize) -> Result<Record, Fail> {
    let phase = Arc::new(Phase::default());
    let loops: Vec<_> = (0..connections).map(|_| tokio::spawn(closed_loop(plan.clone(), phase.clone()))).collect();
    tokio::time::sleep(Duration::from_secs_f64((plan.seconds / 4.0).clamp(0.3, 2.0))).await;

    let own = std::process::id();
    let before = (process::cpu_seconds(plan.pid)?, process::cpu_seconds(own)?);
    let start = Instant::now();
    phase.now.store(COUNTING, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs_f64(plan.seconds)).await;
    phase.now.store(DONE, Ordering::Relaxed);
    let wall = start.elapsed().as_secs_f64();
    let after = (process::cpu_seconds(plan.pid)?, process::cpu_seconds(own)?);

    let mut times = Vec::new();
    for one in loops {
        times.extend(one.await?);
    }
    times.sort_unstable();
    let count = times.len() as f64;
    let quantile = |share: f64| {
        let at = ((count * share) as usize).min(times.len().saturating_sub(1));
        times.get(at).map(|&nanos| nanos as f64 / 1e3)
    };
    let per_thousand = |from: f64, to: f64| (count > 0.0).then(|| (to - from) * 1e3 / count);
    Ok(Record {
        connections,
        rate: count / wall,
        p50_us: quantile(0.50),
        p99_us: quantile(0.99),
        failed: phase.failed.load(Ordering::Relaxed),
        server_cpu: per_thousand(before.0, after.0),
        client_cpu: per_thousand(before.1, after.1),
        rss_mib: process::resident_mib(plan.pid).ok(),
        ..Record::default()
    })
}

/// Durations in nanoseconds of the requests that ended well while it was counting.
async fn closed_loop(plan: Arc<Plan>, phase: Arc<Phase>) -> Vec<u64> {
    let (mut times, mut stream) = (Vec::with_capacity(1 << 14), None);
    loop {
        let start = Instant::now();
        let done = tokio::time::timeout(Duration::from_secs(10), once(&plan, &mut stream)).await;
        let outcome = done.unwrap_or_else(|_| Err("no answer within 10 s".into()));
        match (phase.now.load(Ordering::Relaxed), outcome) {
            (DONE, _) => return times,
            (COUNTING, Ok(())) => times.push(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)),
            (now, Err(error)) => {
                // The first failure is said, failures while warming up included; those do not count.
                let first = phase.failed.fetch_add(u64::from(now == COUNTING), Ordering::Relaxed) == 0;
                if first || now == WARM_UP {
                    eprintln!("failed: {error}");
                }
                stream = None;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            _ => {}
        }
    }
}

async fn once(plan: &Plan, kept: &mut Option<Stream>) -> Result<(), Fail> {
    let mut stream = match kept.take() {
        Some(stream) => stream,
        None => plan.target.connect().await?,
    };
    let answer = http::exchange(&mut stream, &plan.request).await?;
    let expected = plan.expect.as_bytes();
    let found = expected.is_empty() || answer.body.windows(expected.len()).any(|window| window == expected);
    if !(200..300).contains(&answer.status) || !found {
        let said = String::from_utf8_lossy(&answer.body).chars().take(300).collect::<String>();
        return Err(format!("status {}: {said}", answer.status).into());
    }
    if !plan.handshake && !answer.close {
        *kept = Some(stream);
    }
    Ok(())
}
