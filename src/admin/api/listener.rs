//! The socket of the API, bounded: so many connections at a time, none of them silent for long. On
//! loopback it speaks plain HTTP, elsewhere TLS.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use crate::metrics::api::{ApiEvent, ApiTally};

/// What the listener offers to who connects: plain HTTP, or TLS with the certificates that were read
/// last.
pub type Offer = watch::Receiver<Option<Arc<ServerConfig>>>;

/// Accepts at most a fixed number of connections at a time; the next one is closed at once.
pub struct Listener {
    socket: TcpListener,
    tls: Option<Offer>,
    places: Arc<Semaphore>,
    silence_max: Duration,
    tally: Arc<ApiTally>,
}

impl Listener {
    /// Bounds `socket`, which speaks TLS where there is an offer. A connection on which nothing is
    /// written for `silence_max` fails.
    pub fn new(
        socket: TcpListener,
        tls: Option<Offer>,
        connections_max: usize,
        silence_max: Duration,
        tally: Arc<ApiTally>,
    ) -> Self {
        let places = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
        Listener { socket, tls, places, silence_max, tally }
    }

    /// `stream` as it begins; `None` where there is no certificate for it.
    fn begin(&self, stream: TcpStream) -> Option<Carrier> {
        let Some(offer) = &self.tls else { return Some(Carrier::Plain(stream)) };
        let config = offer.borrow().clone()?;
        Some(Carrier::Handshake(Box::new(TlsAcceptor::from(config).accept(stream))))
    }
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            // Waits and tries again when the process is out of descriptors.
            let (stream, peer) = axum::serve::Listener::accept(&mut self.socket).await;
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                self.tally.count(ApiEvent::ConnectionRefused);
                continue;
            };
            // What is written is small and awaited. A connection that is gone says so when read.
            let _ = stream.set_nodelay(true);
            let Some(carrier) = self.begin(stream) else { continue };
            let end = Box::pin(tokio::time::sleep(self.silence_max));
            let silence_max = self.silence_max;
            return (Connection { carrier, end, silence_max, _place: place }, peer);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        Peer(stream.remote_addr().ip())
    }
}

/// A connection that fails when nothing was written on it for too long: its handshake, a request
/// that comes octet by octet, an answer that nobody reads and idling are all bounded by that.
pub struct Connection {
    carrier: Carrier,
    end: Pin<Box<Sleep>>,
    silence_max: Duration,
    _place: OwnedSemaphorePermit,
}

enum Carrier {
    Plain(TcpStream),
    /// Until the handshake is done, which nothing but the first read or write drives.
    Handshake(Box<Accept<TcpStream>>),
    Tls(Box<TlsStream<TcpStream>>),
    /// The handshake failed.
    Failed,
}

impl Connection {
    fn poll_end(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }

    /// Something was written: the peer listens.
    fn heard(&mut self) {
        let silence_max = self.silence_max;
        self.end.as_mut().reset(Instant::now() + silence_max);
    }
}

impl Carrier {
    /// Ready when octets can flow.
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Carrier::Handshake(accept) = self {
            *self = match ready!(Pin::new(&mut **accept).poll(context)) {
                Ok(stream) => Carrier::Tls(Box::new(stream)),
                Err(error) => {
                    *self = Carrier::Failed;
                    return Poll::Ready(Err(error));
                }
            };
        }
        Poll::Ready(Ok(()))
    }

    fn stream(&mut self) -> io::Result<Pin<&mut dyn Stream>> {
        match self {
            Carrier::Plain(stream) => Ok(Pin::new(stream)),
            Carrier::Tls(stream) => Ok(Pin::new(&mut **stream)),
            Carrier::Handshake(_) | Carrier::Failed => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// What octets flow through once a connection is open.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_end(context)?;
        ready!(self.carrier.poll_open(context))?;
        self.carrier.stream()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_end(context)?;
        ready!(self.carrier.poll_open(context))?;
        let written = ready!(self.carrier.stream()?.poll_write(context, octets))?;
        self.heard();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(context)?;
        ready!(self.carrier.poll_open(context))?;
        self.carrier.stream()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(context)?;
        match self.carrier.stream() {
            Ok(stream) => stream.poll_shutdown(context),
            // There is nothing to say good-bye to.
            Err(_) => Poll::Ready(Ok(())),
        }
    }
}
