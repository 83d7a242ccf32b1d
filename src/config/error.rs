//! What is wrong in `mynah.toml`, where, and what to write instead.

use std::ops::Range;

/// A fault of the file. Displays as one line, `line:column: problem`, so that a file name and a
/// colon in front make it a place editors can jump to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {problem}")]
pub struct Error {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not TOML, an unknown key, or a value of the wrong type or form; in the reader's own words.
    #[error("{0}")]
    Form(String),
    /// `server.domains` is empty.
    #[error("name at least one domain, as in domains = [\"example.test\"]")]
    NoDomain,
    /// The same element twice in a list.
    #[error("{0:?} stands here twice: remove one")]
    Twice(String),
    /// Neither `listen.tls` nor `listen.tcp` is an address.
    #[error("nothing listens for SIP: give tls or tcp an address such as \"0.0.0.0:5061\"")]
    NoListener,
    /// TLS listens and `tls.certificates` is empty.
    #[error(
        "TLS needs a certificate: add {{ chain = \"chain.pem\", key = \"key.pem\" }}, or set \
         tls = \"none\" under [listen]"
    )]
    NoCertificate,
    /// The API listens elsewhere than on loopback and `tls.certificates` is empty.
    #[error(
        "the API speaks TLS but on loopback, and TLS needs a certificate: add one to \
         tls.certificates, or listen on 127.0.0.1"
    )]
    NoApiCertificate,
    /// `auth.lync` and `auth.standard` are both empty.
    #[error(
        "nobody can sign in: name a method, as in lync = [\"ntlm\"] or standard = [\"digest\"]"
    )]
    NoAuth,
    /// `auth.digest` is empty.
    #[error("name at least one algorithm, as in digest = [\"SHA-256\", \"MD5\"]")]
    NoDigest,
    /// A key under `[limits]` that names no limit.
    #[error("no limit is called `{name}`; did you mean `{nearest}`?")]
    UnknownLimit {
        /// As written.
        name: String,
        /// The limit with the most similar name.
        nearest: &'static str,
    },
    /// `listen.links` without `links.names`.
    #[error("nobody may open a link: name a server, as in [links] names = [\"edge.example.test\"]")]
    NoLinkName,
    /// `directory.ldap.urls` without `directory.ldap.base`.
    #[error("say below which entry the users are, as in base = \"ou=people,dc=example,dc=test\"")]
    NoLdapBase,
    /// A group leads to a policy that is not there.
    #[error("no policy is called `{0}`: add [policy.{0}], or name one that is there")]
    UnknownPolicy(String),
    /// A limit of time given as a number.
    #[error(
        "`{0}` is a time: write a number with a unit, as in \"5ms\", \"10s\", \"15m\" or \"2h\""
    )]
    LimitIsTime(&'static str),
    /// A limit of octets given as something else.
    #[error("`{0}` counts octets: write a whole number, or text such as \"16KiB\" or \"1MiB\"")]
    LimitIsBytes(&'static str),
    /// A limit of things given as something else.
    #[error("`{0}` is a count: write a whole number without a unit")]
    LimitIsCount(&'static str),
    /// A limit outside what the server can work with.
    #[error("`{name}` must be from {least} to {most}")]
    LimitRange {
        /// The limit.
        name: &'static str,
        /// Smallest value, as the file writes it.
        least: String,
        /// Largest value, as the file writes it.
        most: String,
    },
    /// A bound of a policy beyond that of the server.
    #[error("must be from 1 to {most}, which is `{limit}`")]
    PolicyBound {
        /// Largest value.
        most: usize,
        /// The limit of the server.
        limit: &'static str,
    },
    /// More custom states than clients show.
    #[error("a policy has at most 4 custom states: remove some")]
    TooManyCustomStates,
    /// A custom state without a name.
    #[error("name the state in some language, as in text = {{ 1033 = \"In the lab\" }}")]
    NoCustomStateText,
    /// `im_filter.action` warns and there is no `warn_message`.
    #[error("a warning needs a text: write one, as in warn_message = \"Be careful with links.\"")]
    NoWarning,
    /// `im_filter.prefixes` is empty.
    #[error("name at least one prefix, as in prefixes = [\"https:\"], or leave the key out")]
    NoPrefix,
    /// A list that is longer than what is held against each message may be.
    #[error("at most {most} may stand here: remove some")]
    ListTooLong {
        /// Longest list.
        most: usize,
    },
    /// Two limits that contradict each other.
    #[error(
        "`{low}` ({low_value}) {rule} `{high}` ({high_value}): raise `{high}` or lower `{low}`"
    )]
    LimitOrder {
        /// What holds between them, in words.
        rule: &'static str,
        /// Must be the smaller one.
        low: &'static str,
        /// Its value, as the file writes it.
        low_value: String,
        /// Must be the larger one.
        high: &'static str,
        /// Its value, as the file writes it.
        high_value: String,
    },
}

impl Error {
    /// `problem` at the start of `span`, octets of `text`.
    pub(super) fn at(text: &str, span: Range<usize>, problem: Problem) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Error { line, column, problem }
    }

    /// The reader's own error, put on one line and free of control characters.
    pub(super) fn from_toml(text: &str, error: &toml::de::Error) -> Self {
        let mut message = String::with_capacity(error.message().len());
        for c in error.message().chars() {
            match c {
                '\n' => message.push_str(": "),
                c if c.is_control() => message.extend(c.escape_default()),
                c => message.push(c),
            }
        }
        Error::at(text, error.span().unwrap_or(0..0), Problem::Form(message))
    }
}
