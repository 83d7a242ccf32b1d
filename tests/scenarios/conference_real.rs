//! What real clients have shown of conferences.

use mynah::metrics::names::Series;

use crate::harness::conference::{Wish, convened, heard, id_at, said, seated};
use crate::harness::{Client, Net};

/// baresip drops the parameters of the address that it answers to: what it said to all went to the
/// organiser alone.
#[test]
fn a_member_in_pager_mode_answers_to_where_it_came_from_without_parameters() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::simple(&mut net, shards - 1, "bob");
        let mut carol = Client::lync(&mut net, 0, "carol");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        let carols = seated(&mut net, &mut carol, &meeting);
        assert_eq!(net.ask(bob.conn, &bob.page(&meeting.chat, "hello")).status(), 202);
        assert_eq!(heard(&mut net, &alice).body(), "hello");
        assert_eq!(heard(&mut net, &carol).body(), "hello");

        said(&mut net, &mut alice, &mut seat.chat, "hello bob");
        heard(&mut net, &carol);
        let from = heard(&mut net, &bob).header("From").to_owned();
        let (address, _) = from.trim_start_matches('<').split_once('>').unwrap();
        assert!(!address.contains(';'), "{address}");
        // In capitals or not, and with the plus sign escaped.
        for address in [address.to_owned(), address.to_lowercase(), address.replace('+', "%2B")] {
            let answer = net.ask(bob.conn, &bob.page(&address, "hello all"));
            assert_eq!(answer.status(), 202, "{address}: {answer:?}");
            let received = heard(&mut net, &alice);
            assert_eq!(received.body(), "hello all");
            assert_eq!(received.header("Call-ID"), seat.chat.call_id);
            assert_eq!(heard(&mut net, &carol).header("Call-ID"), carols.chat.call_id);
        }
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 3);
        net.silent(&[alice.conn, bob.conn, carol.conn]);
        net.at_rest();
    }
}
