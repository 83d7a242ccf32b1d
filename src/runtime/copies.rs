//! Copies of messages for a Homer collector, one datagram each. Nobody waits for the collector:
//! what does not fit into the queue of the cores, or into that of the socket, is counted and gone.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::mpsc::{Receiver, channel};

use super::control::{Desk, Service};
use super::orders::Order;
use crate::base::aor::Aor;
use crate::config::Hep;
use crate::metrics::hep::HepCounters;
use crate::net::tap::Tap;
use crate::shard::overheard::{Overheard, Subject, Way};
use crate::wire::hep::Packet;
use crate::wire::sip::mask::mask_secrets;

/// Messages that wait for the socket: of the longest there may be, 60 MiB.
const WAITING_MAX: usize = 1024;

/// Sends copies as `hep` says; `None` when it names no collector.
pub(super) fn send(hep: &Hep) -> Option<Service> {
    let collector = hep.collector?;
    let capture_id = hep.capture_id;
    let users: Arc<[Aor]> = hep.users.iter().map(|user| Aor::new(user)).collect();
    let subject = match users.is_empty() {
        true => Subject::Everyone { one_in: hep.one_in },
        false => Subject::Users(users),
    };
    Some(Box::new(move |desk: Desk| {
        Box::pin(async move {
            let counters = desk.census.copies_counted();
            let socket = match connect(collector).await {
                Ok(socket) => socket,
                Err(error) => {
                    return tracing::error!(%collector, %error, "no copies are sent");
                }
            };
            let (listener, heard) = channel(WAITING_MAX);
            let tap = Tap { subject, listener, lost: Arc::clone(&counters.lost) };
            desk.cores.order_all(|| Order::Tap(tap.clone()));
            drop((tap, desk));
            forward(heard, &socket, capture_id, &counters).await;
        })
    }))
}

async fn connect(collector: SocketAddr) -> std::io::Result<UdpSocket> {
    let own: SocketAddr = match collector {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(own).await?;
    socket.connect(collector).await?;
    // Until asked once, the runtime takes it for full.
    socket.writable().await?;
    Ok(socket)
}

async fn forward(
    mut heard: Receiver<Overheard>,
    socket: &UdpSocket,
    capture_id: u32,
    counters: &HepCounters,
) {
    while let Some(mut message) = heard.recv().await {
        mask_secrets(&mut message.octets);
        let (client, server) = (message.peer, message.local);
        let (from, to) = match message.way {
            Way::Received => (client, server),
            Way::Sent => (server, client),
        };
        let Overheard { unix_ms, octets, .. } = &message;
        let packet = Packet { from, to, unix_ms: *unix_ms, capture_id, payload: octets }.write();
        // A collector that is not there makes sends fail; one that is slow fills the socket.
        match socket.try_send(&packet) {
            Ok(_) => counters.count_sent(),
            Err(_) => counters.count_lost(),
        }
    }
}
