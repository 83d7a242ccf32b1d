//! Who asks: the token, what its role allows, and who is locked out.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;

use super::backend::Backend;
use super::problem::{Kind, Problem};
use super::request;
use super::server::Api;
use crate::admin::accounts::Trouble;
use crate::admin::listener::Listener;
use crate::auth::api_token::{KeptToken, Role, Token};
use crate::auth::lockout::network;
use crate::metrics::api::ApiEvent;
use crate::presence::container::ContainerId;

/// Name of the token in the query of an icon's URL, where no header can be set.
const QUERY_KEY: &str = "key";

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(IpAddr);

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        Peer(stream.remote_addr().ip())
    }
}

/// An application that may ask what it asks.
#[derive(Clone, Debug)]
pub struct Application {
    /// What the operator calls it.
    pub name: Arc<str>,
    /// What it sees of users is what this container sees.
    pub level: ContainerId,
    /// What it showed: looked at again as long as it listens.
    pub token: Token,
}

/// What a request shows of itself.
struct Shown {
    peer: Option<IpAddr>,
    bearer: Option<Token>,
    /// The token in the URL.
    key: Option<Token>,
    /// It shows something, token or not.
    anything: bool,
}

impl Shown {
    fn of(request: &Request) -> Self {
        let peer = request.extensions().get::<ConnectInfo<Peer>>();
        let authorization = request.headers().get(header::AUTHORIZATION);
        let key = request::query(request.uri(), QUERY_KEY);
        Shown {
            peer: peer.map(|ConnectInfo(Peer(ip))| network(*ip)),
            anything: authorization.is_some() || key.is_some(),
            bearer: authorization.and_then(bearer),
            key: key.and_then(|text| Token::parse(&text)),
        }
    }
}

/// The token of `Authorization: Bearer …` (RFC 6750 section 2.1).
fn bearer(value: &HeaderValue) -> Option<Token> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Token::parse(token.trim()))?
}

impl<B: Backend> Api<B> {
    /// The application that `shown` proves, if its role covers `needed`.
    async fn admit(&self, shown: Shown, needed: Role) -> Result<Application, Problem> {
        if let Some(peer) = shown.peer
            && let Some(until) = self.failures(|failures| failures.locked(self.now(), peer))
        {
            let wait_s = until.0.saturating_sub(self.now().mono_ms).div_ceil(1000);
            return Err(Problem::new(Kind::LockedOut, "")
                .with_header(header::RETRY_AFTER, HeaderValue::from(wait_s)));
        }
        let (token, by_url) = match (shown.bearer, shown.key) {
            (Some(token), _) => (token, false),
            (None, Some(token)) => (token, true),
            (None, None) if shown.anything => return Err(self.refuse(shown.peer, "")),
            (None, None) => return Err(challenge(Kind::TokenMissing, "")),
        };
        let kept = match self.backend.token(token.id()).await {
            Ok(kept) => kept,
            Err(trouble) => return Err(trouble.into()),
        };
        let Some(kept) = kept.filter(|kept| token.proves(kept)) else {
            return Err(self.refuse(shown.peer, ""));
        };
        // What stands in a URL is read by too many to be good for more than icons.
        if by_url && (kept.role != Role::Icon || needed != Role::Icon) {
            let detail = "only a token of the role icon, and only for icons, may stand in the URL";
            return Err(self.refuse(shown.peer, detail));
        }
        if !kept.role.covers(needed) {
            let detail = format!("this takes the role {}", needed.name());
            return Err(Problem::new(Kind::RoleTooLow, detail));
        }
        Ok(application(&kept, token))
    }

    /// True while the token of an application proves what it proved when it was admitted.
    pub(super) async fn is_still(&self, application: &Application) -> bool {
        let kept = self.backend.token(application.token.id()).await;
        // A database that does not answer takes nothing back.
        kept.map_or(true, |kept| kept.is_some_and(|kept| application.token.proves(&kept)))
    }

    /// Counts a token that proves nothing against who showed it.
    fn refuse(&self, peer: Option<IpAddr>, detail: &str) -> Problem {
        self.tally.count(ApiEvent::AuthFailure);
        if let Some(peer) = peer
            && self.failures(|failures| failures.failure(self.now(), peer)).is_some()
        {
            self.tally.count(ApiEvent::Lockout);
        }
        challenge(Kind::TokenRefused, detail)
    }
}

fn application(kept: &KeptToken, token: Token) -> Application {
    let level = ContainerId(kept.level);
    Application {
        name: kept.name.as_str().into(),
        // A row of another hand: the least of what there is to see.
        level: level.level().map_or(ContainerId::DEFAULT, |_| level),
        token,
    }
}

fn challenge(kind: Kind, detail: &str) -> Problem {
    const NAME: HeaderName = header::WWW_AUTHENTICATE;
    let value = match kind {
        Kind::TokenMissing => "Bearer realm=\"mynah\"",
        _ => "Bearer realm=\"mynah\", error=\"invalid_token\"",
    };
    Problem::new(kind, detail).with_header(NAME, HeaderValue::from_static(value))
}

/// Lets requests pass that show a token whose role covers `needed`, and notes whose it is.
pub async fn require<B: Backend>(
    State((api, needed)): State<(Arc<Api<B>>, Role)>,
    mut request: Request,
    next: Next,
) -> Response {
    let shown = Shown::of(&request);
    match api.admit(shown, needed).await {
        Ok(application) => {
            request.extensions_mut().insert(application);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::NoSuchUser => Problem::new(Kind::NoSuchUser, ""),
            Trouble::UserExists => Problem::new(Kind::UserExists, ""),
            Trouble::Unfit(why) | Trouble::TooManyPixels(why) => Problem::new(Kind::Unfit, why),
            Trouble::Unavailable(why) => Problem::new(Kind::StoreUnavailable, why),
        }
    }
}
