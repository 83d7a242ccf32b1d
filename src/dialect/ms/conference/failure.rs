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
        match refusal {
            Refusal::NotPresenter
            | Refusal::NotInvited
            | Refusal::Locked
            | Refusal::InLobby
            | Refusal::NotMember => Failure::Unauthorized,
            Refusal::Organiser => Failure::InvalidRole,
            Refusal::NoSuchMember => Failure::UserDoesntExist,
            Refusal::GuestsNotAllowed => Failure::AnonymousUsersNotAllowed,
            Refusal::Full => Failure::MaxMeetingSizeExceeded,
            Refusal::TooManyLegs
            | Refusal::TooManyWatchers
            | Refusal::TooManyInvited
            | Refusal::TooLong
            | Refusal::LabelTooLong => Failure::RequestTooLarge,
            Refusal::TooFast => Failure::ServerBusy,
            Refusal::Ended => Failure::ConferenceDoesntExist,
        }
    }
}

impl From<Reject> for Failure {
    /// Of what the server refuses before a conference is asked.
    fn from(reject: Reject) -> Self {
        match reject {
            Reject::UnknownConference => Failure::ConferenceDoesntExist,
            Reject::UnknownConferenceOperation => Failure::NotSupported,
            Reject::TooManyConferences => Failure::MaxConferencesExceeded,
            Reject::ConferenceExists => Failure::ConferenceExistsAlready,
            Reject::BadConferenceExpiry => Failure::InvalidExpiryTime,
            Reject::BadConferenceRequest | Reject::NotThisConference => Failure::RequestMalformed,
            Reject::BadReferTo => Failure::RequestMalformed,
            Reject::ConferenceEnded => Failure::ConferenceDoesntExist,
            Reject::ConferenceFull => Failure::MaxMeetingSizeExceeded,
            Reject::GuestsNotAllowed => Failure::AnonymousUsersNotAllowed,
            Reject::OrganiserStays => Failure::InvalidRole,
            Reject::UnknownMember => Failure::UserDoesntExist,
            Reject::LabelTooLong | Reject::TooManyInvited => Failure::RequestTooLarge,
            Reject::NotYourRequest
            | Reject::NotYours
            | Reject::NotPresenter
            | Reject::NotMember
            | Reject::NotInvited
            | Reject::InLobby
            | Reject::ConferenceLocked => Failure::Unauthorized,
            Reject::StoreBusy | Reject::Overloaded | Reject::GoingDown => Failure::ServerBusy,
            _ => Failure::OtherFailure,
        }
    }
}
