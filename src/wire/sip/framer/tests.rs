use super::super::samples::{INVITE, OK};
use super::*;

#[test]
fn a_whole_message_is_framed_at_once() {
    let mut head = Head::new();
    for bytes in [INVITE, OK] {
        let framed = Framer::new().next(bytes, &Limits::default(), &mut head);
        assert_eq!(framed, Ok(Framed::Message { len: bytes.len() }));
    }
}

#[test]
fn a_message_cut_at_every_octet_is_the_same_message() {
    let mut head = Head::new();
    for cut in 1..INVITE.len() {
        let mut framer = Framer::new();
        let first = framer.next(&INVITE[..cut], &Limits::default(), &mut head);
        assert_eq!(first, Ok(Framed::Incomplete), "cut at {cut}");
        assert!(framer.mid_message());
        // Another connection uses the same head in between.
        let _ = Framer::new().next(OK, &Limits::default(), &mut head);
        let second = framer.next(INVITE, &Limits::default(), &mut head);
        assert_eq!(second, Ok(Framed::Message { len: INVITE.len() }), "cut at {cut}");
        assert_eq!(Message::new(INVITE, &head).from_tag(), Some(&b"5095820831"[..]));
        assert!(!framer.mid_message());
    }
}
