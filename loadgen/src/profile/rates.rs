//! What a profile comes to for a number of users.

use super::Profile;
use crate::settings::Dialect;
use std::fmt;

/// Most contacts of a client that subscribes to each on his own: the product allows a user 200
/// subscriptions (MaxSubscriptions), and some are for other things.
const SINGLE_SUBSCRIPTIONS_MAX: u32 = 190;

/// How often something happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// What.
    pub name: &'static str,
    /// How often a second, of all users together.
    pub per_second: f64,
    /// What one is, in the words of the wire.
    pub what: &'static str,
}

/// The rates of a profile, and the rows of the model that it uses and that it does not.
#[derive(Debug)]
pub struct Rates<'a> {
    profile: &'a Profile,
    users: u32,
    scale: f64,
}

impl Profile {
    /// What it comes to for so many users; `scale` is how much faster than its time they are.
    pub fn rates(&self, users: u32, scale: f64) -> Rates<'_> {
        Rates { profile: self, users, scale }
    }

    /// The only flow that the profile has besides renewals, as it is counted by `--rate`, and how
    /// often it happens for one user in an hour; `None` when there are several or none.
    pub fn single(&self) -> Option<(&'static str, f64)> {
        let conferences = self.conferences.as_ref().map(|conferences| conferences.per_hour());
        let messages = self.sessions.map(|one| one.per_hour * f64::from(one.messages));
        let polls: f64 = self.polls.iter().map(|polls| polls.per_hour).sum();
        let flows = [
            ("sign-ins", self.registration.returns_per_hour),
            ("publications", self.publications_per_hour),
            ("polls", polls),
            ("short subscriptions", self.short_subscriptions.map_or(0.0, |short| short.per_hour)),
            ("searches", self.search.map_or(0.0, |search| search.per_hour)),
            ("messages", messages.unwrap_or(0.0)),
            ("conferences", conferences.unwrap_or(0.0)),
        ];
        let mut flows = flows.into_iter().filter(|(_, per_hour)| *per_hour > 0.0);
        let first = flows.next()?;
        flows.next().is_none().then_some(first)
    }

    /// The profile as clients of a dialect can follow it: a SIMPLE client knows no batches, no
    /// directory, no typing in sessions and no conferences of its own.
    pub fn spoken(mut self, dialect: Dialect) -> Profile {
        if dialect == Dialect::Ms {
            return self;
        }
        let why = || Err("a SIMPLE client does not do it".to_owned());
        let dropped = [
            ("polls", !std::mem::take(&mut self.polls).is_empty()),
            ("short subscriptions", self.short_subscriptions.take().is_some()),
            ("search", self.search.take().is_some()),
            ("conferences", self.conferences.take().is_some()),
            ("own data at sign-in", std::mem::take(&mut self.registration.own_data)),
        ];
        let of_more = |class: &&mut super::ContactClass| class.contacts > SINGLE_SUBSCRIPTIONS_MAX;
        let classes = self.contacts.iter_mut().flat_map(|contacts| &mut contacts.classes);
        let mut bounded = false;
        for class in classes.filter(of_more) {
            class.contacts = SINGLE_SUBSCRIPTIONS_MAX;
            bounded = true;
        }
        if bounded {
            let row =
                format!("more than {SINGLE_SUBSCRIPTIONS_MAX} contacts, with --dialect simple");
            let why = "a subscription each: servers bound how many a connection has".to_owned();
            self.rows.push(super::Row { row, used: Err(why) });
        }
        for (row, _) in dropped.iter().filter(|(_, was_there)| *was_there) {
            let row = format!("{row}, with --dialect simple");
            self.rows.push(super::Row { row, used: why() });
        }
        if let Some(sessions) = &mut self.sessions
            && std::mem::take(&mut sessions.typing) > 0
        {
            let row = "typing, with --dialect simple".to_owned();
            self.rows.push(super::Row { row, used: why() });
        }
        self
    }
}

impl Rates<'_> {
    /// Each of them, in the order of the report.
    pub fn all(&self) -> Vec<Rate> {
        let profile = self.profile;
        let users = f64::from(self.users) * self.scale;
        let mut rates = Vec::new();
        let mut add = |name, per_hour: f64, what| {
            if per_hour > 0.0 {
                rates.push(Rate { name, per_second: users * per_hour / 3600.0, what });
            }
        };
        let refresh = profile.registration.refresh_every.as_secs_f64();
        add("renewals", 3600.0 / refresh, "REGISTER");
        add("returns", profile.registration.returns_per_hour, "REGISTER twice, and what follows");
        add("publications", profile.publications_per_hour, "SERVICE, or PUBLISH");
        let watchers = profile.contacts.as_ref().map_or(0.0, |contacts| {
            contacts.classes.iter().map(|class| class.share * f64::from(class.contacts)).sum()
        });
        let told = profile.publications_per_hour * watchers;
        add("notifications", told, "BENOTIFY or NOTIFY, by lasting subscriptions");
        let short = profile.short_subscriptions;
        let live = short.map_or(0.0, |one| one.per_hour * one.lasting.as_secs_f64() / 3600.0);
        add("more notifications", told * live, "BENOTIFY or NOTIFY, by short subscriptions");
        add("polls", profile.polls.iter().map(|polls| polls.per_hour).sum(), "SUBSCRIBE");
        let asked = profile.polls.iter().map(|polls| polls.per_hour * f64::from(polls.users));
        add("users polled", asked.sum(), "documents in answers");
        add("short subscriptions", short.map_or(0.0, |one| one.per_hour), "SUBSCRIBE and its end");
        add("searches", profile.search.map_or(0.0, |search| search.per_hour), "SERVICE");
        if let Some(sessions) = profile.sessions {
            let messages = sessions.per_hour * f64::from(sessions.messages);
            add("sessions", sessions.per_hour, "INVITE and BYE");
            add("messages", messages, "MESSAGE");
            add("typing", messages * f64::from(sessions.typing), "INFO");
        }
        if let Some(conferences) = &profile.conferences {
            let joins = conferences.per_hour() * conferences.members();
            let said = joins * conferences.messages();
            let square: f64 = conferences
                .sizes
                .iter()
                .map(|size| {
                    let members = f64::from(size.members);
                    size.share * members * (members - 1.0)
                })
                .sum();
            add("conferences", conferences.per_hour(), "SERVICE");
            add("joins", joins, "INVITE twice, SUBSCRIBE");
            add("conference messages", said, "MESSAGE");
            let copies = conferences.per_hour() * conferences.messages() * square;
            add("copies", copies, "MESSAGE to one member");
        }
        rates
    }
}

impl fmt::Display for Rates<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rates { profile, users, scale } = self;
        writeln!(out, "{}: {}", profile.name, profile.description)?;
        writeln!(out, "{users} users, scale {scale}:")?;
        writeln!(out, "{:<22}{:>12}  one is", "flow", "a second")?;
        for rate in self.all() {
            writeln!(out, "{:<22}{:>12.3}  {}", rate.name, rate.per_second, rate.what)?;
        }
        for row in &profile.rows {
            match &row.used {
                Ok(how) => writeln!(out, "used: {}: {how}", row.row)?,
                Err(why) => writeln!(out, "not used: {}: {why}", row.row)?,
            }
        }
        Ok(())
    }
}
