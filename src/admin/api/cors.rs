//! Which web sites may ask from a browser (Fetch standard, CORS). Without an entry in `api.origins`
//! none may; a token is needed in any case.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// How long a browser may remember what it asked before it asks in earnest, in seconds.
const PREFLIGHT_S: &str = "600";

/// The value of `Access-Control-Allow-Origin` for a request with these headers, if its site may ask.
pub fn allowed(origins: &[String], headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let is_listed = |listed: &String| {
        listed == "*" || listed.as_bytes().eq_ignore_ascii_case(origin.as_bytes())
    };
    origins.iter().any(is_listed).then(|| origin.clone())
}

/// The answer to a browser that asks whether it may ask; `None` for any other request.
pub fn preflight(origin: Option<&HeaderValue>, request: &Request) -> Option<Response> {
    let is_preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let origin = origin.filter(|_| is_preflight)?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type"),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_S),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    allow(Some(origin.clone()), headers);
    Some(response)
}

/// Tells a browser that the page may read the answer.
pub fn allow(origin: Option<HeaderValue>, headers: &mut HeaderMap) {
    // What is kept for one site is not for another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_sites_may_ask() {
        let headers = |origin: &'static str| {
            HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))])
        };
        let listed = ["https://a.test".to_owned()];
        assert!(allowed(&listed, &headers("https://a.test")).is_some());
        assert!(allowed(&listed, &headers("https://b.test")).is_none());
        assert!(allowed(&listed, &headers("https://a.test:444")).is_none());
        assert!(allowed(&listed, &HeaderMap::new()).is_none());
        assert!(allowed(&[], &headers("https://a.test")).is_none());
        assert!(allowed(&["*".to_owned()], &headers("null")).is_some());
    }
}
