//! The contact list: edits, other endpoints, the store.

use mynah::base::limits::Limit;
use mynah::shard::durable::NotWritten;

use crate::harness::presence::ok;
use crate::harness::{Client, Device, Net};

const PACKAGE: &str = "vnd-microsoft-roaming-contacts";

fn set_contact(
    client: &mut Client,
    user: &str,
    name: &str,
    groups: &str,
) -> crate::harness::Request {
    client.soap(
        "setContact",
        &format!(
            "<m:displayName>{name}</m:displayName><m:groups>{groups}</m:groups>\
             <m:subscribed>true</m:subscribed><m:URI>sip:{user}@example.test</m:URI>\
             <m:externalURI /><m:deltaNum>1</m:deltaNum>"
        ),
    )
}

#[test]
fn edits_are_answered_and_told_to_every_endpoint() {
    let mut net = Net::new(2);
    let mut one = Client::device(&mut net, 0, Device { user: "alice", ms: true, number: 1 });
    let mut two = Client::device(&mut net, 1, Device { user: "alice", ms: true, number: 2 });
    for client in [&mut one, &mut two] {
        let request = client.subscribe_own(PACKAGE);
        let answer = ok(&mut net, client.conn, &request);
        assert_eq!(
            answer.body(),
            "<contactList deltaNum=\"1\"><group id=\"1\" name=\"~\" externalURI=\"\"/></contactList>"
        );
    }
    let request =
        one.soap("addGroup", "<m:name>Team</m:name><m:externalURI /><m:deltaNum>1</m:deltaNum>");
    let answer = ok(&mut net, one.conn, &request);
    assert!(answer.body().contains("<m:groupID>2</m:groupID>"), "{answer:?}");
    for client in [&one, &two] {
        let told = net.recv(client.conn);
        assert_eq!((told.method(), told.header("Event")), ("BENOTIFY", PACKAGE));
        assert!(told.body().contains("deltaNum=\"2\" prevDeltaNum=\"1\""), "{told:?}");
        assert!(told.body().contains("<addedGroup id=\"2\" name=\"Team\""), "{told:?}");
    }
    let request = set_contact(&mut two, "bob", "Bob &amp; Co", "2");
    ok(&mut net, two.conn, &request);
    for client in [&one, &two] {
        let told = net.recv(client.conn);
        assert!(told.body().contains("uri=\"sip:bob@example.test\""), "{told:?}");
        assert!(told.body().contains("name=\"Bob &amp; Co\""), "{told:?}");
    }
    let request = two.soap("deleteGroup", "<m:groupID>2</m:groupID><m:deltaNum>3</m:deltaNum>");
    ok(&mut net, two.conn, &request);
    let told = net.recv(one.conn);
    assert!(told.body().contains("<deletedGroup id=\"2\""), "{told:?}");
    net.restart();
    let mut one = Client::device(&mut net, 0, Device { user: "alice", ms: true, number: 1 });
    let request = one.subscribe_own(PACKAGE);
    let answer = ok(&mut net, one.conn, &request);
    assert!(answer.body().contains("deltaNum=\"4\""), "{answer:?}");
    assert!(answer.body().contains("uri=\"bob@example.test\""), "{answer:?}");
    assert!(answer.body().contains("groups=\"1\""), "in Other Contacts now: {answer:?}");
}

#[test]
fn nothing_is_answered_or_told_before_it_is_durable() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let request = alice.subscribe_own(PACKAGE);
    ok(&mut net, alice.conn, &request);
    net.shelf.held = true;
    let requests = ["bob", "carol"].map(|user| set_contact(&mut alice, user, "", "1"));
    for request in &requests {
        net.send(alice.conn, request);
    }
    net.silent(&[alice.conn]);
    assert_eq!(net.shelf.waiting(), 1, "one at a time");
    for number in [2, 3] {
        net.answer_write();
        net.settle();
        assert_eq!(net.recv(alice.conn).status(), 200);
        let told = net.recv(alice.conn);
        assert!(told.body().contains(&format!("deltaNum=\"{number}\"")), "{told:?}");
    }
    net.silent(&[alice.conn]);
}

#[test]
fn what_the_store_refuses_has_not_happened() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let request = alice.subscribe_own(PACKAGE);
    ok(&mut net, alice.conn, &request);
    net.shelf.fails = Some(NotWritten::Failing);
    let request = set_contact(&mut alice, "bob", "", "1");
    let refused = net.ask(alice.conn, &request);
    assert_eq!(refused.status(), 503);
    assert!(refused.has("Retry-After") && refused.has("ms-diagnostics"), "{refused:?}");
    net.silent(&[alice.conn]);
    net.shelf.fails = None;
    let request = alice.subscribe_own(PACKAGE);
    let answer = ok(&mut net, alice.conn, &request);
    assert!(answer.body().contains("deltaNum=\"1\"") && !answer.body().contains("bob"));
    let request = set_contact(&mut alice, "bob", "", "1");
    ok(&mut net, alice.conn, &request);
}

#[test]
fn unknown_groups_and_contacts_are_refused_and_bounds_are_kept() {
    let mut net = Net::limited(2, |limits| {
        limits.contacts_per_user_max = 1;
        limits.edits_waiting_per_user_max = 1;
    });
    let mut alice = Client::lync(&mut net, 0, "alice");
    for (method, arguments) in [
        ("deleteContact", "<m:URI>sip:bob@example.test</m:URI>"),
        ("deleteGroup", "<m:groupID>9</m:groupID>"),
        ("modifyGroup", "<m:groupID>9</m:groupID><m:name>x</m:name><m:externalURI/>"),
        ("noSuchMethod", ""),
    ] {
        let request = alice.soap(method, arguments);
        let refused = net.ask(alice.conn, &request);
        assert!((400..500).contains(&refused.status()), "{method}: {refused:?}");
        assert!(refused.has("ms-diagnostics"), "{refused:?}");
    }
    net.shelf.held = true;
    for user in ["bob", "carol", "dave"] {
        let request = set_contact(&mut alice, user, "", "1");
        net.send(alice.conn, &request);
    }
    net.settle();
    assert_eq!(net.recv(alice.conn).status(), 503, "two wait already");
    assert_eq!(net.hits(Limit::EditsWaiting), 1);
    net.answer_write();
    net.settle();
    assert_eq!(net.recv(alice.conn).status(), 200);
    let refused = net.recv(alice.conn);
    assert!((400..500).contains(&refused.status()), "one contact is the most: {refused:?}");
    assert_eq!(net.hits(Limit::Contacts), 1);
}

#[test]
fn the_directory_is_searched_on_every_shard() {
    let mut net = Net::new(4);
    let mut alice = Client::lync(&mut net, 2, "alice");
    net.put_user("bob", |user| {
        user.set_display_name("Bob Boyle").unwrap();
        user.person.department = "Bridges".into();
    });
    net.put_user("carol", |user| {
        user.set_display_name("Carol Boyle").unwrap();
    });
    let search = |attribute: &str, value: &str| {
        crate::harness::presence::soap_body(
            "directorySearch",
            &format!(
                "<m:filter m:href=\"#searchArray\"/><m:maxResults>100</m:maxResults>\
                 </m:directorySearch><m:Array xmlns:m=\"http://schemas.microsoft.com/winrtc/2002/11/sip\" \
                 m:id=\"searchArray\"><m:row m:attrib=\"{attribute}\" m:value=\"{value}\"/></m:Array>\
                 <m:directorySearch>"
            ),
        )
        .replace("<m:directorySearch></m:directorySearch>", "")
    };
    let ask = |body: &str, alice: &mut Client| {
        alice.request("SERVICE", "sip:example.test").body("application/SOAP+xml", body)
    };
    let request = ask(&search("displayName", "boy"), &mut alice);
    let answer = ok(&mut net, alice.conn, &request);
    assert!(answer.body().contains("sip:bob@example.test"), "{answer:?}");
    assert!(answer.body().contains("Carol Boyle"), "{answer:?}");
    assert!(answer.body().contains("<m:moreAvailable>false</m:moreAvailable>"), "{answer:?}");
    let request = ask(&search("displayName", "zzz"), &mut alice);
    let answer = ok(&mut net, alice.conn, &request);
    assert!(!answer.body().contains("sip:"), "{answer:?}");
}
