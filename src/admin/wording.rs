//! What the parts of a presence document and of a conference are called when an operator reads of
//! them.

use super::report::utc;
use crate::base::ids::Dialect;
use crate::base::transport::Transport;
use crate::immcu::conference::{Admission, LegKind, Role};
use crate::presence::card::{Card, PhoneKind};
use crate::presence::container::{ContainerId, Member, Relation};
use crate::presence::publication::{Life, Meaning};
use crate::presence::state::{Activity, Availability, Class, Note, NoteKind, State, StateKind};
use crate::presence::watch::Format;

/// The text of a token, which is plain.
pub fn token(token: &[u8]) -> String {
    String::from_utf8_lossy(token).into_owned()
}

pub fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Tls => "tls",
        Transport::Tcp => "tcp",
    }
}

pub fn dialect(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Ms => "ms",
        Dialect::Simple => "simple",
    }
}

pub fn format(format: Format) -> &'static str {
    match format {
        Format::Categories => "categories",
        Format::Pidf => "pidf",
    }
}

pub fn relation(relation: Relation) -> &'static str {
    match relation {
        Relation::SameEnterprise => "same_enterprise",
        Relation::Federated => "federated",
        Relation::PublicCloud => "public_cloud",
        Relation::Application(_) => "application",
    }
}

pub fn admission(admission: Admission) -> &'static str {
    match admission {
        Admission::ClosedAuthenticated => "closed_authenticated",
        Admission::OpenAuthenticated => "open_authenticated",
        Admission::Anonymous => "anonymous",
    }
}

pub fn role(role: Role) -> &'static str {
    match role {
        Role::Attendee => "attendee",
        Role::Presenter => "presenter",
    }
}

pub fn leg(kind: LegKind) -> &'static str {
    match kind {
        LegKind::Focus => "focus",
        LegKind::Chat => "chat",
    }
}

pub fn class(availability: Availability) -> &'static str {
    match availability.class() {
        Class::Available => "available",
        Class::Idle => "idle",
        Class::Busy => "busy",
        Class::BusyIdle => "busy_idle",
        Class::DoNotDisturb => "do_not_disturb",
        Class::BeRightBack => "be_right_back",
        Class::Away => "away",
        Class::Offline => "offline",
    }
}

/// The name of an access level, as the Lync client shows it.
pub fn level(level: ContainerId) -> &'static str {
    match level {
        ContainerId::BLOCKED => "blocked",
        ContainerId::FRIENDS => "friends and family",
        ContainerId::WORKGROUP => "workgroup",
        ContainerId::COLLEAGUES => "colleagues",
        ContainerId::PUBLIC => "external contacts",
        ContainerId::DEFAULT => "everybody",
        _ => "",
    }
}

pub fn life(life: Life) -> String {
    match life {
        Life::Static => "static".to_owned(),
        Life::Endpoint(conn) => format!("endpoint {}", token(&conn.token())),
        Life::User => "user".to_owned(),
        Life::Until(second) => format!("until {}", utc(second.saturating_mul(1000))),
    }
}

pub fn member(member: &Member) -> String {
    match member {
        Member::User(aor) => aor.to_string(),
        Member::Domain(domain) => format!("domain {domain}"),
        Member::SameEnterprise => "same_enterprise".to_owned(),
        Member::Federated => "federated".to_owned(),
        Member::PublicCloud => "public_cloud".to_owned(),
        Member::Everyone => "everyone".to_owned(),
    }
}

/// What a publication says, in a few words.
pub fn meaning(meaning: &Meaning) -> String {
    match meaning {
        Meaning::State(said) => state(said),
        Meaning::Note(said) => note(said),
        Meaning::Card(said) => card(said).join(", "),
        Meaning::Opaque => String::new(),
    }
}

fn state(state: &State) -> String {
    let kind = match state.kind {
        StateKind::Machine => "machine",
        StateKind::User => "user",
        StateKind::Calendar => "calendar",
        StateKind::Phone => "phone",
    };
    let mut words = vec![format!("{kind} {} {}", state.availability.0, class(state.availability))];
    if !state.manual && state.kind == StateKind::User {
        words.push("not manual".to_owned());
    }
    words.extend(state.activity.as_ref().map(activity));
    words.extend(state.location.as_ref().map(|place| format!("at {place}")));
    words.extend(state.meeting_subject.as_ref().map(|subject| format!("meeting {subject}")));
    words.extend(state.meeting_location.as_ref().map(|place| format!("in {place}")));
    words.extend(state.valid.map(|(from, to)| {
        format!("from {} to {}", utc(from.saturating_mul(1000)), utc(to.saturating_mul(1000)))
    }));
    words.join(", ")
}

pub fn activity(activity: &Activity) -> String {
    match activity.custom.first() {
        Some((_, text)) => text.to_string(),
        None => activity.token.to_string(),
    }
}

pub fn phone(kind: PhoneKind) -> &'static str {
    match kind {
        PhoneKind::Work => "work",
        PhoneKind::Mobile => "mobile",
        PhoneKind::Home => "home",
        PhoneKind::Other => "other",
    }
}

pub fn note(note: &Note) -> String {
    let kind = match note.kind {
        NoteKind::Personal => "personal",
        NoteKind::OutOfOffice => "out of office",
    };
    format!("{kind}: {}", note.text)
}

/// The fields of a card that are not empty.
pub fn card(card: &Card) -> Vec<String> {
    let texts = [
        ("name", &card.display_name),
        ("email", &card.email),
        ("title", &card.title),
        ("company", &card.company),
        ("department", &card.department),
        ("office", &card.office),
    ];
    let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
    let texts = texts.map(|(name, text)| format!("{name} {text}"));
    let phones = card
        .phones
        .iter()
        .map(|phone| format!("{} phone {}", self::phone(phone.kind), phone.display));
    let photo = card.photo.as_ref().map(|photo| format!("photo {}", photo.uri));
    texts.chain(phones).chain(photo).collect()
}
