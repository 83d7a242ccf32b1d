//! The first page: is the server well, and what does it do.

use std::fs;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use maud::{Markup, html};

use super::super::questions::FromHere;
use super::super::server::{Admin, Sources};
use super::frame::{Frame, duration, failure, grouped, rate};
use super::history::{History, Recent};
use super::indicators::{self, Indicator};
use super::table::{Cells, Head, table};
use super::{certificates, chart, history};
use crate::base::ids::ShardId;
use crate::metrics::counters::Counters;
use crate::metrics::names::Series;

/// Gauges at the top.
const NOW: [(&str, Series); 6] = [
    ("Users signed in", Series::UsersSignedInCurrent),
    ("Endpoints", Series::EndpointsCurrent),
    ("Connections", Series::ConnectionsCurrent),
    ("IM sessions", Series::SessionsCurrent),
    ("Conferences", Series::ConferencesCurrent),
    ("Subscriptions", Series::SubscriptionsCurrent),
];

/// What happens in a second, with the last minutes drawn.
const RATES: [(&str, Series); 6] = [
    ("Messages in sessions", Series::SessionMessages),
    ("Messages in pager mode", Series::PagerMessages),
    ("Copies in conferences", Series::ConferenceDeliveries),
    ("Publications", Series::Publications),
    ("Notifications", Series::Notifications),
    ("Sign-ins", Series::SignIns),
];

/// What there is to each core.
const BY_CORE: [(&str, Series); 6] = [
    ("Users signed in", Series::UsersSignedInCurrent),
    ("Connections", Series::ConnectionsCurrent),
    ("Lanes on links", Series::LanesCurrent),
    ("Requests in flight", Series::RelaysCurrent),
    ("Stalls of the mesh", Series::MeshStalls),
    ("Stood still", Series::CoreStalls),
];

/// `/console`.
pub async fn page<S: Sources>(_: FromHere, State(admin): State<Arc<Admin<S>>>) -> Response {
    let frame =
        Frame { page: "Overview", title: "Overview", refresh_s: history::STEP.as_secs() as u32 };
    let Some(recent) = admin.recent().await else {
        return failure(StatusCode::SERVICE_UNAVAILABLE, "The cores cannot be asked now.");
    };
    let health_now = admin.sources.health();
    let mut indicators = indicators::all(&health_now, &recent, memory());
    let now = Timestamp::now().as_second();
    indicators.extend(certificates::indicator(&admin.sources.certificates(), now));
    let content = html! {
        (health(&indicators))
        (tiles(&recent))
        (rates(&recent, &admin.history))
        (times(&recent))
        (cores(&recent, &health_now.stuck))
        p.small {
            "Rates are of the last half minute, drawings of "
            "the last ten. The page asks again every " (history::STEP.as_secs()) " seconds."
        }
    };
    frame.page(StatusCode::OK, &content)
}

fn health(indicators: &[Indicator]) -> Markup {
    html! {
        section aria-labelledby="health" {
            h2 id="health" { "Health" }
            ul.indicators {
                @for one in indicators {
                    li class=(one.level.word()) {
                        span.level { (one.level.word()) }
                        strong {
                            @if let Some(page) = one.page { a href=(page) { (one.name) } }
                            @else { (one.name) }
                        }
                        span { (one.reason) }
                    }
                }
            }
        }
    }
}

fn tiles(recent: &Recent) -> Markup {
    html! {
        section aria-labelledby="now" {
            h2 id="now" { "Now" }
            dl.tiles {
                @for (name, series) in NOW {
                    div { dt { (name) } dd { (grouped(recent.last.total.value(series))) } }
                }
            }
        }
    }
}

fn rates(recent: &Recent, history: &History) -> Markup {
    html! {
        section aria-labelledby="rates" {
            h2 id="rates" { "A second" }
            dl.tiles {
                @for (name, series) in RATES {
                    div {
                        dt { (name) }
                        dd { (rate(recent.rate_of(series))) }
                        dd { (chart::line(&history.rates(series), &format!("{name} a second"))) }
                    }
                }
            }
        }
    }
}

fn times(recent: &Recent) -> Markup {
    let within = |share| duration(recent.held_within(share));
    html! {
        section aria-labelledby="times" {
            h2 id="times" { "Times" }
            dl.tiles {
                div { dt { "Processing of a message" } dd { (duration(recent.processing())) } }
                div { dt { "Held, half of them within" } dd { (within(0.5)) } }
                div { dt { "Held, 99 % within" } dd { (within(0.99)) } }
                div { dt { "Commit of the store" } dd { (duration(recent.commit())) } }
            }
        }
    }
}

/// The cores one by one; `stuck` are those that make no progress.
fn cores(recent: &Recent, stuck: &[ShardId]) -> Markup {
    let heads = [Head::Text("Shard"), Head::Text("State")];
    let heads: Vec<Head> =
        heads.into_iter().chain(BY_CORE.map(|(name, _)| Head::Number(name))).collect();
    let row = |(shard, counters): &(ShardId, Counters)| {
        let state = html! {
            @if stuck.contains(shard) { span.pill.bad { "stands still" } }
            @else { span.pill.good { "answers" } }
        };
        let numbers = BY_CORE.map(|(_, series)| html! { (grouped(counters.value(series))) });
        [html! { (shard) }, state].into_iter().chain(numbers).collect()
    };
    let rows: Vec<Cells> = recent.shards.iter().map(row).collect();
    html! {
        section aria-labelledby="cores" {
            h2 id="cores" { "Cores" }
            (table("Cores", &heads, &rows))
        }
    }
}

/// Memory of the machine that is available, and all of it, in octets.
fn memory() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
    };
    Some((of("MemAvailable:")?, of("MemTotal:")?))
}
