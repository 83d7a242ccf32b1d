//! Tokens of the API are kept until they are revoked, by any process.

use super::open;
use crate::auth::api_token::{KeptToken, Role, Token, TokenId};
use crate::store::StoreError;

fn kept(name: &str, token: &Token) -> KeptToken {
    KeptToken {
        id: token.id(),
        name: name.to_owned(),
        role: Role::HelpDesk,
        level: 200,
        hash: token.hash(),
        created_unix_ms: 1_800_000_000_000,
    }
}

#[test]
fn a_token_is_found_by_its_name_for_the_table_until_it_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    // One whose first bit is set: the table counts with signs.
    let token = Token::new(TokenId(u64::MAX - 1), [7; 32]);
    let intranet = kept("intranet", &token);
    database.add_api_token(&intranet).unwrap();
    let desk = kept("desk", &Token::new(TokenId(5), [8; 32]));
    database.add_api_token(&desk).unwrap();

    let other = open(folder.path());
    assert_eq!(other.api_token(token.id()).unwrap(), Some(intranet.clone()));
    assert_eq!(other.api_token(TokenId(6)).unwrap(), None);
    assert_eq!(other.api_tokens().unwrap(), [desk, intranet]);

    database.revoke_api_token("intranet").unwrap();
    assert_eq!(other.api_token(token.id()).unwrap(), None);
    let again = database.revoke_api_token("intranet");
    assert!(matches!(again, Err(StoreError::NoSuchToken(name)) if name == "intranet"));
}

#[test]
fn a_name_is_given_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    database.add_api_token(&kept("intranet", &Token::new(TokenId(1), [1; 32]))).unwrap();
    let second = database.add_api_token(&kept("intranet", &Token::new(TokenId(2), [2; 32])));
    assert!(matches!(second, Err(StoreError::TokenExists(name)) if name == "intranet"));
    assert_eq!(database.api_tokens().unwrap().len(), 1);
}
