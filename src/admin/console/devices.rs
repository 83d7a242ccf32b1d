//! Where a user is signed in: what his home knows of an endpoint, and its own core of the
//! connection.

use std::collections::HashMap;

use maud::{Markup, html};

use super::super::questions::answer;
use super::super::report::{EndpointReport, utc};
use super::super::server::{Admin, Sources};
use super::action::Action;
use super::frame::when;
use super::table::{self, Cells, Head};
use crate::base::aor::Aor;
use crate::base::grouped::grouped;
use crate::base::ids::ConnId;
use crate::shard::question::{Answer, ConnectionStanding, Endpoint, Question};

/// An endpoint and its connection.
pub struct Device {
    endpoint: EndpointReport,
    /// `None` when it is just gone, or when its core does not answer.
    connection: Option<ConnectionStanding>,
}

/// The devices of `endpoints`: each core is asked once for its connections.
pub async fn of<S: Sources>(admin: &Admin<S>, endpoints: &[Endpoint]) -> Vec<Device> {
    let mut known: HashMap<ConnId, ConnectionStanding> = HashMap::new();
    let by_core = grouped(endpoints.iter().map(|one| (one.conn.shard, one.conn)));
    for (_, conns) in by_core {
        if let Some(Answer::Connections(list)) = answer(admin, Question::Connections(conns)).await {
            known.extend(list.into_iter().map(|one| (one.conn, one)));
        }
    }
    let device = |one: &Endpoint| Device {
        endpoint: EndpointReport::from(one),
        connection: known.get(&one.conn).cloned(),
    };
    endpoints.iter().map(device).collect()
}

const HEADS: [Head; 7] = [
    Head::Text("Client"),
    Head::Text("Device"),
    Head::Text("By"),
    Head::Text("Address"),
    Head::Text("Since"),
    Head::Number("Renews in"),
    Head::Text("Action"),
];

/// All of them, each with a way to sign it out.
pub fn table(user: &Aor, devices: &[Device]) -> Markup {
    let rows: Vec<Cells> = devices.iter().map(|device| row(user, device)).collect();
    table::table("Devices", &HEADS, &rows)
}

fn row(user: &Aor, Device { endpoint, connection }: &Device) -> Cells {
    let client = endpoint.user_agent.as_deref().unwrap_or("unnamed");
    let unknown = || html! { "–" };
    let known = connection.as_ref();
    let way = transport(&endpoint.transport, known);
    vec![
        html! { (client) },
        html! { (endpoint.epid.as_deref().unwrap_or("–")) },
        html! { (endpoint.dialect) " over " (way) },
        known.map_or_else(unknown, |known| html! { (address(known)) }),
        known.map_or_else(unknown, |known| html! { (when(&utc(known.since_unix_ms))) }),
        html! { (endpoint.expires_s) " s" },
        html! {
            a href={ (Action::SignOut.path(user)) "?connection=" (endpoint.connection) }
                aria-label={ "Sign out " (client) } { "Sign out" }
        },
    ]
}

/// `TLS 1.3`, where it is known.
fn transport(kind: &str, connection: Option<&ConnectionStanding>) -> String {
    let version = connection.and_then(|known| known.cipher).map(|cipher| cipher.version());
    match version {
        Some(version) => format!("{} {version}", kind.to_uppercase()),
        None => kind.to_uppercase(),
    }
}

/// Where the client is; through a link only that is of use.
fn address(known: &ConnectionStanding) -> String {
    match known.origin {
        Some(origin) if origin != known.peer.ip() => format!("{origin}, by {}", known.peer),
        _ => known.peer.to_string(),
    }
}
