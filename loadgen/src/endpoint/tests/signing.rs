use super::*;
use crate::settings::Auth;

const KEY: [u8; 16] = *b"sixteen octets k";
const OPAQUE: &[u8] = b"F288E6FC";
const OFFER: &str =
    "WWW-Authenticate: NTLM realm=\"SIP Communications Service\", targetname=\"fe01\", version=4\n";
/// A real server's challenge.
const TOKEN: &str = "TlRMTVNTUAACAAAADgAOADgAAABVgpjiUEkizQ6wBH8AAAAAAAAAAGQAZABGAAAABgGxHQAAAA9F\
     AFgAQQBNAFAATABFAAIADgBFAFgAQQBNAFAATABFAAEACABGAEUAMAAxAAQAGABlAHgAYQBtAHAAbABlAC4AdABlAHMA\
     dAADACIAZgBlADAAMQAuAGUAeABhAG0AcABsAGUALgB0AGUAcwB0AAAAAAA=";

fn association() -> Association {
    Association::new(&KEY, OPAQUE, b"SIP Communications Service", b"fe01", 1)
}

fn client() -> Client {
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, 5061));
    let settings = Settings { dialect: Dialect::Ms, auth: Auth::Ntlm, ..Settings::new(target) };
    Client::with(settings)
}

fn with_message<T>(text: &str, then: impl FnOnce(Message<'_>) -> T) -> T {
    let mut index = Index::default();
    let step = Scanner::default().next(text.as_bytes(), &mut index).unwrap();
    assert_eq!(step, Step::Message(text.len()));
    then(Message::new(text.as_bytes(), &index))
}

/// What the client wrote as the server would read it: its own signature under the names that a
/// server gives to its.
fn as_if_from_a_server(text: &str) -> String {
    let at = text.find("Authorization: ").unwrap();
    let (line, rest) = text[at..].split_once("\r\n").unwrap();
    let line = line.replace("Authorization:", "Authentication-Info:");
    let line = line.replace("response=", "rspauth=").replace("crand=", "srand=");
    format!("{}{}\r\n{rest}", &text[..at], line.replace("cnum=", "snum="))
}

/// Whether a server with the same keys takes what the client wrote.
fn holds(server: &mut Association, text: &str) -> Result<(), SignatureError> {
    with_message(&as_if_from_a_server(text), |message| server.verify(message, &mut Vec::new()))
}

/// A request of the server, signed.
fn signed(server: &mut Association, text: &str) -> String {
    let mut line = Vec::new();
    let text = text.replace('\n', "\r\n");
    with_message(&text, |message| server.sign(message, &mut Vec::new(), &mut line));
    let line = String::from_utf8(line).unwrap();
    let line = line.replace("response=", "rspauth=").replace("crand=", "srand=");
    let line = line.replace("cnum=", "snum=");
    let value = format!("Authentication-Info: NTLM opaque=\"F288E6FC\"{line}\nContent-Length");
    text.replace("\r\n", "\n").replace("Content-Length", &value)
}

#[test]
fn requests_and_answers_are_signed_with_or_without_a_body() {
    let mut client = client();
    client.endpoint.association = Some(Box::new(association()));
    let mut server = association().mirrored();
    let invite = signed(&mut server, &request("INVITE", "", "call", CONTACT));
    client.take(&invite);
    let accepted = client.written();
    assert!(accepted.contains("\r\n\r\nv=0\r\n"), "{accepted}");
    assert_eq!(holds(&mut server, &accepted), Ok(()));
    let Client { env, link, endpoint, .. } = &mut client;
    let stamp = Stamp { run: 7, pair: 0, number: 1, intended: Moment(0) };
    endpoint.message_in_session(env, link, &stamp, 100).unwrap().unwrap();
    let message = client.written();
    assert!(message.starts_with("MESSAGE ") && message.contains(", cnum=\"2\", "), "{message}");
    assert_eq!(holds(&mut server, &message), Ok(()));
    let forged = message.replace("user0000000@", "user0000009@");
    assert_eq!(holds(&mut association().mirrored(), &forged), Err(SignatureError::Wrong));
    client.take(&signed(&mut server, &request("MESSAGE", ";tag=none", "c", "")));
    let gone = client.written();
    assert!(gone.starts_with("SIP/2.0 481 ") && gone.ends_with("\"\r\n\r\n"), "{gone}");
    assert_eq!(holds(&mut server, &gone), Ok(()));
}

#[test]
fn a_sign_in_goes_through_the_three_steps_and_signs_the_last() {
    for version in [3, 4] {
        let mut client = client();
        let pending = Pending { operation: Operation::SignIn, intended: Moment(0) };
        let Client { env, link, endpoint, .. } = &mut client;
        endpoint.register(env, link, pending, false);
        let first = client.written();
        assert!(!first.contains("Authorization"), "{first}");
        let offer = OFFER.replace("version=4", &format!("version={version}"));
        assert_eq!(client.take(&answer_to(&first, "401 Unauthorized", &offer)), []);
        let second = client.written();
        assert!(second.contains("CSeq: 2 REGISTER\r\n"), "{second}");
        assert!(second.contains(&format!(", gssapi-data=\"\", version={version}\r\n")), "{second}");
        let more = format!(", opaque=\"F288E6FC\", gssapi-data=\"{TOKEN}\"\n");
        let challenge = offer.replace('\n', &more);
        assert_eq!(client.take(&answer_to(&second, "401 Unauthorized", &challenge)), []);
        let third = client.written();
        assert!(third.contains("CSeq: 3 REGISTER\r\n"), "{third}");
        assert_eq!(third.matches("Authorization: NTLM qop=\"auth\", opaque=").count(), 1);
        assert_eq!(third.contains(", crand=\""), version == 4, "{third}");
        assert!(third.contains(", gssapi-data=\"TlRMTVNTUAAD"), "{third}");
        // A second challenge means that the proof was refused, and so does a 403.
        let refused = Event::Finished { pending, result: Err(Cause::Auth) };
        assert_eq!(client.take(&answer_to(&third, "403 Forbidden", "")), [refused]);
    }
}

#[test]
fn a_server_without_ntlm_or_with_an_unknown_password_ends_the_sign_in() {
    let digest = "WWW-Authenticate: Digest realm=\"x\", nonce=\"n\", qop=\"auth\"\n";
    for (first, second) in [(digest, None), (OFFER, Some(OFFER))] {
        let mut client = client();
        let pending = Pending { operation: Operation::SignIn, intended: Moment(0) };
        let Client { env, link, endpoint, .. } = &mut client;
        endpoint.register(env, link, pending, false);
        let mut written = client.written();
        let mut events = client.take(&answer_to(&written, "401 Unauthorized", first));
        if let Some(second) = second {
            written = client.written();
            events = client.take(&answer_to(&written, "401 Unauthorized", second));
        }
        assert_eq!(events, [Event::Finished { pending, result: Err(Cause::Auth) }]);
    }
}

#[test]
fn new_keys_are_made_on_the_connection_and_no_message_is_lost() {
    let pending = Pending { operation: Operation::Refresh, intended: Moment(0) };
    for (version, confirmed) in [(3, true), (3, false), (4, true), (4, false)] {
        let mut client = client();
        client.endpoint.association = Some(Box::new(association()));
        let mut server = association().mirrored();
        let Client { env, link, endpoint, .. } = &mut client;
        endpoint.renew_keys();
        endpoint.register(env, link, pending, false);
        let first = client.written();
        assert!(!first.contains("Authorization"), "{first}");
        let offer = OFFER.replace("version=4", &format!("version={version}"));
        client.take(&answer_to(&first, "401 Unauthorized", &offer));
        let second = client.written();
        assert!(second.contains("gssapi-data=\"\"") && !second.contains("crand"), "{second}");
        // The old keys serve until there is a challenge.
        let early = page(&mut client);
        assert_eq!(holds(&mut server, &early), Ok(()));
        let more = format!(", opaque=\"F288E6FC\", gssapi-data=\"{TOKEN}\"\n");
        let challenge = answer_to(&second, "401 Unauthorized", &offer.replace('\n', &more));
        client.take(&challenge);
        let third = client.written();
        assert_eq!(third.contains(", crand=\""), version == 4, "{third}");
        let new = client.endpoint.association.as_deref().unwrap().clone().mirrored();
        // Then nobody knows which keys the server has.
        assert_eq!(page(&mut client) + &page(&mut client), "");
        let answer = if confirmed {
            server = new;
            signed(&mut server, &answer_to(&third, "200 OK", ""))
        } else {
            answer_to(&third, "403 Forbidden", "")
        };
        let events = client.take(&answer);
        let result = if confirmed { Ok(()) } else { Err(Cause::Auth) };
        assert_eq!(events.last(), Some(&Event::Finished { pending, result }));
        let keys = Event::Granted(Granted { new_keys: true, ..Granted::default() });
        assert_eq!(events.contains(&keys), confirmed, "{events:?}");
        let held = client.written();
        let second = held.rfind("MESSAGE sip:").unwrap();
        let (one, two) = held.split_at(second);
        assert_eq!(holds(&mut server, one), Ok(()));
        assert_eq!(holds(&mut server, two), Ok(()));
        assert_eq!(holds(&mut server, &page(&mut client)), Ok(()));
    }
}

#[test]
fn an_answer_about_new_keys_that_does_not_come_leaves_the_old_ones() {
    let mut client = client();
    client.endpoint.association = Some(Box::new(association()));
    let mut server = association().mirrored();
    let pending = Pending { operation: Operation::Refresh, intended: Moment(0) };
    let Client { env, link, endpoint, .. } = &mut client;
    endpoint.renew_keys();
    let wait = endpoint.register(env, link, pending, false);
    let first = client.written();
    client.take(&answer_to(&first, "401 Unauthorized", OFFER));
    let second = client.written();
    let more = format!(", opaque=\"F288E6FC\", gssapi-data=\"{TOKEN}\"\n");
    client.take(&answer_to(&second, "401 Unauthorized", &OFFER.replace('\n', &more)));
    client.written();
    assert_eq!(page(&mut client), "");
    let mut events = Vec::new();
    client.endpoint.expire(wait, &mut events);
    assert_eq!(events, [Event::Finished { pending, result: Err(Cause::Timeout) }]);
    assert_eq!(holds(&mut server, &page(&mut client)), Ok(()));
}

/// What goes out when the client sends a message outside dialogs.
fn page(client: &mut Client) -> String {
    let Client { env, link, endpoint, .. } = client;
    let stamp = Stamp { run: 7, pair: 0, number: 1, intended: Moment(0) };
    endpoint.message_to(env, link, "bob@example.test", &stamp, 100).unwrap();
    client.written()
}

fn answer_to(text: &str, status: &str, more: &str) -> String {
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap();
    format!(
        "SIP/2.0 {status}\n{}\n{}\n{};tag=s\n{}\n{}\n{more}Content-Length: 0\n\n",
        line("Via"),
        line("From"),
        line("To"),
        line("Call-ID"),
        line("CSeq")
    )
}
