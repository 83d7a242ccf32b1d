//! Anything that may happen to a conference.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::stage::{BORN_UNIX_MS, user};
use crate::base::aor::Aor;
use crate::base::limits::Limits;
use crate::immcu::conference::*;

/// Whoever may turn up, and how he stands to the enterprise.
pub const PEOPLE: [(&str, Relation); 7] = [
    ("alice", Relation::Enterprise),
    ("bob", Relation::Enterprise),
    ("carol", Relation::Enterprise),
    ("dave", Relation::Enterprise),
    ("erin", Relation::Enterprise),
    ("fred", Relation::Federated),
    ("guest", Relation::Anonymous),
];

pub const CORES: u16 = 3;

#[derive(Clone, Debug)]
pub enum Step {
    /// One of the people opens a leg on a core; `None` is pager mode.
    Join(usize, Option<u16>, LegKind),
    /// One of the legs there were ends.
    Left(usize, Leaving),
    /// So many octets are said on one of the legs there were.
    Say(usize, usize),
    Type(usize),
    /// One of the legs there were did not take one of the last messages.
    Undelivered(usize, u64),
    /// Somebody, or the operator, wants something.
    Command(Option<usize>, Command),
    /// Somebody watches on one of a few subscriptions.
    Watch(usize, u32, bool),
    Unwatch(u32),
    Pass(u64),
    Drain,
}

pub fn limits() -> Limits {
    Limits {
        conference_members_max: 3,
        conference_legs_per_member_max: 3,
        conference_invited_max: 2,
        conference_watchers_max: 3,
        watches_per_watcher_max: 2,
        conference_roster_told_max: 2,
        conference_message_bytes_max: 8,
        conference_burst_max: 4,
        conference_messages_per_second_max: 1,
        conference_recent_messages_max: 3,
        conference_recent_bytes_max: 20,
        conference_reports_max: 4,
        ..Limits::default()
    }
}

fn who() -> impl Strategy<Value = Aor> {
    select(PEOPLE.to_vec()).prop_map(|(name, _)| user(name))
}

fn any_role() -> impl Strategy<Value = Role> {
    select(vec![Role::Attendee, Role::Presenter])
}

fn any_admission() -> impl Strategy<Value = Admission> {
    select(vec![Admission::ClosedAuthenticated, Admission::OpenAuthenticated, Admission::Anonymous])
}

/// Without an end: that is another step, else nothing lasts.
fn any_command() -> impl Strategy<Value = Command> {
    let modification = (
        prop::option::of(any_admission()),
        prop::option::of(any::<bool>()),
        prop::option::weighted(0.2, 0..100_000_000u64),
    );
    prop_oneof![
        2 => (who(), any_role()).prop_map(|(who, role)| Command::Invite { who, role }),
        2 => (who(), any_role()).prop_map(|(who, role)| Command::SetRole { who, role }),
        2 => who().prop_map(|who| Command::Eject { who }),
        2 => any::<bool>().prop_map(Command::Lock),
        4 => (who(), any::<bool>()).prop_map(|(who, let_in)| Command::Admit { who, let_in }),
        2 => modification.prop_map(|(admission, lobby, life_ms)| {
            let expires_unix_ms = life_ms.map(|life_ms| BORN_UNIX_MS + life_ms);
            Command::Modify(Modification { subject: None, admission, lobby, expires_unix_ms })
        }),
    ]
}

pub fn any_step() -> impl Strategy<Value = Step> {
    let person = || prop_oneof![2 => Just(0usize), 5 => 0..PEOPLE.len()];
    let kind = || prop_oneof![1 => Just(LegKind::Focus), 2 => Just(LegKind::Chat)];
    let core = || prop::option::weighted(0.8, 0..CORES);
    let how = || select(vec![Leaving::Bye, Leaving::ConnectionLost, Leaving::Gone]);
    let by = || prop::option::weighted(0.8, person());
    prop_oneof![
        10 => (person(), core(), kind()).prop_map(|(who, core, kind)| Step::Join(who, core, kind)),
        4 => (any::<usize>(), how()).prop_map(|(leg, how)| Step::Left(leg, how)),
        10 => (any::<usize>(), 0..10usize).prop_map(|(leg, octets)| Step::Say(leg, octets)),
        2 => any::<usize>().prop_map(Step::Type),
        4 => (any::<usize>(), 0..6u64).prop_map(|(leg, back)| Step::Undelivered(leg, back)),
        6 => (by(), any_command()).prop_map(|(by, command)| Step::Command(by, command)),
        4 => (person(), 0..5u32, any::<bool>())
            .prop_map(|(who, which, poll)| Step::Watch(who, which, poll)),
        1 => (0..5u32).prop_map(Step::Unwatch),
        5 => prop_oneof![0..3_000u64, 0..50_000u64, 0..40_000_000u64].prop_map(Step::Pass),
    ]
}

/// How it all ends.
pub fn any_end() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Drain),
        Just(Step::Command(None, Command::End)),
        Just(Step::Command(Some(0), Command::End)),
    ]
}

pub fn any_description() -> impl Strategy<Value = Description> {
    let invited = prop::collection::btree_map(who(), any_role(), 0..3);
    (any_admission(), any::<bool>(), any::<bool>(), any::<bool>(), invited).prop_map(
        |(admission, lobby, locked, scheduled, invited)| {
            let base =
                if scheduled { super::stage::scheduled() } else { super::stage::description() };
            let locked = locked && lobby;
            Description { admission, lobby, locked, invited, ..base }
        },
    )
}

pub fn pass(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
