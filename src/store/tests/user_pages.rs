//! Users are read a page at a time.

use super::{open, user};
use crate::store::{UserChange, UserPage};

#[test]
fn pages_follow_one_another_and_a_text_narrows_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    for name in ["carol", "alice", "bob", "dave"] {
        let mut user = user(&format!("{name}@example.test"), "secret");
        user.set_display_name(if name == "bob" { "Robert ALICESON" } else { "" }).unwrap();
        database.change_user(&UserChange::Add(user)).unwrap();
    }
    let read = |text: &str, after: &str, users_max| {
        let page = UserPage { text: text.to_owned(), after: after.to_owned(), users_max };
        let users = database.users_page(&page).unwrap();
        users.into_iter().map(|user| user.aor.replace("@example.test", "")).collect::<Vec<_>>()
    };
    assert_eq!(read("", "", 3), ["alice", "bob", "carol"]);
    assert_eq!(read("", "carol@example.test", 3), ["dave"]);
    assert_eq!(read("Alice", "", 10), ["alice", "bob"]);
    assert_eq!(read("%", "", 10), [""; 0]);
    assert_eq!(read("'", "", 10), [""; 0]);
}
