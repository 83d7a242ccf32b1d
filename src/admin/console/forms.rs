//! Forms that change something. A browser sends the form of any page it shows, so an order counts
//! only if the browser says that it is from a page of the console, and if it shows the token that
//! this process wrote into that very form within the last hour.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::to_bytes;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::response::Response;
use hmac::{Hmac, KeyInit as _, Mac as _};
use maud::{Markup, html};
use sha2::Sha256;

use super::super::questions::{Ends, FromHere};
use super::super::sender::FromConsole;
use super::super::server::{Admin, Sources};
use super::frame::failure;

/// How long a form may be looked at before it is sent.
const LIFE: Duration = Duration::from_secs(3600);
/// Octets of a form that is sent.
const FORM_BYTES_MAX: usize = 4096;
/// The field of the token.
const TOKEN: &str = "token";

/// Makes the tokens of forms and knows them again.
pub struct FormTokens(Hmac<Sha256>);

impl FormTokens {
    /// Tokens that no other process makes.
    pub fn random() -> Self {
        let mut key = [0; 32];
        rand::fill(&mut key);
        Self::new(&key)
    }

    fn new(key: &[u8; 32]) -> Self {
        // The key fills the first half of a block, as the standard pads it.
        let mut block = [0; 64];
        block[..32].copy_from_slice(key);
        FormTokens(Hmac::new(&block.into()))
    }

    /// A form that is sent to `path`, with `content` in it.
    pub fn form(&self, path: &str, content: &Markup) -> Markup {
        html! {
            form.order method="post" action=(path) {
                input type="hidden" name=(TOKEN) value=(self.token(now(), path));
                (content)
            }
        }
    }

    fn token(&self, made: Duration, path: &str) -> String {
        let seconds = made.as_secs();
        let mark = self.mark(seconds, path).finalize().into_bytes();
        let mark: String = mark.iter().map(|octet| format!("{octet:02x}")).collect();
        format!("{seconds:x}.{mark}")
    }

    /// True for a token of a form that was made for `path` lately.
    fn is_good(&self, now: Duration, path: &str, token: &str) -> bool {
        let read = || {
            let (seconds, mark) = token.split_once('.')?;
            let seconds = u64::from_str_radix(seconds, 16).ok()?;
            let is_young = now.as_secs().checked_sub(seconds)? < LIFE.as_secs();
            let mark = octets(mark)?;
            Some(is_young && self.mark(seconds, path).verify_slice(&mark).is_ok())
        };
        read().unwrap_or(false)
    }

    fn mark(&self, seconds: u64, path: &str) -> Hmac<Sha256> {
        self.0.clone().chain_update(seconds.to_be_bytes()).chain_update(path)
    }
}

/// What hexadecimal digits stand for; `None` for anything else.
fn octets(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let octet = |pair: &[u8]| match pair {
        [high, low] => {
            let digit = |octet: u8| char::from(octet).to_digit(16);
            u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
        }
        _ => None,
    };
    pairs.map(octet).collect()
}

/// The time since the Unix epoch.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A form that was sent by a page of the console, from this machine.
pub struct Order {
    /// Who sent it.
    pub by: SocketAddr,
    fields: Vec<(String, String)>,
}

impl Order {
    /// What stands in a field; empty for one that is not there.
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

impl<S: Sources> FromRequest<Arc<Admin<S>>> for Order {
    type Rejection = Response;

    async fn from_request(request: Request, admin: &Arc<Admin<S>>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        FromHere::from_request_parts(&mut parts, admin).await?;
        FromConsole::from_request_parts(&mut parts, admin).await?;
        let ends = ConnectInfo::<Ends>::from_request_parts(&mut parts, admin).await;
        let Ok(ConnectInfo(ends)) = ends else {
            return Err(failure(StatusCode::FORBIDDEN, "Nobody knows who asks."));
        };
        let Ok(body) = to_bytes(body, FORM_BYTES_MAX).await else {
            return Err(failure(StatusCode::PAYLOAD_TOO_LARGE, "The form is too long."));
        };
        let fields = form_urlencoded::parse(&body).into_owned().collect();
        let order = Order { by: ends.peer(), fields };
        match admin.forms.is_good(now(), parts.uri.path(), order.field(TOKEN)) {
            true => Ok(order),
            false => {
                let text = "The form is too old, or the server was started again since it was \
                            shown. Nothing was done: open the page anew.";
                Err(failure(StatusCode::FORBIDDEN, text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/console/users/alice@example.test/disable";

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_token_is_good_for_an_hour_and_for_its_own_form() {
        let tokens = FormTokens::new(&[7; 32]);
        let token = tokens.token(at(10_000), PATH);
        assert!(tokens.is_good(at(10_000), PATH, &token));
        assert!(tokens.is_good(at(13_599), PATH, &token));
        assert!(!tokens.is_good(at(13_600), PATH, &token), "it is an hour old");
        assert!(!tokens.is_good(at(9_999), PATH, &token), "it is of the future");
        let other = PATH.replace("alice", "bob");
        assert!(!tokens.is_good(at(10_000), &other, &token), "it is of another form");
        assert!(!FormTokens::new(&[8; 32]).is_good(at(10_000), PATH, &token));
    }

    #[test]
    fn what_is_no_token_is_none() {
        let tokens = FormTokens::new(&[7; 32]);
        let good = tokens.token(at(10_000), PATH);
        let (seconds, mark) = good.split_once('.').unwrap();
        for bad in [
            "",
            ".",
            seconds,
            mark,
            &format!("{seconds}."),
            &format!("{seconds}.{}", &mark[..62]),
            &format!("{seconds}.{}", &mark[..63]),
            &format!("{seconds}.{mark}00"),
            &format!("2711.{mark}"),
            &format!("{seconds}.é{}", &mark[2..]),
            &format!("ffffffffffffffff.{mark}"),
        ] {
            assert!(!tokens.is_good(at(10_000), PATH, bad), "{bad}");
        }
        assert!(tokens.is_good(at(10_000), PATH, &good));
    }
}
