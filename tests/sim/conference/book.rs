//! What was said in conferences, by whom, and who heard it: checked as it comes, and as a whole in
//! `verdict`.

use std::collections::{BTreeMap, BTreeSet};

use mynah::base::ids::ConnId;

use crate::harness::DOMAIN;
use crate::stage::{USERS, uri};

/// What is said is told to who joins for so many milliseconds.
const RECENT_MS: u64 = 40_000;

/// A moment: how many things had happened, and the network's clock.
pub type Moment = (u64, u64);

/// A conference there is, or was.
pub struct Hall {
    pub id: String,
    pub organiser: usize,
    pub focus: String,
    pub chat: String,
    pub page: String,
}

/// Where a member hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Lync client's dialog with the IMMCU.
    Lync,
    /// A standard client's dialog with the focus.
    Standard,
    /// All endpoints of a user, outside any dialog.
    Pager,
}

/// How a leg ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The client said goodbye, or refused what it was told in a way that means the same.
    Left,
    /// Its connection was lost.
    Lost,
    /// The server said goodbye, or refused to let it in.
    Released,
}

/// A leg for messages, from the moment it was asked for.
#[derive(Debug)]
pub struct Leg {
    pub hall: usize,
    pub user: usize,
    pub kind: Kind,
    /// When it was asked for; `None` when that was not by the member.
    pub asked: Option<Moment>,
    pub opened: Option<Moment>,
    pub closed: Option<(Moment, Close)>,
    /// What came, in order.
    pub heard: Vec<Heard>,
    /// How the devices answered it in time.
    pub answers: BTreeMap<usize, Vec<u16>>,
    /// What its member was told that it did not reach whom.
    pub reports: BTreeSet<(usize, usize)>,
}

/// Something that came, on which device and on which of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    pub said: usize,
    pub device: usize,
    pub ear: ConnId,
}

/// A text.
#[derive(Debug)]
pub struct Said {
    pub words: String,
    pub hall: usize,
    pub author: usize,
    pub leg: usize,
    /// The connection on which he said it.
    pub mouth: ConnId,
    pub sent: Moment,
    /// The answer, and when.
    pub answer: Option<(Moment, u16)>,
    pub number: Option<u64>,
    /// When it was known to have been said.
    pub known: Option<Moment>,
}

/// Somebody orders that somebody else is put out, or everybody (`None`).
#[derive(Debug)]
struct Cut {
    from: u64,
    /// When he was answered.
    until: Option<u64>,
    hall: usize,
    user: Option<usize>,
}

/// Everything that is known.
#[derive(Default)]
pub struct Book {
    clock: u64,
    pub halls: Vec<Hall>,
    pub legs: Vec<Leg>,
    pub said: Vec<Said>,
    words: BTreeMap<String, usize>,
    numbers: BTreeMap<(usize, u64), usize>,
    /// When somebody may have been put out of a conference, or everybody out of it.
    cuts: Vec<Cut>,
    /// When somebody may have left with his last leg.
    partings: Vec<(u64, usize, usize)>,
    /// When the server began to go down.
    pub down: Option<u64>,
    /// After so many records the process died.
    pub died: Option<usize>,
    /// Users who write in pager mode.
    pub pagers: Vec<usize>,
    last: BTreeMap<(usize, ConnId, ConnId), usize>,
}

impl Leg {
    /// True if it was heard here.
    pub fn has_heard(&self, said: usize) -> bool {
        self.heard.iter().any(|heard| heard.said == said)
    }

    /// The same on that device.
    fn has_on(&self, said: usize, device: usize) -> bool {
        self.heard.iter().any(|heard| (heard.said, heard.device) == (said, device))
    }
}

impl Book {
    /// Now.
    pub fn now(&mut self, ms: u64) -> Moment {
        self.clock += 1;
        (self.clock, ms)
    }

    /// A conference is asked for.
    pub fn hall(&mut self, id: String, organiser: usize) -> usize {
        let (focus, chat) = (
            super::words::uri(USERS[organiser], "focus", &id),
            super::words::uri(USERS[organiser], "chat", &id),
        );
        let page = super::words::page(USERS[organiser], &id);
        self.halls.push(Hall { id, organiser, focus, chat, page });
        self.halls.len() - 1
    }

    /// The conference whose members in pager mode are written to from this address.
    pub fn paging(&self, uri: &str) -> Option<usize> {
        self.halls.iter().position(|hall| hall.page == uri)
    }

    /// The conference of a focus or chat URI.
    pub fn hall_of(&self, uri: &str) -> usize {
        let is_of = |hall: &Hall| hall.focus == uri || hall.chat == uri;
        self.halls.iter().position(is_of).unwrap_or_else(|| panic!("{uri} is no conference"))
    }

    /// A leg is asked for.
    pub fn ask(&mut self, hall: usize, user: usize, kind: Kind, asked: Option<Moment>) -> usize {
        self.legs.push(Leg {
            hall,
            user,
            kind,
            asked,
            opened: None,
            closed: None,
            heard: Vec::new(),
            answers: BTreeMap::new(),
            reports: BTreeSet::new(),
        });
        self.legs.len() - 1
    }

    /// A leg is there.
    pub fn open(&mut self, leg: usize, at: Moment) {
        self.legs[leg].opened.get_or_insert(at);
    }

    /// A leg is over.
    pub fn close(&mut self, leg: usize, at: Moment, how: Close) {
        self.legs[leg].closed.get_or_insert((at, how));
    }

    /// The leg by which a user hears in pager mode, as far as is known.
    pub fn pager(&mut self, hall: usize, user: usize) -> usize {
        let is_his = |leg: &Leg| {
            (leg.hall, leg.user, leg.kind) == (hall, user, Kind::Pager) && leg.closed.is_none()
        };
        match self.legs.iter().rposition(is_his) {
            Some(leg) => leg,
            None => self.ask(hall, user, Kind::Pager, None),
        }
    }

    /// Nobody knows whether a user is still in by pager mode.
    pub fn doubt_pager(&mut self, user: usize, at: Moment) {
        for leg in &mut self.legs {
            if leg.user == user && leg.kind == Kind::Pager {
                leg.closed.get_or_insert((at, Close::Lost));
            }
        }
    }

    /// Somebody is to be put out, or everybody.
    pub fn cut(&mut self, at: Moment, hall: usize, user: Option<usize>) -> usize {
        self.cuts.push(Cut { from: at.0, until: None, hall, user });
        self.cuts.len() - 1
    }

    /// Whoever ordered that has his answer: from now on, or as if it never had been, it is done.
    pub fn done(&mut self, cut: usize, at: Moment, status: u16) {
        let cut = &mut self.cuts[cut];
        cut.until = Some(if (400..500).contains(&status) { 0 } else { at.0 });
    }

    /// The first time from `since` on at which he may have been put out.
    pub fn first_cut(&self, hall: usize, user: usize, since: u64) -> Option<u64> {
        let of = |cut: &&Cut| {
            let his = cut.hall == hall && cut.user.is_none_or(|who| who == user);
            his && cut.until.is_none_or(|until| until > since)
        };
        self.cuts.iter().filter(of).map(|cut| cut.from).chain(self.down).min()
    }

    /// Somebody may have left, and what he was told has ended.
    pub fn part(&mut self, at: Moment, hall: usize, user: usize) {
        self.partings.push((at.0, hall, user));
    }

    /// True if somebody may have been out since.
    pub fn was_out(&self, hall: usize, user: usize, since: u64) -> bool {
        let parted = |p: &(u64, usize, usize)| p.0 > since && (p.1, p.2) == (hall, user);
        self.first_cut(hall, user, since).is_some() || self.partings.iter().any(parted)
    }

    /// How many dialogs for messages a user has, as far as his clients know.
    pub fn open_legs(&self, hall: usize, user: usize) -> usize {
        let is_open = |leg: &&Leg| {
            let his = (leg.hall, leg.user) == (hall, user) && leg.kind != Kind::Pager;
            his && leg.opened.is_some() && leg.closed.is_none()
        };
        self.legs.iter().filter(is_open).count()
    }

    /// True if its member ever had another leg there.
    pub fn has_other(&self, leg: usize) -> bool {
        let here = &self.legs[leg];
        let mut all = self.legs.iter().enumerate();
        all.any(|(other, there)| other != leg && (there.hall, there.user) == (here.hall, here.user))
    }

    /// A member says something on a leg.
    pub fn say(&mut self, words: &str, leg: usize, mouth: ConnId, at: Moment) {
        let Leg { hall, user, .. } = self.legs[leg];
        let words = words.to_owned();
        assert!(self.words.insert(words.clone(), self.said.len()).is_none());
        let author = user;
        self.said.push(Said {
            words,
            hall,
            author,
            leg,
            mouth,
            sent: at,
            answer: None,
            number: None,
            known: None,
        });
    }

    /// The author is answered; the number is that of an acceptance.
    pub fn answered(&mut self, words: &str, at: Moment, status: u16, number: Option<u64>) {
        let index = self.words[words];
        let said = &mut self.said[index];
        assert!(said.answer.is_none(), "{words:?} is answered twice");
        said.answer = Some((at, status));
        said.number = number;
        let Some(number) = number else {
            assert!(said.known.is_none(), "{words:?} was refused with {status} and carried");
            return;
        };
        said.known.get_or_insert(at);
        let hall = said.hall;
        let before = self.numbers.insert((hall, number), index);
        assert_eq!(before, None, "two are number {number}");
    }

    /// Something was heard: whoever said it meant this leg, and it comes once and in order.
    pub fn heard(
        &mut self,
        leg: usize,
        (device, ear): (usize, ConnId),
        words: &str,
        from: &str,
        at: Moment,
    ) -> usize {
        let index = *self.words.get(words).unwrap_or_else(|| panic!("nobody said {words:?}"));
        let said = &mut self.said[index];
        let here = &self.legs[leg];
        assert_eq!(said.hall, here.hall, "{words:?} was said elsewhere");
        let author = [uri(said.author), format!("{}@{DOMAIN}", USERS[said.author])];
        assert!(author.iter().any(|known| known == from), "{words:?} is by {author:?}");
        if let Some((_, status)) = said.answer {
            assert!(status < 300, "{words:?} was refused with {status}");
        }
        let known = *said.known.get_or_insert(at);
        let by = &self.legs[said.leg];
        let same = said.leg == leg
            || (by.user, by.kind, here.kind) == (here.user, Kind::Pager, Kind::Pager);
        assert!(!same, "{words:?} came back to {leg}: {here:?}");
        assert!(!here.has_on(index, device), "{words:?} came twice on {leg}");
        if let Some(asked) = here.asked {
            let is_recent = known.1 + RECENT_MS > asked.1;
            assert!(is_recent, "{words:?} of {known:?} was told to who came at {asked:?}");
        }
        self.check_twice(leg, device, index, known);
        let key = (leg, ear, self.said[index].mouth);
        let last = self.last.insert(key, index);
        assert!(last < Some(index), "{words:?} came out of order: {last:?}");
        self.legs[leg].heard.push(Heard { said: index, device, ear });
        index
    }

    /// Who hears something on two legs had both when it was said.
    fn check_twice(&self, leg: usize, device: usize, index: usize, known: Moment) {
        let here = &self.legs[leg];
        for (other, there) in self.legs.iter().enumerate() {
            let his = (there.hall, there.user) == (here.hall, here.user);
            if other == leg || !his || !there.has_heard(index) {
                continue;
            }
            let words = &self.said[index].words;
            for one in [here, there] {
                let came_later = one.asked.is_some_and(|asked| asked.0 > known.0);
                assert!(!came_later, "{words:?} of {known:?} twice: {here:?} and {there:?}");
            }
            if (here.kind, there.kind) == (Kind::Pager, Kind::Pager) {
                assert!(!there.has_on(index, device), "{words:?} twice in pager mode");
            }
        }
    }

    /// A device answered something that it heard.
    pub fn replied(&mut self, leg: usize, said: usize, status: u16) {
        self.legs[leg].answers.entry(said).or_default().push(status);
    }

    /// A member is told that something he said did not reach somebody.
    pub fn reported(&mut self, leg: usize, number: u64, recipient: &str) {
        let hall = self.legs[leg].hall;
        let said = *self.numbers.get(&(hall, number)).expect("a number that he was told");
        assert_eq!(self.said[said].leg, leg, "{:?} is none of his", self.said[said]);
        let who = (0..USERS.len()).find(|user| uri(*user) == recipient).expect("one of us");
        assert_ne!(who, self.said[said].author);
        let again = !self.legs[leg].reports.insert((said, who));
        assert!(!again, "{:?} is reported twice for {recipient}", self.said[said]);
    }
}
