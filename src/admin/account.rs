//! An account as it leaves the server: all that is known of a user but for what proves him.

use serde::Serialize;

use crate::directory::User;

/// An account. The names are those of the columns of `mynah user import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account<'a> {
    /// Address, as in `alice@example.test`.
    pub address: &'a str,
    /// Name for signing in.
    pub login: &'a str,
    /// He may sign in.
    pub enabled: bool,
    /// Name that others see.
    pub display_name: &'a str,
    /// Title.
    pub title: &'a str,
    /// Department.
    pub department: &'a str,
    /// Company.
    pub company: &'a str,
    /// Office.
    pub office: &'a str,
    /// Address for mail.
    pub email: &'a str,
    /// Telephone at work.
    pub phone_work: &'a str,
    /// Mobile telephone.
    pub phone_mobile: &'a str,
    /// Telephone at home.
    pub phone_home: &'a str,
    /// Where his picture is.
    pub photo_url: &'a str,
    /// What tells one picture from another.
    pub photo_hash: &'a str,
    /// The policy he is under.
    pub policy: &'a str,
}

impl<'a> From<&'a User> for Account<'a> {
    fn from(user: &'a User) -> Self {
        let person = &user.person;
        Account {
            address: &user.aor,
            login: &user.login,
            enabled: !user.disabled,
            display_name: &user.display_name,
            title: &person.title,
            department: &person.department,
            company: &person.company,
            office: &person.office,
            email: &person.email,
            phone_work: &person.phone_work,
            phone_mobile: &person.phone_mobile,
            phone_home: &person.phone_home,
            photo_url: &person.photo_url,
            photo_hash: &person.photo_hash,
            policy: user.policy_name(),
        }
    }
}
