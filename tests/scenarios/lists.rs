//! Lists and the packages about the subscriber himself: RFC 5367 lists, changes of a batch, who
//! watches, who added whom, how the server is used, privacy.

use crate::harness::client::uri;
use crate::harness::presence::{availability, batch_body, ok};
use crate::harness::{Client, Net, Request, Text};

/// The documents of a list, by user.
fn documents(told: &Text) -> Vec<String> {
    told.body().split("<presence ").skip(1).map(str::to_owned).collect()
}

fn list(client: &mut Client, users: &[&str]) -> Request {
    let entries: String =
        users.iter().map(|user| format!("<entry uri=\"{}\"/>", uri(user))).collect();
    let own = uri(&client.user);
    client
        .request("SUBSCRIBE", &own)
        .header("Event", "presence")
        .header("Expires", "600")
        .header("Require", "recipient-list-subscribe")
        .header("Supported", "eventlist")
        .header("Accept", "application/pidf+xml, application/rlmi+xml, multipart/related")
        .body(
            "application/resource-lists+xml",
            &format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><resource-lists \
                 xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>{entries}</list>\
                 </resource-lists>"
            ),
        )
}

#[test]
fn a_standard_client_watches_a_list_it_brings_along() {
    let mut net = Net::new(4);
    let mut alice = Client::simple(&mut net, 3, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = list(&mut alice, &["bob", "carol", "nobody"]);
    let accepted = ok(&mut net, alice.conn, &request);
    assert_eq!(accepted.body(), "");
    let first = net.recv(alice.conn);
    assert!(first.header("Content-Type").starts_with("multipart/related"), "{first:?}");
    assert!(first.body().contains("fullState=\"true\""), "{first:?}");
    assert!(first.body().contains("version=\"0\""), "{first:?}");
    assert_eq!(documents(&first).len(), 2, "{first:?}");
    assert!(first.body().contains("state=\"terminated\""), "{first:?}");
    ok(&mut net, bob.conn, &bob.publish_state(6500, 0));
    net.silent(&[alice.conn]);
    net.send(alice.conn, &first.answer(200, ""));
    let second = net.recv(alice.conn);
    assert!(second.body().contains("fullState=\"false\""), "{second:?}");
    assert!(second.body().contains("version=\"1\""), "{second:?}");
    let told = documents(&second);
    assert_eq!(told.len(), 1, "only who has changed: {second:?}");
    assert!(told[0].contains("sip:bob@example.test") && told[0].contains("busy"), "{second:?}");
    net.send(alice.conn, &second.answer(200, ""));
    let mut foreign = list(&mut alice, &["bob"]);
    foreign = foreign.without("Content-Type").header("Content-Type", "text/plain");
    assert_eq!(net.ask(alice.conn, &foreign).status(), 415);
    let mut carol = Client::simple(&mut net, 0, "carol");
    let other = list(&mut carol, &["bob", "alice"]);
    let octets = String::from_utf8(other.octets()).unwrap();
    let octets = octets.replacen("SUBSCRIBE sip:carol@", "SUBSCRIBE sip:bob@", 1);
    net.send_octets(carol.conn, octets.as_bytes());
    assert_eq!(net.recv(carol.conn).status(), 403, "lists are the user's own");
}

#[test]
fn a_batch_grows_and_shrinks_in_its_dialog() {
    let mut net = Net::new(4);
    let mut alice = Client::lync(&mut net, 3, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let mut carol = Client::lync(&mut net, 1, "carol");
    let first = alice.batch(&["bob"]);
    let accepted = ok(&mut net, alice.conn, &first);
    let batch = "application/msrtc-adrl-categorylist+xml";
    let resource = |user: &str| format!("<adhocList><resource uri=\"{}\"/></adhocList>", uri(user));
    let body = batch_body(&uri("alice"), &resource("carol"), "subscribe");
    let more = alice.again(&first, &accepted, 2, 7200).body(batch, &body);
    let answer = ok(&mut net, alice.conn, &more);
    assert!(answer.body().contains("sip:carol@example.test"), "{answer:?}");
    ok(&mut net, carol.conn, &carol.publish_state(6500, 0));
    assert_eq!(availability(net.recv(alice.conn).body()), Some(6500));
    ok(&mut net, bob.conn, &bob.publish_state(9500, 0));
    assert_eq!(availability(net.recv(alice.conn).body()), Some(9500), "and bob still");
    let body = batch_body(&uri("alice"), &resource("bob"), "unsubscribe");
    let less = alice.again(&first, &accepted, 3, 7200).body(batch, &body);
    ok(&mut net, alice.conn, &less);
    net.pass_s(1);
    ok(&mut net, bob.conn, &bob.publish_state(6500, 1));
    net.silent(&[alice.conn]);
    let refresh = alice.again(&first, &accepted, 4, 7200);
    let answer = ok(&mut net, alice.conn, &refresh);
    assert!(answer.body().contains("sip:carol@example.test"), "{answer:?}");
    assert!(!answer.body().contains("sip:bob@example.test"), "{answer:?}");
}

#[test]
fn a_user_sees_who_watches_him() {
    let mut net = Net::new(2);
    let mut bob = Client::simple(&mut net, 0, "bob");
    let mut alice = Client::lync(&mut net, 1, "alice");
    let own = uri("bob");
    let request =
        bob.request("SUBSCRIBE", &own).header("Event", "presence.winfo").header("Expires", "600");
    ok(&mut net, bob.conn, &request);
    let first = net.recv(bob.conn);
    assert_eq!(first.header("Content-Type"), "application/watcherinfo+xml");
    assert!(!first.body().contains("alice"), "{first:?}");
    net.send(bob.conn, &first.answer(200, ""));
    let request = alice.batch(&["bob"]);
    ok(&mut net, alice.conn, &request);
    let second = net.recv(bob.conn);
    assert!(second.body().contains("sip:alice@example.test"), "{second:?}");
    net.send(bob.conn, &second.answer(200, ""));
    net.close(alice.conn);
    net.pass_s(5);
    let third = net.recv(bob.conn);
    assert!(!third.body().contains("alice"), "{third:?}");
    let mut carol = Client::simple(&mut net, 1, "carol");
    let foreign = carol.request("SUBSCRIBE", &own).header("Event", "presence.winfo");
    assert_eq!(net.ask(carol.conn, &foreign).status(), 403, "nobody else does");
}

#[test]
fn older_packages_tell_the_same() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = alice.batch_added("bob");
    ok(&mut net, alice.conn, &request);
    ok(&mut net, bob.conn, &bob.set_members(&[(32_000, 0, "add", "carol")]));
    let request = bob.subscribe_own("presence.wpending");
    let answer = ok(&mut net, bob.conn, &request);
    assert!(answer.body().contains("alice@example.test"), "{answer:?}");
    let request = bob.subscribe_own("vnd-microsoft-roaming-ACL");
    let answer = ok(&mut net, bob.conn, &request);
    assert!(answer.body().contains("carol@example.test"), "{answer:?}");
}

#[test]
fn provisioning_answers_what_was_asked_once() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let request = alice
        .piggyback("vnd-microsoft-provisioning-v2", "sip:alice@example.test")
        .header("Expires", "0")
        .body(
            "application/vnd-microsoft-roaming-provisioning-v2+xml",
            "<provisioningGroupList \
             xmlns=\"http://schemas.microsoft.com/2006/09/sip/provisioninggrouplist\"> \
             <provisioningGroup name=\"ServerConfiguration\"/> <provisioningGroup \
             name=\"persistentChatConfiguration\"/></provisioningGroupList>",
        );
    let answer = ok(&mut net, alice.conn, &request);
    assert_eq!(answer.header("Subscription-State"), "terminated;expires=0");
    let factory = "<provisionGroup name=\"ServerConfiguration\"><focusFactoryUri>\
        sip:alice@example.test;gruu;opaque=app:conf:focusfactory</focusFactoryUri>";
    assert!(answer.body().contains(factory), "{answer:?}");
    assert!(!answer.body().contains("name=\"meetingPolicy\""), "{answer:?}");
    let broken = alice
        .piggyback("vnd-microsoft-provisioning-v2", "sip:alice@example.test")
        .header("Expires", "0")
        .body("application/vnd-microsoft-roaming-provisioning-v2+xml", "<x>");
    assert_eq!(net.ask(alice.conn, &broken).status(), 400);
}

#[test]
fn in_privacy_mode_only_contacts_see_more_than_a_name() {
    let mut net = Net::with(2, |settings| {
        let policies = mynah::config::parse("[policy.default]\nprivacy = true\n").unwrap();
        settings.policies = policies.policies;
    });
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = alice.batch(&["bob"]);
    let answer = ok(&mut net, alice.conn, &request);
    assert_eq!(availability(answer.body()), Some(0), "unknown: {answer:?}");
    assert!(answer.body().contains("<email>bob@example.test</email>"), "{answer:?}");
    let add = bob.soap(
        "setContact",
        "<m:displayName/><m:groups>1</m:groups><m:subscribed>true</m:subscribed>\
         <m:URI>sip:alice@example.test</m:URI><m:externalURI/><m:deltaNum>1</m:deltaNum>",
    );
    ok(&mut net, bob.conn, &add);
    assert_eq!(availability(net.recv(alice.conn).body()), Some(3500), "a contact now");
    let remove = bob.soap("deleteContact", "<m:URI>sip:alice@example.test</m:URI>");
    ok(&mut net, bob.conn, &remove);
    let told = net.recv(alice.conn);
    assert_eq!(availability(told.body()), Some(0), "taken back: {told:?}");
}

#[test]
fn all_of_it_is_signed_for_who_signs() {
    let mut net = Net::ntlm(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = alice.batch(&["bob"]);
    ok(&mut net, alice.conn, &request);
    let request = bob.subscribe_own("vnd-microsoft-roaming-self");
    ok(&mut net, bob.conn, &request);
    ok(&mut net, bob.conn, &bob.publish_state(6500, 0));
    let told = net.recv(alice.conn);
    assert_eq!((told.method(), availability(told.body())), ("BENOTIFY", Some(6500)));
    let add = alice.batch_added("bob");
    ok(&mut net, alice.conn, &add);
    assert!(net.recv(bob.conn).body().contains("acknowledged=\"false\""));
}
