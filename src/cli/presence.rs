//! `mynah presence`

use anyhow::{Result, bail};
use clap::Args;

use super::inquiry::{Inquiry, columns};
use super::text::one_line;
use crate::admin::report::{PresenceReport, SeenReport, StateReport};
use crate::base::time::Now;
use crate::directory::Address;
use crate::presence::card::Card;
use crate::presence::presentity::Presentity;
use crate::shard::question;
use crate::store::Database;

/// `mynah presence`
#[derive(Args, Debug)]
pub struct Presence {
    #[command(flatten)]
    inquiry: Inquiry,
    /// Show also what this user would see
    #[arg(long = "as", value_name = "WATCHER", value_parser = address)]
    watcher: Option<Address>,
}

impl Presence {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let user = self.inquiry.user.as_str();
        let path = match &self.watcher {
            Some(watcher) => format!("/presence/{user}/as/{watcher}"),
            None => format!("/presence/{user}"),
        };
        let report = match (self.inquiry.ask(&path)?, &self.watcher) {
            (Some(report), _) => report,
            (None, None) => stored(&self.inquiry.database()?, user)?,
            (None, Some(_)) => bail!("no server answers, and --as needs one: is it running?"),
        };
        self.inquiry.print(&report, table)
    }
}

/// What the database keeps.
fn stored(database: &Database, user: &str) -> Result<PresenceReport> {
    let mut presentity = Presentity::new(Now::default(), Card::default());
    for row in database.presence_rows(user)? {
        presentity.restore(row);
    }
    Ok((&question::Presence::new(&presentity, Vec::new(), None)).into())
}

fn table(report: &PresenceReport) -> String {
    let mut text = format!("state  {}\n", state(&report.state));
    let endpoints: Vec<_> = report
        .endpoints
        .iter()
        .map(|endpoint| {
            [
                endpoint.connection.clone(),
                endpoint.transport.clone(),
                endpoint.dialect.clone(),
                endpoint.epid.clone().unwrap_or_default(),
                format!("{} s", endpoint.expires_s),
                endpoint.user_agent.clone().unwrap_or_default(),
            ]
        })
        .collect();
    text += &format!("endpoints  {}\n", endpoints.len());
    let head = ["CONNECTION", "BY", "DIALECT", "EPID", "EXPIRES", "USER AGENT"];
    text += &columns(head, &endpoints);
    let publications: Vec<_> = report
        .publications
        .iter()
        .map(|publication| {
            [
                publication.category.clone(),
                publication.instance.to_string(),
                publication.container.to_string(),
                publication.version.to_string(),
                publication.published.clone(),
                publication.life.clone(),
                publication.text.clone(),
            ]
        })
        .collect();
    text += &format!("publications  {}\n", publications.len());
    let head = ["CATEGORY", "INSTANCE", "CONTAINER", "VERSION", "PUBLISHED", "LIFE", "SAYS"];
    text += &columns(head, &publications);
    text + &people(report)
}

/// Who may see what, and who added the user.
fn people(report: &PresenceReport) -> String {
    let containers: Vec<_> = report
        .containers
        .iter()
        .map(|container| {
            [
                container.id.to_string(),
                container.name.clone(),
                container.version.to_string(),
                container.members.join(", "),
            ]
        })
        .collect();
    let mut text = format!("containers  {}\n", containers.len());
    text += &columns(["ID", "LEVEL", "VERSION", "MEMBERS"], &containers);
    let subscribers: Vec<_> = report
        .subscribers
        .iter()
        .map(|subscriber| {
            let seen = if subscriber.acknowledged { "seen" } else { "not seen" };
            [subscriber.address.clone(), seen.to_owned()]
        })
        .collect();
    text += &format!("added by  {}\n", subscribers.len());
    text += &columns(["ADDRESS", "NOTICE"], &subscribers);
    text + &report.seen.as_ref().map(view).unwrap_or_default()
}

/// What a watcher sees.
fn view(seen: &SeenReport) -> String {
    let state = seen.state.as_ref().map_or("no state".to_owned(), state);
    let mut rows = vec![["state".to_owned(), state]];
    let parts = [("card", &seen.card), ("note", &seen.notes), ("other", &seen.others)];
    for (name, texts) in parts {
        rows.extend(texts.iter().map(|text| [name.to_owned(), text.clone()]));
    }
    let level = format!("{} {}", seen.level, seen.level_name);
    let head = format!("{} sees, at level {}\n", one_line(&seen.watcher), one_line(&level));
    head + &columns(["WHAT", "SAYS"], &rows)
}

fn state(state: &StateReport) -> String {
    let activity = state.activity.clone();
    let place = state.location.as_ref().map(|place| format!("at {place}"));
    let subject = state.meeting_subject.as_ref().map(|subject| format!("meeting {subject}"));
    let room = state.meeting_location.as_ref().map(|place| format!("in {place}"));
    let active = state.last_active.as_ref().map(|time| format!("last active {time}"));
    let mut words = vec![format!("{} {}", state.availability, state.class)];
    words.extend([activity, place, subject, room, active].into_iter().flatten());
    one_line(&words.join(", "))
}

fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
