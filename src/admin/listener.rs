//! The listening socket, bounded: so many connections at a time, each for so long.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Accepts at most a fixed number of connections at a time; the next one is closed at once, for a
/// health check must not wait.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    places: Arc<Semaphore>,
    connection_time_max: Duration,
    refused: Arc<AtomicU64>,
}

impl Listener {
    /// Bounds `socket`. `refused` counts the connections without a place.
    pub fn new(
        socket: TcpListener,
        connections_max: usize,
        connection_time_max: Duration,
        refused: Arc<AtomicU64>,
    ) -> Self {
        let places = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
        Listener { socket, places, connection_time_max, refused }
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
                self.refused.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let end = Box::pin(tokio::time::sleep(self.connection_time_max));
            let life = Life::default();
            return (Connection { stream, end, life, _place: place }, peer);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Lets a connection live longer than others may.
#[derive(Clone, Debug, Default)]
pub struct Life(Arc<Mutex<Option<Instant>>>);

impl Life {
    /// The connection may live for `time` from now on.
    pub fn prolong(&self, time: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
    }

    fn take(&self) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A connection with an end: idle, slow or busy, it fails when its time is over.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    life: Life,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    /// Our end.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// What lets it live longer.
    pub fn life(&self) -> Life {
        self.life.clone()
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Some(until) = self.life.take() {
            self.end.as_mut().reset(until);
        }
        match self.end.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_end(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_end(context)?;
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
