//! One shard's counters: arrays of plain integers, indexed by closed enums.

use super::histogram::Histogram;
use super::names::Series;
use super::summary::Summary;
use crate::base::limits::Limit;

/// Declares a closed label set.
macro_rules! label_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All values, in declaration order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];
            /// Number of values.
            pub const COUNT: usize = $name::ALL.len();

            /// The label value.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
    };
}

label_set! {
    /// Why a connection was closed.
    CloseReason {
        /// The peer closed it in order.
        Peer = "peer",
        /// The peer reset it, or the socket failed.
        Reset = "reset",
        /// TLS failed.
        Tls = "tls",
        /// The octets were not SIP, or broke the framing.
        Framing = "framing",
        /// No complete handshake in time.
        HandshakeTimeout = "handshake_timeout",
        /// No first message in time.
        FirstMessageTimeout = "first_message_timeout",
        /// A message was begun and not finished in time.
        MessageTimeout = "message_timeout",
        /// Not signed in in time.
        AuthenticateTimeout = "authenticate_timeout",
        /// Silent for too long.
        IdleTimeout = "idle_timeout",
        /// The peer did not read what we sent.
        SlowReader = "slow_reader",
        /// Too many keep-alives.
        Flood = "flood",
        /// A bound on connections was reached.
        Refused = "refused",
        /// Its step panicked.
        Panic = "panic",
        /// Refused by authentication policy.
        Policy = "policy",
        /// A message without the signature it must have, or with one that does not hold.
        Signature = "signature",
        /// A link whose certificate names no server that may open one.
        ForeignPeer = "foreign_peer",
        /// The server is going down.
        Drain = "drain",
    }
}

label_set! {
    /// Why a sign-in was refused.
    AuthFailure {
        /// No such user.
        UnknownUser = "unknown_user",
        /// Wrong password.
        WrongPassword = "wrong_password",
        /// The account is disabled.
        Disabled = "disabled",
        /// The user is locked out.
        UserLocked = "user_locked",
        /// The address is locked out.
        AddressLocked = "address_locked",
        /// The password was right and the signature that belongs to it was not.
        BadSignature = "bad_signature",
        /// The nonce is not ours, or was made for another connection.
        ForeignNonce = "foreign_nonce",
        /// Our nonce, too old: answered with `stale=true`.
        StaleNonce = "stale_nonce",
        /// The nonce count went back.
        Replay = "replay",
        /// The credentials could not be read or lack what their qop needs.
        Malformed = "malformed",
        /// The credentials are of one user, the request of another.
        IdentityMismatch = "identity_mismatch",
    }
}

label_set! {
    /// Kinds of frames, for those that are dropped.
    FrameKind {
        /// Octets for a connection.
        Deliver = "deliver",
        /// An INVITE for a connection.
        Invite = "invite",
        /// Word that a connection is gone.
        Undeliverable = "undeliverable",
        /// A connection is no leg any more.
        Leave = "leave",
        /// A leg's connection is gone.
        LegLost = "leg_lost",
        /// A request in a dialog.
        InDialog = "in_dialog",
        /// An answer.
        Reply = "reply",
        /// A sign-in.
        SignIn = "sign_in",
        /// Its outcome.
        SignedIn = "signed_in",
        /// A signed-in connection is gone.
        SignedOff = "signed_off",
        /// A user may not be signed in any more.
        Revoke = "revoke",
        /// A question where a user is.
        Locate = "locate",
        /// Its answer.
        Located = "located",
        /// A message outside any session.
        Pager = "pager",
        /// A message for a bridged session.
        Bridge = "bridge",
        /// A message whose bridge is gone.
        BridgeGone = "bridge_gone",
        /// A bridge opened or closed.
        BridgeState = "bridge_state",
        /// A message to be accounted for.
        Talk = "talk",
        /// A failed sign-in from an address.
        AddressFailed = "address_failed",
        /// An address is locked out.
        AddressLocked = "address_locked",
        /// A wish to see users.
        Watch = "watch",
        /// What is seen at first.
        Watched = "watched",
        /// A watcher looks away.
        Unwatch = "unwatch",
        /// A user who is watched has changed.
        Notice = "notice",
        /// A subscription to something of one's own.
        Subscribe = "subscribe",
        /// Its answer.
        Subscribed = "subscribed",
        /// Its end.
        Unsubscribe = "unsubscribe",
        /// Something of the subscriber's own has changed.
        OwnNotice = "own_notice",
        /// What a user says about himself.
        Service = "service",
        /// A search of the directory.
        Search = "search",
        /// Its answer.
        Found = "found",
        /// Somebody joins a conference.
        Join = "join",
        /// What came of an invitation to one that the server took for a user.
        Summoned = "summoned",
        /// A conference is to be made.
        Convene = "convene",
        /// A word for a conference.
        ToConference = "to_conference",
        /// A member says something.
        Say = "say",
        /// What was said, to the members of a core.
        Carry = "carry",
        /// Somebody types.
        Typing = "typing",
        /// A word for a leg.
        ToLeg = "to_leg",
        /// A changed roster.
        Roster = "roster",
    }
}

label_set! {
    /// Cipher suites of TLS, by the names of IANA. Each is of one version.
    TlsCipher {
        /// TLS 1.3.
        Aes128Gcm = "TLS_AES_128_GCM_SHA256",
        /// TLS 1.3.
        Aes256Gcm = "TLS_AES_256_GCM_SHA384",
        /// TLS 1.3.
        ChaCha20 = "TLS_CHACHA20_POLY1305_SHA256",
        /// TLS 1.2.
        EcdsaAes128Gcm = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        /// TLS 1.2.
        EcdsaAes256Gcm = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        /// TLS 1.2.
        EcdsaChaCha20 = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        /// TLS 1.2.
        RsaAes128Gcm = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        /// TLS 1.2.
        RsaAes256Gcm = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        /// TLS 1.2.
        RsaChaCha20 = "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        /// Any that is added to TLS later.
        Other = "other",
    }
}

impl TlsCipher {
    /// The version it is of.
    pub const fn version(self) -> &'static str {
        match self {
            TlsCipher::Aes128Gcm | TlsCipher::Aes256Gcm | TlsCipher::ChaCha20 => "1.3",
            TlsCipher::Other => "other",
            _ => "1.2",
        }
    }
}

/// Methods counted by name; everything else is `other`.
pub const METHODS: usize = 16;
/// Classes of statuses: 1xx to 6xx.
pub const CLASSES: usize = 6;
/// Statuses counted: 100 to 699.
pub const STATUSES: usize = 600;

/// The counters of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    series: [u64; Series::COUNT],
    limits: [u64; Limit::ALL.len()],
    closes: [u64; CloseReason::COUNT],
    auth_failures: [u64; AuthFailure::COUNT],
    frames_dropped: [u64; FrameKind::COUNT],
    /// Requests received, indexed by `wire::sip::method::Method as usize`.
    pub requests: [u64; METHODS],
    statuses: Vec<u64>,
    /// Time spent on messages that came in, and their number.
    pub processing: Summary,
    /// For how long messages that came in were held.
    pub holding: Histogram,
    answers: [[u64; CLASSES]; METHODS],
    ciphers: [u64; TlsCipher::COUNT],
}

impl Default for Counters {
    fn default() -> Self {
        Counters {
            series: [0; Series::COUNT],
            limits: [0; Limit::ALL.len()],
            closes: [0; CloseReason::COUNT],
            auth_failures: [0; AuthFailure::COUNT],
            frames_dropped: [0; FrameKind::COUNT],
            requests: [0; METHODS],
            statuses: vec![0; STATUSES],
            processing: Summary::default(),
            holding: Histogram::default(),
            answers: [[0; CLASSES]; METHODS],
            ciphers: [0; TlsCipher::COUNT],
        }
    }
}

impl Counters {
    /// Adds one.
    pub fn count(&mut self, series: Series) {
        self.add(series, 1);
    }

    /// Adds `by`.
    pub fn add(&mut self, series: Series, by: u64) {
        self.series[series as usize] = self.series[series as usize].wrapping_add(by);
    }

    /// Sets a gauge.
    pub fn set(&mut self, series: Series, value: u64) {
        self.series[series as usize] = value;
    }

    /// The value of a series.
    pub fn value(&self, series: Series) -> u64 {
        self.series[series as usize]
    }

    /// Counts a bound that was hit.
    pub fn hit(&mut self, limit: Limit) {
        self.limits[limit as usize] += 1;
    }

    /// Times `limit` was hit.
    pub fn hits(&self, limit: Limit) -> u64 {
        self.limits[limit as usize]
    }

    /// Counts a closed connection.
    pub fn close(&mut self, reason: CloseReason) {
        self.closes[reason as usize] += 1;
    }

    /// Connections closed for `reason`.
    pub fn closes(&self, reason: CloseReason) -> u64 {
        self.closes[reason as usize]
    }

    /// Counts a refused sign-in.
    pub fn auth_failure(&mut self, cause: AuthFailure) {
        self.auth_failures[cause as usize] += 1;
    }

    /// Sign-ins refused for `cause`.
    pub fn auth_failures(&self, cause: AuthFailure) -> u64 {
        self.auth_failures[cause as usize]
    }

    /// Counts a frame that was dropped.
    pub fn frame_dropped(&mut self, kind: FrameKind) {
        self.frames_dropped[kind as usize] += 1;
    }

    /// Frames of `kind` that were dropped.
    pub fn frames_dropped(&self, kind: FrameKind) -> u64 {
        self.frames_dropped[kind as usize]
    }

    /// Counts a response of our own to a request of `method`, which is
    /// `wire::sip::method::Method as usize`.
    pub fn answered(&mut self, method: usize, status: u16) {
        if let Some(count) = self.statuses.get_mut(usize::from(status).wrapping_sub(100)) {
            *count += 1;
        }
        let class = usize::from(status / 100).wrapping_sub(1);
        let of_method = self.answers.get_mut(method);
        if let Some(count) = of_method.and_then(|classes| classes.get_mut(class)) {
            *count += 1;
        }
    }

    /// Responses of our own to requests of `method` in the class `100 * (class + 1)`.
    pub fn answers(&self, method: usize, class: usize) -> u64 {
        let of_method = self.answers.get(method);
        of_method.and_then(|classes| classes.get(class)).copied().unwrap_or(0)
    }

    /// Counts a completed handshake.
    pub fn handshake(&mut self, cipher: TlsCipher) {
        self.ciphers[cipher as usize] += 1;
    }

    /// Handshakes that ended with `cipher`.
    pub fn handshakes(&self, cipher: TlsCipher) -> u64 {
        self.ciphers[cipher as usize]
    }

    /// Responses of our own with `status`.
    pub fn responses(&self, status: u16) -> u64 {
        self.statuses.get(usize::from(status).wrapping_sub(100)).copied().unwrap_or(0)
    }

    /// Adds another shard's counters to these.
    pub fn merge(&mut self, other: &Counters) {
        fn sum(into: &mut [u64], from: &[u64]) {
            for (into, from) in into.iter_mut().zip(from) {
                *into = into.wrapping_add(*from);
            }
        }
        sum(&mut self.series, &other.series);
        sum(&mut self.limits, &other.limits);
        sum(&mut self.closes, &other.closes);
        sum(&mut self.auth_failures, &other.auth_failures);
        sum(&mut self.frames_dropped, &other.frames_dropped);
        sum(&mut self.requests, &other.requests);
        sum(&mut self.statuses, &other.statuses);
        self.processing.merge(&other.processing);
        self.holding.merge(&other.holding);
        sum(self.answers.as_flattened_mut(), other.answers.as_flattened());
        sum(&mut self.ciphers, &other.ciphers);
    }
}
