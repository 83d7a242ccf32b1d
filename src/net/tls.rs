//! One TLS session, driven by hand: octets in, plaintext out and back. Owns no socket and no
//! buffer of its own but the part of a record that has not arrived yet.
//!
//! rustls's unbuffered interface works on the caller's buffers, so a core needs one pair for all
//! its connections; the buffered one keeps 4 KiB for each.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::{ParsedCertificate, ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
    WriteTraffic,
};

use crate::metrics::counters::TlsCipher;

/// Largest part of a message or record that may wait for its rest: rustls refuses handshake
/// messages beyond 64 KiB, a record holds 16 KiB, and each has its headers.
pub const CARRY_MAX: usize = 96 * 1024;

/// Plaintext of one record at most (RFC 8446 section 5.1).
const RECORD: usize = 16 * 1024;
/// What encryption adds to a record at most, with the ciphers in use.
const RECORD_OVERHEAD: usize = 64;

/// The server end of a TLS connection.
pub struct Session {
    tls: UnbufferedServerConnection,
    /// Octets received that rustls has not consumed: they stand before what arrives next.
    carry: Vec<u8>,
}

/// What came of the octets received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The peer will send no more.
    pub peer_closed: bool,
}

/// The session cannot go on. What rustls wants said to the peer is in the outgoing buffer.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The peer broke the protocol, or there is nothing both can speak.
    #[error(transparent)]
    Protocol(#[from] rustls::Error),
    /// A record or handshake message that never ends.
    #[error("more than {CARRY_MAX} octets of an unfinished TLS record or handshake message")]
    CarryTooLong,
    /// Too many records under one key, which cannot be renewed.
    #[error("the keys of the session are used up")]
    Exhausted,
    /// Asked to write before the handshake is done, or after the session was closed.
    #[error("the session cannot carry data in this state")]
    State,
}

impl Session {
    /// A session that waits for the client's first octet.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Session { tls: UnbufferedServerConnection::new(config)?, carry: Vec::new() })
    }

    /// True until the handshake is done.
    pub fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// What it is encrypted with, once the handshake is done.
    pub fn cipher(&self) -> TlsCipher {
        use rustls::CipherSuite;
        match self.tls.negotiated_cipher_suite().map(|suite| suite.suite()) {
            Some(CipherSuite::TLS13_AES_128_GCM_SHA256) => TlsCipher::Aes128Gcm,
            Some(CipherSuite::TLS13_AES_256_GCM_SHA384) => TlsCipher::Aes256Gcm,
            Some(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256) => TlsCipher::ChaCha20,
            Some(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256) => TlsCipher::EcdsaAes128Gcm,
            Some(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384) => TlsCipher::EcdsaAes256Gcm,
            Some(CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256) => {
                TlsCipher::EcdsaChaCha20
            }
            Some(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256) => TlsCipher::RsaAes128Gcm,
            Some(CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) => TlsCipher::RsaAes256Gcm,
            Some(CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256) => {
                TlsCipher::RsaChaCha20
            }
            _ => TlsCipher::Other,
        }
    }

    /// True when the peer's certificate, which was verified, is of one of these names.
    pub fn peer_is_any(&self, names: &[ServerName<'_>]) -> bool {
        let Some(certificate) = self.tls.peer_certificates().and_then(<[_]>::first) else {
            return false;
        };
        ParsedCertificate::try_from(certificate).is_ok_and(|certificate| {
            names.iter().any(|name| verify_server_name(&certificate, name).is_ok())
        })
    }

    /// Octets that stand before those received next.
    pub fn carry(&self) -> &[u8] {
        &self.carry
    }

    /// Works through `incoming`, which is [`carry`](Self::carry) followed by the octets just
    /// received. Appends plaintext to `plain` and what must be sent to `outgoing`.
    pub fn receive(
        &mut self,
        incoming: &mut [u8],
        plain: &mut Vec<u8>,
        outgoing: &mut Vec<u8>,
    ) -> Result<Received, TlsError> {
        let mut consumed = 0;
        let mut received = Received::default();
        loop {
            let rest = incoming.get_mut(consumed..).unwrap_or_default();
            let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(rest);
            let blocked = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        plain.extend_from_slice(record.payload);
                        discard += record.discard;
                    }
                    false
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(outgoing, 0, |out| data.encode(out).map_err(encode_error))?;
                    false
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    false
                }
                Ok(ConnectionState::PeerClosed) => {
                    received.peer_closed = true;
                    false
                }
                Ok(_) => true,
                Err(error) => {
                    let rest = incoming.get_mut(consumed + discard..).unwrap_or_default();
                    self.alert(rest, outgoing);
                    self.carry = Vec::new();
                    return Err(error.into());
                }
            };
            consumed += discard;
            if blocked {
                break;
            }
        }
        let rest = incoming.get(consumed..).unwrap_or_default();
        if rest.len() > CARRY_MAX {
            return Err(TlsError::CarryTooLong);
        }
        keep(&mut self.carry, rest);
        Ok(received)
    }

    /// Encrypts `plain` onto `outgoing`, in as few records as fit.
    pub fn encrypt(&mut self, plain: &[u8], outgoing: &mut Vec<u8>) -> Result<(), TlsError> {
        let room = plain.len() + (plain.len() / RECORD + 1) * RECORD_OVERHEAD;
        self.write(outgoing, room, |traffic, out| {
            traffic.encrypt(plain, out).map_err(encrypt_error)
        })
    }

    /// Tells the peer, encrypted, that nothing follows.
    pub fn close_notify(&mut self, outgoing: &mut Vec<u8>) -> Result<(), TlsError> {
        self.write(outgoing, 0, |traffic, out| {
            traffic.queue_close_notify(out).map_err(encrypt_error)
        })
    }

    /// Brings the session to where data may be written, and writes.
    fn write(
        &mut self,
        outgoing: &mut Vec<u8>,
        room: usize,
        mut write: impl FnMut(
            &mut WriteTraffic<'_, ServerConnectionData>,
            &mut [u8],
        ) -> Result<usize, Shortage>,
    ) -> Result<(), TlsError> {
        loop {
            // rustls remembers positions in the unconsumed octets, so it must see them each time.
            let UnbufferedStatus { discard, state } = self.tls.process_tls_records(&mut self.carry);
            let done = match state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    append(outgoing, room, |out| write(&mut traffic, out))?;
                    true
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    append(outgoing, 0, |out| data.encode(out).map_err(encode_error))?;
                    false
                }
                ConnectionState::TransmitTlsData(data) => {
                    data.done();
                    false
                }
                _ => return Err(TlsError::State),
            };
            if discard > 0 {
                self.carry.drain(..discard.min(self.carry.len()));
            }
            if done {
                return Ok(());
            }
        }
    }

    /// Takes what an error left to be sent, as a rule an alert. Asks for no more than that: rustls
    /// must not look at the octets again.
    fn alert(&mut self, rest: &mut [u8], outgoing: &mut Vec<u8>) {
        while self.tls.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(mut data)) =
                self.tls.process_tls_records(rest).state
            && append(outgoing, 0, |out| data.encode(out).map_err(encode_error)).is_ok()
        {}
    }
}

/// Why rustls did not write.
enum Shortage {
    /// The buffer must be at least this long.
    Of(usize),
    Fatal(TlsError),
}

fn encode_error(error: EncodeError) -> Shortage {
    match error {
        EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => {
            Shortage::Of(required_size)
        }
        EncodeError::AlreadyEncoded => Shortage::Fatal(TlsError::State),
    }
}

fn encrypt_error(error: EncryptError) -> Shortage {
    match error {
        EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => {
            Shortage::Of(required_size)
        }
        EncryptError::EncryptExhausted => Shortage::Fatal(TlsError::Exhausted),
    }
}

/// Lets `write` append to `out`, which gets `room` more octets, or as many as `write` asks for.
fn append(
    out: &mut Vec<u8>,
    mut room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Shortage>,
) -> Result<(), TlsError> {
    let start = out.len();
    loop {
        out.resize(start + room, 0);
        match write(out.get_mut(start..).unwrap_or_default()) {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            Err(Shortage::Of(required)) if required > room => room = required,
            Err(Shortage::Of(_)) => {
                out.truncate(start);
                return Err(TlsError::State);
            }
            Err(Shortage::Fatal(error)) => {
                out.truncate(start);
                return Err(error);
            }
        }
    }
}

/// Makes `carry` hold `rest`, and no memory when there is none.
fn keep(carry: &mut Vec<u8>, rest: &[u8]) {
    if rest.is_empty() {
        *carry = Vec::new();
    } else {
        carry.clear();
        carry.extend_from_slice(rest);
    }
}

#[cfg(test)]
mod tests;
