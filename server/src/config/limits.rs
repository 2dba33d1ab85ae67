//! `[limits]`, `[rate_limit]` and `[pools]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::error::within;

/// Timers and sizes of every connection and request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// TLS handshake, from the accepted socket on.
    pub handshake_millis: u64,
    /// From the handshake's end to the first byte.
    pub first_byte_millis: u64,
    /// From a request's first byte to the end of its headers.
    pub headers_millis: u64,
    /// From a request's headers to the end of its body.
    pub body_millis: u64,
    /// A whole request, to the end of its answer.
    pub request_millis: u64,
    /// A connection without a request.
    pub idle_millis: u64,
    /// A connection's age, after which it is ended in good order.
    pub connection_age_millis: u64,
    /// Time that open requests get when the server stops.
    pub drain_millis: u64,
    /// Connections of one listener at a time.
    pub connections: u32,
    /// Connections of one listener at a time that have not yet said who they are; for one more, the oldest of the
    /// address that has most of them is closed.
    pub handshakes: u32,
    /// Connections of one listener at a time from one address (IPv4) or /64 (IPv6); more are closed at once. What comes
    /// through a proxy that passes TLS on is of one address: its own.
    pub connections_per_address: u32,
    /// HTTP/2 streams of one connection at a time.
    pub streams: u32,
    /// Header block of a request.
    pub header_bytes: u32,
    /// Body of a request.
    pub body_bytes: usize,
    /// Body of entities, bundles and batches.
    pub large_body_bytes: usize,
    /// Nesting of a JSON body.
    pub json_depth: usize,
    /// Strings in a JSON body.
    pub strings: usize,
    /// Strings in the body of entities, bundles and batches.
    pub large_strings: usize,
}

/// Requests per identity; off unless configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// Requests a second of one identity; absent means no limit.
    pub requests_per_second: Option<u32>,
    /// Requests at once before the rate counts.
    pub burst: u32,
    /// Enrolments a minute of one network address; always on.
    pub enrolments_per_minute: u32,
}

/// How much work runs at a time; more is answered 503.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pools {
    /// Cheap requests at a time: decisions, AES, descriptions.
    pub cheap: u32,
    /// Threads for RSA; 0 means one a core.
    pub dear_threads: u32,
    /// RSA operations that may wait for them.
    pub dear_queue: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_millis: 5_000,
            first_byte_millis: 5_000,
            headers_millis: 5_000,
            body_millis: 15_000,
            request_millis: 30_000,
            idle_millis: 60_000,
            connection_age_millis: 600_000,
            drain_millis: 10_000,
            connections: 4_096,
            handshakes: 256,
            connections_per_address: 1_024,
            streams: 128,
            header_bytes: 16_384,
            body_bytes: 1_048_576,
            large_body_bytes: 8_388_608,
            json_depth: 32,
            strings: 1_000,
            large_strings: 100_000,
        }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { requests_per_second: None, burst: 50, enrolments_per_minute: 30 }
    }
}

impl Default for Pools {
    fn default() -> Self {
        Self { cheap: 512, dear_threads: 0, dear_queue: 256 }
    }
}

impl Limits {
    /// [`Limits::request_millis`] as a duration.
    #[must_use]
    pub fn request(&self) -> Duration {
        Duration::from_millis(self.request_millis)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        const TIMER: &str = "10 to 86400000 (a day)";
        for (key, value) in [
            ("limits.handshake_millis", self.handshake_millis),
            ("limits.first_byte_millis", self.first_byte_millis),
            ("limits.headers_millis", self.headers_millis),
            ("limits.body_millis", self.body_millis),
            ("limits.request_millis", self.request_millis),
            ("limits.idle_millis", self.idle_millis),
            ("limits.connection_age_millis", self.connection_age_millis),
            ("limits.drain_millis", self.drain_millis),
        ] {
            within(key, value, 10..=86_400_000, TIMER)?;
        }
        within("limits.connections", self.connections.into(), 1..=1_000_000, "1 to 1000000")?;
        within("limits.handshakes", self.handshakes.into(), 1..=1_000_000, "1 to 1000000")?;
        let address = self.connections_per_address.into();
        within("limits.connections_per_address", address, 1..=1_000_000, "1 to 1000000")?;
        within("limits.streams", self.streams.into(), 1..=10_000, "1 to 10000")?;
        within("limits.header_bytes", self.header_bytes.into(), 8_192..=1_048_576, "8192 to 1048576")?;
        let (body, large) = (self.body_bytes as u64, self.large_body_bytes as u64);
        within("limits.body_bytes", body, 1_024..=1 << 26, "1024 to 67108864")?;
        within("limits.large_body_bytes", large, 1_024..=1 << 28, "1024 to 268435456")?;
        within("limits.json_depth", self.json_depth as u64, 8..=127, "8 to 127")?;
        within("limits.strings", self.strings as u64, 16..=1 << 24, "16 to 16777216")?;
        within("limits.large_strings", self.large_strings as u64, 16..=1 << 24, "16 to 16777216")
    }
}

impl RateLimit {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        const RATE: &str = "1 to 1000000, or leave it out for no limit";
        if let Some(rate) = self.requests_per_second {
            within("rate_limit.requests_per_second", rate.into(), 1..=1_000_000, RATE)?;
        }
        within("rate_limit.burst", self.burst.into(), 1..=1_000_000, "1 to 1000000")?;
        within("rate_limit.enrolments_per_minute", self.enrolments_per_minute.into(), 1..=60_000, "1 to 60000")
    }
}

impl Pools {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("pools.cheap", self.cheap.into(), 1..=1_000_000, "1 to 1000000")?;
        within("pools.dear_threads", self.dear_threads.into(), 0..=1_024, "0 (one a core) to 1024")?;
        within("pools.dear_queue", self.dear_queue.into(), 1..=1_000_000, "1 to 1000000")
    }
}
