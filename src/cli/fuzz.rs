//! Body of the fuzz target `user_import`.

use super::user_import::read;
use crate::base::plain_text::is_plain_text;
use crate::directory::Address;
use crate::store::UserChange;

/// Any file is read, or refused; who is read is somebody the server can serve.
pub fn user_import(data: &[u8]) {
    let Ok(changes) = read(data, None) else { return };
    for change in changes {
        let UserChange::Add(user) = change else { panic!("an import adds") };
        let address = Address::parse(&user.aor).expect("an address");
        assert_eq!(address.as_str(), user.aor);
        assert!(!user.login.is_empty() && !user.login.contains([':', '"']), "{}", user.login);
        assert!(user.person.check().is_ok());
        assert!(is_plain_text(&user.display_name), "{:?}", user.display_name);
    }
}
