//! Log lines and metrics: what the server tells about itself, and never a secret or a name in a label.
//!
//! Metric handles are made once and kept: a look-up by name costs more than the request's own bookkeeping. The
//! recorder is a value, not a process-wide global, so that two servers in one process (tests, `dev`) do not mix.

mod lines;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::{LogFormat, LogSettings};
use crate::system::SystemClock;
use lines::Lines;

/// Bounds of duration histograms in seconds: 50 microseconds to 30 seconds.
const SECONDS: [f64; 14] = [5e-5, 1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3, 3.2e-3, 6.4e-3, 0.0128, 0.0512, 0.2, 1.0, 5.0, 30.0];

/// How long the end of a server waits for its last log lines.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Where this process's log lines go: one stderr, one queue before it.
static LINES: OnceLock<Lines> = OnceLock::new();

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// `[log] filter` does not parse.
    #[error("`log.filter` is wrong: {0}: write a level such as `info`, or `target=level` pairs")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Another subscriber is in place.
    #[error("log output was already set up in this process")]
    AlreadySet,
    /// The thread that writes log lines could not be made.
    #[error("the thread that writes the log could not be started: {0}: raise the limit of threads")]
    Thread(#[source] std::io::Error),
    /// The recorder could not be made.
    #[error("metrics could not be set up: {0}")]
    Metrics(#[from] BuildError),
}

/// Sends log lines to stderr in the configured form. Once a process.
///
/// # Errors
/// A filter that does not parse, or a second call.
pub fn start_log(settings: &LogSettings) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let stderr = Box::new(std::io::stderr());
    let out = Lines::start(stderr, lines::MOST, settings.format, Arc::new(SystemClock));
    let out = out.map_err(TelemetryError::Thread)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(out.clone())
        .with_span_events(FmtSpan::NONE)
        .with_target(false);
    let set = match settings.format {
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init_global(),
        LogFormat::Pretty => lines.compact().finish().try_init_global(),
    };
    set.map_err(|()| TelemetryError::AlreadySet)?;
    let _first = LINES.set(out);
    Ok(())
}

/// A server runs: from now on a log line waits in a bounded queue instead of holding up who writes it.
pub fn queue_log() {
    if let Some(lines) = LINES.get() {
        lines.queue();
    }
}

/// A server has ended: waits a moment until its last lines are out. Blocks; whether they are.
pub fn settle_log() -> bool {
    LINES.get().is_none_or(|lines| lines.settle(LAST_LINES))
}

trait InitGlobal {
    fn try_init_global(self) -> Result<(), ()>;
}

impl<S: tracing::Subscriber + Send + Sync + 'static> InitGlobal for S {
    fn try_init_global(self) -> Result<(), ()> {
        tracing::subscriber::set_global_default(self).map_err(|_| ())
    }
}

/// The metrics of one server.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// `wardkeep_reloads_total{outcome="ok"}`
    pub reloads_ok: Counter,
    /// `wardkeep_reloads_total{outcome="kept-old"}`
    pub reloads_kept_old: Counter,
    /// `wardkeep_listener_certificate_expiry_timestamp_seconds`
    pub listener_certificate_expiry: Gauge,
    /// `wardkeep_crl_next_update_timestamp_seconds`; 0 without a CRL.
    pub crl_next_update: Gauge,
    /// `wardkeep_revoked_entries`
    pub revoked_entries: Gauge,
    log_lines_dropped: Counter,
}

/// The metrics of one listener's accept loop.
#[derive(Debug, Clone)]
pub struct ListenerMetrics {
    listener: &'static str,
    /// `wardkeep_connections_open{listener}`
    pub open: Gauge,
    /// `wardkeep_connections_accepted_total{listener}`
    pub accepted: Counter,
    /// `wardkeep_accept_errors_total{listener}`
    pub accept_errors: Counter,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// A recorder with the handles of the server's own rooms.
    ///
    /// # Errors
    /// Bucket bounds that the exporter refuses.
    pub fn new() -> Result<Self, TelemetryError> {
        let builder =
            PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let made = metrics::with_local_recorder(&recorder, || {
            describe();
            (
                counter!("wardkeep_reloads_total", "outcome" => "ok"),
                counter!("wardkeep_reloads_total", "outcome" => "kept-old"),
                gauge!("wardkeep_listener_certificate_expiry_timestamp_seconds"),
                gauge!("wardkeep_crl_next_update_timestamp_seconds"),
                gauge!("wardkeep_revoked_entries"),
                counter!("wardkeep_log_lines_dropped_total"),
            )
        });
        let (reloads_ok, reloads_kept_old, expiry, crl_next_update, revoked_entries, log_lines_dropped) = made;
        let listener_certificate_expiry = expiry;
        Ok(Self {
            recorder,
            handle,
            reloads_ok,
            reloads_kept_old,
            listener_certificate_expiry,
            crl_next_update,
            revoked_entries,
            log_lines_dropped,
        })
    }

    /// Makes handles inside this recorder: `metrics.register(|| counter!("wardkeep_decisions_total", ..))`.
    pub fn register<T>(&self, make: impl FnOnce() -> T) -> T {
        metrics::with_local_recorder(&self.recorder, make)
    }

    /// The handles of one listener.
    #[must_use]
    pub fn listener(&self, listener: &'static str) -> ListenerMetrics {
        self.register(|| ListenerMetrics {
            listener,
            open: gauge!("wardkeep_connections_open", "listener" => listener),
            accepted: counter!("wardkeep_connections_accepted_total", "listener" => listener),
            accept_errors: counter!("wardkeep_accept_errors_total", "listener" => listener),
        })
    }

    /// Counts a connection that was refused or cut, by a reason from a fixed list of words.
    pub fn connection_ended(&self, listener: &ListenerMetrics, reason: &'static str) {
        let listener = listener.listener;
        let count = || counter!("wardkeep_connections_ended_total", "listener" => listener, "reason" => reason);
        self.register(count).increment(1);
    }

    /// A duration histogram; its name ends in `_seconds`.
    pub fn seconds(&self, make: impl FnOnce() -> Histogram) -> Histogram {
        self.register(make)
    }

    /// The text that `/metrics` answers with.
    #[must_use]
    pub fn render(&self) -> String {
        self.log_lines_dropped.absolute(LINES.get().map_or(0, Lines::dropped));
        self.handle.render()
    }

    /// Folds histogram samples until `stop`: without it they pile up between two scrapes.
    pub async fn keep_up(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(Duration::from_secs(5));
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.handle.run_upkeep();
        }
    }
}

fn describe() {
    describe_counter!("wardkeep_reloads_total", "Reloads of configuration, certificates and CRLs, by outcome.");
    describe_gauge!("wardkeep_listener_certificate_expiry_timestamp_seconds", "End of the listeners' certificate.");
    describe_gauge!(
        "wardkeep_crl_next_update_timestamp_seconds",
        "When the oldest CRL in force goes stale; 0 without one."
    );
    describe_gauge!("wardkeep_revoked_entries", "Serials and identities that are shut out.");
    describe_gauge!("wardkeep_connections_open", "Connections open now, by listener.");
    describe_counter!("wardkeep_connections_accepted_total", "Connections accepted, by listener.");
    describe_counter!("wardkeep_connections_ended_total", "Connections refused or cut, by listener and reason.");
    describe_counter!("wardkeep_log_lines_dropped_total", "Log lines that found no room: stderr is read too slowly.");
    describe_counter!("wardkeep_accept_errors_total", "Failed accepts, by listener.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_recorders_do_not_mix_and_render_base_units() {
        let (one, other) = (Metrics::new().unwrap(), Metrics::new().unwrap());
        one.reloads_ok.increment(3);
        let listener = one.listener("api");
        one.connection_ended(&listener, "headers");
        let histogram = one.seconds(|| metrics::histogram!("wardkeep_request_duration_seconds"));
        histogram.record(0.0003);
        let text = one.render();
        assert!(text.contains("wardkeep_reloads_total{outcome=\"ok\"} 3"), "{text}");
        assert!(text.contains("reason=\"headers\"} 1"), "{text}");
        assert!(text.contains("wardkeep_request_duration_seconds_bucket{le=\"0.0004\"} 1"), "{text}");
        assert!(!other.render().contains("} 3"));
    }

    #[test]
    fn a_bad_filter_is_named() {
        let settings = LogSettings { filter: "a=b=c".to_owned(), ..LogSettings::default() };
        assert!(start_log(&settings).unwrap_err().to_string().contains("log.filter"));
    }
}
