//! What is tested, step by step.

use std::time::Duration;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::Steps;
use super::client::{Client, Way};
use super::failure::Failure;
use crate::directory::Address;
use crate::wire::sip::HeaderName;

/// After which a conference is forgotten, should it not end before.
const CONFERENCE_TIME: Duration = Duration::from_secs(600);

/// A user of a test.
pub struct Party {
    /// His address.
    pub user: Address,
    /// His name for signing in.
    pub login: String,
    /// His password.
    pub password: Zeroizing<String>,
}

/// Signs in and off.
pub fn sign_in(steps: &mut Steps, way: &Way, user: &Party) -> Result<(), Failure> {
    let client = Client::sign_in(steps, way, user)?;
    steps.step("sign off", || client.sign_off())
}

/// The user writes to the peer.
pub fn im(steps: &mut Steps, way: &Way, user: &Party, peer: &Party) -> Result<(), Failure> {
    let mut one = Client::sign_in(steps, way, user)?;
    let mut two = Client::sign_in(steps, way, peer)?;
    let mark = mark();
    steps.step("message", || {
        let cseq = say(&mut one, &format!("sip:{}", peer.user), two.user(), &mark)?;
        two.hear("the message", "MESSAGE", |message| message.has(&mark))?;
        accepted(&mut one, cseq)
    })?;
    sign_off(steps, one, two)
}

/// The peer sees what the user publishes.
pub fn presence(steps: &mut Steps, way: &Way, user: &Party, peer: &Party) -> Result<(), Failure> {
    let mut one = Client::sign_in(steps, way, user)?;
    let mut two = Client::sign_in(steps, way, peer)?;
    let presentity = one.user().to_owned();
    let uri = format!("sip:{presentity}");
    steps.step("subscribe", || {
        let lines = format!(
            "Contact: {}\r\nEvent: presence\r\nAccept: application/pidf+xml\r\nExpires: 60\r\n",
            two.contact()
        );
        two.ask("SUBSCRIBE", &uri, &presentity, &lines, "")?;
        two.hear("the first state", "NOTIFY", |_| true)
    })?;
    let mark = mark();
    let entity_tag = steps.step("publish", || {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"{uri}\">\
             <tuple id=\"t1\"><status><basic>open</basic></status><note>{mark}</note></tuple>\
             </presence>\n"
        );
        let lines = "Event: presence\r\nExpires: 60\r\nContent-Type: application/pidf+xml\r\n";
        let answer = one.ask("PUBLISH", &uri, &presentity, lines, &body)?;
        two.hear("the state that was published", "NOTIFY", |notice| notice.has(&mark))?;
        let tag = answer.message().header(HeaderName::SipEtag).map(<[u8]>::to_vec);
        Ok(tag.map(|tag| String::from_utf8_lossy(&tag).into_owned()))
    })?;
    if let Some(tag) = entity_tag {
        steps.step("unpublish", || {
            let lines = format!("Event: presence\r\nExpires: 0\r\nSIP-If-Match: {tag}\r\n");
            one.ask("PUBLISH", &uri, &presentity, &lines, "").map(drop)
        })?;
    }
    sign_off(steps, one, two)
}

/// The user makes a conference; both come in by saying something, and the peer hears the user.
pub fn conference(steps: &mut Steps, way: &Way, user: &Party, peer: &Party) -> Result<(), Failure> {
    let mut one = Client::sign_in(steps, way, user)?;
    let mut two = Client::sign_in(steps, way, peer)?;
    let organiser = one.user().to_owned();
    let id = format!("{:032x}", rand::random::<u128>());
    let focus = format!("sip:{organiser};gruu;opaque=app:conf:focus:id:{id}");
    steps.step("make", || {
        let expiry = Timestamp::now() + CONFERENCE_TIME;
        let wish = format!(
            "<addConference><conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"\" \
             xmlns:m=\"http://schemas.microsoft.com/rtc/2005/08/confinfoextensions\">\
             <conference-description><subject>Test</subject>\
             <m:conference-id>{id}</m:conference-id><m:expiry-time>{expiry:.0}</m:expiry-time>\
             </conference-description></conference-info></addConference>"
        );
        operate(&mut one, &wish)
    })?;
    steps.step("join", || {
        for client in [&mut two, &mut one] {
            let cseq = say(client, &focus, &organiser, "here")?;
            accepted(client, cseq)?;
        }
        Ok(())
    })?;
    let mark = mark();
    steps.step("message", || {
        let cseq = say(&mut one, &focus, &organiser, &mark)?;
        two.hear("the message", "MESSAGE", |message| message.has(&mark))?;
        accepted(&mut one, cseq)
    })?;
    steps.step("end", || {
        let keys = format!("<conferenceKeys confEntity=\"{focus}\"/>");
        operate(&mut one, &format!("<deleteConference>{keys}</deleteConference>"))
    })?;
    sign_off(steps, one, two)
}

/// Asks the conference service.
fn operate(organiser: &mut Client, operation: &str) -> Result<(), Failure> {
    let user = organiser.user().to_owned();
    let factory = format!("sip:{user};gruu;opaque=app:conf:focusfactory");
    let body = format!(
        "<request xmlns=\"urn:ietf:params:xml:ns:cccp\" C3PVersion=\"1\" requestId=\"1\" \
         from=\"sip:{user}\" to=\"{factory}\">{operation}</request>"
    );
    let lines = "Content-Type: application/cccp+xml\r\n";
    organiser.ask("SERVICE", &factory, &user, lines, &body).map(drop)
}

fn sign_off(steps: &mut Steps, one: Client, two: Client) -> Result<(), Failure> {
    steps.step("sign off", || {
        one.sign_off()?;
        two.sign_off()
    })
}

fn say(client: &mut Client, uri: &str, to: &str, text: &str) -> Result<u32, Failure> {
    client.send("MESSAGE", uri, to, "Content-Type: text/plain\r\n", text)
}

/// Waits for the answer to a MESSAGE, which must be good.
fn accepted(client: &mut Client, cseq: u32) -> Result<(), Failure> {
    client.good_answer_to("MESSAGE", cseq).map(drop)
}

/// A text that nobody else writes.
fn mark() -> String {
    format!("mynah-test-{:016x}", rand::random::<u64>())
}
