//! What anybody may read: the script that shows icons in pages of others, a page that tries it, and
//! the description of the API. All of it is in the binary and fetches nothing from elsewhere.

use axum::http::header;
use axum::response::{IntoResponse, Response};

const SCRIPT: &str = include_str!("embed/presence.js");
const PAGE: &str = include_str!("embed/demo.html");
const PAGE_SCRIPT: &str = include_str!("embed/demo.js");
/// The description, as it also lies in `docs`.
pub const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// What the page may do: run our scripts, show our icons, and nothing else.
const PAGE_SECURITY: &str = "default-src 'none'; script-src 'self'; img-src 'self' data: blob:; \
     connect-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; \
     form-action 'none'";

/// `GET /v1/openapi.json`
pub async fn openapi() -> Response {
    asset("application/json", OPENAPI)
}

/// `GET /v1/embed/presence.js`
pub async fn script() -> Response {
    let mut response = asset("text/javascript; charset=utf-8", SCRIPT);
    // It is there to be run by pages of other sites.
    let policy = header::HeaderValue::from_static("cross-origin");
    response.headers_mut().insert("cross-origin-resource-policy", policy);
    response
}

/// `GET /v1/embed/demo.html`
pub async fn page() -> Response {
    let mut response = asset("text/html; charset=utf-8", PAGE);
    let policy = header::HeaderValue::from_static(PAGE_SECURITY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// `GET /v1/embed/demo.js`
pub async fn page_script() -> Response {
    asset("text/javascript; charset=utf-8", PAGE_SCRIPT)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, text).into_response()
}
