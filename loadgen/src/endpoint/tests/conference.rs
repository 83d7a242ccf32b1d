use super::*;

const FOCUS: &str = "user0000000@example.test;gruu;opaque=app:conf:focus:id:C71C";
const CHAT: &str = "user0000000@example.test;gruu;opaque=app:conf:chat:id:C71C";
const GRUU: &str = "sip:user0000000@example.test;opaque=user:epid:x;gruu";

fn member() -> Client {
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, 5061));
    let flow = Flow::Conference {
        members: 2,
        body: 0,
        roster: true,
        notify: Notify::Benotify,
        silent: 0,
        expiry_unix_s: 1_795_235_007,
    };
    let mut client = Client::with(Settings { dialect: Dialect::Ms, flow, ..Settings::new(target) });
    client.endpoint.contact = GRUU.into();
    client
}

fn pending(operation: Operation) -> Pending {
    Pending { operation, intended: Moment(0) }
}

/// What is written with the names of this user as in the transcript.
fn as_on_the_wire(client: &mut Client) -> String {
    let stem = String::from_utf8(client.endpoint.stem.clone()).unwrap();
    let Identity { epid, uuid, .. } = client.endpoint.identity.clone();
    let text = client.written().replace(&stem, "STEM").replace(&epid, "EPID");
    text.replace(&uuid, "UUID").replace("\r\n", "\n")
}

/// The 200 to the last request in `sent`.
fn accept(sent: &str, more: &str, body: &str) -> String {
    let line = |name: &str| sent.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    format!(
        "SIP/2.0 200 OK\n{}\n{}\n{};tag=srv\n{}\n{}\n{more}Content-Length: {}\n\n{body}",
        line("Via"),
        line("From"),
        line("To"),
        line("Call-ID"),
        line("CSeq"),
        body.len()
    )
}

fn finished(operation: Operation, result: Result<(), Cause>) -> Event {
    Event::Finished { pending: pending(operation), result }
}

#[test]
fn a_conference_is_asked_for_as_on_the_wire() {
    let mut client = member();
    let Client { env, link, endpoint, .. } = &mut client;
    endpoint.create_conference(env, link, pending(Operation::Create));
    let id = format!("{}{:016X}", "0".repeat(16), mix(7 ^ 1));
    let stem = String::from_utf8(client.endpoint.stem.clone()).unwrap();
    let sent = client.written();
    let written = sent.replace(&stem.to_ascii_uppercase(), &"0".repeat(16));
    let epid = &client.endpoint.identity.epid;
    let expected = format!(
        "SERVICE sip:user0000000@example.test;gruu;opaque=app:conf:focusfactory SIP/2.0\r\n\
         Via: SIP/2.0/tcp 127.0.0.2:4444;branch=z9hG4bK{stem}f1\r\n\
         From: <sip:user0000000@example.test>;tag={stem};epid={epid}\r\n\
         To: <sip:user0000000@example.test;gruu;opaque=app:conf:focusfactory>\r\n\
         Max-Forwards: 70\r\n\
         CSeq: 1 SERVICE\r\n\
         User-Agent: loadgen (ms)\r\n\
         Call-ID: f1.{stem}\r\n\
         Supported: ms-sender\r\n\
         Contact: <{GRUU}>\r\n\
         Content-Type: application/cccp+xml\r\n\
         Content-Length: 823\r\n\r\n\
         <?xml version=\"1.0\"?><request xmlns=\"urn:ietf:params:xml:ns:cccp\" \
         xmlns:mscp=\"http://schemas.microsoft.com/rtc/2005/08/cccpextensions\" C3PVersion=\"1\" \
         to=\"sip:user0000000@example.test;gruu;opaque=app:conf:focusfactory\" \
         from=\"sip:user0000000@example.test\" requestId=\"1\"><addConference>\
         <ci:conference-info xmlns:ci=\"urn:ietf:params:xml:ns:conference-info\" entity=\"\" \
         xmlns:msci=\"http://schemas.microsoft.com/rtc/2005/08/confinfoextensions\">\
         <ci:conference-description><ci:subject/>\
         <msci:conference-id>{id}</msci:conference-id>\
         <msci:expiry-time>2026-11-21T04:23:27Z</msci:expiry-time>\
         <msci:admission-policy>openAuthenticated</msci:admission-policy>\
         </ci:conference-description><msci:conference-view><msci:entity-view entity=\"chat\"/>\
         </msci:conference-view></ci:conference-info></addConference></request>"
    );
    assert_eq!(written, expected);
    let body = format!(
        "<response code=\"success\"><addConference><conference-info entity=\"sip:{FOCUS}\"/>\
         </addConference></response>"
    );
    let events = client.take(&accept(&sent, "", &body));
    let created = Event::Created(FOCUS.to_owned());
    assert_eq!(events, [created, finished(Operation::Create, Ok(()))]);
}

#[test]
fn a_failure_of_the_service_is_told_with_its_reason() {
    let mut client = member();
    let Client { env, link, endpoint, .. } = &mut client;
    endpoint.create_conference(env, link, pending(Operation::Create));
    let sent = client.written();
    let failure = "<response code=\"failure\" reason=\"notAllowed\"/>";
    let refused = Event::Refused("notAllowed".to_owned());
    let events = client.take(&accept(&sent, "", failure));
    assert_eq!(events, [refused, finished(Operation::Create, Err(Cause::Refused))]);

    let Client { env, link, endpoint, .. } = &mut client;
    endpoint.join(env, link, FOCUS, pending(Operation::Focus));
    let sent = client.written();
    let refused = Event::Refused("notAllowed".to_owned());
    let events = client.take(&accept(&sent, &format!("Contact: <sip:{FOCUS}>\n"), failure));
    assert_eq!(events, [refused, finished(Operation::Focus, Err(Cause::Refused))]);
    assert!(client.written().starts_with("ACK "));
    assert!(client.endpoint.dialogs.is_empty());
}

#[test]
fn a_member_comes_in_as_on_the_wire() {
    let mut client = member();
    let contact = |uri: &str| format!("Contact: <sip:{uri}>;isfocus\n");
    let Client { env, link, endpoint, .. } = &mut client;
    endpoint.join(env, link, FOCUS, pending(Operation::Focus));
    let sent = String::from_utf8(client.link.out.clone()).unwrap();
    assert_eq!(
        as_on_the_wire(&mut client),
        format!(
            "INVITE sip:{FOCUS} SIP/2.0\nVia: SIP/2.0/tcp 127.0.0.2:4444\n\
             From: <sip:user0000000@example.test>;tag=STEMs1;epid=EPID\nTo: <sip:{FOCUS}>\n\
             Max-Forwards: 70\nCSeq: 1 INVITE\nUser-Agent: loadgen (ms)\nCall-ID: s1.STEM\n\
             Supported: ms-sender\nContact: <{GRUU}>\nContent-Type: application/cccp+xml\n\
             Content-Length: 684\n\n\
             <?xml version=\"1.0\"?><request xmlns=\"urn:ietf:params:xml:ns:cccp\" \
             xmlns:mscp=\"http://schemas.microsoft.com/rtc/2005/08/cccpextensions\" \
             C3PVersion=\"1\" to=\"sip:{FOCUS}\" from=\"sip:user0000000@example.test\" \
             requestId=\"1\"><addUser><conferenceKeys confEntity=\"sip:{FOCUS}\"/>\
             <ci:user xmlns:ci=\"urn:ietf:params:xml:ns:conference-info\" \
             entity=\"sip:user0000000@example.test\"><ci:roles><ci:entry>attendee</ci:entry>\
             </ci:roles><ci:endpoint entity=\"{{UUID}}\" \
             xmlns:msci=\"http://schemas.microsoft.com/rtc/2005/08/confinfoextensions\"/>\
             </ci:user></addUser></request>"
        )
    );
    let added = "<response code=\"success\"><addUser/></response>";
    let events = client.take(&accept(&sent, &contact(FOCUS), added));
    assert_eq!(events, [finished(Operation::Focus, Ok(()))]);
    assert!(client.written().starts_with(&format!("ACK sip:{FOCUS} SIP/2.0\r\n")));

    let Client { env, link, endpoint, .. } = &mut client;
    endpoint.watch_conference(env, link, FOCUS, pending(Operation::Subscribe));
    let sent = String::from_utf8(client.link.out.clone()).unwrap();
    assert_eq!(
        as_on_the_wire(&mut client),
        format!(
            "SUBSCRIBE sip:{FOCUS} SIP/2.0\n\
             Via: SIP/2.0/tcp 127.0.0.2:4444;branch=z9hG4bKSTEMw1w1\n\
             From: <sip:user0000000@example.test>;tag=STEMw1;epid=EPID\nTo: <sip:{FOCUS}>\n\
             Max-Forwards: 70\nCSeq: 1 SUBSCRIBE\nUser-Agent: loadgen (ms)\nCall-ID: w1.STEM\n\
             Event: conference\nAccept: application/conference-info+xml\n\
             Supported: com.microsoft.autoextend\nSupported: ms-benotify\n\
             Proxy-Require: ms-benotify\nSupported: ms-piggyback-first-notify\n\
             Contact: <{GRUU}>\nContent-Length: 0\n\n"
        )
    );
    let info = format!("<entry><uri>sip:{CHAT}</uri><purpose>chat</purpose></entry>");
    let events = client.take(&accept(&sent, &contact(FOCUS), &info));
    let chat = Event::Chat(CHAT.to_owned());
    assert_eq!(events, [chat, finished(Operation::Subscribe, Ok(()))]);

    let Client { env, link, endpoint, .. } = &mut client;
    endpoint.chat(env, link, CHAT, pending(Operation::Invite));
    let sent = String::from_utf8(client.link.out.clone()).unwrap();
    assert_eq!(
        as_on_the_wire(&mut client),
        format!(
            "INVITE sip:{CHAT} SIP/2.0\nVia: SIP/2.0/tcp 127.0.0.2:4444\n\
             From: <sip:user0000000@example.test>;tag=STEMs2;epid=EPID\nTo: <sip:{CHAT}>\n\
             Max-Forwards: 70\nCSeq: 1 INVITE\nUser-Agent: loadgen (ms)\nCall-ID: s2.STEM\n\
             Supported: ms-sender\nContact: <{GRUU}>\nContent-Type: application/sdp\n\
             Content-Length: 216\n\n\
             v=0\no=- 0 0 IN IP4 127.0.0.2\ns=session\nc=IN IP4 127.0.0.2\nt=0 0\n\
             m=message 5061 sip null\na=accept-types:text/plain text/html image/gif \
             application/im-iscomposing+xml application/ms-imdn+xml text/x-msmsgsinvite\n"
        )
    );
    client.take(&accept(&sent, &contact(CHAT), ""));
    assert!(client.written().starts_with(&format!("ACK sip:{CHAT} SIP/2.0\r\n")));
}

/// A member with both dialogs.
fn seated() -> Client {
    let mut client = member();
    let Client { env, link, endpoint, .. } = &mut client;
    endpoint.join(env, link, FOCUS, pending(Operation::Focus));
    let sent = client.written();
    let added = "<response code=\"success\"/>";
    client.take(&accept(&sent, &format!("Contact: <sip:{FOCUS}>\n"), added));
    let Client { env, link, endpoint, .. } = &mut client;
    endpoint.chat(env, link, CHAT, pending(Operation::Invite));
    let sent = client.written();
    let sent = &sent[sent.find("INVITE").unwrap()..];
    client.take(&accept(sent, &format!("Contact: <sip:{CHAT}>\n"), ""));
    client.written();
    client
}

#[test]
fn messages_go_to_the_chat_and_not_to_the_focus() {
    let mut client = seated();
    for number in 1..=3 {
        let Client { env, link, endpoint, .. } = &mut client;
        let stamp = Stamp { run: 7, pair: 0, number, intended: Moment(0) };
        assert!(endpoint.message_in_session(env, link, &stamp, 0).is_some_and(|r| r.is_ok()));
        let sent = client.written();
        assert!(sent.starts_with(&format!("MESSAGE sip:{CHAT} SIP/2.0\r\n")), "{sent}");
    }
}

#[test]
fn a_message_must_name_its_author() {
    let stamp = Stamp { run: 7, pair: 1, number: 1, intended: Moment(5) };
    let text = "lg 7 1 1 5 ";
    for (sender, attributed) in [
        ("Ms-Sender: <sip:user0000001@example.test>\n", true),
        ("Ms-Sender: sip:user0000001@example.test\n", true),
        ("Ms-Sender: <sip:user0000000@example.test>\n", false),
        ("Ms-Sender: <sip:chat@example.test>\n", false),
        ("", false),
    ] {
        let mut client = seated();
        let tag = format!(";tag={}s2", String::from_utf8(client.endpoint.stem.clone()).unwrap());
        let call_id = format!("s2.{}", String::from_utf8(client.endpoint.stem.clone()).unwrap());
        let length = format!("Content-Length: {}\n\n{text}", text.len());
        let message = request("MESSAGE", &tag, &call_id, sender);
        let events = client.take(&message.replace("Content-Length: 0\n\n", &length));
        let event = if attributed { Event::Arrived } else { Event::Misattributed };
        assert_eq!(events, [event(stamp)], "{sender}");
        assert!(client.written().starts_with("SIP/2.0 200 OK\r\n"));
    }
}

#[test]
fn a_delivery_report_is_counted_and_not_answered() {
    let mut client = seated();
    let stem = String::from_utf8(client.endpoint.stem.clone()).unwrap();
    client.take(&request("BENOTIFY", &format!(";tag={stem}s2"), &format!("s2.{stem}"), ""));
    assert_eq!((client.seen.reports, client.written()), (1, String::new()));
}
