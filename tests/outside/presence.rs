//! What a standard client publishes of its user.

use super::endpoint::Endpoint;
use super::server::DOMAIN;

/// Publishes what a standard client says: an activity such as `busy`, or none, and a note.
pub fn publish(endpoint: &mut Endpoint, activity: &str, note: &str) {
    let user = endpoint.user.clone();
    let activities = match activity {
        "" => "<rpid:activities/>".to_owned(),
        activity => format!("<rpid:activities><rpid:{activity}/></rpid:activities>"),
    };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
         xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"sip:{user}@{DOMAIN}\">\
         <dm:person id=\"p1\">{activities}<dm:note>{note}</dm:note></dm:person>\
         <tuple id=\"t1\"><status><basic>open</basic></status></tuple></presence>"
    );
    let lines = "Event: presence\r\nExpires: 600\r\nContent-Type: application/pidf+xml\r\n";
    let answer = endpoint.ask("PUBLISH", &user, lines, &body);
    assert_eq!(answer.status(), 200, "{}", answer.head);
}
