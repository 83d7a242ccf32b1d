//! Tokens: made, listed and revoked by the command line; what their roles allow.

use std::fs;

use super::client::Application;
use crate::outside::api::API;
use crate::outside::server::Server;

#[test]
fn a_token_works_until_it_is_revoked_and_nothing_else_does() {
    let server = Server::serve(API);
    let path = "/v1/presence/alice@example.test";
    let refused = |application: &Application| application.get(path).problem();
    assert_eq!(refused(&Application::with_token(&server, "")), (401, "token-missing".to_owned()));
    let wrong = (401, "token-refused".to_owned());
    assert_eq!(refused(&Application::with_token(&server, "nonsense")), wrong);

    let reader = Application::new(&server, "intranet", "read", "external");
    reader.get(path).good();
    let mut other = reader.token().to_owned();
    let last = if other.ends_with('0') { "1" } else { "0" };
    other.replace_range(other.len() - 1.., last);
    assert_eq!(refused(&Application::with_token(&server, &other)), wrong);

    let list = String::from_utf8(server.command(&["api", "token", "list"]).stdout).unwrap();
    let line = list.lines().nth(1).unwrap();
    let words: Vec<_> = line.split_whitespace().take(3).collect();
    assert_eq!(words, ["intranet", "read", "100"]);
    let secret = reader.token().rsplit('_').next().unwrap();
    assert!(!list.contains(secret));
    // Only a hash is kept, so the text of the token stands in no file.
    for file in fs::read_dir(server.data()).unwrap() {
        let octets = fs::read(file.unwrap().path()).unwrap();
        assert!(!octets.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }

    let again = server.command(&["api", "token", "create", "--role", "read", "intranet"]);
    let error = String::from_utf8(again.stderr).unwrap();
    assert_eq!(error, "mynah: token intranet exists: revoke it first, or give another name\n");
    assert!(server.command(&["api", "token", "revoke", "intranet"]).status.success());
    assert_eq!(refused(&reader), wrong, "at once");
    assert!(!server.command(&["api", "token", "revoke", "intranet"]).status.success());
    assert!(server.metrics().value("mynah_api_auth_failures_total") >= 3.0);
    assert!(server.metrics().value("mynah_api_requests_total") >= 5.0);
}

#[test]
fn roles_allow_what_is_theirs_and_what_is_below() {
    let server = Server::serve(API);
    let of = |role: &str| Application::new(&server, &format!("of-{role}"), role, "external");
    let (icon, read, desk, admin) = (of("icon"), of("read"), of("help-desk"), of("admin"));
    let low = |answer: super::client::Answer| {
        answer.status == 403 && answer.problem().1 == "role-too-low"
    };
    let presence = "/v1/presence/alice@example.test";
    assert_eq!(icon.get("/v1/presence/alice@example.test/icon.svg").status, 200);
    assert!(low(icon.get(presence)));
    read.get(presence).good();
    assert!(low(read.get("/v1/users")));
    desk.get(presence).good();
    desk.get("/v1/users").good();
    assert!(low(desk.ask("DELETE", "/v1/users/carol@example.test", "", "")));
    let dave = "{\"address\":\"dave@example.test\",\"password\":\"secret\"}";
    assert!(low(desk.post("/v1/users", dave)));
    assert_eq!(admin.post("/v1/users", dave).status, 201);
    assert_eq!(admin.ask("DELETE", "/v1/users/dave@example.test", "", "").status, 204);
}
