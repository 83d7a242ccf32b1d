//! What pidgin-sipe shows of links, files and versions that a policy does not like.

use crate::outside::server::{PASSWORD, Server};
use crate::pidgin_sipe::Purple;

/// A server with this policy for everybody, and two who talk under it.
fn talking(policy: &str) -> (Server, Purple, Purple) {
    let server = Server::serve(policy);
    let alice = Purple::signed_in(&server, &["alice"]);
    let bob = Purple::signed_in(&server, &["bob"]);
    (server, alice, bob)
}

#[test]
fn who_writes_a_blocked_link_is_told_and_nobody_sees_it() {
    let (server, mut alice, mut bob) = talking("[policy.default.im_filter]\naction = \"block\"\n");
    // The first message would travel in the invitation.
    alice.say("alice", "bob", "look at http://evil.test/");
    let told = [("acct", "alice"), ("text", "a hyperlink or other content that the system")];
    alice.wait("conv-system", &told);
    // The conversation goes on.
    alice.say("alice", "bob", "good morning");
    bob.wait("received-im", &[("acct", "bob"), ("text", "good morning")]);
    bob.say("bob", "alice", "see www.evil.test");
    bob.wait("conv-system", &[("acct", "bob"), ("text", "a hyperlink or other content")]);
    bob.say("bob", "alice", "good night");
    alice.wait("received-im", &[("acct", "alice"), ("text", "good night")]);
    for (client, user) in [(&alice, "alice"), (&bob, "bob")] {
        assert_eq!(client.count("received-im", &[("acct", user)]), 1);
        assert!(!client.log().contains("SIP/2.0 5"), "an answer that is none of the filter's");
    }
    assert!(!bob.log().contains("evil.test/"));
    let metrics = server.metrics();
    assert_eq!(metrics.value("mynah_im_messages_blocked_total"), 2.0);
    assert_eq!(metrics.value("mynah_im_session_messages_total"), 2.0);
    alice.run("close-im alice sip:bob@example.test");
    let records = server.wait_ended(1);
    let (_, caller, callee, from_caller, from_callee, _) = records[0].summary();
    assert_eq!((caller, callee, from_caller, from_callee), ("alice", "bob", 1, 1));
    alice.quit();
    bob.quit();
    server.stop();
}

#[test]
fn links_are_seen_as_text_behind_the_notice() {
    let (server, mut alice, mut bob) = talking(
        "[policy.default.im_filter]\naction = \"allow\"\n\
         allow_message = \"Links are text here.\"\n",
    );
    alice.say("alice", "bob", "look at http://a.test/b and http://intranet/");
    let seen = bob.wait("received-im", &[("acct", "bob"), ("text", "look at ")]);
    let text = seen["text"].as_str().unwrap();
    assert!(text.contains("Links are text here.") && text.contains("_http://a.test/b"), "{text}");
    assert!(text.contains("and http://intranet/"), "{text}");
    assert_eq!(alice.count("conv-system", &[]), 0);
    assert_eq!(server.metrics().value("mynah_im_messages_changed_total"), 1.0);
    alice.leave();
    bob.leave();
    server.stop();
}

#[test]
fn the_warning_is_seen_before_the_link() {
    let (server, mut alice, mut bob) = talking(
        "[policy.default.im_filter]\naction = \"warn\"\n\
         warn_message = \"Careful: \u{e4}\u{1f426} <links>\"\n",
    );
    alice.say("alice", "bob", "hello");
    let seen = bob.wait("received-im", &[("acct", "bob"), ("text", "hello")]);
    assert!(!seen["text"].as_str().unwrap().contains("Careful"));
    alice.say("alice", "bob", "look at http://a.test/b");
    let seen = bob.wait("received-im", &[("acct", "bob"), ("text", "look at http://a.test/b")]);
    let text = seen["text"].as_str().unwrap();
    let warning = text.find("Careful: \u{e4}\u{1f426} &lt;links&gt;");
    assert!(warning.is_some_and(|at| Some(at) < text.find("look at")), "{text}");
    alice.leave();
    bob.leave();
    server.stop();
}

#[test]
fn a_client_that_is_too_old_shows_what_the_policy_says() {
    let server = Server::serve(
        "[[policy.default.client_filter.rules]]\nuser_agent = \"Sipe\"\noperator = \"<\"\n\
         version = \"99\"\naction = \"block\"\ntext = \"Get another one at https://a.test/\"\n",
    );
    let mut alice = Purple::start();
    alice.account(&server, "alice", PASSWORD);
    let shown = [("acct", "alice"), ("text", "Get another one at https://a.test/")];
    alice.wait("connection-error", &shown);
    let metrics = server.metrics();
    assert_eq!(metrics.value("mynah_sign_ins_total"), 0.0);
    assert!(metrics.value("mynah_clients_refused_total") >= 1.0);
    server.stop();
}

#[test]
fn a_client_that_a_rule_allows_is_let_in_where_others_are_not() {
    let server = Server::serve(
        "[policy.default.client_filter]\ndefault = \"block\"\n\
         [[policy.default.client_filter.rules]]\nuser_agent = \"Sipe\"\noperator = \">=\"\n\
         version = \"1.20.*\"\naction = \"allow\"\ntext = \"welcome\"\n",
    );
    let alice = Purple::signed_in(&server, &["alice"]);
    alice.leave();
    server.stop();
}
