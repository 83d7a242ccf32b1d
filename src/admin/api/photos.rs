//! Pictures of users. By the user's address an application sees the one that its access level shows; by
//! its hash, which stands in contact cards, whoever has seen the card or the picture.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;

use super::admission::Application;
use super::backend::Backend;
use super::document::problem;
use super::problem::{Kind, Problem};
use super::request;
use super::server::Api;
use super::users::log;
use super::versioned::versioned;
use crate::admin::accounts::{Accounts, PhotoKey, Trouble};
use crate::base::aor::Aor;
use crate::directory::{Photo, PhotoHash};
use crate::metrics::api::ApiEvent;
use crate::presence::card::{self, Card};
use crate::presence::container::ContainerId;

/// What a file begins with that may be a picture: JPEG and PNG.
const SIGNATURES: [&[u8]; 2] = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"];
/// A picture by its address: another may be there next time.
const CHANGING: &str = "private, no-cache";
/// A picture by its hash is always the same.
const LASTING: &str = "public, max-age=31536000, immutable";
/// The value of `size` that asks for the small one.
const SMALL: &str = "small";

/// `GET /v1/users/{address}/photo`
pub async fn show<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Extension(application): Extension<Application>,
    Path(address): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let user = request::aor(&address)?;
    let sight = api.sight(user.clone(), application.level).await?;
    let level = sight.view.map_err(problem)?.level;
    if !shows_photo(level) {
        return Err(Problem::new(Kind::NoSuchPhoto, ""));
    }
    api.photo(PhotoKey::Of(user), &uri, &headers, CHANGING).await
}

/// `GET /v1/photos/{hash}`
pub async fn by_hash<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Path(hash): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let hash = PhotoHash::parse(&hash).ok_or_else(|| Problem::new(Kind::NoSuchPhoto, ""))?;
    api.photo(PhotoKey::Hash(hash), &uri, &headers, LASTING).await
}

/// `PUT /v1/users/{address}/photo`
pub async fn put<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Extension(application): Extension<Application>,
    Path(address): Path<String>,
    body: Body,
) -> Result<StatusCode, Problem> {
    let user = request::aor(&address)?;
    let octets_max = api.limits.photo_bytes_max;
    let file = to_bytes(body, octets_max).await.map_err(|_| {
        api.tally.count(ApiEvent::PhotoRefused);
        Problem::new(Kind::BodyTooLong, format!("a picture has at most {octets_max} octets"))
    })?;
    if !SIGNATURES.iter().any(|signature| file.starts_with(signature)) {
        return Err(Problem::new(Kind::UnsupportedPicture, ""));
    }
    let done = api.backend.accounts().set_photo(user.clone(), Some(file)).await;
    if let Err(Trouble::TooManyPixels(_)) = done {
        api.tally.count(ApiEvent::PixelsRefused);
    }
    done?;
    log(&application, "given a picture", &user);
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/users/{address}/photo`
pub async fn remove<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Extension(application): Extension<Application>,
    Path(address): Path<String>,
) -> Result<StatusCode, Problem> {
    let user: Aor = request::aor(&address)?;
    api.backend.accounts().set_photo(user.clone(), None).await?;
    log(&application, "deprived of the picture", &user);
    Ok(StatusCode::NO_CONTENT)
}

/// Whether somebody at `level` sees the picture of a card.
fn shows_photo(level: ContainerId) -> bool {
    let photo = card::Photo { uri: "".into(), hash: "".into() };
    Card { photo: Some(photo), ..Card::default() }.as_seen_in(level).photo.is_some()
}

impl<B: Backend> Api<B> {
    async fn photo(
        &self,
        which: PhotoKey,
        uri: &Uri,
        headers: &HeaderMap,
        cache_control: &'static str,
    ) -> Result<Response, Problem> {
        let is_small = request::query(uri, "size").is_some_and(|size| size == SMALL);
        let photo: Option<Photo> = self.backend.accounts().photo(which).await?;
        let photo = photo.ok_or_else(|| Problem::new(Kind::NoSuchPhoto, ""))?;
        let hash = photo.hash();
        let (octets, tag) = match is_small {
            true => (photo.small, format!("\"{hash}-{SMALL}\"")),
            false => (photo.large, format!("\"{hash}\"")),
        };
        Ok(versioned(headers, tag, cache_control, "image/jpeg", || octets.to_vec()))
    }
}
