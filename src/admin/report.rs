//! Answers to operators as they leave the server: plain text and numbers, in JSON. The command
//! line reads them back. Times are RFC 3339 in UTC.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wording;
use crate::contacts::{Contact, Group};
use crate::presence::aggregate::Aggregate;
use crate::presence::container::Container;
use crate::presence::publication::Publication;
use crate::shard::question;

/// A contact list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactsReport {
    /// The number of the list; 0 when nothing was ever kept of it.
    pub number: u32,
    /// Groups by number.
    pub groups: Vec<GroupReport>,
    /// Contacts by address.
    pub contacts: Vec<ContactReport>,
}

/// A group of contacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupReport {
    /// Its number.
    pub id: u32,
    /// Its name; `~` is that of "Other Contacts".
    pub name: String,
}

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactReport {
    /// Whom it names.
    pub address: String,
    /// What the user calls him; empty for the name on his own card.
    pub name: String,
    /// Numbers of the groups it is in.
    pub groups: Vec<u32>,
    /// Whether the user wants to see his presence.
    pub subscribed: bool,
}

/// A presence document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceReport {
    /// The aggregated state.
    pub state: StateReport,
    /// The endpoints.
    pub endpoints: Vec<EndpointReport>,
    /// All that is published, by key.
    pub publications: Vec<PublicationReport>,
    /// Access levels, by number.
    pub containers: Vec<ContainerReport>,
    /// Who added the user.
    pub subscribers: Vec<SubscriberReport>,
    /// What the watcher asked about would see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<SeenReport>,
}

/// A state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateReport {
    /// How available, on the numeric scale.
    pub availability: u32,
    /// The band of the scale: `busy`.
    pub class: String,
    /// The token of the activity, or its text.
    pub activity: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// Subject of the meeting.
    pub meeting_subject: Option<String>,
    /// Place of the meeting.
    pub meeting_location: Option<String>,
    /// When an endpoint was last touched.
    pub last_active: Option<String>,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointReport {
    /// Its connection, as in the log.
    pub connection: String,
    /// `tls` or `tcp`.
    pub transport: String,
    /// `ms` or `simple`.
    pub dialect: String,
    /// The device.
    pub epid: Option<String>,
    /// What it calls itself.
    pub user_agent: Option<String>,
    /// Seconds until it must register again.
    pub expires_s: u32,
}

/// A publication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicationReport {
    /// Its category.
    pub category: String,
    /// Its number.
    pub instance: u32,
    /// The container it stands in.
    pub container: u32,
    /// Its version.
    pub version: u32,
    /// `static`, `endpoint` and its connection, `user`, or `until` and a time.
    pub life: String,
    /// When it was published.
    pub published: String,
    /// What it says, in a few words; empty when only clients understand it.
    pub text: String,
}

/// An access level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerReport {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Rises with each change of the members.
    pub version: u32,
    /// Addresses, `domain` and its name, or a class of people.
    pub members: Vec<String>,
}

/// Somebody who added the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriberReport {
    /// Who.
    pub address: String,
    /// The user has seen it.
    pub acknowledged: bool,
}

/// What a watcher sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenReport {
    /// Who.
    pub watcher: String,
    /// The container that decides.
    pub level: u32,
    /// Its name.
    pub level_name: String,
    /// The state, if any.
    pub state: Option<StateReport>,
    /// The card in a few words, a field each.
    pub card: Vec<String>,
    /// Notes.
    pub notes: Vec<String>,
    /// Category and instance of all else.
    pub others: Vec<String>,
}

/// Who watches a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchersReport {
    /// The subscriptions, those that are told the same together.
    pub watchers: Vec<WatcherReport>,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatcherReport {
    /// Whose.
    pub address: String,
    /// What he sees is what this container sees.
    pub level: u32,
    /// Its name.
    pub level_name: String,
    /// `same_enterprise`, `federated` or `public_cloud`.
    pub relation: String,
    /// Whether the user has him as a contact.
    pub is_contact: bool,
    /// `categories` or `pidf`.
    pub format: String,
    /// Which, as in the log.
    pub subscription: String,
}

impl From<&question::Contacts> for ContactsReport {
    fn from(list: &question::Contacts) -> Self {
        ContactsReport {
            number: list.number,
            groups: list.groups.iter().map(GroupReport::from).collect(),
            contacts: list.contacts.iter().map(ContactReport::from).collect(),
        }
    }
}

impl From<&Group> for GroupReport {
    fn from(group: &Group) -> Self {
        GroupReport { id: group.id.number(), name: group.name.to_string() }
    }
}

impl From<&Contact> for ContactReport {
    fn from(contact: &Contact) -> Self {
        ContactReport {
            address: contact.address.to_string(),
            name: contact.name.to_string(),
            groups: contact.groups.iter().map(|id| id.number()).collect(),
            subscribed: contact.subscribed,
        }
    }
}

impl From<&question::Presence> for PresenceReport {
    fn from(presence: &question::Presence) -> Self {
        let subscriber = |(user, acknowledged): &(_, bool)| SubscriberReport {
            address: format!("{user}"),
            acknowledged: *acknowledged,
        };
        PresenceReport {
            state: (&presence.state).into(),
            endpoints: presence.endpoints.iter().map(EndpointReport::from).collect(),
            publications: presence.publications.iter().map(PublicationReport::from).collect(),
            containers: presence.containers.iter().map(ContainerReport::from).collect(),
            subscribers: presence.subscribers.iter().map(subscriber).collect(),
            seen: presence.seen.as_ref().map(SeenReport::from),
        }
    }
}

impl From<&Aggregate> for StateReport {
    fn from(state: &Aggregate) -> Self {
        StateReport {
            availability: state.availability.0,
            class: wording::class(state.availability).to_owned(),
            activity: state.activity.as_ref().map(wording::activity),
            location: state.location.as_ref().map(ToString::to_string),
            meeting_subject: state.meeting_subject.as_ref().map(ToString::to_string),
            meeting_location: state.meeting_location.as_ref().map(ToString::to_string),
            last_active: state.last_active.map(|second| utc(second.saturating_mul(1000))),
        }
    }
}

impl From<&question::Endpoint> for EndpointReport {
    fn from(endpoint: &question::Endpoint) -> Self {
        EndpointReport {
            connection: wording::token(&endpoint.conn.token()),
            transport: wording::transport(endpoint.transport).to_owned(),
            dialect: wording::dialect(endpoint.dialect).to_owned(),
            epid: endpoint.epid.as_ref().map(ToString::to_string),
            user_agent: endpoint.user_agent.as_ref().map(ToString::to_string),
            expires_s: endpoint.expires_s,
        }
    }
}

impl From<&Publication> for PublicationReport {
    fn from(publication: &Publication) -> Self {
        PublicationReport {
            category: publication.key.category.name().to_owned(),
            instance: publication.key.instance,
            container: publication.key.container.0,
            version: publication.version,
            life: wording::life(publication.life),
            published: utc(publication.published_ms),
            text: wording::meaning(&publication.payload.meaning),
        }
    }
}

impl From<&Container> for ContainerReport {
    fn from(container: &Container) -> Self {
        ContainerReport {
            id: container.id.0,
            name: wording::level(container.id).to_owned(),
            version: container.version,
            members: container.members.iter().map(wording::member).collect(),
        }
    }
}

impl From<&question::Seen> for SeenReport {
    fn from(seen: &question::Seen) -> Self {
        SeenReport {
            watcher: seen.watcher.to_string(),
            level: seen.level.0,
            level_name: wording::level(seen.level).to_owned(),
            state: seen.state.as_ref().map(StateReport::from),
            card: seen.card.as_ref().map(wording::card).unwrap_or_default(),
            notes: seen.notes.iter().map(wording::note).collect(),
            others: seen
                .others
                .iter()
                .map(|(category, instance)| format!("{} {instance}", category.name()))
                .collect(),
        }
    }
}

impl From<&[question::Watcher]> for WatchersReport {
    fn from(watchers: &[question::Watcher]) -> Self {
        let watcher = |watcher: &question::Watcher| WatcherReport {
            address: watcher.watcher.to_string(),
            level: watcher.level.0,
            level_name: wording::level(watcher.level).to_owned(),
            relation: wording::relation(watcher.relation).to_owned(),
            is_contact: watcher.is_contact,
            format: wording::format(watcher.format).to_owned(),
            subscription: wording::token(&watcher.subscription.token()),
        };
        WatchersReport { watchers: watchers.iter().map(watcher).collect() }
    }
}

/// A time that people read, to the second.
pub(super) fn utc(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms / 1000).ok().and_then(|s| Timestamp::from_second(s).ok());
    time.unwrap_or(Timestamp::MAX).to_string()
}
