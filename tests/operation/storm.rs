//! All users come back at once (threat 65), or one address wants all handshakes (threat 28).

use std::net::{IpAddr, SocketAddr, TcpStream};

use crate::outside::endpoint::{Endpoint, credentials};
use crate::outside::eventually;
use crate::outside::metrics::hits;
use crate::outside::server::{DOMAIN, PASSWORD, Server};
use crate::outside::stream::{Stream, client_hello};

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

/// Octets of a handshake that goes on no further, from another address of this machine.
fn hello_from(server: &Server, source: IpAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
    socket.connect(&server.ready.tls.into()).unwrap();
    // The server may have closed.
    let _ = socket.send(&client_hello());
    socket.into()
}

#[test]
fn a_thousand_handshakes_from_one_address_are_throttled_and_others_come_in() {
    // 28
    const COMERS: usize = 1_000;
    let server = Server::serve(
        "[limits]\nhandshakes_per_address_per_second_max = 20\nhandshake_timeout = '30s'\n\
         handshakes_per_core_max = 1000\n",
    );
    let mut alice = Endpoint::tls(&server, "alice");
    let flood = IpAddr::from([127, 0, 0, 66]);
    let mut open = Vec::new();
    let before = std::time::Instant::now();
    for number in 0..COMERS {
        open.push(hello_from(&server, flood));
        if number % 100 == 0 {
            assert_eq!(alice.ask("OPTIONS", "alice", "", "").status(), 200);
        }
    }
    // Five seconds' worth, and what the time has given back; a core may have taken more than half.
    let refused = server.wait_metric(&hits("handshakes_per_address_per_second_max"), |refused| {
        refused >= COMERS as f64 - 100.0 - 20.0 * before.elapsed().as_secs_f64() - 1.0
    });
    assert!(refused < COMERS as f64);
    assert!(server.metrics().closed("refused") >= refused);
    // Others shake hands as ever.
    Endpoint::tls(&server, "bob");
    assert_eq!(alice.ask("OPTIONS", "alice", "", "").status(), 200);
    drop(open);
    eventually("the connections to be gone", || {
        let open = server.metrics().value("mynah_connections_current");
        if open <= 2.0 { Ok(()) } else { Err(open.to_string()) }
    });
}

#[test]
fn a_network_that_is_exempt_by_a_reload_is_throttled_no_more() {
    // 25, 28
    let server = Server::serve(
        "[limits]\nhandshakes_per_address_per_second_max = 1\nconnections_per_address_max = 40\n",
    );
    let source = IpAddr::from([127, 0, 0, 66]);
    let series = hits("handshakes_per_address_per_second_max");
    eventually("a handshake too many", || {
        drop(hello_from(&server, source));
        let refused = server.metrics().value(&series);
        if refused > 0.0 { Ok(()) } else { Err("none".to_owned()) }
    });
    let config = std::fs::read_to_string(server.config()).unwrap();
    let exempt = config.replace("[tls]", "[listen]\nexempt = ['127.0.0.64/26']\n[tls]");
    std::fs::write(server.config(), exempt).unwrap();
    let reload = server.command(&["reload", "--http", &server.ready.http.to_string()]);
    let said = String::from_utf8_lossy(&reload.stdout).into_owned();
    assert!(said.contains("  listen.exempt: [] -> [\"127.0.0.64/26\"]\n"), "{said}");
    let refused = server.metrics().value(&series);
    let many: Vec<TcpStream> = (0..100).map(|_| hello_from(&server, source)).collect();
    server.wait_metric("mynah_connections_opened_total", |opened| opened >= 100.0);
    assert_eq!(server.metrics().value(&series), refused);
    assert_eq!(server.metrics().value(&hits("connections_per_address_max")), 0.0);
    drop(many);
}
