use super::*;
use crate::dialect::ms::batch::{Batch, content, read};
use crate::dialect::resources::{Outcome, Resource, Told};
use crate::presence::category::CategorySet;
use crate::wire::mime::content_type::ContentType;
use crate::wire::mime::multipart;
use crate::wire::presence::Error;
use crate::wire::presence::rlmi::List;
use crate::wire::xml::Document;

const BATCH: &str = body!("sipe_batch.xml");

#[test]
fn a_contact_that_was_just_added_is_to_be_prompted() {
    let categories =
        [&Category::CalendarData, &Category::ContactCard, &Category::Note, &Category::State];
    let expected = Batch {
        subscribe: vec![Resource { aor: bob(), prompt: true }],
        unsubscribe: vec![],
        categories: categories.into_iter().collect(),
    };
    assert_eq!(read(BATCH.as_bytes(), &Limits::default()), Ok(expected));
}

#[test]
fn nobody_is_watched_twice_and_who_has_no_address_is_left_out() {
    let more = "<resource uri=\"sip:carol@example.test\"/><resource uri=\"sip:BOB@example.test\"/>\
        <resource uri=\"tel:+1\"/><resource uri=\"sip:carol@example.test\"><context/></resource>\
        </adhocList>";
    let batch = BATCH.replace("</adhocList>", more).replace("state", "mine");
    let batch = read(batch.as_bytes(), &Limits::default()).unwrap();
    let carol = Resource { aor: Aor::new("carol@example.test"), prompt: true };
    assert_eq!(batch.subscribe, [Resource { aor: bob(), prompt: true }, carol]);
    assert!(batch.categories.contains(&Category::of("mine")));
    assert!(!batch.categories.contains(&Category::State));
}

#[test]
fn contacts_are_watched_no_more() {
    let batch = BATCH.replace("name=\"subscribe\"", "name=\"unsubscribe\"");
    let batch = read(batch.as_bytes(), &Limits::default()).unwrap();
    assert_eq!((batch.subscribe, batch.unsubscribe), (vec![], vec![bob()]));
    assert_eq!(batch.categories, CategorySet::ALL);
    let bad = BATCH.replace("adhocList", "list");
    assert_eq!(read(bad.as_bytes(), &Limits::default()), Err(Error::Missing));
}

/// What a client makes of an answer: libpurple cuts four octets off each part, the client reads
/// the categories by their own `uri`, and subscribes again to whom it is told to.
fn as_the_client_reads(content_type: &str, body: &[u8]) -> (Vec<String>, Vec<String>) {
    let (_, boundary) = content_type.rsplit_once('=').unwrap();
    let body = std::str::from_utf8(body).unwrap();
    let (mut documents, mut again) = (Vec::new(), Vec::new());
    let delimiter = format!("--{boundary}");
    let pieces: Vec<&str> = body.split(&delimiter).collect();
    assert_eq!(pieces.last(), Some(&"--\r\n"));
    for piece in &pieces[1..pieces.len() - 1] {
        let (head, part) = piece.split_once("\r\n\r\n").unwrap();
        let part = &part[..part.len() - 4];
        let document = Document::parse(part.as_bytes(), &Limits::default()).unwrap();
        if head.contains("application/rlmi+xml") {
            let list = List::read(&document).unwrap();
            for resource in list.resources {
                if resource.instance.unwrap().state.name().contains("resubscribe") {
                    again.push(resource.uri.to_owned());
                }
            }
        } else {
            documents.push(document.root().attribute("uri").unwrap().to_owned());
        }
    }
    (documents, again)
}

#[test]
fn the_answer_names_each_user_and_carries_what_is_seen_of_him() {
    let (carol, dan) = (Aor::new("carol@example.test"), Aor::new("dan@example.test"));
    let seen = "<categories uri=\"sip:bob@example.test\"/>";
    let bob = bob();
    let told = [
        Told { aor: &bob, outcome: Outcome::Seen(seen.as_bytes()) },
        Told { aor: &carol, outcome: Outcome::Unknown },
        Told { aor: &dan, outcome: Outcome::Apart },
    ];
    let answer = content("sip:alice@example.test", 1, true, &told);
    assert_eq!(
        answer.content_type,
        "multipart/related; type=\"application/rlmi+xml\"; start=\"<resourceList>\"; \
         boundary=part-0-mynah"
    );
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let expected = "--part-0-mynah\r\nContent-ID: <resourceList>\r\n\
        Content-Type: application/rlmi+xml\r\n\r\n\
        <list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:alice@example.test\" version=\"1\" \
        fullState=\"true\"><resource uri=\"sip:bob@example.test\"><instance id=\"0\" \
        state=\"active\" cid=\"sip:bob@example.test\"/></resource>\
        <resource uri=\"sip:carol@example.test\"><instance id=\"0\" state=\"terminated\" \
        reason=\"noresource\"/></resource><resource uri=\"sip:dan@example.test\">\
        <instance id=\"0\" state=\"resubscribe\"/></resource></list>\r\n\r\n\
        --part-0-mynah\r\nContent-ID: <sip:bob@example.test>\r\n\
        Content-Type: application/msrtc-event-categories+xml\r\n\r\n\
        <categories uri=\"sip:bob@example.test\"/>\r\n\r\n--part-0-mynah--\r\n";
    assert_eq!(text, expected);
    let read = as_the_client_reads(&answer.content_type, &answer.body);
    assert_eq!(
        read,
        (vec!["sip:bob@example.test".to_owned()], vec!["sip:dan@example.test".to_owned()])
    );
}

#[test]
fn our_reader_takes_what_a_real_client_took() {
    let content_type = "multipart/related; type=\"application/rlmi+xml\";start=resourceList; \
        boundary=resource-part-cf84321e";
    let body = body!("accepted_batch.multipart").as_bytes();
    let limits = Limits::default();
    let parts = multipart::parts(ContentType::parse(content_type.as_bytes()), body, &limits);
    let [list, bob] = parts.unwrap()[..] else { panic!("two parts") };
    let document = Document::parse(list.body, &limits).unwrap();
    assert_eq!(List::read(&document).unwrap().resources.len(), 1);
    assert_eq!(bob.content_id, b"sip:bob@example.test");
    let read = as_the_client_reads(content_type, body);
    assert_eq!(read, (vec!["sip:bob@example.test".to_owned()], vec![]));
}
