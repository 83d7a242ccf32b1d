//! NTLM: tokens of any size and order, and messages without the signature they must have.

use crate::harness::ntlm::{Account, Keys, answer, empty};
use crate::harness::text::quoted;
use crate::harness::{Request, Text};
use crate::outside::metrics::hits;
use crate::outside::server::{DOMAIN, PASSWORD};
use crate::outside::stream::Stream;
use crate::target::Target;

/// A Lync client of the fewest lines, on a connection of its own.
struct Lync {
    stream: Stream,
    cseq: u32,
}

impl Lync {
    fn connect(target: &Target) -> Self {
        Lync { stream: Stream::tls(target), cseq: 0 }
    }

    fn request(&mut self, method: &str, uri: &str) -> Request {
        self.cseq += 1;
        let to = if method == "REGISTER" { "alice" } else { "carol" };
        Request::new(method, uri)
            .header("Via", &format!("SIP/2.0/tls {}", self.stream.local()))
            .header("From", &format!("<sip:alice@{DOMAIN}>;tag=of-alice"))
            .header("To", &format!("<sip:{to}@{DOMAIN}>"))
            .header("Call-ID", &format!("{method}-of-alice"))
            .header("CSeq", &format!("{} {method}", self.cseq))
            .header("Max-Forwards", "70")
    }

    fn register(&mut self) -> Request {
        self.request("REGISTER", &format!("sip:{DOMAIN}"))
            .header("Contact", "<sip:127.0.0.1:9;transport=tls>;proxy=replace")
            .header("Supported", "msrtc-event-categories")
            .header("ms-keep-alive", "UAC;hop-hop=yes")
    }

    fn page(&mut self) -> Request {
        self.request("MESSAGE", &format!("sip:carol@{DOMAIN}")).body("text/plain", "hello")
    }

    fn ask(&mut self, request: &Request) -> Text {
        self.stream.write(request.octets());
        let answer = self.stream.message();
        Text::new(format!("{}\r\n\r\n", answer.head.trim_end()).as_bytes())
    }

    fn challenge(&mut self) -> Text {
        let register = self.register();
        let offer = self.ask(&register);
        let asking = self.register().header("Authorization", &empty(&offer));
        self.ask(&asking)
    }

    fn sign_in(&mut self) -> Keys {
        let challenge = self.challenge();
        let account = Account { user: "alice", domain: "", password: PASSWORD };
        let (request, mut keys) = answer(self.register(), &challenge, account);
        let accepted = keys.check(&self.ask(&request));
        assert_eq!(accepted.status(), 200);
        keys
    }
}

fn closes(target: &Target) -> f64 {
    target.metrics().value("mynah_connections_closed_total{reason=\"signature\"}")
}

#[test]
fn a_token_of_a_mebibyte_breaks_the_framing() {
    // 42
    let target = Target::start();
    let mut lync = Lync::connect(&target);
    let value = format!("NTLM gssapi-data=\"{}\"", "A".repeat(1 << 20));
    let octets = lync.register().header("Authorization", &value).octets();
    // The server may close before it has read all.
    let _ = lync.stream.try_write(octets);
    lync.stream.end();
    let metrics = target.metrics();
    let bounds = ["sip_header_line_bytes_max", "sip_head_bytes_max"];
    assert_eq!(bounds.map(|bound| metrics.value(&hits(bound))).iter().sum::<f64>(), 1.0);
    target.survived();
}

#[test]
fn steps_in_the_wrong_order_lead_nowhere() {
    // 42
    let target = Target::start();
    let mut lync = Lync::connect(&target);
    let mut other = Lync::connect(&target);
    let foreign = other.challenge();
    let account = Account { user: "alice", domain: "", password: PASSWORD };
    let (stolen, _) = answer(lync.register(), &foreign, account);
    for _ in 0..3 {
        assert_eq!(lync.ask(&stolen).status(), 401);
    }
    let challenge = lync.challenge();
    let opaque = quoted(challenge.header("WWW-Authenticate"), "opaque").to_owned();
    // Our own challenge is no answer to it.
    let token = quoted(challenge.header("WWW-Authenticate"), "gssapi-data");
    let value = format!("NTLM opaque=\"{opaque}\", gssapi-data=\"{token}\"");
    let back = lync.register().header("Authorization", &value);
    assert_eq!(lync.ask(&back).status(), 401);
    assert_eq!(lync.ask(&back).status(), 401);
    let page = lync.page();
    assert_eq!(lync.ask(&page).status(), 401, "nobody is signed in");
    target.survived();
}

#[test]
fn challenges_without_end_take_no_room() {
    // 43
    let target = Target::start();
    let mut lync = Lync::connect(&target);
    let offer = {
        let register = lync.register();
        lync.ask(&register)
    };
    for _ in 0..2_000 {
        let asking = lync.register().header("Authorization", &empty(&offer));
        lync.stream.write(asking.octets());
    }
    for _ in 0..2_000 {
        assert_eq!(lync.stream.message().status(), 401);
    }
    target.survived();
}

#[test]
fn a_message_without_its_signature_or_with_a_wrong_one_ends_the_connection() {
    // 42
    let target = Target::start();
    let forge: [fn(&mut Lync, &mut Keys) -> Request; 3] = [
        |lync, _| lync.page(),
        |lync, keys| {
            let value = keys.sign(lync.page()).value("Authorization").to_owned();
            lync.page().header("Authorization", &value)
        },
        |lync, keys| {
            let signed = keys.sign(lync.page());
            let value = signed.value("Authorization").replace("response=\"01", "response=\"11");
            signed.with("Authorization", &value)
        },
    ];
    for (count, forge) in (1..).zip(forge) {
        let mut lync = Lync::connect(&target);
        let mut keys = lync.sign_in();
        let options = keys.sign(lync.request("OPTIONS", &format!("sip:{DOMAIN}")));
        assert_eq!(keys.check(&lync.ask(&options)).status(), 200);
        let forged = forge(&mut lync, &mut keys);
        lync.stream.write(forged.octets());
        assert_eq!(lync.stream.end(), b"", "nothing is said to a forger");
        assert_eq!(closes(&target), f64::from(count));
    }
    target.survived();
}

#[test]
fn a_message_that_is_sent_again_ends_the_connection() {
    // 42
    let target = Target::start();
    let mut lync = Lync::connect(&target);
    let mut keys = lync.sign_in();
    let options = keys.sign(lync.request("OPTIONS", &format!("sip:{DOMAIN}")));
    assert_eq!(keys.check(&lync.ask(&options)).status(), 200);
    lync.stream.write(options.octets());
    lync.stream.end();
    assert_eq!(closes(&target), 1.0);
    target.survived();
}
