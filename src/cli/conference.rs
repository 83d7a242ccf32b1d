//! `mynah conference`

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;

use super::http;
use super::inquiry::{columns, print, read};
use super::server_address::ServerAddress;
use super::text::one_line;
use crate::admin::conference_report::{
    ConferenceReport, ConferencesReport, EndedReport, MemberReport, SummaryReport,
};
use crate::base::ids::ConferenceId;

/// `mynah conference`
#[derive(Debug, Subcommand)]
pub enum Conference {
    /// End a conference for all who are in
    End(One),
    /// List conferences, those with the most members first
    List(List),
    /// Show who is in a conference, who waits and who was asked in
    Show(One),
}

/// `mynah conference list`
#[derive(Args, Debug)]
pub struct List {
    #[command(flatten)]
    asked: Asked,
}

/// `mynah conference show` and `end`
#[derive(Args, Debug)]
pub struct One {
    /// Name of the conference: 32 hexadecimal digits, as in the list
    #[arg(value_name = "ID", value_parser = id)]
    id: ConferenceId,
    #[command(flatten)]
    asked: Asked,
}

/// Which server is asked, and how its answer is printed.
#[derive(Args, Debug)]
struct Asked {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerAddress,
}

impl Conference {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        match self {
            Conference::End(one) => one.end(),
            Conference::List(List { asked }) => {
                let report: ConferencesReport = asked.ask(Method::Get, "/conferences")?;
                print(asked.json, &report, list)
            }
            Conference::Show(One { id, asked }) => {
                let path = format!("/conferences/{id}");
                let report: ConferenceReport = asked.ask(Method::Get, &path)?;
                print(asked.json, &report, show)
            }
        }
    }
}

impl One {
    fn end(self) -> Result<()> {
        let One { id, asked } = self;
        let ended: EndedReport = asked.ask(Method::Post, &format!("/conferences/{id}/end"))?;
        if ended.kept {
            bail!(
                "conference {id} has ended, but the store cannot write: it is there again after \
                 the next start"
            );
        }
        print(asked.json, &ended, |_| format!("ended {id}\n"))
    }
}

enum Method {
    Get,
    Post,
}

impl Asked {
    fn ask<R: DeserializeOwned>(&self, method: Method, path: &str) -> Result<R> {
        let address = self.server.find()?;
        let (status, body) = match method {
            Method::Get => http::get(address, path),
            Method::Post => http::post(address, path),
        }?;
        if status == 404 {
            bail!("no such conference: `mynah conference list` shows all");
        }
        read(address, path, status, &body)
    }
}

fn list(report: &ConferencesReport) -> String {
    let rows: Vec<_> = report
        .conferences
        .iter()
        .map(|conference| {
            [
                conference.id.clone(),
                conference.organiser.clone(),
                conference.members.to_string(),
                conference.waiting.to_string(),
                conference.messages.to_string(),
                conference.started.as_deref().unwrap_or("-").to_owned(),
                state(conference).join(", "),
                conference.subject.clone(),
            ]
        })
        .collect();
    let mut text = format!("conferences  {}", report.total);
    if rows.len() < report.total {
        text += &format!(", of which those {} with the most members", rows.len());
    }
    let head = ["ID", "ORGANISER", "MEMBERS", "WAITING", "MESSAGES", "STARTED", "STATE", "SUBJECT"];
    format!("{text}\n{}", columns(head, &rows))
}

/// What is particular about a conference, a word or two each.
fn state(conference: &SummaryReport) -> Vec<&'static str> {
    let kind = if conference.scheduled { "scheduled" } else { "ad hoc" };
    let lobby = conference.lobby.then_some("lobby");
    let locked = conference.locked.then_some("locked");
    [Some(kind), lobby, locked].into_iter().flatten().collect()
}

fn show(report: &ConferenceReport) -> String {
    let conference = &report.conference;
    let rows = [
        ("conference", conference.id.clone()),
        ("organiser", conference.organiser.clone()),
        ("subject", conference.subject.clone()),
        ("state", state(conference).join(", ")),
        ("admission", conference.admission.clone()),
        ("made", conference.made.clone()),
        ("started", conference.started.as_deref().unwrap_or("-").to_owned()),
        ("expires", conference.expires.clone()),
        ("messages", conference.messages.to_string()),
        ("members", format!("{}, peak {}", conference.members, conference.peak)),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        text += format!("{name:10}  {}", one_line(&value)).trim_end();
        text.push('\n');
    }
    text += &people(&report.members);
    text += &format!("waiting     {}\n{}", report.waiting.len(), people(&report.waiting));
    let invited: Vec<_> =
        report.invited.iter().map(|one| [one.address.clone(), one.role.clone()]).collect();
    text + &format!("invited     {}\n{}", invited.len(), columns(["ADDRESS", "ROLE"], &invited))
}

fn people(members: &[MemberReport]) -> String {
    let rows: Vec<_> = members
        .iter()
        .map(|member| {
            let legs = member.legs.iter().map(|leg| match &leg.leg {
                Some(dialog) => format!("{} {dialog}", leg.kind),
                None => leg.kind.clone(),
            });
            [
                member.address.clone(),
                member.name.clone(),
                member.role.clone(),
                member.since.clone(),
                member.messages.to_string(),
                legs.collect::<Vec<_>>().join(", "),
            ]
        })
        .collect();
    columns(["ADDRESS", "NAME", "ROLE", "SINCE", "MESSAGES", "LEGS"], &rows)
}

fn id(text: &str) -> Result<ConferenceId, String> {
    ConferenceId::parse(text.as_bytes())
        .ok_or_else(|| "the name of a conference has 32 hexadecimal digits".to_owned())
}

#[cfg(test)]
mod tests;
