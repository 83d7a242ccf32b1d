//! The counters of the directory service: one a process, so apart from those of the shards.

/// How the users of a directory service are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LdapCounters {
    /// Times all users were looked at to the end.
    pub looks: u64,
    /// Times that was not possible, by cause.
    pub failures: [u64; LdapAlarm::ALL.len()],
    /// When all users were looked at last, in milliseconds since the Unix epoch; also before this
    /// process.
    pub looked_unix_ms: u64,
    /// Users made, changed or disabled.
    pub changes: u64,
    /// Users of the last look.
    pub users: u64,
    /// Entries of the last look that are no users.
    pub unfit: u64,
    /// Times an answer had more entries than `ldap_entries_max`.
    pub entries_limit_hits: u64,
    /// Set while the users are as they were at an earlier look.
    pub alarm: Option<LdapAlarm>,
}

/// Why the users are not as the directory service has them now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LdapAlarm {
    /// It does not take the name and the password.
    Bind,
    /// More users are gone than may be disabled at once.
    Missing,
    /// What it says cannot be understood, or it fails.
    Protocol,
    /// It does not answer the question for the users.
    Search,
    /// A file that is needed cannot be read.
    Setup,
    /// The store does not take the changes.
    Store,
    /// It accepts connections and says nothing.
    Timeout,
    /// No connection is protected as it must be.
    Tls,
    /// It has more entries than may be.
    TooMany,
    /// No connection can be made.
    Unreachable,
}

impl LdapAlarm {
    /// All values, in declaration order; `LdapAlarm as usize` indexes it.
    pub const ALL: [LdapAlarm; 10] = [
        LdapAlarm::Bind,
        LdapAlarm::Missing,
        LdapAlarm::Protocol,
        LdapAlarm::Search,
        LdapAlarm::Setup,
        LdapAlarm::Store,
        LdapAlarm::Timeout,
        LdapAlarm::Tls,
        LdapAlarm::TooMany,
        LdapAlarm::Unreachable,
    ];

    /// The label value.
    pub const fn name(self) -> &'static str {
        match self {
            LdapAlarm::Bind => "bind",
            LdapAlarm::Missing => "missing",
            LdapAlarm::Protocol => "protocol",
            LdapAlarm::Search => "search",
            LdapAlarm::Setup => "setup",
            LdapAlarm::Store => "store",
            LdapAlarm::Timeout => "timeout",
            LdapAlarm::Tls => "tls",
            LdapAlarm::TooMany => "too_many",
            LdapAlarm::Unreachable => "unreachable",
        }
    }

    /// What it means and what to do, for an operator.
    pub const fn advice(self) -> &'static str {
        match self {
            LdapAlarm::Bind => {
                "the directory service refuses bind_dn or its password: users stay as they were; \
                 see to [directory.ldap]"
            }
            LdapAlarm::Missing => {
                "many users are gone from the directory service and were not disabled: look with \
                 `mynah directory sync --dry-run`"
            }
            LdapAlarm::Protocol => {
                "the directory service fails: users stay as they were; look into its log"
            }
            LdapAlarm::Search => {
                "the directory service does not give the users: they stay as they were; see to \
                 base and filter of [directory.ldap]"
            }
            LdapAlarm::Setup => {
                "ca or password_file of [directory.ldap] cannot be read: users stay as they were"
            }
            LdapAlarm::Store => {
                "the store does not take changes from the directory service: they are tried again"
            }
            LdapAlarm::Timeout => {
                "the directory service does not answer in time: users stay as they were"
            }
            LdapAlarm::Tls => {
                "the directory service cannot be trusted: users stay as they were; see to ca and \
                 tls of [directory.ldap]"
            }
            LdapAlarm::TooMany => {
                "the directory service has more users than ldap_entries_max: they stay as they were"
            }
            LdapAlarm::Unreachable => {
                "the directory service cannot be reached: users stay as they were"
            }
        }
    }
}
