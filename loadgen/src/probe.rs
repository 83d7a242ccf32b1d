//! Looks at the target before a run: what is wrong with it is said at once and in one line.

use crate::settings::{Links, Settings};
use crate::tls::Client;
use anyhow::{Result, anyhow};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// Makes one connection, so that a wrong target or certificate is said at once.
pub fn connection(settings: &Settings, tls: Option<&Client>) -> Result<()> {
    let target = settings.target;
    let limit = settings.timeout.clamp(Duration::from_secs(1), Duration::from_secs(10));
    let mut stream = TcpStream::connect_timeout(&target, limit)
        .map_err(|error| anyhow!("--target {target} does not answer: {error}"))?;
    let Some(client) = tls else { return Ok(()) };
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let mut connection =
        rustls::ClientConnection::new(Arc::clone(&client.config), client.name.clone())?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(|error| {
            anyhow!(
                "TLS with {target} fails: {error} (see --transport, --ca, --server-name, \
                 --tls-version)"
            )
        })?;
    }
    connection.send_close_notify();
    // A server that is gone already has shown that it speaks TLS.
    let _ = connection.complete_io(&mut stream);
    Ok(())
}

/// Makes one link and asks something on it: with TLS 1.3 a server tells what it thinks of the
/// certificate only after the handshake.
pub fn link(links: &Links, settings: &Settings, tls: Option<&Client>) -> Result<()> {
    let Some(client) = tls else { return Ok(()) };
    let target = links.target;
    let limit = settings.timeout.clamp(Duration::from_secs(1), Duration::from_secs(10));
    let stream = TcpStream::connect_timeout(&target, limit)
        .map_err(|error| anyhow!("--link-target {target} does not answer: {error}"))?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let connection =
        rustls::ClientConnection::new(Arc::clone(&client.config), client.name.clone())?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let domain = &settings.domain;
    let options = format!(
        "OPTIONS sip:{domain} SIP/2.0\r\nVia: SIP/2.0/TLS 10.255.255.255:5061;branch=z9hG4bKprobe\r\n\
         Max-Forwards: 70\r\nFrom: <sip:probe@{domain}>;tag=probe\r\nTo: <sip:{domain}>\r\n\
         Call-ID: probe\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    let mut answer = [0; 8];
    stream.write_all(options.as_bytes()).and_then(|()| stream.read_exact(&mut answer)).map_err(
        |error| {
            anyhow!(
                "--link-target {target} takes no link: {error} (see --link-cert, --link-key, and \
                 whom the server lets open links)"
            )
        },
    )?;
    stream.conn.send_close_notify();
    // Whether it is told does not matter any more.
    let _ = stream.flush();
    Ok(())
}
