//! One connection on the executor: connect, handshake, read, write. What it reads goes into the
//! driver; what the driver left in the link it writes.

use crate::engine::Thread;
use crate::stats::Cause;
use crate::tls::Session;
use crate::world::Slot;
use futures_lite::io::{AsyncRead, AsyncWrite};
use glommio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Most reads before other connections get their turn.
const READS_MAX: usize = 8;

/// Octets that the system keeps for a user who reads nothing: few, so that the server notices.
const SILENT_BUFFER: usize = 16_384;

/// Which connection.
#[derive(Clone, Copy, Debug)]
pub struct Id {
    /// Whose.
    pub slot: Slot,
    /// Which one of that slot.
    pub generation: u32,
}

/// Why a connection ended.
struct End {
    cause: Cause,
    text: String,
}

impl End {
    fn new(cause: Cause, text: impl ToString) -> End {
        End { cause, text: text.to_string() }
    }
}

/// Makes the connection, serves it until it ends, and reports the end.
pub async fn serve(thread: Rc<Thread>, id: Id, source: Option<IpAddr>) {
    let end = match Connection::open(&thread, id, source) {
        Ok(mut connection) => {
            let end = poll_fn(|cx| connection.poll(cx, &thread)).await;
            connection.finish(&thread).await;
            end
        }
        Err(error) => End::new(Cause::Connect, error),
    };
    let now = thread.clock.now();
    let mut driver = thread.driver.borrow_mut();
    driver.down(id.slot, id.generation, end.cause, || end.text, now);
    drop(driver);
    thread.forget(id);
    thread.carry_out(None);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Handshake,
    Up,
}

struct Connection {
    id: Id,
    stream: TcpStream,
    stage: Stage,
    session: Option<Session>,
    /// Octets for the wire that the socket did not take yet.
    unsent: Vec<u8>,
}

impl Connection {
    fn open(thread: &Rc<Thread>, id: Id, source: Option<IpAddr>) -> io::Result<Connection> {
        let (target, _) = thread.target(id.slot);
        let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        if thread.is_silent(id.slot) {
            socket.set_recv_buffer_size(SILENT_BUFFER)?;
        }
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&target.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        if let Some(local) = socket.local_addr()?.as_socket() {
            thread.driver.borrow_mut().located(id.slot, local);
        }
        let stream = TcpStream::from(socket);
        Ok(Connection { id, stream, stage: Stage::Connecting, session: None, unsent: Vec::new() })
    }

    fn poll(&mut self, cx: &mut Context<'_>, thread: &Rc<Thread>) -> Poll<End> {
        thread.register(self.id, cx.waker());
        match self.step(cx, thread) {
            Ok(()) => Poll::Pending,
            Err(end) => Poll::Ready(end),
        }
    }

    /// Does what can be done now; an error ends the connection.
    fn step(&mut self, cx: &mut Context<'_>, thread: &Rc<Thread>) -> Result<(), End> {
        for _ in 0..READS_MAX {
            let closing = thread.is_closing(self.id);
            if self.stage == Stage::Connecting {
                if closing {
                    return Err(End::new(Cause::Timeout, "connect"));
                }
                // A socket that is still connecting takes nothing, not even nothing.
                match Pin::new(&mut self.stream).poll_write(cx, &[]) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Err(error)) => return Err(End::new(Cause::Connect, error)),
                    Poll::Ready(Ok(_)) => self.connected(thread)?,
                }
            }
            let all_written = self.write(cx, thread)?;
            if closing && (all_written || self.stage != Stage::Up) {
                return Err(End::new(Cause::Disconnected, "closed by us"));
            }
            if thread.is_deaf(self.id) || !self.read(cx, thread)? {
                return Ok(());
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    fn connected(&mut self, thread: &Rc<Thread>) -> Result<(), End> {
        match thread.target(self.id.slot).1 {
            Some(client) => {
                let mut session =
                    Session::new(client).map_err(|error| End::new(Cause::Tls, error))?;
                session
                    .receive(&mut [], &mut self.unsent, &mut |_| {})
                    .map_err(|error| End::new(Cause::Tls, error))?;
                self.session = Some(session);
                self.stage = Stage::Handshake;
            }
            None => self.up(thread),
        }
        Ok(())
    }

    fn up(&mut self, thread: &Rc<Thread>) {
        self.stage = Stage::Up;
        let Id { slot, generation } = self.id;
        thread.driver.borrow_mut().up(slot, generation, thread.clock.now());
        thread.carry_out(Some(slot));
    }

    /// Writes what waits; true when nothing is left.
    fn write(&mut self, cx: &mut Context<'_>, thread: &Rc<Thread>) -> Result<bool, End> {
        if !self.unsent.is_empty() && !self.write_unsent(cx)? {
            return Ok(false);
        }
        if self.stage != Stage::Up {
            return Ok(true);
        }
        let mut wire = thread.wire.take();
        wire.clear();
        let collected = self.collect(thread, &mut wire);
        let written = collected.and_then(|()| self.write_wire(cx, &wire));
        thread.wire.replace(wire);
        written
    }

    /// Moves the plain octets that wait into `wire`, encrypted where there is TLS.
    fn collect(&mut self, thread: &Rc<Thread>, wire: &mut Vec<u8>) -> Result<(), End> {
        let mut driver = thread.driver.borrow_mut();
        let waiting = driver.world().waiting(self.id.slot);
        match &mut self.session {
            _ if waiting.is_empty() => {}
            None => std::mem::swap(waiting, wire),
            Some(session) => {
                let sent = session.send(waiting, wire);
                waiting.clear();
                sent.map_err(|error| End::new(Cause::Disconnected, error))?;
            }
        }
        Ok(())
    }

    fn write_wire(&mut self, cx: &mut Context<'_>, wire: &[u8]) -> Result<bool, End> {
        let mut rest = wire;
        while !rest.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(written)) => rest = rest.get(written..).unwrap_or(&[]),
                Poll::Ready(Err(error)) => return Err(self.broken(error)),
                Poll::Pending => {
                    self.unsent.extend_from_slice(rest);
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn write_unsent(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let unsent = std::mem::take(&mut self.unsent);
        self.write_wire(cx, &unsent)
    }

    /// Reads once; false when there is nothing to read.
    fn read(&mut self, cx: &mut Context<'_>, thread: &Rc<Thread>) -> Result<bool, End> {
        let mut buffer = thread.buffer.borrow_mut();
        let length = match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(0)) => return Err(self.broken("closed by the server")),
            Poll::Ready(Ok(length)) => length,
            Poll::Ready(Err(error)) => return Err(self.broken(error)),
        };
        let received = buffer.get_mut(..length).unwrap_or_default();
        let now = thread.clock.now();
        let slot = self.id.slot;
        match &mut self.session {
            None => thread.driver.borrow_mut().received(slot, received, now),
            Some(session) => {
                let mut driver = thread.driver.borrow_mut();
                let taken = session.receive(received, &mut self.unsent, &mut |plain| {
                    driver.received(slot, plain, now);
                });
                drop(driver);
                if let Err(error) = taken {
                    // The alert tells the server why; whether it can be written does not matter.
                    let _ = self.write_unsent(cx);
                    return Err(self.broken(error));
                }
                if session.is_up() && self.stage == Stage::Handshake {
                    self.up(thread);
                }
                if self.session.as_ref().is_some_and(Session::is_closed) {
                    return Err(self.broken("closed by the server"));
                }
            }
        }
        drop(buffer);
        thread.driver.borrow_mut().deliver(now);
        thread.carry_out(Some(slot));
        Ok(true)
    }

    fn broken(&self, text: impl ToString) -> End {
        let cause = match self.stage {
            Stage::Connecting => Cause::Connect,
            Stage::Handshake => Cause::Tls,
            Stage::Up => Cause::Disconnected,
        };
        End::new(cause, text)
    }

    /// Says good-bye. Both directions are shut down so that the poll still under way ends and
    /// the kernel lets the socket go.
    async fn finish(&mut self, thread: &Rc<Thread>) {
        if let Some(session) = self.session.as_mut().filter(|session| session.is_up()) {
            let mut wire = thread.wire.take();
            wire.clear();
            session.close(&mut wire);
            let stream = &mut self.stream;
            let _ = poll_fn(|cx| Poll::Ready(Pin::new(&mut *stream).poll_write(cx, &wire))).await;
            thread.wire.replace(wire);
        }
        let _ = self.stream.shutdown(Shutdown::Both).await;
    }
}
