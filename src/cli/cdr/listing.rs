//! Call detail records as they are listed: as a table, JSON or CSV.

use std::io::Write;

use anyhow::Result;
use clap::ValueEnum;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::text::{one_line, shown};
use crate::records::{self, ConferenceCdr, ConferenceEnding, KeptRecord};

/// Form of a listing.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Format {
    Table,
    Json,
    Csv,
}

/// Records as they come, so that a listing of any length needs no memory.
pub enum Listing<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Json { out: W, any: bool },
    Table(W),
}

impl<W: Write> Listing<W> {
    pub fn begin(format: Format, mut out: W) -> Result<Self> {
        Ok(match format {
            Format::Csv => {
                // Also a listing without rows has its head.
                let mut out = csv::WriterBuilder::new().has_headers(false).from_writer(out);
                out.write_record(CSV_HEAD)?;
                Listing::Csv(Box::new(out))
            }
            Format::Json => {
                write!(out, "[")?;
                Listing::Json { out, any: false }
            }
            Format::Table => {
                table_line(&mut out, TABLE_HEAD)?;
                Listing::Table(out)
            }
        })
    }

    pub fn record(&mut self, record: &KeptRecord) -> Result<()> {
        match (self, record) {
            (Listing::Csv(out), KeptRecord::Conference(cdr)) => {
                let row = ConferenceRow::of(cdr);
                out.serialize(Cells::of_conference(&row))?;
                for visit in &row.visits {
                    out.serialize(Cells::of_visit(&row, visit))?;
                }
            }
            (Listing::Csv(out), KeptRecord::Conversation(cdr)) => {
                out.serialize(Cells::of_conversation(&Row::of(cdr)))?;
            }
            (Listing::Json { out, any }, record) => {
                write!(out, "{}\n  ", if *any { "," } else { "" })?;
                match record {
                    KeptRecord::Conference(cdr) => {
                        serde_json::to_writer(out, &ConferenceRow::of(cdr))?;
                    }
                    KeptRecord::Conversation(cdr) => serde_json::to_writer(out, &Row::of(cdr))?,
                }
                *any = true;
            }
            (Listing::Table(out), KeptRecord::Conference(cdr)) => {
                conference_lines(out, &ConferenceRow::of(cdr))?;
            }
            (Listing::Table(out), KeptRecord::Conversation(cdr)) => {
                conversation_line(out, &Row::of(cdr))?;
            }
        }
        Ok(())
    }

    pub fn end(self) -> Result<()> {
        match self {
            Listing::Csv(mut out) => out.flush()?,
            Listing::Json { mut out, any } => {
                writeln!(out, "{}]", if any { "\n" } else { "" })?;
                out.flush()?;
            }
            Listing::Table(mut out) => out.flush()?,
        }
        Ok(())
    }
}

/// A conversation.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    kind: &'static str,
    caller: String,
    callee: String,
    start: String,
    end: Option<String>,
    messages_from_caller: Option<u64>,
    messages_from_callee: Option<u64>,
    ending: Option<&'static str>,
    status: Option<u16>,
    bridged: bool,
}

impl Row {
    fn of(cdr: &records::Cdr) -> Self {
        Row {
            id: cdr.id.to_string(),
            kind: cdr.kind.name(),
            caller: cdr.caller.clone(),
            callee: cdr.callee.clone(),
            start: utc(cdr.start_unix_ms),
            end: cdr.end.map(|end| utc(end.end_unix_ms)),
            messages_from_caller: cdr.end.map(|end| end.messages_from_caller),
            messages_from_callee: cdr.end.map(|end| end.messages_from_callee),
            ending: cdr.end.map(|end| end.ending.name()),
            status: cdr.end.and_then(|end| end.ending.status()),
            bridged: cdr.bridged,
        }
    }
}

/// A conference.
#[derive(Debug, Serialize)]
struct ConferenceRow {
    id: String,
    kind: &'static str,
    conference: String,
    organiser: String,
    subject: String,
    scheduled: bool,
    start: String,
    end: Option<String>,
    messages: Option<u64>,
    peak: Option<u32>,
    ending: Option<&'static str>,
    visits: Vec<VisitRow>,
}

/// A visit in it.
#[derive(Debug, Serialize)]
struct VisitRow {
    id: String,
    member: String,
    role: &'static str,
    start: String,
    end: Option<String>,
    messages: Option<u64>,
    parting: Option<&'static str>,
}

impl ConferenceRow {
    fn of(cdr: &ConferenceCdr) -> Self {
        ConferenceRow {
            id: cdr.id.to_string(),
            kind: "conference",
            conference: cdr.conference.to_string(),
            organiser: cdr.organiser.clone(),
            subject: cdr.subject.clone(),
            scheduled: cdr.scheduled,
            start: utc(cdr.start_unix_ms),
            end: cdr.end.map(|end| utc(end.end_unix_ms)),
            messages: cdr.end.map(|end| end.messages),
            peak: cdr.end.map(|end| end.peak),
            ending: cdr.end.map(|end| end.ending.name()),
            visits: cdr.visits.iter().map(VisitRow::of).collect(),
        }
    }
}

impl VisitRow {
    fn of(visit: &records::Visit) -> Self {
        VisitRow {
            id: visit.id.to_string(),
            member: visit.member.clone(),
            role: visit.role.name(),
            start: utc(visit.start_unix_ms),
            end: visit.end.map(|end| utc(end.end_unix_ms)),
            messages: visit.end.map(|end| end.messages),
            parting: visit.end.map(|end| end.parting.name()),
        }
    }
}

/// A line of a table that holds conversations, conferences and visits: what does not apply is
/// empty. A visit follows its conference and names it in `record`.
#[derive(Debug, Default, Serialize)]
struct Cells<'a> {
    id: &'a str,
    kind: &'a str,
    caller: String,
    callee: String,
    start: &'a str,
    end: Option<&'a str>,
    messages_from_caller: Option<u64>,
    messages_from_callee: Option<u64>,
    ending: Option<&'a str>,
    status: Option<u16>,
    bridged: Option<bool>,
    record: &'a str,
    conference: &'a str,
    scheduled: Option<bool>,
    subject: String,
    role: &'a str,
    messages: Option<u64>,
    peak: Option<u32>,
}

impl<'a> Cells<'a> {
    fn of_conversation(row: &'a Row) -> Self {
        Cells {
            id: &row.id,
            kind: row.kind,
            caller: cell(&row.caller),
            callee: cell(&row.callee),
            start: &row.start,
            end: row.end.as_deref(),
            messages_from_caller: row.messages_from_caller,
            messages_from_callee: row.messages_from_callee,
            ending: row.ending,
            status: row.status,
            bridged: Some(row.bridged),
            ..Cells::default()
        }
    }

    fn of_conference(row: &'a ConferenceRow) -> Self {
        Cells {
            id: &row.id,
            kind: row.kind,
            caller: cell(&row.organiser),
            start: &row.start,
            end: row.end.as_deref(),
            ending: row.ending,
            conference: &row.conference,
            scheduled: Some(row.scheduled),
            subject: cell(&row.subject),
            messages: row.messages,
            peak: row.peak,
            ..Cells::default()
        }
    }

    fn of_visit(conference: &'a ConferenceRow, row: &'a VisitRow) -> Self {
        Cells {
            id: &row.id,
            kind: "visit",
            caller: cell(&row.member),
            start: &row.start,
            end: row.end.as_deref(),
            ending: row.parting,
            record: &conference.id,
            conference: &conference.conference,
            role: row.role,
            messages: row.messages,
            ..Cells::default()
        }
    }
}

/// The names of the fields of [`Cells`].
const CSV_HEAD: [&str; 18] = [
    "id",
    "kind",
    "caller",
    "callee",
    "start",
    "end",
    "messages_from_caller",
    "messages_from_callee",
    "ending",
    "status",
    "bridged",
    "record",
    "conference",
    "scheduled",
    "subject",
    "role",
    "messages",
    "peak",
];

const TABLE_HEAD: [&str; 7] =
    ["START (UTC)", "KIND", "CALLER", "CALLEE", "SENT", "RECVD", "ENDING"];

fn conversation_line(out: &mut impl Write, row: &Row) -> Result<()> {
    let ending = match (row.ending, row.status) {
        (Some(ending), Some(status)) => format!("{ending} {status}"),
        (Some(ending), None) => ending.to_owned(),
        (None, _) => OPEN.to_owned(),
    };
    let bridged = if row.bridged { ", bridged" } else { "" };
    let cells = [
        &seconds(&row.start),
        row.kind,
        &shown(&row.caller),
        &shown(&row.callee),
        &count(row.messages_from_caller),
        &count(row.messages_from_callee),
        &format!("{ending}{bridged}"),
    ];
    table_line(out, cells)
}

fn conference_lines(out: &mut impl Write, row: &ConferenceRow) -> Result<()> {
    let lost = row.ending == Some(ConferenceEnding::ServerLost.name());
    let mut ending = row.ending.unwrap_or(OPEN).to_owned();
    if let Some(peak) = row.peak.filter(|_| !lost) {
        ending += &format!(", peak {peak}");
    }
    if row.scheduled {
        ending += ", scheduled";
    }
    if !row.subject.is_empty() {
        ending += &format!(", {}", one_line(&row.subject));
    }
    let cells = [
        &seconds(&row.start),
        row.kind,
        &shown(&row.organiser),
        &row.conference,
        &count(row.messages),
        "-",
        &ending,
    ];
    table_line(out, cells)?;
    for visit in &row.visits {
        let cells = [
            &seconds(&visit.start),
            "  visit",
            &shown(&visit.member),
            visit.role,
            &count(visit.messages),
            "-",
            visit.parting.unwrap_or(OPEN),
        ];
        table_line(out, cells)?;
    }
    Ok(())
}

const OPEN: &str = "open";

fn table_line(out: &mut impl Write, cells: [&str; 7]) -> Result<()> {
    let [start, kind, caller, callee, sent, received, ending] = cells;
    writeln!(
        out,
        "{start:19}  {kind:10}  {caller:28}  {callee:32}  {sent:>5}  {received:>5}  {ending}"
    )?;
    Ok(())
}

fn count(count: Option<u64>) -> String {
    count.map_or("-".to_owned(), |count| count.to_string())
}

/// A time as people read it, without the fraction of a second.
fn seconds(time: &str) -> String {
    time.get(..19).unwrap_or(time).replace('T', " ")
}

fn utc(unix_ms: u64) -> String {
    let timestamp = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    format!("{:.3}", timestamp.unwrap_or(Timestamp::MAX))
}

/// A cell that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    let tempting = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if tempting { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests;
