//! Members of conferences who speak pager mode: what they say comes as a MESSAGE outside any dialog
//! to the conference's address, and by saying something they join. What is for them goes through their
//! home, as any pager-mode message does.

use super::Shard;
use super::forward;
use super::frame::conference::{Join, Page};
use super::frame::{Frame, Origin, Pager};
use super::operation::Asker;
use super::relay::Purpose;
use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, ConnId, SessionId};
use crate::base::time::Now;
use crate::dialect::conference_uri::{self, ConferenceUri};
use crate::dialect::reject::Reject;
use crate::dialect::{speech, text};
use crate::immcu::conference::{Accepts, Input, Leaving, LegKind, Reach, Speech};
use crate::metrics::names::Series;
use crate::wire::sip::Message;

impl Shard {
    /// Takes a MESSAGE to a conference outside any dialog from the user signed in on `conn`.
    pub(super) fn page_received(&mut self, conn: ConnId, message: Message<'_>, uri: ConferenceUri) {
        let (ConferenceUri::Focus(organiser, conference)
        | ConferenceUri::Chat(organiser, conference)) = uri
        else {
            return self.reject(conn, message, Reject::MethodNotAllowed);
        };
        if !self.serves(&organiser) {
            return self.reject(conn, message, Reject::UnknownDomain);
        }
        if self.requires_more(message) {
            return self.reject(conn, message, Reject::BadExtension);
        }
        if forward::hops_left(message).is_none() {
            return self.reject(conn, message, Reject::TooManyHops);
        }
        if text::is_signal(message.content_type()) {
            return self.respond(conn, message, 200, |writer| writer.finish());
        }
        let Some(who) = self.pager_place(conn, message) else { return };
        let first = Some(Page { conn, request: self.keep(message) });
        self.join_pager(conference, organiser, who, None, first, None);
    }

    /// A user whose clients speak pager mode joins: by what he says, or by an invitation.
    pub(super) fn join_pager(
        &mut self,
        conference: ConferenceId,
        organiser: Aor,
        who: Aor,
        asked_by: Option<Aor>,
        first: Option<Page>,
        summons: Option<SessionId>,
    ) {
        let home = who.home(self.shards);
        let join = Join {
            conference,
            organiser,
            reach: Reach::Pager(who.clone()),
            who,
            name: None,
            kind: LegKind::Chat,
            endpoint: Box::default(),
            accepts: Accepts::default(),
            asked_by,
            first,
            summons,
        };
        self.send_frame(home, Frame::Join(Box::new(join)));
    }

    /// Carries what was said to a member in pager mode.
    pub(super) fn page_member(&mut self, now: Now, id: ConferenceId, to: Aor, speech: &Speech) {
        let number = speech.number;
        let limits = &self.settings.limits;
        let Some(written) = speech::render(speech, Accepts::default(), limits) else {
            return self.paged(now, id, to, number, 415);
        };
        let Some(organiser) =
            self.conferences.get(id).map(|entry| entry.machine.description().organiser.clone())
        else {
            return;
        };
        let purpose = Purpose::Paged { conference: id, member: to.clone(), number };
        let Some(relay) = self.reserve_relay(now, None, None, purpose) else {
            return self.paged(now, id, to, number, 503);
        };
        let page = conference_uri::page(&organiser, id);
        let (content_type, body) = (&written.content_type, &written.body);
        let request = self.pager_request(relay, &page, to.as_str(), content_type, body);
        self.counters.count(Series::ConferenceDeliveries);
        let (home, from) = (to.home(self.shards), speech.author.clone());
        let pager = Pager { from, to, origin: Origin::Relay(relay), request };
        self.send_frame(home, Frame::Pager(Box::new(pager)));
    }

    /// What became of a message for a member in pager mode.
    pub(super) fn paged(
        &mut self,
        now: Now,
        id: ConferenceId,
        member: Aor,
        number: u64,
        status: u16,
    ) {
        if (200..300).contains(&status) {
            return;
        }
        self.counters.count(Series::ConferenceUndelivered);
        let reach = Reach::Pager(member);
        let word = Input::Undelivered { reach: reach.clone(), number, status };
        self.conference(now, id, word, Asker::Nobody);
        if status == 603 {
            // He has no dialog to say goodbye in: to decline is his way to leave.
            let how = Leaving::Bye;
            self.conference(now, id, Input::Left { reach, how }, Asker::Nobody);
        }
    }

    /// A member in pager mode has no endpoint any more. One that was lost with a message on its
    /// way, or that refuses it, says nothing about the others that he has.
    pub(super) fn pager_gone(&mut self, now: Now, id: ConferenceId, member: Aor) {
        let (reach, how) = (Reach::Pager(member), Leaving::Gone);
        self.conference(now, id, Input::Left { reach, how }, Asker::Nobody);
    }
}
