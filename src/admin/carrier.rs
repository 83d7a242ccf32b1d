//! What octets flow through: plain TCP, or TLS over it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// What a listener that speaks TLS offers to who connects: the certificates that were read last.
pub type Offer = watch::Receiver<Option<Arc<ServerConfig>>>;

/// A connection as it was accepted, or what became of it.
pub enum Carrier {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS until the handshake is done, which nothing but [`poll_open`](Self::poll_open) drives.
    Handshake(Box<Accept<TcpStream>>),
    /// TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// The handshake failed.
    Failed,
}

impl Carrier {
    /// `stream` as it begins: TLS where there is an offer, else plain; `None` where there is no
    /// certificate for it.
    pub fn begin(stream: TcpStream, offer: Option<&Offer>) -> Option<Self> {
        let Some(offer) = offer else { return Some(Carrier::Plain(stream)) };
        let config = offer.borrow().clone()?;
        Some(Carrier::Handshake(Box::new(TlsAcceptor::from(config).accept(stream))))
    }

    /// Our end.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let stream = match self {
            Carrier::Plain(stream) => Some(stream),
            Carrier::Handshake(accept) => accept.get_ref(),
            Carrier::Tls(stream) => Some(stream.get_ref().0),
            Carrier::Failed => None,
        };
        stream.ok_or(io::ErrorKind::NotConnected)?.local_addr()
    }

    /// Ready when octets can flow.
    pub fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
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

    /// What octets flow through, once it is open.
    pub fn stream(&mut self) -> io::Result<Pin<&mut dyn Stream>> {
        match self {
            Carrier::Plain(stream) => Ok(Pin::new(stream)),
            Carrier::Tls(stream) => Ok(Pin::new(&mut **stream)),
            Carrier::Handshake(_) | Carrier::Failed => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// An open connection.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}
