//! All users come back at once (threat 65).

use crate::outside::endpoint::{Endpoint, credentials};
use crate::outside::metrics::hits;
use crate::outside::server::{DOMAIN, PASSWORD, Server};
use crate::outside::stream::Stream;

#[test]
fn a_storm_is_let_in_at_the_rate_and_the_rest_are_told_when() {
    const COMERS: usize = 300;
    let server = Server::serve(
        "[limits]\nsign_ins_per_second_max = 5\nendpoints_per_user_max = 1000\n\
         connections_per_user_max = 1000\n",
    );
    let mut in_before = Endpoint::tcp(&server, "alice");
    let mut waits = Vec::new();
    let mut begun = Vec::new();
    for _ in 0..COMERS {
        let stream = Stream::tcp(&server);
        let mut endpoint = Endpoint { user: "bob".to_owned(), stream, cseq: 0 };
        let contact = format!("Contact: {}\r\n", endpoint.contact());
        let answer = endpoint.ask("REGISTER", DOMAIN, &contact, "");
        match answer.status() {
            401 => begun.push((endpoint, contact, answer)),
            503 => waits.push(answer.header("Retry-After").unwrap().parse::<u64>().unwrap()),
            _ => panic!("{}", answer.head),
        }
    }
    assert!(!waits.is_empty(), "300 sign-ins at 5 a second took less than a minute");
    // A minute for all of them, and two if one core got them all.
    assert!(waits.iter().all(|wait| (2..=2 + 120 + 6).contains(wait)), "{waits:?}");
    // Not all at one moment.
    let (first, last) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(last > first, "{waits:?}");
    assert_eq!(server.metrics().value(&hits("sign_ins_per_second_max")), waits.len() as f64);
    // Who was let in goes on, however many others are not.
    for (mut endpoint, contact, challenge) in begun {
        let proof = credentials(&challenge, "bob", PASSWORD, "REGISTER");
        let answer = endpoint.ask("REGISTER", DOMAIN, &format!("{contact}{proof}"), "");
        assert_eq!(answer.status(), 200, "{}", answer.head);
    }
    assert_eq!(in_before.ask("OPTIONS", "alice", "", "").status(), 200);
}
