use std::sync::atomic::AtomicU64;
use std::task::Wake;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::base::ids::{ConnId, RelayId, Slot};
use crate::metrics::counters::FrameKind;
use crate::shard::frame::Cargo;

const A: ShardId = ShardId(0);
const B: ShardId = ShardId(1);
const C: ShardId = ShardId(2);

fn mesh(queue: usize, overflow: usize) -> Arc<Mesh> {
    let limits = Limits {
        mesh_queue_frames_max: queue,
        mesh_overflow_frames_max: overflow,
        ..Limits::default()
    };
    Mesh::new(3, &limits)
}

fn frame(number: u32) -> Frame {
    let conn = ConnId::new(A, Slot { index: number, generation: 0 });
    Frame::Deliver { conn, bytes: Bytes::new(), cargo: Cargo::Plain }
}

fn number(frame: &Frame) -> u32 {
    match frame {
        Frame::Deliver { conn, .. } => conn.slot.index,
        Frame::Undeliverable { relay } => relay.slot.index,
        other => panic!("not sent here: {other:?}"),
    }
}

fn taken(inbox: &mut Inbox) -> Vec<u32> {
    std::iter::from_fn(|| inbox.pop()).map(|frame| number(&frame)).collect()
}

/// A sleeper that counts how often it is woken.
#[derive(Default)]
struct Sleeper(AtomicU64);

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Sleeper {
    fn woken(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn frames_arrive_in_order_and_one_batch_rings_once() {
    let mesh = mesh(64, 64);
    let mut counters = Counters::default();
    let (mut outbox, mut inbox) = (mesh.outbox(A), mesh.inbox(B));
    let sleeper = Arc::new(Sleeper::default());
    let waker = Waker::from(sleeper.clone());
    let mut cx = Context::from_waker(&waker);
    let bell = mesh.bell(B).unwrap();
    assert!(bell.poll_sleep(&mut cx, || !inbox.is_empty()).is_pending());

    (0..20).for_each(|i| outbox.send(B, frame(i), &mut counters));
    assert_eq!(sleeper.woken(), 0);
    outbox.flush(&mut counters);
    outbox.flush(&mut counters);
    assert_eq!(sleeper.woken(), 1);
    assert_eq!(counters.value(Series::MeshWakes), 1);
    assert_eq!(taken(&mut inbox), (0..20).collect::<Vec<_>>());
    assert_eq!(counters.value(Series::FramesSent), 20);
}

#[test]
fn who_works_is_not_rung() {
    let mesh = mesh(64, 64);
    let mut counters = Counters::default();
    let mut outbox = mesh.outbox(A);
    outbox.send(B, frame(1), &mut counters);
    outbox.flush(&mut counters);
    assert_eq!(counters.value(Series::MeshWakes), 0);
}

#[test]
fn who_falls_asleep_while_a_frame_arrives_does_not_sleep() {
    let mesh = mesh(64, 64);
    let (mut outbox, inbox) = (mesh.outbox(A), mesh.inbox(B));
    let mut cx = Context::from_waker(Waker::noop());
    let poll = mesh.bell(B).unwrap().poll_sleep(&mut cx, || {
        outbox.send(B, frame(1), &mut Counters::default());
        !inbox.is_empty()
    });
    assert!(poll.is_ready());
}

#[test]
fn what_does_not_fit_waits_in_order_and_the_producer_is_rung_when_there_is_room() {
    let mesh = mesh(4, 100);
    let mut counters = Counters::default();
    let (mut outbox, mut inbox) = (mesh.outbox(A), mesh.inbox(B));
    (0..10).for_each(|i| outbox.send(B, frame(i), &mut counters));
    outbox.flush(&mut counters);
    assert!(outbox.congested());
    assert_eq!(counters.value(Series::MeshStalls), 1);
    assert_eq!(counters.hits(Limit::MeshFrames), 6);

    let sleeper = Arc::new(Sleeper::default());
    let waker = Waker::from(sleeper.clone());
    let bell = mesh.bell(A).unwrap();
    assert!(!outbox.has_room());
    assert!(bell.poll_sleep(&mut Context::from_waker(&waker), || false).is_pending());
    let mut all = Vec::new();
    for woken in 1..=3 {
        all.extend(taken(&mut inbox));
        assert_eq!(outbox.has_room(), outbox.congested());
        assert_eq!(sleeper.woken(), woken.min(2));
        outbox.flush(&mut counters);
        assert!(bell.poll_sleep(&mut Context::from_waker(&waker), || false).is_pending());
    }
    assert!(!outbox.congested());
    assert_eq!(all, (0..10).collect::<Vec<_>>());
}

#[test]
fn a_full_overflow_drops_by_kind() {
    let mesh = mesh(1, 1);
    let mut counters = Counters::default();
    let mut outbox = mesh.outbox(A);
    let undeliverable = || Frame::Undeliverable { relay: RelayId::default() };
    outbox.send(B, frame(0), &mut counters);
    outbox.send(B, frame(1), &mut counters);
    outbox.send(B, frame(2), &mut counters);
    outbox.send(B, undeliverable(), &mut counters);
    assert_eq!(counters.hits(Limit::MeshOverflow), 2);
    assert_eq!(counters.frames_dropped(FrameKind::Deliver), 1);
    assert_eq!(counters.frames_dropped(FrameKind::Undeliverable), 1);
}

#[test]
fn a_frame_to_no_shard_is_dropped_and_counted() {
    let mut counters = Counters::default();
    mesh(4, 4).outbox(A).send(ShardId(3), frame(0), &mut counters);
    assert_eq!(counters.frames_dropped(FrameKind::Deliver), 1);
}

#[test]
fn producers_take_turns() {
    let mesh = mesh(1024, 0);
    let mut counters = Counters::default();
    let (mut first, mut second) = (mesh.outbox(A), mesh.outbox(B));
    (0..1000).for_each(|i| first.send(C, frame(i), &mut counters));
    second.send(C, frame(5000), &mut counters);
    let order = taken(&mut mesh.inbox(C));
    let position = order.iter().position(|number| *number == 5000).unwrap();
    assert!(position <= TURN as usize, "{position}");
    assert_eq!(order.len(), 1001);
}

#[test]
fn two_threads_lose_nothing_and_miss_no_bell() {
    const FRAMES: u32 = 100_000;
    let mesh = mesh(64, FRAMES as usize);
    let producer = mesh.clone();
    let done = std::thread::spawn(move || {
        let mut counters = Counters::default();
        let mut outbox = producer.outbox(A);
        for number in 0..FRAMES {
            outbox.send(B, frame(number), &mut counters);
            if number % 7 == 0 {
                outbox.flush(&mut counters);
            }
        }
        while outbox.congested() {
            outbox.flush(&mut counters);
            std::thread::yield_now();
        }
        outbox.flush(&mut counters);
        counters.frames_dropped(FrameKind::Deliver)
    });
    let mut inbox = mesh.inbox(B);
    let bell = mesh.bell(B).unwrap();
    let mut next = 0;
    // Parks between batches and hangs if a bell is missed.
    futures_lite::future::block_on(std::future::poll_fn(|cx| {
        loop {
            while let Some(frame) = inbox.pop() {
                assert_eq!(number(&frame), next);
                next += 1;
            }
            if next == FRAMES {
                return Poll::Ready(());
            }
            if bell.poll_sleep(cx, || !inbox.is_empty()).is_pending() {
                return Poll::Pending;
            }
        }
    }));
    assert_eq!(done.join().unwrap(), 0);
}

proptest! {
    /// However sends, flushes and pops follow each other, each pair keeps its order and nothing
    /// is lost while the overflow has room.
    #[test]
    fn every_pair_keeps_its_order(steps in prop::collection::vec((0u8..6, 1u32..20), 1..200)) {
        let mesh = mesh(4, 1 << 20);
        let mut counters = Counters::default();
        let mut outboxes = [mesh.outbox(A), mesh.outbox(B)];
        let mut inbox = mesh.inbox(C);
        let mut sent = [0u32; 2];
        let mut seen = [0u32; 2];
        let mut take = |inbox: &mut Inbox, max: u32| {
            for _ in 0..max {
                let Some(frame) = inbox.pop() else { break };
                let from = (number(&frame) % 2) as usize;
                assert_eq!(number(&frame) / 2, seen[from]);
                seen[from] += 1;
            }
            seen
        };
        for (step, count) in steps {
            let from = usize::from(step % 2);
            match step {
                0..=1 => for _ in 0..count {
                    outboxes[from].send(C, frame(sent[from] * 2 + from as u32), &mut counters);
                    sent[from] += 1;
                },
                2..=3 => outboxes[from].flush(&mut counters),
                _ => {
                    take(&mut inbox, count);
                }
            }
        }
        while outboxes.iter().any(Outbox::congested) {
            outboxes.iter_mut().for_each(|outbox| outbox.flush(&mut counters));
            take(&mut inbox, u32::MAX);
        }
        prop_assert_eq!(take(&mut inbox, u32::MAX), sent);
    }
}
