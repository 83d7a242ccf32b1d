//! `mynah contacts`

use anyhow::Result;
use clap::Args;

use super::inquiry::{Inquiry, columns};
use super::text::one_line;
use crate::admin::report::ContactsReport;
use crate::contacts::ContactList;
use crate::shard::question;
use crate::store::Database;

/// `mynah contacts`
#[derive(Args, Debug)]
pub struct Contacts {
    #[command(flatten)]
    inquiry: Inquiry,
}

impl Contacts {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let user = self.inquiry.user.as_str();
        let report = match self.inquiry.ask(&format!("/contacts/{user}"))? {
            Some(report) => report,
            None => stored(&self.inquiry.database()?, user)?,
        };
        self.inquiry.print(&report, table)
    }
}

/// What the database keeps.
fn stored(database: &Database, user: &str) -> Result<ContactsReport> {
    let mut list = ContactList::default();
    for row in database.contact_rows(user)? {
        list.restore(row);
    }
    Ok((&question::Contacts::from(&list)).into())
}

fn table(report: &ContactsReport) -> String {
    let count = report.contacts.len();
    let mut text = format!("contacts  {count}, list number {}\n", report.number);
    text += "groups\n";
    let groups: Vec<_> =
        report.groups.iter().map(|group| [group.id.to_string(), group.name.clone()]).collect();
    text += &columns(["ID", "NAME"], &groups);
    if count > 0 {
        text += "contacts\n";
    }
    let contacts: Vec<_> = report
        .contacts
        .iter()
        .map(|contact| {
            let names = contact.groups.iter().map(|id| name_of(report, *id));
            let watched = if contact.subscribed { "watched" } else { "not watched" };
            [
                contact.address.clone(),
                contact.name.clone(),
                watched.to_owned(),
                names.collect::<Vec<_>>().join(", "),
            ]
        })
        .collect();
    text + &columns(["ADDRESS", "NAME", "PRESENCE", "GROUPS"], &contacts)
}

fn name_of(report: &ContactsReport, id: u32) -> String {
    let group = report.groups.iter().find(|group| group.id == id);
    group.map_or_else(|| id.to_string(), |group| one_line(&group.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::report::{ContactReport, GroupReport};

    #[test]
    fn a_list_shows_who_is_in_which_group() {
        let report = ContactsReport {
            number: 7,
            groups: vec![
                GroupReport { id: 1, name: "~".to_owned() },
                GroupReport { id: 2, name: "Birds".to_owned() },
            ],
            contacts: vec![ContactReport {
                address: "bob@example.test".to_owned(),
                name: "Bob".to_owned(),
                groups: vec![1, 2],
                subscribed: true,
            }],
        };
        assert_eq!(
            table(&report),
            "\
contacts  1, list number 7
groups
  ID  NAME
  1   ~
  2   Birds
contacts
  ADDRESS           NAME  PRESENCE  GROUPS
  bob@example.test  Bob   watched   ~, Birds
"
        );
    }
}
