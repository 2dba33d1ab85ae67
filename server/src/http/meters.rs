//! Counts and durations of requests and decisions; handles are made once, labels come from fixed lists.

use std::collections::HashMap;
use std::time::Duration;

use http::{Method, StatusCode};
use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use wardkeep_store::{Examination, Health, Mode};

use crate::telemetry::Metrics;

/// The meters of the HTTP room.
pub struct Meters {
    /// By route, then by method: no key has to be built to look one up.
    routes: HashMap<String, Vec<(Method, Route)>>,
    unmatched: Route,
    allowed: Counter,
    denied: Counter,
    store: StoreGauges,
    cover: Gauge,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meters").field("routes", &self.routes.len()).finish_non_exhaustive()
    }
}

struct Route {
    /// By class of status: 1xx to 5xx.
    by_class: [Counter; 5],
    seconds: Histogram,
}

struct StoreGauges {
    mode: Gauge,
    head_age: Gauge,
    head_stale: Gauge,
    reserve: Gauge,
    wal: Gauge,
    records: Gauge,
    waiting: Gauge,
    damaged: Gauge,
}

impl Meters {
    /// Meters for these routes.
    #[must_use]
    pub fn new(metrics: &Metrics, routes: impl IntoIterator<Item = (Method, String)>) -> Self {
        metrics.register(|| {
            describe();
            let mut by_route: HashMap<String, Vec<(Method, Route)>> = HashMap::new();
            for (method, path) in routes {
                let made = Route::new(method.as_str(), &path);
                by_route.entry(path).or_default().push((method, made));
            }
            Self {
                routes: by_route,
                unmatched: Route::new("-", "unmatched"),
                allowed: counter!("wardkeep_decisions_total", "outcome" => "allow"),
                denied: counter!("wardkeep_decisions_total", "outcome" => "deny"),
                store: StoreGauges::new(),
                cover: gauge!("wardkeep_revocation_cover_rows"),
            }
        })
    }

    /// One answered request.
    pub fn request(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let methods = self.routes.get(route).map_or(&[][..], Vec::as_slice);
        let found = methods.iter().find(|(known, _)| known == method).map_or(&self.unmatched, |(_, route)| route);
        if let Some(counter) = found.by_class.get(usize::from(status.as_u16() / 100).wrapping_sub(1)) {
            counter.increment(1);
        }
        found.seconds.record(took.as_secs_f64());
    }

    /// One decision that permits.
    pub fn allowed(&self) {
        self.allowed.increment(1);
    }

    /// One decision that does not.
    pub fn denied(&self) {
        self.denied.increment(1);
    }

    /// Takes over how many rows the widest revocation list adds to a formula, before a scrape.
    pub fn cover(&self, rows: usize) {
        self.cover.set(rows as f64);
    }

    /// Takes the store's state over, before a scrape.
    pub fn store(&self, health: &Health) {
        let mode = match health.mode {
            Mode::Normal => 0.0,
            Mode::Reserve => 1.0,
            Mode::Spent => 2.0,
            Mode::Failed => 3.0,
        };
        self.store.mode.set(mode);
        self.store.head_age.set(health.head_age_millis as f64 / 1000.0);
        self.store.head_stale.set(f64::from(u8::from(health.head_stale)));
        self.store.reserve.set(health.reserve_left as f64);
        self.store.wal.set(health.wal_bytes as f64);
        self.store.records.set(health.records as f64);
        self.store.waiting.set(health.waiting as f64);
        self.store.damaged.set(f64::from(u8::from(health.examination == Examination::Damaged)));
    }
}

impl Route {
    fn new(method: &str, route: &str) -> Self {
        let labels = [("method", method.to_owned()), ("route", route.to_owned())];
        let class = |class: &'static str| {
            let [method, route] = labels.clone();
            counter!("wardkeep_http_requests_total", &[method, route, ("class", class.to_owned())])
        };
        Self {
            by_class: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(class),
            seconds: histogram!("wardkeep_http_request_duration_seconds", &labels),
        }
    }
}

impl StoreGauges {
    fn new() -> Self {
        Self {
            mode: gauge!("wardkeep_store_mode"),
            head_age: gauge!("wardkeep_audit_head_age_seconds"),
            head_stale: gauge!("wardkeep_audit_head_stale"),
            reserve: gauge!("wardkeep_audit_reserve_bytes"),
            wal: gauge!("wardkeep_store_wal_bytes"),
            records: gauge!("wardkeep_audit_records"),
            waiting: gauge!("wardkeep_store_waiting_works"),
            damaged: gauge!("wardkeep_store_damaged"),
        }
    }
}

fn describe() {
    describe_counter!("wardkeep_http_requests_total", "Answered requests by method, route and class of status.");
    describe_histogram!("wardkeep_http_request_duration_seconds", "From a request's headers to its answer.");
    describe_counter!("wardkeep_decisions_total", "Decisions of the policy engine by outcome.");
    describe_gauge!("wardkeep_store_mode", "0 normal, 1 audit reserve in use, 2 reserve spent, 3 failed.");
    describe_gauge!("wardkeep_audit_head_age_seconds", "How long the newest commit has not been in the head file.");
    describe_gauge!(
        "wardkeep_audit_head_stale",
        "1 where changes are refused because the head file cannot be written."
    );
    describe_gauge!("wardkeep_audit_reserve_bytes", "What is left of the audit reserve.");
    describe_gauge!("wardkeep_store_wal_bytes", "Size of the write-ahead log.");
    describe_gauge!("wardkeep_audit_records", "Audit records since the store was made.");
    describe_gauge!("wardkeep_store_waiting_works", "Works that wait for the writer.");
    describe_gauge!(
        "wardkeep_revocation_cover_rows",
        "Rows that the widest revocation list adds to a formula, of the 512 that both may have."
    );
    describe_gauge!("wardkeep_store_damaged", "1 where the check of everything on disk found damage.");
}
