//! One connection: connect, handshake, read, write. What it reads goes into the driver; what the
//! driver left in the link it writes.

use crate::clock::Clock;
use crate::driver::Driver;
use crate::link::give_back;
use crate::stats::Cause;
use crate::tls::{Client, Session};
use crate::world::Slot;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

/// Most reads before other connections get their turn.
const READS_MAX: usize = 8;
/// Octets read at once.
const BUFFER: usize = 65_536;
/// Octets that the system keeps for a user who reads nothing: few, so that the server notices.
const SILENT_BUFFER: usize = 16_384;

/// Which connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    /// Whose.
    pub slot: Slot,
    /// Which one of that slot.
    pub generation: u32,
}

/// Why a connection ended.
pub struct End {
    /// For the counts.
    pub cause: Cause,
    /// For people.
    pub text: String,
}

impl End {
    /// An end, with its reason in words.
    pub fn new(cause: Cause, text: impl ToString) -> End {
        End { cause, text: text.to_string() }
    }
}

/// What all connections of a thread work with.
pub struct Desk {
    /// The run's clock.
    pub clock: Clock,
    /// The thread's users.
    pub driver: Driver,
    buffer: Vec<u8>,
    wire: Vec<u8>,
}

impl Desk {
    /// With buffers of its own.
    pub fn new(clock: Clock, driver: Driver) -> Desk {
        Desk { clock, driver, buffer: vec![0; BUFFER], wire: Vec::new() }
    }
}

/// Where a connection goes to, and how.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// Address to come from.
    pub source: Option<IpAddr>,
    /// The server.
    pub target: SocketAddr,
    /// TLS configuration, when TLS is used.
    pub tls: Option<&'a Client>,
    /// Whether its user will read nothing once he is in a conference.
    pub silent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Handshake,
    Up,
}

/// One connection and its socket.
pub struct Connection {
    /// Which one it is.
    pub id: Id,
    /// To be closed after writing what waits.
    pub closing: bool,
    /// Nothing is to be read.
    pub deaf: bool,
    /// The server has closed its side or the socket has failed: reading will show it.
    pub hangup: bool,
    stream: TcpStream,
    stage: Stage,
    session: Option<Session>,
    /// Octets for the wire that the socket did not take yet.
    unsent: Vec<u8>,
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Connection {
    /// Begins to connect.
    ///
    /// # Errors
    /// When the system refuses, or TLS cannot be begun.
    pub fn open(desk: &mut Desk, id: Id, way: Way<'_>) -> io::Result<Connection> {
        let target = way.target;
        let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if way.silent {
            socket.set_recv_buffer_size(SILENT_BUFFER)?;
        }
        if let Some(source) = way.source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&target.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        if let Some(local) = socket.local_addr()?.as_socket() {
            desk.driver.located(id.slot, local);
        }
        let session = way.tls.map(Session::new).transpose().map_err(io::Error::other)?;
        Ok(Connection {
            id,
            closing: false,
            deaf: false,
            hangup: false,
            stream: socket.into(),
            stage: Stage::Connecting,
            session,
            unsent: Vec::new(),
        })
    }

    /// Does what can be done now; true when there may be more at once. An error ends the
    /// connection.
    ///
    /// # Errors
    /// Why it ended.
    pub fn step(&mut self, desk: &mut Desk) -> Result<bool, End> {
        for _ in 0..READS_MAX {
            if self.stage == Stage::Connecting {
                if self.closing {
                    return Err(End::new(Cause::Timeout, "connect"));
                }
                // A socket that is still connecting takes nothing, not even nothing.
                match (&self.stream).write(&[]) {
                    Err(error) if is_waiting(&error) => return Ok(false),
                    Err(error) => return Err(End::new(Cause::Connect, error)),
                    Ok(_) => self.connected(desk)?,
                }
            }
            if self.write(desk)? {
                return Err(End::new(Cause::Disconnected, "closed by us"));
            }
            if self.deaf || !self.read(desk)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes what waits, as far as the socket takes it; true when nothing is left and the
    /// connection is to be closed.
    ///
    /// # Errors
    /// Why it ended.
    pub fn write(&mut self, desk: &mut Desk) -> Result<bool, End> {
        if self.stage == Stage::Connecting {
            return Ok(false);
        }
        let all_written = self.write_all(desk)?;
        Ok(self.closing && (all_written || self.stage != Stage::Up))
    }

    fn connected(&mut self, desk: &mut Desk) -> Result<(), End> {
        match &mut self.session {
            Some(session) => {
                session
                    .receive(&mut [], &mut self.unsent, &mut |_| {})
                    .map_err(|error| End::new(Cause::Tls, error))?;
                self.stage = Stage::Handshake;
            }
            None => self.up(desk),
        }
        Ok(())
    }

    fn up(&mut self, desk: &mut Desk) {
        self.stage = Stage::Up;
        let Id { slot, generation } = self.id;
        desk.driver.up(slot, generation, desk.clock.now());
    }

    /// Writes what waits; true when nothing is left.
    fn write_all(&mut self, desk: &mut Desk) -> Result<bool, End> {
        if !self.unsent.is_empty() && !self.write_unsent()? {
            return Ok(false);
        }
        if self.stage != Stage::Up {
            return Ok(true);
        }
        let mut wire = std::mem::take(&mut desk.wire);
        wire.clear();
        let collected = self.collect(desk, &mut wire);
        let written = collected.and_then(|()| self.write_wire(&wire));
        desk.wire = wire;
        written
    }

    /// Moves the plain octets that wait into `wire`, encrypted where there is TLS.
    fn collect(&mut self, desk: &mut Desk, wire: &mut Vec<u8>) -> Result<(), End> {
        let waiting = desk.driver.world().waiting(self.id.slot);
        match &mut self.session {
            _ if waiting.is_empty() => {}
            None => std::mem::swap(waiting, wire),
            Some(session) => {
                let sent = session.send(waiting, wire);
                waiting.clear();
                give_back(waiting);
                sent.map_err(|error| End::new(Cause::Disconnected, error))?;
            }
        }
        Ok(())
    }

    fn write_wire(&mut self, wire: &[u8]) -> Result<bool, End> {
        let mut rest = wire;
        while !rest.is_empty() {
            match (&self.stream).write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or(&[]),
                Err(error) if is_waiting(&error) => {
                    self.unsent.extend_from_slice(rest);
                    return Ok(false);
                }
                Err(error) => return Err(self.broken(error)),
            }
        }
        Ok(true)
    }

    fn write_unsent(&mut self) -> Result<bool, End> {
        let unsent = std::mem::take(&mut self.unsent);
        self.write_wire(&unsent)
    }

    /// Reads once; false when there is nothing more to read. A read that did not fill the buffer
    /// has emptied the socket, and what comes later is told anew, but the end only once.
    fn read(&mut self, desk: &mut Desk) -> Result<bool, End> {
        let length = match self.stream.read(&mut desk.buffer) {
            Ok(0) => return Err(self.broken("closed by the server")),
            Ok(length) => length,
            Err(error) if is_waiting(&error) => return Ok(false),
            Err(error) => return Err(self.broken(error)),
        };
        let Desk { clock, driver, buffer, .. } = desk;
        let now = clock.now();
        let slot = self.id.slot;
        let received = buffer.get_mut(..length).unwrap_or_default();
        match &mut self.session {
            None => driver.received(slot, received, now),
            Some(session) => {
                let taken = session.receive(received, &mut self.unsent, &mut |plain| {
                    driver.received(slot, plain, now);
                });
                let (is_up, is_closed) = (session.is_up(), session.is_closed());
                if let Err(error) = taken {
                    // The alert tells the server why; whether it can be written does not matter.
                    let _ = self.write_unsent();
                    return Err(self.broken(error));
                }
                if is_up && self.stage == Stage::Handshake {
                    self.up(desk);
                }
                if is_closed {
                    return Err(self.broken("closed by the server"));
                }
            }
        }
        desk.driver.deliver(now);
        // What the handshake wants said is written before the next read.
        Ok(length == BUFFER || self.hangup || !self.unsent.is_empty())
    }

    fn broken(&self, text: impl ToString) -> End {
        let cause = match self.stage {
            Stage::Connecting => Cause::Connect,
            Stage::Handshake => Cause::Tls,
            Stage::Up => Cause::Disconnected,
        };
        End::new(cause, text)
    }

    /// Says good-bye and shuts the socket down.
    pub fn finish(mut self) {
        if let Some(session) = self.session.as_mut().filter(|session| session.is_up()) {
            let mut wire = Vec::new();
            session.close(&mut wire);
            // The server may be gone: nobody is left to be told.
            let _ = (&self.stream).write(&wire);
        }
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// True when the socket is busy and will be told of.
fn is_waiting(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
