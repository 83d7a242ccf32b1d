//! The listening sockets of the pages and of the API, bounded: so many connections at a time, each
//! until its end, whatever goes on; and none once the server ends.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Sleep};

use super::carrier::{Carrier, Offer};

/// Is told of each connection that found no place.
pub type Refused = Box<dyn Fn() + Send + Sync>;

/// When a connection ends, idle, slow or busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// So long after it came, or as long as its [`Life`] was prolonged for.
    Age(Duration),
    /// When nothing was written on it for so long: its handshake, a request that comes octet by
    /// octet, an answer that nobody reads and idling are all bounded by that.
    Silence(Duration),
}

impl End {
    /// How long after it came a connection ends on which nothing goes on.
    fn time(self) -> Duration {
        match self {
            End::Age(time) | End::Silence(time) => time,
        }
    }
}

/// Accepts at most a fixed number of connections at a time; the next one is closed at once, for a
/// health check must not wait. Who comes when the server ends is left to the next process, and not
/// taken and cut.
pub struct Listener {
    socket: TcpListener,
    tls: Option<Offer>,
    places: Arc<Semaphore>,
    end: End,
    refused: Refused,
    ending: watch::Receiver<bool>,
}

impl Listener {
    /// Bounds `socket`, which speaks TLS where there is an offer, until `ending` is true.
    pub fn new(
        socket: TcpListener,
        tls: Option<Offer>,
        connections_max: usize,
        end: End,
        refused: Refused,
        ending: watch::Receiver<bool>,
    ) -> Self {
        let places = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
        Listener { socket, tls, places, end, refused, ending }
    }
}

/// Ready when `ending` is true, or nobody is left to say so.
pub async fn ended(mut ending: watch::Receiver<bool>) {
    // An error says that the other end is gone.
    let _ = ending.wait_for(|ending| *ending).await;
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let (stream, peer) = tokio::select! {
                biased;
                () = ended(self.ending.clone()) => std::future::pending().await,
                // Waits and tries again when the process is out of descriptors.
                accepted = axum::serve::Listener::accept(&mut self.socket) => accepted,
            };
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                (self.refused)();
                continue;
            };
            // What is written is small and awaited. A connection that is gone says so when read.
            let _ = stream.set_nodelay(true);
            let Some(carrier) = Carrier::begin(stream, self.tls.as_ref()) else { continue };
            return (Connection::new(carrier, self.end, place), peer);
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

/// A connection that fails when its time is over.
pub struct Connection {
    carrier: Carrier,
    end: End,
    clock: Pin<Box<Sleep>>,
    life: Life,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(carrier: Carrier, end: End, place: OwnedSemaphorePermit) -> Self {
        let clock = Box::pin(tokio::time::sleep(end.time()));
        Connection { carrier, end, clock, life: Life::default(), _place: place }
    }

    /// Our end.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.carrier.local_addr()
    }

    /// What lets it live longer.
    pub fn life(&self) -> Life {
        self.life.clone()
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Some(until) = self.life.take() {
            self.clock.as_mut().reset(until);
        }
        match self.clock.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }

    /// Something was written: the peer listens.
    fn heard(&mut self) {
        if let End::Silence(time) = self.end {
            self.clock.as_mut().reset(Instant::now() + time);
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::serve::Listener as _;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// Longer than any test.
    const AN_HOUR: Duration = Duration::from_secs(3600);
    /// What is over when a test has slept twice as long.
    const A_MOMENT: Duration = Duration::from_millis(5);

    /// A listener with so many places, what ends it, and how many connections found no place.
    async fn listener(
        places: usize,
        end: End,
    ) -> (Listener, watch::Sender<bool>, Arc<AtomicUsize>) {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let count = Arc::<AtomicUsize>::default();
        let counted = count.clone();
        let refused = Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let (ends, ending) = watch::channel(false);
        (Listener::new(socket, None, places, end, refused, ending), ends, count)
    }

    /// Both ends of a connection that ends like that.
    async fn pair(end: End) -> (Connection, TcpStream) {
        let (mut listener, _ends, _) = listener(1, end).await;
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (connection, address) = listener.accept().await;
        assert_eq!(address, peer.local_addr().unwrap());
        assert_eq!(connection.local_addr().unwrap(), peer.peer_addr().unwrap());
        (connection, peer)
    }

    /// Whether the connection has ended, after its peer has said something.
    async fn has_ended(connection: &mut Connection, peer: &mut TcpStream) -> bool {
        peer.write_all(b"x").await.unwrap();
        match connection.read_u8().await {
            Ok(_) => false,
            Err(error) => error.kind() == io::ErrorKind::TimedOut,
        }
    }

    #[tokio::test]
    async fn who_finds_no_place_is_closed_at_once_and_told_of_and_places_come_back() {
        let (mut listener, _ends, refused) = listener(2, End::Age(AN_HOUR)).await;
        let address = listener.local_addr().unwrap();
        let come = async || TcpStream::connect(address).await.unwrap();
        let (first, second, mut third) = (come().await, come().await, come().await);
        let (kept, dropped) = (listener.accept().await, listener.accept().await);
        assert_eq!(kept.1, first.local_addr().unwrap());
        assert_eq!(dropped.1, second.local_addr().unwrap());
        // The third is met before a place comes back, the fourth after.
        let turned_away = async { third.read(&mut [0]).await };
        tokio::select! {
            _ = listener.accept() => panic!("there is no place"),
            end = turned_away => assert!(matches!(end, Ok(0) | Err(_))),
        }
        assert_eq!(refused.load(Ordering::Relaxed), 1);
        drop(dropped);
        let fourth = come().await;
        assert_eq!(listener.accept().await.1, fourth.local_addr().unwrap());
        assert_eq!(refused.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn who_comes_when_the_server_ends_is_left_to_the_next_process() {
        let (mut listener, ends, refused) = listener(1, End::Age(AN_HOUR)).await;
        let mut late = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        ends.send_replace(true);
        tokio::select! {
            biased;
            _ = listener.accept() => panic!("taken"),
            () = tokio::task::yield_now() => {}
        }
        let next = listener.socket;
        let (mut stream, _) = next.accept().await.unwrap();
        stream.write_all(b"x").await.unwrap();
        assert_eq!(late.read_u8().await.unwrap(), b'x');
        assert_eq!(refused.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn age_ends_a_connection_that_is_busy_too_unless_its_life_is_prolonged() {
        let (mut connection, mut peer) = pair(End::Age(AN_HOUR)).await;
        let end = connection.clock.deadline();
        tokio::time::sleep(A_MOMENT).await;
        connection.write_all(b"x").await.unwrap();
        assert!(!has_ended(&mut connection, &mut peer).await);
        assert_eq!(connection.clock.deadline(), end);

        let (mut connection, mut peer) = pair(End::Age(A_MOMENT)).await;
        tokio::time::sleep(2 * A_MOMENT).await;
        connection.life().prolong(AN_HOUR);
        assert!(!has_ended(&mut connection, &mut peer).await);
        connection.life().prolong(A_MOMENT);
        tokio::time::sleep(2 * A_MOMENT).await;
        assert!(has_ended(&mut connection, &mut peer).await);
        let written = connection.write_all(b"x").await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn silence_ends_a_connection_and_what_is_written_on_it_breaks_the_silence() {
        let (mut connection, mut peer) = pair(End::Silence(AN_HOUR)).await;
        let end = connection.clock.deadline();
        tokio::time::sleep(A_MOMENT).await;
        // What the peer says does not.
        assert!(!has_ended(&mut connection, &mut peer).await);
        assert_eq!(connection.clock.deadline(), end);
        connection.write_all(b"x").await.unwrap();
        assert!(connection.clock.deadline() >= end + A_MOMENT);

        let (mut connection, mut peer) = pair(End::Silence(A_MOMENT)).await;
        tokio::time::sleep(2 * A_MOMENT).await;
        assert!(has_ended(&mut connection, &mut peer).await);
    }
}
