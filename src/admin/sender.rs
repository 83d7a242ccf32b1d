//! Who gives an order: a command, a page of the console, or a page of somebody else in the same
//! browser. A browser says which page it is with every POST, and no page can leave that out.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::console;
use super::questions::refused;

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    /// A program that is no browser.
    Command,
    /// A page of this server.
    Console,
    /// A page of another one.
    Elsewhere,
}

impl Sender {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let host = text(header::HOST.as_str()).unwrap_or_default();
        // What the browser makes of it says more than what is compared here.
        match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
            (None, None) => Sender::Command,
            (Some("same-origin"), _) => Sender::Console,
            (None, Some(origin)) if origin.strip_prefix("http://") == Some(host) => Sender::Console,
            _ => Sender::Elsewhere,
        }
    }
}

/// Lets orders of commands pass, but none of a page in a browser, which could give them although it
/// cannot read the answer.
pub struct FromCommand;

impl<S: Send + Sync> FromRequestParts<S> for FromCommand {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        match Sender::of(&parts.headers) {
            Sender::Command => Ok(FromCommand),
            Sender::Console | Sender::Elsewhere => {
                Err(refused(StatusCode::FORBIDDEN, "no page in a browser is obeyed"))
            }
        }
    }
}

/// Lets orders of the console's own pages pass, and none of other pages in the same browser.
pub struct FromConsole;

impl<S: Send + Sync> FromRequestParts<S> for FromConsole {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        match Sender::of(&parts.headers) {
            Sender::Console => Ok(FromConsole),
            Sender::Command | Sender::Elsewhere => Err(console::failure(
                StatusCode::FORBIDDEN,
                "Only a page of the console is obeyed.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn sender(lines: &[(&'static str, &'static str)]) -> Sender {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("localhost:9090"));
        for (name, value) in lines {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        Sender::of(&headers)
    }

    #[test]
    fn a_browser_says_which_page_it_is() {
        assert_eq!(sender(&[]), Sender::Command);
        let own = ("origin", "http://localhost:9090");
        assert_eq!(sender(&[own]), Sender::Console);
        assert_eq!(sender(&[("sec-fetch-site", "same-origin")]), Sender::Console);
        for other in ["cross-site", "same-site", "none", ""] {
            let site = ("sec-fetch-site", other);
            assert_eq!(sender(&[site, own]), Sender::Elsewhere, "{other}");
        }
        for origin in ["http://evil.example", "https://localhost:9090", "null", ""] {
            assert_eq!(sender(&[("origin", origin)]), Sender::Elsewhere, "{origin}");
        }
    }
}
