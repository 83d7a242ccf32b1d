//! How conferences are made, asked about and changed, at their factory.

use mynah::base::limits::Limit;
use mynah::metrics::names::Series;
use mynah::shard::durable::NotWritten;

use crate::harness::Net;
use crate::harness::conference::{
    CCCP, FACTORY, Meeting, SCHEDULED, Wish, convened, failed, id_at, left, nothing_left, seated,
    signed_in, succeeded, three, users, watching,
};

#[test]
fn the_factory_says_what_conferences_can_do() {
    let (mut net, [mut alice, ..]) = three(1);
    let request = alice.operation_at(FACTORY, "<getConferencingCapabilities/>");
    let answer = net.ask(alice.conn, &request);
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("Content-Type"), CCCP);
    assert!(answer.body().contains("<mcuType>chat</mcuType>"), "{answer:?}");
    succeeded(answer.body(), "<getConferencingCapabilities>");
}

#[test]
fn a_conference_bears_the_name_its_client_chose() {
    for shards in [1, 2, 4] {
        for owner in 0..shards {
            let (mut net, [mut alice, ..]) = three(shards);
            let id = id_at(shards, owner, 1);
            let request = alice.convene(&id, Wish::default());
            let answer = net.ask(alice.conn, &request);
            assert_eq!((answer.status(), answer.header("Content-Type")), (200, CCCP));
            assert_eq!(
                answer.body(),
                format!(
                    "<?xml version=\"1.0\"?><response xmlns=\"urn:ietf:params:xml:ns:cccp\" \
                     xmlns:msacp=\
                     \"http://schemas.microsoft.com/rtc/2005/08/acpconfinfoextensions\" \
                     requestId=\"1\" C3PVersion=\"1\" from=\"{FACTORY}\" \
                     to=\"sip:alice@example.test\" code=\"success\"><addConference>\
                     <conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" \
                     entity=\"sip:alice@example.test;gruu;opaque=app:conf:focus:id:{id}\" \
                     version=\"1\"/></addConference></response>"
                )
            );
            let here = net.shard(owner).occupancy().conferences;
            assert_eq!(here, 1, "at its owner");
            assert_eq!(net.value(Series::ConferencesCurrent), 1);
        }
    }
}

#[test]
fn a_name_that_can_be_guessed_is_replaced() {
    for shards in [1, 4] {
        for given in ["BADC0DE", ""] {
            let (mut net, [mut alice, mut bob, _]) = three(shards);
            let request = alice.convene(given, Wish::default());
            let answer = net.ask(alice.conn, &request);
            let body = answer.body();
            let (_, rest) = body.split_once("app:conf:focus:id:").expect("an id");
            let id = rest.split('"').next().expect("an id");
            assert!(id.len() == 32 && id != given, "{id}");
            let meeting = Meeting::of("alice", id);
            seated(&mut net, &mut bob, &meeting);
        }
    }
}

#[test]
fn a_conference_asked_for_twice_is_one() {
    for shards in [1, 4] {
        let (mut net, [mut alice, mut bob, _]) = three(shards);
        let id = id_at(shards, 1, 1);
        let meeting = convened(&mut net, &mut alice, &id, Wish::default());
        seated(&mut net, &mut bob, &meeting);
        let again = convened(&mut net, &mut alice, &id, Wish::default());
        assert_eq!(again.focus, meeting.focus);
        assert_eq!(net.value(Series::ConferencesCurrent), 1);
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 1, "bob is still in");
    }
}

#[test]
fn nobody_takes_the_name_of_somebody_elses_conference() {
    for shards in [1, 2] {
        let (mut net, [mut alice, mut bob, _]) = three(shards);
        let id = id_at(shards, 0, 1);
        convened(&mut net, &mut alice, &id, Wish::default());
        for expiry in ["", SCHEDULED] {
            let request = bob.convene(&id, Wish { expiry, ..Wish::default() });
            let answer = net.ask(bob.conn, &request);
            failed(&answer, 409, "conferenceExistsAlready");
        }
        assert_eq!(net.value(Series::ConferencesCurrent), 1);
    }
}

#[test]
fn there_are_so_many_conferences_on_a_shard() {
    let (mut net, [mut alice, mut bob, _]) =
        signed_in(Net::limited(1, |limits| limits.conferences_per_shard_max = 1));
    convened(&mut net, &mut alice, &id_at(1, 0, 1), Wish::default());
    let request = bob.convene(&id_at(1, 0, 2), Wish::default());
    failed(&net.ask(bob.conn, &request), 503, "serverBusy");
    assert_eq!(net.hits(Limit::Conferences), 1);
}

#[test]
fn an_organiser_has_so_many_conferences() {
    let (mut net, [mut alice, mut bob, _]) =
        signed_in(Net::limited(1, |limits| limits.conferences_per_organiser_max = 1));
    let meeting = convened(&mut net, &mut alice, &id_at(1, 0, 1), Wish::default());
    let request = alice.convene(&id_at(1, 0, 2), Wish::default());
    failed(&net.ask(alice.conn, &request), 403, "maxConferencesExceeded");
    assert_eq!(net.hits(Limit::ConferencesPerOrganiser), 1);
    convened(&mut net, &mut bob, &id_at(1, 0, 3), Wish::default());

    let request = alice.operation_at(&meeting.focus, &meeting.end());
    assert_eq!(net.ask(alice.conn, &request).status(), 200);
    convened(&mut net, &mut alice, &id_at(1, 0, 4), Wish::default());
}

#[test]
fn a_scheduled_conference_is_there_once_it_is_kept() {
    for shards in [1, 2] {
        let (mut net, [mut alice, mut bob, _]) = three(shards);
        net.shelf.held = true;
        let id = id_at(shards, 0, 1);
        let request = alice.convene(&id, Wish { expiry: SCHEDULED, ..Wish::default() });
        net.send(alice.conn, &request);
        net.silent(&[alice.conn]);
        let meeting = Meeting::of("alice", &id);
        let invite = bob.invite_focus(&meeting);
        assert_eq!(net.ask(bob.conn, &invite).status(), 404, "it is not made yet");
        net.shelf.held = false;
        net.settle();
        assert_eq!(net.recv(alice.conn).status(), 200);
        seated(&mut net, &mut bob, &meeting);
        assert_eq!(net.shelf.conferences().len(), 1);
    }
}

#[test]
fn a_name_is_taken_while_the_conference_is_being_kept() {
    for shards in [1, 2] {
        let (mut net, [mut alice, mut bob, mut carol]) = three(shards);
        net.shelf.held = true;
        let id = id_at(shards, 1, 1);
        let wish = Wish { expiry: SCHEDULED, ..Wish::default() };
        net.send(alice.conn, &alice.convene(&id, wish));
        for expiry in ["", SCHEDULED] {
            let request = bob.convene(&id, Wish { expiry, ..Wish::default() });
            failed(&net.ask(bob.conn, &request), 409, "conferenceExistsAlready");
        }
        // Asked for again by the same, as if the answer were lost.
        net.send(alice.conn, &alice.convene(&id, wish));
        net.silent(&[alice.conn]);
        net.shelf.held = false;
        net.settle();
        for _ in 0..2 {
            assert_eq!(net.recv(alice.conn).status(), 200);
        }
        assert_eq!(net.value(Series::ConferencesCurrent), 1);
        seated(&mut net, &mut carol, &Meeting::of("alice", &id));
    }
}

#[test]
fn so_many_conferences_are_being_kept_at_a_time() {
    let (mut net, [mut alice, ..]) =
        signed_in(Net::limited(1, |limits| limits.writes_in_flight_per_shard_max = 1));
    net.shelf.held = true;
    let wish = Wish { expiry: SCHEDULED, ..Wish::default() };
    net.send(alice.conn, &alice.convene(&id_at(1, 0, 1), wish));
    let request = alice.convene(&id_at(1, 0, 2), wish);
    failed(&net.ask(alice.conn, &request), 503, "serverBusy");
    assert_eq!(net.hits(Limit::WritesInFlight), 1);
    net.shelf.held = false;
    net.settle();
    assert_eq!(net.recv(alice.conn).status(), 200);
    assert_eq!(net.value(Series::ConferencesCurrent), 1);
}

#[test]
fn a_conference_that_cannot_be_kept_is_not_made() {
    let (mut net, [mut alice, mut bob, _]) = three(2);
    net.shelf.fails = Some(NotWritten::Full);
    let id = id_at(2, 1, 1);
    let request = alice.convene(&id, Wish { expiry: SCHEDULED, ..Wish::default() });
    let answer = net.ask(alice.conn, &request);
    failed(&answer, 503, "serverBusy");
    assert!(answer.has("Retry-After"));
    let invite = bob.invite_focus(&Meeting::of("alice", &id));
    assert_eq!(net.ask(bob.conn, &invite).status(), 404);
    assert_eq!(net.value(Series::ConferencesCurrent), 0);
}

#[test]
fn a_scheduled_conference_survives_its_last_member_and_a_restart() {
    let (mut net, [mut alice, mut bob, _]) = three(2);
    let wish = Wish {
        subject: "Monday",
        expiry: SCHEDULED,
        admission: "closedAuthenticated",
        invited: &[("bob", "presenter")],
        ..Wish::default()
    };
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), wish);
    let mut seat = seated(&mut net, &mut bob, &meeting);
    left(&mut net, &mut bob, &mut seat.focus);
    left(&mut net, &mut bob, &mut seat.chat);
    assert_eq!(net.value(Series::ConferencesCurrent), 1);
    net.restart();
    let (mut net, [_, mut bob, mut carol]) = signed_in(net);
    let invite = carol.invite_focus(&meeting);
    assert_eq!(net.ask(carol.conn, &invite).status(), 403, "she was not asked in");
    seated(&mut net, &mut bob, &meeting);
    let (_, roster) = watching(&mut net, &mut bob, &meeting);
    assert!(roster.body().contains("<subject>Monday</subject>"), "{roster:?}");
    assert!(roster.body().contains("<entry>presenter</entry>"), "{roster:?}");
}

#[test]
fn an_expiry_in_the_past_is_refused() {
    let (mut net, [mut alice, ..]) = three(1);
    let wish = Wish { expiry: "2026-01-01T00:00:00Z", ..Wish::default() };
    let request = alice.convene(&id_at(1, 0, 1), wish);
    failed(&net.ask(alice.conn, &request), 400, "invalidExpiryTime");
    assert_eq!(net.value(Series::ConferencesCurrent), 0);
}

#[test]
fn a_subject_is_so_long() {
    let (mut net, [mut alice, ..]) =
        signed_in(Net::limited(1, |limits| limits.conference_label_bytes_max = 8));
    let wish = Wish { subject: "far too long", ..Wish::default() };
    let request = alice.convene(&id_at(1, 0, 1), wish);
    failed(&net.ask(alice.conn, &request), 413, "requestTooLarge");
    assert_eq!(net.hits(Limit::ConferenceLabel), 1);
    assert_eq!(net.value(Series::ConferencesCurrent), 0);
}

#[test]
fn guests_are_not_promised_what_is_not_there() {
    let (mut net, [mut alice, ..]) = three(1);
    let wish = Wish { admission: "anonymous", ..Wish::default() };
    let request = alice.convene(&id_at(1, 0, 1), wish);
    failed(&net.ask(alice.conn, &request), 403, "anonymousUsersNotAllowed");
}

#[test]
fn what_cannot_be_read_is_refused() {
    let (mut net, [mut alice, ..]) = three(1);
    let junk = alice.request("SERVICE", FACTORY).body(CCCP, "<request");
    assert_eq!(net.ask(alice.conn, &junk).status(), 400);
    let unknown = alice.operation_at(FACTORY, "<getWeather/>");
    failed(&net.ask(alice.conn, &unknown), 501, "notSupported");
    let lists = alice.operation_at(FACTORY, "<getConferences/>");
    failed(&net.ask(alice.conn, &lists), 501, "notSupported");
    let body =
        alice.c3p(FACTORY, "<getConferencingCapabilities/>").replace("sip:alice@", "sip:bob@");
    let forged = alice.request("SERVICE", FACTORY).body(CCCP, &body);
    assert_eq!(net.ask(alice.conn, &forged).status(), 403);
    let body = alice.c3p("sip:alice@example.test", "<getConferencingCapabilities/>");
    let elsewhere = alice.request("SERVICE", FACTORY).body(CCCP, &body);
    assert_eq!(net.ask(alice.conn, &elsewhere).status(), 400);
}

#[test]
fn the_organiser_is_told_of_his_conference() {
    for shards in [1, 2] {
        let (mut net, [mut alice, mut bob, mut carol]) = three(shards);
        let wish = Wish { subject: "budget", ..Wish::default() };
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), wish);
        seated(&mut net, &mut bob, &meeting);
        let get = format!("<getConference>{}</getConference>", meeting.keys());
        for to in [FACTORY, &meeting.focus] {
            let request = alice.operation_at(to, &get);
            let answer = net.ask(alice.conn, &request);
            assert_eq!(answer.status(), 200, "{answer:?}");
            assert!(answer.body().contains("<subject>budget</subject>"), "{answer:?}");
            assert_eq!(users(answer.body()), [("bob".to_owned(), "full".to_owned())]);
        }
        // A member may ask at the focus, a stranger nowhere.
        let request = bob.operation_at(&meeting.focus, &get);
        assert_eq!(net.ask(bob.conn, &request).status(), 200);
        let request = carol.operation_at(&meeting.focus, &get);
        failed(&net.ask(carol.conn, &request), 403, "unauthorized");
        let request = carol.operation_at(FACTORY, &get);
        failed(&net.ask(carol.conn, &request), 404, "conferenceDoesntExist");
    }
}

#[test]
fn a_conference_that_nobody_knows_can_be_neither_read_changed_nor_ended() {
    for shards in [1, 2] {
        let (mut net, [mut alice, ..]) = three(shards);
        let unknown = Meeting::of("alice", &id_at(shards, 1, 9));
        let short = Meeting::of("alice", "1234");
        for meeting in [&unknown, &short] {
            let keys = meeting.keys();
            for operation in [
                format!("<getConference>{keys}</getConference>"),
                format!("<deleteConference>{keys}</deleteConference>"),
            ] {
                let request = alice.operation_at(FACTORY, &operation);
                failed(&net.ask(alice.conn, &request), 404, "conferenceDoesntExist");
            }
            let request = alice.reconvene(meeting, Wish::default());
            failed(&net.ask(alice.conn, &request), 404, "conferenceDoesntExist");
        }
        let request = alice.operation_at(&unknown.focus, &unknown.end());
        failed(&net.ask(alice.conn, &request), 404, "conferenceDoesntExist");
    }
}

#[test]
fn the_organiser_changes_his_conference() {
    for shards in [1, 2] {
        let (mut net, [mut alice, mut bob, mut carol]) = three(shards);
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 0, 1), Wish::default());
        seated(&mut net, &mut bob, &meeting);
        watching(&mut net, &mut bob, &meeting);
        let wish = Wish { subject: "new", admission: "closedAuthenticated", ..Wish::default() };
        let request = alice.reconvene(&meeting, wish);
        let answer = net.ask(alice.conn, &request);
        succeeded(answer.body(), "<modifyConference>");
        let notice = net.recv(bob.conn);
        assert_eq!(notice.method(), "BENOTIFY");
        assert!(notice.body().contains("<subject>new</subject>"), "{notice:?}");
        assert!(notice.body().contains(" state=\"partial\""), "{notice:?}");
        let invite = carol.invite_focus(&meeting);
        assert_eq!(net.ask(carol.conn, &invite).status(), 403);
    }
}

#[test]
fn a_change_makes_a_conference_a_scheduled_one_that_is_kept() {
    let (mut net, [mut alice, ..]) = three(2);
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), Wish::default());
    assert_eq!(net.shelf.conferences().len(), 0);
    let request = alice.reconvene(&meeting, Wish { expiry: SCHEDULED, ..Wish::default() });
    assert_eq!(net.ask(alice.conn, &request).status(), 200);
    assert_eq!(net.shelf.conferences().len(), 1);

    let end = format!("<deleteConference>{}</deleteConference>", meeting.keys());
    let request = alice.operation_at(FACTORY, &end);
    let answer = net.ask(alice.conn, &request);
    succeeded(answer.body(), &meeting.focus);
    assert_eq!(net.shelf.conferences().len(), 0);
    nothing_left(&net);
}
