//! Links, accepted on the control thread and dealt to the cores in turn. The kernel spreads
//! connections by chance, which is even for thousands of clients; of four links, each with
//! thousands of users, it may well give three to one core.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio::sync::watch;

use super::control::{Desk, Service};
use super::orders::{Cores, Order};
use crate::base::ids::ShardId;

/// Pause after an accept that failed for want of descriptors or memory.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Accepts links from `socket` until the server goes down.
pub(super) fn deal(socket: TcpListener) -> Service {
    Box::new(move |desk: Desk| {
        Box::pin(async move {
            let listening = socket.set_nonblocking(true);
            match listening.and_then(|()| tokio::net::TcpListener::from_std(socket)) {
                Ok(socket) => accept(&socket, &desk.cores, desk.draining).await,
                Err(error) => tracing::error!(%error, "no links are accepted"),
            }
        })
    })
}

async fn accept(
    socket: &tokio::net::TcpListener,
    cores: &Cores,
    mut draining: watch::Receiver<bool>,
) {
    let mut turn = 0;
    loop {
        let accepted = tokio::select! {
            // Also when nobody is left who would say so.
            _ = draining.wait_for(|draining| *draining) => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                hand_over(stream, peer, cores, ShardId(turn));
                turn = (turn + 1) % cores.shards();
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionAborted
                        | ErrorKind::ConnectionReset
                        | ErrorKind::Interrupted
                ) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept a link; trying again (LimitNOFILE?)");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

fn hand_over(stream: tokio::net::TcpStream, peer: SocketAddr, cores: &Cores, shard: ShardId) {
    let handed = stream.into_std().map_err(|error| error.to_string()).and_then(|stream| {
        cores.order(shard, Order::Link(stream, peer)).map_err(|error| error.to_string())
    });
    if let Err(error) = handed {
        tracing::warn!(%peer, error, "link refused");
    }
}
