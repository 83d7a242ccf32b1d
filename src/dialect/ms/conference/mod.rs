//! Conferences as Lync clients speak of them (MS-CONFBAS, MS-CONFPRO, MS-CONFIM).
//!
//! | file | what it holds |
//! |---|---|
//! | `request` | what a client wants of a focus or of its factory |
//! | `response` | what it is answered, when it is done |
//! | `failure` | and when not |
//! | `imdn` | reports of messages that did not reach a member |
//! | `invite` | invitations |
//! | `typing` | that somebody is typing |

pub mod failure;
pub mod imdn;
pub mod invite;
pub mod request;
pub mod response;
#[cfg(test)]
mod tests;
pub mod typing;

use crate::immcu::conference::{Admission, Role};

/// The name of a policy of admission (MS-CONFBAS section 2.2.2.3).
pub(in crate::dialect) const fn admission_name(admission: Admission) -> &'static str {
    match admission {
        Admission::ClosedAuthenticated => "closedAuthenticated",
        Admission::OpenAuthenticated => "openAuthenticated",
        Admission::Anonymous => "anonymous",
    }
}

fn admission_of(name: &str) -> Option<Admission> {
    [Admission::ClosedAuthenticated, Admission::OpenAuthenticated, Admission::Anonymous]
        .into_iter()
        .find(|known| admission_name(*known) == name)
}

/// The name of a role.
pub(in crate::dialect) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Attendee => "attendee",
        Role::Presenter => "presenter",
    }
}

fn role_of(name: &str) -> Option<Role> {
    [Role::Attendee, Role::Presenter].into_iter().find(|known| role_name(*known) == name)
}
