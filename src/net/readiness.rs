//! Which sockets of a core have something to do: one epoll instance, edge-triggered, and the bell
//! that wakes the core's executor when it has slept.
//!
//! Glommio's own streams ask the ring for one poll after each read. Its completion interrupts the
//! core, allocates, and wakes a task for each connection; a message from client to client costs a
//! fifth less without (README, Figures). A socket is told to epoll once, when it is accepted. The
//! executor sleeps in its ring as ever and is woken by a poll of the epoll descriptor itself.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::AsyncRead;
use glommio::net::TcpStream;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::base::ids::Slot;

/// Events taken at once: what their handlers have for one connection leaves together.
const EVENTS: usize = 256;
/// A name that no connection has: its generation is the number of a listener.
const LISTENER: u32 = u32::MAX;

/// Whose socket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A connection's.
    Connection(Slot),
    /// That of the listener with this number.
    Listener(u32),
}

impl Source {
    fn data(self) -> EventData {
        let (index, generation) = match self {
            Source::Connection(slot) => (slot.index, slot.generation),
            Source::Listener(number) => (LISTENER, number),
        };
        EventData::new_u64(u64::from(generation) << 32 | u64::from(index))
    }

    fn of(data: EventData) -> Source {
        let (index, generation) = (data.u64() as u32, (data.u64() >> 32) as u32);
        match index {
            LISTENER => Source::Listener(generation),
            _ => Source::Connection(Slot { index, generation }),
        }
    }
}

/// A socket that can be read, or written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Whose it is.
    pub source: Source,
    /// The peer has closed its side, or the socket has failed: reading shows how it ends.
    pub hangup: bool,
}

impl Ready {
    fn of(event: &Event) -> Ready {
        let end = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        // A packed field: read whole before anything is asked of it.
        let flags = event.flags;
        Ready { source: Source::of(event.data), hangup: flags.intersects(end) }
    }
}

/// The sockets of one core.
pub struct Readiness {
    epoll: OwnedFd,
    events: Vec<Event>,
    /// Armed while the core sleeps: has a descriptor of the epoll instance of its own, which glommio
    /// takes for a socket.
    bell: Option<TcpStream>,
}

impl Readiness {
    /// No socket yet.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Readiness { epoll, events: Vec::with_capacity(EVENTS), bell: None })
    }

    /// Tells of `socket` from now on, and once for how it is now. It is forgotten when it is
    /// closed.
    ///
    /// # Errors
    /// When the kernel has no memory for it, or the user too many watches.
    pub fn add(&self, socket: impl AsFd, source: Source) -> io::Result<()> {
        let flags = match source {
            Source::Connection(_) => EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP,
            Source::Listener(_) => EventFlags::IN,
        };
        Ok(epoll::add(&self.epoll, socket, source.data(), flags | EventFlags::ET)?)
    }

    /// Tells no more of `socket`, which others have open too and so is not forgotten.
    pub fn remove(&self, socket: impl AsFd) {
        // It fails only for what was never added.
        let _ = epoll::delete(&self.epoll, socket);
    }

    /// Takes what has become ready, up to a bound, into `ready`. Never waits.
    pub fn take(&mut self, ready: &mut VecDeque<Ready>) {
        self.events.clear();
        let spare = rustix::buffer::spare_capacity(&mut self.events);
        // Only an interruption fails here, and it will be asked again.
        let _ = epoll::wait(&self.epoll, spare, Some(&Timespec::default()));
        ready.extend(self.events.iter().map(Ready::of));
    }

    /// Has the task woken once there is something to take; ready when it must look again by itself.
    /// The bell looks at how the descriptor is, so it rings for all that came after the last
    /// [`take`](Self::take).
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Glommio polls the descriptor, and then finds that it is no socket.
        let mut ring = |bell: &mut TcpStream| Pin::new(bell).poll_read(cx, &mut []).map(|_| ());
        if self.bell.as_mut().is_some_and(|bell| ring(bell).is_pending()) {
            return Poll::Pending;
        }
        self.arm();
        // Without a descriptor the tick of the core looks again.
        self.bell.as_mut().map_or(Poll::Pending, ring)
    }

    /// Makes a bell that has not rung. Glommio polls for a stream before it is first read and no more
    /// after an error, so each ring needs a new one; the descriptor stays.
    #[allow(unsafe_code)]
    fn arm(&mut self) {
        let descriptor = match self.bell.take() {
            Some(rung) => {
                let descriptor = rung.as_raw_fd();
                // It has no poll any more: nothing of it is left but the descriptor and a count of
                // weak references to the reactor.
                mem::forget(rung);
                descriptor
            }
            None => match self.epoll.try_clone() {
                Ok(own) => own.into_raw_fd(),
                Err(_) => return,
            },
        };
        // SAFETY: the descriptor is open, and its owner, clone or forgotten stream, has given it up.
        self.bell = Some(unsafe { TcpStream::from_raw_fd(descriptor) });
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use futures_lite::future::or;
    use glommio::{LocalExecutorBuilder, Placement};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn taken(readiness: &mut Readiness) -> Vec<Ready> {
        let mut ready = VecDeque::new();
        readiness.take(&mut ready);
        ready.into()
    }

    /// What loopback delivers it has delivered when the call returns.
    #[test]
    fn each_change_is_told_once() {
        let (mut client, server) = pair();
        let mut readiness = Readiness::new().unwrap();
        let source = Source::Connection(Slot { index: 7, generation: 9 });
        readiness.add(&server, source).unwrap();
        assert_eq!(taken(&mut readiness), [Ready { source, hangup: false }]);
        assert_eq!(taken(&mut readiness), []);
        client.write_all(b"x").unwrap();
        assert_eq!(taken(&mut readiness), [Ready { source, hangup: false }]);
        assert_eq!(taken(&mut readiness), []);
        drop(client);
        assert_eq!(taken(&mut readiness), [Ready { source, hangup: true }]);
        drop(server);
        assert_eq!(taken(&mut readiness), []);
    }

    /// Each time nothing has come, then the bell is armed, then something comes.
    #[test]
    fn the_bell_rings_every_time() {
        let (mut client, server) = pair();
        let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(64 * 1024).make();
        executor.unwrap().run(async move {
            let mut readiness = Readiness::new().unwrap();
            let source = Source::Connection(Slot { index: 0, generation: 0 });
            readiness.add(&server, source).unwrap();
            assert_eq!(taken(&mut readiness).len(), 1);
            for _ in 0..100 {
                let mut armed = false;
                let taken = poll_fn(|cx| {
                    if !taken(&mut readiness).is_empty() {
                        return Poll::Ready(true);
                    }
                    assert!(readiness.poll(cx).is_pending());
                    if !mem::replace(&mut armed, true) {
                        client.write_all(b"x").unwrap();
                    }
                    Poll::Pending
                });
                let patience = async {
                    glommio::timer::sleep(Duration::from_secs(30)).await;
                    false
                };
                assert!(or(taken, patience).await);
                assert!(armed);
            }
        });
    }

    #[test]
    fn listeners_and_connections_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut readiness = Readiness::new().unwrap();
        readiness.add(&listener, Source::Listener(3)).unwrap();
        assert_eq!(taken(&mut readiness), []);
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let source = Source::Listener(3);
        assert_eq!(taken(&mut readiness), [Ready { source, hangup: false }]);
    }
}
