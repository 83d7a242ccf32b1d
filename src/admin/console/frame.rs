//! What all pages have around them, and how they say numbers.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::super::accounts::Trouble;
use super::headers;

/// A page of the console.
pub struct Frame<'a> {
    /// What it is about; the name in the bar of pages when it is one of these.
    pub title: &'a str,
    /// Seconds after which the browser asks again; 0 for never.
    pub refresh_s: u32,
}

/// The bar of pages.
const PAGES: [(&str, &str); 4] = [
    ("Overview", "/console"),
    ("Users", "/console/users"),
    ("Conferences", "/console/conferences"),
    ("Refusals", "/console/refusals"),
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
                    link rel="stylesheet" href="/console/style.css";
                }
                body {
                    a.skip href="#content" { "To the content" }
                    header {
                        strong { "Mynah" }
                        nav aria-label="Pages" {
                            @for (name, path) in PAGES {
                                a href=(path) aria-current=[(name == self.title).then_some("page")] {
                                    (name)
                                }
                            }
                        }
                    }
                    main id="content" { h1 { (self.title) } (content) }
                }
            }
        };
        (status, headers(), markup.into_string()).into_response()
    }
}

/// A page that says what went wrong.
pub fn failure(status: StatusCode, text: &str) -> Response {
    let content = html! { p.note role="alert" { (text) } };
    Frame { title: "Not to be shown", refresh_s: 0 }.page(status, &content)
}

/// A page that says why an account cannot be read or changed.
pub fn trouble(trouble: &Trouble) -> Response {
    match trouble {
        Trouble::NoSuchUser => failure(StatusCode::NOT_FOUND, "There is no such user."),
        Trouble::UserExists => failure(StatusCode::CONFLICT, "There is such a user already."),
        Trouble::Unfit(why) => failure(StatusCode::UNPROCESSABLE_ENTITY, why),
        Trouble::Unavailable(why) => failure(StatusCode::SERVICE_UNAVAILABLE, why),
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
        assert_eq!(rates, ["–", "0.0", "9.9", "12,346"].map(str::to_owned));
    }
}
