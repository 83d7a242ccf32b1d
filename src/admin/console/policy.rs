//! What the policy of a user lays down.

use maud::{Markup, html};

use crate::config::{ClientAction, FileAction, LinkAction, Policy};

/// The policy `name`, which the configuration holds under `[policy.NAME]`.
pub fn details(name: &str, policy: &Policy) -> Markup {
    let links = match policy.im_filter.action {
        LinkAction::Allow => "become text",
        LinkAction::Block => "block the message",
        LinkAction::Off => "are not looked for",
        LinkAction::Warn => "are warned of",
    };
    let files = match policy.file_filter.action {
        FileAction::All => "all are blocked",
        FileAction::Listed => "those with a listed extension are blocked",
        FileAction::Off => "are let through",
    };
    html! {
        details {
            summary { "Policy (" (name) ")" }
            dl.facts {
                dt { "Presence" }
                dd { @if policy.privacy { "for his contacts alone" } @else { "for everybody" } }
                dt { "Contacts and groups, at most" }
                dd { (policy.contacts_max) " and " (policy.contact_groups_max) }
                dt { "Custom states" }
                dd { (policy.custom_states.len()) }
                dt { "Links in messages" }
                dd { (links) }
                dt { "Files in messages" }
                dd { (files) }
                dt { "Clients that no rule names" }
                dd {
                    @match policy.client_filter.default {
                        ClientAction::Allow => { "may sign in" }
                        _ => { "may not sign in" }
                    }
                    "; rules: " (policy.client_filter.rules.len())
                }
            }
        }
    }
}
