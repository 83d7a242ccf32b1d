//! What a `contactCard` says (MS-PRES section 2.2.2.2), and how much of it each level sees.

use std::sync::Arc;

use super::container::ContainerId;

/// Which telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhoneKind {
    /// At work.
    Work,
    /// In the pocket.
    Mobile,
    /// At home.
    Home,
    /// Any other.
    Other,
}

/// A telephone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// Which.
    pub kind: PhoneKind,
    /// As people read it.
    pub display: Arc<str>,
    /// As machines dial it (`tel:` URI); empty when unknown.
    pub uri: Arc<str>,
}

/// A picture elsewhere on the net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// Where.
    pub uri: Arc<str>,
    /// Its hash, by which a client knows that it has it already.
    pub hash: Arc<str>,
}

/// What there is to know about a person. Empty text means unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// The name other people see.
    pub display_name: Arc<str>,
    /// Mail address.
    pub email: Arc<str>,
    /// Position.
    pub title: Arc<str>,
    /// Enterprise.
    pub company: Arc<str>,
    /// Department.
    pub department: Arc<str>,
    /// Office, as written on its door.
    pub office: Arc<str>,
    /// Telephones.
    pub phones: Vec<Phone>,
    /// Picture.
    pub photo: Option<Photo>,
}

impl Card {
    /// What the members of `container` see (lync-facts 3.3): name and mail address everywhere;
    /// title, company, department, office and picture from 100 on; the work telephone from 200,
    /// the mobile from 300, all others in 400. Who is blocked gets name and mail address.
    pub fn as_seen_in(&self, container: ContainerId) -> Card {
        let level = match container {
            ContainerId::BLOCKED | ContainerId::DEFAULT => 0,
            ContainerId(level) => level,
        };
        let mut card = self.clone();
        if level < ContainerId::PUBLIC.0 {
            card.title = Arc::default();
            card.company = Arc::default();
            card.department = Arc::default();
            card.office = Arc::default();
            card.photo = None;
        }
        card.phones.retain(|phone| {
            level
                >= match phone.kind {
                    PhoneKind::Work => ContainerId::COLLEAGUES.0,
                    PhoneKind::Mobile => ContainerId::WORKGROUP.0,
                    PhoneKind::Home | PhoneKind::Other => ContainerId::FRIENDS.0,
                }
        });
        card
    }

    /// Octets of its texts.
    pub fn octets(&self) -> usize {
        let Card { display_name, email, title, company, department, office, phones, photo } = self;
        let texts = [display_name, email, title, company, department, office];
        let photo = photo.iter().map(|photo| photo.uri.len() + photo.hash.len());
        let phones = phones.iter().map(|phone| phone.display.len() + phone.uri.len());
        texts.iter().map(|text| text.len()).chain(photo).chain(phones).sum()
    }
}
