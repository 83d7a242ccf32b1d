//! `mynah cdr`

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;

use anyhow::{Context, Result, anyhow};
use clap::{Args, ValueEnum};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::Serialize;

use super::config_file::Place;
use super::text::shown;
use crate::config::quantity::read_time;
use crate::directory::Address;
use crate::records::{self, KeptRecord};
use crate::store::CdrQuery;

/// `mynah cdr`
#[derive(Args, Debug)]
pub struct Cdr {
    /// Only records with this user on either side
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    user: Option<Address>,
    /// Only records that started then or later: 2026-11-21, 2026-11-21T08:00, a time with an
    /// offset or Z, or so long ago: 30m, 2h, 7d
    #[arg(long, value_name = "T", value_parser = since)]
    since: Option<Timestamp>,
    /// Form of the listing. Times in json and csv are UTC; a csv cell that a spreadsheet would take
    /// for a formula begins with an apostrophe
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

impl Cdr {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let settings = self.place.settings()?;
        let database = self.place.open(settings.as_ref(), false)?;
        let since = self.since.map_or(0, Timestamp::as_millisecond);
        let query = CdrQuery {
            user: self.user.map(Address::into_string),
            since_unix_ms: u64::try_from(since).unwrap_or(0),
            rows_max: None,
        };
        let mut listing = Listing::begin(self.format, BufWriter::new(io::stdout().lock()))?;
        let mut outcome = Ok(());
        database.for_each_cdr(&query, |record| {
            let KeptRecord::Conversation(cdr) = record else { return ControlFlow::Continue(()) };
            outcome = listing.row(&Row::of(&cdr));
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome?;
        listing.end()
    }
}

/// One record as it is listed.
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

/// Rows as they come, so that a listing of any length needs no memory.
enum Listing<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Json { out: W, any: bool },
    Table(W),
}

impl<W: Write> Listing<W> {
    fn begin(format: Format, mut out: W) -> Result<Self> {
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
                let mut listing = Listing::Table(out);
                listing.table_line(TABLE_HEAD)?;
                listing
            }
        })
    }

    fn row(&mut self, row: &Row) -> Result<()> {
        match self {
            Listing::Csv(out) => out.serialize(Row {
                id: row.id.clone(),
                caller: cell(&row.caller),
                callee: cell(&row.callee),
                start: row.start.clone(),
                end: row.end.clone(),
                ..*row
            })?,
            Listing::Json { out, any } => {
                write!(out, "{}\n  ", if *any { "," } else { "" })?;
                serde_json::to_writer(out, row)?;
                *any = true;
            }
            Listing::Table(_) => {
                let count = |count: Option<u64>| count.map_or("-".to_owned(), |n| n.to_string());
                let ending = match (row.ending, row.status) {
                    (Some(ending), Some(status)) => format!("{ending} {status}"),
                    (Some(ending), None) => ending.to_owned(),
                    (None, _) => "open".to_owned(),
                };
                let bridged = if row.bridged { ", bridged" } else { "" };
                self.table_line([
                    // Without the fraction of a second.
                    &row.start.replace('T', " ")[..19.min(row.start.len())],
                    row.kind,
                    &shown(&row.caller),
                    &shown(&row.callee),
                    &count(row.messages_from_caller),
                    &count(row.messages_from_callee),
                    &format!("{ending}{bridged}"),
                ])?;
            }
        }
        Ok(())
    }

    fn end(self) -> Result<()> {
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

    fn table_line(&mut self, cells: [&str; 7]) -> Result<()> {
        let [start, kind, caller, callee, sent, received, ending] = cells;
        if let Listing::Table(out) = self {
            writeln!(
                out,
                "{start:19}  {kind:7}  {caller:28}  {callee:28}  {sent:>5}  {received:>5}  {ending}"
            )?;
        }
        Ok(())
    }
}

/// The names of the fields of [`Row`].
const CSV_HEAD: [&str; 11] = [
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
];

const TABLE_HEAD: [&str; 7] =
    ["START (UTC)", "KIND", "CALLER", "CALLEE", "SENT", "RECVD", "ENDING"];

fn utc(unix_ms: u64) -> String {
    let timestamp = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    format!("{:.3}", timestamp.unwrap_or(Timestamp::MAX))
}

/// A cell that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    let tempting = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if tempting { format!("'{text}") } else { text.to_owned() }
}

fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|error| error.to_string())
}

fn since(text: &str) -> Result<Timestamp> {
    since_at(text, &Zoned::now())
}

/// Reads a time; one without an offset is in the zone of `now`.
fn since_at(text: &str, now: &Zoned) -> Result<Timestamp> {
    if let Some(ago) = read_time(text) {
        return now.timestamp().checked_sub(ago).context("too long ago");
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp);
    }
    let zone: TimeZone = now.time_zone().clone();
    let local = text.parse::<DateTime>().ok().and_then(|time| time.to_zoned(zone).ok());
    local.map(|time| time.timestamp()).ok_or_else(|| {
        anyhow!("write 2026-11-21, 2026-11-21T08:00, a time with an offset, or 30m, 2h or 7d")
    })
}

#[cfg(test)]
mod tests;
