//! How often the heap is asked for each message of a session on its way through the shards, and
//! how much of it what is kept for each user takes.

#![allow(unsafe_code, reason = "an allocator that counts is unsafe to declare")]

#[path = "harness/mod.rs"]
mod harness;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use harness::presence::{machine_state, ok, user_state};
use harness::rounds::Rounds;
use harness::{Client, Net};
use mynah::base::aor::Aor;
use mynah::base::ids::{ConferenceId, LegId, ShardId, Slot};
use mynah::base::limits::Limits;
use mynah::base::time::Now;
use mynah::contacts::{self, Bounds, Contact, ContactList, Edit, Groups};
use mynah::immcu::conference::{
    self, Accepts, Admission, Conference, Description, Join, LegKind, Reach, Relation,
};
use mynah::shard::durable::Rows;
use mynah::shard::input::{Control, Input};

/// Rounds before counting begins: tables and buffers have their size.
const WARM_UP: u32 = 200;
/// Rounds counted.
const ROUNDS: u32 = 1_000;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
    /// Taken and not given back, in blocks as an allocator hands them out.
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

/// What an allocation of `bytes` takes: the allocator hands out multiples of 16.
fn block(bytes: usize) -> i64 {
    bytes.next_multiple_of(16) as i64
}

fn count(bytes: usize) {
    COUNT.set(COUNT.get() + 1);
    BYTES.set(BYTES.get() + bytes as u64);
}

// SAFETY: everything is the system allocator's; counting touches neither pointers nor layouts, and
// the counters are plain cells of the thread that need no allocation themselves.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        LIVE.set(LIVE.get() + block(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - block(layout.size()));
        // SAFETY: the pointer came from `System` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        LIVE.set(LIVE.get() + block(size) - block(layout.size()));
        // SAFETY: the pointer came from `System` with this layout.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Blocks that the outgoing octets of a shard are cut from.
const BLOCK: u64 = 64 * 1024;

/// What the counted rounds took.
#[derive(Debug)]
struct Taken {
    allocations: u64,
    allocated: u64,
    written: u64,
}

fn taken(mut rounds: Rounds) -> Taken {
    for _ in 0..WARM_UP {
        rounds.round();
    }
    let (allocations, allocated, written) = (COUNT.get(), BYTES.get(), rounds.written);
    for _ in 0..ROUNDS {
        rounds.round();
    }
    Taken {
        allocations: COUNT.get() - allocations,
        allocated: BYTES.get() - allocated,
        written: rounds.written - written,
    }
}

/// Both ways between two shards, and within one.
fn ways() -> [Rounds; 3] {
    [Rounds::new(2, 1, true), Rounds::new(2, 1, false), Rounds::new(1, 0, true)]
}

/// A block is used again once nothing cut from it is left. Across shards that is so after each
/// round; within one shard the message is kept until its answer is written.
#[test]
fn a_message_and_its_answer_take_nothing_once_they_are_sent() {
    for (rounds, blocks_max) in ways().into_iter().zip([0, 0, 10]) {
        let taken = taken(rounds);
        assert!(taken.allocations <= 2 * blocks_max, "{taken:?}");
        assert!(taken.allocated <= blocks_max * (BLOCK + 64), "{taken:?}");
    }
}

/// The same where both sign: verifying takes nothing, and signing no more than a second copy of
/// what leaves.
#[test]
fn a_signed_message_and_its_answer_take_nothing_once_they_are_sent() {
    let rounds = |callee| Rounds::signed(callee + 1, callee, true, WARM_UP + ROUNDS);
    for callee in [1, 0] {
        let taken = taken(rounds(callee));
        // Within one shard a message is kept until its answer is written, so blocks are taken for
        // both copies of it.
        let blocks_max = if callee == 1 { 0 } else { 2 * taken.written / (BLOCK - 2 * 1024) + 2 };
        assert!(taken.allocations <= 2 * blocks_max, "{taken:?}");
        assert!(taken.allocated <= blocks_max * (BLOCK + 64), "{taken:?}");
    }
}

/// What waits to be sent holds its blocks, so new ones are needed: each takes two allocations, the
/// block and its count of holders, and serves as many messages as fit. The last place of a block
/// may stay empty by less than two messages. That is less than one allocation in twenty messages.
#[test]
fn messages_that_wait_take_the_blocks_they_are_written_to_and_no_more() {
    for rounds in ways() {
        let taken = taken(rounds.with_unsent(500));
        let blocks_max = taken.written / (BLOCK - 2 * 1024) + 2;
        assert!(taken.allocations <= 2 * blocks_max, "{taken:?}");
        assert!(taken.allocated <= blocks_max * (BLOCK + 64), "{taken:?}");
        assert!(taken.allocations * 20 <= 2 * u64::from(ROUNDS), "{taken:?}");
    }
}

/// What is said in a conference is put down once, however many hear it.
#[test]
fn what_is_said_in_a_conference_takes_one_allocation() {
    let limits = Limits::default();
    // What is remembered for reports has its size by then.
    let warm_up = limits.conference_reports_max + WARM_UP as usize;
    for members in [10, 100] {
        let (mut conference, mut now, legs) = conference_of(members, &limits);
        let mut say = |at: usize| {
            now = now.plus(Duration::from_millis(50));
            let (content_type, body) =
                (Bytes::from_static(b"text/plain"), Bytes::from_static(b"hello"));
            let reach = Reach::Leg(legs[at % legs.len()]);
            let said = conference::Input::Say { reach, content_type, body };
            conference.handle(now, said, &limits);
            std::iter::from_fn(|| conference.next_output()).count()
        };
        (0..warm_up).for_each(|at| assert_eq!(say(at), 3, "an answer and a frame a core"));
        let before = COUNT.get();
        (0..ROUNDS as usize).for_each(|at| assert_eq!(say(at), 3));
        assert_eq!(COUNT.get() - before, u64::from(ROUNDS), "{members} members");
    }
}

/// A conference of so many on two shards, each with one chat leg.
fn conference_of(members: u32, limits: &Limits) -> (Conference, Now, Vec<LegId>) {
    let now = Now { mono_ms: 0, unix_ms: 1_700_000_000_000 };
    let description = Description {
        id: ConferenceId(1),
        organiser: Aor::new("user0@example.test"),
        organiser_name: "".into(),
        subject: "".into(),
        admission: Admission::OpenAuthenticated,
        lobby: false,
        locked: false,
        expires_unix_ms: now.unix_ms,
        scheduled: false,
        invited: [].into(),
    };
    let mut conference = Conference::new(now, description, limits);
    let legs: Vec<_> = (0..members)
        .map(|index| LegId::new(ShardId((index % 2) as u16), Slot { index, generation: 1 }))
        .collect();
    for (at, leg) in legs.iter().enumerate() {
        let join = Join {
            reach: Reach::Leg(*leg),
            who: Aor::new(&format!("user{at}@example.test")),
            name: "User".into(),
            relation: Relation::Enterprise,
            kind: LegKind::Chat,
            endpoint: "".into(),
            accepts: Accepts::default(),
        };
        conference.handle(now, conference::Input::Join(join), limits);
        while conference.next_output().is_some() {}
    }
    (conference, now, legs)
}

/// A contact as a client adds one, its URI as its name, with an address of 25 octets: little more
/// than what an ordinary map of it would spend on pointers.
#[test]
fn a_contact_takes_at_most_80_octets() {
    let bounds = Bounds::new(&Limits::default());
    for contacts in [40, 250, 1000] {
        let before = LIVE.get();
        let mut list = ContactList::default();
        for number in 0..contacts {
            let address = Aor::new(&format!("user.{number:04}@example.test.ab"));
            assert_eq!(address.as_str().len(), 25);
            let contact = Contact {
                name: format!("sip:{address}").into(),
                address,
                groups: Groups::OTHERS,
                subscribed: true,
                external_uri: "".into(),
            };
            list.apply(Edit::SetContact(contact), &bounds).unwrap();
        }
        let taken = (LIVE.get() - before) / contacts;
        assert!((64..=80).contains(&taken), "{contacts} contacts take {taken} octets each");
    }
}

/// What of a user the shards are given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Known,
    Published,
    Watching,
}

/// What two shards take for these users. Each watches the forty after him, who stand in his contact
/// list, and has published as a client does.
fn shards_with(users: usize, part: Part) -> i64 {
    const CONTACTS: usize = 40;
    let name = |number: usize| format!("user.{:05}", number % users);
    let mut net = Net::new(2);
    for number in 0..users {
        net.put_user(&name(number), |_| {});
    }
    for number in (0..users).filter(|_| part >= Part::Published) {
        let mut client = Client::lync(&mut net, (number % 2) as u16, &name(number));
        for package in ["vnd-microsoft-roaming-contacts", "vnd-microsoft-roaming-self"] {
            let request = client.subscribe_own(package);
            ok(&mut net, client.conn, &request);
        }
        let states = [machine_state(2, 3500, 0), machine_state(3, 3500, 0)]
            .into_iter()
            .chain([user_state(2, 3500, 0), user_state(3, 3500, 0)]);
        let request = client.publish(&states.collect::<Vec<_>>());
        ok(&mut net, client.conn, &request);
        if part < Part::Watching {
            continue;
        }
        let others: Vec<String> = (1..=CONTACTS).map(|after| name(number + after)).collect();
        let contact = |other: &String| Contact {
            address: Aor::new(&format!("{other}@example.test")),
            name: "".into(),
            groups: Groups::OTHERS,
            subscribed: true,
            external_uri: "".into(),
        };
        let rows = others.iter().map(|other| contacts::Row::PutContact(contact(other)));
        let aor = Aor::new(&format!("{}@example.test", client.user));
        let (home, rows) = (aor.home(2).0, Rows::Contacts(rows.collect()));
        net.handle(home, Input::Control(Control::PutRows(aor, rows)));
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let request = client.batch(&others);
        ok(&mut net, client.conn, &request);
    }
    let shards = net.into_shards();
    let live = LIVE.get();
    drop(shards);
    live - LIVE.get()
}

/// Forty contacts, watched, and as many who watch: at most 6 KiB of a user. With connection,
/// endpoint, publications and the subscriptions to his own it is at most 12.
#[test]
fn a_user_with_forty_contacts_takes_at_most_12_kib() {
    const USERS: usize = 64;
    let of = |part| shards_with(USERS, part) / USERS as i64;
    let (known, published, watching) = (of(Part::Known), of(Part::Published), of(Part::Watching));
    println!(
        "octets a user: {} signed in, {} contacts and watching",
        published - known,
        watching - published
    );
    assert!(watching - published <= 6 * 1024, "{}", watching - published);
    assert!(watching - known <= 12 * 1024, "{}", watching - known);
}
