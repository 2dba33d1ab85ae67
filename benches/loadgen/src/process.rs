//! What a process has used, from `/proc`.

use crate::Fail;

/// Clock ticks a second in `/proc/PID/stat`: 100 on every Linux that Rust runs on (USER_HZ is part of the ABI).
const TICKS: f64 = 100.0;

/// User and system CPU seconds of all threads of a process, ended ones included.
pub fn cpu_seconds(pid: u32) -> Result<f64, Fail> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold blanks and parentheses: fields are counted from behind its end.
    let (_, fields) = stat.rsplit_once(')').ok_or("unexpected /proc/PID/stat")?;
    let mut times = fields.split_ascii_whitespace().skip(11);
    let mut next = || -> Result<f64, Fail> { Ok(times.next().ok_or("short /proc/PID/stat")?.parse()?) };
    Ok((next()? + next()?) / TICKS)
}

/// Resident memory, in MiB.
pub fn resident_mib(pid: u32) -> Result<f64, Fail> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

/// Whether the processor shows AVX-512 IFMA, which RSA in aws-lc-rs uses.
pub fn has_ifma() -> bool {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    info.lines().filter(|line| line.starts_with("flags")).any(|line| line.contains(" avx512ifma"))
}

/// The processor's name and how many of it.
pub fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("?", |(_, n)| n);
    let count = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{count} x {name}")
}
