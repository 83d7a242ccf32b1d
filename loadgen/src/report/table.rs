//! A report as a table for people.

use super::marks::{Mark, Verdict};
use super::{Ending, Generator, Report, Row};
use crate::stats::{Operation, Seen};
use std::fmt::{self, Write as _};

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loop_kind =
            if self.open_loop { "from the intended moment" } else { "closed loop, from sending" };
        writeln!(out, "window {:.1} s, {} users signed in", self.window_s, self.signed_in)?;
        writeln!(out, "latency in ms, {loop_kind}")?;
        writeln!(
            out,
            "{:<11}{:>10}{:>9}{:>11}{:>9}{:>9}{:>9}{:>9}{:>10}",
            "operation", "ok", "failed", "per s", "p50", "p90", "p99", "p99.9", "max"
        )?;
        for (name, row) in Operation::ALL.iter().filter_map(|operation| {
            self.operations.get(operation.name()).map(|row| (operation.name(), row))
        }) {
            write_row(out, name, row)?;
        }
        self.write_failures(out)?;
        self.write_server(out)?;
        let Generator { busy, lag_ms, .. } = &self.generator;
        write!(out, "generator: {:.0} % busy", busy * 100.0)?;
        if let Some(lag) = lag_ms {
            write!(out, ", behind its schedule p50 {:.2} p99 {:.2} ms", lag.p50, lag.p99)?;
        }
        writeln!(out)?;
        if self.generator_was_the_limit() {
            writeln!(out, "warning: the generator was the limit, not the server")?;
        }
        self.write_marks(out)?;
        let verdict = if self.passed { "passed" } else { "FAILED" };
        let ending = match self.ending {
            Ending::Complete => "",
            Ending::Aborted => ", ended by --abort",
            Ending::Interrupted => ", interrupted",
            Ending::NoSignIn => ", ended because no user could sign in",
            Ending::FewSignIns => ", ended because most of the first sign-ins failed",
        };
        write!(out, "{verdict}{ending}")
    }
}

impl Report {
    fn write_failures(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, row) in self.operations.iter().filter(|(_, row)| row.failed > 0) {
            let mut line = String::new();
            for (cause, count) in &row.failures {
                write!(line, "  {count} {cause}")?;
                if let Some(text) = self.examples.get(cause) {
                    write!(line, " ({text})")?;
                }
            }
            writeln!(out, "failures of {name}:{line}")?;
        }
        let Seen { requests_refused, stray_answers, duplicates, merged, reordered, .. } = self.seen;
        let Seen { reports, dropped, .. } = self.seen;
        let odd = [
            (requests_refused, "requests refused"),
            (stray_answers, "stray answers"),
            (duplicates, "messages or states twice"),
            (reordered, "messages out of order"),
            (reports, "delivery reports"),
            (dropped, "silent members let go by the server"),
            (merged, "states merged into the next, within a second"),
        ];
        for (count, what) in odd.iter().filter(|(count, _)| *count > 0) {
            writeln!(out, "seen: {count} {what}")?;
        }
        Ok(())
    }

    fn write_server(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(server) = &self.server else { return Ok(()) };
        write!(out, "server: {:.2} CPU s", server.cpu_s)?;
        if let (Some(user), Some(system)) = (server.user_s, server.system_s) {
            write!(out, " ({user:.2} user, {system:.2} system)")?;
        }
        write!(out, ", {:.2} cores", server.cores)?;
        if let Some(each) = server.cpu_us_per_operation {
            write!(out, "; {each:.1} us a {}", self.operation_text)?;
        }
        let delivery = self.operation == Operation::Delivery.name();
        if let Some(each) = server.cpu_us_per_delivery.filter(|_| !delivery) {
            write!(out, "; {each:.1} us a message delivered")?;
        }
        writeln!(out)?;
        write!(out, "server: {:.1} MiB resident", server.resident_after as f64 / 1_048_576.0)?;
        if let Some(each) = server.resident_per_user {
            write!(out, ", {:.1} KiB a user", each / 1024.0)?;
        }
        let octets = server.wire_received_per_s.zip(server.wire_sent_per_s);
        if let Some((received, sent)) = octets.or(server.received_per_s.zip(server.sent_per_s)) {
            let tls = if octets.is_some() { "with" } else { "without" };
            let [received, sent] = [received, sent].map(|each| each / 1024.0);
            write!(out, "; {received:.1} KiB/s in, {sent:.1} KiB/s out {tls} TLS")?;
        }
        if let Some(written) = server.written_per_s {
            write!(out, "; {:.1} KiB/s to disks", written / 1024.0)?;
        }
        writeln!(out)?;
        if let Some((processing, holding)) = server.processing_s.zip(server.holding_s) {
            let (processing, holding) = (processing * 1e6, holding * 1e3);
            writeln!(
                out,
                "server: {processing:.1} us on a message that came in, held {holding:.3} ms, on \
                 average"
            )?;
        }
        Ok(())
    }

    /// The marks that were not met.
    fn write_marks(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |verdict| self.marks.iter().filter(|mark| mark.verdict == verdict).count();
        let [met, missed, open] = [Verdict::Pass, Verdict::Fail, Verdict::NotMeasured].map(count);
        writeln!(out, "pass marks: {met} met, {missed} missed, {open} not measured")?;
        for mark in self.marks.iter().filter(|mark| mark.verdict == Verdict::Fail) {
            let Mark { name, limit, measured, reason, .. } = mark;
            let measured = measured.unwrap_or_default();
            writeln!(out, "missed: {name} is {measured:.3}, not {limit} ({reason})")?;
        }
        Ok(())
    }
}

fn write_row(out: &mut fmt::Formatter<'_>, name: &str, row: &Row) -> fmt::Result {
    write!(out, "{name:<11}{:>10}{:>9}", row.succeeded, row.failed)?;
    match row.per_second {
        Some(rate) => write!(out, "{rate:>11.1}")?,
        None if row.latency_ms.is_some() => write!(out, "{:>11}", "")?,
        None => {}
    }
    if let Some(l) = &row.latency_ms {
        write!(out, "{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>10.2}", l.p50, l.p90, l.p99, l.p999, l.max)?;
    }
    writeln!(out)
}
