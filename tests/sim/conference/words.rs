//! What clients write to a focus and to those they ask in.

use crate::harness::client::{LYNC_TEXT, TYPING};
use crate::harness::text::bracketed;
use crate::harness::{Client, DOMAIN, Dialog, Request};

/// The type of C3P requests and their answers.
pub const CCCP: &str = "application/cccp+xml";
/// The type of an invitation to a conference.
pub const SUMMONS: &str = "application/ms-conf-invite+xml";
/// The type of a standard client's word that its user types.
pub const COMPOSING: &str = "application/im-iscomposing+xml";

const NAMES: &str = "xmlns=\"urn:ietf:params:xml:ns:cccp\" \
    xmlns:mscp=\"http://schemas.microsoft.com/rtc/2005/08/cccpextensions\"";
const INFO: &str = "xmlns:ci=\"urn:ietf:params:xml:ns:conference-info\"";
const EXTENSIONS: &str =
    "xmlns:msci=\"http://schemas.microsoft.com/rtc/2005/08/confinfoextensions\"";

/// What a standard client offers.
const PLAIN_SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=message 5060 sip null\r\na=accept-types:text/plain\r\n";
/// What a Lync client offers the IMMCU.
const CHAT_SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=session\r\nc=IN IP4 127.0.0.1\r\n\
    t=0 0\r\nm=message 5061 sip null\r\na=accept-types:text/plain text/html \
    application/im-iscomposing+xml application/ms-imdn+xml\r\n";

const IS_COMPOSING: &str = "<?xml version=\"1.0\"?><isComposing \
    xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\"><state>active</state></isComposing>";

/// Where members in pager mode write.
pub fn page(organiser: &str, id: &str) -> String {
    format!("sip:{organiser}+{id}@{DOMAIN}")
}

/// How an organiser wants his conference.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// It survives its last member.
    pub scheduled: bool,
    /// Only who is invited is let in.
    pub closed: bool,
    /// Who is not let in waits.
    pub lobby: bool,
}

/// The factory, as a client writes it.
pub fn factory(user: &str) -> String {
    format!("sip:{user}@{DOMAIN};gruu;opaque=app:conf:focusfactory")
}

/// The URI of a conference: `focus` or `chat`.
pub fn uri(organiser: &str, which: &str, id: &str) -> String {
    format!("sip:{organiser}@{DOMAIN};gruu;opaque=app:conf:{which}:id:{id}")
}

/// An addConference.
pub fn convene(id: &str, plan: Plan) -> String {
    let expiry = match plan.scheduled {
        true => "<msci:expiry-time>2026-11-22T20:22:30Z</msci:expiry-time>",
        false => "",
    };
    let policy = if plan.closed { "closedAuthenticated" } else { "openAuthenticated" };
    let lobby = plan.lobby;
    format!(
        "<addConference><ci:conference-info {INFO} entity=\"\" {EXTENSIONS}>\
         <ci:conference-description><ci:subject/><msci:conference-id>{id}</msci:conference-id>\
         {expiry}<msci:admission-policy>{policy}</msci:admission-policy>\
         <lobby xmlns=\"urn:mynah:conference\">{lobby}</lobby></ci:conference-description>\
         </ci:conference-info></addConference>"
    )
}

/// An addUser, about oneself or another.
pub fn add_user(focus: &str, user: &str, role: &str, endpoint: &str) -> String {
    let endpoint = match endpoint {
        "" => String::new(),
        name => format!("<ci:endpoint entity=\"{name}\" {EXTENSIONS}/>"),
    };
    format!(
        "<addUser><conferenceKeys confEntity=\"{focus}\"/><ci:user {INFO} entity=\"{user}\">\
         <ci:roles><ci:entry>{role}</ci:entry></ci:roles>{endpoint}</ci:user></addUser>"
    )
}

/// A deleteUser.
pub fn eject(focus: &str, user: &str) -> String {
    format!("<deleteUser><userKeys confEntity=\"{focus}\" userEntity=\"{user}\"/></deleteUser>")
}

/// A modifyUserRoles.
pub fn set_role(focus: &str, user: &str, role: &str) -> String {
    format!(
        "<modifyUserRoles><userKeys confEntity=\"{focus}\" userEntity=\"{user}\"/>\
         <user-roles><ci:entry {INFO}>{role}</ci:entry></user-roles></modifyUserRoles>"
    )
}

/// A modifyConferenceLock.
pub fn lock(focus: &str, locked: bool) -> String {
    format!(
        "<modifyConferenceLock><conferenceKeys confEntity=\"{focus}\"/><locked>{locked}</locked>\
         </modifyConferenceLock>"
    )
}

/// A setLobbyAccess.
pub fn admit(focus: &str, user: &str, let_in: bool) -> String {
    let access = if let_in { "granted" } else { "denied" };
    format!(
        "<setLobbyAccess><conferenceKeys confEntity=\"{focus}\"/><userEntity>{user}</userEntity>\
         <access>{access}</access></setLobbyAccess>"
    )
}

/// A modifyConference.
pub fn modify(focus: &str, plan: Plan) -> String {
    convene("", plan)
        .replace("addConference", "modifyConference")
        .replace("entity=\"\"", &format!("entity=\"{focus}\""))
}

/// A getConference.
pub fn look(focus: &str) -> String {
    format!("<getConference><conferenceKeys confEntity=\"{focus}\"/></getConference>")
}

/// A deleteConference.
pub fn end(focus: &str) -> String {
    format!("<deleteConference><conferenceKeys confEntity=\"{focus}\"/></deleteConference>")
}

fn c3p(from: &str, to: &str, operation: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><request {NAMES} C3PVersion=\"1\" to=\"{to}\" from=\"{from}\" \
         requestId=\"1\">{operation}</request>"
    )
}

impl Client {
    /// A C3P operation outside any dialog.
    pub fn order_of(&mut self, to: &str, operation: &str) -> Request {
        let body = c3p(&self.uri(), to, operation);
        self.request("SERVICE", to).header("Supported", "ms-sender").body(CCCP, &body)
    }

    /// A C3P operation in the dialog with the focus.
    pub fn order_on(&mut self, dialog: &mut Dialog, operation: &str) -> Request {
        let body = c3p(&self.uri(), &dialog.remote.clone(), operation);
        self.within(dialog, "INFO").body(CCCP, &body)
    }

    /// The INVITE of a Lync client's leg with the focus.
    pub fn enter(&mut self, focus: &str, endpoint: &str) -> Request {
        let body = c3p(&self.uri(), focus, &add_user(focus, &self.uri(), "attendee", endpoint));
        self.request("INVITE", focus).header("Supported", "ms-sender").body(CCCP, &body)
    }

    /// The INVITE of a leg for messages: with the IMMCU, or a standard client's with the focus.
    pub fn dial(&mut self, to: &str) -> Request {
        let request = self.request("INVITE", to);
        match self.ms {
            true => request.header("Supported", "ms-sender").body("application/sdp", CHAT_SDP),
            false => request.body("application/sdp", PLAIN_SDP),
        }
    }

    /// A SUBSCRIBE to the roster.
    pub fn watch_roster(&mut self, focus: &str) -> Request {
        match self.ms {
            true => self.piggyback("conference", focus),
            false => self
                .request("SUBSCRIBE", focus)
                .header("Event", "conference")
                .header("Expires", "3600"),
        }
        .header("Accept", "application/conference-info+xml")
    }

    /// The invitation of somebody to a conference.
    pub fn summon(&mut self, user: &str, focus: &str) -> Request {
        let to = crate::harness::client::uri(user);
        let body = format!(
            "<Conferencing version=\"2.0\"><focus-uri>{focus}</focus-uri><subject></subject>\
             <im available=\"true\"><first-im/></im></Conferencing>"
        );
        self.request("INVITE", &to).header("Supported", "ms-sender").body(SUMMONS, &body)
    }

    /// The 200 to such an invitation: it has no body.
    pub fn obey(&mut self, summons: &crate::harness::Text) -> Request {
        let tag = self.token();
        summons.answer(200, &tag).header("Contact", &format!("<{}>", self.contact))
    }

    /// The dialog with a conference that a 200 makes.
    pub fn leg(&self, invite: &Request, accepted: &crate::harness::Text) -> Dialog {
        let remote = bracketed(invite.value("To")).to_owned();
        Dialog { remote, ..self.dialog(invite, accepted) }
    }

    /// Something said on a leg.
    pub fn speak(&mut self, dialog: &mut Dialog, text: &str) -> Request {
        let media = if self.ms { LYNC_TEXT } else { "text/plain" };
        self.within(dialog, "MESSAGE").body(media, text)
    }

    /// The word that its user types.
    pub fn type_on(&mut self, dialog: &mut Dialog) -> Request {
        match self.ms {
            true => self.within(dialog, "INFO").body("application/xml", TYPING),
            false => self.within(dialog, "MESSAGE").body(COMPOSING, IS_COMPOSING),
        }
    }

    /// A REFER that asks somebody in, or out.
    pub fn refer_on(&mut self, dialog: &mut Dialog, user: &str, out: bool) -> Request {
        let parameter = if out { ";method=BYE" } else { "" };
        let to = format!("<{}{parameter}>", crate::harness::client::uri(user));
        self.within(dialog, "REFER").header("Refer-To", &to)
    }
}
