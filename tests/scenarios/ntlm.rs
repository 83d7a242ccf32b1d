//! Lync clients that sign in by NTLM, and the signatures that follow.

use mynah::base::limits::Limit;
use mynah::config::{AuthMethod, NtlmVersion};
use mynah::metrics::counters::{AuthFailure, CloseReason};
use mynah::metrics::names::Series;
use mynah::shard::Machine;

use crate::harness::client::established;
use crate::harness::ntlm::{self, Account};
use crate::harness::text::quoted;
use crate::harness::{Client, Device, Net, PASSWORD, Request, Text};

const ALICE: Device<'_> = Device { user: "alice", ms: true, number: 0 };
const ACCOUNT: Account<'_> = Account { user: "alice", domain: "", password: PASSWORD };

#[test]
fn a_lync_client_signs_in_as_in_the_transcript() {
    for shards in 1..=4 {
        let mut net = Net::ntlm(shards);
        let mut alice = Client::on(&mut net, 0, ALICE);
        let offer = net.ask(alice.conn, &alice.register());
        assert_eq!(offer.start_line(), "SIP/2.0 401 Unauthorized");
        assert_eq!(
            offer.headers("WWW-Authenticate"),
            ["NTLM realm=\"SIP Communications Service\", targetname=\"fe01.example.test\", version=4"]
        );
        assert!(!offer.has("Proxy-Authenticate"));
        let asking = alice.register().header("Authorization", &ntlm::empty(&offer));
        let challenge = net.ask(alice.conn, &asking);
        assert_eq!(challenge.status(), 401);
        let value = challenge.header("WWW-Authenticate");
        assert_eq!(quoted(value, "opaque").len(), 8);
        assert!(value.ends_with("version=4"), "{value}");

        let (answer, keys) = ntlm::answer(alice.register(), &challenge, ACCOUNT);
        net.keys.insert(alice.conn, keys);
        let accepted = net.ask(alice.conn, &answer);
        assert_eq!(accepted.status(), 200);
        assert_eq!(accepted.header("Expires"), "7200");
        assert_eq!(net.keys[&alice.conn].snum, 1, "the 200 was signed");
        assert_eq!(net.value(Series::SignIns), 1);
    }
}

#[test]
fn version_3_leaves_the_sign_in_itself_unsigned() {
    let mut net = Net::with(2, |settings| {
        settings.lync_auth = vec![AuthMethod::Ntlm];
        settings.ntlm_version = NtlmVersion::V3;
    });
    let mut alice = Client::lync(&mut net, 0, "alice");
    assert_eq!(net.keys[&alice.conn].cnum, 0);
    assert_eq!(net.ask(alice.conn, &alice.register()).status(), 200);
    assert_eq!(net.keys[&alice.conn].cnum, 1);
}
