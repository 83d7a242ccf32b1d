//! Why an operation on a conference was not done, in the words of MS-CONFBAS and MS-CONFPRO.

use crate::dialect::reject::Reject;
use crate::immcu::conference::Refusal;

/// The reason an answer gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Who has not proven who he is may not.
    AnonymousUsersNotAllowed,
    /// There is no such conference, or it is over.
    ConferenceDoesntExist,
    /// A conference of that name exists.
    ConferenceExistsAlready,
    /// It would end in the past, or too late.
    InvalidExpiryTime,
    /// Nobody can have that role, or lose it.
    InvalidRole,
    /// The organiser has as many conferences as he may have.
    MaxConferencesExceeded,
    /// It has as many members as it may have.
    MaxMeetingSizeExceeded,
    /// The operation is not known.
    NotSupported,
    /// Anything else.
    OtherFailure,
    /// It cannot be read.
    RequestMalformed,
    /// It says more than it may.
    RequestTooLarge,
    /// The server cannot do it now.
    ServerBusy,
    /// He may not.
    Unauthorized,
    /// There is no such member.
    UserDoesntExist,
}

impl Failure {
    /// The word on the wire.
    pub const fn reason(self) -> &'static str {
        match self {
            Failure::AnonymousUsersNotAllowed => "anonymousUsersNotAllowed",
            Failure::ConferenceDoesntExist => "conferenceDoesntExist",
            Failure::ConferenceExistsAlready => "conferenceExistsAlready",
            Failure::InvalidExpiryTime => "invalidExpiryTime",
            Failure::InvalidRole => "invalidRole",
            Failure::MaxConferencesExceeded => "maxConferencesExceeded",
            Failure::MaxMeetingSizeExceeded => "maxMeetingSizeExceeded",
            Failure::NotSupported => "notSupported",
            Failure::OtherFailure => "otherFailure",
            Failure::RequestMalformed => "requestMalformed",
            Failure::RequestTooLarge => "requestTooLarge",
            Failure::ServerBusy => "serverBusy",
            Failure::Unauthorized => "unauthorized",
            Failure::UserDoesntExist => "userDoesntExist",
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Reject::from(refusal).into()
    }
}

impl From<Reject> for Failure {
    fn from(reject: Reject) -> Self {
        match reject {
            Reject::UnknownConference | Reject::ConferenceEnded => Failure::ConferenceDoesntExist,
            Reject::ConferenceExists => Failure::ConferenceExistsAlready,
            Reject::UnknownMember => Failure::UserDoesntExist,
            Reject::UnknownConferenceOperation => Failure::NotSupported,
            Reject::GuestsNotAllowed => Failure::AnonymousUsersNotAllowed,
            Reject::BadConferenceExpiry => Failure::InvalidExpiryTime,
            Reject::OrganiserStays => Failure::InvalidRole,
            Reject::TooManyConferences => Failure::MaxConferencesExceeded,
            Reject::ConferenceFull => Failure::MaxMeetingSizeExceeded,
            Reject::BadConferenceRequest | Reject::NotThisConference => Failure::RequestMalformed,
            Reject::LabelTooLong | Reject::MessageTooLong | Reject::TooManyInvited => {
                Failure::RequestTooLarge
            }
            Reject::ConferenceLocked
            | Reject::InLobby
            | Reject::NotInvited
            | Reject::NotMember
            | Reject::NotPresenter
            | Reject::NotYourRequest
            | Reject::NotYours => Failure::Unauthorized,
            Reject::GoingDown
            | Reject::MessagesTooFast
            | Reject::Overloaded
            | Reject::StoreBusy
            | Reject::TooManyRequests => Failure::ServerBusy,
            _ => Failure::OtherFailure,
        }
    }
}
