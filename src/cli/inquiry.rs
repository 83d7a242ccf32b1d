//! A question to the running server, most often about one user.

use std::io::{self, Write};
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::http::{self, NothingAnswers};
use super::server_address::ServerAddress;
use super::text::{one_line, shown};
use crate::directory::Address;
use crate::store::{Database, StoreError};

/// What questions about a user have in common.
#[derive(Args, Debug)]
pub struct Inquiry {
    /// Address of the user, as in alice@example.test
    #[arg(value_name = "USER", value_parser = address)]
    pub user: Address,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerAddress,
}

impl Inquiry {
    /// What the running server answers to `path`; `None` when none runs and none was named.
    pub fn ask<R: DeserializeOwned>(&self, path: &str) -> Result<Option<R>> {
        let given = self.server.is_given();
        let address = match self.server.find() {
            Ok(address) => address,
            Err(error) if given => return Err(error),
            Err(_) => return Ok(None),
        };
        let (status, body) = match http::get(address, path) {
            Err(error) if !given && error.is::<NothingAnswers>() => return Ok(None),
            answer => answer?,
        };
        if status == 404 {
            return Err(StoreError::NoSuchUser(self.user.to_string()).into());
        }
        read(address, path, status, &body).map(Some)
    }

    /// The database in the data folder, for want of a server; says so beside the answer. The user
    /// is in it.
    pub fn database(&self) -> Result<Database> {
        let place = &self.server.place;
        let database = place.open(place.settings()?.as_ref(), false)?;
        if database.user(self.user.as_str())?.is_none() {
            return Err(StoreError::NoSuchUser(self.user.to_string()).into());
        }
        eprintln!("mynah: no server answers: this is what the database keeps");
        Ok(database)
    }

    /// Prints `report`, as a table by `table`.
    pub fn print<R: Serialize>(&self, report: &R, table: impl FnOnce(&R) -> String) -> Result<()> {
        print(self.json, report, table)
    }
}

/// Prints `report` as JSON, or as a table by `table`.
pub fn print<R: Serialize>(json: bool, report: &R, table: impl FnOnce(&R) -> String) -> Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, report)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", table(report))?;
    }
    Ok(out.flush()?)
}

/// Reads the answer of the server at `address` to `path`.
pub fn read<R: DeserializeOwned>(
    address: SocketAddr,
    path: &str,
    status: u16,
    body: &str,
) -> Result<R> {
    if status != 200 {
        bail!("http://{address}{path}: {}", reason(status, body));
    }
    serde_json::from_str(body)
        .with_context(|| format!("http://{address}{path}: a server of another version?"))
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Why the server has refused, in its own words.
pub fn reason(status: u16, body: &str) -> String {
    let refusal = serde_json::from_str::<Refusal>(body);
    refusal.map_or_else(|_| format!("it answers {status}"), |refusal| one_line(&refusal.error))
}

/// Rows in columns as wide as they need, each row indented by two; nothing for no rows.
pub fn columns<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rows: Vec<[String; N]> =
        rows.iter().map(|row| row.each_ref().map(|cell| shown(&one_line(cell)))).collect();
    let mut widths = head.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head = head.map(str::to_owned);
    let mut text = String::new();
    for row in std::iter::once(&head).chain(&rows) {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text += &format!("  {}", cells.join("  "));
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need_and_show_no_tricks() {
        let rows = [["a\nb".to_owned(), "1".to_owned()], ["\u{1b}".to_owned(), String::new()]];
        assert_eq!(columns(["NAME", "N"], &rows), "  NAME  N\n  a b   1\n  \u{fffd}\n");
        assert_eq!(columns::<1>(["NAME"], &[]), "");
    }

    #[test]
    fn a_refusal_is_told_in_its_own_words() {
        assert_eq!(reason(403, r#"{"error":"not you"}"#), "not you");
        assert_eq!(reason(500, "<html>"), "it answers 500");
    }
}
