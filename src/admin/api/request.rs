//! What is read of requests.

use axum::http::Uri;
use serde::de::DeserializeOwned;

use super::backend::Backend;
use super::problem::{Kind, Problem};
use super::server::Api;
use crate::base::aor::Aor;
use crate::directory::Address;
use crate::metrics::api::ApiEvent;

/// The first value of `name` in the query of `uri`, decoded.
pub fn query(uri: &Uri, name: &str) -> Option<String> {
    queries(uri, name).next()
}

/// All values of `name` in the query of `uri`, decoded.
pub fn queries<'a>(uri: &'a Uri, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.filter(move |(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The address that stands in a path or elsewhere.
pub fn address(text: &str) -> Result<Address, Problem> {
    Address::parse(text).map_err(|error| Problem::new(Kind::BadAddress, error.to_string()))
}

/// The address as cores know it.
pub fn aor(text: &str) -> Result<Aor, Problem> {
    address(text).map(|address| Aor::new(address.as_str()))
}

/// What the JSON of a body says.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::new(Kind::BadRequest, error.to_string()))
}

impl<B: Backend> Api<B> {
    /// Addresses in the order they were given, each once; at least one and at most `api_users_max`.
    pub(super) fn addresses(
        &self,
        texts: impl IntoIterator<Item = String>,
    ) -> Result<Vec<Aor>, Problem> {
        let max = self.limits.api_users_max;
        let mut users: Vec<Aor> = Vec::new();
        for text in texts {
            let user = aor(&text)?;
            if !users.contains(&user) {
                users.push(user);
            }
            if users.len() > max {
                self.tally.count(ApiEvent::ListRefused);
                let detail = format!("ask for {max} at most");
                return Err(Problem::new(Kind::TooManyUsers, detail));
            }
        }
        if users.is_empty() {
            return Err(Problem::new(Kind::BadRequest, "name at least one address"));
        }
        Ok(users)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let uri: Uri = "/v1?address=a%40b.test&x=1&address=c+d&key=".parse().unwrap();
        assert_eq!(queries(&uri, "address").collect::<Vec<_>>(), ["a@b.test", "c d"]);
        assert_eq!(query(&uri, "key").as_deref(), Some(""));
        assert_eq!(query(&uri, "none"), None);
        assert_eq!(query(&"/v1".parse().unwrap(), "x"), None);
    }
}
