//! What a user's presence says, and to whom.

use maud::{Markup, html};

use super::super::report::{PresenceReport, SeenReport, StateReport};
use super::table::{Cells, Head, table};

/// His state, in a line.
pub fn state(state: &StateReport) -> Markup {
    let details = [
        state.activity.as_deref(),
        state.location.as_deref(),
        state.meeting_subject.as_deref(),
        state.meeting_location.as_deref(),
    ];
    html! {
        p.state {
            span class=(format!("dot {}", state.class)) aria-hidden="true" {}
            strong { (state.class.replace('_', " ")) }
            " (" (state.availability) ")"
            @for detail in details.into_iter().flatten() { ", " (detail) }
            @if let Some(active) = &state.last_active { ", last active " (active) }
        }
    }
}

/// What another sees of it, and the form that asks whom.
pub fn as_seen(watcher: &str, seen: Option<&SeenReport>) -> Markup {
    html! {
        section {
            h2 { "As others see him" }
            form.search method="get" {
                label for="as" { "Through the eyes of" }
                input id="as" name="as" type="search" placeholder="bob@example.com" value=(watcher);
                button { "Look" }
            }
            @if let Some(seen) = seen {
                p { "Access level " (seen.level) ", " (seen.level_name.replace('_', " ")) "." }
                @if let Some(of) = &seen.state { (state(of)) } @else { p { "No state." } }
                ul {
                    @for line in seen.notes.iter().chain(&seen.card) { li { (line) } }
                    @for other in &seen.others { li { (other) } }
                }
            }
        }
    }
}

const PUBLICATION_HEADS: [Head; 6] = [
    Head::Text("Category"),
    Head::Number("Instance"),
    Head::Number("Container"),
    Head::Number("Version"),
    Head::Text("Lives"),
    Head::Text("Says"),
];

/// All that he publishes.
pub fn publications(presence: &PresenceReport) -> Markup {
    let rows = presence.publications.iter().map(|one| {
        vec![
            html! { (one.category) },
            html! { (one.instance) },
            html! { (one.container) },
            html! { (one.version) },
            html! { (one.life) },
            html! { (one.text) },
        ]
    });
    let rows: Vec<Cells> = rows.collect();
    html! {
        details {
            summary { "Publications (" (presence.publications.len()) ")" }
            (table("Publications", &PUBLICATION_HEADS, &rows))
        }
    }
}

/// His access levels and who is on each.
pub fn levels(presence: &PresenceReport) -> Markup {
    html! {
        details {
            summary { "Access levels" }
            dl.facts {
                @for one in &presence.containers {
                    dt { (one.name.replace('_', " ")) " (" (one.id) ")" }
                    dd {
                        @if one.members.is_empty() { "nobody" }
                        @else { (one.members.join(", ")) }
                    }
                }
            }
        }
    }
}
