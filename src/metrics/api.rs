//! The counters of the API: one for the process, and off the cores.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the API counts while it serves. Shared by all its connections.
#[derive(Debug, Default)]
pub struct ApiTally {
    requests: AtomicU64,
    auth_failures: AtomicU64,
    streams: AtomicU64,
    connections_refused: AtomicU64,
    streams_refused: AtomicU64,
    streams_overrun: AtomicU64,
    bodies_refused: AtomicU64,
    photos_refused: AtomicU64,
    pixels_refused: AtomicU64,
    lists_refused: AtomicU64,
    lockouts: AtomicU64,
}

/// What it has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApiCounters {
    /// Requests.
    pub requests: u64,
    /// Requests without a token that proves anything.
    pub auth_failures: u64,
    /// Event streams now.
    pub streams: u64,
    /// Connections beyond `api_connections_max`.
    pub connections_refused: u64,
    /// Event streams beyond `api_streams_max`.
    pub streams_refused: u64,
    /// Event streams ended beyond `api_events_waiting_max`.
    pub streams_overrun: u64,
    /// Bodies beyond `api_body_bytes_max`.
    pub bodies_refused: u64,
    /// Pictures beyond `photo_bytes_max`.
    pub photos_refused: u64,
    /// Pictures beyond `photo_pixels_max`.
    pub pixels_refused: u64,
    /// Lists beyond `api_users_max`.
    pub lists_refused: u64,
    /// Addresses locked out beyond `auth_failures_per_address_max`.
    pub lockouts: u64,
}

/// Something the API counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiEvent {
    /// A request came.
    Request,
    /// It had no token that proves anything.
    AuthFailure,
    /// An address reached `auth_failures_per_address_max`.
    Lockout,
    /// A connection found no place.
    ConnectionRefused,
    /// An event stream found no place.
    StreamRefused,
    /// An event stream had too much waiting.
    StreamOverrun,
    /// A body was too long.
    BodyRefused,
    /// A picture had too many octets.
    PhotoRefused,
    /// A picture had too many pixels.
    PixelsRefused,
    /// A list was too long.
    ListRefused,
}

impl ApiTally {
    /// Counts `event`.
    pub fn count(&self, event: ApiEvent) {
        let counter = match event {
            ApiEvent::Request => &self.requests,
            ApiEvent::AuthFailure => &self.auth_failures,
            ApiEvent::Lockout => &self.lockouts,
            ApiEvent::ConnectionRefused => &self.connections_refused,
            ApiEvent::StreamRefused => &self.streams_refused,
            ApiEvent::StreamOverrun => &self.streams_overrun,
            ApiEvent::BodyRefused => &self.bodies_refused,
            ApiEvent::PhotoRefused => &self.photos_refused,
            ApiEvent::PixelsRefused => &self.pixels_refused,
            ApiEvent::ListRefused => &self.lists_refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// An event stream has begun.
    pub fn stream_opened(&self) {
        self.streams.fetch_add(1, Ordering::Relaxed);
    }

    /// An event stream is over.
    pub fn stream_closed(&self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
    }

    /// How the counters stand.
    pub fn counters(&self) -> ApiCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ApiCounters {
            requests: read(&self.requests),
            auth_failures: read(&self.auth_failures),
            streams: read(&self.streams),
            connections_refused: read(&self.connections_refused),
            streams_refused: read(&self.streams_refused),
            streams_overrun: read(&self.streams_overrun),
            bodies_refused: read(&self.bodies_refused),
            photos_refused: read(&self.photos_refused),
            pixels_refused: read(&self.pixels_refused),
            lists_refused: read(&self.lists_refused),
            lockouts: read(&self.lockouts),
        }
    }
}
