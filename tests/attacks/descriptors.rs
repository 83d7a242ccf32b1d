//! More connections than there are descriptors or than one address may have.

use std::net::TcpStream;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::outside::PATIENCE;
use crate::outside::endpoint::Endpoint;
use crate::outside::metrics::{closed, hits};
use crate::outside::stream::{Stream, connect, connect_from};
use crate::siege::chat::Chat;
use crate::siege::field::FROM;
use crate::target::Target;

#[test]
fn one_address_has_so_many_connections_and_others_have_theirs() {
    // 25
    let target = Target::with_limits("connections_per_address_max = 8");
    let shards = target.metrics().value("mynah_shards_current");
    let count = 64;
    let crowd: Vec<TcpStream> =
        (0..count).map(|_| connect_from(FROM, target.ready.tcp, PATIENCE).unwrap()).collect();
    // The bystander is at another address. Each core holds its share of the bound.
    let most = (8.0 / shards).ceil() * shards;
    target.wait_metric(&hits("connections_per_address_max"), |count| count >= 64.0 - most);
    let metrics = target.metrics();
    assert!(metrics.value("mynah_connections_current") <= most + 1.0);
    assert_eq!(metrics.closed("refused"), metrics.hits("connections_per_address_max"));
    Endpoint::tls(&target, "alice");
    drop(crowd);
    target.wait_metric("mynah_connections_current", |connections| connections == 1.0);
    // There is room again.
    let mut stream = Stream::over(connect_from(FROM, target.ready.tcp, PATIENCE).unwrap());
    stream.write("\r\n\r\n");
    assert_eq!(stream.octets(2), b"\r\n");
    target.survived();
}

#[test]
fn without_descriptors_accepting_pauses_and_goes_on_by_itself() {
    // 26
    let target = Target::start();
    let chat = Chat::start(&target, std::time::Duration::from_millis(10));
    target.wait_metric("mynah_connections_current", |connections| connections == 3.0);
    let pid = i32::try_from(target.ready.pid).ok().and_then(Pid::from_raw);
    let whole = getrlimit(Resource::Nofile);
    let open = target.metrics().value("process_open_fds") as u64;
    let limit = |current: u64| {
        let maximum = whole.maximum.or(Some(20_000));
        prlimit(pid, Resource::Nofile, Rlimit { current: Some(current), maximum }).unwrap();
    };
    // Room for a few, and for whoever asks for the counters.
    limit(open + 8);
    let mut crowd: Vec<TcpStream> = (0..32).map(|_| connect(target.ready.tls)).collect();
    // The page of the counters needs a descriptor too: the log is asked.
    let said = |text: &str| target.lines().iter().filter(|line| line.contains(text)).count();
    crate::outside::eventually("a line about it", || match said("cannot accept") {
        0 => Err("no line".to_owned()),
        lines => Ok(lines),
    });
    let passed = chat.exchanged();
    crate::outside::eventually("messages to pass meanwhile", || {
        let more = chat.exchanged() - passed;
        if more >= 100 { Ok(()) } else { Err(more.to_string()) }
    });
    // Those who wait are taken in as others leave.
    crowd.truncate(1);
    let failures = target.wait_metric("mynah_accept_failures_total", |failures| failures > 0.0);
    // Ten a second and core, not a spin.
    assert!(failures < 1_000.0, "{failures}");
    Endpoint::tls(&target, "alice");
    drop(crowd);
    target.wait_metric("mynah_connections_current", |connections| connections == 3.0);
    target.wait_metric(&closed("refused"), |refused| refused == 0.0);
    limit(open + 200);
    Endpoint::tls(&target, "alice");
    chat.end();
    target.survived();
}
