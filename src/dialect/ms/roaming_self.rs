//! What a Lync user's own endpoints are told: `application/vnd-microsoft-roaming-self+xml`.
//!
//! A client that finds an instance of a category in it forgets all others of that name, so of
//! each category all instances are told or none.

use super::categories::write_payload;
use super::{members, state};
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::dialect::address::uri;
use crate::presence::category::Category;
use crate::presence::container::ContainerId;
use crate::presence::presentity::Presentity;
use crate::presence::publication::{Life, Publication};
use crate::wire::presence::categories::{self, Own};
use crate::wire::presence::containers::MemberType;
use crate::wire::presence::publish::ExpireType;
use crate::wire::presence::{Error, roaming_self};
use crate::wire::xml::{Document, Writer};

pub use crate::wire::presence::roaming_self::CONTENT_TYPE;
pub use crate::wire::presence::roaming_self::Request as RoamingList;

/// The number of the aggregated state among the user's own.
const AGGREGATE_INSTANCE: u32 = 0;

/// Which parts of a user's own data are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Publications, of some categories or of all.
    pub categories: Option<Which<'a>>,
    /// Members of containers.
    pub containers: bool,
    /// Those who added the user.
    pub subscribers: bool,
}

/// Which categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'a> {
    /// All there are.
    All,
    /// These, also when nothing of them is left.
    Only(&'a [Category]),
}

impl<'a> Parts<'a> {
    /// What an endpoint asked for.
    pub fn of(list: RoamingList) -> Parts<'static> {
        Parts {
            categories: list.categories.then_some(Which::All),
            containers: list.containers,
            subscribers: list.subscribers,
        }
    }

    /// The publications of these categories.
    pub fn categories(categories: &'a [Category]) -> Self {
        Parts { categories: Some(Which::Only(categories)), ..Parts::default() }
    }

    /// The members of all containers.
    pub fn containers() -> Parts<'static> {
        Parts { containers: true, ..Parts::default() }
    }

    /// Those who added the user.
    pub fn subscribers() -> Parts<'static> {
        Parts { subscribers: true, ..Parts::default() }
    }
}

/// Reads what an endpoint asks for.
///
/// # Errors
/// What breaks the form.
pub fn read(body: &[u8], limits: &Limits) -> Result<RoamingList, Error> {
    roaming_self::read(&Document::parse(body, limits)?)
}

/// What `presentity` holds of the user `aor`, for his own endpoints.
pub fn document(now: Now, aor: &str, presentity: &Presentity, parts: Parts<'_>) -> String {
    let mut writer = Writer::new();
    roaming_self::start(&mut writer);
    if let Some(which) = parts.categories {
        categories::start(&mut writer, &uri(aor));
        publications(&mut writer, now, presentity, which);
        writer.end();
    }
    if parts.containers {
        let containers: Vec<_> = presentity.containers().collect();
        let containers = containers.iter().map(|container| roaming_self::Container {
            id: container.id.0,
            version: container.version,
            members: container.members.iter().map(members::write).collect(),
        });
        roaming_self::containers(&mut writer, containers);
    }
    if parts.subscribers {
        roaming_self::subscribers(&mut writer, subscribers(aor, presentity));
    }
    writer.finish()
}

fn publications(writer: &mut Writer, now: Now, presentity: &Presentity, which: Which<'_>) {
    let is_told = |category: &Category| match which {
        Which::All => true,
        Which::Only(categories) => categories.contains(category),
    };
    if is_told(&Category::State) {
        aggregate(writer, presentity, ContainerId::SELF_AGGREGATION);
        aggregate(writer, presentity, ContainerId::TEAM_AGGREGATION);
    }
    let told = || presentity.publications().filter(|one| is_told(&one.key.category));
    told().for_each(|one| publication(writer, now, one));
    let Which::Only(categories) = which else { return };
    for category in categories.iter().filter(|category| **category != Category::State) {
        if !told().any(|one| one.key.category == *category) {
            // A client that is told so without a container forgets its note, whatever the name.
            let container = (*category != Category::Note).then_some(ContainerId::SELF.0);
            categories::cleared(writer, category.name(), container);
        }
    }
}

fn aggregate(writer: &mut Writer, presentity: &Presentity, container: ContainerId) {
    let aggregated = presentity.aggregated(container);
    let own = Own {
        container: container.0,
        version: aggregated.version,
        expire_type: ExpireType::User,
        expires: None,
    };
    categories::Category {
        name: Category::State.name(),
        instance: AGGREGATE_INSTANCE,
        publish_time: aggregated.published_ms / 1000,
        own: Some(own),
    }
    .start(writer);
    state::write(writer, &aggregated.aggregate);
    writer.end();
}

fn publication(writer: &mut Writer, now: Now, publication: &Publication) {
    let (expire_type, expires) = match publication.life {
        Life::Static => (ExpireType::Static, None),
        Life::Endpoint(_) => (ExpireType::Endpoint, None),
        Life::User => (ExpireType::User, None),
        Life::Until(end) => (ExpireType::Time, Some(end.saturating_sub(now.unix_ms / 1000))),
    };
    let own = Own {
        container: publication.key.container.0,
        version: publication.version,
        expire_type,
        expires,
    };
    categories::Category {
        name: publication.key.category.name(),
        instance: publication.key.instance,
        publish_time: publication.published_ms / 1000,
        own: Some(own),
    }
    .start(writer);
    write_payload(writer, &publication.payload);
    writer.end();
}

/// Who added the user. His name is not known here; the address stands for it.
fn subscribers<'a>(
    aor: &'a str,
    presentity: &'a Presentity,
) -> impl Iterator<Item = roaming_self::Subscriber<'a>> {
    let domain = aor.rsplit_once('@').map_or("", |(_, domain)| domain);
    presentity.subscribers().map(move |(user, acknowledged)| roaming_self::Subscriber {
        user: user.as_str(),
        display_name: user.as_str(),
        acknowledged,
        kind: match user.domain() == domain {
            true => MemberType::SameEnterprise,
            false => MemberType::Federated,
        },
    })
}
