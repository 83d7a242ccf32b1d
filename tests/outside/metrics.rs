//! The metrics page, as a scraper reads it.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// One scrape: series with their labels, as on the page, and their values. Series of the shards
/// are summed and stand without the label `shard`.
pub struct Metrics(HashMap<String, f64>);

impl Metrics {
    /// Reads the page.
    pub fn scrape(http: SocketAddr) -> Self {
        let (status, page) = fetch(http, "/metrics");
        assert_eq!(status, 200, "{page}");
        let mut values: HashMap<String, f64> = HashMap::new();
        for line in page.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let series = series.split("{shard=").next().unwrap();
            *values.entry(series.to_owned()).or_default() += value.parse::<f64>().unwrap();
        }
        Metrics(values)
    }

    /// The value of a series; 0 for one that is not there.
    pub fn value(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or_default()
    }

    /// Connections closed for `reason`.
    pub fn closed(&self, reason: &str) -> f64 {
        self.value(&closed(reason))
    }

    /// Times `limit` was hit.
    pub fn hits(&self, limit: &str) -> f64 {
        self.value(&hits(limit))
    }

    /// Requests of `method`, in lower case, received.
    pub fn requests(&self, method: &str) -> f64 {
        self.value(&format!("mynah_sip_requests_total{{method=\"{method}\"}}"))
    }
}

/// The series of connections closed for `reason`.
pub fn closed(reason: &str) -> String {
    format!("mynah_connections_closed_total{{reason=\"{reason}\"}}")
}

/// The series of hits of `limit`.
pub fn hits(limit: &str) -> String {
    format!("mynah_limit_hits_total{{limit=\"{limit}\"}}")
}

/// Status and body of a page.
pub fn fetch(http: SocketAddr, path: &str) -> (u16, String) {
    request(http, "GET", path)
}

/// Status and body of the answer to an order.
pub fn post(http: SocketAddr, path: &str) -> (u16, String) {
    request(http, "POST", path)
}

fn request(http: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let (status, _, body) = ask(http, method, path, "");
    (status, body)
}

/// Status, head and body of the answer to a request without a body, with these header lines.
pub fn ask(http: SocketAddr, method: &str, path: &str, lines: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect_timeout(&http, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {http}\r\n{lines}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}
