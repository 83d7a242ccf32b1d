//! A user as Lync clients see him: a view as categories.

use super::payload;
use crate::presence::category::CategorySet;
use crate::presence::view::{Content, Item, View};
pub use crate::wire::presence::categories::MEDIA_TYPE as CONTENT_TYPE;
use crate::wire::presence::categories::{self, Category};
use crate::wire::xml::Writer;

/// Writes those of `categories` that have `changed`: every instance of each, and those of which
/// there is nothing (any more) as cleared.
pub fn document(
    aor: &str,
    view: &View<'_>,
    categories: CategorySet,
    changed: CategorySet,
) -> String {
    let told = categories.and(changed);
    let mut writer = Writer::new();
    categories::start(&mut writer, &format!("sip:{aor}"));
    for item in view.of(told) {
        write(&mut writer, item);
    }
    for category in view.cleared(told) {
        categories::cleared(&mut writer, category.name(), None);
    }
    writer.finish()
}

fn write(writer: &mut Writer, item: &Item<'_>) {
    let category = Category {
        name: item.category.name(),
        instance: item.instance,
        publish_time: item.published_ms / 1000,
        own: None,
    };
    category.start(writer);
    match &item.content {
        Content::State(aggregate) => payload::write_aggregate(writer, aggregate),
        Content::Card(card) => payload::write_card(writer, card),
        Content::Published(published) if published.source.is_empty() => {
            payload::write(writer, &published.meaning);
        }
        Content::Published(published) => {
            writer.raw(&published.source);
        }
    }
    writer.end();
}
