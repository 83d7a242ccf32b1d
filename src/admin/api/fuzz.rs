//! Body of the fuzz target `api_request`.

use axum::http::Uri;

use super::problem::{Kind, Problem};
use super::request::{address, json, queries};
use super::users::New;
use crate::auth::api_token::Token;

/// Any octets are read or refused, as whatever they may be taken for; what is refused is told in a
/// document that can be read, and what was read is the same when it is read again.
pub fn request(data: &[u8]) {
    let outcomes = [json::<New>(data).err(), json::<serde_json::Value>(data).err()];
    outcomes.into_iter().flatten().for_each(told);
    let Ok(text) = std::str::from_utf8(data) else { return };
    match address(text) {
        Ok(read) => assert_eq!(address(read.as_str()).ok(), Some(read)),
        Err(problem) => told(problem),
    }
    if let Some(token) = Token::parse(text) {
        assert_eq!(*token.text(), text);
    }
    if let Ok(uri) = text.parse::<Uri>() {
        let names = ["address", "after", "key", "limit", "q"];
        let values = names.map(|name| queries(&uri, name).map(|value| value.len()).sum::<usize>());
        // What is decoded is no longer, but that an octet which is no text becomes one of three.
        assert!(values.iter().sum::<usize>() <= 3 * text.len());
    }
    told(Problem::new(Kind::BadRequest, text));
}

/// The document of a problem says what the problem says.
fn told(problem: Problem) {
    let text = serde_json::to_vec(&problem.document()).expect("a document");
    let read: serde_json::Value = serde_json::from_slice(&text).expect("what is written is JSON");
    assert!(read["title"].is_string() && read["status"].is_u64());
}
