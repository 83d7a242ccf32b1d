//! Refusals as RFC 9457 has them: `application/problem+json`, of a closed set of kinds.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// The media type.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// Declares the kinds: name in `type`, status, title.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $name:literal, $status:ident, $title:literal;)*) => {
        /// Why a request is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// All of them.
            #[cfg(test)]
            pub const ALL: &[Kind] = &[$(Kind::$kind,)*];

            const fn parts(self) -> (&'static str, StatusCode, &'static str) {
                match self { $(Kind::$kind => ($name, StatusCode::$status, $title),)* }
            }
        }
    };
}

kinds! {
    /// An address is none.
    BadAddress, "bad-address", BAD_REQUEST, "This is no address";
    /// The request cannot be read.
    BadRequest, "bad-request", BAD_REQUEST, "The request cannot be read";
    /// The body is longer than `api_body_bytes_max`.
    BodyTooLong, "body-too-long", PAYLOAD_TOO_LARGE, "The body is too long";
    /// The server takes no new work.
    GoingDown, "going-down", SERVICE_UNAVAILABLE, "The server takes no new work";
    /// The server is at fault.
    Internal, "internal", INTERNAL_SERVER_ERROR, "The server failed";
    /// Too many wrong tokens came from the address.
    LockedOut, "locked-out", TOO_MANY_REQUESTS, "Too many requests without a good token";
    /// The path knows other methods.
    MethodNotAllowed, "method-not-allowed", METHOD_NOT_ALLOWED, "The method is not allowed here";
    /// A core does not answer in time.
    NoAnswer, "no-answer", SERVICE_UNAVAILABLE, "The server cannot answer now";
    /// There is nothing at the path.
    NotFound, "not-found", NOT_FOUND, "There is nothing here";
    /// There is no picture, or none to be shown.
    NoSuchPhoto, "no-such-photo", NOT_FOUND, "There is no such picture";
    /// The user is not in the directory.
    NoSuchUser, "no-such-user", NOT_FOUND, "There is no such user";
    /// The role of the token does not allow it.
    RoleTooLow, "role-too-low", FORBIDDEN, "The token does not allow this";
    /// The database cannot be read or written.
    StoreUnavailable, "store-unavailable", SERVICE_UNAVAILABLE, "The database cannot be used now";
    /// No token was shown.
    TokenMissing, "token-missing", UNAUTHORIZED, "A token is needed";
    /// The token proves nothing: it is malformed, unknown or revoked.
    TokenRefused, "token-refused", UNAUTHORIZED, "The token is not valid";
    /// There are `api_streams_max` event streams.
    TooManyStreams, "too-many-streams", SERVICE_UNAVAILABLE, "There are too many event streams";
    /// More than `api_users_max` users.
    TooManyUsers, "too-many-users", BAD_REQUEST, "These are too many users at once";
    /// Too many watch a user.
    TooManyWatchers, "too-many-watchers", SERVICE_UNAVAILABLE, "Too many watch the user";
    /// What is asked for cannot be done.
    Unfit, "unfit", UNPROCESSABLE_ENTITY, "The server cannot do that";
    /// A picture is neither JPEG nor PNG.
    UnsupportedPicture, "unsupported-picture", UNSUPPORTED_MEDIA_TYPE, "The file is no JPEG and no PNG";
    /// The address is taken.
    UserExists, "user-exists", CONFLICT, "The user exists";
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    header: Option<(HeaderName, HeaderValue)>,
}

/// A refusal as it is written.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
}

impl Problem {
    /// A refusal of `kind`; `detail` says what it is about this time, and may be empty.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Problem { kind, detail: detail.into(), header: None }
    }

    /// The refusal that a status alone stands for, as the framework answers.
    pub fn of_status(status: StatusCode) -> Self {
        let kind = match status {
            StatusCode::NOT_FOUND => Kind::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Kind::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Kind::BodyTooLong,
            status if status.is_client_error() => Kind::BadRequest,
            _ => Kind::Internal,
        };
        Problem::new(kind, "")
    }

    /// With a header beside it.
    pub fn with_header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.header = Some((name, value.into()));
        self
    }

    /// Why.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// As it is written, for those who put it into something else.
    pub fn document(&self) -> Document<'_> {
        let (name, status, title) = self.kind.parts();
        Document {
            r#type: format!("urn:mynah:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (_, status, _) = self.kind.parts();
        let body = serde_json::to_string(&self.document()).unwrap_or_default();
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let mut response = (status, headers, body).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_has_a_name_of_its_own_and_a_status_of_refusal() {
        let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.parts().0).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let (name, status, title) = kind.parts();
            assert!(status.is_client_error() || status.is_server_error(), "{name}");
            assert!(!title.ends_with('.'), "{title}");
        }
    }

    #[test]
    fn a_problem_is_written_as_its_rfc_says() {
        let problem = Problem::new(Kind::NoSuchUser, "no \"user\"");
        let text = serde_json::to_string(&problem.document()).unwrap();
        assert_eq!(
            text,
            r#"{"type":"urn:mynah:problem:no-such-user","title":"There is no such user","status":404,"detail":"no \"user\""}"#
        );
    }
}
