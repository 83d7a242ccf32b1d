//! What users write and the clients they use under a policy: links, files, versions.

use mynah::base::limits::Limit;
use mynah::metrics::names::Series;

use crate::harness::client::{LYNC_TEXT, SDP, TYPING};
use crate::harness::{Client, Device, Net, Request, Text, established};

/// Shards with these policies.
fn net(shards: u16, policies: &str) -> Net {
    Net::with(shards, |settings| {
        let read = mynah::config::parse(policies).unwrap_or_else(|e| panic!("{e}: {policies}"));
        settings.policies = read.policies;
        settings.limits = read.limits;
    })
}

const ALLOW: &str = "[policy.default.im_filter]\naction = \"allow\"\n";
const BLOCK: &str = "[policy.default.im_filter]\naction = \"block\"\n";
const WARN: &str = "[policy.default.im_filter]\naction = \"warn\"\n\
    warn_message = \"Careful with links.\"\n";

/// The refusal of a message, in the words of this code.
#[track_caller]
fn is_refused(answer: &Text, status: u16, code: u32, reason: &str) {
    assert_eq!(answer.status(), status, "{answer:?}");
    let source = "fe01.example.test";
    let diagnostics = format!("{code};reason=\"{reason}\";source=\"{source}\"");
    assert_eq!(answer.header("ms-diagnostics"), diagnostics);
    if status == 606 {
        // By this the Lync client knows that it was the content.
        assert_eq!(answer.header("Warning"), format!("309 {source} \"{reason}\""));
    }
}

#[test]
fn a_link_is_blocked_in_a_session_and_the_session_goes_on() {
    for (shards, here, there) in [(1, 0, 0), (2, 0, 1), (4, 3, 1)] {
        let mut net = net(shards, BLOCK);
        let mut alice = Client::lync(&mut net, here, "alice");
        let mut bob = Client::lync(&mut net, there, "bob");
        let (mut callers, mut callees) = established(&mut net, &mut alice, &mut bob);
        let refused = net.ask(alice.conn, &alice.say(&mut callers, "see http://a.test"));
        is_refused(&refused, 606, 52101, "The message contains a link, which is not allowed");
        net.silent(&[bob.conn]);
        let refused = net.ask(bob.conn, &bob.say(&mut callees, "www.a.test"));
        assert_eq!(refused.status(), 606);
        net.silent(&[alice.conn]);

        let message = alice.say(&mut callers, "see me tomorrow");
        net.send(alice.conn, &message);
        let received = net.recv(bob.conn);
        assert_eq!(received.body(), "see me tomorrow");
        net.send(bob.conn, &received.answer(200, ""));
        assert_eq!(net.recv(alice.conn).status(), 200);
        let typing = bob.within(&mut callees, "INFO").body("application/xml", TYPING);
        net.send(bob.conn, &typing);
        let received = net.recv(alice.conn);
        assert_eq!(received.body(), TYPING);
        net.send(alice.conn, &received.answer(200, ""));
        assert_eq!(net.recv(bob.conn).status(), 200);

        alice.bye(&mut net, &mut callers, &bob);
        assert_eq!(net.conversation().1.end.messages_from_caller, 1);
        assert_eq!(net.value(Series::MessagesBlocked), 2);
        assert_eq!(net.value(Series::MessagesChanged), 0);
        net.at_rest();
    }
}

#[test]
fn a_changed_message_differs_in_its_body_and_length_alone() {
    let mut net = net(2, WARN);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.send(alice.conn, &alice.say(&mut callers, "plain words"));
    let plain = net.recv(bob.conn);
    net.send(bob.conn, &plain.answer(200, ""));
    net.recv(alice.conn);
    let message = alice.say(&mut callers, "see http://a.test");
    net.send(alice.conn, &message);
    let changed = net.recv(bob.conn);
    let body = "Careful with links.\r\nsee http://a.test";
    assert_eq!(changed.body(), body);
    assert_eq!(changed.headers("Content-Length"), [body.len().to_string()]);
    assert_eq!(changed.headers("Content-Type"), [LYNC_TEXT]);
    let names = |text: &Text| text.lines().map(|(n, _)| n.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&changed), names(&plain));
    net.send(bob.conn, &changed.answer(200, ""));
    let answer = net.recv(alice.conn);
    assert_eq!((answer.status(), answer.cseq()), (200, callers.cseq));
    assert_eq!(net.value(Series::MessagesChanged), 1);
    assert_eq!(net.value(Series::SessionMessages), 2);
}

#[test]
fn pager_mode_is_filtered_alike() {
    let mut net = net(4, ALLOW);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let bob = Client::simple(&mut net, 3, "bob");
    net.send(alice.conn, &alice.page("bob", "see http://a.test"));
    let received = net.recv(bob.conn);
    assert_eq!((received.body(), received.header("Content-Length")), ("see _http://a.test", "18"));
    net.send(bob.conn, &received.answer(200, "b"));
    assert_eq!(net.recv(alice.conn).status(), 200);
    net.at_rest();

    let mut net = self::net(2, BLOCK);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let bob = Client::simple(&mut net, 1, "bob");
    let refused = net.ask(alice.conn, &alice.page("bob", "see http://a.test"));
    assert_eq!(refused.status(), 606);
    let warning = "309 fe01.example.test \"The message contains a link, which is not allowed\"";
    assert_eq!(refused.header("Warning"), warning);
    assert!(!refused.has("ms-diagnostics"));
    net.silent(&[bob.conn]);
    assert!(net.records.is_empty(), "nobody talked");
    net.at_rest();
}

#[test]
fn the_bridge_carries_what_the_filter_made_of_a_message() {
    let mut net = net(2, ALLOW);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::simple(&mut net, 1, "bob");
    net.send(bob.conn, &bob.page("alice", "see http://a.test"));
    let (answer, mut dialog) = alice.accept(&net.recv(alice.conn));
    net.send(alice.conn, &answer);
    assert_eq!(net.recv(alice.conn).method(), "ACK");
    let received = net.recv(alice.conn);
    assert_eq!(received.body(), "see _http://a.test");
    net.send(alice.conn, &received.answer(200, ""));
    assert_eq!(net.recv(bob.conn).status(), 200);
    net.send(alice.conn, &alice.say(&mut dialog, "www.a.test?"));
    assert_eq!(net.recv(bob.conn).body(), "_www.a.test?");
}

#[test]
fn a_message_that_proves_whose_connection_it_is_is_filtered_too() {
    let mut net = net(2, BLOCK);
    let bob = Client::simple(&mut net, 1, "bob");
    let mut alice = Client::on(&mut net, 0, Device { user: "alice", ms: false, number: 0 });
    let message = alice.page("bob", "www.a.test");
    let challenge = net.ask(alice.conn, &message);
    assert_eq!(challenge.status(), 407);
    assert_eq!(net.ask(alice.conn, &alice.prove(message, &challenge, "secret")).status(), 606);
    net.silent(&[bob.conn]);
}

#[test]
fn the_policy_of_the_sender_counts() {
    let mut net = net(2, "[policy.guests.im_filter]\naction = \"block\"\n");
    net.put_user("alice", |user| user.policy = "guests".to_owned());
    net.put_user("carol", |user| user.policy = "gone".to_owned());
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let mut carol = Client::simple(&mut net, 1, "carol");
    let (mut callers, mut callees) = established(&mut net, &mut alice, &mut bob);
    assert_eq!(net.ask(alice.conn, &alice.say(&mut callers, "www.a.test")).status(), 606);
    net.send(bob.conn, &bob.say(&mut callees, "www.a.test"));
    let received = net.recv(alice.conn);
    assert_eq!(received.body(), "www.a.test");
    net.send(alice.conn, &received.answer(200, ""));
    assert_eq!(net.recv(bob.conn).status(), 200);
    net.send(carol.conn, &carol.page("carol", "www.a.test"));
    assert_eq!(net.recv(carol.conn).status(), 480, "not refused for the link");
}

#[test]
fn a_new_policy_holds_from_the_next_refresh_on() {
    let mut net = net(2, "[policy.guests.im_filter]\naction = \"block\"\n");
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.put_user("alice", |user| user.policy = "guests".to_owned());
    assert_eq!(net.ask(alice.conn, &alice.register()).status(), 200);
    assert_eq!(net.ask(alice.conn, &alice.say(&mut callers, "www.a.test")).status(), 606);
    net.put_user("alice", |_| {});
    assert_eq!(net.ask(alice.conn, &alice.register()).status(), 200);
    net.send(alice.conn, &alice.say(&mut callers, "www.a.test"));
    assert_eq!(net.recv(bob.conn).body(), "www.a.test");
}

/// An INVITE with the first words in it, as the Lync client sends it.
fn invite_with_words(alice: &mut Client) -> Request {
    let words = "text/plain; charset=UTF-8;msgr=WAAt;ms-body=aHR0cDovL2EudGVzdA==";
    alice.invite("bob").header("ms-text-format", words)
}

#[test]
fn no_words_pass_the_filter_in_an_invitation() {
    for (policy, passes) in [("", true), (ALLOW, false), (BLOCK, false), (WARN, false)] {
        let mut net = net(2, policy);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, 1, "bob");
        let invite = invite_with_words(&mut alice);
        net.send(alice.conn, &invite);
        assert_eq!(net.recv(alice.conn).status(), 100);
        let received = net.recv(bob.conn);
        assert_eq!(received.has("ms-text-format"), passes, "{policy}");
        assert_eq!((received.method(), received.body()), ("INVITE", SDP));
        let (answer, _) = bob.accept(&received);
        net.send(bob.conn, &answer);
        let accepted = net.recv(alice.conn);
        assert_eq!(accepted.status(), 200);
        // The client takes this for "the words have arrived".
        assert!(!accepted.has("Supported"));
        let mut dialog = alice.dialog(&invite, &accepted);
        net.send(alice.conn, &alice.ack(&dialog));
        assert_eq!(net.recv(bob.conn).method(), "ACK");
        net.send(alice.conn, &alice.say(&mut dialog, "http://a.test"));
        match policy {
            BLOCK => assert_eq!(net.recv(alice.conn).status(), 606),
            _ => assert!(net.recv(bob.conn).body().contains("http://a.test")),
        }
        assert_eq!(net.value(Series::MessagesChanged), u64::from([ALLOW, WARN].contains(&policy)));
    }
}

#[test]
fn what_leaves_a_filter_is_signed_for_who_signed_in_by_ntlm() {
    let mut net = Net::with(2, |settings| {
        settings.policies = mynah::config::parse(ALLOW).unwrap().policies;
        settings.lync_auth = vec![mynah::config::AuthMethod::Ntlm];
    });
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.send(alice.conn, &alice.say(&mut callers, "http://a.test"));
    let received = net.recv(bob.conn);
    assert_eq!(received.body(), "_http://a.test");
    assert!(!received.has("Authorization"));
    net.send(bob.conn, &received.answer(200, ""));
    assert_eq!(net.recv(alice.conn).status(), 200);
    assert!(net.is_open(alice.conn) && net.is_open(bob.conn));
}

#[test]
fn files_are_blocked_in_offers_and_links() {
    let mut net = net(2, "[policy.default.file_filter]\naction = \"listed\"\n");
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    let reason = "The message names a file of a kind that is not allowed";
    let mut offer = |name: &str| {
        let body = format!(
            "Application-Name: File Transfer\r\nInvitation-Command: INVITE\r\n\
             Application-File: {name}\r\nApplication-FileSize: 7\r\n"
        );
        alice.within(&mut callers, "MESSAGE").body("text/x-msmsgsinvite; charset=UTF-8", &body)
    };
    let (bad, good) = (offer("setup.exe"), offer("notes.txt"));
    is_refused(&net.ask(alice.conn, &bad), 606, 52102, reason);
    net.silent(&[bob.conn]);
    net.send(alice.conn, &good);
    assert!(net.recv(bob.conn).body().contains("notes.txt"));
    let link = alice.say(&mut callers, "http://a.test/setup.exe");
    is_refused(&net.ask(alice.conn, &link), 606, 52102, reason);
    net.send(alice.conn, &alice.say(&mut callers, "http://a.test/"));
    assert_eq!(net.recv(bob.conn).body(), "http://a.test/");
}

#[test]
fn more_links_than_the_bound_block_a_message() {
    let mut net = net(1, &format!("{ALLOW}[limits]\nlinks_per_message_max = 2\n"));
    let mut alice = Client::simple(&mut net, 0, "alice");
    let bob = Client::simple(&mut net, 0, "bob");
    net.send(alice.conn, &alice.page("bob", "www.a.test www.b.test"));
    assert_eq!(net.recv(bob.conn).body(), "_www.a.test _www.b.test");
    let refused = net.ask(alice.conn, &alice.page("bob", "www.a.test www.b.test www.c.test"));
    assert_eq!(refused.status(), 606);
    assert!(refused.header("Warning").contains("too many links"));
    assert_eq!(net.hits(Limit::LinksPerMessage), 1);
}

#[test]
fn a_message_that_is_too_long_with_its_notice_is_refused() {
    let mut net = net(1, &format!("{WARN}[limits]\nsip_body_bytes_max = 400\n"));
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    let fits = format!("http://a.test {}", "x".repeat(350));
    net.send(alice.conn, &alice.say(&mut callers, &fits));
    assert!(net.recv(bob.conn).body().ends_with(&fits));
    let long = format!("http://a.test {}", "x".repeat(386));
    let refused = net.ask(alice.conn, &alice.say(&mut callers, &long));
    is_refused(&refused, 413, 52105, "The message is too long for the notice it must carry");
    assert_eq!(net.hits(Limit::SipBodyBytes), 1);
}

#[test]
fn what_the_filter_cannot_read_goes_no_further() {
    let mut net = net(1, ALLOW);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    let reason = "The message is of a form that is not allowed";
    let packed = alice.say(&mut callers, "x").header("Content-Encoding", "gzip");
    is_refused(&net.ask(alice.conn, &packed), 606, 52104, reason);
    let wide = alice.within(&mut callers, "MESSAGE").body("text/plain; charset=utf-16", "x");
    is_refused(&net.ask(alice.conn, &wide), 606, 52104, reason);
    net.silent(&[bob.conn]);
}

const OLD_PIDGIN: &str = "[policy.default.client_filter]\nrules = [\n\
    { user_agent = \"Sipe\", operator = \"<\", version = \"1.26\", action = \"block\", \
    text = \"Get a newer client at https://example.test/clients\" },\n\
    { user_agent = \"baresip\", operator = \"=\", version = \"3.*\", action = \"allow\", \
    text = \"Version 4 is out\" }]\n";

#[test]
fn a_client_that_may_not_sign_in_is_told_why_and_is_not_in() {
    for shards in [1, 2, 4] {
        let mut net = net(shards, OLD_PIDGIN);
        let device = Device { user: "alice", ms: true, number: 0 };
        let mut alice = Client::on(&mut net, 0, device);
        let refused = alice.sign_in(&mut net);
        assert_eq!(refused.status(), 403);
        let words = "Get a newer client at https://example.test/clients";
        assert_eq!(refused.header("Warning"), format!("399 fe01.example.test \"{words}\""));
        let public = format!("52106;reason=\"{words}\"");
        assert_eq!(refused.header("ms-diagnostics-public"), public);
        assert_eq!(net.value(Series::ClientsRefused), 1);
        assert_eq!(net.value(Series::EndpointsCurrent), 0);
        // Nobody's connection: what comes on it must prove itself again, and is refused again.
        let message = alice.page("bob", "hello");
        let challenge = net.ask(alice.conn, &message);
        assert_eq!(challenge.status(), 407);
        let again = alice.prove(message, &challenge, "secret");
        assert_eq!(net.ask(alice.conn, &again).status(), 403);
        net.at_rest();
        net.pass_s(31);
        assert!(!net.is_open(alice.conn), "who does not sign in is not waited for");
    }
}

#[test]
fn a_client_that_may_sign_in_is_told_what_the_policy_says_to_it() {
    let mut net = net(2, OLD_PIDGIN);
    let mut bob = Client::on(&mut net, 1, Device { user: "bob", ms: false, number: 0 });
    let accepted = bob.sign_in(&mut net);
    assert_eq!(accepted.status(), 200);
    assert_eq!(accepted.header("Warning"), "399 fe01.example.test \"Version 4 is out\"");
    let mut newer = Client::on(&mut net, 1, Device { user: "carol", ms: false, number: 0 });
    let register = newer.register().with("User-Agent", "baresip v4.0.0");
    let challenge = net.ask(newer.conn, &register);
    let accepted = net.ask(newer.conn, &newer.prove(register, &challenge, "secret"));
    assert_eq!(accepted.status(), 200);
    assert!(!accepted.has("Warning"));
}

#[test]
fn who_is_in_stays_in_until_he_connects_again() {
    let rules = OLD_PIDGIN.replace("policy.default", "policy.strict");
    let mut net = net(2, &rules);
    let mut alice = Client::lync(&mut net, 0, "alice");
    net.put_user("alice", |user| user.policy = "strict".to_owned());
    assert_eq!(net.ask(alice.conn, &alice.register()).status(), 200, "a refresh");
    let mut elsewhere = Client::on(&mut net, 1, Device { user: "alice", ms: true, number: 1 });
    assert_eq!(elsewhere.sign_in(&mut net).status(), 403);
    let bye = alice.register().header("Expires", "0");
    assert_eq!(net.ask(alice.conn, &bye).status(), 200, "everybody may leave");
    net.close(alice.conn);
    let mut again = Client::on(&mut net, 0, Device { user: "alice", ms: true, number: 0 });
    assert_eq!(again.sign_in(&mut net).status(), 403);
    assert_eq!(net.value(Series::ClientsRefused), 2);
    net.at_rest();
}

#[test]
fn a_default_that_blocks_lets_only_those_in_whom_a_rule_allows() {
    let mut net = net(
        1,
        "[policy.default.client_filter]\ndefault = \"block\"\n\
         [[policy.default.client_filter.rules]]\nuser_agent = \"Sipe\"\noperator = \">=\"\n\
         version = \"1.25\"\naction = \"allow\"\n",
    );
    Client::lync(&mut net, 0, "alice");
    let mut bob = Client::on(&mut net, 0, Device { user: "bob", ms: false, number: 0 });
    let refused = bob.sign_in(&mut net);
    assert_eq!(refused.status(), 403);
    let warning = "399 fe01.example.test \"This client or its version is not allowed\"";
    assert_eq!(refused.header("Warning"), warning);
}
