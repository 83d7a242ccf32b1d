//! What there is: every path and method, and the role it takes. `docs/openapi.json` says the same to
//! those who ask, which a test holds.

use std::sync::Arc;

use axum::middleware;
use axum::routing::{MethodRouter, delete, get, post, put};

use super::admission::require;
use super::backend::Backend;
use super::server::Api;
use super::{embed, events, icon, photos, presence, users};
use crate::auth::api_token::Role;

/// One method of one path.
#[cfg_attr(not(test), expect(dead_code, reason = "a test holds the description against them"))]
pub struct Route<B> {
    /// The method.
    pub method: &'static str,
    /// The path, with what stands for a part of it in braces.
    pub path: &'static str,
    /// The role it takes; `None` for what anybody may read.
    pub role: Option<Role>,
    /// What answers.
    pub handler: MethodRouter<Arc<Api<B>>>,
}

/// All of them.
pub fn routes<B: Backend>(api: &Arc<Api<B>>) -> Vec<Route<B>> {
    let open = |path, handler| Route { method: "get", path, role: None, handler };
    let route = |method, path, role, handler: MethodRouter<Arc<Api<B>>>| {
        let state = (Arc::clone(api), role);
        let handler = handler.route_layer(middleware::from_fn_with_state(state, require::<B>));
        Route { method, path, role: Some(role), handler }
    };
    vec![
        open("/v1/openapi.json", get(embed::openapi)),
        open("/v1/embed/presence.js", get(embed::script)),
        open("/v1/embed/demo.html", get(embed::page)),
        open("/v1/embed/demo.js", get(embed::page_script)),
        route("get", "/v1/presence/{address}/icon.svg", Role::Icon, get(icon::icon::<B>)),
        route("get", "/v1/presence/{address}", Role::Read, get(presence::one::<B>)),
        route("post", "/v1/presence", Role::Read, post(presence::many::<B>)),
        route("get", "/v1/presence/{address}/events", Role::Read, get(events::one::<B>)),
        route("get", "/v1/presence/events", Role::Read, get(events::many::<B>)),
        open("/v1/photos/{hash}", get(photos::by_hash::<B>)),
        route("get", "/v1/users/{address}/photo", Role::Read, get(photos::show::<B>)),
        route("put", "/v1/users/{address}/photo", Role::HelpDesk, put(photos::put::<B>)),
        route("delete", "/v1/users/{address}/photo", Role::HelpDesk, delete(photos::remove::<B>)),
        route("get", "/v1/users", Role::HelpDesk, get(users::list::<B>)),
        route("get", "/v1/users/{address}", Role::HelpDesk, get(users::show::<B>)),
        route("post", "/v1/users/{address}/enable", Role::HelpDesk, post(users::enable::<B>)),
        route("post", "/v1/users/{address}/disable", Role::HelpDesk, post(users::disable::<B>)),
        route("post", "/v1/users/{address}/password", Role::HelpDesk, post(users::password::<B>)),
        route("post", "/v1/users/{address}/sign-out", Role::HelpDesk, post(users::sign_out::<B>)),
        route("post", "/v1/users", Role::Admin, post(users::add::<B>)),
        route("delete", "/v1/users/{address}", Role::Admin, delete(users::remove::<B>)),
    ]
}
