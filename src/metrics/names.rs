//! The name of every series, one constant each; used by the counters and by the metrics page.
//! Names follow Prometheus: base units, `_total` for counters, labels from closed sets.

/// Declares plain (label-free) per-shard series: variant, kind, name, help.
macro_rules! series {
    ($($variant:ident $kind:ident $name:literal $help:literal;)*) => {
        /// A per-shard series without labels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Series { $(#[doc = $help] $variant,)* }

        /// What a series is to Prometheus.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            /// Only rises.
            Counter,
            /// Goes up and down.
            Gauge,
        }

        impl Series {
            /// All series in declaration order; `Series as usize` indexes it.
            pub const ALL: &'static [Series] = &[$(Series::$variant,)*];
            /// Number of series.
            pub const COUNT: usize = Series::ALL.len();

            /// The Prometheus name.
            pub const fn name(self) -> &'static str {
                match self { $(Series::$variant => $name,)* }
            }

            /// The help line.
            pub const fn help(self) -> &'static str {
                match self { $(Series::$variant => $help,)* }
            }

            /// Counter or gauge.
            pub const fn kind(self) -> Kind {
                match self { $(Series::$variant => Kind::$kind,)* }
            }
        }
    };
}

series! {
    ConnectionsOpened Counter "mynah_connections_opened_total" "Connections accepted.";
    ConnectionsCurrent Gauge "mynah_connections_current" "Connections open now.";
    Handshakes Counter "mynah_tls_handshakes_total" "TLS handshakes completed.";
    HandshakeFailures Counter "mynah_tls_handshake_failures_total" "TLS handshakes that failed.";
    BytesReceived Counter "mynah_received_bytes_total" "Plaintext octets received.";
    BytesSent Counter "mynah_sent_bytes_total" "Plaintext octets sent.";
    Flushes Counter "mynah_flushes_total" "Flushes of a connection; each encrypts all that waited.";
    KeepAlives Counter "mynah_keep_alives_total" "Keep-alive pings received.";
    ConnectionPanics Counter "mynah_connection_panics_total" "Connections closed because their step panicked.";

    EndpointsCurrent Gauge "mynah_endpoints_current" "Registered endpoints.";
    UsersSignedInCurrent Gauge "mynah_users_signed_in_current" "Users with at least one endpoint.";
    UsersCurrent Gauge "mynah_users_current" "Users known to the directory.";
    SignIns Counter "mynah_sign_ins_total" "Successful sign-ins.";
    SignOuts Counter "mynah_sign_outs_total" "Endpoints removed: de-registered, expired or lost.";
    Challenges Counter "mynah_auth_challenges_total" "Challenges sent.";

    SessionsStarted Counter "mynah_im_sessions_started_total" "Two-party IM sessions established.";
    SessionsCurrent Gauge "mynah_im_sessions_current" "Two-party IM sessions known now.";
    SessionMessages Counter "mynah_im_session_messages_total" "MESSAGE requests relayed inside a session.";
    PagerMessages Counter "mynah_im_pager_messages_total" "Pager-mode MESSAGE requests relayed.";
    BridgeMessages Counter "mynah_im_bridge_messages_total" "Messages carried between a session and pager mode.";
    RelaysCurrent Gauge "mynah_relays_current" "Requests in flight.";
    RelayTimeouts Counter "mynah_relay_timeouts_total" "Forwarded requests that got no answer in time.";
    ResponsesStray Counter "mynah_responses_stray_total" "Responses that matched no request in flight and were dropped.";
    RecordsWritten Counter "mynah_call_detail_records_total" "Call detail records handed to the store.";

    FramesSent Counter "mynah_mesh_frames_sent_total" "Frames sent to another shard.";
    FramesReceived Counter "mynah_mesh_frames_received_total" "Frames received from another shard.";
    MeshWakes Counter "mynah_mesh_wakes_total" "Wakes sent to another core.";
    MeshStalls Counter "mynah_mesh_stalls_total" "Times a full queue made the core stop reading.";
    FramesDropped Counter "mynah_mesh_frames_dropped_total" "Frames dropped because the overflow beside a full queue was full.";
    Ticks Counter "mynah_core_ticks_total" "Ticks of the core; stands still when the core is stuck.";
}

/// Requests received, by `method`.
pub const REQUESTS: &str = "mynah_sip_requests_total";
/// Responses sent by the server itself, by `status`.
pub const RESPONSES: &str = "mynah_sip_responses_total";
/// Times a bound was hit, by `limit`.
pub const LIMIT_HITS: &str = "mynah_limit_hits_total";
/// Connections closed, by `reason`.
pub const CLOSES: &str = "mynah_connections_closed_total";
/// Refused sign-ins, by `cause`.
pub const AUTH_FAILURES: &str = "mynah_auth_failures_total";
