use super::*;
use crate::settings::Dialect;

const SMALL: &str = r#"description = "small"
[registration]
refresh_every = "600s"
own_data = true
[contacts]
classes = [{ users_percent = 100, contacts = 10 }]
internal_percent = 80
batch_max = 200
[publications]
per_hour = 4
[sessions]
per_day = 8
messages = 10
typing = 2
gap = "15s"
octets = 100
[conferences]
users_percent = 5
sizes = [{ conferences_percent = 100, members = 4 }]
kinds = [{ conferences_percent = 50, messages = 2 }]
join_within = "1m"
lasting = "10m"
octets = 100
"#;

fn refusal(from: &str, to: &str) -> String {
    let text = SMALL.replacen(from, to, 1);
    assert_ne!(text, SMALL);
    Profile::parse("p.toml", &text, 100).unwrap_err().to_string()
}

#[test]
fn the_built_in_profiles_are_read() {
    for (name, _) in BUILT_IN {
        let profile = Profile::load(name, 250_000).unwrap();
        assert_eq!(profile.single().is_some(), name != "lync2013", "{name}");
    }
    let described: Vec<_> = Profile::built_in().collect();
    assert_eq!(described[1], ("im", "two-party sessions with messages and typing".to_owned()));
}

#[test]
fn the_documented_model_comes_to_the_documented_rates() {
    let profile = Profile::load("lync2013", 80_000).unwrap();
    let rates = profile.rates(80_000, 1.0).all();
    let rate = |name| rates.iter().find(|rate| rate.name == name).unwrap().per_second;
    // Of a pool of 80,000 users in the documents; renewals with one endpoint for each user.
    for (name, documented) in [
        ("sessions", 41.7),
        ("messages", 417.0),
        ("publications", 88.9),
        ("polls", 1333.0),
        ("short subscriptions", 133.0),
        ("renewals", 133.3),
    ] {
        let found = rate(name);
        assert!((found / documented - 1.0).abs() < 0.005, "{name}: {found}");
    }
    let contacts = profile.contacts.unwrap();
    let mean: f64 = contacts.classes.iter().map(|c| c.share * f64::from(c.contacts)).sum();
    assert!((39.0..41.0).contains(&mean), "{mean}");
    let at_once = profile.conferences.unwrap();
    assert_eq!((at_once.users, at_once.large), (0.05, 250));
    assert!((at_once.members() - 4.55).abs() < 0.001);
}

#[test]
fn a_faster_day_has_higher_rates() {
    let profile = Profile::parse("p.toml", SMALL, 100).unwrap();
    let pairs = profile.rates(100, 1.0).all().into_iter().zip(profile.rates(100, 2.5).all());
    for (once, faster) in pairs {
        assert!((faster.per_second / once.per_second - 2.5).abs() < 1e-9);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let unknown = refusal("own_data = true", "own_data = true\nfoo = 1");
    assert!(unknown.starts_with("p.toml:5: unknown field `foo`"), "{unknown}");
    for (from, to, said) in [
        ("per_hour = 4", "per_hour = -4", "p.toml:10: -4 is no rate for one user"),
        ("users_percent = 100", "users_percent = 101", "p.toml:6: 101 is no percentage"),
        ("users_percent = 100", "users_percent = 90", "p.toml:6: users_percent comes to 90"),
        ("members = 4", "members = 400", "p.toml:19: a conference of 400 needs more than 100"),
        (
            "percent = 50, messages = 2 }",
            "percent = 60, messages = 2 }, { conferences_percent = 60, messages = 1 }",
            "p.toml:20: conferences_percent comes to 120: lower it",
        ),
        ("join_within = \"1m\"", "join_within = \"1h\"", "p.toml:21: conferences end before"),
        ("gap = \"15s\"", "gap = \"15 days\"", "p.toml:15: \"15 days\": the unit is"),
        ("gap = \"15s\"", "gap = \"0s\"", "p.toml:15: \"0s\": write a time above zero"),
        ("per_hour = 4", "per_hour = ", "p.toml:10: "),
    ] {
        let text = refusal(from, to);
        assert!(text.starts_with(said), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    let alone = SMALL.find("[publications]").unwrap();
    let contacts = SMALL.find("[contacts]").unwrap();
    let text = [&SMALL[..contacts], &SMALL[alone..]].concat();
    let text = Profile::parse("p.toml", &text, 100).unwrap_err().to_string();
    assert!(text.contains("nobody sees them: add [contacts]"), "{text}");
    let none = Profile::load("nowhere", 10).unwrap_err().to_string();
    assert!(none.starts_with("nowhere: ") && none.contains("lync2013, im, presence"), "{none}");
}

#[test]
fn a_simple_client_is_spared_what_it_does_not_know() {
    let profile = Profile::load("lync2013", 1000).unwrap().spoken(Dialect::Simple);
    assert!(profile.polls.is_empty() && profile.conferences.is_none());
    assert_eq!(profile.sessions.unwrap().typing, 0);
    let told = profile.rates(1000, 1.0).to_string();
    assert!(told.contains("not used: polls, with --dialect simple: a SIMPLE client"), "{told}");
}
