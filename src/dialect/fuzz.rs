//! Bodies of the fuzz targets `address` and `speech`.

use bytes::Bytes;

use super::conference_uri::{self, ConferenceUri};
use super::simple::refer::{self, Refer};
use super::speech::render;
use super::{address, text};
use crate::base::aor::Aor;
use crate::base::limits::Limits;
use crate::directory::Address;
use crate::immcu::conference::{Accepts, Speech};
use crate::registrar::gruu::InstanceId;
use crate::wire::sip::Uri;

/// Whatever names somebody or something is written and read again as the same.
pub fn address(data: &[u8]) {
    if let Some(read) = ConferenceUri::parse(data) {
        let written = match &read {
            ConferenceUri::Factory => conference_uri::factory(&Aor::new("a@b.test")),
            ConferenceUri::Focus(organiser, id) => conference_uri::focus(organiser, *id),
            ConferenceUri::Chat(organiser, id) => {
                let paged = conference_uri::page(organiser, *id);
                assert_eq!(ConferenceUri::parse(paged.as_bytes()).as_ref(), Some(&read), "{paged}");
                conference_uri::chat(organiser, *id)
            }
        };
        assert_eq!(ConferenceUri::parse(written.as_bytes()), Some(read), "{written}");
    }
    if let Some(Refer::Invite(who) | Refer::Bye(who)) = refer::read(data) {
        written_and_read(&who);
    }
    if let Ok(uri) = Uri::parse(data)
        && let Some(id) = InstanceId::from_params(uri.params.get("opaque"), uri.params.get("gr"))
    {
        for gruu in [id.ms_gruu("a@b.test"), id.public_gruu("a@b.test")] {
            let uri = Uri::parse(gruu.as_bytes()).expect("what is written is a URI");
            let params = (uri.params.get("opaque"), uri.params.get("gr"));
            assert_eq!(InstanceId::from_params(params.0, params.1), Some(id), "{gruu}");
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(who) = address::address(text) {
        written_and_read(&who);
    }
    if let Ok(read) = Address::parse(text) {
        assert_eq!(Address::parse(read.as_str()).as_ref(), Ok(&read));
        let aor = Aor::new(read.as_str());
        assert_eq!((aor.user(), aor.domain()), (read.user(), read.domain()));
        assert_eq!(address::address(read.as_str()), Some(aor), "cores know it as clients do");
    }
}

/// An address is the same after it was written.
fn written_and_read(who: &Aor) {
    let uri = address::uri(who.as_str());
    assert_eq!(address::address(&uri).as_ref(), Some(who), "{uri}");
}

/// What is said reaches each kind of client in a form that it takes; and however it is said, nobody
/// speaks for somebody else.
pub fn speech(data: &[u8]) {
    let limits = Limits { mime_parts_max: 8, ..Limits::default() };
    for content_type in [
        "text/plain; charset=UTF-8",
        "text/html",
        "multipart/alternative; boundary=b",
        "text/plain; charset=utf-16",
        "text/rtf",
    ] {
        let speech = Speech {
            number: 1,
            author: Aor::new("alice@example.test"),
            name: "Alice".into(),
            content_type: content_type.into(),
            body: Bytes::copy_from_slice(data),
        };
        for index in 0..8 {
            let [html, alternative, sender] = [1, 2, 4].map(|bit| index & bit != 0);
            let accepts = Accepts { html, alternative, sender, typing: false };
            let Some(rendition) = render(&speech, accepts, &limits) else { continue };
            // What a line break or an entity grows to.
            assert!(rendition.body.len() <= 4 * data.len() + 64);
            if !sender {
                assert_eq!(rendition.content_type, text::PLAIN);
                signed(std::str::from_utf8(&rendition.body).expect("text"));
            }
        }
    }
}

/// Only the first line begins with a name.
fn signed(text: &str) {
    assert!(text.starts_with("Alice: "), "{text:?}");
    let text = text.replace("\r\n", "\n");
    let is_break =
        |c| matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    assert!(text.split(is_break).skip(1).all(|line| line.starts_with("  ")), "{text:?}");
}
