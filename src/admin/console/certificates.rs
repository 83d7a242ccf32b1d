//! The certificates in force, and how long they last.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use maud::html;

use super::super::certificates::{CertificateStanding, CertificatesStanding};
use super::super::questions::FromHere;
use super::super::server::{Admin, Sources};
use super::frame::{Frame, when};
use super::indicators::{Indicator, Level};
use super::table::{Cells, Head, table};

/// Days before the end from which a certificate is to be looked at, and is bad.
const DAYS: (i64, i64) = (30, 7);
const DAY_S: i64 = 24 * 3600;

const HEADS: [Head; 5] = [
    Head::Text("File"),
    Head::Text("Names"),
    Head::Text("From"),
    Head::Text("To"),
    Head::Text("How it stands"),
];

/// `/console/certificates`.
pub async fn page<S: Sources>(_: FromHere, State(admin): State<Arc<Admin<S>>>) -> Response {
    let standing = admin.sources.certificates();
    let now = Timestamp::now().as_second();
    let rows: Vec<Cells> = standing.certificates.iter().map(|one| row(one, now)).collect();
    let content = html! {
        @if let Some(trouble) = &standing.trouble {
            p.note.bad role="alert" {
                "The files have changed and cannot be used, so the certificates read before stay in \
                 force: " (trouble)
            }
        }
        (table("Certificates", &HEADS, &rows))
        p.small {
            "A changed file is read within seconds, and nobody is disconnected; "
            code { "mynah doctor --tls HOST" } " checks the chain as a client does."
        }
    };
    Frame { page: "Certificates", title: "Certificates", refresh_s: 0 }
        .page(StatusCode::OK, &content)
}

fn row(one: &CertificateStanding, now: i64) -> Cells {
    let (level, reason) = judge(one, now);
    let day = |second: i64| {
        Timestamp::from_second(second).map(|time| time.to_string()).unwrap_or_default()
    };
    let [from, to] = match one.valid {
        Some((from, to)) => [from, to].map(|second| html! { (when(&day(second))) }),
        None => [html! { "–" }, html! { "–" }],
    };
    vec![
        html! { code { (one.file.display()) } },
        html! {
            @if one.is_authority { "authority of links" } @else { (one.names.join(", ")) }
        },
        from,
        to,
        html! { span.pill.(level.word()) { (level.word()) } " " (reason) },
    ]
}

/// How one stands at `now`, and why.
fn judge(one: &CertificateStanding, now: i64) -> (Level, String) {
    let Some((from, to)) = one.valid else {
        return (Level::Bad, "its dates cannot be read".to_owned());
    };
    if now < from {
        return (Level::Bad, "it is not valid yet: clients refuse it".to_owned());
    }
    if now > to {
        let days = (now - to) / DAY_S;
        return (Level::Bad, format!("it expired {days} days ago: clients refuse it"));
    }
    let days = (to - now) / DAY_S;
    let level = match days {
        days if days < DAYS.1 => Level::Bad,
        days if days < DAYS.0 => Level::Warning,
        _ => Level::Good,
    };
    let what = if level == Level::Good { "" } else { ": put a new one in its place" };
    (level, format!("{days} days left{what}"))
}

/// The worst of them, for the overview; nothing where there are none.
pub fn indicator(standing: &CertificatesStanding, now: i64) -> Option<Indicator> {
    let (name, page) = ("Certificates", Some("/console/certificates"));
    if let Some(trouble) = &standing.trouble {
        let reason = format!("the new files cannot be used: {trouble}");
        return Some(Indicator { name, level: Level::Warning, reason, page });
    }
    let judged = standing.certificates.iter().map(|one| (one, judge(one, now)));
    let (one, (level, reason)) = judged.min_by_key(|(one, (level, _))| {
        let left = one.valid.map_or(i64::MIN, |(_, to)| to);
        (std::cmp::Reverse(*level), left)
    })?;
    let reason = format!("{}: {reason}", one.file.display());
    Some(Indicator { name, level, reason, page })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(from_days: i64, to_days: i64) -> CertificateStanding {
        CertificateStanding {
            file: "/etc/mynah/a.pem".into(),
            is_authority: false,
            names: vec!["sip.example.test".to_owned()],
            valid: Some((from_days * DAY_S, to_days * DAY_S)),
        }
    }

    #[test]
    fn a_certificate_is_to_be_looked_at_a_month_before_its_end_and_bad_a_week_before() {
        let judged = |from, to| judge(&certificate(from, to), 0);
        assert_eq!(judged(-1, 30), (Level::Good, "30 days left".to_owned()));
        assert_eq!(judged(-1, 29).0, Level::Warning);
        assert_eq!(judged(-1, 7).0, Level::Warning);
        assert_eq!(
            judged(-1, 6),
            (Level::Bad, "6 days left: put a new one in its place".to_owned())
        );
        assert!(judged(-9, -2).1.contains("expired 2 days ago"));
        assert!(judged(1, 9).1.contains("not valid yet"));
        let unread = CertificateStanding { valid: None, ..certificate(0, 0) };
        assert_eq!(judge(&unread, 0).0, Level::Bad);
    }

    #[test]
    fn the_worst_is_shown_first() {
        let certificates = vec![certificate(-1, 99), certificate(-1, 20), certificate(-1, 25)];
        let mut standing = CertificatesStanding { certificates, trouble: None };
        let shown = indicator(&standing, 0).unwrap();
        assert_eq!((shown.level, shown.name), (Level::Warning, "Certificates"));
        assert!(shown.reason.contains("20 days left"), "{}", shown.reason);
        standing.trouble = Some("no key".to_owned());
        assert!(indicator(&standing, 0).unwrap().reason.contains("no key"));
        assert_eq!(indicator(&CertificatesStanding::default(), 0), None);
    }
}
