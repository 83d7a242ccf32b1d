//! What a client begins: conversations, conferences, its way into them and out again, what is said
//! and what is ordered.

use super::agent::{Agent, Party, Sent, Talk};
use super::book::{Book, Close, Hall, Kind};
use super::seat::{Line, Watch};
use super::words::{self, Plan};
use crate::stage::{Stage, USERS, uri};

impl Agent {
    /// Does something.
    pub fn act(&mut self, stage: &mut Stage, book: &mut Book) {
        let halls: Vec<usize> = self.seats.keys().copied().collect();
        let open: Vec<usize> = (0..self.talks.len()).filter(|i| self.talks[*i].open).collect();
        match stage.below(100) {
            0..30 if !halls.is_empty() => {
                let hall = halls[stage.index(halls.len())];
                self.say(stage, book, hall);
            }
            30..40 if !open.is_empty() => self.write(stage, &open),
            40..46 if !halls.is_empty() => {
                let hall = halls[stage.index(halls.len())];
                self.go_on(stage, book, hall);
            }
            46..50 if !halls.is_empty() => {
                let hall = halls[stage.index(halls.len())];
                self.type_in(stage, hall);
            }
            50..58 if self.client.ms && open.len() < 2 => self.call(stage),
            58..60 if self.client.ms => {
                let talk = (!open.is_empty() && stage.chance(80))
                    .then(|| open[stage.index(open.len())])
                    .map(|talk| &self.talks[talk])
                    .map(|talk| (talk.dialog.call_id.clone(), talk.peer));
                self.convene(stage, book, talk);
            }
            60..72 => self.drop_in(stage, book),
            72..84 if !halls.is_empty() => {
                let hall = halls[stage.index(halls.len())];
                self.order(stage, book, hall);
            }
            84..87 if !halls.is_empty() => {
                let hall = halls[stage.index(halls.len())];
                self.leave(stage, book, hall);
            }
            87..89 if !open.is_empty() => {
                let talk = open[stage.index(open.len())];
                self.hang_up(stage, talk);
            }
            _ => {}
        }
    }

    /// Begins a conversation.
    fn call(&mut self, stage: &mut Stage) {
        let peer = somebody(stage, self.user);
        let request = self.client.invite(USERS[peer]);
        self.ask(stage, request.clone(), Sent::Invite(request, peer));
    }

    /// Writes some texts in a conversation.
    fn write(&mut self, stage: &mut Stage, open: &[usize]) {
        let talk = open[stage.index(open.len())];
        for _ in 0..=stage.below(3) {
            let text = stage.text();
            let talk = &mut self.talks[talk];
            let stream = format!("{:?} {}", self.client.conn, talk.dialog.call_id);
            stage.oracle.wrote(&text, self.user, talk.peer, stream);
            let request = self.client.say(&mut talk.dialog, &text);
            self.ask(stage, request, Sent::Text(text));
        }
    }

    fn hang_up(&mut self, stage: &mut Stage, talk: usize) {
        let talk = &mut self.talks[talk];
        talk.open = false;
        let request = self.client.within(&mut talk.dialog, "BYE");
        self.ask(stage, request, Sent::Other);
    }

    /// Asks for a conference: to go on in with who it talks to, or to begin with.
    fn convene(&mut self, stage: &mut Stage, book: &mut Book, talk: Option<(String, usize)>) {
        let plan = plan(stage);
        let id = format!("{:016X}{:016X}", stage.below(u64::MAX), stage.below(u64::MAX));
        let hall = book.hall(id.clone(), self.user);
        let guests = (0..stage.below(3)).map(|_| somebody(stage, self.user)).collect();
        self.plans.insert(hall, Party { talk, guests });
        let request =
            self.client.order_of(&words::factory(USERS[self.user]), &words::convene(&id, plan));
        self.ask(stage, request, Sent::Convene(hall));
    }

    /// Comes to a conference it has heard of.
    fn drop_in(&mut self, stage: &mut Stage, book: &mut Book) {
        if !book.halls.is_empty() {
            let late = book.halls.len().min(3);
            let hall = book.halls.len() - 1 - stage.index(late);
            self.come(stage, book, hall);
        }
    }

    /// Comes to a conference in its way.
    pub fn come(&mut self, stage: &mut Stage, book: &mut Book, hall: usize) {
        match self.is_pager(book) {
            true => self.page(stage, book, hall),
            false => self.join(stage, book, hall),
        }
    }

    /// Wants in, or in again.
    pub fn join(&mut self, stage: &mut Stage, book: &mut Book, hall: usize) {
        let seat = self.seats.entry(hall).or_default();
        (seat.refused, seat.leaving) = (false, false);
        self.go_on(stage, book, hall);
    }

    /// Takes the next step of its way into a conference, if it is not waiting for an answer.
    pub fn go_on(&mut self, stage: &mut Stage, book: &mut Book, hall: usize) {
        let Some(seat) = self.seats.get(&hall) else { return };
        if self.asleep || seat.refused || seat.leaving || !stage.chance(85) {
            return;
        }
        let me = uri(self.user);
        if self.client.ms && seat.focus.is_free() {
            return self.enter(stage, book, hall);
        }
        if self.client.ms && !seat.focus.is_open() {
            return;
        }
        let knows = seat.watch.as_ref().is_some_and(|watch| watch.accepted);
        if seat.watch.is_none() && (self.client.ms || seat.chat.is_open()) {
            return self.watch_roster(stage, book, hall);
        }
        let sees =
            |who: &str| seat.watch.as_ref().is_some_and(|w| w.roster.people.contains_key(who));
        let waits = seat
            .watch
            .as_ref()
            .and_then(|watch| watch.roster.people.get(&me))
            .is_some_and(|seen| seen.waits);
        if seat.chat.is_free() && (!self.client.ms || knows && sees(&me) && !waits) {
            return self.dial(stage, book, hall);
        }
        if seat.chat.is_open() {
            self.bring_over(stage, hall);
        }
    }

    fn enter(&mut self, stage: &mut Stage, book: &Book, hall: usize) {
        let endpoint = format!("{{{:08X}-0000-4000-8000-{:012X}}}", self.device, self.user);
        let request = self.client.enter(&book.halls[hall].focus, &endpoint);
        self.seats.get_mut(&hall).expect("its own").focus.asked = true;
        self.ask(stage, request.clone(), Sent::Focus(request, hall));
    }

    fn watch_roster(&mut self, stage: &mut Stage, book: &mut Book, hall: usize) {
        let request = self.client.watch_roster(&book.halls[hall].focus);
        let (since, _) = book.now(stage.net.now.mono_ms);
        let watch = Watch::new(request.value("Call-ID").to_owned(), since);
        self.seats.get_mut(&hall).expect("its own").watch = Some(watch);
        self.ask(stage, request, Sent::Watch(hall));
    }

    fn dial(&mut self, stage: &mut Stage, book: &mut Book, hall: usize) {
        let at = book.now(stage.net.now.mono_ms);
        let (to, kind) = match self.client.ms {
            true => (book.halls[hall].chat.clone(), Kind::Lync),
            false => (book.halls[hall].focus.clone(), Kind::Standard),
        };
        let leg = book.ask(hall, self.user, kind, Some(at));
        let request = self.client.dial(&to);
        self.legs.insert(request.value("Call-ID").to_owned(), (leg, None));
        let seat = self.seats.get_mut(&hall).expect("its own");
        (seat.chat.asked, seat.leg) = (true, leg);
        self.ask(stage, request.clone(), Sent::Chat(request, hall, leg));
    }

    /// It is in: now those it talks to are asked in too, and the conversation ends once the
    /// conference carries both; some do not wait for that.
    fn bring_over(&mut self, stage: &mut Stage, hall: usize) {
        let seat = self.seats.get_mut(&hall).expect("its own");
        let chat = seat.chat.dialog.as_ref().expect("it is open");
        let focus = chat.remote.replace(":chat:", ":focus:");
        let guests = std::mem::take(&mut seat.guests);
        let mut over = None;
        if let Some((call_id, peer)) = seat.talk.clone() {
            let carried = seat.watch.as_ref().is_some_and(|w| w.roster.carries(&uri(peer)));
            if carried || stage.chance(20) {
                seat.talk = None;
                over = Some(call_id);
            }
        }
        for guest in guests {
            let request = self.client.summon(USERS[guest], &focus);
            self.ask(stage, request.clone(), Sent::Summon(request));
        }
        let open = |talk: &Talk| talk.open && Some(&talk.dialog.call_id) == over.as_ref();
        if let Some(talk) = self.talks.iter().position(open) {
            self.hang_up(stage, talk);
        }
    }

    /// Says some things in a conference.
    fn say(&mut self, stage: &mut Stage, book: &mut Book, hall: usize) {
        if self.is_pager(book) {
            return self.page(stage, book, hall);
        }
        for _ in 0..=stage.below(3) {
            let at = book.now(stage.net.now.mono_ms);
            let seat = self.seats.get_mut(&hall).expect("its own");
            let Some(dialog) = &mut seat.chat.dialog else { return };
            let text = stage.text();
            book.say(&text, seat.leg, self.client.conn, at);
            let request = self.client.speak(dialog, &text);
            let sent = Sent::Say(text, seat.leg);
            self.ask(stage, request, sent);
        }
    }

    /// Says something in pager mode, by which it is in.
    fn page(&mut self, stage: &mut Stage, book: &mut Book, hall: usize) {
        let at = book.now(stage.net.now.mono_ms);
        self.seats.entry(hall).or_default();
        let text = stage.text();
        let leg = book.pager(hall, self.user);
        book.say(&text, leg, self.client.conn, at);
        let Hall { chat, page, .. } = &book.halls[hall];
        let to = if stage.chance(80) { page.clone() } else { chat.clone() };
        let request = self.client.request("MESSAGE", &to).body("text/plain", &text);
        self.ask(stage, request, Sent::Say(text, leg));
    }

    fn type_in(&mut self, stage: &mut Stage, hall: usize) {
        let seat = self.seats.get_mut(&hall).expect("its own");
        let Some(dialog) = &mut seat.chat.dialog else { return };
        let request = self.client.type_on(dialog);
        self.ask(stage, request, Sent::Other);
    }

    /// Leaves with all it has there, or with a part of it.
    fn leave(&mut self, stage: &mut Stage, book: &mut Book, hall: usize) {
        let whole = stage.chance(70);
        let seat = self.seats.get_mut(&hall).expect("its own");
        seat.leaving = true;
        let at = book.now(stage.net.now.mono_ms);
        book.part(at, hall, self.user);
        if whole {
            self.give_up(stage, book, hall);
        }
        let seat = self.seats.get_mut(&hall).expect("its own");
        if let Some(mut dialog) = seat.chat.dialog.take() {
            seat.chat = Line::default();
            let request = self.client.within(&mut dialog, "BYE");
            let call_id = dialog.call_id.clone();
            self.ask(stage, request, Sent::Other);
            self.lose_leg(stage, book, &call_id, Close::Left);
        }
    }

    /// Ends what it is told of the roster, and its leg with the focus.
    pub fn give_up(&mut self, stage: &mut Stage, book: &Book, hall: usize) {
        let seat = self.seats.get_mut(&hall).expect("its own");
        let focus = seat.focus.dialog.take();
        if let Some(watch) = &mut seat.watch {
            watch.doubtful = true;
        }
        if !self.client.ms {
            return;
        }
        seat.watch = None;
        let request = self.client.watch_roster(&book.halls[hall].focus).with("Expires", "0");
        self.ask(stage, request, Sent::Other);
        if let Some(mut dialog) = focus {
            let request = self.client.within(&mut dialog, "BYE");
            self.ask(stage, request, Sent::Other);
        }
    }

    /// True if its user writes in pager mode.
    fn is_pager(&self, book: &Book) -> bool {
        !self.client.ms && book.pagers.contains(&self.user)
    }

    /// Orders something of a conference.
    fn order(&mut self, stage: &mut Stage, book: &mut Book, hall: usize) {
        let me = uri(self.user);
        let roster = self.seats[&hall].watch.as_ref().map(|watch| &watch.roster);
        let presents = roster.and_then(|roster| roster.people.get(&me)).is_some_and(|m| m.presents);
        // The others try, and may not.
        if !presents && stage.chance(75) {
            return self.say(stage, book, hall);
        }
        let at = book.now(stage.net.now.mono_ms);
        let focus = book.halls[hall].focus.clone();
        let other = somebody(stage, self.user);
        let who = uri(other);
        if !self.client.ms {
            return self.refer_on(stage, book, hall, other);
        }
        let role = ["presenter", "attendee"][stage.index(2)];
        let mut cut = None;
        let operation = match stage.below(21) {
            0..5 => words::set_role(&focus, &who, role),
            5..7 => words::lock(&focus, true),
            7..11 => words::lock(&focus, false),
            11..14 => {
                cut = Some(book.cut(at, hall, Some(other)));
                words::eject(&focus, &who)
            }
            14..16 if other != self.user => words::add_user(&focus, &who, role, ""),
            16..18 => {
                let let_in = stage.chance(75);
                cut = (!let_in).then(|| book.cut(at, hall, Some(other)));
                words::admit(&focus, &who, let_in)
            }
            18 => {
                let request = self.client.summon(USERS[other], &focus);
                return self.ask(stage, request.clone(), Sent::Summon(request));
            }
            19 if stage.chance(30) => words::look(&focus),
            19 if stage.chance(40) => words::modify(&focus, plan(stage)),
            _ if stage.chance(40) => {
                cut = Some(book.cut(at, hall, None));
                words::end(&focus)
            }
            _ => return,
        };
        let seat = self.seats.get_mut(&hall).expect("its own");
        let request = match &mut seat.focus.dialog {
            Some(dialog) if stage.chance(80) => self.client.order_on(dialog, &operation),
            _ => self.client.order_of(&focus, &operation),
        };
        self.ask(stage, request, Sent::Order(cut));
    }

    fn refer_on(&mut self, stage: &mut Stage, book: &mut Book, hall: usize, other: usize) {
        let at = book.now(stage.net.now.mono_ms);
        let seat = self.seats.get_mut(&hall).expect("its own");
        let Some(dialog) = &mut seat.chat.dialog else { return };
        let out = stage.chance(30);
        let cut = out.then(|| book.cut(at, hall, Some(other)));
        let request = self.client.refer_on(dialog, USERS[other], out);
        self.ask(stage, request, Sent::Order(cut));
    }
}

/// How somebody wants his conference.
fn plan(stage: &mut Stage) -> Plan {
    Plan { scheduled: stage.chance(15), closed: stage.chance(20), lobby: stage.chance(40) }
}

/// Anybody, seldom the user himself.
fn somebody(stage: &mut Stage, user: usize) -> usize {
    let users = stage.users;
    let other = stage.index(users);
    if other == user && stage.chance(90) { (other + 1) % users } else { other }
}
