//! A core whose thread stands still.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::outside::endpoint::Endpoint;
use crate::outside::metrics::{Metrics, fetch};
use crate::outside::server::{PASSWORD, Server};
use crate::outside::session::Session;
use crate::outside::stream::Stream;
use crate::outside::{PATIENCE, eventually};

/// A thread of another process that does not run. Goes on when dropped.
struct Stalled(libc::pid_t);

impl Stalled {
    /// Stops the thread called `name`, as a tracer does.
    #[allow(unsafe_code)]
    fn thread(server: &Server, name: &str) -> Self {
        let tasks = fs::read_dir(format!("/proc/{}/task", server.ready.pid)).unwrap();
        let thread = tasks
            .map(|task| task.unwrap().path())
            .find(|task| fs::read_to_string(task.join("comm")).unwrap().trim() == name)
            .unwrap_or_else(|| panic!("no thread is called {name}"));
        let id: libc::pid_t = thread.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: asks the kernel about a thread of a child of ours, and passes no memory.
        unsafe {
            assert_eq!(libc::ptrace(libc::PTRACE_SEIZE, id, none, none), 0, "seize");
            assert_eq!(libc::ptrace(libc::PTRACE_INTERRUPT, id, none, none), 0, "interrupt");
            let stopped = libc::waitpid(id, std::ptr::null_mut(), libc::__WALL);
            assert_eq!(stopped, id, "{}", std::io::Error::last_os_error());
        }
        Stalled(id)
    }
}

impl Drop for Stalled {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: as above.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.0, none, none) };
    }
}

/// Connections that each core has taken so far.
fn taken(server: &Server) -> BTreeMap<String, u64> {
    let (_, page) = fetch(server.ready.http, "/metrics");
    let series = "mynah_connections_opened_total{shard=\"";
    let lines = page.lines().filter_map(|line| line.strip_prefix(series));
    lines
        .map(|line| {
            let (shard, value) = line.split_once("\"} ").unwrap();
            (shard.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// Signs users in until as many as named are connected to core 0; and somebody to core 1.
fn on_cores(server: &Server, users: [&str; 2]) -> ([Endpoint; 2], Endpoint) {
    let connect = |user: &str, core: &str| {
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < PATIENCE, "the kernel gives core {core} no connection");
            let before = taken(server);
            let stream = Stream::tls(server);
            let after = taken(server);
            if after[core] > before[core] {
                return Endpoint::sign_in(stream, user, PASSWORD);
            }
        }
    };
    (users.map(|user| connect(user, "0")), connect("carol", "1"))
}

#[test]
fn a_core_that_stands_still_is_reported_and_the_others_serve() {
    // 64
    let mut server = Server::demo();
    let cores = taken(&server).len();
    assert!(cores >= 2, "takes a machine with two processors");
    let ([mut alice, mut bob], mut carol) = on_cores(&server, ["alice", "bob"]);
    let mut session = Session::open(&mut alice, &mut bob);
    let stalled = Stalled::thread(&server, "core-1");
    let since = Instant::now();
    let options = carol.request("OPTIONS", "carol", "", "");
    carol.stream.write(options);
    // Who is on the other core talks on, until the watchdog has seen it and beyond.
    let mut longest = Duration::ZERO;
    let mut said = 0;
    let reported = loop {
        let asked = Instant::now();
        session.say(&mut alice, &mut bob, "still here");
        longest = longest.max(asked.elapsed());
        said += 1;
        if server.process().lines().iter().any(|line| line.contains("core stands still")) {
            break since.elapsed();
        }
        assert!(since.elapsed() < PATIENCE, "nobody reports the core");
    };
    assert!(reported >= Duration::from_secs(2), "{reported:?}");
    assert!(said > 20 && longest < reported / 2, "{said} in {reported:?}, one took {longest:?}");
    let (status, health) = fetch(server.ready.http, "/healthz");
    assert!(status == 503 && health.contains("core of shard 1 makes no progress"), "{health}");
    assert_eq!(
        Metrics::scrape(server.ready.http).value("mynah_shards_current"),
        (cores - 1) as f64
    );

    drop(stalled);
    assert_eq!(carol.final_answer().status(), 200);
    server.process().wait_for_text("core moves again");
    eventually("good health", || match fetch(server.ready.http, "/healthz") {
        (200, _) => Ok(()),
        (_, health) => Err(health),
    });
    assert_eq!(server.metrics().value("mynah_core_stalls_total"), 1.0);
    session.say(&mut alice, &mut bob, "and still");
    server.stop();
}
