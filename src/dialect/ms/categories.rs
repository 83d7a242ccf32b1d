//! What a Lync client is told of somebody it watches: `application/msrtc-event-categories+xml`.

use super::{card, note, state};
use crate::dialect::address::uri;
use crate::presence::aggregate::Aggregate;
use crate::presence::category::{Category, CategorySet};
use crate::presence::publication::{Meaning, Payload};
use crate::presence::state::Availability;
use crate::presence::view::{Content, Item, STATE_INSTANCE, View};
use crate::wire::presence::categories;
use crate::wire::xml::Writer;

pub use crate::wire::presence::categories::CONTENT_TYPE;

/// Octets that hold most documents.
const USUAL: usize = 4096;

/// What `view` shows of the user `aor`: of each category that is both in `asked` and in `changed`
/// all there is, or that there is nothing.
pub fn document(aor: &str, view: &View<'_>, asked: CategorySet, changed: CategorySet) -> String {
    let told = asked.and(changed);
    let mut writer = Writer::after(String::with_capacity(USUAL));
    categories::start(&mut writer, &uri(aor));
    for item in view.of(told) {
        start(&mut writer, item);
        match &item.content {
            Content::State(aggregate) => state::write(&mut writer, aggregate),
            Content::Card(card) => card::write(&mut writer, card),
            Content::Published(payload) => write_payload(&mut writer, payload),
        }
        writer.end();
    }
    for category in view.cleared(told) {
        match category {
            Category::State => unknown_state(&mut writer, view),
            _ => categories::cleared(&mut writer, category.name(), None),
        }
    }
    writer.finish()
}

fn start(writer: &mut Writer, item: &Item<'_>) {
    categories::Category {
        name: item.category.name(),
        instance: item.instance,
        publish_time: item.published_ms / 1000,
        own: None,
    }
    .start(writer);
}

/// A client takes no notice of a cleared state and would go on showing the last it was told.
/// An availability of 0 is "presence unknown" to it.
fn unknown_state(writer: &mut Writer, view: &View<'_>) {
    let category = categories::Category {
        name: Category::State.name(),
        instance: STATE_INSTANCE,
        publish_time: view.items.first().map_or(0, |item| item.published_ms / 1000),
        own: None,
    };
    category.start(writer);
    state::write(writer, &Aggregate { availability: Availability(0), ..Aggregate::OFFLINE });
    writer.end();
}

/// Writes what was published, as it was published, or else as it would have been.
pub(super) fn write_payload(writer: &mut Writer, payload: &Payload) {
    if !payload.source.is_empty() {
        writer.raw(&payload.source);
        return;
    }
    match &payload.meaning {
        Meaning::State(state) => state::write_statement(writer, state),
        Meaning::Note(note) => note::write(writer, note),
        Meaning::Card(card) => card::write(writer, card),
        Meaning::Opaque => {}
    }
}
