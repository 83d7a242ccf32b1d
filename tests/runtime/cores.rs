//! Several cores, and what they do to each other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mynah::base::limits::Limit;
use mynah::metrics::counters::FrameKind;
use mynah::metrics::names::Series;

use super::client::{Client, Plain, request};
use super::stand_in::{PATIENCE, Running};

/// A connection on each core of `server`.
fn one_on_each(server: &Running) -> Vec<Plain> {
    let mut found = BTreeMap::new();
    let since = Instant::now();
    while found.len() < usize::from(server.cores.shards()) {
        assert!(since.elapsed() < PATIENCE, "the kernel gives a core no connection");
        let mut client = Client::plain(server.tcp());
        client.send(request("shard", 1));
        let answer = client.message().unwrap();
        let shard = answer.split("CSeq: ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        found.entry(shard.to_owned()).or_insert(client);
    }
    found.into_values().collect()
}

#[test]
fn two_cores_on_one_address_both_serve() {
    let server = Running::start(|settings| settings.cores = Some(2));
    for client in &mut one_on_each(&server) {
        client.ask("ok", 5);
    }
    assert!(server.counters().iter().all(|core| core.value(Series::ConnectionsOpened) > 0));
}

#[test]
fn a_frame_goes_to_the_other_core_and_back() {
    let server = Running::start(|settings| settings.cores = Some(2));
    for client in &mut one_on_each(&server) {
        for cseq in 1..=100 {
            client.ask("far", cseq);
        }
    }
    let sum = server.sum();
    assert_eq!(sum.value(Series::FramesSent), 400);
    assert_eq!(sum.value(Series::FramesReceived), 400);
}

#[test]
fn one_core_alone_handles_frames_to_itself() {
    let server = Running::start(|_| {});
    Client::plain(server.tcp()).ask("far", 1);
    assert_eq!(server.value(Series::FramesSent), 0);
}

#[test]
fn a_full_queue_stops_reading_and_loses_nothing() {
    let server = Running::start(|settings| {
        settings.cores = Some(2);
        settings.limits.mesh_queue_frames_max = 64;
        settings.limits.outgoing_bytes_per_connection_max = 16 * 1024 * 1024;
    });
    let mut clients = one_on_each(&server);
    // 10,000 frames each, there and back; an answer for each.
    for client in &mut clients {
        client.send(request("burst", 1).repeat(4));
        client.send(request("ok", 2));
    }
    for client in &mut clients {
        let mut answers = 0;
        while answers < 40_001 {
            let message = client.message().unwrap();
            assert!(message.starts_with("SIP/2.0 200 "), "{message}");
            answers += 1;
        }
    }
    let sum = server.sum();
    assert!(sum.value(Series::MeshStalls) > 0);
    assert!(sum.hits(Limit::MeshFrames) > 0);
    assert_eq!(sum.value(Series::FramesSent), sum.value(Series::FramesReceived));
    assert_eq!(sum.frames_dropped(FrameKind::Deliver), 0);
}

#[test]
fn a_full_overflow_drops_and_counts_by_kind() {
    let server = Running::start(|settings| {
        settings.cores = Some(2);
        settings.limits.mesh_queue_frames_max = 16;
        settings.limits.mesh_overflow_frames_max = 100;
    });
    let mut clients = one_on_each(&server);
    clients[0].send(request("burst", 1));
    super::stand_in::wait_until("frames are dropped", || {
        server.sum().frames_dropped(FrameKind::Deliver) > 0
    });
    assert!(server.hits(Limit::MeshOverflow) > 0);
    clients[1].ask("ok", 2);
}

/// T2 of the runtime: a busy peer takes frames at once, not when its time slice ends.
#[test]
fn a_frame_reaches_a_core_that_is_busy() {
    let server = Running::start(|settings| settings.cores = Some(2));
    let mut probe = one_on_each(&server).remove(0);
    // Connections that keep both cores busy, each with many requests in flight.
    let stop = AtomicBool::new(false);
    let mut delays = std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        for _ in 0..8 {
            scope.spawn(|| {
                let mut busy = [(); 4].map(|()| Client::plain(server.tcp()));
                let hogs = (1..=20).map(|cseq| request("hog", cseq)).collect::<String>();
                while !stop.load(Ordering::Relaxed) {
                    busy.iter_mut().for_each(|client| client.send(&hogs));
                    for client in &mut busy {
                        (1..=20).for_each(|cseq| client.expect(cseq));
                    }
                }
            });
        }
        (1..=51).for_each(|cseq| probe.ask("probe", cseq));
        server.notes.delays.lock().unwrap().clone()
    });
    delays.sort_unstable();
    // Counted in work of the busy core, not in time, of which other processes take their share.
    // Glommio alone lets 250 pieces of 200 microseconds pass at the median.
    assert!(delays[25] <= 25, "{delays:?}");
}

/// T1 of the runtime: an executor that shares its CPU never sleeps with work to do.
#[test]
fn a_core_that_shares_its_cpu_goes_on() {
    let server = Running::start(|_| {});
    let mut longest = Duration::ZERO;
    contended(|| {
        let mut clients: Vec<Plain> = (0..8).map(|_| Client::plain(server.tcp())).collect();
        let since = Instant::now();
        let mut cseq = 0;
        while since.elapsed() < Duration::from_secs(4) {
            cseq += 1;
            let asked = Instant::now();
            clients.iter_mut().for_each(|client| client.send(request("ok", cseq)));
            clients.iter_mut().for_each(|client| client.expect(cseq));
            longest = longest.max(asked.elapsed());
        }
    });
    assert!(longest < Duration::from_secs(2), "stood still for {longest:?}");
}

/// T1 before there is a tick, or any task at all: another executor takes the place.
#[test]
fn a_server_starts_on_a_cpu_that_others_want() {
    contended(|| {
        for _ in 0..5 {
            let server = Running::start(|_| {});
            Client::plain(server.tcp()).ask("ok", 1);
        }
    });
}

/// T1 again, where the tick does not help: it waits behind so much work that it is among what
/// glommio forgets. Then the watchdog wakes the core.
#[test]
fn a_core_buried_in_work_does_not_sleep_on_it() {
    let server = Running::start(|settings| {
        settings.cores = Some(2);
        settings.listen.http = Some("127.0.0.1:0".parse().unwrap());
    });
    contended(|| {
        let mut probe = Client::plain(server.tcp());
        probe.ask("far", 1);
        let mut clients: Vec<Plain> = (0..64).map(|_| Client::plain(server.tcp())).collect();
        let hogs = (1..=200).map(|cseq| request("hog", cseq)).collect::<String>();
        clients.iter_mut().for_each(|client| client.send(&hogs));
        (2..=51).for_each(|cseq| probe.ask("far", cseq));
        for client in &mut clients {
            (1..=200).for_each(|cseq| client.expect(cseq));
        }
    });
    let page = super::pages::fetch(&server, "/metrics");
    for shard in 0..2 {
        let line = format!("mynah_core_stalls_total{{shard=\"{shard}\"}} 0\n");
        assert!(page.contains(&line), "{page}");
    }
}

/// Does `work` while two other threads want the CPU of the first core.
fn contended(work: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        for _ in 0..2 {
            scope.spawn(|| {
                let mut cpu = rustix::thread::CpuSet::new();
                let usable = rustix::thread::sched_getaffinity(None).unwrap();
                cpu.set((0..1024).find(|cpu| usable.is_set(*cpu)).unwrap());
                rustix::thread::sched_setaffinity(None, &cpu).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        work();
    });
}

/// Ends the threads that look at it, also when the test fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
