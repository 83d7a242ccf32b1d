//! What is attacked: a server, and somebody who is served by it meanwhile.

use std::ops::Deref;

use crate::outside::endpoint::Endpoint;
use crate::outside::server::Server;

/// A server under attack.
pub struct Target {
    server: Server,
    bystander: Endpoint,
}

impl Target {
    /// Starts a server with these limits; carol is signed in over TLS.
    pub fn with_limits(limits: &str) -> Self {
        let server = Server::serve(&format!("[limits]\n{limits}\n"));
        let bystander = Endpoint::tls(&server, "carol");
        Target { server, bystander }
    }

    /// Starts a server with the limits it has by default.
    pub fn start() -> Self {
        Target::with_limits("")
    }

    /// Fails unless the bystander is served.
    pub fn serves_others(&mut self) {
        let answer = self.bystander.ask("OPTIONS", "carol", "", "");
        assert_eq!(answer.status(), 200, "{}", answer.head);
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
