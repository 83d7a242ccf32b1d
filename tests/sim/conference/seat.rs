//! What a client has of one conference: how far it has come in, its dialogs and what it was told.

use super::roster::Roster;
use crate::harness::Dialog;

/// A dialog, from the INVITE on.
#[derive(Debug, Default)]
pub struct Line {
    pub asked: bool,
    pub dialog: Option<Dialog>,
}

impl Line {
    /// True if it stands.
    pub fn is_open(&self) -> bool {
        self.dialog.is_some()
    }

    /// True if it could be asked for.
    pub fn is_free(&self) -> bool {
        !self.asked && self.dialog.is_none()
    }
}

/// A subscription to the roster.
#[derive(Debug)]
pub struct Watch {
    pub call_id: String,
    /// Since this moment, and until these milliseconds.
    pub since: u64,
    pub until_ms: u64,
    pub accepted: bool,
    /// A notification was refused, or not answered in time.
    pub doubtful: bool,
    pub roster: Roster,
    last: u32,
}

impl Watch {
    /// One that was just asked for.
    pub fn new(call_id: String, since: u64) -> Self {
        let roster = Roster::default();
        Watch { call_id, since, until_ms: 0, accepted: false, doubtful: false, roster, last: 0 }
    }

    /// Takes what it is told under this number.
    pub fn take(&mut self, number: u32, body: &str) {
        assert!(number > self.last, "notification {number} after {}", self.last);
        self.last = number;
        if !body.is_empty() {
            self.roster.take(body);
        }
    }
}

/// A client in a conference.
#[derive(Debug, Default)]
pub struct Seat {
    pub focus: Line,
    pub chat: Line,
    /// The leg of `chat`, from its INVITE on.
    pub leg: usize,
    pub watch: Option<Watch>,
    /// It has been told that there is no way in.
    pub refused: bool,
    /// The conversation that becomes the conference, by Call-ID, and with whom.
    pub talk: Option<(String, usize)>,
    /// Who is to be asked in.
    pub guests: Vec<usize>,
    /// It leaves: no step further.
    pub leaving: bool,
}
