//! The metrics page of the server: Prometheus text format 0.0.4, read once a second.

use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the page may take.
const PAGE_TIME_MAX: Duration = Duration::from_secs(1);
/// Longest page that is read, in octets.
const PAGE_MAX: u64 = 4 * 1024 * 1024;

/// Where a metrics page is fetched, with a connection that stays.
#[derive(Clone, Debug)]
pub struct Source {
    agent: ureq::Agent,
    url: String,
}

impl Source {
    /// Of an `http://` URL.
    pub fn new(url: &str) -> Source {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PAGE_TIME_MAX))
            .max_redirects(0)
            .proxy(None)
            .build();
        Source { agent: config.into(), url: url.to_owned() }
    }

    /// Fetches the page.
    ///
    /// # Errors
    /// When it does not come in time, is too long, or is no page with numbers.
    pub fn fetch(&self) -> Result<Page> {
        let named = || format!("--metrics {}", self.url);
        let mut answer = self.agent.get(&self.url).call().with_context(named)?;
        let body = answer.body_mut().with_config().limit(PAGE_MAX);
        let page = Page::read(&body.read_to_string().with_context(named)?);
        ensure!(!page.samples.is_empty(), "--metrics {}: no figures there", self.url);
        Ok(page)
    }
}

/// A value with its labels.
#[derive(Clone, Debug, PartialEq)]
struct Sample {
    labels: String,
    value: f64,
}

/// The samples of a page by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    samples: BTreeMap<String, Vec<Sample>>,
}

impl Page {
    /// Reads a page. Lines that are none of the format are passed over.
    pub fn read(text: &str) -> Page {
        let mut samples: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, sample)) = sample(line) else { continue };
            samples.entry(name.to_owned()).or_default().push(sample);
        }
        Page { samples }
    }

    /// The sum of a family over all labels; `None` when the page has none.
    pub fn sum(&self, name: &str) -> Option<f64> {
        Some(self.samples.get(name)?.iter().map(|sample| sample.value).sum())
    }

    /// The sum of the samples of a family that carry `label="text"`; zero when the page has none,
    /// since labels that never occurred are left out.
    pub fn sum_where(&self, name: &str, label: &str, text: &str) -> f64 {
        let wanted = format!("{label}=\"{text}\"");
        let all = self.samples.get(name).map_or(&[][..], Vec::as_slice);
        let carries = |sample: &&Sample| sample.labels.split(',').any(|one| one == wanted);
        all.iter().filter(carries).map(|sample| sample.value).sum()
    }

    /// The text of a label of the first sample of a family.
    pub fn label(&self, name: &str, label: &str) -> Option<&str> {
        let start = format!("{label}=\"");
        let mut labels = self.samples.get(name)?.first()?.labels.split(',');
        labels.find_map(|one| one.strip_prefix(start.as_str())?.strip_suffix('"'))
    }
}

/// Name, labels without their braces, and value of a line.
fn sample(line: &str) -> Option<(&str, Sample)> {
    let (head, value) = match line.rsplit_once('}') {
        Some((head, rest)) => (head, rest.split_ascii_whitespace().next()?),
        None => line.split_once(' ').map(|(head, rest)| (head, rest.trim()))?,
    };
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    let value = value.split_ascii_whitespace().next()?.parse::<f64>().ok()?;
    Some((name, Sample { labels: labels.to_owned(), value }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};

    const TEXT: &str = "# HELP a_total Of all.\n# TYPE a_total counter\n\
        a_total{shard=\"0\"} 5\na_total{shard=\"1\"} 7.5 1700000000\n\
        build_info{version=\"0.1.0\",os=\"linux\"} 1\nplain 3e2\n\nbroken\nworse{x=\"1\"} y\n";

    #[test]
    fn samples_are_summed_over_labels_or_by_one() {
        let page = Page::read(TEXT);
        assert_eq!(page.sum("a_total"), Some(12.5));
        assert_eq!(page.sum_where("a_total", "shard", "1"), 7.5);
        assert_eq!(page.sum_where("a_total", "shard", "9"), 0.0);
        assert_eq!(page.sum("plain"), Some(300.0));
        assert_eq!(page.label("build_info", "version"), Some("0.1.0"));
        assert_eq!(page.label("build_info", "os"), Some("linux"));
        assert_eq!(page.sum("broken"), None);
        assert_eq!(page.sum("worse"), None);
    }

    /// Answers one request with `answer`, whatever it says.
    fn serve(answer: String) -> Source {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut octets = [0; 4096];
            let _ = stream.read(&mut octets).unwrap();
            let _ = stream.write_all(answer.as_bytes());
        });
        Source::new(&format!("http://{address}/metrics"))
    }

    #[test]
    fn a_page_is_fetched_and_anything_else_is_an_error() {
        let page = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{TEXT}", TEXT.len());
        assert_eq!(serve(page).fetch().unwrap(), Page::read(TEXT));
        let empty = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let error = serve(empty.into()).fetch().unwrap_err().to_string();
        assert!(error.contains("no figures there"), "{error}");
        let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        let error = format!("{:#}", serve(missing.into()).fetch().unwrap_err());
        assert!(
            error.starts_with("--metrics http://127.0.0.1:") && error.contains("404"),
            "{error}"
        );
    }
}
