//! What an operator may do about a refusal, in one sentence.

use crate::dialect::reject::Reject;
use crate::metrics::counters::AuthFailure;
use crate::shard::refusals::Cause;

/// The name of a cause, of the closed sets of the metrics and of `ms-diagnostics`.
pub fn name(cause: Cause) -> String {
    match cause {
        Cause::Auth(failure) => failure.name().to_owned(),
        Cause::Reject(reject) => reject.code().to_string(),
    }
}

/// The status a refusal was answered with. A challenge is 401 or 407, as the client has it.
pub fn status(cause: Cause) -> Option<u16> {
    match cause {
        Cause::Auth(_) => None,
        Cause::Reject(reject) => Some(reject.status()),
    }
}

/// What was wrong.
pub fn reason(cause: Cause) -> &'static str {
    match cause {
        Cause::Reject(reject) => reject.reason(),
        Cause::Auth(failure) => match failure {
            AuthFailure::UnknownUser => "There is no user of this address and login name",
            AuthFailure::WrongPassword => "The password is wrong",
            AuthFailure::Disabled => "The account is disabled",
            AuthFailure::UserLocked => "Too many wrong passwords for this user",
            AuthFailure::AddressLocked => "Too many wrong passwords from this network address",
            AuthFailure::BadSignature => "The signature does not belong to the password",
            AuthFailure::ForeignNonce => {
                "The answer is to a challenge of another connection or server"
            }
            AuthFailure::StaleNonce => "The answer is to a challenge that is too old",
            AuthFailure::Replay => "The same proof was sent twice",
            AuthFailure::Malformed => "The credentials cannot be read",
            AuthFailure::IdentityMismatch => "The credentials are of another user",
        },
    }
}

/// What to do about it; `None` where the reason says it all.
pub fn advice(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::Auth(failure) => match failure {
            AuthFailure::UnknownUser => {
                "compare address and login name with `mynah user list`; a login name other than \
                 the part before @ is set with `mynah user add --login`"
            }
            AuthFailure::WrongPassword => {
                "let the user type it again, or set a new one with `mynah user passwd`"
            }
            AuthFailure::Disabled => "`mynah user enable` lets him sign in again",
            AuthFailure::UserLocked => {
                "look for a device with an old password; the lock ends by itself after \
                 limits.lockout_time"
            }
            AuthFailure::AddressLocked => {
                "somebody guesses from there, or many users share the address: see \
                 limits.auth_failures_per_address_max"
            }
            AuthFailure::BadSignature => {
                "let the client sign in anew; it may be a man in the middle"
            }
            AuthFailure::ForeignNonce => {
                "a load balancer must keep a client on one connection; a restart of the server is \
                 harmless"
            }
            AuthFailure::StaleNonce => "nothing: the client tries again by itself",
            AuthFailure::Replay => "nothing, if it is rare: a proxy may have sent a request twice",
            AuthFailure::Malformed => "trace the user to see what his client sends",
            AuthFailure::IdentityMismatch => {
                "address and login name in the client must be of the same user"
            }
        },
        Cause::Reject(reject) => match reject {
            Reject::NoSignIn => "auth.lync and auth.standard say who may sign in how",
            Reject::ClientBlocked => "the policy of the user says which clients may sign in",
            Reject::TooManyConnections => {
                "another device must sign off, or limits.connections_per_user_max must rise"
            }
            Reject::TooManyEndpoints => {
                "another device must sign off, or limits.endpoints_per_user_max must rise"
            }
            Reject::UnknownUser => {
                "compare the address with `mynah user list`; Pidgin asks for ocschat at each \
                 sign-in, and nothing is wrong with that"
            }
            Reject::UnknownDomain => "server.domains lists the domains that are served",
            Reject::NoEndpoint => "nothing: the recipient is not signed in",
            Reject::StoreBusy => "`mynah status` says what keeps the store from writing",
            Reject::Overloaded => {
                "`mynah status` and the limits hit on the metrics page say of what"
            }
            Reject::GoingDown => "nothing: the client comes back after Retry-After",
            Reject::BadCredentials => "trace the user to see what his client sends",
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_of_a_refused_sign_in_has_advice() {
        for failure in AuthFailure::ALL {
            assert!(advice(Cause::Auth(*failure)).is_some());
        }
        assert_eq!(name(Cause::Reject(Reject::NoSignIn)), "52018");
        assert_eq!(advice(Cause::Reject(Reject::TooManyHops)), None);
    }
}
