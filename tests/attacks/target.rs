//! What is attacked: a server, and somebody who is served by it meanwhile.

use std::fmt::Write as _;
use std::ops::Deref;

use crate::outside::endpoint::Endpoint;
use crate::outside::eventually;
use crate::outside::server::{DOMAIN, PASSWORD, Server};

/// A server under attack.
pub struct Target {
    server: Server,
    bystander: Endpoint,
}

impl Target {
    /// Starts a server with these limits; carol is signed in over TLS.
    pub fn with_limits(limits: &str) -> Self {
        Target::with_config(&format!("[limits]\n{limits}\n"))
    }

    /// Starts a server with these lines in its configuration; carol is signed in over TLS.
    pub fn with_config(lines: &str) -> Self {
        let server = Server::serve(lines);
        let bystander = Endpoint::tls(&server, "carol");
        Target { server, bystander }
    }

    /// Starts a server with the limits it has by default.
    pub fn start() -> Self {
        Target::with_limits("")
    }

    /// Adds so many users while it runs; their names.
    pub fn populate(&self, users: usize) -> Vec<String> {
        let names: Vec<String> = (0..users).map(|n| format!("user{n}")).collect();
        let mut lines = "address,password\n".to_owned();
        for name in &names {
            let _ = writeln!(lines, "{name}@{DOMAIN},{PASSWORD}");
        }
        let output = self.command_with(&["user", "import", "-"], &lines);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.wait_metric("mynah_users_current", |known| known == (users + 3) as f64);
        names
    }

    /// Fails unless the bystander is served.
    pub fn serves_others(&mut self) {
        let answer = self.bystander.ask("OPTIONS", "carol", "", "");
        assert_eq!(answer.status(), 200, "{}", answer.head);
    }

    /// Attacks again and again until that leaves nothing more behind, once only so many connections
    /// are open: what the first times have left is room that is used again. How much of it there is,
    /// is the allocator's business; fails when each time leaves more.
    pub fn leaves_nothing(&self, connections: f64, mut attack: impl FnMut()) {
        self.comes_to_rest(connections, || (0..3).for_each(|_| attack()));
    }

    /// The same with one attack, of some seconds, at a time.
    pub fn comes_to_rest(&self, connections: f64, mut attack: impl FnMut()) {
        let mut grown = Vec::new();
        let (mut most, mut descriptors) = (0.0, f64::INFINITY);
        for _ in 0..8 {
            attack();
            // The question itself may have a descriptor that is not given back yet.
            let (memory, open) = eventually("the descriptors to be given back", || {
                let found = self.footprint(connections);
                if found.1 <= descriptors { Ok(found) } else { Err(format!("{found:?}")) }
            });
            descriptors = open;
            grown.push(memory - most);
            if memory - most < f64::from(256 << 10) {
                return;
            }
            most = memory.max(most);
        }
        panic!("{grown:?} octets more each time");
    }

    /// Memory and descriptors of the server, once only so many connections are open.
    fn footprint(&self, connections: f64) -> (f64, f64) {
        eventually("the connections to be gone", || {
            let metrics = self.metrics();
            let open = metrics.value("mynah_connections_current");
            let is_it = open == connections && metrics.value("mynah_subscriptions_current") == 0.0;
            let memory = metrics.value("process_resident_memory_bytes");
            let found = (memory, metrics.value("process_open_fds"));
            if is_it { Ok(found) } else { Err(open.to_string()) }
        })
    }

    /// Fails unless the bystander is served, nothing panicked, and the server ends in order.
    pub fn survived(mut self) {
        self.serves_others();
        let metrics = self.server.metrics();
        for panics in ["mynah_connection_panics_total", "mynah_step_panics_total"] {
            assert_eq!(metrics.value(panics), 0.0, "{panics}");
        }
        self.server.stop();
    }
}

impl Deref for Target {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}
