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
            /// Durations counted into buckets.
            Histogram,
            /// Durations added up.
            Summary,
        }

        impl Kind {
            /// The word in the TYPE line.
            pub const fn name(self) -> &'static str {
                match self {
                    Kind::Counter => "counter",
                    Kind::Gauge => "gauge",
                    Kind::Histogram => "histogram",
                    Kind::Summary => "summary",
                }
            }
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
    ConnectionsToClose Gauge "mynah_drain_connections_current" "Connections that a drain has still to close.";
    LinksCurrent Gauge "mynah_links_current" "Links open now: connections of other servers that carry many users.";
    LanesOpened Counter "mynah_lanes_opened_total" "Users who began to speak on a link.";
    LanesCurrent Gauge "mynah_lanes_current" "Users who speak on links now.";
    LanesRefused Counter "mynah_lanes_refused_total" "Users on a link who were told 503 because a bound was reached.";
    AcceptFailures Counter "mynah_accept_failures_total" "Times a listener could not accept, for want of descriptors or memory.";
    Handshakes Counter "mynah_tls_handshakes_total" "TLS handshakes completed.";
    HandshakesCurrent Gauge "mynah_tls_handshakes_current" "TLS handshakes in progress.";
    HandshakeFailures Counter "mynah_tls_handshake_failures_total" "TLS handshakes that failed.";
    BytesReceived Counter "mynah_received_bytes_total" "Plaintext octets received.";
    BytesSent Counter "mynah_sent_bytes_total" "Plaintext octets sent.";
    WireBytesReceived Counter "mynah_wire_received_bytes_total" "Octets read from sockets of clients, TLS included.";
    WireBytesSent Counter "mynah_wire_sent_bytes_total" "Octets written to sockets of clients, TLS included.";
    Flushes Counter "mynah_flushes_total" "Flushes of a connection; each encrypts all that waited.";
    KeepAlives Counter "mynah_keep_alives_total" "Keep-alive pings received.";
    PausedCurrent Gauge "mynah_connections_paused_current" "Connections that are not read because the core waits for another core or for the store.";
    Overheard Counter "mynah_trace_messages_total" "Messages copied for those who listen.";
    OverheardLost Counter "mynah_trace_messages_lost_total" "Messages that whoever listens was too slow for.";
    StepPanics Counter "mynah_step_panics_total" "Steps of a core outside a connection (frame, tick, control) that panicked.";
    ConnectionPanics Counter "mynah_connection_panics_total" "Connections closed because their step panicked.";

    EndpointsCurrent Gauge "mynah_endpoints_current" "Registered endpoints.";
    UsersSignedInCurrent Gauge "mynah_users_signed_in_current" "Users with at least one endpoint.";
    UsersCurrent Gauge "mynah_users_current" "Users known to the directory.";
    SignIns Counter "mynah_sign_ins_total" "Successful sign-ins.";
    SignOuts Counter "mynah_sign_outs_total" "Endpoints removed: de-registered, expired or lost.";
    ClientsRefused Counter "mynah_clients_refused_total" "Sign-ins refused because the policy does not let the client in.";
    Challenges Counter "mynah_auth_challenges_total" "Challenges sent.";

    SessionsStarted Counter "mynah_im_sessions_started_total" "Two-party IM sessions established.";
    SessionsCurrent Gauge "mynah_im_sessions_current" "Two-party IM sessions known now.";
    SessionMessages Counter "mynah_im_session_messages_total" "MESSAGE requests relayed inside a session.";
    PagerMessages Counter "mynah_im_pager_messages_total" "Pager-mode MESSAGE requests relayed.";
    BridgeMessages Counter "mynah_im_bridge_messages_total" "Messages carried between a session and pager mode.";
    MessagesBlocked Counter "mynah_im_messages_blocked_total" "Messages refused by the filter of a policy.";
    MessagesChanged Counter "mynah_im_messages_changed_total" "Messages changed by the filter of a policy: links made text, or a warning put before them.";
    RelaysCurrent Gauge "mynah_relays_current" "Requests in flight.";
    Redirects Counter "mynah_redirects_total" "Clients sent to another server because of a drain.";
    RelayTimeouts Counter "mynah_relay_timeouts_total" "Forwarded requests that got no answer in time.";
    ResponsesStray Counter "mynah_responses_stray_total" "Responses that matched no request in flight and were dropped.";
    RecordsWritten Counter "mynah_call_detail_records_total" "Call detail records handed to the store.";

    ConferencesCurrent Gauge "mynah_conferences_current" "Conferences known now, the scheduled ones included.";
    LegsCurrent Gauge "mynah_conference_legs_current" "Members' dialogs with conferences, two for each endpoint of a Lync client.";
    ConferenceMembersCurrent Gauge "mynah_conference_members_current" "Members of conferences.";
    ConferencesStarted Counter "mynah_conferences_started_total" "Conferences whose first member came in.";
    ConferenceJoinsRefused Counter "mynah_conference_joins_refused_total" "Joins refused: locked, not invited, full.";
    ConferenceMessages Counter "mynah_conference_messages_total" "Messages accepted for all members of a conference.";
    ConferenceDeliveries Counter "mynah_conference_deliveries_total" "Copies of such messages written to legs of members.";
    ConferenceFrames Counter "mynah_conference_frames_total" "Frames with such a message sent to other cores: one for each that has legs.";
    ConferenceUndelivered Counter "mynah_conference_undelivered_total" "Copies of such messages that a member did not take.";
    ConferenceNotices Counter "mynah_conference_notices_total" "Notifications of rosters written.";

    SubscriptionsCurrent Gauge "mynah_subscriptions_current" "Subscriptions of connected endpoints.";
    WatchesCurrent Gauge "mynah_watches_current" "Users watched, counted once for each subscription.";
    Notifications Counter "mynah_notifications_total" "NOTIFY and BENOTIFY requests sent.";
    Publications Counter "mynah_publications_total" "Publications received: SERVICE and PUBLISH.";
    PublicationConflicts Counter "mynah_publication_conflicts_total" "Publications refused because of a wrong version.";
    PresenceRenderings Counter "mynah_presence_renderings_total" "Presence documents rendered: one for all watchers who see the same.";
    Writes Counter "mynah_durable_writes_total" "Changes of users' contacts and presence handed to the store.";
    Searches Counter "mynah_directory_searches_total" "Searches of the directory.";

    FramesSent Counter "mynah_mesh_frames_sent_total" "Frames sent to another shard.";
    FramesReceived Counter "mynah_mesh_frames_received_total" "Frames received from another shard.";
    FramesWaitingCurrent Gauge "mynah_mesh_queue_current" "Frames of other shards that wait for the core.";
    OrdersWaitingCurrent Gauge "mynah_control_orders_current" "Orders of the control thread that wait for the core.";
    MeshWakes Counter "mynah_mesh_wakes_total" "Wakes sent to another core.";
    MeshStalls Counter "mynah_mesh_stalls_total" "Times a full queue made the core stop reading.";
    CoreNudges Counter "mynah_core_nudges_total" "Times a core was woken from outside because it had missed its ticks for a tenth of a second.";
    CoreStalls Counter "mynah_core_stalls_total" "Times a core was found standing still for more than two seconds.";
    Ticks Counter "mynah_core_ticks_total" "Ticks of the core; stands still when the core is stuck.";
}

/// A series with labels, or of the whole process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// The Prometheus name.
    pub name: &'static str,
    /// What it is to Prometheus.
    pub kind: Kind,
    /// The help line.
    pub help: &'static str,
}

/// Declares families as constants and lists them.
macro_rules! families {
    ($($constant:ident $kind:ident $name:literal $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: Family =
            Family { name: $name, kind: Kind::$kind, help: $help };)*

        /// Every family.
        pub const FAMILIES: &[Family] = &[$($constant,)*];
    };
}

families! {
    REQUESTS Counter "mynah_sip_requests_total" "Requests received, by method.";
    RESPONSES Counter "mynah_sip_responses_total" "Responses made by the server itself, by status.";
    ANSWERS Counter "mynah_sip_answers_total" "Responses made by the server itself, by method of the request and class of the status.";
    TLS_SESSIONS Counter "mynah_tls_sessions_total" "TLS handshakes completed, by version and cipher suite.";
    LIMIT_HITS Counter "mynah_limit_hits_total" "Times a bound was hit, by limit.";
    CLOSES Counter "mynah_connections_closed_total" "Connections closed, by reason.";
    FRAMES_DROPPED Counter "mynah_mesh_frames_dropped_total" "Frames dropped because the overflow beside a full queue of the mesh was full, by kind.";
    AUTH_FAILURES Counter "mynah_auth_failures_total" "Refused sign-ins, by cause.";
    MESSAGE_PROCESSING Summary "mynah_message_processing_seconds" "Time that cores spent on messages which came in, from the read to what is to be written, and on frames of other cores; the count is of messages.";
    MESSAGE_HOLDING Histogram "mynah_message_holding_seconds" "Time from when a core learned that a socket had a message to the end of the flush in which what it caused left this core.";

    API_REQUESTS Counter "mynah_api_requests_total" "Requests to the API.";
    API_AUTH_FAILURES Counter "mynah_api_auth_failures_total" "Requests to the API without a token that proves anything.";
    API_STREAMS Gauge "mynah_api_streams_current" "Event streams of the API.";

    BUILD_INFO Gauge "mynah_build_info" "1; the version is a label.";
    SHARDS_CURRENT Gauge "mynah_shards_current" "Shards whose counters are on this page; one that is stuck is not.";
    HEALTHY Gauge "mynah_healthy" "1 when /healthz answers 200, otherwise 0.";
    DRAINING Gauge "mynah_draining" "1 once the server takes no new work because of a drain, otherwise 0.";
    DRAIN_LEFT Gauge "mynah_drain_left_seconds" "Seconds until a drain has closed the last connection.";

    STORE_QUEUED Gauge "mynah_store_queue_current" "Records that wait in the queue to the store.";
    STORE_PENDING Gauge "mynah_store_pending_current" "Records taken by the store and not committed yet.";
    STORE_REFUSED Counter "mynah_store_refused_total" "Times the queue to the store was full.";
    STORE_ROWS Counter "mynah_store_rows_total" "Rows committed: records and changes of users.";
    STORE_STRAYS Counter "mynah_store_strays_total" "Records that fit no row: an end without its start, or the same twice.";
    STORE_FAILURES Counter "mynah_store_commit_failures_total" "Commits that failed and were tried again.";
    STORE_COMMITS Histogram "mynah_store_commit_seconds" "Duration of the commits that succeeded.";
    STORE_ALARM Gauge "mynah_store_alarm" "1 for the cause that keeps the store from writing, otherwise 0.";

    LDAP_LOOKS Counter "mynah_ldap_looks_total" "Times all users of the directory service were looked at to the end.";
    LDAP_FAILURES Counter "mynah_ldap_failures_total" "Times the directory service was no help, by cause.";
    LDAP_ALARM Gauge "mynah_ldap_alarm" "1 for the cause that keeps the users as they were at an earlier look, otherwise 0.";
    LDAP_LOOKED Gauge "mynah_ldap_looked_timestamp_seconds" "When all users of the directory service were looked at last, in seconds since the Unix epoch; 0 for never.";
    LDAP_CHANGES Counter "mynah_ldap_changes_total" "Users made, changed or disabled as the directory service has them.";
    LDAP_USERS Gauge "mynah_ldap_users_current" "Users of the directory service at the last look.";
    LDAP_UNFIT Gauge "mynah_ldap_unfit_entries_current" "Entries of the directory service at the last look that are no users.";

    HEP_SENT Counter "mynah_hep_messages_total" "Copies of messages sent to the collector.";
    HEP_LOST Counter "mynah_hep_messages_lost_total" "Copies of messages that the collector or a queue on the way to it did not take.";

    LOG_LOST Counter "mynah_log_lines_lost_total" "Log lines lost because standard error was not read.";

    PROCESS_START Gauge "process_start_time_seconds" "Start of the process, in seconds since the Unix epoch.";
    PROCESS_CPU Counter "process_cpu_seconds_total" "User and system CPU time of the process.";
    PROCESS_RESIDENT Gauge "process_resident_memory_bytes" "Resident memory of the process.";
    PROCESS_WRITTEN Counter "process_written_bytes_total" "Octets that the process had written to disks.";
    PROCESS_FDS Gauge "process_open_fds" "Open file descriptors.";
    PROCESS_FDS_MAX Gauge "process_max_fds" "Bound on open file descriptors.";
}

/// The label `method` of [`REQUESTS`], indexed by `wire::sip::method::Method as usize`.
pub const METHODS: [&str; super::counters::METHODS] = [
    "ack",
    "benotify",
    "bye",
    "cancel",
    "info",
    "invite",
    "message",
    "negotiate",
    "notify",
    "options",
    "publish",
    "refer",
    "register",
    "service",
    "subscribe",
    "other",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_follow_the_rules_of_prometheus() {
        let plain =
            Series::ALL.iter().map(|s| Family { name: s.name(), kind: s.kind(), help: s.help() });
        let mut seen = BTreeSet::new();
        for family in plain.chain(FAMILIES.iter().copied()) {
            let Family { name, kind, help } = family;
            assert!(seen.insert(name), "{name} twice");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert!(name.starts_with("mynah_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
            assert!(help.ends_with('.') && !help.contains(['\n', '\\']), "{name}");
        }
    }
}
