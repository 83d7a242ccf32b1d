//! Applications that watch users at a level the operator gave them, told by the home of each.

use mynah::base::aor::Aor;
use mynah::base::ids::Slot;
use mynah::base::limits::Limit;
use mynah::presence::container::ContainerId;
use mynah::presence::state::Class;
use mynah::shard::input::{Control, Input, Observation};
use mynah::shard::observe::{Glimpse, Unseen};
use mynah::shard::question::{Answer, Question};

use crate::harness::presence::ok;
use crate::harness::{Client, Net};

const BUSY: u32 = 6500;
const ONE: Slot = Slot { index: 1, generation: 0 };

fn aor(user: &str) -> Aor {
    Aor::new(&format!("{user}@example.test"))
}

/// Has an application watch a user.
fn observe(net: &mut Net, observer: Slot, level: ContainerId, user: &str) {
    let user = aor(user);
    let home = user.home(net.shards()).0;
    let application = Aor::new("intranet");
    let observation = Observation { observer, application, level, users: vec![user] };
    net.handle(home, Input::Control(Control::Observe(observation)));
    net.settle();
}

fn unobserve(net: &mut Net, observer: Slot, user: &str) {
    let home = aor(user).home(net.shards()).0;
    net.handle(home, Input::Control(Control::Unobserve(observer)));
    net.settle();
}

/// What the application was shown since this was last asked: the only thing.
#[track_caller]
fn shown(net: &mut Net, observer: Slot) -> Result<Glimpse, Unseen> {
    let sights = std::mem::take(&mut net.sights);
    let [(who, sight)] = &sights[..] else { panic!("{sights:?}") };
    assert_eq!(*who, observer);
    sight.view.clone()
}

fn class(glimpse: &Glimpse) -> Option<Class> {
    glimpse.state.as_ref().map(|state| state.availability.class())
}

#[test]
fn an_application_sees_a_user_at_first_and_at_each_change() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut bob = Client::lync(&mut net, 0, "bob");
        observe(&mut net, ONE, ContainerId::COLLEAGUES, "bob");
        assert_ne!(class(&shown(&mut net, ONE).unwrap()), Some(Class::Busy));
        ok(&mut net, bob.conn, &bob.publish_state(BUSY, 0));
        let glimpse = shown(&mut net, ONE).unwrap();
        assert_eq!((glimpse.level, class(&glimpse)), (ContainerId::COLLEAGUES, Some(Class::Busy)));

        unobserve(&mut net, ONE, "bob");
        net.pass(std::time::Duration::from_secs(1));
        ok(&mut net, bob.conn, &bob.publish_state(3500, 1));
        net.pass(std::time::Duration::from_secs(1));
        assert_eq!(net.sights, []);
    }
}

#[test]
fn what_is_seen_is_what_the_level_shows() {
    let mut net = Net::new(2);
    let mut bob = Client::lync(&mut net, 0, "bob");
    ok(&mut net, bob.conn, &bob.publish_state(BUSY, 0));
    ok(&mut net, bob.conn, &bob.publish_note("at lunch", 0));
    for (index, level, has_state, notes) in [
        (1, ContainerId::DEFAULT, false, 0),
        (2, ContainerId::PUBLIC, true, 0),
        (3, ContainerId::COLLEAGUES, true, 1),
    ] {
        let observer = Slot { index, generation: 0 };
        observe(&mut net, observer, level, "bob");
        let glimpse = shown(&mut net, observer).unwrap();
        assert_eq!(glimpse.level, level);
        assert_eq!(glimpse.state.is_some(), has_state, "{level:?}");
        assert_eq!(glimpse.notes.len(), notes, "{level:?}");
        let question = Question::Sights { users: vec![aor("bob")], level };
        let Answer::Sights(sights) = net.inquire(question) else { panic!("no sights") };
        assert_eq!(sights[0].view.as_ref(), Ok(&glimpse), "asked once it is the same");
    }
}

#[test]
fn a_user_is_not_asked_about_an_application() {
    let mut net = Net::new(1);
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = bob.subscribe_own("presence.wpending");
    ok(&mut net, bob.conn, &request);
    observe(&mut net, ONE, ContainerId::COLLEAGUES, "bob");
    assert!(shown(&mut net, ONE).is_ok());
    net.silent(&[bob.conn]);
}

#[test]
fn who_is_not_there_or_watched_by_too_many_is_said() {
    let mut net = Net::limited(1, |limits| limits.watchers_per_user_max = 1);
    observe(&mut net, ONE, ContainerId::PUBLIC, "nobody");
    assert_eq!(shown(&mut net, ONE), Err(Unseen::NoSuchUser));
    observe(&mut net, ONE, ContainerId::PUBLIC, "bob");
    assert!(shown(&mut net, ONE).is_ok());
    let two = Slot { index: 2, generation: 0 };
    observe(&mut net, two, ContainerId::PUBLIC, "bob");
    assert_eq!(shown(&mut net, two), Err(Unseen::TooManyWatchers));
    assert_eq!(net.hits(Limit::Watchers), 1);
}

#[test]
fn an_operator_signs_a_user_out_of_one_device_or_all_and_he_may_sign_in_again() {
    let mut net = Net::new(2);
    let bob = Client::lync(&mut net, 0, "bob");
    let second = Client::simple(&mut net, 1, "bob");
    let alice = Client::simple(&mut net, 0, "alice");
    let sign_out = |user, conn| Question::SignOut { user: aor(user), conn };
    let foreign = sign_out("bob", Some(alice.conn));
    assert_eq!(net.inquire(foreign), Answer::SignedOut(0), "not a connection of his");
    assert_eq!(net.inquire(sign_out("bob", Some(second.conn))), Answer::SignedOut(1));
    assert!(net.is_open(alice.conn) && net.is_open(bob.conn) && !net.is_open(second.conn));
    let third = Client::simple(&mut net, 1, "bob");
    assert_eq!(net.inquire(sign_out("bob", None)), Answer::SignedOut(2));
    assert!(!net.is_open(bob.conn) && !net.is_open(third.conn));
    assert_eq!(net.inquire(sign_out("bob", None)), Answer::SignedOut(0));
    Client::simple(&mut net, 1, "bob");
    assert_eq!(net.inquire(sign_out("nobody", None)), Answer::NoSuchUser);
}
