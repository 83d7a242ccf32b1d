//! Every refusal of the server: status, diagnostic and what the user is told, in one table.

use crate::base::limits::Limit;
use crate::immcu::conference;

/// Declares the refusals: variant, status, diagnostic code, reason.
macro_rules! rejects {
    ($($(#[$doc:meta])* $variant:ident $status:literal $code:literal $reason:literal;)*) => {
        /// Why a request is refused.
        ///
        /// The diagnostic goes out as `ms-diagnostics` (MS-OCER section 2.2.1) to Lync clients
        /// and as `Warning` (RFC 3261 section 20.43) to the others; both show the reason. Codes
        /// from 52000 are Mynah's own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reject { $($(#[$doc])* $variant,)* }

        impl Reject {
            /// All refusals.
            pub const ALL: &'static [Reject] = &[$(Reject::$variant,)*];

            /// The SIP status.
            pub const fn status(self) -> u16 {
                match self { $(Reject::$variant => $status,)* }
            }

            /// The `ms-diagnostics` code.
            pub const fn code(self) -> u32 {
                match self { $(Reject::$variant => $code,)* }
            }

            /// One sentence for the user and the log.
            pub const fn reason(self) -> &'static str {
                match self { $(Reject::$variant => $reason,)* }
            }
        }
    };
}

rejects! {
    /// No such user here.
    UnknownUser 404 1003 "User does not exist";
    /// The address is of a domain this server does not serve.
    UnknownDomain 404 52001 "The domain is not served here";
    /// The user has no endpoint that can take it.
    NoEndpoint 480 15030 "Failed to route to user: not signed in";
    /// The endpoint's connection was lost before it answered.
    EndpointLost 480 52002 "The connection to the recipient was lost";
    /// The endpoint said that it is overloaded; that does not mean the server is.
    EndpointOverloaded 500 52005 "The recipient's client is overloaded";
    /// Nobody answered in time.
    NoAnswer 408 52003 "The recipient did not answer in time";
    /// The caller took the invitation back.
    Cancelled 487 52004 "The invitation was cancelled";

    /// From is not the signed-in user.
    NotYourIdentity 403 52010 "From is not the user signed in on this connection";
    /// REGISTER of one user for another.
    ThirdParty 403 52011 "Registration on behalf of another user is not allowed";
    /// The connection belongs to another user already.
    AnotherUser 403 52012 "Another user is signed in on this connection";
    /// Wrong user name or password, the configured number of times.
    WrongPassword 403 52013 "The user name or the password is wrong";
    /// The account is disabled.
    Disabled 403 52014 "The account is disabled";
    /// Too many failed sign-ins.
    LockedOut 403 52015 "Too many failed sign-ins: try again later";
    /// No way to sign in is configured for clients of this kind.
    NoSignIn 403 52018 "Clients of this kind cannot sign in here";
    /// Credentials that cannot be read.
    BadCredentials 400 52017 "The credentials cannot be read";

    /// Max-Forwards has run out.
    TooManyHops 483 52020 "Too many hops";
    /// The request came through here before.
    Loop 482 52021 "Loop detected";
    /// A request in a dialog that is not known.
    UnknownDialog 481 52022 "The conversation does not exist any more";
    /// CSeq below the last one.
    OutOfOrder 500 52023 "The sequence number is out of order";
    /// CANCEL of nothing.
    NothingToCancel 481 52024 "There is nothing to cancel";

    /// The method is not implemented.
    UnknownMethod 501 52030 "The method is not implemented";
    /// The method is known and not allowed there.
    MethodNotAllowed 405 52031 "The method is not allowed";
    /// An event package that is not served.
    BadEvent 489 52032 "The event package is not supported";
    /// A required extension.
    BadExtension 420 52033 "A required extension is not supported";
    /// A body type that is not understood.
    UnsupportedMedia 415 52034 "The content type is not supported";
    /// An offer without instant messaging.
    NotAcceptable 488 52035 "Only instant-messaging sessions are offered here";
    /// A body that breaks its format.
    BadBody 400 52037 "The body cannot be read";
    /// Somebody else's contacts, presence or list.
    NotYours 403 52038 "Only the user himself may ask for this";
    /// SIP-If-Match names no publication (RFC 3903 section 6).
    UnknownEntityTag 412 52039 "The publication does not exist any more";
    /// A Contact that cannot be read.
    BadContact 400 52036 "The Contact cannot be read";

    /// The user has all the endpoints he may have.
    TooManyEndpoints 403 52040 "The user is signed in on too many endpoints";
    /// The user has all the connections he may have.
    TooManyConnections 403 52045 "The user is signed in on too many connections";
    /// The registration asked for is too short.
    IntervalTooBrief 423 52041 "The registration interval is too brief";
    /// The subscription or publication asked for is too short.
    SubscriptionTooBrief 423 52046 "The interval is too brief";
    /// The connection has all the subscriptions it may have.
    TooManySubscriptions 403 52047 "Too many subscriptions";
    /// Headers of a SUBSCRIBE that would be kept as long as the subscription.
    SubscriptionTooLong 413 52057 "The headers of the subscription are too long";
    /// A user has all the watchers he may have, or a watcher all his subscriptions.
    TooManyWatchers 403 52058 "The user is watched too often";
    /// The user has published all he may.
    TooMuchPresence 413 52048 "Too much is published";
    /// A container has all the members it may have.
    TooManyMembers 413 52055 "The access level has too many members";
    /// No access level has that number.
    UnknownContainer 400 52056 "There is no such access level";
    /// The store cannot take a change now.
    StoreBusy 503 52049 "The change cannot be stored now: try again later";
    /// A bound of the server is reached.
    Overloaded 503 52042 "The server is busy: try again later";
    /// A bound of the connection is reached.
    TooManyRequests 503 52043 "Too many requests are waiting for an answer";
    /// More users sign in than the server lets in at once.
    TooManySignIns 503 52108 "Many users sign in at once: try again later";
    /// The server goes down.
    GoingDown 503 52044 "The server is going down";

    /// A SOAP request that cannot be read, or lacks an argument.
    BadSoap 400 52070 "The SOAP request cannot be read";
    /// A SOAP method that is not served.
    UnknownSoapMethod 400 52071 "The SOAP method is not supported";
    /// A name or URI of a contact or group with control characters.
    BadText 400 52072 "A name has characters that are not allowed";
    /// A contact that is not in the list.
    UnknownContact 404 52073 "There is no such contact";
    /// A group that is not in the list.
    UnknownGroup 404 52074 "There is no such group";
    /// The group every list has cannot change.
    GroupStays 403 52075 "This group can be neither deleted nor renamed";
    /// The user has all the contacts he may have.
    TooManyContacts 403 52076 "The contact list is full";
    /// The user has all the groups he may have.
    TooManyGroups 403 52077 "There are too many groups";
    /// The names and URIs of a contact or group are too long.
    ContactTooLong 413 52078 "The contact or group is too long";
    /// A provisioning request that cannot be read.
    BadProvisioning 400 52079 "The provisioning request cannot be read";

    /// An operation in the name of somebody else (MS-OCER, as those that follow with such a code).
    NotYourRequest 403 3000 "The request is from somebody else than its sender";
    /// An operation on another conference than the one it was sent to.
    NotThisConference 400 3001 "The request is for another conference than it was sent to";
    /// An operation that is not known.
    UnknownConferenceOperation 501 3004 "The conference operation is not supported";
    /// An operation that cannot be read, or lacks something.
    BadConferenceRequest 400 3006 "The conference request cannot be read";
    /// No such conference, or it is over.
    UnknownConference 404 52080 "The conference does not exist";
    /// The conference is over.
    ConferenceEnded 481 52081 "The conference is over";
    /// Only presenters may.
    NotPresenter 403 52082 "Only presenters may do this";
    /// The organiser stays, as a presenter.
    OrganiserStays 403 52083 "The organiser can be neither removed nor lose his role";
    /// The member is not in the conference.
    UnknownMember 404 52084 "There is no such member in the conference";
    /// Only who was invited may join.
    NotInvited 403 52085 "Only invited users may join the conference";
    /// The conference is locked.
    ConferenceLocked 403 52086 "The conference is locked";
    /// Guests may not join.
    GuestsNotAllowed 403 52087 "The conference does not admit guests";
    /// Who waits in the lobby gets and sends no messages.
    InLobby 403 52088 "You are waiting in the lobby of the conference";
    /// The conference has all the members it may have.
    ConferenceFull 486 52089 "The conference is full";
    /// A member has all the connections to a conference he may have.
    TooManyLegs 403 52090 "You are in the conference on too many endpoints";
    /// A conference has all the invited users it may have.
    TooManyInvited 413 52091 "Too many users are invited to the conference";
    /// Who is not in the conference cannot speak there.
    NotMember 403 52092 "You are not in the conference";
    /// A message longer than may be.
    MessageTooLong 413 52093 "The message is too long";
    /// A subject or the name of an endpoint that is longer than may be.
    LabelTooLong 413 52107 "A subject or a name is too long";
    /// A member says more than he may in the time.
    MessagesTooFast 503 52094 "You send messages too fast";
    /// An organiser or the server has all the conferences there may be.
    TooManyConferences 403 52095 "There are too many conferences";
    /// A conference of that name exists.
    ConferenceExists 409 52096 "A conference of that name exists already";
    /// A conference that would end in the past.
    BadConferenceExpiry 400 52097 "The conference would end in the past";
    /// A conference has all the subscriptions it may have.
    TooManyConferenceWatchers 403 52099 "The conference is watched too often";
    /// REFER to something that cannot be invited.
    BadReferTo 400 52098 "Refer-To names no user that can be invited";
    /// A link that the policy of the sender does not allow.
    LinkBlocked 606 52101 "The message contains a link, which is not allowed";
    /// A file that the policy of the sender does not allow.
    FileBlocked 606 52102 "The message names a file of a kind that is not allowed";
    /// More links than a message may have.
    TooManyLinks 606 52103 "The message contains too many links";
    /// A message that cannot be looked through for what the policy does not allow.
    Unfilterable 606 52104 "The message is of a form that is not allowed";
    /// A message that is too long with what the policy puts before it.
    FilteredTooLong 413 52105 "The message is too long for the notice it must carry";
    /// A client that the policy of the user does not let in.
    ClientBlocked 403 52106 "This client or its version is not allowed";
}

impl Reject {
    /// True for what is refused because of what a message says.
    pub const fn is_content_policy(self) -> bool {
        matches!(
            self,
            Reject::FileBlocked | Reject::LinkBlocked | Reject::TooManyLinks | Reject::Unfilterable
        )
    }
}

/// A refusal, and the bound that was hit if it was for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reject: Reject,
    /// The bound, for its counter.
    pub limit: Option<Limit>,
}

impl From<Reject> for Refusal {
    fn from(reject: Reject) -> Self {
        Refusal { reject, limit: None }
    }
}

impl From<conference::Refusal> for Reject {
    fn from(refusal: conference::Refusal) -> Self {
        use conference::Refusal;
        match refusal {
            Refusal::NotPresenter => Reject::NotPresenter,
            Refusal::Organiser => Reject::OrganiserStays,
            Refusal::NoSuchMember => Reject::UnknownMember,
            Refusal::NotInvited => Reject::NotInvited,
            Refusal::Locked => Reject::ConferenceLocked,
            Refusal::GuestsNotAllowed => Reject::GuestsNotAllowed,
            Refusal::InLobby => Reject::InLobby,
            Refusal::Full => Reject::ConferenceFull,
            Refusal::TooManyLegs => Reject::TooManyLegs,
            Refusal::TooManyWatchers => Reject::TooManyConferenceWatchers,
            Refusal::TooManyInvited => Reject::TooManyInvited,
            Refusal::NotMember => Reject::NotMember,
            Refusal::TooLong => Reject::MessageTooLong,
            Refusal::LabelTooLong => Reject::LabelTooLong,
            Refusal::TooFast => Reject::MessagesTooFast,
            Refusal::Ended => Reject::ConferenceEnded,
        }
    }
}

impl From<Refusal> for Reject {
    fn from(refusal: Refusal) -> Self {
        refusal.reject
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_refusal_has_a_code_of_its_own() {
        let codes: HashSet<_> = Reject::ALL.iter().map(|reject| reject.code()).collect();
        assert_eq!(codes.len(), Reject::ALL.len());
        assert!(Reject::ALL.iter().all(|reject| (400..700).contains(&reject.status())));
        assert!(Reject::ALL.iter().all(|reject| !reject.reason().contains('"')));
    }
}
