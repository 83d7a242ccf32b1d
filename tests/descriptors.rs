//! Out of descriptors: accepting pauses, users who are connected are served, and it goes on by
//! itself. Alone in its process, whose limit it lowers.

#[path = "runtime/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "runtime/stand_in.rs"]
#[allow(dead_code)]
mod stand_in;

use mynah::metrics::names::Series;
use rustix::process::{Resource, Rlimit, setrlimit};

use client::Client;
use stand_in::{Running, wait_until};

#[test]
fn out_of_descriptors_accepting_pauses_and_goes_on_by_itself() {
    let server = Running::start(|_| {});
    let mut user = Client::plain(server.tcp());
    user.ask("ok", 1);

    let hard = rustix::process::getrlimit(Resource::Nofile).maximum;
    let limit = |soft| {
        setrlimit(Resource::Nofile, Rlimit { current: Some(soft), maximum: hard }).unwrap();
    };
    let used = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    // The clients take the last descriptors, so the server gets none for its ends.
    limit(used + 8);
    let mut waiting = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect(server.tcp()) {
        waiting.push(stream);
    }
    wait_until("accepting fails", || server.value(Series::AcceptFailures) > 0);
    let failures = server.value(Series::AcceptFailures);
    let ticks = server.value(Series::Ticks);
    wait_until("some time has passed", || server.value(Series::Ticks) > ticks + 50);
    // A second of failing is ten attempts, not a spin.
    assert!(server.value(Series::AcceptFailures) < failures + 50);
    user.ask("ok", 2);

    limit(used + 200);
    Client::plain(server.tcp()).ask("ok", 1);
    user.ask("ok", 3);
}
