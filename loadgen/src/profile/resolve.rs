//! From what is written to what is done: what depends on several keys, or on the population.

use super::form::{self, Form, Percent};
use super::{
    Conferences, ContactClass, Contacts, Kind, Polls, Profile, Registration, Row, Search, Sessions,
    ShortSubscriptions, Size,
};
use std::ops::Range;
use toml::Spanned;

/// Where something is wrong, and what.
type Fault = (Range<usize>, String);

/// How far shares may miss their whole, in percent.
const TOLERANCE: f64 = 0.01;

/// Takes the profile over for `users` users.
pub fn resolve(name: &str, form: Form, users: u32) -> Result<Profile, Fault> {
    let busy = form.busy_hour.day_percent.0 / 100.0 / form.busy_hour.hours.0;
    let watches = form.contacts.is_some();
    if let Some(publications) = form.publications.as_ref().filter(|_| !watches) {
        return Err((publications.span(), "nobody sees them: add [contacts]".to_owned()));
    }
    if let Some(short) = form.short_subscriptions.as_ref().filter(|_| !watches) {
        return Err((short.span(), "there is nobody to subscribe to: add [contacts]".to_owned()));
    }
    if let Some(sessions) = form.sessions.as_ref().filter(|_| users < 2) {
        return Err((sessions.span(), "sessions need 2 users: raise --users".to_owned()));
    }
    let returns = form.registration.returns_per_hour.map_or(0.0, |rate| rate.0);
    Ok(Profile {
        description: form.description,
        name: name.to_owned(),
        contacts: form
            .contacts
            .map(|contacts| resolve_contacts(contacts.into_inner()))
            .transpose()?,
        conferences: form
            .conferences
            .map(|conferences| resolve_conferences(conferences, users))
            .transpose()?,
        polls: form
            .polls
            .into_iter()
            .map(|polls| resolve_polls(polls, users))
            .collect::<Result<_, _>>()?,
        publications_per_hour: form
            .publications
            .map_or(0.0, |written| written.get_ref().per_hour.0),
        registration: Registration {
            own_data: form.registration.own_data,
            refresh_every: form.registration.refresh_every.0,
            returns_per_hour: returns,
        },
        rows: form.rows.into_iter().map(resolve_row).collect::<Result<_, _>>()?,
        search: form.search.map(|search| Search {
            per_hour: search.per_hour.0,
            results_max: search.results_max.0,
        }),
        sessions: form.sessions.map(|sessions| {
            let sessions = sessions.into_inner();
            Sessions {
                per_hour: sessions.per_day.0 * busy,
                messages: sessions.messages.0,
                typing: sessions.typing.0,
                gap: sessions.gap.0,
                octets: sessions.octets.0 as usize,
            }
        }),
        short_subscriptions: form.short_subscriptions.map(|short| ShortSubscriptions {
            per_hour: short.get_ref().per_hour.0,
            lasting: short.get_ref().lasting.0,
        }),
    })
}

fn resolve_contacts(contacts: form::Contacts) -> Result<Contacts, Fault> {
    let shares = contacts.classes.get_ref().iter().map(|class| class.users_percent);
    whole(contacts.classes.span(), "users_percent", shares, true)?;
    let internal = contacts.internal_percent.0 / 100.0;
    let classes = contacts.classes.get_ref().iter().map(|class| ContactClass {
        share: class.users_percent.0 / 100.0,
        contacts: (f64::from(class.contacts.0) * internal).round() as u32,
    });
    Ok(Contacts { batch_max: contacts.batch_max.0 as usize, classes: classes.collect() })
}

fn resolve_polls(polls: Spanned<form::Polls>, users: u32) -> Result<Polls, Fault> {
    let span = polls.span();
    let form::Polls { name, per_hour, users: asked } = polls.into_inner();
    if asked.0 >= users {
        return Err((span, format!("a poll of {} users needs more: raise --users", asked.0)));
    }
    Ok(Polls { name, per_hour: per_hour.0, users: asked.0 })
}

fn resolve_conferences(form: form::Conferences, users: u32) -> Result<Conferences, Fault> {
    let shares = form.sizes.get_ref().iter().map(|size| size.conferences_percent);
    whole(form.sizes.span(), "conferences_percent", shares, true)?;
    let shares = form.kinds.get_ref().iter().map(|kind| kind.conferences_percent);
    let said = whole(form.kinds.span(), "conferences_percent", shares, false)?;
    let largest = form.sizes.get_ref().iter().max_by_key(|size| size.members.get_ref().0);
    if let Some(size) = largest.filter(|size| size.members.get_ref().0 > users) {
        let members = size.members.get_ref().0;
        let text = format!(
            "a conference of {members} needs more than {users} users: raise --users or lower it"
        );
        return Err((size.members.span(), text));
    }
    if form.join_within.get_ref().0 > form.lasting.0 {
        let text = "conferences end before all are in: lower it or raise lasting".to_owned();
        return Err((form.join_within.span(), text));
    }
    let sizes = form.sizes.get_ref().iter().map(|size| Size {
        share: size.conferences_percent.0 / 100.0,
        members: size.members.get_ref().0,
    });
    let mut kinds: Vec<Kind> = form
        .kinds
        .get_ref()
        .iter()
        .map(|kind| Kind { share: kind.conferences_percent.0 / 100.0, messages: kind.messages.0 })
        .collect();
    kinds.push(Kind { share: 1.0 - said / 100.0, messages: 0 });
    let in_conference = form.users_percent.0 / 100.0;
    let room = f64::from(users) * in_conference;
    Ok(Conferences {
        users: in_conference,
        sizes: sizes.collect(),
        // Left out when it alone would take more users than are in conferences at a time.
        large: form
            .large
            .map(|large| large.0)
            .filter(|&large| f64::from(large) <= room)
            .unwrap_or(0),
        kinds,
        join_within: form.join_within.get_ref().0,
        lasting: form.lasting.0,
        octets: form.octets.0 as usize,
    })
}

fn resolve_row(row: Spanned<form::Row>) -> Result<Row, Fault> {
    let span = row.span();
    match row.into_inner() {
        form::Row { row, used: Some(how), unused: None } => Ok(Row { row, used: Ok(how) }),
        form::Row { row, used: None, unused: Some(why) } => Ok(Row { row, used: Err(why) }),
        _ => Err((span, "write either used or unused".to_owned())),
    }
}

/// The sum of shares, which is 100 %, or up to 100 % where the rest has a meaning.
fn whole(
    span: Range<usize>,
    key: &str,
    shares: impl Iterator<Item = Percent>,
    exactly: bool,
) -> Result<f64, Fault> {
    let sum: f64 = shares.map(|share| share.0).sum();
    if sum > 100.0 + TOLERANCE {
        return Err((span, format!("{key} comes to {sum}: lower it to 100")));
    }
    if exactly && sum < 100.0 - TOLERANCE {
        return Err((span, format!("{key} comes to {sum}: raise it to 100")));
    }
    Ok(sum.min(100.0))
}
