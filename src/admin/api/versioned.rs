//! Answers that browsers keep and ask about again: pictures.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The version `tag` of what `make` makes of the media type `kind`, to be kept as `cache_control` says;
/// 304 for who has it already, as his `headers` say. `tag` is in quotes and has no others in it.
pub fn versioned<T: Into<Body>>(
    headers: &HeaderMap,
    tag: String,
    cache_control: &'static str,
    kind: &'static str,
    make: impl FnOnce() -> T,
) -> Response {
    let mut response = match knows(headers, &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, kind)], make().into()).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
    // A tag of letters, digits and hyphens is a header value.
    headers.extend(HeaderValue::try_from(tag).ok().map(|tag| (header::ETAG, tag)));
    response
}

/// Whether who asks has the version `tag` already (RFC 9110 section 13.1.2).
fn knows(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut tags = values.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    tags.any(|known| known.trim().trim_start_matches("W/") == tag || known.trim() == "*")
}
