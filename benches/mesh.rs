//! CPU time of one frame from core to core, producer and consumer together, beside glommio's own
//! `shared_channel` in the same run. What counts is the ratio: the machine is rarely quiet.
//!
//! Both sides run on pinned executors as in the server. The figure is thread CPU time, so it
//! holds on a loaded machine; the goal is 150 ns for batches of 16.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use glommio::channels::shared_channel;
use glommio::{Latency, LocalExecutorBuilder, Placement, Shares};
use mynah::base::ids::{ConnId, ShardId, Slot};
use mynah::base::limits::Limits;
use mynah::metrics::counters::Counters;
use mynah::runtime::mesh::Mesh;
use mynah::shard::frame::{Cargo, Frame};
use rustix::time::{ClockId, clock_gettime};

const PRODUCER: ShardId = ShardId(0);
const CONSUMER: ShardId = ShardId(1);
/// Frames the consumer takes before other tasks have their turn, as in the server.
const TURN: u64 = 256;

fn frame() -> Frame {
    let conn = ConnId::new(CONSUMER, Slot { index: 7, generation: 1 });
    Frame::Deliver {
        conn,
        bytes: Bytes::from_static(b"SIP/2.0 200 OK\r\n\r\n"),
        cargo: Cargo::Plain,
    }
}

/// CPU time of this thread so far.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Runs two tasks on executors of their own and sums the CPU time of their threads.
fn on_two_cores<P, C>(
    producer: impl FnOnce() -> P + Send + 'static,
    consumer: impl FnOnce() -> C + Send + 'static,
) -> Duration
where
    P: Future<Output = ()> + 'static,
    C: Future<Output = ()> + 'static,
{
    let first = spawn(0, producer);
    let second = spawn(1, consumer);
    first.join().unwrap() + second.join().unwrap()
}

fn spawn<F: Future<Output = ()> + 'static>(
    cpu_number: usize,
    work: impl FnOnce() -> F + Send + 'static,
) -> std::thread::JoinHandle<Duration> {
    std::thread::spawn(move || {
        let executor = LocalExecutorBuilder::new(Placement::Fixed(cpu_number))
            .io_memory(64 * 1024)
            .preempt_timer(Duration::from_millis(10))
            .make()
            .unwrap();
        executor.run(async move {
            let latency = Latency::Matters(Duration::from_millis(5));
            let queue =
                glommio::executor().create_task_queue(Shares::Static(1000), latency, "xshard");
            // As in the server: without it glommio may sleep with work to do.
            let tick = async {
                loop {
                    glommio::timer::sleep(Duration::from_millis(20)).await;
                }
            };
            glommio::spawn_local_into(tick, queue).unwrap().detach();
            let since = cpu();
            glommio::spawn_local_into(work(), queue).unwrap().await;
            cpu() - since
        })
    })
}

fn mesh(frames: u64, batch: u64) -> Duration {
    let mesh = Mesh::new(2, &Limits::default());
    let sending = mesh.clone();
    let producer = move || async move {
        let mut counters = Counters::default();
        let mut outbox = sending.outbox(PRODUCER);
        let mut left = frames;
        poll_fn(|cx| {
            loop {
                outbox.flush(&mut counters);
                if outbox.congested() {
                    // Rung when the consumer has made room.
                    let bell = sending.bell(PRODUCER).unwrap();
                    if bell.poll_sleep(cx, || outbox.has_room()).is_pending() {
                        return Poll::Pending;
                    }
                } else if left == 0 {
                    return Poll::Ready(());
                }
                for _ in 0..batch.min(left) {
                    outbox.send(CONSUMER, frame(), &mut counters);
                }
                left -= batch.min(left);
            }
        })
        .await;
    };
    let consumer = move || async move {
        let inbox = RefCell::new(mesh.inbox(CONSUMER));
        let bell = mesh.bell(CONSUMER).unwrap();
        let mut taken = 0;
        poll_fn(|cx| {
            loop {
                let mut turn = 0;
                while turn < TURN
                    && let Some(frame) = inbox.borrow_mut().pop()
                {
                    std::hint::black_box(&frame);
                    turn += 1;
                }
                taken += turn;
                if taken == frames {
                    return Poll::Ready(());
                }
                if turn == TURN {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                if bell.poll_sleep(cx, || !inbox.borrow().is_empty()).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await;
    };
    on_two_cores(producer, consumer)
}

fn channel(frames: u64) -> Duration {
    let (sender, receiver) = shared_channel::new_bounded(Limits::default().mesh_queue_frames_max);
    let producer = move || async move {
        let sender = sender.connect().await;
        for _ in 0..frames {
            sender.send(frame()).await.unwrap();
        }
    };
    let consumer = move || async move {
        let receiver = receiver.connect().await;
        for _ in 0..frames {
            std::hint::black_box(receiver.recv().await.unwrap());
        }
    };
    on_two_cores(producer, consumer)
}

/// Enough frames for the start of two executors to weigh nothing.
const FRAMES: u64 = 200_000;

fn per_frame(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mesh");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    for batch in [1, 16, 64] {
        group.bench_function(format!("mesh, {batch} frames a wake-up"), |bencher| {
            bencher.iter_custom(|frames| scaled(frames, |frames| mesh(frames, batch)));
        });
    }
    group.bench_function("glommio shared_channel", |bencher| {
        bencher.iter_custom(|frames| scaled(frames, channel));
    });
    group.finish();
}

/// The time of `frames` frames, from a run of at least [`FRAMES`].
fn scaled(frames: u64, run: impl FnOnce(u64) -> Duration) -> Duration {
    let ran = frames.max(FRAMES);
    run(ran).mul_f64(frames as f64 / ran as f64)
}

criterion_group!(benches, per_frame);
criterion_main!(benches);
