//! Which sockets of a thread have something to do: a ring of its own with one multishot poll for
//! each socket, armed once.
//!
//! The ring defers all its work to the moment when the thread asks. Whoever wakes a socket, on
//! loopback the server under test in the midst of its send, then only links an entry into a list:
//! a poll that interrupts the thread instead doubles what a send costs the server.

use anyhow::{Context, Result};
use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Entries that wait to be handed to the kernel; more are handed over in between.
const SUBMISSIONS: u32 = 4096;
/// Completions that wait; the kernel keeps what is beyond.
const COMPLETIONS: u32 = 65_536;
/// Completions taken at once, so that time-outs and pacing have their turn.
const TAKEN_MAX: usize = 512;
/// What a poll's own end is marked with: no socket.
const NOBODY: u64 = u64::MAX;

/// A socket that can be read, or written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The number it was added under.
    pub token: u64,
    /// The peer has closed its side, or the socket has failed: reading shows how it ends.
    pub hangup: bool,
    /// The poll has ended; [`Ring::add`] begins another.
    pub ended: bool,
}

/// The sockets of one thread.
pub struct Ring {
    ring: IoUring,
}

impl Ring {
    /// No socket yet. The thread that makes it is the only one that may use it.
    ///
    /// # Errors
    /// When the kernel refuses: it has no io_uring, or the process may not use it.
    pub fn new() -> Result<Ring> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(COMPLETIONS)
            .build(SUBMISSIONS)
            .or_else(|_| IoUring::builder().setup_cqsize(COMPLETIONS).build(SUBMISSIONS))
            .context("io_uring cannot be used here (sysctl kernel.io_uring_disabled, seccomp?)")?;
        Ok(Ring { ring })
    }

    /// Tells of `socket` from now on as `token`, and once for how it is now.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn add(&mut self, socket: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let flags = (libc::POLLIN | libc::POLLOUT | libc::POLLRDHUP) as u32;
        let poll = opcode::PollAdd::new(Fd(socket.as_raw_fd()), flags).multi(true).build();
        self.push(poll.user_data(token))
    }

    /// Tells of the socket no more. Until this is done the kernel keeps a closed socket open.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn remove(&mut self, token: u64) -> io::Result<()> {
        self.push(opcode::PollRemove::new(token).build().user_data(NOBODY))
    }

    /// Waits for something to do, `wait` at the longest, and takes it into `ready`.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn wait(&mut self, wait: Duration, ready: &mut Vec<Ready>) -> io::Result<()> {
        let time = Timespec::from(wait);
        let submitted =
            self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&time));
        match submitted.map_err(|error| (error.raw_os_error(), error)) {
            // Time is up; interrupted; completions wait to be taken before more can be submitted.
            Ok(_) | Err((Some(libc::ETIME | libc::EINTR | libc::EBUSY), _)) => {}
            Err((_, error)) => return Err(error),
        }
        let taken = self.ring.completion().take(TAKEN_MAX);
        ready.extend(taken.filter(|entry| entry.user_data() != NOBODY).map(|entry| {
            let end = i32::from(libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR);
            Ready {
                token: entry.user_data(),
                hangup: entry.result() < 0 || entry.result() & end != 0,
                ended: !cqueue::more(entry.flags()),
            }
        }));
        Ok(())
    }

    #[allow(unsafe_code)]
    fn push(&mut self, entry: io_uring::squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: polls and their ends refer to no memory of ours.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return Ok(());
            }
            self.ring.submit()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn taken(ring: &mut Ring) -> Vec<Ready> {
        let mut ready = Vec::new();
        ring.wait(Duration::ZERO, &mut ready).unwrap();
        ready
    }

    #[test]
    fn one_poll_tells_of_every_change() {
        let (mut client, server) = pair();
        let mut ring = Ring::new().unwrap();
        ring.add(server.as_fd(), 7).unwrap();
        assert_eq!(taken(&mut ring), [Ready { token: 7, hangup: false, ended: false }]);
        for _ in 0..3 {
            client.write_all(b"x").unwrap();
            assert_eq!(taken(&mut ring), [Ready { token: 7, hangup: false, ended: false }]);
            assert_eq!(taken(&mut ring), []);
        }
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(taken(&mut ring)[0].hangup);
    }

    #[test]
    fn a_socket_that_was_removed_is_closed_when_it_is_dropped() {
        let (client, server) = pair();
        let mut ring = Ring::new().unwrap();
        ring.add(server.as_fd(), 7).unwrap();
        taken(&mut ring);
        ring.remove(7).unwrap();
        taken(&mut ring);
        drop(server);
        let mut octet = [0];
        assert_eq!(std::io::Read::read(&mut &client, &mut octet).unwrap(), 0);
    }
}
