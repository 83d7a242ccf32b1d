//! Accounts, as a help desk handles them while the users are signed in.

use super::client::Application;
use crate::outside::api::API;
use crate::outside::endpoint::Endpoint;
use crate::outside::eventually;
use crate::outside::server::{PASSWORD, Server};
use crate::outside::stream::Stream;

/// A server that lets a test look for a password until it is told to the cores.
fn patient() -> Server {
    Server::serve(&format!(
        "{API}[limits]\nauth_failures_per_user_max = 100000\n\
         auth_failures_per_address_max = 100000\n"
    ))
}

fn tries(server: &Server, user: &str, password: &str) -> u16 {
    let stream = Stream::tcp(server);
    let mut endpoint = Endpoint { user: user.to_owned(), stream, cseq: 0 };
    endpoint.register(password).status()
}

#[test]
fn users_are_found_page_by_page() {
    let server = Server::serve(API);
    let desk = Application::new(&server, "desk", "help-desk", "external");
    let _alice = Endpoint::tcp(&server, "alice");
    let page = desk.get("/v1/users?limit=2").good();
    assert_eq!(page["users"].as_array().unwrap().len(), 2);
    assert_eq!(page["next"], "bob@example.test");
    let page = desk.get("/v1/users?limit=2&after=bob%40example.test").good();
    assert_eq!(page["users"][0]["address"], "carol@example.test");
    assert_eq!(page["next"], serde_json::Value::Null);
    let found = desk.get("/v1/users?q=ALI").good();
    assert_eq!(found["users"][0]["address"], "alice@example.test");
    assert_eq!(found["users"].as_array().unwrap().len(), 1);
    let alice = desk.get("/v1/users/alice@example.test").good();
    assert_eq!(alice["enabled"], true);
    assert_eq!(alice["endpoints"][0]["dialect"], "simple");
    let text = alice.to_string();
    assert!(!text.contains("ha1") && !text.contains("nt_hash"), "{text}");
    assert_eq!(desk.get("/v1/users/zoe@example.test").problem().0, 404);
}

#[test]
fn a_help_desk_signs_out_keeps_out_lets_in_and_changes_passwords() {
    let server = patient();
    let desk = Application::new(&server, "desk", "help-desk", "external");
    let order =
        |what: &str, body: &str| desk.post(&format!("/v1/users/alice@example.test/{what}"), body);
    let mut alice = Endpoint::tcp(&server, "alice");
    assert_eq!(order("sign-out", "").good()["connections"], 1);
    assert!(alice.stream.try_message().is_err(), "the connection is closed");
    let mut alice = Endpoint::tcp(&server, "alice");

    assert_eq!(order("disable", "").status, 204);
    assert!(alice.stream.try_message().is_err(), "the connection is closed");
    assert_ne!(tries(&server, "alice", PASSWORD), 200);
    assert_eq!(desk.get("/v1/users/alice@example.test").good()["enabled"], false);
    assert_eq!(order("enable", "").status, 204);
    eventually("alice signs in", || match tries(&server, "alice", PASSWORD) {
        200 => Ok(()),
        status => Err(status.to_string()),
    });

    assert_eq!(order("password", "{\"password\":\"another\"}").status, 204);
    eventually("the other password", || match tries(&server, "alice", "another") {
        200 => Ok(()),
        status => Err(status.to_string()),
    });
    assert_eq!(order("password", "{\"password\":\"\"}").problem(), (422, "unfit".to_owned()));
    assert_eq!(order("password", "{}").problem(), (400, "bad-request".to_owned()));
    let nobody = desk.post("/v1/users/zoe@example.test/sign-out", "");
    assert_eq!(nobody.problem(), (404, "no-such-user".to_owned()));
}

#[test]
fn an_administrator_adds_and_removes_users() {
    let server = patient();
    let admin = Application::new(&server, "admin", "admin", "external");
    let dave =
        "{\"address\":\"dave@example.test\",\"password\":\"secret\",\"display_name\":\"Dave\"}";
    assert_eq!(admin.post("/v1/users", dave).status, 201);
    assert_eq!(admin.post("/v1/users", dave).problem(), (409, "user-exists".to_owned()));
    eventually("dave signs in", || match tries(&server, "dave", "secret") {
        200 => Ok(()),
        status => Err(status.to_string()),
    });
    let foreign = dave.replace("example.test", "elsewhere.test");
    assert_eq!(admin.post("/v1/users", &foreign).problem(), (422, "unfit".to_owned()));
    assert_eq!(admin.ask("DELETE", "/v1/users/dave@example.test", "", "").status, 204);
    let again = admin.ask("DELETE", "/v1/users/dave@example.test", "", "");
    assert_eq!(again.problem(), (404, "no-such-user".to_owned()));
}
