//! The call detail record of a conference: from its first member in to its end, with a visit for
//! each time a member was in.

use super::Shard;
use super::conference::ConferenceEntry;
use crate::base::aor::Aor;
use crate::base::ids::ConferenceId;
use crate::base::time::Now;
use crate::immcu::conference::{Ending, Parting, Role};
use crate::metrics::names::Series;
use crate::records::{
    self, ConferenceDeparted, ConferenceEnd, ConferenceEnded, ConferenceEntered, ConferenceStarted,
    Record, RecordId, VisitEnd,
};

impl Shard {
    /// The first member is in.
    pub(super) fn conference_started(&mut self, now: Now, id: ConferenceId) {
        let record = RecordId::new(now.unix_ms, &mut self.seed);
        let Some(entry) = self.conferences.get_mut(id) else { return };
        entry.record = Some(record);
        let description = entry.machine.description();
        let started = ConferenceStarted {
            id: record,
            conference: id,
            organiser: description.organiser.as_str().to_owned(),
            subject: description.subject.to_string(),
            scheduled: description.scheduled,
            start_unix_ms: now.unix_ms,
        };
        self.counters.count(Series::ConferencesStarted);
        self.record(Record::ConferenceStarted(started));
    }

    /// A member came in.
    pub(super) fn entered(&mut self, now: Now, id: ConferenceId, who: Aor, role: Role) {
        let visit = RecordId::new(now.unix_ms, &mut self.seed);
        let Some(entry) = self.conferences.get_mut(id) else { return };
        let Some(record) = entry.record else { return };
        let member = who.as_str().to_owned();
        entry.visits.push((who, visit));
        let (role, unix_ms) = (role.into(), now.unix_ms);
        let entered = ConferenceEntered { id: record, visit, member, role, unix_ms };
        self.record(Record::ConferenceEntered(entered));
        self.conference_members = self.conference_members.saturating_add(1);
        self.counters.set(Series::ConferenceMembersCurrent, self.conference_members);
    }

    /// A member has gone.
    pub(super) fn departed(
        &mut self,
        now: Now,
        id: ConferenceId,
        who: &Aor,
        messages: u64,
        how: Parting,
    ) {
        let Some(entry) = self.conferences.get_mut(id) else { return };
        let Some(at) = entry.visits.iter().position(|(known, _)| known == who) else { return };
        let (_, visit) = entry.visits.swap_remove(at);
        let end = VisitEnd { end_unix_ms: now.unix_ms, messages, parting: how.into() };
        self.record(Record::ConferenceDeparted(ConferenceDeparted { visit, end }));
        self.conference_members = self.conference_members.saturating_sub(1);
        self.counters.set(Series::ConferenceMembersCurrent, self.conference_members);
    }

    /// A conference is over. One that nobody joined leaves no record.
    pub(super) fn record_ended(&mut self, now: Now, entry: &ConferenceEntry, ending: Ending) {
        let (Some(id), Some(ending)) = (entry.record, in_record(ending)) else { return };
        let end = ConferenceEnd {
            end_unix_ms: now.unix_ms,
            messages: entry.machine.messages(),
            peak: u32::try_from(entry.machine.peak()).unwrap_or(u32::MAX),
            ending,
        };
        self.record(Record::ConferenceEnded(ConferenceEnded { id, end }));
    }
}

impl From<Role> for records::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Attendee => records::Role::Attendee,
            Role::Presenter => records::Role::Presenter,
        }
    }
}

impl From<Parting> for records::Parting {
    fn from(parting: Parting) -> Self {
        match parting {
            Parting::Bye => records::Parting::Bye,
            Parting::ConnectionLost => records::Parting::ConnectionLost,
            Parting::Unresponsive => records::Parting::Unresponsive,
            Parting::Gone => records::Parting::Gone,
            Parting::Ejected => records::Parting::Ejected,
            Parting::Ended => records::Parting::Ended,
        }
    }
}

/// The ending as it stands in the record; `None` for a conference that nobody joined, which has
/// none.
fn in_record(ending: Ending) -> Option<records::ConferenceEnding> {
    Some(match ending {
        Ending::Abandoned => return None,
        Ending::Deleted => records::ConferenceEnding::Deleted,
        Ending::Drained => records::ConferenceEnding::Drained,
        Ending::Expired => records::ConferenceEnding::Expired,
        Ending::LastLeft => records::ConferenceEnding::LastLeft,
        Ending::Operator => records::ConferenceEnding::Operator,
    })
}
