//! Who has added this user to his contacts, and whether the user knows.

use super::row::Row;
use crate::base::aor::Aor;
use crate::base::limits::Limits;

/// Users who added this one, in the order in which they did.
#[derive(Clone, Debug, Default)]
pub struct Subscribers {
    users: Vec<(Aor, bool)>,
}

/// What became of a new subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// The user knows, or is told already.
    Known,
    /// The user has to be told; the rows say so.
    Told(Vec<Row>),
    /// `prompted_subscribers_max` wait for the user's answer; he is not told of one more.
    Refused,
}

impl Subscribers {
    /// `user` has added this one. When the table is full, the oldest that the user has seen
    /// leaves.
    pub fn prompt(&mut self, user: &Aor, limits: &Limits) -> Prompt {
        if self.users.iter().any(|(known, _)| known == user) {
            return Prompt::Known;
        }
        let mut rows = Vec::new();
        while self.users.len() >= limits.prompted_subscribers_max {
            let Some(at) = self.users.iter().position(|(_, acknowledged)| *acknowledged) else {
                return Prompt::Refused;
            };
            rows.push(Row::DeleteSubscriber(self.users.remove(at).0));
        }
        self.users.push((user.clone(), false));
        rows.push(Row::PutSubscriber { user: user.clone(), acknowledged: false });
        Prompt::Told(rows)
    }

    /// The rows that make the user's answers true; nothing changes yet. Who is not known is left
    /// out.
    pub fn plan(&self, answers: &[(Aor, bool)]) -> Vec<Row> {
        let is_new = |(user, acknowledged): &&(Aor, bool)| {
            self.users.iter().any(|(known, before)| known == user && before != acknowledged)
        };
        let row = |(user, acknowledged): &(Aor, bool)| Row::PutSubscriber {
            user: user.clone(),
            acknowledged: *acknowledged,
        };
        answers.iter().filter(is_new).map(row).collect()
    }

    /// Takes `user` for one who has added this one.
    pub fn put(&mut self, user: Aor, acknowledged: bool) {
        match self.users.iter_mut().find(|(known, _)| *known == user) {
            Some(known) => known.1 = acknowledged,
            None => self.users.push((user, acknowledged)),
        }
    }

    /// Forgets `user`.
    pub fn remove(&mut self, user: &Aor) {
        self.users.retain(|(known, _)| known != user);
    }

    /// All, and whether this user has seen that they added him.
    pub fn iter(&self) -> impl Iterator<Item = (&Aor, bool)> {
        self.users.iter().map(|(user, acknowledged)| (user, *acknowledged))
    }
}

#[cfg(test)]
mod tests;
