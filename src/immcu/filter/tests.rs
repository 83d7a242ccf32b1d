//! Messages of each form under each policy.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::config::parse;

const UTF_8: &str = "text/plain; charset=UTF-8;msgr=WAAtAE0A";

fn filter(lines: &str) -> Filter {
    let settings = parse(lines).unwrap_or_else(|error| panic!("{error}: {lines}"));
    Filter::new(settings.policies.of("a")).expect("a filter")
}

fn links(lines: &str) -> Filter {
    filter(&format!("[policy.a.im_filter]\n{lines}\n"))
}

fn files(lines: &str) -> Filter {
    filter(&format!("[policy.a.file_filter]\n{lines}\n"))
}

/// What a filter makes of a message: `None` when it passes as it is.
fn check(filter: &Filter, content_type: &str, body: &str) -> Result<Option<String>, Blocked> {
    let limits = Limits { mime_parts_max: 4, ..Limits::default() };
    match filter.check(Some(content_type.as_bytes()), body.as_bytes(), &limits) {
        Verdict::Pass => Ok(None),
        Verdict::Replace(body) => Ok(Some(String::from_utf8(body).unwrap())),
        Verdict::Block(blocked) => Err(blocked),
    }
}

/// What becomes of plain text.
fn plain(filter: &Filter, body: &str) -> Result<Option<String>, Blocked> {
    check(filter, UTF_8, body)
}

fn changed(text: &str) -> Result<Option<String>, Blocked> {
    Ok(Some(text.to_owned()))
}

#[test]
fn a_policy_without_a_filter_has_none() {
    let settings = parse("[policy.a.im_filter]\nwarn_message = \"x\"\n").unwrap();
    assert!(Filter::new(settings.policies.of("a")).is_none());
}

#[test]
fn links_become_text_by_an_underscore() {
    let filter = links("action = \"allow\"");
    let body = "see http://a.test and (WWW.b.test), or mailto:bob@a.test.";
    let text = "see _http://a.test and (_WWW.b.test), or _mailto:bob@a.test.";
    assert_eq!(plain(&filter, body), changed(text));
    assert_eq!(plain(&filter, text), Ok(None), "text they stay");
    assert_eq!(plain(&filter, "no link at all"), Ok(None));
    assert_eq!(plain(&filter, ""), Ok(None));
}

#[test]
fn a_notice_stands_before_what_was_made_text() {
    let filter = links("action = \"allow\"\nallow_message = \"Links are text h\u{e9}re.\\n\"");
    let text = "Links are text h\u{e9}re.\r\n_http://a.test";
    assert_eq!(plain(&filter, "http://a.test"), changed(text));
    assert_eq!(plain(&filter, "hello"), Ok(None));
    assert_eq!(plain(&filter, "_http://a.test"), Ok(None));
    let ascii = check(&filter, "text/plain; charset=us-ascii", "http://a.test");
    assert_eq!(ascii, changed("Links are text h?re.\r\n_http://a.test"));
}

#[test]
fn a_warning_stands_before_links_that_stay() {
    let filter = links("action = \"warn\"\nwarn_message = \"Careful & <slow>\"");
    let text = "Careful & <slow>\r\nhttp://a.test";
    assert_eq!(plain(&filter, "http://a.test"), changed(text));
    let html = "Careful &amp; &lt;slow&gt;<br><a href=\"http://a.test\">x</a>";
    let body = "<a href=\"http://a.test\">x</a>";
    assert_eq!(check(&filter, "text/html", body), changed(html));
    assert_eq!(plain(&filter, "hello"), Ok(None));
    let rtf = check(&filter, "text/rtf", "{\\rtf1 http://a.test}");
    assert_eq!(rtf, Err(Blocked::Unreadable), "nobody knows where a warning would be seen");
}

#[test]
fn links_block_a_message() {
    let filter = links("action = \"block\"");
    for body in ["http://a.test", "_http://a.test", "xhttp://a.test", "tel:1", "ftp.a.test"] {
        assert_eq!(plain(&filter, body), Err(Blocked::Link), "{body}");
    }
    assert_eq!(plain(&filter, "hotel: yes"), Ok(None));
}

#[test]
fn only_the_prefixes_named_begin_links() {
    let filter = links("action = \"block\"\nprefixes = [\"https:\", \"intra*.\"]");
    assert_eq!(plain(&filter, "http://a.test"), Ok(None));
    assert_eq!(plain(&filter, "HTTPS://a.test"), Err(Blocked::Link));
    assert_eq!(plain(&filter, "intranet.test"), Err(Blocked::Link));
}

#[test]
fn local_links_are_left_alone_unless_the_policy_says_otherwise() {
    let body = "http://intranet/a and http://a.test/b";
    let filter = links("action = \"allow\"");
    assert_eq!(plain(&filter, body), changed("http://intranet/a and _http://a.test/b"));
    let filter = links("action = \"allow\"\nignore_local = false");
    assert_eq!(plain(&filter, body), changed("_http://intranet/a and _http://a.test/b"));
}

#[test]
fn more_links_than_a_message_may_have_block_it() {
    let max = Limits::default().links_per_message_max;
    for action in ["allow", "warn"] {
        let filter = links(&format!("action = \"{action}\"\nwarn_message = \"x\""));
        assert!(plain(&filter, &"http://a ".repeat(max)).is_ok());
        let local = format!("{}http://a.b", "http://a ".repeat(2 * max));
        assert!(plain(&filter, &local).is_ok(), "local ones do not count");
        let many = "http://a.b ".repeat(max + 1);
        assert_eq!(plain(&filter, &many), Err(Blocked::TooManyLinks));
    }
    assert_eq!(max, 1_000);
}

#[test]
fn links_in_html_lose_their_attribute_too() {
    let filter = links("action = \"allow\"\nallow_message = \"Hint\"");
    let body = "<a href = 'http://a.test'>http&#58;//a.test</a> &amp; <a href=b>c</a>";
    let text = "Hint<br><a _href = '_http://a.test'>_http&#58;//a.test</a> &amp; <a _href=b>c</a>";
    assert_eq!(check(&filter, "Text/HTML; charset=utf-8", body), changed(text));
    assert_eq!(check(&filter, "text/html", text), Ok(None));
    assert_eq!(check(&filter, "text/html", "<b>hello</b> &amp; goodbye"), Ok(None));
}

#[test]
fn text_of_another_form_has_its_links_made_text() {
    let filter = links("action = \"allow\"");
    let rtf = check(&filter, "text/rtf", "{\\rtf1 http://a.test}");
    assert_eq!(rtf, changed("{\\rtf1 _http://a.test}"));
    let cpim = check(&filter, "message/cpim", "From: <im:a@b>\r\n\r\nhttp://a.test");
    assert_eq!(cpim, changed("From: <im:a@b>\r\n\r\n_http://a.test"));
}

#[test]
fn signals_pass_whatever_is_in_them() {
    let filter = links("action = \"block\"");
    for content_type in [
        "application/im-iscomposing+xml",
        "application/xml",
        "application/ms-imdn+xml",
        "image/gif",
    ] {
        assert_eq!(check(&filter, content_type, "xmlns=\"http://a.test\""), Ok(None));
    }
    let limits = Limits::default();
    let untyped = filter.check(None, b"http://a.test", &limits);
    assert_eq!(untyped, Verdict::Block(Blocked::Link), "without a type it is text");
}

#[test]
fn what_cannot_be_read_is_not_let_through() {
    let filter = links("action = \"allow\"");
    for content_type in [
        "text/plain; charset=utf-16",
        "text/html; charset=utf-7",
        "text/rtf; charset=unknown",
        "multipart/alternative",
        "multipart/alternative; boundary=x",
    ] {
        let body = "--b\r\n\r\nhello\r\n--b--";
        assert_eq!(check(&filter, content_type, body), Err(Blocked::Unreadable), "{content_type}");
    }
    let latin = check(&filter, "text/plain; charset=ISO-8859-1", "www.a.test");
    assert_eq!(latin, changed("_www.a.test"));
}

const ALTERNATIVE: &str = "multipart/alternative; boundary=\"b\"";

#[test]
fn each_part_of_an_alternative_is_changed_in_its_place() {
    let filter = links("action = \"allow\"\nallow_message = \"Hint\"");
    let body = "preamble\r\n--b\r\nContent-Type: text/plain\r\nX: 1\r\n\r\nhttp://a.test\r\n--b\r\n\
        Content-Type: text/html\r\n\r\n<b>http://a.test</b>\r\n--b\r\n\
        Content-Type: image/gif\r\nContent-Transfer-Encoding: base64\r\n\r\nR0lGODdh\r\n--b--\r\n";
    let text = "preamble\r\n--b\r\nContent-Type: text/plain\r\nX: 1\r\n\r\nHint\r\n_http://a.test\
        \r\n--b\r\nContent-Type: text/html\r\n\r\nHint<br><b>_http://a.test</b>\r\n--b\r\n\
        Content-Type: image/gif\r\nContent-Transfer-Encoding: base64\r\n\r\nR0lGODdh\r\n--b--\r\n";
    assert_eq!(check(&filter, ALTERNATIVE, body), changed(text));
    assert_eq!(check(&filter, ALTERNATIVE, text), Ok(None));
}

#[test]
fn parts_within_parts_are_looked_at_as_far_as_clients_write_them() {
    let filter = links("action = \"allow\"");
    let inner = "--c\r\n\r\nwww.a.test\r\n--c--";
    let nested = |depth: usize| {
        (0..depth).fold(inner.to_owned(), |inner, n| {
            let inner_boundary = if n == 0 { "c".to_owned() } else { format!("b{}", n - 1) };
            format!(
                "--b{n}\r\nContent-Type: multipart/mixed; boundary={inner_boundary}\r\n\r\n\
                 {inner}\r\n--b{n}--"
            )
        })
    };
    let of = |depth: usize| {
        let content_type = format!("multipart/related; boundary=b{}", depth - 1);
        check(&filter, &content_type, &nested(depth))
    };
    assert_eq!(of(1), changed(&nested(1).replace("www", "_www")));
    assert_eq!(of(3), changed(&nested(3).replace("www", "_www")));
    assert_eq!(of(4), Err(Blocked::Unreadable));
}

#[test]
fn a_part_that_is_encoded_is_not_let_through() {
    let filter = links("action = \"allow\"");
    for (encoding, outcome) in [
        ("base64", Err(Blocked::Unreadable)),
        ("Quoted-Printable", Err(Blocked::Unreadable)),
        ("\r\n base64", Err(Blocked::Unreadable)),
        ("8BIT", Ok(None)),
    ] {
        let body = format!("--b\r\nContent-Transfer-Encoding: {encoding}\r\n\r\nx\r\n--b--");
        assert_eq!(check(&filter, ALTERNATIVE, &body), outcome, "{encoding}");
    }
}

#[test]
fn a_boundary_out_of_the_notice_cannot_hide_it() {
    let filter = links("action = \"warn\"\nwarn_message = \"Careful\\n--b\\nlinks\"");
    let body = "--b\r\n\r\nhttp://a.test\r\n--b--";
    assert_eq!(check(&filter, ALTERNATIVE, body), Err(Blocked::Unreadable));
    let body = body.replace("--b", "--c");
    assert!(check(&filter, "multipart/alternative; boundary=c", &body).is_ok_and(|b| b.is_some()));
}

#[test]
fn links_to_listed_files_block_a_message() {
    for filter in [
        files("action = \"listed\""),
        files("action = \"all\""),
        filter(
            "[policy.a.file_filter]\naction = \"listed\"\n[policy.a.im_filter]\naction = \"allow\"\n",
        ),
    ] {
        for body in [
            "http://a.test/x.exe",
            "look: www.a.test/x.VBS?y",
            "file:///c:/x.bat",
            "<a href=\"/x.exe\">",
            "http://a.test,http://b.test/x.exe",
        ] {
            assert_eq!(plain(&filter, body), Err(Blocked::File), "{body}");
        }
        let html = check(&filter, "text/html", "<a href=\"http://a.test/x&period;exe\">x</a>");
        assert_eq!(html, Err(Blocked::File));
    }
    let filter = files("action = \"listed\"");
    for body in ["http://example.com http://a.test/x.txt", "x.exe", "http://intranet/x.exe"] {
        assert_eq!(plain(&filter, body), Ok(None), "{body}");
    }
}

#[test]
fn offers_of_files_are_blocked_by_name_or_all() {
    let offer = |name: &str| {
        format!(
            "Application-Name: File Transfer\r\nInvitation-Command: INVITE\r\n\
             Application-File: {name}\r\nApplication-FileSize: 7\r\n"
        )
    };
    const OFFER: &str = "text/x-msmsgsinvite; charset=UTF-8";
    let listed = files("action = \"listed\"\nextensions = [\"exe\"]");
    let all = files("action = \"all\"");
    let off = links("action = \"block\"");
    for (name, listed_outcome) in
        [("setup.EXE", Err(Blocked::File)), ("notes.txt", Ok(None)), ("a.exe.txt", Ok(None))]
    {
        assert_eq!(check(&listed, OFFER, &offer(name)), listed_outcome, "{name}");
        assert_eq!(check(&all, OFFER, &offer(name)), Err(Blocked::File), "{name}");
        assert_eq!(check(&off, OFFER, &offer(name)), Ok(None), "{name}");
    }
    let answer = "Invitation-Command: ACCEPT\r\nInvitation-Cookie: 1\r\n";
    assert_eq!(check(&all, OFFER, answer), Ok(None));
}

#[test]
fn links_around_the_parts_are_not_let_through() {
    let filter = links("action = \"allow\"");
    for body in [
        "http://a.test\r\n--b\r\n\r\nx\r\n--b--",
        "--b\r\nX: http://a.test\r\n\r\nx\r\n--b--",
        "--b\r\n\r\nx\r\n--b--\r\nhttp://a.test",
    ] {
        assert_eq!(check(&filter, ALTERNATIVE, body), Err(Blocked::Unreadable), "{body}");
    }
}

/// A long text of many beginnings takes as long for each octet as a short one: each octet is read
/// a bounded number of times, or this would take minutes.
#[test]
fn time_grows_with_the_length_of_the_message_alone() {
    let filter = filter(
        "[policy.a.file_filter]\naction = \"listed\"\n[policy.a.im_filter]\naction = \"allow\"\n\
         ignore_local = false\n",
    );
    let limits = Limits { links_per_message_max: usize::MAX, ..Limits::default() };
    for piece in ["http://", "href= ", "www.a,", "::::", "....", "====", "&#104;", "=   ", "www"] {
        let body = piece.repeat((1 << 18) / piece.len());
        for content_type in [&b"text/plain"[..], b"text/html"] {
            filter.check(Some(content_type), body.as_bytes(), &limits);
        }
    }
}

const FRAGMENTS: &[&str] = &[
    "http:",
    "//",
    "www.",
    "a",
    ".exe",
    "href",
    "=",
    " ",
    "_",
    "\"",
    "'",
    "<",
    ">",
    ",",
    "/",
    "&#",
    "58;",
    "&colon;",
    "sip:",
    ".",
    "%2e",
    "\r\n",
    "--b",
    "--",
    "Content-Type: text/html",
    "Application-File: ",
    "\u{e4}",
    "?",
    "(",
    "ftp.",
    "intranet",
    "\t",
];

proptest! {
    #[test]
    fn any_octets_are_let_through_changed_or_refused(
        pieces in vec(proptest::sample::select(FRAGMENTS), 0..32)
    ) {
        fuzz::im_filter(pieces.concat().as_bytes());
        fuzz::im_filter(format!("--b\r\n{}\r\n--b--", pieces.concat()).as_bytes());
    }

    #[test]
    fn any_octets_at_all_do_no_harm(octets in vec(any::<u8>(), 0..256)) {
        fuzz::im_filter(&octets);
    }
}
