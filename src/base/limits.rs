//! Every bound of the server in one place: default, unit in the name, reason beside it. Each has
//! a counter (`mynah_limit_hits_total{limit="…"}`) and a test that hits it.

use std::time::Duration;

/// Declares the limits: field, default, reason; and the closed set of their names.
macro_rules! limits {
    ($($(#[doc = $doc:literal])* $variant:ident, $field:ident: $type:ty = $default:expr;)*) => {
        /// The bounds in force. One value is made at start from the configuration and shared.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits { $($(#[doc = $doc])* pub $field: $type,)* }

        impl Default for Limits {
            fn default() -> Self {
                Limits { $($field: $default,)* }
            }
        }

        impl Limits {
            /// The bound `limit` names.
            pub fn value(&self, limit: Limit) -> Amount {
                match limit { $(Limit::$variant => self.$field.amount(),)* }
            }

            /// Sets the bound `limit` names; false, and no change, when `amount` is of the other
            /// kind or does not fit.
            pub fn set(&mut self, limit: Limit, amount: Amount) -> bool {
                match limit { $(Limit::$variant => self.$field.set(amount),)* }
            }
        }

        /// Names a bound, for the counter that shows when it is hit.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Limit { $($(#[doc = $doc])* $variant,)* }

        impl Limit {
            /// All limits, in declaration order; `Limit as usize` indexes it.
            pub const ALL: &'static [Limit] = &[$(Limit::$variant,)*];

            /// The name used in metrics, logs and the configuration file.
            pub const fn name(self) -> &'static str {
                match self { $(Limit::$variant => stringify!($field),)* }
            }

            /// What it bounds, and why there: the text beside its default.
            pub const fn about(self) -> &'static str {
                match self { $(Limit::$variant => concat!($($doc,)*).trim_ascii(),)* }
            }

            /// The limit of that [`name`](Self::name).
            pub fn from_name(name: &str) -> Option<Self> {
                Limit::ALL.iter().copied().find(|limit| limit.name() == name)
            }
        }
    };
}

limits! {
    /// Start line and headers of one message. Real clients send under 3 KiB; the offsets of the
    /// head index are 16 bits wide, so this may not exceed 65,535.
    SipHeadBytes, sip_head_bytes_max: usize = 16 * 1024;
    /// One header line with its continuation lines.
    SipHeaderLineBytes, sip_header_line_bytes_max: usize = 8 * 1024;
    /// Header lines of one message. The head index has 128 places: the lines we add find room.
    SipHeaderCount, sip_header_count_max: usize = 120;
    /// Body of one message: a batch subscription of 1,000 contacts fits, a file does not.
    SipBodyBytes, sip_body_bytes_max: usize = 256 * 1024;
    /// Elements within elements of one XML document. Real ones are at most 12 deep.
    XmlDepth, xml_depth_max: usize = 32;
    /// Elements of one XML document: a batch subscription of 1,000 contacts has some 2,000.
    XmlElements, xml_elements_max: usize = 16_384;
    /// Attributes of one XML element, and namespace prefixes in scope at it.
    XmlAttributes, xml_attributes_max: usize = 64;
    /// The URI of one XML namespace: what is stored declares again what was declared around it.
    XmlNamespaceBytes, xml_namespace_bytes_max: usize = 256;
    /// Parts of one multipart body: a whole contact list of 1,000.
    MimeParts, mime_parts_max: usize = 1024;
    /// Keep-alive CRLFs a connection may send a second before it is closed as a flood.
    KeepAliveRate, keep_alives_per_second_max: u32 = 100;

    /// Connections of one shard.
    Connections, connections_per_shard_max: usize = 500_000;
    /// Connections from one address; 0 means no bound. Generous, for sites behind one NAT.
    ConnectionsPerAddress, connections_per_address_max: usize = 50_000;
    /// TLS handshakes in progress on one core: beyond it accepting waits.
    Handshakes, handshakes_per_core_max: usize = 64;
    /// TLS handshakes that begin in a second on one core; beyond it accepting waits. 0 means no bound.
    /// One costs about 0.15 ms of a core, so these take a sixth of it.
    HandshakeRate, handshakes_per_core_per_second_max: u32 = 1_000;
    /// TLS handshakes that begin in a second from one address, or from one IPv6 network of 64 bits;
    /// whoever is one too many is closed. 0 means no bound. Five seconds' worth may come at once.
    /// Networks of `listen.exempt` have no bound.
    HandshakeRatePerAddress, handshakes_per_address_per_second_max: u32 = 200;
    /// Addresses of which a core knows how many handshakes began; at the bound one is forgotten.
    HandshakeAddresses, handshake_addresses_max: usize = 65_536;
    /// From accept to the end of the TLS handshake, whole, not per read.
    HandshakeTime, handshake_timeout: Duration = Duration::from_secs(10);
    /// From accept (or the end of the handshake) to the first complete message.
    FirstMessageTime, first_message_timeout: Duration = Duration::from_secs(10);
    /// From the first octet of a message to its last, not reset per octet.
    MessageTime, message_timeout: Duration = Duration::from_secs(15);
    /// From accept to a successful sign-in.
    AuthenticateTime, authenticate_timeout: Duration = Duration::from_secs(30);
    /// Without any octet from the peer after sign-in. Clients ping every 60 to 300 s.
    IdleTime, idle_timeout: Duration = Duration::from_secs(900);
    /// From the decision to close a connection to its end: what waits is written and the peer may
    /// close its side; also how long answers may take after the peer has half-closed.
    CloseTime, close_timeout: Duration = Duration::from_secs(5);
    /// From SIGTERM to the end: answers to what is in flight have a quarter of it, and many
    /// connections are closed spread over a half.
    DrainTime, drain_timeout: Duration = Duration::from_secs(10);
    /// Links of one core: connections of other servers that carry many users.
    Links, links_per_core_max: usize = 64;
    /// Users on one link. Each counts as a connection of its shard too; one more gets 503.
    LanesPerLink, lanes_per_link_max: usize = 50_000;
    /// Without any message from a user on a link. The configuration sees to it that it is longer
    /// than the longest registration granted: who refreshes his own stays.
    LaneIdleTime, lane_idle_timeout: Duration = Duration::from_secs(7500);
    /// Octets queued to a link that does not read; beyond it the link is dropped.
    LinkOutgoingBytes, outgoing_bytes_per_link_max: usize = 64 * 1024 * 1024;
    /// Octets queued to a peer that does not read; beyond it the connection is dropped. Half of it
    /// is the longest answer to a batch: 200 contacts are some 500 KiB, and more follows at once.
    OutgoingBytes, outgoing_bytes_per_connection_max: usize = 1024 * 1024;

    /// Frames in one queue of the mesh, for each ordered pair of cores.
    MeshFrames, mesh_queue_frames_max: usize = 4096;
    /// Frames that wait beside a full queue while the core stops reading its connections.
    MeshOverflow, mesh_overflow_frames_max: usize = 65_536;
    /// Requests in the queue to the control thread (records, store).
    ControlQueue, control_queue_max: usize = 65_536;

    /// Users one shard may own.
    Users, users_per_shard_max: usize = 1_000_000;
    /// Connections signed in as one user: room for all endpoints, each of which may come back
    /// before the loss of its old connection is known.
    ConnectionsPerUser, connections_per_user_max: usize = 32;
    /// Endpoints (bindings) of one user.
    Endpoints, endpoints_per_user_max: usize = 8;
    /// Contact, instance, epid, Call-ID and user agent of one endpoint together. Real ones are
    /// under 400.
    EndpointBytes, endpoint_bytes_max: usize = 2048;
    /// Longest registration granted.
    RegistrationTime, registration_time_max: Duration = Duration::from_secs(7200);
    /// Shortest registration granted; a shorter wish gets 423 (RFC 3261 section 10.3).
    RegistrationTimeMin, registration_time_min: Duration = Duration::from_secs(60);

    /// Life of a nonce; an honest later use gets `stale=true`.
    NonceTime, nonce_lifetime: Duration = Duration::from_secs(300);
    /// Challenges in answer to a stale, foreign or used nonce on one connection between two good
    /// sign-ins; beyond it 403. An honest client needs one for each request in its pipeline.
    AuthRechallenges, auth_rechallenges_per_connection_max: u32 = 32;
    /// Messages to a client that wait while it makes new keys by NTLM: signed with the old ones,
    /// they would end the connection. A handshake takes one round trip.
    HeldMessages, held_messages_per_connection_max: usize = 64;
    /// Failed sign-ins on one connection before 403 instead of a new challenge. The Lync client
    /// would try 31 times without telling the user.
    AuthFailuresPerConnection, auth_failures_per_connection_max: u32 = 2;
    /// Failed sign-ins of one user in the lock-out window before he is locked out.
    AuthFailuresPerUser, auth_failures_per_user_max: u32 = 10;
    /// Failed sign-ins from one address in the lock-out window before it is locked out.
    AuthFailuresPerAddress, auth_failures_per_address_max: u32 = 100;
    /// Sign-ins that begin in a second, of the whole server: after a restart all users come at once.
    /// Who is one too many gets 503 with a `Retry-After` that gives him his turn; 0 means no bound.
    /// A second's worth may come at once. A sign-in with its TLS handshake costs 0.2 ms of a core.
    SignIns, sign_ins_per_second_max: u32 = 2_000;
    /// Window and length of a lock-out.
    LockoutTime, lockout_time: Duration = Duration::from_secs(900);
    /// Entries of each lock-out table of a shard; the oldest leaves.
    LockoutEntries, lockout_entries_max: usize = 65_536;

    /// Two-party sessions a shard owns.
    Sessions, sessions_per_shard_max: usize = 500_000;
    /// Sessions one connection may be a leg of.
    SessionsPerConnection, sessions_per_connection_max: usize = 512;
    /// Requests in flight that a shard owns (client transactions).
    Relays, relays_per_shard_max: usize = 500_000;
    /// Requests in flight of one session, and pager-mode messages of one connection: beyond it
    /// 503.
    RelaysPerConnection, relays_per_connection_max: usize = 256;
    /// Timer F, and B: a forwarded request without an answer (RFC 3261 section 17.1.2.2, 64*T1).
    RequestTime, request_timeout: Duration = Duration::from_secs(32);
    /// Timer C: a forwarded INVITE without a final answer (RFC 3261 section 16.6; the Lync client
    /// with several endpoints answers after 10 s).
    InviteTime, invite_timeout: Duration = Duration::from_secs(180);
    /// Timer H: wait for the ACK of a final answer to INVITE. A session whose acceptance nobody
    /// acknowledges, and in which nobody says anything, ends after it.
    AckTime, ack_timeout: Duration = Duration::from_secs(32);
    /// A session without any message in either direction.
    SessionIdleTime, session_idle_timeout: Duration = Duration::from_secs(24 * 3600);
    /// Silence after which a pager-mode conversation is over and its record is written.
    PagerIdleTime, pager_idle_timeout: Duration = Duration::from_secs(600);
    /// Pager-mode conversations a shard accounts for.
    PagerConversations, pager_conversations_per_shard_max: usize = 500_000;
    /// Links of one message, where the policy of its sender looks for them: the bound of the product.
    LinksPerMessage, links_per_message_max: usize = 1_000;
    /// Text messages that wait in the bridge while the session to the other side is set up.
    BridgeMessages, bridge_messages_max: usize = 32;

    /// Subscriptions of the connections of one shard.
    Subscriptions, subscriptions_per_shard_max: usize = 2_000_000;
    /// Subscriptions of one connection (`MaxSubscriptions` of the product).
    SubscriptionsPerConnection, subscriptions_per_connection_max: usize = 200;
    /// From, To, Call-ID, Contact and Event of a subscription, and the list it names: what is kept
    /// of it. Real ones are under 600.
    SubscriptionBytes, subscription_bytes_max: usize = 4096;
    /// Notifications that wait for the answer to the last one; beyond it the subscription ends, and
    /// a new one starts from the whole.
    PendingNotifications, pending_notifications_max: usize = 256;
    /// Users one batch or list may watch. A client asks for the rest one by one.
    BatchResources, batch_resources_max: usize = 200;
    /// Categories one batch may watch, all its users together (`MaxCategorySubscription`).
    CategorySubscriptions, category_subscriptions_max: usize = 1_000;
    /// A subscription that names no time.
    SubscriptionTime, subscription_time_default: Duration = Duration::from_secs(28_800);
    /// Longest subscription granted.
    SubscriptionTimeMax, subscription_time_max: Duration = Duration::from_secs(43_200);
    /// Shortest subscription or publication granted; a shorter wish gets 423.
    SubscriptionTimeMin, subscription_time_min: Duration = Duration::from_secs(60);
    /// Longest life of a publication of a standard client (RFC 3903).
    PublicationTime, publication_time_max: Duration = Duration::from_secs(3600);
    /// Publications of standard clients one user may have: one for each endpoint and some that
    /// were left behind.
    EntityTags, entity_tags_per_user_max: usize = 16;
    /// Wait for the homes of the users that a subscription or a search asks for; then it is
    /// answered with what is there.
    HomeAnswerTime, home_answer_time_max: Duration = Duration::from_secs(5);
    /// Searches of the directory in progress on one shard.
    Searches, searches_per_shard_max: usize = 4096;
    /// Changes of one user's contacts and containers that wait for the one being written, and
    /// publications of his that are being written. What waits is no longer than
    /// `sip_body_bytes_max` in all.
    EditsWaiting, edits_waiting_per_user_max: usize = 64;
    /// Publications of one user: a dozen of each of eight endpoints, and the static ones.
    Publications, publications_per_user_max: usize = 256;
    /// Octets of all publications of one user together: the presence document of the product.
    PublicationBytes, publication_bytes_max: usize = 25 * 1024;
    /// Subscriptions to the presence of one user.
    Watchers, watchers_per_user_max: usize = 10_000;
    /// Subscriptions of one watcher to the presence of one user: two for each connection. Nobody
    /// takes the places of all others.
    WatchesPerWatcher, watches_per_watcher_max: usize = 64;
    /// Subscriptions of one user to something of his own: four for each connection. Whatever he
    /// changes is told to each.
    OwnSubscriptions, own_subscriptions_per_user_max: usize = 128;
    /// Watchers in one document about who watches a user.
    WatcherInfo, watcher_info_entries_max: usize = 1_000;
    /// Between two documents about who watches a user (RFC 3857 section 4.10).
    WatcherInfoDamping, watcher_info_damping_time: Duration = Duration::from_secs(5);
    /// Users of whom one user is told, or was told, that they added him.
    PromptedSubscribers, prompted_subscribers_max: usize = 200;
    /// Members of one container: every contact fits.
    Members, members_per_container_max: usize = 1_000;
    /// Changes of a presence document within this time of a notice leave together at its end; 0
    /// means that each leaves at once. The first change never waits.
    PresenceDamping, presence_damping_time: Duration = Duration::from_millis(100);
    /// Contacts of one user: the most a Lync client policy can allow.
    Contacts, contacts_per_user_max: usize = 1000;
    /// Groups of one contact list, "Other Contacts" included. The groups of a contact are one word
    /// of bits, so this may not exceed 64.
    ContactGroups, contact_groups_per_user_max: usize = 64;
    /// Address, name and external URI of one contact together, or name and external URI of a
    /// group. Lync keeps 454, 256 and 2,048 characters; real ones have under 200 in all.
    ContactBytes, contact_bytes_max: usize = 3 * 1024;

    /// Users in one answer to a search of the directory; who searches is told that there are more.
    SearchResults, directory_search_results_max: usize = 100;
    /// Users one search looks at on each shard, so that a search for what is in every name does
    /// not hold up the messages of others.
    SearchCandidates, directory_search_candidates_max: usize = 10_000;

    /// Entries of a directory service; beyond it no more is taken, for a filter that finds too much
    /// would fill the database.
    LdapEntries, ldap_entries_max: usize = 1_000_000;

    /// Conferences of one shard, the scheduled ones included.
    Conferences, conferences_per_shard_max: usize = 20_000;
    /// Conferences of one organiser on one shard: the product allows 1,000 scheduled ones.
    ConferencesPerOrganiser, conferences_per_organiser_max: usize = 1000;
    /// Members of one conference: the product's default.
    ConferenceMembers, conference_members_max: usize = 250;
    /// Legs of one member in one conference: a focus and a chat leg for each of his endpoints.
    ConferenceLegs, conference_legs_per_member_max: usize = 16;
    /// Whom the presenters of one conference have asked in.
    ConferenceInvited, conference_invited_max: usize = 1000;
    /// Octets of the subject of a conference, of a member's name, or of what a client calls its
    /// endpoint. Real ones are under 200.
    ConferenceLabel, conference_label_bytes_max: usize = 1024;
    /// Subscriptions to the roster of one conference.
    ConferenceWatchers, conference_watchers_max: usize = 2000;
    /// Members up to which every change of the roster is told: the product's figure. Beyond it
    /// clients ask when they want to know.
    ConferenceRoster, conference_roster_told_max: usize = 75;
    /// Octets of one message in a conference; beyond it 413.
    ConferenceMessageBytes, conference_message_bytes_max: usize = 64 * 1024;
    /// Messages a member may send at once in a conference; beyond it 503.
    ConferenceBurst, conference_burst_max: u32 = 100;
    /// Messages a member may send per second for long.
    ConferenceRate, conference_messages_per_second_max: u32 = 20;
    /// What was said of late that who joins is told, and 0 for nothing: the product keeps 50.
    ConferenceRecent, conference_recent_messages_max: usize = 50;
    /// Octets of it in all: some hundreds of ordinary messages.
    ConferenceRecentBytes, conference_recent_bytes_max: usize = 256 * 1024;
    /// How late that is.
    ConferenceRecentTime, conference_recent_time: Duration = Duration::from_secs(40);
    /// Messages of one conference whose author can still be told that they did not reach a member.
    ConferenceReports, conference_reports_max: usize = 1024;
    /// Messages that a member has not answered; beyond it his leg is let go.
    ConferenceUnanswered, conference_unanswered_max: usize = 256;
    /// Life of a conference that nobody joins.
    ConferenceUnjoinedTime, conference_unjoined_time_max: Duration = Duration::from_secs(600);
    /// A conference that its organiser makes for longer than this is a scheduled one: it survives its
    /// last member and a restart.
    ConferenceAdHocTime, conference_ad_hoc_time_max: Duration = Duration::from_secs(24 * 3600);
    /// Conferences in one list for operators, those with the most members; 300 octets each.
    ConferencesListed, conferences_listed_max: usize = 1000;
    /// Legs of one connection in conferences.
    LegsPerConnection, legs_per_connection_max: usize = 64;
    /// Legs of one shard in conferences.
    Legs, legs_per_shard_max: usize = 500_000;

    /// Rows in one group commit of the store.
    CommitRows, commit_rows_max: usize = 512;
    /// Longest a row waits for its group commit.
    CommitTime, commit_time_max: Duration = Duration::from_millis(5);
    /// Requests for the store that are not records: reads and changes of the directory.
    StoreRequests, store_requests_max: usize = 1024;
    /// Writes of contacts, presence and conferences that wait for the store, of all shards together;
    /// beyond it 503.
    StoreWrites, store_writes_max: usize = 16_384;
    /// Writes of contacts, presence and conferences of one shard that the store has not answered;
    /// beyond it 503.
    WritesInFlight, writes_in_flight_per_shard_max: usize = 4096;
    /// Wait for another process that writes the database, such as `mynah user add`.
    StoreBusyTime, store_busy_timeout: Duration = Duration::from_secs(5);
    /// Between two tries to write rows that the disk refused.
    StoreRetryTime, store_retry_time: Duration = Duration::from_secs(1);
    /// Call detail records in one answer of the running server; the command line reads the
    /// database itself and has no bound.
    CdrQueryRows, cdr_query_rows_max: usize = 10_000;
    /// Connections of the API.
    ApiConnections, api_connections_max: usize = 256;
    /// Time in which nothing is written on a connection of the API: who asks too slowly, or does not
    /// read, gives his place back. Event streams say something more often.
    ApiSilenceTime, api_silence_timeout: Duration = Duration::from_secs(60);
    /// Octets of the body of one request to the API.
    ApiBodyBytes, api_body_bytes_max: usize = 64 * 1024;
    /// Octets of a picture that is uploaded.
    PhotoBytes, photo_bytes_max: usize = 4 * 1024 * 1024;
    /// Pixels of a picture that is uploaded, known before it is unpacked: each takes up to 8 octets
    /// until it is scaled down, and one picture is unpacked at a time.
    PhotoPixels, photo_pixels_max: usize = 16_000_000;
    /// Users in one question to the API, or in one event stream.
    ApiUsers, api_users_max: usize = 200;
    /// Event streams of the API.
    ApiStreams, api_streams_max: usize = 128;
    /// Events that wait on one stream; beyond it the stream ends, and whoever begins another gets
    /// the whole.
    ApiEvents, api_events_waiting_max: usize = 256;
    /// Between two signs of life on an event stream; half of `api_silence_timeout` if that is less.
    ApiHeartbeatTime, api_heartbeat_time: Duration = Duration::from_secs(15);
    /// Connections of the admin listener.
    AdminConnections, admin_connections_max: usize = 64;
    /// Life of a connection of the admin listener, whole: an idle or slow one gives its place
    /// back. A scraper connects again.
    AdminConnectionTime, admin_connection_time_max: Duration = Duration::from_secs(60);
    /// Collecting the counters of all cores for one answer; a core that is stuck is left out.
    AdminAnswerTime, admin_answer_timeout: Duration = Duration::from_secs(2);
}

/// A bound as a value, whatever its type in [`Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// A number of things or of octets.
    Count(u64),
    /// A length of time.
    Time(Duration),
}

/// The types a bound may have.
trait Bound {
    fn amount(self) -> Amount;
    fn set(&mut self, amount: Amount) -> bool;
}

impl Bound for Duration {
    fn amount(self) -> Amount {
        Amount::Time(self)
    }

    fn set(&mut self, amount: Amount) -> bool {
        let Amount::Time(time) = amount else { return false };
        *self = time;
        true
    }
}

/// Implements [`Bound`] for an integer type.
macro_rules! count_bound {
    ($($type:ty)*) => {$(
        impl Bound for $type {
            fn amount(self) -> Amount {
                Amount::Count(self as u64)
            }

            fn set(&mut self, amount: Amount) -> bool {
                let Amount::Count(count) = amount else { return false };
                let Ok(count) = count.try_into() else { return false };
                *self = count;
                true
            }
        }
    )*};
}

count_bound! { u32 usize }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_the_head_index_hold_the_longest_head() {
        assert!(Limits::default().sip_head_bytes_max <= usize::from(u16::MAX));
    }

    #[test]
    fn names_are_the_field_names() {
        assert_eq!(Limit::SipHeadBytes.name(), "sip_head_bytes_max");
        assert_eq!(Limit::ALL.len(), Limit::AdminAnswerTime as usize + 1);
        for limit in Limit::ALL {
            assert_eq!(Limit::from_name(limit.name()), Some(*limit));
        }
        assert_eq!(Limit::from_name("nonsense_max"), None);
    }

    #[test]
    fn every_limit_can_be_set_to_an_amount_of_its_own_kind_only() {
        for limit in Limit::ALL {
            let mut limits = Limits::default();
            let (right, wrong) = match limits.value(*limit) {
                Amount::Count(_) => (Amount::Count(7), Amount::Time(Duration::from_secs(7))),
                Amount::Time(_) => (Amount::Time(Duration::from_secs(7)), Amount::Count(7)),
            };
            let before = limits.clone();
            assert!(!limits.set(*limit, wrong));
            assert_eq!(limits, before);
            assert!(limits.set(*limit, right));
            assert_eq!(limits.value(*limit), right);
        }
    }

    #[test]
    fn a_count_too_large_for_its_type_is_refused() {
        let mut limits = Limits::default();
        assert!(!limits.set(Limit::AuthFailuresPerUser, Amount::Count(1 << 32)));
        assert_eq!(limits, Limits::default());
    }
}
