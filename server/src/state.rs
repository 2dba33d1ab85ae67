//! What requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::watch;
use wardkeep_kms::Kms;
use wardkeep_kms::service::authority::COVER_ROWS;
use wardkeep_model::{Clock, Entropy, EntropyError, RequestId};
use wardkeep_policy::Engine;
use wardkeep_store::{Examination, Mode, Store};

use crate::admin::Admin;
use crate::ca::Authority;
use crate::config::Config;
use crate::http::json::Bounds;
use crate::http::limits::Limits;
use crate::http::meters::Meters;
use crate::http::openapi::OpenApiDocument;
use crate::telemetry::Metrics;

/// Everything a handler may use. Handlers get it as `State<Arc<App>>`; what acts needs a permit all the same.
pub struct App {
    /// Decides.
    pub engine: Arc<Engine>,
    /// Keys.
    pub kms: Kms,
    /// Durable state and the audit log.
    pub store: Arc<dyn Store>,
    /// Policies, entities, roles, tokens.
    pub admin: Arc<Admin>,
    /// Certificates.
    pub authority: Arc<Authority>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Rates and places.
    pub limits: Limits,
    /// Bounds of bodies.
    pub bounds: BodyBounds,
    /// Names for requests that bring none.
    pub request_ids: RequestIds,
    /// Counts of this room.
    pub meters: Meters,
    /// All counts.
    pub metrics: Arc<Metrics>,
    /// The OpenAPI document, serialised once.
    pub openapi: OpenApiDocument,
    /// The configuration in force, which reloads replace.
    pub config: watch::Receiver<Arc<Config>>,
    /// Whether requests are to come.
    pub ready: Ready,
}

/// Bounds of bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyBounds {
    /// Of most verbs.
    pub usual: Bounds,
    /// Of entities, bundles and batches.
    pub large: Bounds,
}

/// Names for requests: unique, as their beginning is random for each start and the rest counts. They are no secrets, and
/// the generator is too dear to be asked for every request.
#[derive(Debug)]
pub struct RequestIds {
    first: u128,
    given: AtomicU64,
}

/// Whether the server wants requests: not before everything is loaded, no longer once it stops.
#[derive(Debug, Default)]
pub struct Ready(AtomicBool);

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("bounds", &self.bounds).field("ready", &self.ready).finish_non_exhaustive()
    }
}

impl BodyBounds {
    /// Bounds as configured.
    #[must_use]
    pub fn new(limits: &crate::config::Limits) -> Self {
        let depth = limits.json_depth;
        Self {
            usual: Bounds { bytes: limits.body_bytes, depth, strings: limits.strings },
            large: Bounds { bytes: limits.large_body_bytes, depth, strings: limits.large_strings },
        }
    }
}

impl RequestIds {
    /// Names of this start.
    ///
    /// # Errors
    /// The generator's.
    pub fn new(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bits = [0; 16];
        entropy.fill(&mut bits)?;
        Ok(Self { first: u128::from_be_bytes(bits), given: AtomicU64::new(0) })
    }

    /// The next one.
    #[must_use]
    pub fn next(&self) -> RequestId {
        RequestId::from_random(self.first.wrapping_add(u128::from(self.given.fetch_add(1, Ordering::Relaxed))))
    }
}

impl Ready {
    /// Says whether requests are to come.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Whether requests are to come.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl App {
    /// What readiness rests on: name, whether it is well, and what is wrong.
    #[must_use]
    pub fn checks(&self) -> Vec<(&'static str, bool, Option<&'static str>)> {
        let health = self.store.health();
        let store = match health.mode {
            Mode::Normal => None,
            Mode::Reserve => Some("the disk is full: changes are refused"),
            Mode::Spent => Some("the disk is full and the audit reserve is spent: nothing is done"),
            Mode::Failed => Some("a write failed: restart once the cause is gone"),
        };
        // A full disk still lets describes, unwraps and verifies answer: that is no reason to send them elsewhere.
        let serves = matches!(health.mode, Mode::Normal | Mode::Reserve);
        let head = health.head_stale.then_some("the audit head cannot be written: changes are refused");
        let damaged = health.examination == Examination::Damaged;
        let damage = damaged.then_some("the check of everything on disk found damage: see the log, restore a backup");
        let wide = self.kms.widest_cover().is_some_and(|cover| cover.rows > COVER_ROWS);
        let cover =
            wide.then_some("a revocation list takes most rows of a formula: rotate the authority, re-issue its keys");
        let started = self.ready.get();
        vec![
            ("started", started, (!started).then_some("starting or stopping")),
            ("store", serves, store),
            ("audit-head", !health.head_stale, head),
            ("integrity", !damaged, damage),
            ("revocation-cover", !wide, cover),
        ]
    }
}
