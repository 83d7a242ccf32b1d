use super::*;
use crate::base::aor::Aor;

const LYNC: Accepts = Accepts { html: true, alternative: true, typing: true, sender: true };
const SIPE: Accepts = Accepts { alternative: false, ..LYNC };
const PLAIN_MS: Accepts = Accepts { html: false, alternative: false, typing: true, sender: true };
const SIMPLE: Accepts = Accepts { html: false, alternative: false, typing: false, sender: false };

const BOTH: &str = "multipart/alternative; boundary=b";
const PARTS: &str = "--b\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\nhi & bye\r\n\
    --b\r\nContent-Type: text/html; charset=UTF-8\r\n\r\n<b>hi</b>\r\n--b--\r\n";

fn speech(content_type: &str, body: &str) -> Speech {
    Speech {
        number: 1,
        author: Aor::new("alice@example.test"),
        name: "Alice Ames".into(),
        content_type: content_type.to_owned().into(),
        body: body.to_owned().into(),
    }
}

fn shown(speech: &Speech, accepts: Accepts) -> Option<(String, String)> {
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let rendition = render(speech, accepts, &Limits::default())?;
    Some((text(&rendition.content_type), text(&rendition.body)))
}

fn some(content_type: &str, body: &str) -> Option<(String, String)> {
    Some((content_type.to_owned(), body.to_owned()))
}

#[test]
fn plain_text_goes_out_as_it_came() {
    let lync = "text/plain; charset=UTF-8;msgr=WAAtAE0A";
    let speech = speech(lync, "hi");
    for accepts in [LYNC, SIPE, PLAIN_MS] {
        assert_eq!(shown(&speech, accepts), some(lync, "hi"));
        let rendition = render(&speech, accepts, &Limits::default()).unwrap();
        assert_eq!(rendition.body.as_ptr(), speech.body.as_ptr(), "nothing is copied");
    }
}

#[test]
fn who_does_not_know_the_author_is_told_in_the_text() {
    let mut speech = speech("text/plain; charset=UTF-8;msgr=WAAtAE0A", "hi");
    assert_eq!(shown(&speech, SIMPLE), some(text::PLAIN, "Alice Ames: hi"));
    let html = Accepts { html: true, ..SIMPLE };
    assert_eq!(shown(&speech, html), some(text::PLAIN, "Alice Ames: hi"));
    speech.name = "".into();
    assert_eq!(shown(&speech, SIMPLE), some(text::PLAIN, "alice@example.test: hi"));
    speech.name = "A\r\nBob\u{7f}".into();
    assert_eq!(shown(&speech, SIMPLE), some(text::PLAIN, "ABob: hi"));
}

#[test]
fn html_becomes_text_where_it_is_not_understood() {
    let html = "text/html; charset=UTF-8";
    let speech = speech(html, "<p>one &lt; two</p>");
    assert_eq!(shown(&speech, SIPE), some(html, "<p>one &lt; two</p>"));
    assert_eq!(shown(&speech, PLAIN_MS), some(text::PLAIN, "one < two"));
    assert_eq!(shown(&speech, SIMPLE), some(text::PLAIN, "Alice Ames: one < two"));
}

#[test]
fn the_best_alternative_is_chosen() {
    let speech = speech(BOTH, PARTS);
    assert_eq!(shown(&speech, LYNC), some(BOTH, PARTS));
    assert_eq!(shown(&speech, SIPE), some("text/html; charset=UTF-8", "<b>hi</b>"));
    assert_eq!(shown(&speech, PLAIN_MS), some("text/plain; charset=UTF-8", "hi & bye"));
    assert_eq!(shown(&speech, SIMPLE), some(text::PLAIN, "Alice Ames: hi & bye"));
    let rendition = render(&speech, SIPE, &Limits::default()).unwrap();
    assert!(speech.body.as_ptr_range().contains(&rendition.body.as_ptr()), "nothing is copied");
}

#[test]
fn html_alone_among_the_alternatives_becomes_text() {
    let rtf = PARTS.replace("text/plain", "text/rtf");
    let speech = speech(BOTH, &rtf);
    assert_eq!(shown(&speech, PLAIN_MS), some(text::PLAIN, "hi"));
    assert_eq!(shown(&speech, SIMPLE), some(text::PLAIN, "Alice Ames: hi"));
}

#[test]
fn what_nobody_can_show_is_not_sent() {
    for (content_type, body) in [
        ("image/gif", "GIF89a"),
        ("text/rtf", "{}"),
        ("", "x"),
        (BOTH, "no parts"),
        (BOTH, "--b\r\nContent-Type: image/gif\r\n\r\nx\r\n--b--"),
    ] {
        assert_eq!(shown(&speech(content_type, body), PLAIN_MS), None, "{content_type}");
        assert_eq!(shown(&speech(content_type, body), SIMPLE), None, "{content_type}");
    }
    let foreign = speech("text/plain; charset=utf-16", "hi");
    assert_eq!(shown(&foreign, SIMPLE), None, "no name can be put before it");
    assert_eq!(shown(&foreign, SIPE), some("text/plain; charset=utf-16", "hi"));
    assert_eq!(shown(&speech("text/html; charset=utf-16", "hi"), PLAIN_MS), None);
}

#[test]
fn too_many_parts_are_not_read() {
    let limits = Limits { mime_parts_max: 1, ..Limits::default() };
    assert_eq!(render(&speech(BOTH, PARTS), PLAIN_MS, &limits), None);
}

#[test]
fn each_rendition_is_made_once() {
    let limits = Limits::default();
    let speech = speech("text/html", "<b>hi</b>");
    let mut renditions = Renditions::new(&speech, &limits);
    let first = renditions.of(SIMPLE).unwrap().body.as_ptr();
    assert_eq!(&renditions.of(LYNC).unwrap().body[..], b"<b>hi</b>");
    assert_eq!(&renditions.of(PLAIN_MS).unwrap().body[..], b"hi");
    assert_eq!(renditions.of(SIMPLE).unwrap().body.as_ptr(), first);
}

#[test]
fn nobody_begins_a_line_with_the_name_of_another_whatever_breaks_it() {
    for end in ["\n", "\r", "\r\n", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}"] {
        let speech = speech("text/plain; charset=UTF-8", &format!("hi{end}Bob: no"));
        let expected = format!("Alice Ames: hi{end}  Bob: no");
        assert_eq!(shown(&speech, SIMPLE), some(text::PLAIN, &expected), "{end:?}");
    }
    let speech = speech("text/html; charset=UTF-8", "hi&#8232;Bob: no");
    let expected = "Alice Ames: hi\u{2028}  Bob: no";
    assert_eq!(shown(&speech, SIMPLE), some(text::PLAIN, expected));
}
