//! `mynah drain`

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use super::http;
use super::inquiry::{read, reason};
use super::server_address::ServerAddress;
use crate::admin::DRAIN_MS_MAX;
use crate::admin::operation::DrainReport;
use crate::base::host_port::HostPort;
use crate::config::quantity::{read_time, write_time};

/// `mynah drain`
#[derive(Args, Debug)]
pub struct Drain {
    /// Time over which the connections are closed, one by one: as in 90s or 5m, at most 1d
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = time)]
    over: Duration,
    /// Do not end afterwards: refuse new work until the server is stopped
    #[arg(long)]
    stay: bool,
    /// Send Lync clients to this server, which must know the same users: they connect there at once
    #[arg(long, value_name = "HOST[:PORT]", value_parser = place)]
    to: Option<HostPort>,
    #[command(flatten)]
    server: ServerAddress,
}

impl Drain {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let address = self.server.find()?;
        let stay = if self.stay { "/stay" } else { "" };
        let to = self.to.map(|to| format!("?to={to}")).unwrap_or_default();
        let path = format!("/drain/{}{stay}{to}", self.over.as_millis());
        let (status, body) = http::post(address, &path)?;
        if status == 422 {
            bail!("not drained: {}", reason(status, &body));
        }
        let report: DrainReport = read(address, &path, status, &body)?;
        let over = write_time(Duration::from_millis(report.over_ms));
        let then = if report.stays { "it stays" } else { "the server ends" };
        let sent = report.to.map(|to| format!("; Lync clients are sent to {to}"));
        println!(
            "no new work is taken{}; the connections are closed over {over}, then {then}: \
             `mynah status` shows how far it is",
            sent.unwrap_or_default()
        );
        Ok(())
    }
}

fn time(text: &str) -> Result<Duration, String> {
    read_time(text)
        .filter(|time| *time <= Duration::from_millis(DRAIN_MS_MAX))
        .ok_or_else(|| "write a time of up to a day, as in 90s or 5m".to_owned())
}

fn place(text: &str) -> Result<HostPort, String> {
    HostPort::parse(text).ok_or_else(|| "write a host, as in fe02.example.test:5061".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_an_end() {
        assert_eq!(time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("1d"), Ok(Duration::from_secs(86_400)));
        for bad in ["", "5", "25h", "-1s", "2d"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
