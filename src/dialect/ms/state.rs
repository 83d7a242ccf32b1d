//! The category `state` (MS-PRES section 2.2.2.8): what the user's endpoints state, and what is
//! made of it.

use std::sync::Arc;

use crate::presence::aggregate::Aggregate;
use crate::presence::state::{Activity, Availability, State, StateKind};
use crate::wire::presence::Error;
use crate::wire::presence::time::{self, Utc};
use crate::wire::xml::{Element, Writer, XSI};

const NAMESPACE: &str = "http://schemas.microsoft.com/2006/09/sip/state";

/// The end of what has a beginning but no end.
const FOREVER: u64 = u32::MAX as u64;

/// Reads a statement; `None` for one of a kind that is not known, and for one that only the
/// server makes.
pub(super) fn read(element: Element<'_>) -> Result<Option<State>, Error> {
    if !element.is(NAMESPACE, "state") {
        return Err(Error::Value);
    }
    let name = element.attribute_in(XSI, "type").ok_or(Error::Missing)?;
    let name = name.split_once(':').map_or(name, |(_, name)| name);
    let Some((_, kind)) = KINDS.iter().find(|(known, _)| *known == name) else { return Ok(None) };
    let availability = element.child("availability").map(|child| child.text().parse());
    let availability = availability.transpose().map_err(|_| Error::Number)?.unwrap_or(0);
    let text = |name: &str| -> Option<Arc<str>> {
        let text = element.child(name)?.text();
        (!text.is_empty()).then(|| (&*text).into())
    };
    let time = |name: &str| {
        let text = element.attribute(name);
        text.map(|text| time::read(text).ok_or(Error::Value)).transpose()
    };
    let (from, to) = (time("startTime")?, time("endTime")?);
    let has_time = *kind == StateKind::Calendar && (from.is_some() || to.is_some());
    Ok(Some(State {
        kind: *kind,
        manual: element.attribute("manual").is_some_and(|text| matches!(text, "true" | "1")),
        availability: Availability(availability),
        activity: element.child("activity").map(activity).transpose()?,
        location: text("endpointLocation"),
        meeting_subject: text("meetingSubject"),
        meeting_location: text("meetingLocation"),
        last_active: time("lastActive")?,
        valid: has_time.then(|| (from.unwrap_or(0), to.unwrap_or(FOREVER))),
    }))
}

const KINDS: [(&str, StateKind); 4] = [
    ("calendarState", StateKind::Calendar),
    ("machineState", StateKind::Machine),
    ("phoneState", StateKind::Phone),
    ("userState", StateKind::User),
];

fn activity(element: Element<'_>) -> Result<Activity, Error> {
    let custom = element.children().filter(|child| child.is(NAMESPACE, "custom"));
    let custom = custom.map(|custom| {
        let lcid = custom.attribute("LCID").map_or(Ok(0), str::parse).map_err(|_| Error::Number)?;
        Ok((lcid, (&*custom.text()).into()))
    });
    Ok(Activity {
        token: element.attribute("token").unwrap_or_default().into(),
        custom: custom.collect::<Result<_, Error>>()?,
    })
}

/// Writes the aggregated state, as far as the reader may see it.
pub(super) fn write(writer: &mut Writer, aggregate: &Aggregate) {
    start(writer, "aggregateState");
    if let Some(last_active) = aggregate.last_active {
        writer.attribute_of("lastActive", Utc(last_active));
    }
    inner(
        writer,
        aggregate.availability,
        aggregate.activity.as_ref(),
        [&aggregate.location, &aggregate.meeting_subject, &aggregate.meeting_location],
    );
}

/// Writes a statement that did not come in this form.
pub(super) fn write_statement(writer: &mut Writer, state: &State) {
    let name = KINDS.iter().find(|(_, kind)| *kind == state.kind).map_or("", |(name, _)| name);
    start(writer, name);
    writer.attribute_of("manual", state.manual);
    if let Some(last_active) = state.last_active {
        writer.attribute_of("lastActive", Utc(last_active));
    }
    if let Some((from, to)) = state.valid {
        writer.attribute_of("startTime", Utc(from));
        if to < FOREVER {
            writer.attribute_of("endTime", Utc(to));
        }
    }
    inner(
        writer,
        state.availability,
        state.activity.as_ref(),
        [&state.location, &state.meeting_subject, &state.meeting_location],
    );
}

fn start(writer: &mut Writer, kind: &str) {
    writer
        .start("state")
        .attribute("xmlns", NAMESPACE)
        .attribute("xmlns:xsi", XSI)
        .attribute("xsi:type", kind);
}

fn inner(
    writer: &mut Writer,
    availability: Availability,
    activity: Option<&Activity>,
    [location, subject, place]: [&Option<Arc<str>>; 3],
) {
    writer.leaf_of("availability", availability.0);
    if let Some(activity) = activity.filter(|one| !one.token.is_empty() || !one.custom.is_empty()) {
        writer.start("activity");
        if !activity.token.is_empty() {
            writer.attribute("token", &activity.token);
        }
        for (lcid, text) in activity.custom.iter() {
            writer.start("custom");
            if *lcid != 0 {
                writer.attribute_of("LCID", lcid);
            }
            writer.text(text).end();
        }
        writer.end();
    }
    for (name, text) in
        [("endpointLocation", location), ("meetingSubject", subject), ("meetingLocation", place)]
    {
        if let Some(text) = text {
            writer.leaf(name, text);
        }
    }
    writer.end();
}
