//! The file as people write it, well and badly.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::base::limits::{Amount, Limit};

const SHIPPED: &str = include_str!("../../tuning/mynah.toml");

fn error(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(parse("").unwrap(), Settings::default());
}

#[test]
fn the_shipped_file_says_the_defaults() {
    assert_eq!(parse(SHIPPED).unwrap(), Settings::default());
}

#[test]
fn the_shipped_file_has_every_key_and_no_other() {
    let table: toml::Table = SHIPPED.parse().unwrap();
    let mut written: Vec<String> = table
        .iter()
        .flat_map(|(section, keys)| {
            keys.as_table().unwrap().keys().map(move |key| format!("{section}.{key}"))
        })
        .collect();
    let limits = Limit::ALL.iter().copied().map(Setting::Limit);
    let mut known: Vec<String> = Setting::PLAIN
        .into_iter()
        .chain(limits)
        .map(|setting| format!("{}.{}", setting.section(), setting.key()))
        .collect();
    // The keys of a policy are its own business; those of the default one are all there.
    for key in &mut written {
        if key == "policy.default" {
            "policy.*".clone_into(key);
        }
    }
    let policy = table["policy"]["default"].as_table().unwrap();
    let keys: Vec<&str> = policy.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "client_filter",
            "contact_groups_max",
            "contacts_max",
            "custom_states",
            "file_filter",
            "im_filter",
            "privacy"
        ]
    );
    for (filter, keys) in [
        ("client_filter", &["default", "default_text", "rules"][..]),
        ("file_filter", &["action", "extensions"]),
        ("im_filter", &["action", "allow_message", "ignore_local", "prefixes", "warn_message"]),
    ] {
        let written: Vec<&String> = policy[filter].as_table().unwrap().keys().collect();
        assert_eq!(written, keys, "{filter}");
    }
    written.sort_unstable();
    known.sort_unstable();
    assert_eq!(written, known);
}

#[test]
fn every_key_of_the_shipped_file_has_its_reason() {
    for (before, line) in SHIPPED.lines().zip(SHIPPED.lines().skip(1)) {
        let is_key = line.starts_with(|first: char| first.is_ascii_lowercase());
        assert!(!is_key || before.starts_with("# "), "{line}");
    }
}

#[test]
fn every_key_is_read() {
    let settings = parse(
        r#"
        [server]
        domains = ["Corp.Example.test", "b.test"]
        name = "FE02.corp.example.test"
        data = "var"
        cores = 4
        [listen]
        tls = "[::]:5061"
        tcp = "127.0.0.1:0"
        http = "none"
        [api]
        listen = "127.0.0.1:9443"
        origins = ["https://Intranet.example.test", "http://localhost:8080"]
        [tls]
        certificates = [{ chain = "ec.pem", key = "ec.key" }, { chain = "/rsa.pem", key = "rsa.key" }]
        [auth]
        lync = ["ntlm", "digest"]
        standard = []
        digest = ["md5", "sha-256"]
        ntlm_version = 3
        [log]
        filter = "warn,mynah::net=debug,glommio=off"
        format = "json"
        [presence]
        custom_state_url = "https://fe02.corp.example.test/states/"
        [limits]
        handshake_timeout = "5s"
        sip_body_bytes_max = "1MiB"
        sip_head_bytes_max = 8192
        sip_header_line_bytes_max = "4KiB"
        connections_per_address_max = 0
        "#,
    )
    .unwrap();
    assert_eq!(settings.domains, ["corp.example.test", "b.test"]);
    assert_eq!(settings.name, "fe02.corp.example.test");
    assert_eq!(settings.data, Path::new("var"));
    assert_eq!(settings.cores, Some(4));
    assert_eq!(settings.listen.tls, Some("[::]:5061".parse().unwrap()));
    assert_eq!(settings.listen.tcp, Some("127.0.0.1:0".parse().unwrap()));
    assert_eq!(settings.listen.http, None);
    assert_eq!(settings.api.listen, Some("127.0.0.1:9443".parse().unwrap()));
    assert_eq!(settings.api.origins, ["https://intranet.example.test", "http://localhost:8080"]);
    assert_eq!(settings.certificates.len(), 2);
    assert_eq!(settings.digest, [DigestAlgorithm::Md5, DigestAlgorithm::Sha256]);
    assert_eq!(settings.lync_auth, [AuthMethod::Ntlm, AuthMethod::Digest]);
    assert_eq!(settings.standard_auth, []);
    assert_eq!(settings.ntlm_version, NtlmVersion::V3);
    assert_eq!(settings.log.filter, "warn,mynah::net=debug,glommio=off");
    assert_eq!(settings.log.format, LogFormat::Json);
    let folder = "https://fe02.corp.example.test/states";
    assert_eq!(settings.custom_state_url.as_deref(), Some(folder));
    assert_eq!(settings.limits.handshake_timeout, Duration::from_secs(5));
    assert_eq!(settings.limits.sip_body_bytes_max, 1 << 20);
    assert_eq!(settings.limits.sip_head_bytes_max, 8192);
    assert_eq!(settings.limits.connections_per_address_max, 0);
}

#[test]
fn relative_paths_are_taken_from_the_folder_of_the_file() {
    let mut settings = parse(
        "[server]\ndata = 'var'\n[tls]\ncertificates = [{ chain = 'c.pem', key = '/k.pem' }]\n",
    )
    .unwrap();
    settings.resolve_paths(Path::new("/etc/mynah"));
    assert_eq!(settings.data, Path::new("/etc/mynah/var"));
    assert_eq!(settings.certificates[0].chain, Path::new("/etc/mynah/c.pem"));
    assert_eq!(settings.certificates[0].key, Path::new("/k.pem"));
}

#[test]
fn every_limit_is_set_by_its_name() {
    for limit in Limit::ALL {
        let default = Settings::default().limits.value(*limit);
        let (text, amount) = match default {
            Amount::Time(_) => ("\"61s\"", Amount::Time(Duration::from_secs(61))),
            // Within every range.
            Amount::Count(_) => ("61", Amount::Count(61)),
        };
        // Keeps the pairs that must be in order in order.
        let floor = match limit {
            Limit::LaneIdleTime => "registration_time_max = \"60s\"\n",
            Limit::SipHeadBytes => "sip_header_line_bytes_max = 1\n",
            _ => "",
        };
        let settings = parse(&format!("[limits]\n{floor}{} = {text}\n", limit.name())).unwrap();
        assert_eq!(settings.limits.value(*limit), amount, "{}", limit.name());
    }
}

#[test]
fn faults_of_form_name_the_place_and_what_is_expected() {
    for (text, expected) in [
        (
            "[server]\nnmae = 'a'\n",
            "2:1: unknown field `nmae`, expected one of `domains`, `name`, `data`, `cores`",
        ),
        (
            "[sever]\n",
            "1:2: unknown field `sever`, expected one of `server`, `listen`, `api`, `tls`, `links`, `auth`, `log`, `hep`, `presence`, `directory`, `policy`, `limits`",
        ),
        (
            "[listen]\n  tls = 5061\n",
            "2:9: invalid type: integer `5061`, expected an address and port such as \"0.0.0.0:5061\" or \"[::]:5061\", or \"none\"",
        ),
        (
            "[listen]\ntls = \"5061\"\n",
            "2:7: invalid value: string \"5061\", expected an address and port such as \"0.0.0.0:5061\" or \"[::]:5061\", or \"none\"",
        ),
        (
            "[server]\ndomains = [\"a.test\", \"b_c\"]\n",
            "2:22: invalid value: string \"b_c\", expected a host name such as \"example.test\"",
        ),
        (
            "[server]\ncores = 0\n",
            "2:9: invalid value: integer `0`, expected a number from 1 to 1024, or \"all\"",
        ),
        (
            "[server]\ncores = \"some\"\n",
            "2:9: invalid value: string \"some\", expected a number from 1 to 1024, or \"all\"",
        ),
        ("[server]\ndata = \"\"\n", "2:8: invalid value: string \"\", expected a path"),
        (
            "[auth]\ndigest = [\"SHA-1\"]\n",
            "2:11: invalid value: string \"SHA-1\", expected \"SHA-256\" or \"MD5\"",
        ),
        (
            "[auth]\nlync = [\"kerberos\"]\n",
            "2:9: invalid value: string \"kerberos\", expected \"ntlm\" or \"digest\"",
        ),
        (
            "[auth]\nstandard = [\"ntlm\"]\n",
            "2:13: invalid value: string \"ntlm\", expected \"digest\"",
        ),
        ("[auth]\nntlm_version = 2\n", "2:16: invalid value: integer `2`, expected 3 or 4"),
        (
            "[log]\nformat = \"xml\"\n",
            "2:10: invalid value: string \"xml\", expected \"text\" or \"json\"",
        ),
        (
            "[log]\nfilter = \"loud\"\n",
            "2:10: invalid value: string \"loud\", expected off, error, warn, info, debug or trace, with target=level after a comma for parts, such as \"info,mynah::net=debug\"",
        ),
        ("[tls]\ncertificates = [{ chain = \"a\" }]\n", "2:17: missing field `key`"),
        (
            "[limits]\nlockout_time = true\n",
            "2:16: invalid type: boolean `true`, expected a whole number, or text such as \"10s\" or \"16KiB\"",
        ),
        (
            "[limits]\nsip_body_bytes_max = -1\n",
            "2:22: invalid value: integer `-1`, expected a whole number, or text such as \"10s\" or \"16KiB\"",
        ),
    ] {
        assert_eq!(error(text), expected);
    }
}

#[test]
fn faults_of_content_say_what_to_write_instead() {
    for (text, expected) in [
        (
            "[server]\ndomains = []\n",
            "2:11: name at least one domain, as in domains = [\"example.test\"]",
        ),
        (
            "[server]\ndomains = ['a.test', 'A.test']\n",
            "2:22: \"a.test\" stands here twice: remove one",
        ),
        (
            "[auth]\ndigest = []\n",
            "2:10: name at least one algorithm, as in digest = [\"SHA-256\", \"MD5\"]",
        ),
        ("[auth]\ndigest = ['MD5', 'md5']\n", "2:18: \"MD5\" stands here twice: remove one"),
        ("[auth]\nlync = ['ntlm', 'ntlm']\n", "2:17: \"ntlm\" stands here twice: remove one"),
        (
            "[auth]\nlync = []\nstandard = []\n",
            "2:8: nobody can sign in: name a method, as in lync = [\"ntlm\"] or standard = [\"digest\"]",
        ),
        (
            "[listen]\ntls = 'none'\n",
            "2:7: nothing listens for SIP: give tls or tcp an address such as \"0.0.0.0:5061\"",
        ),
        (
            "[tls]\ncertificates = []\n",
            "2:16: TLS needs a certificate: add { chain = \"chain.pem\", key = \"key.pem\" }, or set tls = \"none\" under [listen]",
        ),
        (
            "[listen]\ntls = 'none'\ntcp = '127.0.0.1:0'\n[api]\nlisten = '0.0.0.0:9443'\n\
             [tls]\ncertificates = []\n",
            "5:10: the API speaks TLS but on loopback, and TLS needs a certificate: add one to tls.certificates, or listen on 127.0.0.1",
        ),
        (
            "[api]\norigins = ['https://a.test/x']\n",
            "2:12: invalid value: string \"https://a.test/x\", expected a web site such as \"https://intranet.example.test\", without a path, or \"*\"",
        ),
        (
            "[limits]\nhandshake_time = '1s'\n",
            "2:1: no limit is called `handshake_time`; did you mean `handshake_timeout`?",
        ),
        (
            "[limits]\nlockout_time = 900\n",
            "2:16: `lockout_time` is a time: write a number with a unit, as in \"5ms\", \"10s\", \"15m\" or \"2h\"",
        ),
        (
            "[limits]\nlockout_time = '900'\n",
            "2:16: `lockout_time` is a time: write a number with a unit, as in \"5ms\", \"10s\", \"15m\" or \"2h\"",
        ),
        (
            "[limits]\nsip_body_bytes_max = '1MB'\n",
            "2:22: `sip_body_bytes_max` counts octets: write a whole number, or text such as \"16KiB\" or \"1MiB\"",
        ),
        (
            "[limits]\nendpoints_per_user_max = '8KiB'\n",
            "2:26: `endpoints_per_user_max` is a count: write a whole number without a unit",
        ),
        (
            "[limits]\nendpoints_per_user_max = 0\n",
            "2:26: `endpoints_per_user_max` must be from 1 to 4294967295",
        ),
        (
            "[limits]\nsip_head_bytes_max = '64KiB'\n",
            "2:22: `sip_head_bytes_max` must be from 1 to 65535",
        ),
        (
            "[limits]\nsip_header_count_max = 129\n",
            "2:24: `sip_header_count_max` must be from 1 to 128",
        ),
        ("[limits]\nlockout_time = '0s'\n", "2:16: `lockout_time` must be from 1ms to 365d"),
        ("[limits]\nlockout_time = '366d'\n", "2:16: `lockout_time` must be from 1ms to 365d"),
        (
            "[limits]\nregistration_time_min = '3h'\n",
            "2:25: `registration_time_min` (3h) may not exceed `registration_time_max` (2h): raise `registration_time_max` or lower `registration_time_min`",
        ),
        (
            "[limits]\nregistration_time_max = '30s'\n",
            "2:25: `registration_time_min` (1m) may not exceed `registration_time_max` (30s): raise `registration_time_max` or lower `registration_time_min`",
        ),
        (
            "[limits]\nregistration_time_max = '3h'\n",
            "2:25: `registration_time_max` (3h) must be below `lane_idle_timeout` (125m): raise `lane_idle_timeout` or lower `registration_time_max`",
        ),
        (
            "[limits]\nlane_idle_timeout = '2h'\n",
            "2:21: `registration_time_max` (2h) must be below `lane_idle_timeout` (2h): raise `lane_idle_timeout` or lower `registration_time_max`",
        ),
    ] {
        assert_eq!(error(text), expected);
    }
}

#[test]
fn what_is_no_toml_is_one_line_with_a_place() {
    for text in [
        "[server",
        "[server]\nname = \n",
        "[server]\nname = \"a\nb\"\n",
        "[server]\nname = 'a'\nname = 'b'\n",
        "\u{0}",
        "\u{feff}[[[",
        "GET / HTTP/1.1\r\n\r\n",
        "[limits]\n\"a\\nb\" = 1\n",
        "\"a\\u0007\\nb\" = 1\n",
        &"[".repeat(10_000),
        &"a=".repeat(10_000),
    ] {
        let error = error(text);
        let mut parts = error.splitn(3, ':');
        assert!(parts.next().unwrap().parse::<usize>().unwrap() >= 1, "{error}");
        assert!(parts.next().unwrap().parse::<usize>().unwrap() >= 1, "{error}");
        assert!(!parts.next().unwrap().trim().is_empty(), "{error}");
        assert!(!error.chars().any(char::is_control), "{error:?}");
    }
}

#[test]
fn columns_count_characters_not_octets() {
    assert_eq!(
        error("[tls]\ncertificates = [{ chain = 'éé', kee = 'k' }]\n"),
        "2:33: unknown field `kee`, expected `chain` or `key`"
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_value_of_a_limit_makes_it_panic(
        index in 0..Limit::ALL.len(),
        value in "-?[0-9]{1,25}|\"[0-9]{0,25}(ms|s|m|h|d|KiB|GiB)?\"",
    ) {
        let _ = parse(&format!("[limits]\n{} = {value}\n", Limit::ALL[index].name()));
    }
}

#[test]
fn networks_are_read_with_or_without_their_length() {
    let text = "[listen]\nexempt = ['192.0.2.7', '198.51.100.7/24', '2001:db8::1/32']\n";
    let settings = parse(text).unwrap();
    let networks: Vec<String> = settings.exempt.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["192.0.2.7/32", "198.51.100.0/24", "2001:db8::/32"]);
    assert_eq!(
        error("[listen]\nexempt = ['10.0.0.0/8', '10.0.0.0/33']\n"),
        "2:25: invalid value: string \"10.0.0.0/33\", expected a network such as \
         \"192.0.2.0/24\" or \"2001:db8::/48\", or an address"
    );
    let twice = "[listen]\nexempt = ['10.0.0.0/8', '10.1.2.3/8']\n";
    assert!(error(twice).starts_with("2:25: "), "{}", error(twice));
}

#[test]
fn links_need_somebody_who_may_open_them() {
    assert_eq!(
        error("[listen]\nlinks = '127.0.0.1:5062'\n"),
        "2:9: nobody may open a link: name a server, as in [links] names = [\"edge.example.test\"]"
    );
    let text = "[listen]\nlinks = '127.0.0.1:5062'\n[links]\nnames = ['Edge.example.test']\n";
    let settings = parse(text).unwrap();
    assert_eq!(settings.listen.links, Some("127.0.0.1:5062".parse().unwrap()));
    assert_eq!(settings.links.names, ["edge.example.test"]);
    let twice = "[links]\nnames = ['a.test', 'A.test']\n";
    assert!(error(twice).starts_with("2:20: "), "{}", error(twice));
    // Where nobody listens nobody need be named.
    parse("[links]\nnames = []\n").unwrap();
}
