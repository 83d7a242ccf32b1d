//! `[policy.NAME.im_filter]`, `[policy.NAME.file_filter]` and `[policy.NAME.client_filter]`: what is
//! done with links, files and clients of the users under a policy.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use toml::Spanned;

use super::error::Problem;
use super::limits::Located;
use super::parse::once;
use super::schema::text;
use crate::base::plain_text::is_plain_text;

/// Longest text put before a message, in characters: that of the product.
pub const NOTICE_TEXT_MAX: usize = 65_535;
/// Longest text about a client, in characters: it stands in a header.
pub const CLIENT_TEXT_MAX: usize = 256;
/// Longest prefix of a link, in octets.
pub const PREFIX_LEN_MAX: usize = 32;
/// Longest file extension, in octets.
pub const EXTENSION_LEN_MAX: usize = 16;
/// Longest name of a client, in octets.
pub const USER_AGENT_LEN_MAX: usize = 64;
/// Numbers in a version.
pub const VERSION_NUMBERS: usize = 4;
/// Most prefixes and most rules of a policy: each one is held against every candidate.
const LIST_LEN_MAX: usize = 64;

/// How links begin, as the product has it.
pub const PREFIXES: [&str; 17] = [
    "callto:", "file:", "ftp.", "ftp:", "gopher:", "href", "http:", "https:", "ldap:", "mailto:",
    "news:", "nntp:", "sip:", "sips:", "tel:", "telnet:", "www*.",
];
/// Extensions of files that a system may run, as the product has them.
pub const EXTENSIONS: [&str; 76] = [
    "ade", "adp", "app", "asp", "bas", "bat", "cer", "chm", "cmd", "com", "cpl", "crt", "csh",
    "exe", "fxp", "grp", "hlp", "hta", "inf", "ins", "isp", "its", "js", "jse", "ksh", "lnk",
    "mad", "maf", "mag", "mam", "maq", "mar", "mas", "mat", "mau", "mav", "maw", "mda", "mdb",
    "mde", "mdt", "mdw", "mdz", "msc", "msi", "msp", "mst", "ocx", "ops", "pcd", "pif", "pl",
    "pnp", "prf", "prg", "pst", "reg", "scf", "scr", "sct", "shb", "shs", "tmp", "url", "vb",
    "vbe", "vbs", "vsd", "vsmacros", "vss", "vst", "vsw", "ws", "wsc", "wsf", "wsh",
];

/// What is done with links in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImFilter {
    /// What becomes of a message with links.
    pub action: LinkAction,
    /// What stands before a message whose links were made inactive; may be empty.
    pub allow_message: String,
    /// What stands before a message with links that is let through with a warning.
    pub warn_message: String,
    /// How links begin, in lower case. The last octet is `:` or `.`, or the prefix is the name of
    /// an attribute; `*` before the dot stands for any letters, digits and hyphens.
    pub prefixes: Vec<String>,
    /// Links to hosts whose name has no dot are not looked at.
    pub ignore_local: bool,
}

/// What becomes of a message with links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkAction {
    /// Its links become text: each gets an underscore in front.
    Allow,
    /// Its sender is told that it was not delivered.
    Block,
    /// Links are not looked for.
    Off,
    /// A warning stands before it.
    Warn,
}

/// What is done with files, offered in a message or linked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFilter {
    /// Which of them block a message.
    pub action: FileAction,
    /// The extensions that are meant, in lower case, without the dot.
    pub extensions: Vec<String>,
}

/// Which files block a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileAction {
    /// Every offer of a file, and links to those with a listed extension.
    All,
    /// Those with a listed extension.
    Listed,
    /// None.
    Off,
}

/// Which clients may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFilter {
    /// What becomes of clients that no rule means.
    pub default: ClientAction,
    /// What they are told; may be empty.
    pub default_text: String,
    /// The first one that means a client decides.
    pub rules: Vec<ClientRule>,
}

/// Whether a client may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientAction {
    /// It may.
    Allow,
    /// It may not.
    Block,
}

/// What becomes of the clients of some name and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRule {
    /// A name in User-Agent, whatever the case; `*` at its end stands for anything.
    pub user_agent: String,
    /// How its version compares with `version`.
    pub operator: Operator,
    /// Major, minor, build and update; `None` is not compared.
    pub version: Version,
    /// What becomes of it.
    pub action: ClientAction,
    /// What it is told, such as where to get another one; may be empty.
    pub text: String,
}

/// The numbers of a version pattern; `None` is a wildcard.
pub type Version = [Option<u32>; VERSION_NUMBERS];

/// How the version of a client compares with that of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=`
    Equal,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `!=`
    NotEqual,
}

impl Default for ImFilter {
    fn default() -> Self {
        ImFilter {
            action: LinkAction::Off,
            allow_message: String::new(),
            warn_message: String::new(),
            prefixes: PREFIXES.map(str::to_owned).to_vec(),
            ignore_local: true,
        }
    }
}

impl Default for FileFilter {
    fn default() -> Self {
        let extensions = EXTENSIONS.map(str::to_owned).to_vec();
        FileFilter { action: FileAction::Off, extensions }
    }
}

impl Default for ClientFilter {
    fn default() -> Self {
        let default_text = String::new();
        ClientFilter { default: ClientAction::Allow, default_text, rules: Vec::new() }
    }
}

/// What a policy says of links.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WrittenImFilter {
    action: Option<Spanned<WrittenLinkAction>>,
    allow_message: Option<NoticeText>,
    warn_message: Option<NoticeText>,
    prefixes: Option<Spanned<Vec<Spanned<Prefix>>>>,
    ignore_local: Option<bool>,
}

/// What a policy says of files.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WrittenFileFilter {
    action: Option<WrittenFileAction>,
    extensions: Option<Vec<Spanned<Extension>>>,
}

/// What a policy says of clients.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WrittenClientFilter {
    default: Option<WrittenClientAction>,
    default_text: Option<ClientText>,
    rules: Option<Spanned<Vec<WrittenClientRule>>>,
}

/// An element of `client_filter.rules`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenClientRule {
    user_agent: UserAgent,
    operator: WrittenOperator,
    version: WrittenVersion,
    action: WrittenClientAction,
    #[serde(default)]
    text: ClientText,
}

/// What becomes of links.
#[derive(Clone, Copy, Debug)]
struct WrittenLinkAction(LinkAction);
text!(WrittenLinkAction, "\"off\", \"allow\", \"warn\" or \"block\"", |text| {
    let action = match text {
        "allow" => LinkAction::Allow,
        "block" => LinkAction::Block,
        "off" => LinkAction::Off,
        "warn" => LinkAction::Warn,
        _ => return None,
    };
    Some(WrittenLinkAction(action))
});

/// Which files are meant.
#[derive(Clone, Copy, Debug)]
struct WrittenFileAction(FileAction);
text!(WrittenFileAction, "\"off\", \"listed\" or \"all\"", |text| {
    let action = match text {
        "all" => FileAction::All,
        "listed" => FileAction::Listed,
        "off" => FileAction::Off,
        _ => return None,
    };
    Some(WrittenFileAction(action))
});

/// What becomes of a client.
#[derive(Clone, Copy, Debug)]
struct WrittenClientAction(ClientAction);
text!(WrittenClientAction, "\"allow\" or \"block\"", |text| match text {
    "allow" => Some(WrittenClientAction(ClientAction::Allow)),
    "block" => Some(WrittenClientAction(ClientAction::Block)),
    _ => None,
});

/// A comparison.
#[derive(Clone, Copy, Debug)]
struct WrittenOperator(Operator);
text!(WrittenOperator, "\"=\", \"!=\", \">\", \">=\", \"<\" or \"<=\"", |text| {
    let operator = match text {
        "=" => Operator::Equal,
        ">" => Operator::Greater,
        ">=" => Operator::GreaterOrEqual,
        "<" => Operator::Less,
        "<=" => Operator::LessOrEqual,
        "!=" => Operator::NotEqual,
        _ => return None,
    };
    Some(WrittenOperator(operator))
});

/// What is put before a message.
#[derive(Debug)]
struct NoticeText(String);
text!(
    NoticeText,
    "at most 65,535 characters without control characters but line breaks and tabs",
    |text| {
        let fits = text.chars().count() <= NOTICE_TEXT_MAX;
        let lines = text.split(['\n', '\r', '\t']).all(is_plain_text);
        (fits && lines).then(|| NoticeText(text.to_owned()))
    }
);

/// How links begin.
#[derive(Debug)]
struct Prefix(String);
text!(
    Prefix,
    "at most 32 letters, digits, + and -, the first a letter, with : or . at the end as in \
     \"https:\" or \"www*.\", or the name of an attribute such as \"href\"",
    |text| is_prefix(text).then(|| Prefix(text.to_ascii_lowercase()))
);

/// The end of a file's name.
#[derive(Debug)]
struct Extension(String);
text!(Extension, "1 to 16 letters and digits such as \"exe\"", |text| {
    let extension = text.strip_prefix('.').unwrap_or(text);
    let fits = (1..=EXTENSION_LEN_MAX).contains(&extension.len());
    let plain = extension.bytes().all(|b| b.is_ascii_alphanumeric());
    (fits && plain).then(|| Extension(extension.to_ascii_lowercase()))
});

/// What a client calls itself.
#[derive(Debug)]
struct UserAgent(String);
text!(
    UserAgent,
    "1 to 64 letters, digits, - and _, with or without * at the end, such as \"Sipe\" or \"*\"",
    |text| {
        let fits = (1..=USER_AGENT_LEN_MAX).contains(&text.len());
        let name = text.strip_suffix('*').unwrap_or(text);
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        (fits && plain).then(|| UserAgent(text.to_ascii_lowercase()))
    }
);

/// A version.
#[derive(Debug)]
struct WrittenVersion(Version);
text!(WrittenVersion, "1 to 4 numbers or * with dots between, such as \"1.25.*\"", |text| {
    let mut version = [None; VERSION_NUMBERS];
    let mut numbers = version.iter_mut();
    for number in text.split('.') {
        let place = numbers.next()?;
        if number != "*" {
            // Numbers alone: `parse` would take a sign.
            let digits = number.bytes().all(|b| b.is_ascii_digit());
            *place = Some(number.parse().ok().filter(|_| digits)?);
        }
    }
    Some(WrittenVersion(version))
});

/// What a client is told.
#[derive(Debug, Default)]
struct ClientText(String);
text!(
    ClientText,
    "at most 256 characters without control characters, double quotes and backslashes",
    |text| {
        let fits = text.chars().count() <= CLIENT_TEXT_MAX;
        let plain = is_plain_text(text) && !text.contains(['"', '\\']);
        (fits && plain).then(|| ClientText(text.to_owned()))
    }
);

/// Whether links can be looked for by this beginning: at its last octet, or at the equals sign
/// behind the name of an attribute.
fn is_prefix(text: &str) -> bool {
    let name = text.strip_suffix("*.").or(text.strip_suffix([':', '.'])).unwrap_or(text);
    text.len() <= PREFIX_LEN_MAX
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-".contains(&b))
}

/// What is written of links, the defaults for the rest.
pub(super) fn im_filter(written: WrittenImFilter) -> Result<ImFilter, Located> {
    let defaults = ImFilter::default();
    let place = written.action.as_ref().map_or(0..0, Spanned::span);
    let action = written.action.map_or(defaults.action, |action| action.into_inner().0);
    let warn_message = written.warn_message.map_or(defaults.warn_message, |text| text.0);
    if action == LinkAction::Warn && warn_message.is_empty() {
        return Err((place, Problem::NoWarning));
    }
    let prefixes = match written.prefixes {
        Some(prefixes) if prefixes.get_ref().is_empty() => {
            return Err((prefixes.span(), Problem::NoPrefix));
        }
        Some(prefixes) => {
            let prefixes = short(prefixes)?;
            once(prefixes, |prefix| prefix.0.clone())?.into_iter().map(|p| p.0).collect()
        }
        None => defaults.prefixes,
    };
    Ok(ImFilter {
        action,
        allow_message: written.allow_message.map_or(defaults.allow_message, |text| text.0),
        warn_message,
        prefixes,
        ignore_local: written.ignore_local.unwrap_or(defaults.ignore_local),
    })
}

/// What is written of files, the defaults for the rest.
pub(super) fn file_filter(written: WrittenFileFilter) -> Result<FileFilter, Located> {
    let defaults = FileFilter::default();
    let extensions = match written.extensions {
        Some(extensions) => once(extensions, |extension| extension.0.clone())?
            .into_iter()
            .map(|extension| extension.0)
            .collect(),
        None => defaults.extensions,
    };
    Ok(FileFilter { action: written.action.map_or(defaults.action, |action| action.0), extensions })
}

/// What is written of clients, the defaults for the rest.
pub(super) fn client_filter(written: WrittenClientFilter) -> Result<ClientFilter, Located> {
    let defaults = ClientFilter::default();
    let rule = |rule: WrittenClientRule| ClientRule {
        user_agent: rule.user_agent.0,
        operator: rule.operator.0,
        version: rule.version.0,
        action: rule.action.0,
        text: rule.text.0,
    };
    let rules = match written.rules {
        Some(rules) => short(rules)?.into_iter().map(rule).collect(),
        None => defaults.rules,
    };
    Ok(ClientFilter {
        default: written.default.map_or(defaults.default, |action| action.0),
        default_text: written.default_text.map_or(defaults.default_text, |text| text.0),
        rules,
    })
}

/// The elements of a list each of which is held against what users send.
fn short<T>(list: Spanned<Vec<T>>) -> Result<Vec<T>, Located> {
    match list.get_ref().len() <= LIST_LEN_MAX {
        true => Ok(list.into_inner()),
        false => Err((list.span(), Problem::ListTooLong { most: LIST_LEN_MAX })),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Policy, parse};
    use super::*;

    fn policy(lines: &str) -> Policy {
        parse(lines).unwrap_or_else(|error| panic!("{error}: {lines}")).policies.of("a").clone()
    }

    fn error(lines: &str) -> String {
        parse(lines).expect_err(lines).to_string()
    }

    #[test]
    fn a_policy_says_what_is_done_with_links_files_and_clients() {
        let policy = policy(
            r#"
            [policy.a.im_filter]
            action = "warn"
            allow_message = "inactive"
            warn_message = """Do not
trust links."""
            prefixes = ["HTTP:", "www*.", "src"]
            ignore_local = false
            [policy.a.file_filter]
            action = "listed"
            extensions = [".EXE", "js"]
            [policy.a.client_filter]
            default = "block"
            default_text = "See https://example.test/clients"
            [[policy.a.client_filter.rules]]
            user_agent = "Sipe"
            operator = ">="
            version = "1.25.*"
            action = "allow"
            [[policy.a.client_filter.rules]]
            user_agent = "*"
            operator = "!="
            version = "4.0.7577.0"
            action = "block"
            text = "too old"
            "#,
        );
        let links = &policy.im_filter;
        assert_eq!((links.action, links.ignore_local), (LinkAction::Warn, false));
        assert_eq!(links.warn_message, "Do not\ntrust links.");
        assert_eq!(links.prefixes, ["http:", "www*.", "src"]);
        assert_eq!(policy.file_filter.action, FileAction::Listed);
        assert_eq!(policy.file_filter.extensions, ["exe", "js"]);
        let clients = &policy.client_filter;
        assert_eq!(clients.default, ClientAction::Block);
        assert_eq!(clients.rules[0].version, [Some(1), Some(25), None, None]);
        assert_eq!(clients.rules[0].text, "");
        let second = &clients.rules[1];
        assert_eq!(second.version, [Some(4), Some(0), Some(7577), Some(0)]);
        assert_eq!((second.operator, second.action), (Operator::NotEqual, ClientAction::Block));
    }

    #[test]
    fn nothing_is_filtered_unless_it_is_asked_for() {
        let policy = policy("[policy.a]\n");
        assert_eq!(policy.im_filter, ImFilter::default());
        assert_eq!(policy.im_filter.action, LinkAction::Off);
        assert_eq!(policy.file_filter.action, FileAction::Off);
        assert_eq!(policy.client_filter.default, ClientAction::Allow);
        assert!(PREFIXES.iter().all(|prefix| is_prefix(prefix)));
    }

    #[test]
    fn faults_name_the_place_and_what_is_expected() {
        let links = |line: &str| error(&format!("[policy.a.im_filter]\n{line}\n"));
        assert!(links("action = \"warn\"").starts_with("2:10: a warning needs a text"));
        assert!(links("prefixes = []").starts_with("2:12: "));
        assert!(links("prefixes = [\"a:\", \"A:\"]").starts_with("2:19: \"a:\" stands here twice"));
        for bad in ["", ":", "a b:", "1a:", "*.", "www*", "a::", "\u{e4}:", &"x".repeat(33)] {
            assert!(links(&format!("prefixes = [\"{bad}\"]")).starts_with("2:13: "), "{bad}");
        }
        assert!(links("action = \"on\"").contains("expected \"off\", \"allow\""));
        assert!(links("warn_message = \"\\u0000\"").starts_with("2:16: "));
        let many: Vec<String> = (0..65).map(|number| format!("\"a{number}:\"")).collect();
        let many = links(&format!("prefixes = [{}]", many.join(",")));
        assert_eq!(many, "2:12: at most 64 may stand here: remove some");

        let files = |line: &str| error(&format!("[policy.a.file_filter]\n{line}\n"));
        for bad in ["", ".", "a.b", "tar gz", &"x".repeat(17)] {
            assert!(files(&format!("extensions = [\"{bad}\"]")).starts_with("2:15: "), "{bad}");
        }
        assert!(files("extensions = [\"exe\", \".exe\"]").contains("twice"));

        let rule = |name: &str, version: &str, text: &str| {
            error(&format!(
                "[policy.a.client_filter]\nrules = [{{ user_agent = \"{name}\", operator = \"<\", \
                 version = \"{version}\", action = \"block\", text = \"{text}\" }}]\n"
            ))
        };
        for bad in ["", "a/1", "*a", "a b"] {
            assert!(rule(bad, "1", "").contains("expected 1 to 64 letters"), "{bad}");
        }
        for bad in ["", "1.", "1.2.3.4.5", "+1", "x", "4294967296", "**"] {
            assert!(rule("a", bad, "").contains("expected 1 to 4 numbers"), "{bad}");
        }
        for bad in ["\\\"", "\\\\", "a\\nb", &"x".repeat(257)] {
            assert!(rule("a", "1", bad).contains("expected at most 256"), "{bad}");
        }
    }
}
