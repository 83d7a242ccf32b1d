//! Presence as applications see it, while users come, publish and go.

use serde_json::json;

use super::client::Application;
use crate::outside::api::API;
use crate::outside::endpoint::Endpoint;
use crate::outside::eventually;
use crate::outside::presence::publish;
use crate::outside::server::Server;

#[test]
fn applications_see_what_their_level_shows() {
    let server = Server::serve(API);
    let mut alice = Endpoint::tcp(&server, "alice");
    publish(&mut alice, "busy", "in the lab");
    let seen = |level: &str| {
        let application = Application::new(&server, &format!("reader-{level}"), "read", level);
        application.get("/v1/presence/Alice@Example.test").good()
    };
    let everybody = seen("everybody");
    assert_eq!(everybody["address"], "alice@example.test");
    assert_eq!(everybody["access_level"], 0);
    assert_eq!(everybody["state"], json!(null));
    let external = seen("100");
    assert_eq!(external["state"]["class"], "busy");
    assert_eq!(external["notes"], json!([]));
    let colleagues = seen("colleagues");
    assert_eq!(colleagues["access_level_name"], "colleagues");
    assert_eq!(colleagues["notes"], json!([{ "kind": "personal", "text": "in the lab" }]));

    let application = Application::new(&server, "list", "read", "external");
    let wanted =
        json!({ "addresses": ["bob@example.test", "zoe@example.test", "alice@example.test"] });
    let list = application.post("/v1/presence", &wanted.to_string()).good();
    let list = list["presences"].as_array().unwrap();
    assert_eq!(list.len(), 3);
    assert_eq!(list[0]["state"]["class"], "offline");
    assert_eq!(list[1]["address"], "zoe@example.test");
    assert_eq!(list[1]["problem"]["type"], "urn:mynah:problem:no-such-user");
    assert_eq!(list[2]["state"]["class"], "busy");
    let unknown = application.get("/v1/presence/zoe@example.test").problem();
    assert_eq!(unknown, (404, "no-such-user".to_owned()));
}

#[test]
fn a_stream_tells_what_users_of_all_cores_do() {
    let server = Server::serve(API);
    let application = Application::new(&server, "wall", "read", "colleagues");
    let mut one = application.events("/v1/presence/alice@example.test/events");
    one.wait_state("alice", "offline");
    let mut three = application.events(
        "/v1/presence/events?address=alice@example.test&address=bob%40example.test\
         &address=carol@example.test&address=zoe@example.test",
    );
    let mut first: Vec<_> = (0..4).map(|_| three.next().unwrap()).collect();
    first.sort_by_key(|(_, data)| data["address"].as_str().map(str::to_owned));
    let names: Vec<_> = first.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["presence", "presence", "presence", "problem"]);

    let mut alice = Endpoint::tcp(&server, "alice");
    one.wait_state("alice", "available");
    publish(&mut alice, "busy", "");
    one.wait_state("alice", "busy");
    three.wait_state("alice", "busy");
    let mut bob = Endpoint::tls(&server, "bob");
    publish(&mut bob, "away", "");
    three.wait_state("bob", "away");
    drop(bob);
    three.wait_state("bob", "offline");

    // Operators see who watches; whoever looks away is gone.
    let watchers = |user: &str| {
        let address = format!("{user}@example.test");
        let http = server.ready.http.to_string();
        let output = server.command(&["watchers", &address, "--http", &http]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(watchers("alice").matches("wall").count(), 2, "{}", watchers("alice"));
    server.wait_metric("mynah_api_streams_current", |streams| streams == 2.0);
    drop((one, three));
    server.wait_metric("mynah_api_streams_current", |streams| streams == 0.0);
    eventually("nobody watches", || match watchers("alice") {
        text if text.contains("wall") => Err(text),
        _ => Ok(()),
    });
}

#[test]
fn a_stream_ends_when_its_token_is_revoked_and_with_the_server() {
    let server = Server::serve(&format!("{API}[limits]\napi_heartbeat_time = \"50ms\"\n"));
    let application = Application::new(&server, "wall", "read", "external");
    let mut stream = application.events("/v1/presence/alice@example.test/events");
    assert!(stream.next().is_some());
    let output = server.command(&["api", "token", "revoke", "wall"]);
    assert_eq!(output.stdout, b"wall revoked\n");
    assert_eq!(stream.next(), None);
    let application = Application::new(&server, "wall", "read", "external");
    let mut stream = application.events("/v1/presence/alice@example.test/events");
    assert!(stream.next().is_some());
    server.stop();
    assert_eq!(stream.next(), None);
}
