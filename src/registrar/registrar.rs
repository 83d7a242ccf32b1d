//! The endpoints of one address-of-record (RFC 3261 section 10.3, RFC 5626 section 6).

use std::time::Duration;

use super::binding::Binding;
use super::gruu::InstanceId;
use super::request::{Contact, Contacts, Register};
use crate::base::ids::{ConnId, Dialect};
use crate::base::limits::{Limit, Limits};
use crate::base::time::{Deadline, Now};

/// Registration time of a standard client that names none, in seconds: the example of
/// RFC 3261 section 10.2. The Lync client names none either and expects the longest.
const SIMPLE_EXPIRES_DEFAULT_S: u32 = 3_600;

/// Why a REGISTER changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// The wish is above zero and below the bound: 423 with `Min-Expires`.
    #[error("the shortest registration is {min_s} s")]
    IntervalTooBrief {
        /// The shortest registration granted, in seconds.
        min_s: u32,
    },
    /// The user has as many endpoints as one may have, or the request names more: 403.
    #[error("too many endpoints")]
    TooManyEndpoints,
    /// A later REGISTER of the same Call-ID was handled already: 500 (RFC 3261 section 10.3
    /// step 7).
    #[error("a later REGISTER was handled before this one")]
    OutOfOrder,
    /// `*` without `Expires: 0`: 400 (RFC 3261 section 10.3 step 6).
    #[error("Contact * needs Expires: 0")]
    StarWithoutZero,
    /// The text of one endpoint is longer than `endpoint_bytes_max`: 400.
    #[error("the contact is too long")]
    TooLong,
}

impl RegisterError {
    /// The status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            RegisterError::IntervalTooBrief { .. } => 423,
            RegisterError::TooManyEndpoints => 403,
            RegisterError::OutOfOrder => 500,
            RegisterError::StarWithoutZero | RegisterError::TooLong => 400,
        }
    }

    /// The bound that was hit, to be counted.
    pub const fn limit(self) -> Option<Limit> {
        match self {
            RegisterError::IntervalTooBrief { .. } => Some(Limit::RegistrationTimeMin),
            RegisterError::TooManyEndpoints => Some(Limit::Endpoints),
            RegisterError::TooLong => Some(Limit::EndpointBytes),
            RegisterError::OutOfOrder | RegisterError::StarWithoutZero => None,
        }
    }
}

/// What became of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The binding after it, or the last there was.
    pub binding: Binding,
}

/// What happened to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// There was none.
    Added,
    /// It stays where it is.
    Refreshed,
    /// It came back on another connection before the old one was known to be gone.
    Moved {
        /// The connection it is no longer reached on.
        from: ConnId,
    },
    /// It is gone.
    Removed(Removal),
}

/// Why an endpoint is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// A REGISTER removed it.
    Unregistered,
    /// It was not refreshed in time.
    Expired,
    /// Its connection is gone.
    ConnectionLost,
}

/// The endpoints of one user.
#[derive(Clone, Debug, Default)]
pub struct Registrar {
    /// In the order of their last REGISTER, the latest last.
    bindings: Vec<Binding>,
}

impl Registrar {
    /// A user without an endpoint.
    pub fn new() -> Self {
        Registrar::default()
    }

    /// Binds, refreshes and removes what `request` asks for: all of it or, on an error, nothing.
    /// A REGISTER that was handled before changes nothing and is answered like then. Endpoints
    /// whose time is over are among the changes.
    ///
    /// The answer lists [`Registrar::bindings`].
    pub fn register(
        &mut self,
        now: Now,
        request: &Register,
        limits: &Limits,
    ) -> Result<Vec<Change>, RegisterError> {
        let mut after = self.clone();
        let mut changes = after.expire(now);
        match &request.contacts {
            Contacts::Star => after.remove_all(request, &mut changes)?,
            Contacts::List(contacts) => {
                if contacts.len() > limits.endpoints_per_user_max {
                    return Err(RegisterError::TooManyEndpoints);
                }
                for contact in contacts {
                    changes.extend(after.bind(now, request, contact, limits)?);
                }
            }
        }
        let added = changes.iter().any(|change| change.kind == ChangeKind::Added);
        if added && after.bindings.len() > limits.endpoints_per_user_max {
            return Err(RegisterError::TooManyEndpoints);
        }
        after.check_invariants();
        *self = after;
        Ok(changes)
    }

    /// Removes the endpoints of a connection that is gone.
    pub fn connection_lost(&mut self, conn: ConnId) -> Vec<Change> {
        self.remove(Removal::ConnectionLost, |binding| binding.conn == conn)
    }

    /// Removes the endpoints whose time is over.
    pub fn expire(&mut self, now: Now) -> Vec<Change> {
        self.remove(Removal::Expired, |binding| now.reached(binding.expires_at))
    }

    /// When [`Registrar::expire`] has something to do next.
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.bindings.iter().map(|binding| binding.expires_at).min()
    }

    /// The endpoints at `now`, the one that registered last first.
    pub fn bindings(&self, now: Now) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().rev().filter(move |binding| !now.reached(binding.expires_at))
    }

    /// The endpoints kept, those included whose time is over but not yet
    /// [expired](Self::expire): for what must reach all connections, such as a forced sign-out.
    pub fn all(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.iter()
    }

    /// The endpoint a GRUU means. Of several flows of one instance the latest comes first: the
    /// others are to be tried when it fails (RFC 5627 section 5.1).
    pub fn by_instance(&self, now: Now, id: InstanceId) -> impl Iterator<Item = &Binding> {
        self.bindings(now).filter(move |binding| binding.instance_id() == Some(id))
    }

    /// Endpoints kept, those included whose time is over but not yet [expired](Self::expire).
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    /// True when no endpoint is kept.
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Panics when the endpoints break a rule of their own. Does nothing in release builds.
    pub fn check_invariants(&self) {
        if cfg!(debug_assertions) {
            for (i, binding) in self.bindings.iter().enumerate() {
                let again = self.bindings.iter().skip(i + 1).any(|b| b.is_same_endpoint(binding));
                debug_assert!(!again, "one endpoint is bound twice");
            }
        }
    }

    fn bind(
        &mut self,
        now: Now,
        request: &Register,
        contact: &Contact,
        limits: &Limits,
    ) -> Result<Option<Change>, RegisterError> {
        let time_s = granted(request, contact, limits)?;
        let expires_at = now.after(Duration::from_secs(time_s.into()));
        let binding = Binding::new(request, contact, expires_at);
        if binding.text_len() > limits.endpoint_bytes_max {
            return Err(RegisterError::TooLong);
        }
        let place = self.bindings.iter().position(|known| known.is_same_endpoint(&binding));
        if let Some(known) = place.and_then(|place| self.bindings.get(place)) {
            check_order(known, request)?;
            if is_repetition(known, request) {
                return Ok(None);
            }
        }
        let known = place.map(|place| self.bindings.remove(place));
        let kind = match known {
            Some(known) if time_s == 0 => {
                let kind = ChangeKind::Removed(Removal::Unregistered);
                return Ok(Some(Change { kind, binding: known }));
            }
            None if time_s == 0 => return Ok(None),
            Some(known) if known.conn == request.conn => ChangeKind::Refreshed,
            Some(known) => ChangeKind::Moved { from: known.conn },
            None => ChangeKind::Added,
        };
        self.bindings.push(binding.clone());
        Ok(Some(Change { kind, binding }))
    }

    fn remove_all(
        &mut self,
        request: &Register,
        changes: &mut Vec<Change>,
    ) -> Result<(), RegisterError> {
        if request.expires != Some(0) {
            return Err(RegisterError::StarWithoutZero);
        }
        self.bindings.iter().try_for_each(|known| check_order(known, request))?;
        let request_was_handled = |known: &Binding| is_repetition(known, request);
        changes.extend(self.remove(Removal::Unregistered, |known| !request_was_handled(known)));
        Ok(())
    }

    fn remove(&mut self, why: Removal, which: impl Fn(&Binding) -> bool) -> Vec<Change> {
        let gone = self.bindings.extract_if(.., |binding| which(binding));
        gone.map(|binding| Change { kind: ChangeKind::Removed(why), binding }).collect()
    }
}

/// The registration time in seconds that a contact gets; 0 removes it.
fn granted(request: &Register, contact: &Contact, limits: &Limits) -> Result<u32, RegisterError> {
    let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    let max_s = seconds(limits.registration_time_max);
    let min_s = seconds(limits.registration_time_min).min(max_s);
    let default_s = match request.dialect {
        Dialect::Ms => max_s,
        Dialect::Simple => SIMPLE_EXPIRES_DEFAULT_S.clamp(min_s, max_s),
    };
    match contact.expires.or(request.expires).unwrap_or(default_s) {
        0 => Ok(0),
        wish if wish < min_s => Err(RegisterError::IntervalTooBrief { min_s }),
        wish => Ok(wish.min(max_s)),
    }
}

fn check_order(known: &Binding, request: &Register) -> Result<(), RegisterError> {
    if known.call_id == request.call_id && request.cseq < known.cseq {
        return Err(RegisterError::OutOfOrder);
    }
    Ok(())
}

/// True when `request` is the one that made or refreshed `known`. On another connection it is
/// not: the client sends it again there because the answer was lost with the first.
fn is_repetition(known: &Binding, request: &Register) -> bool {
    known.call_id == request.call_id && known.cseq == request.cseq && known.conn == request.conn
}

#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, unused_imports))]
pub(super) mod tests;
