//! Health indicators of the real server: what its metrics page says after messages.

#[path = "outside/mod.rs"]
mod outside;

use outside::endpoint::Endpoint;
use outside::server::Server;

/// Messages that came in, and their time together: of processing, and of holding.
fn read(server: &Server) -> [[f64; 2]; 2] {
    let metrics = server.metrics();
    ["processing", "holding"].map(|what| {
        ["count", "sum"].map(|part| metrics.value(&format!("mynah_message_{what}_seconds_{part}")))
    })
}

#[test]
fn messages_move_the_times_of_processing_and_holding() {
    let server = Server::demo();
    assert_eq!(read(&server), [[0.0; 2]; 2], "nobody has come");
    let mut alice = Endpoint::tls(&server, "alice");
    let mut bob = Endpoint::tls(&server, "bob");
    let [before_processing, before_holding] = read(&server);
    let rounds = 20;
    for _ in 0..rounds {
        let message = alice.request("MESSAGE", "bob", "Content-Type: text/plain\r\n", "hello");
        alice.stream.write(message);
        assert_eq!(bob.answer("MESSAGE", 200, "").body, b"hello");
        assert_eq!(alice.final_answer().status(), 200);
    }
    let [processing, holding] = read(&server);
    // The message and its answer.
    let came = f64::from(2 * rounds);
    assert_eq!(processing[0] - before_processing[0], came);
    assert_eq!(holding[0] - before_holding[0], came);
    assert!(processing[1] > before_processing[1] && holding[1] > before_holding[1]);
    let metrics = server.metrics();
    let bucket = |bound: &str| {
        metrics.value(&format!("mynah_message_holding_seconds_bucket{{le=\"{bound}\"}}"))
    };
    assert_eq!(bucket("+Inf"), holding[0]);
    assert!(bucket("0.0001") <= bucket("5"));
}
