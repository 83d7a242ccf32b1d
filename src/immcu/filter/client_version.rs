//! Which clients may sign in, by what they say of themselves in User-Agent.

use std::cmp::Ordering;

use crate::config::filter::{VERSION_NUMBERS, Version};
use crate::config::{ClientAction, ClientFilter, ClientRule, Operator};

/// What a policy says of clients.
#[derive(Clone, Debug)]
pub struct Clients {
    said: ClientFilter,
}

/// What becomes of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement<'a> {
    /// Whether it may sign in.
    pub action: ClientAction,
    /// What it is told; may be empty.
    pub text: &'a str,
}

/// A name in User-Agent with its version (RFC 3261 section 20.41).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Product<'a> {
    name: &'a [u8],
    /// What is not said is 0.
    version: [u32; VERSION_NUMBERS],
}

impl Clients {
    /// The rules of a policy; `None` if it has none and lets every client in without a word.
    pub fn new(filter: &ClientFilter) -> Option<Self> {
        let says_nothing = filter.rules.is_empty()
            && filter.default == ClientAction::Allow
            && filter.default_text.is_empty();
        (!says_nothing).then(|| Clients { said: filter.clone() })
    }

    /// What the first rule says that means this client, by any of the names it gives itself. One
    /// without a name is meant by rules for all names alone, and its version is 0.
    pub fn judge(&self, user_agent: Option<&[u8]>) -> Judgement<'_> {
        let said = user_agent.unwrap_or_default();
        let means = |rule: &&ClientRule| {
            let mut named = products(said).peekable();
            if named.peek().is_none() {
                return rule.means(Product { name: b"", version: [0; VERSION_NUMBERS] });
            }
            named.any(|product| rule.means(product))
        };
        match self.said.rules.iter().find(means) {
            Some(rule) => Judgement { action: rule.action, text: &rule.text },
            None => Judgement { action: self.said.default, text: &self.said.default_text },
        }
    }
}

impl ClientRule {
    fn means(&self, product: Product<'_>) -> bool {
        let name = self.user_agent.as_bytes();
        let is_named = match name.strip_suffix(b"*") {
            Some(head) => {
                product.name.get(..head.len()).is_some_and(|name| name.eq_ignore_ascii_case(head))
            }
            None => product.name.eq_ignore_ascii_case(name),
        };
        is_named && self.operator.holds(compare(&product.version, &self.version))
    }
}

impl Operator {
    /// Whether it holds for a version that compares so with that of the rule.
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Operator::Equal => ordering.is_eq(),
            Operator::Greater => ordering.is_gt(),
            Operator::GreaterOrEqual => ordering.is_ge(),
            Operator::Less => ordering.is_lt(),
            Operator::LessOrEqual => ordering.is_le(),
            Operator::NotEqual => ordering.is_ne(),
        }
    }
}

/// How a version compares with a pattern: number by number, wildcards left out.
fn compare(version: &[u32; VERSION_NUMBERS], pattern: &Version) -> Ordering {
    let pairs = version.iter().zip(pattern).filter_map(|(number, p)| Some((number, p.as_ref()?)));
    pairs
        .map(|(number, pattern)| number.cmp(pattern))
        .find(|o| o.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// The products a client names. Most write `name/version`, some `name version`; comments are in
/// brackets.
fn products(user_agent: &[u8]) -> impl Iterator<Item = Product<'_>> {
    let mut words = words(user_agent).peekable();
    std::iter::from_fn(move || {
        let word = words.next()?;
        let slash = memchr::memchr(b'/', word).and_then(|at| word.split_at_checked(at));
        let (name, version) = match slash {
            Some((name, version)) => (name, version.get(1..).unwrap_or_default()),
            None => (word, words.next_if(|next| is_version(next)).unwrap_or_default()),
        };
        Some(Product { name, version: numbers(version) })
    })
}

/// What stands between blanks, comments left out.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut depth = 0usize;
    let pieces = text.split(move |octet| {
        match octet {
            b'(' => depth = depth.saturating_add(1),
            b')' => {
                depth = depth.saturating_sub(1);
                return true;
            }
            _ => {}
        }
        depth > 0 || matches!(octet, b' ' | b'\t')
    });
    pieces.filter(|word| !word.is_empty())
}

fn is_version(word: &[u8]) -> bool {
    let number = word.strip_prefix(b"v").or(word.strip_prefix(b"V")).unwrap_or(word);
    number.first().is_some_and(u8::is_ascii_digit)
}

/// The numbers of a version, as far as there are any.
fn numbers(version: &[u8]) -> [u32; VERSION_NUMBERS] {
    let version = version.strip_prefix(b"v").or(version.strip_prefix(b"V")).unwrap_or(version);
    let mut numbers = [0u32; VERSION_NUMBERS];
    for (place, text) in numbers.iter_mut().zip(version.split(|octet| *octet == b'.')) {
        let digits = text.iter().take_while(|octet| octet.is_ascii_digit());
        let mut count = 0;
        for digit in digits {
            *place = place.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
            count += 1;
        }
        if count != text.len() {
            break;
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const PIDGIN: &[u8] = b"Purple/2.14.12 Sipe/1.25.0 (linux-x86_64)";
    const LYNC: &[u8] = b"UCCAPI/15.0.4420.1017 OC/15.0.4420.1017 (Microsoft Lync)";
    const BARESIP: &[u8] = b"baresip v3.11.0 (x86_64/linux)";

    /// The clients of a policy with these rules: name, operator, version.
    fn clients(rules: &[(&str, &str, &str)], default: &str) -> Clients {
        let mut text = format!("[policy.a.client_filter]\ndefault = \"{default}\"\n");
        for (number, (user_agent, operator, version)) in rules.iter().enumerate() {
            text += &format!(
                "[[policy.a.client_filter.rules]]\nuser_agent = \"{user_agent}\"\n\
                 operator = \"{operator}\"\nversion = \"{version}\"\naction = \"block\"\n\
                 text = \"{number}\"\n"
            );
        }
        Clients::new(&parse(&text).unwrap().policies.of("a").client_filter).unwrap()
    }

    fn is_blocked(rule: (&str, &str, &str), user_agent: &[u8]) -> bool {
        clients(&[rule], "allow").judge(Some(user_agent)).action == ClientAction::Block
    }

    #[test]
    fn clients_are_known_by_each_of_their_names() {
        let names = |said: &'static [u8]| {
            let named = products(said).map(|p| (std::str::from_utf8(p.name).unwrap(), p.version));
            named.collect::<Vec<_>>()
        };
        assert_eq!(names(PIDGIN), [("Purple", [2, 14, 12, 0]), ("Sipe", [1, 25, 0, 0])]);
        let version = [15, 0, 4420, 1017];
        assert_eq!(names(LYNC), [("UCCAPI", version), ("OC", version)]);
        assert_eq!(names(BARESIP), [("baresip", [3, 11, 0, 0])]);
        assert_eq!(
            names(b"A/x B/1.2-rc3 (C/9 (D/9) E/9) F/99999999999.1 G 7 /8"),
            [
                ("A", [0; 4]),
                ("B", [1, 2, 0, 0]),
                ("F", [u32::MAX, 1, 0, 0]),
                ("G", [7, 0, 0, 0]),
                ("", [8, 0, 0, 0])
            ]
        );
        assert_eq!(names(b" ((( \t"), []);
    }

    #[test]
    fn versions_compare_number_by_number_and_wildcards_do_not() {
        for (operator, version, blocked) in [
            ("=", "1.25.0.0", true),
            ("=", "1.25", true),
            ("=", "*.25.*", true),
            ("=", "1.24", false),
            ("!=", "1.25.0", false),
            ("!=", "1.25.1", true),
            ("<", "1.25.1", true),
            ("<", "1.25", false),
            ("<", "1.*.1", true),
            ("<=", "1.25.*", true),
            ("<=", "1.24.9", false),
            (">", "1.24.9.9", true),
            (">", "1.25.0.0", false),
            (">=", "2", false),
            (">=", "1.25.0.0", true),
            ("=", "*", true),
            ("!=", "*", false),
        ] {
            let is = is_blocked(("sipe", operator, version), PIDGIN);
            assert_eq!(is, blocked, "{operator} {version}");
        }
    }

    #[test]
    fn names_may_have_a_wildcard_at_their_end() {
        assert!(is_blocked(("bare*", "<", "4"), BARESIP));
        assert!(is_blocked(("*", ">", "14"), LYNC));
        assert!(!is_blocked(("*", ">", "14"), PIDGIN));
        assert!(!is_blocked(("Sip", "=", "*"), PIDGIN));
        assert!(is_blocked(("*", "=", "*"), b""), "a client without a name");
        assert!(!is_blocked(("Sipe", "=", "*"), b""));
    }

    #[test]
    fn the_first_rule_that_means_a_client_decides_and_the_default_for_others() {
        let clients = clients(&[("OC", "<", "16"), ("*", "<", "2"), ("Sipe", "=", "*")], "block");
        let text = |said| clients.judge(Some(said)).text;
        assert_eq!((text(LYNC), text(PIDGIN)), ("0", "1"));
        let default = Judgement { action: ClientAction::Block, text: "" };
        assert_eq!(clients.judge(Some(BARESIP)), default);
        assert_eq!(clients.judge(None).text, "1");
    }

    #[test]
    fn a_policy_without_rules_asks_nobody() {
        assert!(Clients::new(&ClientFilter::default()).is_none());
        let told = ClientFilter { default_text: "hello".to_owned(), ..ClientFilter::default() };
        assert_eq!(Clients::new(&told).unwrap().judge(None).text, "hello");
    }
}
