//! The timeline as CSV: a line for each point and operation.

use super::{Report, Second};
use std::fmt::Write as _;

const HEAD: &str = "at_s,operation,per_second,failed,p50_ms,p90_ms,p99_ms,generator_cores,\
                    server_cores,server_resident_bytes,server_received_per_s,\
                    server_sent_per_s,server_written_per_s,server_processing_s,\
                    server_holding_s\n";

impl Report {
    /// The timeline as CSV. Names and numbers only: nothing needs quotes.
    pub fn to_csv(&self) -> String {
        let mut text = HEAD.to_owned();
        for second in &self.timeline {
            let used = used(second);
            for (name, point) in &second.operations {
                let latencies = [point.p50_ms, point.p90_ms, point.p99_ms].map(cell).join(",");
                let (rate, failed) = (point.per_second, point.failed);
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{},{name},{rate},{failed},{latencies},{used}", second.at_s);
            }
        }
        text
    }
}

fn used(second: &Second) -> String {
    let server = second.server;
    let cells = [
        second.generator_cores,
        server.map(|server| server.cores),
        server.map(|server| server.resident as f64),
        server.and_then(|server| server.received_per_s),
        server.and_then(|server| server.sent_per_s),
        server.and_then(|server| server.written_per_s),
        server.and_then(|server| server.processing_s),
        server.and_then(|server| server.holding_s),
    ];
    cells.map(cell).join(",")
}

fn cell(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value}"))
}
