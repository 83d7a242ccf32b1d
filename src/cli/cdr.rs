//! `mynah cdr`

mod listing;

use std::io::{self, BufWriter};
use std::ops::ControlFlow;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use self::listing::{Format, Listing};
use super::config_file::Place;
use crate::config::quantity::read_time;
use crate::directory::Address;
use crate::store::CdrQuery;

/// `mynah cdr`
#[derive(Args, Debug)]
pub struct Cdr {
    /// Only records with this user on either side, and of conferences that the user made or was in
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
            outcome = listing.record(&record);
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome?;
        listing.end()
    }
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
