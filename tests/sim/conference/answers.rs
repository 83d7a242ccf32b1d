//! What a client does with the answers to its requests.

use super::agent::{Agent, Party, Phase, Sent, Talk};
use super::book::{Book, Close};
use super::seat::Seat;
use crate::harness::{PASSWORD, Request, Text};
use crate::stage::{Stage, uri};

impl Agent {
    pub(super) fn answered(&mut self, stage: &mut Stage, book: &mut Book, answer: &Text) {
        let key = (answer.header("Call-ID").to_owned(), answer.header("CSeq").to_owned());
        assert!(self.waiting.contains_key(&key), "{self} did not ask: {answer:?}");
        let status = answer.status();
        if status < 200 {
            return;
        }
        let wrong = [400, 405, 406, 415, 420, 489, 500, 501];
        assert!(!wrong.contains(&status), "{self} {:?}: {answer:?}", self.waiting[&key]);
        let at = book.now(stage.net.now.mono_ms);
        let sent = self.waiting.remove(&key).expect("it was there");
        match sent {
            Sent::Register => self.knocked(stage, book, answer),
            Sent::Invite(request, peer) => self.invited(stage, &request, peer, answer),
            Sent::Text(text) => stage.oracle.answered(&text, status),
            Sent::Convene(hall) => self.convened(stage, book, hall, status),
            Sent::Summon(request) => self.acknowledge(stage, &request, answer),
            Sent::Focus(request, hall) => self.at_focus(stage, book, &request, hall, answer),
            Sent::Chat(request, hall, leg) => {
                self.in_chat(stage, book, &request, (hall, leg), answer)
            }
            Sent::Watch(hall) => self.watches(stage, book, hall, answer),
            Sent::Say(words, leg) => {
                let number = (status < 300).then(|| answer.header("Message-Id"));
                let number = number.map(|number| number.parse().expect("a number"));
                book.answered(&words, at, status, number);
                if number.is_some() {
                    book.open(leg, at);
                }
            }
            Sent::Order(cut) => cut.into_iter().for_each(|cut| book.done(cut, at, status)),
            Sent::Other => {}
        }
    }

    fn knocked(&mut self, stage: &mut Stage, book: &mut Book, answer: &Text) {
        match answer.status() {
            401 | 407 => {
                let again = self.client.register();
                let again = self.client.prove(again, answer, PASSWORD);
                self.ask(stage, again, Sent::Register);
            }
            200 => {
                self.client.note_gruu(answer);
                self.phase = Phase::In;
                for hall in std::mem::take(&mut self.heading) {
                    self.come(stage, book, hall);
                }
            }
            _ => self.phase = Phase::Out,
        }
    }

    fn invited(&mut self, stage: &mut Stage, invite: &Request, peer: usize, answer: &Text) {
        if answer.status() >= 300 {
            return self.acknowledge(stage, invite, answer);
        }
        let dialog = self.client.dialog(invite, answer);
        let ack = self.client.ack(&dialog);
        self.send(stage, &ack);
        self.talks.push(Talk { dialog, peer, open: true });
    }

    /// An invitation to a conference makes no dialog that goes on.
    fn acknowledge(&mut self, stage: &mut Stage, invite: &Request, answer: &Text) {
        let ack = match answer.status() {
            200..300 => {
                let dialog = self.client.dialog(invite, answer);
                self.client.ack(&dialog)
            }
            _ => self.client.acknowledge(invite, answer),
        };
        self.send(stage, &ack);
    }

    fn convened(&mut self, stage: &mut Stage, book: &mut Book, hall: usize, status: u16) {
        let Some(Party { talk, mut guests }) = self.plans.remove(&hall).filter(|_| status == 200)
        else {
            return;
        };
        guests.extend(talk.as_ref().map(|(_, peer)| *peer));
        self.seats.insert(hall, Seat { talk, guests, ..Seat::default() });
        self.join(stage, book, hall);
    }

    fn at_focus(
        &mut self,
        stage: &mut Stage,
        book: &mut Book,
        invite: &Request,
        hall: usize,
        answer: &Text,
    ) {
        let seat = self.seats.get_mut(&hall).expect("it asked for one");
        seat.focus.asked = false;
        if answer.status() >= 300 {
            seat.refused = true;
            return self.acknowledge(stage, invite, answer);
        }
        let dialog = self.client.leg(invite, answer);
        let ack = self.client.ack(&dialog);
        seat.focus.dialog = Some(dialog);
        self.send(stage, &ack);
        self.go_on(stage, book, hall);
    }

    fn in_chat(
        &mut self,
        stage: &mut Stage,
        book: &mut Book,
        invite: &Request,
        (hall, leg): (usize, usize),
        answer: &Text,
    ) {
        let at = book.now(stage.net.now.mono_ms);
        let seat = self.seats.get_mut(&hall).expect("it asked for one");
        seat.chat.asked = false;
        if answer.status() >= 300 {
            seat.refused = true;
            book.close(leg, at, Close::Released);
            return self.acknowledge(stage, invite, answer);
        }
        let dialog = self.client.leg(invite, answer);
        let ack = self.client.ack(&dialog);
        seat.chat.dialog = Some(dialog);
        book.open(leg, at);
        self.send(stage, &ack);
        self.go_on(stage, book, hall);
    }

    fn watches(&mut self, stage: &mut Stage, book: &mut Book, hall: usize, answer: &Text) {
        let me = uri(self.user);
        let seat = self.seats.get_mut(&hall).expect("it asked for one");
        let Some(watch) = seat.watch.as_mut() else { return };
        if watch.call_id != answer.header("Call-ID") {
            return;
        }
        if answer.status() != 200 {
            seat.watch = None;
            return;
        }
        watch.accepted = true;
        watch.until_ms = stage.net.now.mono_ms + 3_000_000;
        if answer.has("ms-piggyback-cseq") {
            let number = answer.header("ms-piggyback-cseq").parse().expect("a number");
            watch.take(number, answer.body());
            stage.tell(format_args!("{me} sees {:?}", watch.roster));
        }
        self.go_on(stage, book, hall);
    }
}
