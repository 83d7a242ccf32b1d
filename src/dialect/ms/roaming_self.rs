//! What a user's own Lync endpoints are told of him (MS-PRES, roaming-self).

use super::payload;
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::presence::category::Category;
use crate::presence::container::{ContainerId, Member};
use crate::presence::presentity::Presentity;
use crate::presence::publication::{Life, Publication};
use crate::wire::presence::categories::{self, Own};
use crate::wire::presence::containers::{Member as WireMember, MemberType};
use crate::wire::presence::publish::ExpireType;
pub use crate::wire::presence::roaming_self::MEDIA_TYPE as CONTENT_TYPE;
use crate::wire::presence::roaming_self::{self, Container, Subscriber};
use crate::wire::presence::{Error, categories::Category as WireCategory};
use crate::wire::xml::{Document, Writer};

/// What an endpoint asks for.
pub use crate::wire::presence::roaming_self::Request as RoamingList;

/// Instance of the aggregated state among the user's own.
const AGGREGATE_INSTANCE: u32 = 0;

/// What is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// Publications of these categories; `None` for none. An endpoint forgets those of a category
    /// that are left out, so all are told.
    pub categories: Option<Told<'a>>,
    /// Members of containers.
    pub containers: bool,
    /// Those who added the user.
    pub subscribers: bool,
}

/// Whose publications are told.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// All.
    All,
    /// Those of some categories.
    Of(&'a [Category]),
}

impl<'a> Parts<'a> {
    /// All that an endpoint asked for.
    pub fn of(list: RoamingList) -> Self {
        Parts {
            categories: list.categories.then_some(Told::All),
            containers: list.containers,
            subscribers: list.subscribers,
        }
    }

    /// Publications of some categories.
    pub fn categories(categories: &'a [Category]) -> Self {
        Parts { categories: Some(Told::Of(categories)), ..Parts::default() }
    }

    /// The containers.
    pub fn containers() -> Self {
        Parts { containers: true, ..Parts::default() }
    }

    /// Those who added the user.
    pub fn subscribers() -> Self {
        Parts { subscribers: true, ..Parts::default() }
    }
}

/// Reads what an endpoint asks for.
///
/// # Errors
/// The document breaks the format.
pub fn read(body: &[u8], limits: &Limits) -> Result<RoamingList, Error> {
    let document = Document::parse(body, limits)?;
    roaming_self::read(&document)
}

/// Writes these parts.
pub fn document(now: Now, aor: &str, presentity: &Presentity, parts: Parts<'_>) -> String {
    let mut writer = Writer::new();
    roaming_self::start(&mut writer);
    if let Some(told) = parts.categories {
        let is_told = |category: &Category| match told {
            Told::All => true,
            Told::Of(categories) => categories.contains(category),
        };
        categories::start(&mut writer, &format!("sip:{aor}"));
        for publication in presentity.publications().filter(|p| is_told(&p.key.category)) {
            publication_element(&mut writer, now, publication);
        }
        if is_told(&Category::State) {
            aggregate_element(&mut writer, presentity);
        }
        writer.end();
    }
    if parts.containers {
        let containers: Vec<_> = presentity.containers().collect();
        roaming_self::containers(
            &mut writer,
            containers.iter().map(|container| Container {
                id: container.id.0,
                version: container.version,
                members: container.members.iter().map(member).collect(),
            }),
        );
    }
    if parts.subscribers {
        let subscribers = presentity.subscribers().map(|(user, acknowledged)| Subscriber {
            user: user.as_str(),
            display_name: "",
            acknowledged,
            kind: MemberType::SameEnterprise,
        });
        roaming_self::subscribers(&mut writer, subscribers);
    }
    writer.finish()
}

fn publication_element(writer: &mut Writer, now: Now, publication: &Publication) {
    let Publication { key, version, published_ms, life, payload } = publication;
    let (expire_type, expires) = match life {
        Life::Static => (ExpireType::Static, None),
        Life::Endpoint(_) => (ExpireType::Endpoint, None),
        Life::User => (ExpireType::User, None),
        Life::Until(end) => (ExpireType::Time, Some(end.saturating_sub(now.unix_ms / 1000))),
    };
    let (container, version) = (key.container.0, *version);
    WireCategory {
        name: key.category.name(),
        instance: key.instance,
        publish_time: published_ms / 1000,
        own: Some(Own { container, version, expire_type, expires }),
    }
    .start(writer);
    if payload.source.is_empty() {
        payload::write(writer, &payload.meaning);
    } else {
        writer.raw(&payload.source);
    }
    writer.end();
}

fn aggregate_element(writer: &mut Writer, presentity: &Presentity) {
    let aggregated = presentity.aggregated(ContainerId::SELF_AGGREGATION);
    let container = ContainerId::SELF_AGGREGATION.0;
    let own = Own {
        container,
        version: aggregated.version,
        expire_type: ExpireType::User,
        expires: None,
    };
    WireCategory {
        name: Category::State.name(),
        instance: AGGREGATE_INSTANCE,
        publish_time: aggregated.published_ms / 1000,
        own: Some(own),
    }
    .start(writer);
    payload::write_aggregate(writer, &aggregated.aggregate);
    writer.end();
}

/// A member as it is written.
pub(super) fn member(member: &Member) -> WireMember<'_> {
    let (kind, value) = match member {
        Member::User(aor) => (MemberType::User, aor.as_str()),
        Member::Domain(domain) => (MemberType::Domain, &**domain),
        Member::SameEnterprise => (MemberType::SameEnterprise, ""),
        Member::Federated => (MemberType::Federated, ""),
        Member::PublicCloud => (MemberType::PublicCloud, ""),
        Member::Everyone => (MemberType::Everyone, ""),
    };
    WireMember { kind, value }
}
