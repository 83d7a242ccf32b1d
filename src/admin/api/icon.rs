//! Presence as a picture: for each state a shape of its own besides its colour, so that nobody has to
//! tell colours apart, and the state in words for those who do not see it at all.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use super::admission::Application;
use super::backend::Backend;
use super::problem::Problem;
use super::request;
use super::server::Api;
use super::versioned::versioned;
use crate::presence::state::{Availability, Class};

/// How long a browser may show an icon without asking again.
const CACHE_CONTROL: &str = "private, max-age=15";
/// Nothing in an icon is fetched or run.
const SECURITY: &str = "default-src 'none'; style-src 'unsafe-inline'";
/// Rises when the pictures change, so that browsers fetch them anew.
const PICTURES: u32 = 1;

const GREEN: &str = "#2e8b2e";
const YELLOW: &str = "#c98a00";
const RED: &str = "#c62828";
const GREY: &str = "#6b7280";

/// A picture: what it is called, in words, its colour and its shape.
struct Picture {
    name: &'static str,
    words: &'static str,
    colour: &'static str,
    /// In a square of 16; `currentColor` is the colour, white the surface.
    shape: &'static str,
}

/// The picture of a state; of `None` where none is shown.
fn picture(availability: Option<Availability>) -> Picture {
    let of = |name, words, colour, shape| Picture { name, words, colour, shape };
    match availability.map(Availability::class) {
        Some(Class::Available) => of(
            "available",
            "available",
            GREEN,
            "<circle cx='8' cy='8' r='7' fill='currentColor'/>\
             <path d='M4.5 8.2 7 10.7 11.5 5.6' fill='none' stroke='#fff' stroke-width='2'/>",
        ),
        Some(Class::Idle) => of(
            "idle",
            "available, but not at the keyboard",
            GREEN,
            "<circle cx='8' cy='8' r='6' fill='#fff' stroke='currentColor' stroke-width='2'/>\
             <path d='M4.5 8.2 7 10.7 11.5 5.6' fill='none' stroke='currentColor' stroke-width='2'/>",
        ),
        Some(Class::Busy) => of(
            "busy",
            "busy",
            RED,
            "<rect x='1.5' y='1.5' width='13' height='13' rx='1' fill='currentColor'/>",
        ),
        Some(Class::BusyIdle) => of(
            "busy_idle",
            "busy, but not at the keyboard",
            RED,
            "<rect x='2.5' y='2.5' width='11' height='11' rx='1' fill='#fff' \
             stroke='currentColor' stroke-width='2'/>",
        ),
        Some(Class::DoNotDisturb) => of(
            "do_not_disturb",
            "do not disturb",
            RED,
            "<path d='M5 1h6l4 4v6l-4 4H5l-4-4V5z' fill='currentColor'/>\
             <path d='M4 8h8' stroke='#fff' stroke-width='2.5'/>",
        ),
        Some(Class::BeRightBack) => of(
            "be_right_back",
            "be right back",
            YELLOW,
            "<circle cx='8' cy='8' r='7' fill='currentColor'/>\
             <path d='M8 3.5V8l3.2 2.4' fill='none' stroke='#fff' stroke-width='2'/>",
        ),
        Some(Class::Away) => {
            of("away", "away", YELLOW, "<path d='M8 .8 15.2 8 8 15.2.8 8z' fill='currentColor'/>")
        }
        Some(Class::Offline) => of(
            "offline",
            "offline",
            GREY,
            "<circle cx='8' cy='8' r='6' fill='#fff' stroke='currentColor' stroke-width='2'/>\
             <path d='m5.5 5.5 5 5m0-5-5 5' stroke='currentColor' stroke-width='2'/>",
        ),
        None => of(
            "unknown",
            "presence unknown",
            GREY,
            "<circle cx='8' cy='8' r='6' fill='none' stroke='currentColor' stroke-width='2' \
             stroke-dasharray='2 2'/>",
        ),
    }
}

/// `GET /v1/presence/{address}/icon.svg`. Who is not known has an icon too: a page with one token
/// must not find out who is.
pub async fn icon<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Extension(application): Extension<Application>,
    Path(address): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let user = request::aor(&address)?;
    let sight = api.sight(user, application.level).await?;
    let state = sight.view.ok().and_then(|glimpse| glimpse.state);
    let picture = picture(state.map(|state| state.availability));
    let tag = format!("\"{PICTURES}-{}\"", picture.name);
    let mut response = versioned(&headers, tag, CACHE_CONTROL, "image/svg+xml", || {
        svg(sight.user.as_str(), &picture)
    });
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SECURITY));
    // It is there to be shown by pages of other sites.
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    Ok(response)
}

fn svg(address: &str, picture: &Picture) -> String {
    let Picture { name, words, colour, shape } = picture;
    let mut title = String::with_capacity(address.len());
    for c in address.chars() {
        match c {
            '&' => title.push_str("&amp;"),
            '<' => title.push_str("&lt;"),
            '>' => title.push_str("&gt;"),
            c => title.push(c),
        }
    }
    let mut text = String::with_capacity(512);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' width='16' height='16' \
         role='img' aria-labelledby='t' data-state='{name}' style='color:{colour}'>\
         <title id='t'>{title}: {words}</title>{shape}</svg>"
    );
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all() -> Vec<Picture> {
        let classes = [0, 3500, 4500, 6500, 7500, 9500, 12_500, 15_500, 18_500];
        let shown = classes.into_iter().skip(1).map(|value| picture(Some(Availability(value))));
        shown.chain([picture(None)]).collect()
    }

    #[test]
    fn states_differ_in_shape_and_words_not_only_in_colour() {
        let all = all();
        for part in [|p: &Picture| p.shape, |p: &Picture| p.words, |p: &Picture| p.name] {
            let different: BTreeSet<_> = all.iter().map(part).collect();
            assert_eq!(different.len(), all.len());
        }
    }

    #[test]
    fn an_icon_is_xml_whatever_the_address() {
        for picture in all() {
            let svg = svg("a&b<c>@example.test", &picture);
            let mut reader = quick_xml::Reader::from_str(&svg);
            while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
            assert!(svg.contains(&format!("a&amp;b&lt;c&gt;@example.test: {}<", picture.words)));
        }
    }
}
