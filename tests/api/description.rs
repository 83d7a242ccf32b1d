//! The description of the API is that of this server: everything in it answers.

use serde_json::Value;

use super::client::Application;
use crate::outside::api::API;
use crate::outside::server::Server;

#[test]
fn every_described_route_answers() {
    let server = Server::serve(API);
    let admin = Application::new(&server, "admin", "admin", "external");
    let anybody = Application::with_token(&server, "");
    let described = anybody.get("/v1/openapi.json").good();
    let on_disk: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    assert_eq!(described, on_disk);
    let mut asked = 0;
    for (path, item) in described["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if method == "parameters" {
                continue;
            }
            asked += 1;
            // Of nobody who is there, so that nothing happens.
            let target = path.replace("{address}", "zoe@example.test").replace("{hash}", "0a");
            let is_stream = path.ends_with("/events");
            let is_open = operation["security"] == serde_json::json!([]);
            if is_stream {
                let query = if path.contains('{') { "" } else { "?address=zoe@example.test" };
                let (name, _) = admin.events(&format!("{target}{query}")).next().unwrap();
                assert_eq!(name, "problem");
            } else {
                let answer = admin.ask(&method.to_uppercase(), &target, "", "");
                let status = answer.status.to_string();
                assert!(operation["responses"].get(&status).is_some(), "{method} {path}: {status}");
                assert_ne!(answer.status, 405, "{method} {path}");
                if answer.status >= 400 {
                    assert_ne!(answer.problem().1, "not-found", "{method} {path}");
                }
            }
            let without = anybody.ask(&method.to_uppercase(), &target, "", "").status;
            assert_eq!(without == 401, !is_open, "{method} {path}: {without}");
        }
    }
    assert!(asked >= 15);
}
