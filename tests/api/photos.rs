//! Pictures of users: uploaded, drawn anew, and fetched by those who may see them.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use super::client::Application;
use crate::outside::api::API;
use crate::outside::endpoint::Endpoint;
use crate::outside::eventually;
use crate::outside::server::Server;

const PHOTO: &str = "/v1/users/alice@example.test/photo";

fn picture(width: u32, height: u32, colour: [u8; 3], format: ImageFormat) -> Vec<u8> {
    let picture = DynamicImage::from(RgbImage::from_pixel(width, height, Rgb(colour)));
    let mut octets = Vec::new();
    picture.write_to(&mut Cursor::new(&mut octets), format).unwrap();
    octets
}

/// A JPEG that says where it was taken.
fn told(mut jpeg: Vec<u8>) -> Vec<u8> {
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0\0\0\0\0taken at home";
    let len = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    jpeg.splice(2..2, [&[0xff, 0xe1], &len[..], exif].concat());
    jpeg
}

fn size(octets: &[u8]) -> (u32, u32) {
    assert_eq!(image::guess_format(octets).unwrap(), ImageFormat::Jpeg);
    let picture = image::load_from_memory(octets).unwrap();
    (picture.width(), picture.height())
}

#[test]
fn a_picture_is_drawn_anew_and_seen_by_those_whose_level_shows_it() {
    let server = Server::serve(API);
    let desk = Application::new(&server, "desk", "help-desk", "colleagues");
    let stranger = Application::new(&server, "stranger", "read", "everybody");
    assert_eq!(desk.get(PHOTO).problem(), (404, "no-such-photo".to_owned()));
    let file = told(picture(1200, 600, [200, 30, 30], ImageFormat::Jpeg));
    assert_eq!(desk.carry("PUT", PHOTO, "", &file).0.status, 204);

    let (answer, large) = desk.carry("GET", PHOTO, "", b"");
    assert_eq!((answer.status, size(&large)), (200, (648, 324)));
    assert_eq!(answer.headers["content-type"], "image/jpeg");
    assert!(!large.windows(4).any(|part| part == b"home" || part == b"Exif"));
    let tag = &answer.headers["etag"];
    assert_eq!(tag.len(), 66, "{tag}");
    let known = desk.carry("GET", PHOTO, &format!("If-None-Match: {tag}\r\n"), b"");
    assert_eq!((known.0.status, known.1.len()), (304, 0));
    assert_eq!(size(&desk.carry("GET", &format!("{PHOTO}?size=small"), "", b"").1), (96, 48));
    assert_eq!(stranger.get(PHOTO).problem(), (404, "no-such-photo".to_owned()));
    assert_eq!(stranger.carry("PUT", PHOTO, "", &file).0.problem().0, 403);

    // Who has the hash has seen the picture.
    let hash = tag.trim_matches('"');
    let anybody = Application::with_token(&server, "");
    let (answer, octets) = anybody.carry("GET", &format!("/v1/photos/{hash}"), "", b"");
    assert_eq!((answer.status, octets == large), (200, true));
    assert!(answer.headers["cache-control"].contains("immutable"));

    assert_eq!(desk.ask("DELETE", PHOTO, "", "").status, 204);
    assert_eq!(desk.get(PHOTO).problem().0, 404);
    assert_eq!(anybody.get(&format!("/v1/photos/{hash}")).problem().0, 404);
    let nobody = "/v1/users/zoe@example.test/photo";
    assert_eq!(desk.carry("PUT", nobody, "", &file).0.problem(), (404, "no-such-user".to_owned()));
}

#[test]
fn what_is_refused_leaves_the_old_picture() {
    let server = Server::serve(&format!(
        "{API}[limits]\nphoto_bytes_max = 4000\nphoto_pixels_max = 10000\n"
    ));
    let desk = Application::new(&server, "desk", "help-desk", "colleagues");
    let old = picture(40, 30, [1, 200, 1], ImageFormat::Png);
    assert_eq!(desk.carry("PUT", PHOTO, "", &old).0.status, 204);
    let (_, kept) = desk.carry("GET", PHOTO, "", b"");

    let whole = picture(90, 90, [9, 9, 9], ImageFormat::Jpeg);
    let mut bomb = picture(2, 2, [9, 9, 9], ImageFormat::Png);
    bomb.truncate(16);
    // The size, and what stands behind it with its check: all that is read of it.
    bomb.extend_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 8, 2, 0, 0, 0]);
    bomb.extend_from_slice(&crc32(&bomb[12..]).to_be_bytes());
    bomb.extend_from_slice(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    for (file, refusal) in [
        (&b"GIF89a\x01\0\x01\0\0\0\0;"[..], (415, "unsupported-picture")),
        (b"", (415, "unsupported-picture")),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", (415, "unsupported-picture")),
        (&whole[..60], (422, "unfit")),
        (&picture(101, 100, [1, 1, 1], ImageFormat::Png), (422, "unfit")),
        (&bomb, (422, "unfit")),
        (&[&b"\xff\xd8\xff"[..], &[0; 4000]].concat(), (413, "body-too-long")),
    ] {
        let (answer, _) = desk.carry("PUT", PHOTO, "Content-Type: image/png\r\n", file);
        assert_eq!(answer.problem(), (refusal.0, refusal.1.to_owned()));
        assert!(desk.carry("GET", PHOTO, "", b"").1 == kept, "the old one stays");
    }
    for (limit, hits) in [("photo_bytes_max", 1.0), ("photo_pixels_max", 2.0)] {
        let series = format!("mynah_limit_hits_total{{limit=\"{limit}\"}}");
        server.wait_metric(&series, |value| value == hits);
    }
}

fn crc32(octets: &[u8]) -> u32 {
    !octets.iter().fold(!0, |mut crc, octet| {
        crc ^= u32::from(*octet);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
        }
        crc
    })
}

#[test]
fn the_card_says_where_the_picture_is() {
    let text = format!("{API}url = \"https://im.example.test:8443/\"\n");
    let server = Server::serve(&text);
    let desk = Application::new(&server, "desk", "help-desk", "colleagues");
    let mut bob = Endpoint::tcp(&server, "bob");
    let file = picture(40, 30, [1, 200, 1], ImageFormat::Png);
    assert_eq!(desk.carry("PUT", PHOTO, "", &file).0.status, 204);
    let (answer, _) = desk.carry("GET", PHOTO, "", b"");
    let hash = answer.headers["etag"].trim_matches('"').to_owned();
    let url = format!("https://im.example.test:8443/v1/photos/{hash}");
    eventually("the card of alice", || {
        let contact = bob.contact();
        let lines = format!(
            "Event: presence\r\nAccept: application/pidf+xml\r\nExpires: 0\r\n\
             Contact: {contact}\r\n"
        );
        let answer = bob.ask("SUBSCRIBE", "alice", &lines, "");
        assert_eq!(answer.status(), 200, "{}", answer.head);
        let notice = bob.answer("NOTIFY", 200, "");
        let body = String::from_utf8(notice.body).unwrap();
        if body.contains(&url) { Ok(()) } else { Err(body) }
    });
}
