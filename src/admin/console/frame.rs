//! What all pages have around them, and how they say numbers.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::super::accounts::Trouble;
use super::headers;

/// A page of the console.
pub struct Frame<'a> {
    /// The page of the bar that it is or belongs to; any other name for none.
    pub page: &'a str,
    /// What it is about.
    pub title: &'a str,
    /// Seconds after which the browser asks again; 0 for never.
    pub refresh_s: u32,
}

/// The bar of pages.
const PAGES: [(&str, &str); 7] = [
    ("Overview", "/console"),
    ("Users", "/console/users"),
    ("Sessions", "/console/sessions"),
    ("Conferences", "/console/conferences"),
    ("Refusals", "/console/refusals"),
    ("Limits", "/console/limits"),
    ("Certificates", "/console/certificates"),
];

impl Frame<'_> {
    /// The page around `content`.
    pub fn page(&self, status: StatusCode, content: &Markup) -> Response {
        let markup = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    @if self.refresh_s > 0 {
                        meta http-equiv="refresh" content=(self.refresh_s);
                    }
                    title { (self.title) " – Mynah" }
                    link rel="icon" type="image/svg+xml" href="/console/icon.svg";
                    link rel="stylesheet" href="/console/style.css";
                }
                body {
                    a.skip href="#content" { "To the content" }
                    header {
                        a.brand href="/console" { "Mynah" }
                        nav aria-label="Pages" {
                            @for (name, path) in PAGES {
                                a href=(path) aria-current=[(name == self.page).then_some("page")] {
                                    (name)
                                }
                            }
                        }
                    }
                    main id="content" { h1 { (self.title) } (content) }
                    footer { "Mynah " (env!("CARGO_PKG_VERSION")) ". Times are in UTC." }
                }
            }
        };
        (status, headers(), markup.into_string()).into_response()
    }
}

/// A page that says what went wrong.
pub fn failure(status: StatusCode, text: &str) -> Response {
    let content = html! { p.note role="alert" { (text) } };
    Frame { page: "", title: "Not to be shown", refresh_s: 0 }.page(status, &content)
}

/// A page that says why an account cannot be read or changed.
pub fn trouble(trouble: &Trouble) -> Response {
    match trouble {
        Trouble::NoSuchUser => failure(StatusCode::NOT_FOUND, "There is no such user."),
        Trouble::UserExists => failure(StatusCode::CONFLICT, "There is such a user already."),
        Trouble::Unfit(why) | Trouble::TooManyPixels(why) => {
            failure(StatusCode::UNPROCESSABLE_ENTITY, why)
        }
        Trouble::Unavailable(why) => failure(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

/// A text in which what stands between backticks is of the machine.
pub fn prose(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index.is_multiple_of(2) { (part) } @else { code { (part) } }
        }
    }
}

/// A time that people read, of one of RFC 3339 in UTC.
pub fn when(utc: &str) -> Markup {
    html! { time datetime=(utc) { (utc.replace('T', " ").trim_end_matches('Z')) } }
}

/// How long what is counted lately has been looked at.
pub fn lately(span: Duration) -> String {
    match span.as_secs() / 60 {
        0 | 1 => "the last minute".to_owned(),
        minutes => format!("the last {minutes} minutes"),
    }
}

/// A number with its thousands apart: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate, with a decimal where it matters; a dash when it is not known.
pub fn rate(rate: Option<f64>) -> String {
    match rate {
        None => "–".to_owned(),
        Some(rate) if rate < 10.0 => format!("{rate:.1}"),
        Some(rate) => grouped(rate.round() as u64),
    }
}

/// A duration in a unit that suits it; a dash when it is not known.
pub fn duration(duration: Option<Duration>) -> String {
    match duration {
        None => "–".to_owned(),
        Some(time) if time < Duration::from_millis(1) => format!("{} µs", time.as_micros()),
        Some(time) if time < Duration::from_secs(1) => {
            format!("{:.1} ms", time.as_secs_f64() * 1000.0)
        }
        Some(time) => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_groups_of_three() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"].map(str::to_owned)
        );
        let times = [None, Some(12), Some(2_500), Some(1_250_000)]
            .map(|micros| duration(micros.map(Duration::from_micros)));
        assert_eq!(times, ["–", "12 µs", "2.5 ms", "1.2 s"].map(str::to_owned));
        let rates = [None, Some(0.04), Some(9.95), Some(12_345.6)].map(rate);
        let spans = [30, 119, 120].map(|seconds| lately(Duration::from_secs(seconds)));
        assert_eq!(spans, ["the last minute", "the last minute", "the last 2 minutes"]);
        assert_eq!(
            when("2027-01-15T08:00:00Z").into_string(),
            r#"<time datetime="2027-01-15T08:00:00Z">2027-01-15 08:00:00</time>"#
        );
        assert_eq!(rates, ["–", "0.0", "9.9", "12,346"].map(str::to_owned));
    }
}
