//! The queues between cores: one bounded lock-free queue for each ordered pair, one bell a core.
//!
//! A producer pushes while it works and rings the bells of those it pushed to once, at the end of
//! its wake-up. A consumer that found every queue empty goes to sleep on its bell; one that works
//! is not rung. Nobody waits for another core: what does not fit stays beside the full queue, in
//! order, and the producer stops reading its connections until it is gone (back-pressure). Only
//! when that overflow is full too is a frame dropped, and counted by kind.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use crossbeam::queue::ArrayQueue;
use crossbeam::utils::CachePadded;

use crate::base::ids::ShardId;
use crate::base::limits::{Limit, Limits};
use crate::metrics::counters::Counters;
use crate::metrics::names::Series;
use crate::shard::frame::Frame;

/// Frames taken from one producer before the next one gets its turn.
const TURN: u32 = 64;

/// All queues and bells. Shared by the cores; holds no state of a shard.
#[derive(Debug)]
pub struct Mesh {
    shards: u16,
    overflow_max: usize,
    /// From producer `i` to consumer `j` at `i * shards + j`.
    queues: Box<[CachePadded<Queue>]>,
    bells: Box<[CachePadded<Bell>]>,
}

#[derive(Debug)]
struct Queue {
    frames: ArrayQueue<Frame>,
    /// The producer has frames that did not fit and wants to be rung when there is room.
    stalled: AtomicBool,
}

impl Mesh {
    /// Queues between `shards` cores.
    pub fn new(shards: u16, limits: &Limits) -> Arc<Self> {
        let pairs = usize::from(shards) * usize::from(shards);
        let queue = || Queue {
            frames: ArrayQueue::new(limits.mesh_queue_frames_max.max(1)),
            stalled: AtomicBool::new(false),
        };
        Arc::new(Mesh {
            shards,
            overflow_max: limits.mesh_overflow_frames_max,
            queues: (0..pairs).map(|_| CachePadded::new(queue())).collect(),
            bells: (0..shards).map(|_| CachePadded::new(Bell::default())).collect(),
        })
    }

    /// Number of cores.
    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// The sending end of `from`. One for each core: it alone keeps the order of its frames.
    pub fn outbox(self: &Arc<Self>, from: ShardId) -> Outbox {
        let shards = usize::from(self.shards);
        Outbox {
            mesh: self.clone(),
            from,
            overflow: (0..shards).map(|_| VecDeque::new()).collect(),
            waiting: 0,
            touched: vec![false; shards],
            stalled: false,
        }
    }

    /// The receiving end of `to`. One for each core.
    pub fn inbox(self: &Arc<Self>, to: ShardId) -> Inbox {
        Inbox { mesh: self.clone(), to, from: 0, turn: 0 }
    }

    /// Frames that wait for `to`.
    pub fn waiting(&self, to: ShardId) -> usize {
        let queues = (0..self.shards).filter_map(|from| self.queue(ShardId(from), to));
        queues.map(|queue| queue.frames.len()).sum()
    }

    /// The bell of `shard`.
    pub fn bell(&self, shard: ShardId) -> Option<&Bell> {
        self.bells.get(usize::from(shard.0)).map(|bell| &**bell)
    }

    fn queue(&self, from: ShardId, to: ShardId) -> Option<&Queue> {
        if from.0 >= self.shards || to.0 >= self.shards {
            return None;
        }
        self.queues
            .get(usize::from(from.0) * usize::from(self.shards) + usize::from(to.0))
            .map(|queue| &**queue)
    }
}

/// Wakes the one task of a core that waits for something to arrive.
#[derive(Debug, Default)]
pub struct Bell {
    asleep: AtomicBool,
    /// The same task waits every time, so its waker is set once and never exchanged.
    waker: OnceLock<Waker>,
    /// Of the first task of the core, which is there before any other has run.
    keeper: OnceLock<Waker>,
}

impl Bell {
    /// Wakes the sleeper; true if there was one. Costs one load when there is none.
    pub fn ring(&self) -> bool {
        let asleep =
            self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst);
        if asleep && let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
        asleep
    }

    /// Names the task whose waking wakes the executor even while the one that waits here has not
    /// run yet.
    pub fn keep(&self, keeper: &Waker) {
        let _ = self.keeper.get_or_init(|| keeper.clone());
    }

    /// Wakes the tasks whether they sleep or not, and with them an executor that should not sleep.
    pub fn rouse(&self) {
        for waker in [&self.keeper, &self.waker].into_iter().filter_map(OnceLock::get) {
            waker.wake_by_ref();
        }
    }

    /// Goes to sleep unless `arrived` says there is work. `arrived` is asked after the sleep was
    /// announced, so whatever is pushed later finds a sleeper to ring for.
    pub fn poll_sleep(&self, cx: &mut Context<'_>, arrived: impl FnOnce() -> bool) -> Poll<()> {
        let _ = self.waker.get_or_init(|| cx.waker().clone());
        self.asleep.store(true, Ordering::SeqCst);
        if arrived() {
            self.asleep.store(false, Ordering::SeqCst);
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// The sending end of one core.
#[derive(Debug)]
pub struct Outbox {
    mesh: Arc<Mesh>,
    from: ShardId,
    /// What did not fit, for each consumer, oldest first.
    overflow: Vec<VecDeque<Frame>>,
    /// Frames in all overflows.
    waiting: usize,
    /// Consumers pushed to since the last flush.
    touched: Vec<bool>,
    stalled: bool,
}

impl Outbox {
    /// Sends `frame` to `to`. It arrives after every frame sent there before it.
    pub fn send(&mut self, to: ShardId, frame: Frame, counters: &mut Counters) {
        let (Some(queue), Some(overflow), Some(touched)) = (
            self.mesh.queue(self.from, to),
            self.overflow.get_mut(usize::from(to.0)),
            self.touched.get_mut(usize::from(to.0)),
        ) else {
            // No such shard: a token from another configuration, or a forged one.
            counters.frame_dropped(frame.kind());
            return;
        };
        let frame = if overflow.is_empty() {
            match queue.frames.push(frame) {
                Ok(()) => {
                    *touched = true;
                    counters.count(Series::FramesSent);
                    return;
                }
                Err(frame) => frame,
            }
        } else {
            frame
        };
        counters.hit(Limit::MeshFrames);
        if self.waiting >= self.mesh.overflow_max {
            counters.hit(Limit::MeshOverflow);
            counters.frame_dropped(frame.kind());
            return;
        }
        overflow.push_back(frame);
        self.waiting += 1;
        *touched = true;
        if !self.stalled {
            self.stalled = true;
            counters.count(Series::MeshStalls);
        }
        queue.stalled.store(true, Ordering::SeqCst);
    }

    /// Ends a wake-up: moves what waits into queues that have room again and rings each consumer
    /// that got something, once.
    pub fn flush(&mut self, counters: &mut Counters) {
        if self.waiting > 0 {
            self.refill(counters);
        }
        for (to, touched) in self.touched.iter_mut().enumerate() {
            if std::mem::take(touched) && self.mesh.bells.get(to).is_some_and(|bell| bell.ring()) {
                counters.count(Series::MeshWakes);
            }
        }
    }

    /// True while frames wait beside a full queue: the core reads no connection meanwhile.
    pub fn congested(&self) -> bool {
        self.waiting > 0
    }

    /// True when a consumer has made room for frames that wait. Asked before going to sleep, for
    /// it may have rung when nobody slept.
    pub fn has_room(&self) -> bool {
        self.waiting > 0
            && self.overflow.iter().enumerate().any(|(to, overflow)| {
                !overflow.is_empty()
                    && self
                        .mesh
                        .queue(self.from, ShardId(to as u16))
                        .is_some_and(|queue| !queue.stalled.load(Ordering::SeqCst))
            })
    }

    fn refill(&mut self, counters: &mut Counters) {
        for (to, overflow) in self.overflow.iter_mut().enumerate() {
            let Some(queue) = self.mesh.queue(self.from, ShardId(to as u16)) else { continue };
            while let Some(frame) = overflow.pop_front() {
                match queue.frames.push(frame) {
                    Ok(()) => {
                        self.waiting -= 1;
                        counters.count(Series::FramesSent);
                        if let Some(touched) = self.touched.get_mut(to) {
                            *touched = true;
                        }
                    }
                    Err(frame) => {
                        overflow.push_front(frame);
                        // Set again, then tried once more: a consumer that emptied the queue
                        // between the push and the flag would otherwise not ring.
                        if !queue.stalled.swap(true, Ordering::SeqCst) {
                            continue;
                        }
                        break;
                    }
                }
            }
        }
        self.stalled = self.waiting > 0;
    }
}

/// The receiving end of one core.
#[derive(Debug)]
pub struct Inbox {
    mesh: Arc<Mesh>,
    to: ShardId,
    /// The producer whose turn it is, and the frames it has had.
    from: u16,
    turn: u32,
}

impl Inbox {
    /// The next frame; `None` when every queue is empty. Producers take turns.
    pub fn pop(&mut self) -> Option<Frame> {
        for _ in 0..=self.mesh.shards {
            let queue = self.mesh.queue(ShardId(self.from), self.to)?;
            if self.turn < TURN
                && let Some(frame) = queue.frames.pop()
            {
                self.turn += 1;
                return Some(frame);
            }
            self.pass_turn();
        }
        None
    }

    /// True when no queue holds a frame.
    pub fn is_empty(&self) -> bool {
        (0..self.mesh.shards).all(|from| {
            self.mesh.queue(ShardId(from), self.to).is_none_or(|queue| queue.frames.is_empty())
        })
    }

    /// Goes to the next producer, after telling this one that there is room if it asked.
    fn pass_turn(&mut self) {
        if let Some(queue) = self.mesh.queue(ShardId(self.from), self.to)
            && queue.stalled.load(Ordering::SeqCst)
            && queue.stalled.swap(false, Ordering::SeqCst)
            && let Some(bell) = self.mesh.bell(ShardId(self.from))
        {
            bell.ring();
        }
        self.turn = 0;
        self.from = (self.from + 1) % self.mesh.shards.max(1);
    }
}

#[cfg(test)]
mod tests;
