//! What must have become of every word once all is quiet: it reached who was in from before it was
//! said until after, or its author knows that it did not.

use std::collections::BTreeMap;

use mynah::base::ids::ConnId;

use super::book::{Book, Close, Kind, Leg, Said};
use crate::stage::USERS;

/// What is said is told to who joins for so many milliseconds, and so many messages of it.
const RECENT_MS: u64 = 40_000;
const RECENT_MAX: usize = 50;

impl Book {
    /// Checks everything that was said. Bounds that are `tight` may keep words from members: then
    /// the author knows.
    pub fn judge(&self, tight: bool) {
        for (index, said) in self.said.iter().enumerate() {
            if said.number.is_some() {
                self.judge_one(index, said, tight);
            }
        }
        self.legs.iter().for_each(|leg| self.judge_order(leg));
        if !tight && self.down.is_none() {
            self.legs.iter().for_each(|leg| self.judge_recall(leg));
        }
    }

    /// Texts that were accepted, and how many times they were heard.
    pub fn counts(&self) -> (usize, usize) {
        let said = self.said.iter().filter(|said| said.number.is_some()).count();
        (said, self.legs.iter().map(|leg| leg.heard.len()).sum())
    }

    /// Whoever took it on a leg that he has to the end was reached.
    fn judge_report(&self, index: usize, said: &Said, who: usize) {
        for leg in self.legs.iter().filter(|leg| (leg.hall, leg.user) == (said.hall, who)) {
            let had = leg.opened.is_some_and(|opened| opened.0 < said.sent.0);
            let took = leg.answers.get(&index).is_some_and(|all| all.iter().any(|s| *s < 300));
            let stays = leg.closed.is_none() && leg.kind != Kind::Pager;
            assert!(!(had && took && stays), "{said:?} reached {} after all", USERS[who]);
        }
    }

    fn judge_one(&self, index: usize, said: &Said, tight: bool) {
        let author = &self.legs[said.leg];
        let is_told = author.closed.is_none()
            && author.kind == Kind::Lync
            && self.first_cut(said.hall, said.author, said.sent.0).is_none();
        let answered = said.answer.map_or(u64::MAX, |(at, _)| at.0);
        for (_, who) in author.reports.iter().filter(|(said, _)| *said == index) {
            self.judge_report(index, said, *who);
        }
        for (user, name) in USERS.iter().enumerate() {
            let his: Vec<&Leg> =
                self.legs.iter().filter(|leg| (leg.hall, leg.user) == (said.hall, user)).collect();
            let heard = his.iter().any(|leg| leg.has_heard(index));
            let reported = author.reports.contains(&(index, user));
            // Whoever says goodbye is not asked what he has read; and when somebody was put out who
            // reads too little, he does not know.
            let is_vague = |leg: &Leg| match leg.closed {
                Some((_, how)) => tight || how == Close::Left,
                None => false,
            };
            for leg in his.iter().filter(|leg| !is_vague(leg)) {
                let was_in = leg.opened.is_some_and(|opened| opened.0 < said.sent.0)
                    && answered < self.until(leg)
                    && !std::ptr::eq(*leg, author);
                if !was_in
                    || user == said.author && (leg.closed.is_some() || leg.kind == Kind::Pager)
                {
                    continue;
                }
                let stays = leg.closed.is_none() && leg.kind != Kind::Pager;
                let own = leg.has_heard(index);
                assert!(own || !stays || tight, "{said:?} did not reach {name} on {leg:?}");
                if leg.kind == Kind::Pager && leg.closed.is_some() {
                    continue;
                }
                let fine = heard || reported || !is_told || user == said.author;
                assert!(fine, "{said:?} neither reached {name} nor is that reported: {leg:?}");
                self.judge_silent(index, said, &his, is_told && stays && !reported);
            }
        }
    }

    /// Who answered nothing, or no, was not reached: the author knows.
    fn judge_silent(&self, index: usize, said: &Said, his: &[&Leg], unreported: bool) {
        if !unreported || his.iter().any(|leg| leg.user == said.author) {
            return;
        }
        let mut had = his.iter().filter(|leg| leg.has_heard(index));
        // Whoever left after it had come may have read it.
        let is_silent = had.clone().next().is_some()
            && had.all(|leg| {
                let answers = leg.answers.get(&index).map(Vec::as_slice).unwrap_or_default();
                let left = leg.closed.is_some_and(|(_, how)| how != Close::Lost);
                !left && leg.kind != Kind::Pager && answers.iter().all(|status| *status >= 300)
            });
        assert!(!is_silent, "{said:?} had no 2xx and is not reported: {his:?}");
    }

    /// Until when a leg is there for sure.
    fn until(&self, leg: &Leg) -> u64 {
        let since = leg.asked.or(leg.opened).map_or(0, |at| at.0);
        let cut = self.first_cut(leg.hall, leg.user, since);
        let closed = leg.closed.map(|(at, _)| at.0);
        cut.into_iter().chain(closed).min().unwrap_or(u64::MAX)
    }

    /// Numbers rise on each leg.
    fn judge_order(&self, leg: &Leg) {
        let mut last: BTreeMap<ConnId, u64> = BTreeMap::new();
        for heard in &leg.heard {
            let Some(number) = self.said[heard.said].number else { continue };
            let before = last.insert(heard.ear, number).unwrap_or(0);
            assert!(before < number, "number {number} after {before} on {leg:?}");
        }
    }

    /// Who comes is told what was said of late.
    fn judge_recall(&self, leg: &Leg) {
        let (Some(asked), Some(opened)) = (leg.asked, leg.opened) else { return };
        if leg.closed.is_some() || self.until(leg) != u64::MAX {
            return;
        }
        let his = |other: &&Leg| {
            (other.hall, other.user) == (leg.hall, leg.user) && !std::ptr::eq(*other, leg)
        };
        for (index, said) in self.said.iter().enumerate().filter(|(_, s)| s.hall == leg.hall) {
            let Some((answered, _)) = said.answer.filter(|_| said.number.is_some()) else {
                continue;
            };
            let author = &self.legs[said.leg];
            // A leg that was lost before its answer came may have been told instead.
            let apart = |other: &Leg| match other.asked {
                None => false,
                Some(asked) => {
                    asked.0 > opened.0
                        || other.opened.is_some()
                            && other.closed.is_some_and(|(at, _)| at.0 < said.sent.0)
                }
            };
            let since = self.said.iter().filter(|later| {
                later.hall == leg.hall
                    && later.sent.0 < opened.0
                    && later.number.is_none_or(|number| Some(number) > said.number)
            });
            let is_due = said.author != leg.user
                && answered.0 < asked.0
                && said.sent.1 + RECENT_MS > opened.1
                && since.count() < RECENT_MAX
                && self.legs.iter().filter(his).all(apart)
                && author.closed.is_none()
                && author.kind == Kind::Lync;
            let came = leg.has_heard(index) || author.reports.contains(&(index, leg.user));
            assert!(came || !is_due, "{said:?} was not told to {leg:?}");
        }
    }
}
