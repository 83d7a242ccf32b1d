//! Two who are signed in and go on exchanging messages, whatever happens beside them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::outside::endpoint::Endpoint;
use crate::outside::server::Server;

/// The last word.
const GOODBYE: &str = "goodbye";

/// Carol, who writes to bob over TLS, and bob, who accepts what comes.
pub struct Chat {
    common: Arc<Common>,
    carol: JoinHandle<()>,
    bob: JoinHandle<()>,
}

#[derive(Default)]
struct Common {
    over: AtomicBool,
    exchanged: AtomicU64,
    /// From when a message was due to its 200.
    took: Mutex<Vec<Duration>>,
}

impl Chat {
    /// Signs both in; carol writes at most once in each `gap`.
    pub fn start(server: &Server, gap: Duration) -> Self {
        let (carol, bob) = (Endpoint::tls(server, "carol"), Endpoint::tls(server, "bob"));
        let common = Arc::new(Common::default());
        let carol = {
            let common = Arc::clone(&common);
            thread::spawn(move || common.write(carol, gap))
        };
        Chat { common, carol, bob: thread::spawn(move || accept(bob)) }
    }

    /// Messages that were accepted up to now.
    pub fn exchanged(&self) -> u64 {
        self.common.exchanged.load(Ordering::Relaxed)
    }

    /// How long those took that were exchanged since this was last asked.
    pub fn took(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.common.took.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends it; panics if a message was lost, refused, changed or out of order.
    pub fn end(self) {
        self.common.over.store(true, Ordering::Relaxed);
        self.carol.join().expect("carol's messages to be accepted");
        self.bob.join().expect("bob to get each message once and in order");
    }
}

impl Common {
    fn write(&self, mut carol: Endpoint, gap: Duration) {
        let mut due = Instant::now();
        for number in 0u64.. {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            let left = due.saturating_duration_since(Instant::now());
            // Who slept is late by the machine's fault; who did not is late by the server's.
            let began = if left.is_zero() {
                due
            } else {
                thread::sleep(left);
                Instant::now()
            };
            let answer = carol.say("bob", &number.to_string());
            assert_eq!(answer.status(), 200, "{}", answer.head);
            self.took.lock().unwrap_or_else(PoisonError::into_inner).push(began.elapsed());
            self.exchanged.fetch_add(1, Ordering::Relaxed);
            due += gap;
        }
        assert_eq!(carol.say("bob", GOODBYE).status(), 200);
    }
}

fn accept(mut bob: Endpoint) {
    for number in 0u64.. {
        let message = bob.answer("MESSAGE", 200, "");
        let text = String::from_utf8_lossy(&message.body);
        if text == GOODBYE {
            return;
        }
        assert_eq!(text, number.to_string());
    }
}
