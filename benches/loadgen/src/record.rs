//! One line of `results.jsonl` a measurement.

use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::Fail;

/// One operation of one side at one number of connections. Absent numbers were not measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Record {
    /// `wardkeep`, `openbao` or `floor`.
    pub side: String,
    /// Which operation.
    pub case: String,
    /// Connections, or threads of a floor.
    pub connections: usize,
    /// Operations a second.
    pub rate: f64,
    /// Median, microseconds.
    pub p50_us: Option<f64>,
    /// 99th percentile, microseconds.
    pub p99_us: Option<f64>,
    /// Failed requests while measured.
    pub failed: u64,
    /// Server CPU seconds per 1 000 operations.
    pub server_cpu: Option<f64>,
    /// CPU seconds of the load maker per 1 000 operations.
    pub client_cpu: Option<f64>,
    /// Resident memory of the server afterwards.
    pub rss_mib: Option<f64>,
    /// From start to ready, milliseconds.
    pub ready_ms: Option<f64>,
}

impl Record {
    /// Appends it to the file and shows it.
    pub fn keep(&self, results: &str) -> Result<(), Fail> {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(results)?;
        writeln!(file, "{}", serde_json::to_string(self)?)?;
        let show = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
        println!(
            "{:<9} {:<22} c{:<3} {:>9.0}/s  p50 {:>10} us  p99 {:>10} us  failed {}  server cpu {} s/1000  rss {} MiB",
            self.side,
            self.case,
            self.connections,
            self.rate,
            show(self.p50_us),
            show(self.p99_us),
            self.failed,
            show(self.server_cpu),
            show(self.rss_mib)
        );
        Ok(())
    }
}

/// All records of a file.
pub fn read(results: &str) -> Result<Vec<Record>, Fail> {
    std::fs::read_to_string(results)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
