//! Questions about conferences, and the order to end one.

use std::sync::{Arc, Mutex};

use super::super::conference_report::{
    ConferenceReport, ConferencesReport, EndedReport, InvitedReport,
};
use super::{Fake, ask_host, start};
use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, LegId, ShardId, Slot};
use crate::base::limits::Limits;
use crate::immcu::conference::{Admission, LegKind, Reach, Role};
use crate::shard::conference_standing::{
    ConferenceList, ConferenceStanding, ConferenceSummary, LegStanding, MemberStanding,
};
use crate::shard::question::{Answer, Question};

const HOST: &str = "127.0.0.1:9090";
const NAME: &str = "C71C6BB0267883E2248C1EA7F80725B8";
const ID: ConferenceId = ConferenceId(0xC71C_6BB0_2678_83E2_248C_1EA7_F807_25B8);

fn aor(name: &str) -> Aor {
    Aor::new(&format!("{name}@example.test"))
}

/// Status line and body of the answer to a request line.
async fn ask(answer: Answer, line: &str, host: &str) -> (String, String) {
    let fake = Fake { answer: Some(answer), ..Fake::default() };
    let address = start(fake, Limits::default()).await;
    let (status, answer) = ask_host(address, line, host).await;
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

fn summary() -> ConferenceSummary {
    ConferenceSummary {
        id: ID,
        organiser: aor("alice"),
        subject: "Budget".into(),
        admission: Admission::OpenAuthenticated,
        lobby: true,
        locked: false,
        scheduled: false,
        made_unix_ms: 1_800_000_000_999,
        started_unix_ms: Some(1_800_000_001_000),
        expires_unix_ms: 1_800_003_600_000,
        members: 2,
        peak: 3,
        waiting: 1,
        messages: 12,
    }
}

fn member(name: &str, role: Role, legs: Vec<LegStanding>) -> MemberStanding {
    MemberStanding {
        aor: aor(name),
        name: name.into(),
        role,
        since_unix_ms: 1_800_000_001_000,
        messages: 4,
        legs,
    }
}

#[tokio::test]
async fn each_page_asks_the_home_of_its_conference() {
    let asked = Arc::<Mutex<Vec<Question>>>::default();
    let answer = Some(Answer::NoSuchConference);
    let fake = Fake { asked: asked.clone(), answer, ..Fake::default() };
    let address = start(fake, Limits::default()).await;
    for line in [
        "GET /conferences".to_owned(),
        format!("GET /conferences/{NAME}"),
        format!("GET /conferences/{}", NAME.to_ascii_lowercase()),
        format!("POST /conferences/{NAME}/end"),
    ] {
        let (status, answer) = ask_host(address, &line, HOST).await;
        assert_eq!(status, "HTTP/1.1 404 Not Found");
        assert!(answer.ends_with(r#"{"error":"no such conference"}"#), "{answer}");
    }
    for line in ["GET /conferences/C71C", "POST /conferences/%00/end", "GET /conferences/%ff"] {
        let (status, _) = ask_host(address, line, HOST).await;
        assert_eq!(status, "HTTP/1.1 400 Bad Request", "{line}");
    }
    // To look is not to end.
    let (status, _) = ask_host(address, &format!("GET /conferences/{NAME}/end"), HOST).await;
    assert_eq!(status, "HTTP/1.1 405 Method Not Allowed");
    let one = Question::Conference(ID);
    let end = Question::EndConference(ID);
    assert_eq!(*asked.lock().unwrap(), [Question::Conferences, one.clone(), one, end]);
}

#[tokio::test]
async fn no_page_in_a_browser_and_nobody_behind_a_proxy_is_obeyed() {
    let line = format!("POST /conferences/{NAME}/end");
    for (host, status) in [
        (HOST, "HTTP/1.1 200 OK"),
        ("evil.example:9090", "HTTP/1.1 403 Forbidden"),
        ("127.0.0.1\r\nX-Forwarded-For: 10.0.0.5", "HTTP/1.1 403 Forbidden"),
        ("127.0.0.1\r\nOrigin: null", "HTTP/1.1 403 Forbidden"),
        ("127.0.0.1\r\nSec-Fetch-Site: cross-site", "HTTP/1.1 403 Forbidden"),
    ] {
        assert_eq!(ask(Answer::ConferenceEnded, &line, host).await.0, status, "{host}");
    }
}

#[tokio::test]
async fn the_list_says_how_many_there_are() {
    let list = ConferenceList { total: 1001, conferences: vec![summary()] };
    let (status, body) = ask(Answer::Conferences(list), "GET /conferences", HOST).await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let report: ConferencesReport = serde_json::from_str(&body).unwrap();
    assert_eq!(report.total, 1001);
    let one = &report.conferences[0];
    assert_eq!((&*one.id, &*one.organiser, &*one.subject), (NAME, "alice@example.test", "Budget"));
    assert_eq!((&*one.admission, one.lobby, one.locked), ("open_authenticated", true, false));
    assert_eq!(one.made, "2027-01-15T08:00:00Z");
    assert_eq!(one.started.as_deref(), Some("2027-01-15T08:00:01Z"));
    assert_eq!(one.expires, "2027-01-15T09:00:00Z");
    assert_eq!((one.members, one.peak, one.waiting, one.messages), (2, 3, 1, 12));
}

#[tokio::test]
async fn a_conference_is_told_with_all_that_are_in_it() {
    let leg = |index, kind| LegStanding {
        reach: Reach::Leg(LegId::new(ShardId(1), Slot { index, generation: 1 })),
        kind,
        endpoint: "{E1}".into(),
    };
    let pager =
        LegStanding { reach: Reach::Pager(aor("bob")), kind: LegKind::Chat, endpoint: "".into() };
    let standing = ConferenceStanding {
        summary: summary(),
        members: vec![
            member("alice", Role::Presenter, vec![leg(2, LegKind::Focus), leg(3, LegKind::Chat)]),
            member("bob", Role::Attendee, vec![pager]),
        ],
        waiting: vec![member("carol", Role::Attendee, vec![leg(4, LegKind::Focus)])],
        invited: vec![(aor("dave"), Role::Presenter)],
    };
    let answer = Answer::Conference(Box::new(standing));
    let (_, body) = ask(answer, &format!("GET /conferences/{NAME}"), HOST).await;
    let report: ConferenceReport = serde_json::from_str(&body).unwrap();
    let members: Vec<_> = report
        .members
        .iter()
        .map(|one| (&*one.address, &*one.role, &*one.since, one.messages))
        .collect();
    let since = "2027-01-15T08:00:01Z";
    assert_eq!(
        members,
        [("alice@example.test", "presenter", since, 4), ("bob@example.test", "attendee", since, 4)]
    );
    let legs: Vec<_> = report
        .members
        .iter()
        .flat_map(|one| &one.legs)
        .map(|leg| (&*leg.kind, leg.leg.as_deref(), &*leg.endpoint))
        .collect();
    assert_eq!(
        legs,
        [
            ("focus", Some("00010000000200000001"), "{E1}"),
            ("chat", Some("00010000000300000001"), "{E1}"),
            ("pager", None, ""),
        ]
    );
    assert_eq!(report.waiting[0].address, "carol@example.test");
    let invited =
        InvitedReport { address: "dave@example.test".to_owned(), role: "presenter".to_owned() };
    assert_eq!(report.invited, [invited]);
}

#[tokio::test]
async fn an_end_that_the_store_cannot_keep_is_said_to_be_one() {
    for (answer, kept) in [(Answer::ConferenceEnded, false), (Answer::ConferenceStays, true)] {
        let (status, body) = ask(answer, &format!("POST /conferences/{NAME}/end"), HOST).await;
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert_eq!(serde_json::from_str::<EndedReport>(&body).unwrap(), EndedReport { kept });
    }
}
