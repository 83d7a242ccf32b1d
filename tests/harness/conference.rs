//! Conferences as clients see them: the steps of a Lync client (focus, roster, IMMCU), those of a
//! standard client, and what tests read of the answers.

use mynah::base::ids::{ConferenceId, ConnId};

use super::client::{Client, Dialog, LYNC_TEXT, uri};
use super::net::Net;
use super::text::{Request, Text, bracketed};

/// The type of C3P requests and answers.
pub const CCCP: &str = "application/cccp+xml";
/// The type of a roster.
pub const ROSTER: &str = "application/conference-info+xml";
/// The type of an invitation.
pub const CONF_INVITE: &str = "application/ms-conf-invite+xml";
/// The type of a delivery report.
pub const IMDN: &str = "application/ms-imdn+xml";
/// Where a Lync client asks for conferences.
pub const FACTORY: &str = "sip:focus@example.test;gruu;opaque=app:conf:focusfactory";
/// Later than an ad-hoc conference may last.
pub const SCHEDULED: &str = "2026-12-24T12:00:00Z";
/// What a Lync client offers the IMMCU.
pub const CHAT_SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=session\r\n\
    c=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 5061 sip null\r\n\
    a=accept-types:text/plain text/html image/gif application/im-iscomposing+xml \
    application/ms-imdn+xml text/x-msmsgsinvite\r\n";

/// A conference as clients name it.
#[derive(Clone, Debug)]
pub struct Meeting {
    pub id: String,
    pub focus: String,
    pub chat: String,
    /// As members in pager mode know it.
    pub page: String,
}

/// A Lync client in a conference.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The dialog with the focus.
    pub focus: Dialog,
    /// The dialog with the IMMCU.
    pub chat: Dialog,
}

/// Alice's conference with alice, bob and carol in it, who have Lync clients on shards 0, 1 and 2
/// or what there is of them. Nobody looks at the roster.
pub struct Table {
    pub net: Net,
    pub meeting: Meeting,
    pub alice: Client,
    pub bob: Client,
    pub carol: Client,
    /// Of alice, bob and carol.
    pub seats: [Seat; 3],
}

impl Table {
    /// So many shards, one of which owns the conference.
    #[track_caller]
    pub fn new(shards: u16, owner: u16) -> Self {
        Table::of(Net::new(shards), owner)
    }

    /// The same in a network there is.
    #[track_caller]
    pub fn of(net: Net, owner: u16) -> Self {
        Table::with(net, owner, Wish::default())
    }

    /// The same of a conference like this.
    #[track_caller]
    pub fn with(mut net: Net, owner: u16, wish: Wish<'_>) -> Self {
        let shards = net.shards();
        let mut alice = lync_named(&mut net, 0, "alice", "Alice Ames");
        let mut bob = lync_named(&mut net, 1 % shards, "bob", "Bob Boyle");
        let mut carol = lync_named(&mut net, 2 % shards, "carol", "");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, owner, 1), wish);
        let members = [&mut alice, &mut bob, &mut carol];
        let seats = members.map(|client| seated(&mut net, client, &meeting));
        Table { net, meeting, alice, bob, carol, seats }
    }
}

impl Meeting {
    /// That of an organiser.
    pub fn of(organiser: &str, id: &str) -> Self {
        let named = |part| format!("{};gruu;opaque=app:conf:{part}:id:{id}", uri(organiser));
        let page = uri(organiser).replace('@', &format!("+{id}@"));
        Meeting { id: id.to_owned(), focus: named("focus"), chat: named("chat"), page }
    }

    /// Its name as the server has it.
    pub fn conference(&self) -> ConferenceId {
        ConferenceId::parse(self.id.as_bytes()).expect("an id")
    }

    /// A user in the words of an operation at the focus.
    pub fn user_keys(&self, user: &str) -> String {
        format!("<userKeys confEntity=\"{}\" userEntity=\"{}\"/>", self.focus, uri(user))
    }

    /// The conference in the words of an operation.
    pub fn keys(&self) -> String {
        format!("<conferenceKeys confEntity=\"{}\"/>", self.focus)
    }

    /// The operation that removes a member.
    pub fn eject(&self, user: &str) -> String {
        format!("<deleteUser>{}</deleteUser>", self.user_keys(user))
    }

    /// The operation that changes a member's role.
    pub fn set_role(&self, user: &str, role: &str) -> String {
        let keys = self.user_keys(user);
        format!(
            "<modifyUserRoles>{keys}<user-roles xmlns=\"urn:ietf:params:xml:ns:conference-info\">\
             <entry>{role}</entry></user-roles></modifyUserRoles>"
        )
    }

    /// The operation that locks the conference, or unlocks it.
    pub fn lock(&self, locked: bool) -> String {
        let keys = self.keys();
        format!("<modifyConferenceLock>{keys}<locked>{locked}</locked></modifyConferenceLock>")
    }

    /// The operation that lets in who waits, or refuses him.
    pub fn admit(&self, user: &str, let_in: bool) -> String {
        let (keys, access) = (self.keys(), if let_in { "granted" } else { "denied" });
        let user = uri(user);
        format!(
            "<setLobbyAccess>{keys}<userEntity>{user}</userEntity><access>{access}</access>\
             </setLobbyAccess>"
        )
    }

    /// The operation that ends it.
    pub fn end(&self) -> String {
        format!("<deleteConference>{}</deleteConference>", self.keys())
    }

    /// The operation that asks somebody in.
    pub fn invite(&self, user: &str, role: &str) -> String {
        format!("<addUser>{}{}</addUser>", self.keys(), ci_user(user, role, ""))
    }

    /// The body of an invitation.
    pub fn invitation(&self) -> String {
        let focus = &self.focus;
        format!(
            "<Conferencing version=\"2.0\"><focus-uri>{focus}</focus-uri><subject></subject>\
             <im available=\"true\"><first-im/></im></Conferencing>"
        )
    }
}

/// An id of a conference that this shard owns, another for each number.
pub fn id_at(shards: u16, owner: u16, number: u32) -> String {
    (0u128..)
        .map(|n| ConferenceId((u128::from(number) << 64 | n) ^ (0xC71C_6BB0_2678 << 80)))
        .find(|id| id.home(shards).0 == owner % shards)
        .map(|id| id.to_string())
        .expect("an id")
}

/// What addConference says of a conference besides its id.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish<'a> {
    pub subject: &'a str,
    /// Empty for the time of a Lync client, which is 7 h.
    pub expiry: &'a str,
    /// Empty for the open one of a Lync client.
    pub admission: &'a str,
    pub lobby: bool,
    /// Who is asked in, and as what.
    pub invited: &'a [(&'a str, &'a str)],
}

impl Wish<'_> {
    /// The conference-info of addConference and modifyConference.
    fn body(&self, entity: &str, id: &str) -> String {
        let or = |given: &str, usual: &str| match given {
            "" => usual.to_owned(),
            given => given.to_owned(),
        };
        let subject = match self.subject {
            "" => "<ci:subject/>".to_owned(),
            subject => format!("<ci:subject>{subject}</ci:subject>"),
        };
        let lobby = match self.lobby {
            true => "<lobby xmlns=\"urn:mynah:conference\">true</lobby>",
            false => "",
        };
        let users: String =
            self.invited.iter().map(|(user, role)| ci_user(user, role, "")).collect();
        let users = match users.as_str() {
            "" => users,
            users => format!(
                "<ci:users>{}</ci:users>",
                users.replace(" xmlns:ci=\"urn:ietf:params:xml:ns:conference-info\"", "")
            ),
        };
        let id = match id {
            "" => String::new(),
            id => format!("<msci:conference-id>{id}</msci:conference-id>"),
        };
        format!(
            "<ci:conference-info xmlns:ci=\"urn:ietf:params:xml:ns:conference-info\" \
             entity=\"{entity}\" \
             xmlns:msci=\"http://schemas.microsoft.com/rtc/2005/08/confinfoextensions\">\
             <ci:conference-description>{subject}{id}\
             <msci:expiry-time>{}</msci:expiry-time>\
             <msci:admission-policy>{}</msci:admission-policy>{lobby}\
             </ci:conference-description>{users}<msci:conference-view>\
             <msci:entity-view entity=\"chat\"/></msci:conference-view></ci:conference-info>",
            or(self.expiry, "2026-11-21T04:23:27Z"),
            or(self.admission, "openAuthenticated"),
        )
    }
}

fn ci_user(user: &str, role: &str, endpoint: &str) -> String {
    let endpoint = match endpoint {
        "" => String::new(),
        name => format!(
            "<ci:endpoint entity=\"{name}\" \
             xmlns:msci=\"http://schemas.microsoft.com/rtc/2005/08/confinfoextensions\"/>"
        ),
    };
    format!(
        "<ci:user xmlns:ci=\"urn:ietf:params:xml:ns:conference-info\" entity=\"{}\"><ci:roles>\
         <ci:entry>{role}</ci:entry></ci:roles>{endpoint}</ci:user>",
        uri(user)
    )
}

impl Client {
    /// A C3P request with this operation.
    pub fn c3p(&mut self, to: &str, operation: &str) -> String {
        let (from, id) = (self.uri(), self.next_operation());
        format!(
            "<?xml version=\"1.0\"?><request xmlns=\"urn:ietf:params:xml:ns:cccp\" \
             xmlns:mscp=\"http://schemas.microsoft.com/rtc/2005/08/cccpextensions\" \
             C3PVersion=\"1\" to=\"{to}\" from=\"{from}\" requestId=\"{id}\">{operation}</request>"
        )
    }

    /// A SERVICE with an operation.
    pub fn operation_at(&mut self, to: &str, operation: &str) -> Request {
        let body = self.c3p(to, operation);
        self.request("SERVICE", to).header("Supported", "ms-sender").body(CCCP, &body)
    }

    /// A SERVICE that makes a conference.
    pub fn convene(&mut self, id: &str, wish: Wish<'_>) -> Request {
        let info = wish.body("", id);
        self.operation_at(FACTORY, &format!("<addConference>{info}</addConference>"))
    }

    /// The operation that changes what was laid down.
    pub fn change(&self, meeting: &Meeting, wish: Wish<'_>) -> String {
        let info = wish.body(&meeting.focus, &meeting.id);
        format!("<modifyConference>{info}</modifyConference>")
    }

    /// A SERVICE to the factory that changes a conference.
    pub fn reconvene(&mut self, meeting: &Meeting, wish: Wish<'_>) -> Request {
        let change = self.change(meeting, wish);
        self.operation_at(FACTORY, &change)
    }

    /// The INVITE of a Lync client to a focus.
    pub fn invite_focus(&mut self, meeting: &Meeting) -> Request {
        let endpoint = format!("{{{}}}", self.epid);
        let user = ci_user(&self.user.clone(), "attendee", &endpoint);
        let operation = format!("<addUser>{}{user}</addUser>", meeting.keys());
        let body = self.c3p(&meeting.focus, &operation);
        let request = self.request("INVITE", &meeting.focus);
        request.header("Supported", "ms-sender").body(CCCP, &body)
    }

    /// The INVITE of a Lync client to an IMMCU.
    pub fn invite_chat(&mut self, meeting: &Meeting) -> Request {
        let request = self.request("INVITE", &meeting.chat);
        request.header("Supported", "ms-sender").body("application/sdp", CHAT_SDP)
    }

    /// The INVITE of a standard client to a focus (RFC 4579 section 5.1).
    pub fn invite_plain(&mut self, meeting: &Meeting) -> Request {
        let sdp = CHAT_SDP.replace(
            "text/plain text/html image/gif application/im-iscomposing+xml \
             application/ms-imdn+xml text/x-msmsgsinvite",
            "text/plain",
        );
        self.request("INVITE", &meeting.focus).body("application/sdp", &sdp)
    }

    /// The SUBSCRIBE to a roster.
    pub fn watch(&mut self, meeting: &Meeting) -> Request {
        let request = match self.ms {
            true => self
                .request("SUBSCRIBE", &meeting.focus)
                .header("Event", "conference")
                .header("Accept", ROSTER)
                .header("Supported", "com.microsoft.autoextend")
                .header("Supported", "ms-benotify")
                .header("Proxy-Require", "ms-benotify")
                .header("Supported", "ms-piggyback-first-notify"),
            false => self
                .request("SUBSCRIBE", &meeting.focus)
                .header("Event", "conference")
                .header("Accept", ROSTER)
                .header("Expires", "3600"),
        };
        request.with("Contact", &format!("<{}>", self.contact))
    }

    /// The dialog that the 200 to an INVITE to a conference makes.
    pub fn conference_dialog(&self, invite: &Request, accepted: &Text) -> Dialog {
        let remote = bracketed(invite.value("To")).to_owned();
        Dialog { remote, ..self.dialog(invite, accepted) }
    }

    /// An operation in a dialog with a focus.
    pub fn operate(&mut self, dialog: &mut Dialog, operation: &str) -> Request {
        let body = self.c3p(&dialog.target.clone(), operation);
        self.within(dialog, "INFO").header("Supported", "ms-sender").body(CCCP, &body)
    }

    /// A REFER in a dialog.
    pub fn refer(&mut self, dialog: &mut Dialog, refer_to: &str) -> Request {
        self.within(dialog, "REFER").header("Refer-To", refer_to)
    }
}

/// Alice, bob and carol with Lync clients on so many shards.
pub fn three(shards: u16) -> (Net, [Client; 3]) {
    signed_in(Net::new(shards))
}

/// The same in a network there is.
pub fn signed_in(mut net: Net) -> (Net, [Client; 3]) {
    let shards = net.shards();
    let users = [("alice", 0), ("bob", 1), ("carol", 2)];
    let clients = users.map(|(user, at)| Client::lync(&mut net, at % shards, user));
    (net, clients)
}

/// A user with a name, signed in with a Lync client.
#[track_caller]
pub fn lync_named(net: &mut Net, shard: u16, user: &str, name: &str) -> Client {
    net.put_user(user, |user| user.display_name = name.to_owned());
    Client::lync(net, shard, user)
}

/// A conference that `organiser` makes.
#[track_caller]
pub fn convened(net: &mut Net, organiser: &mut Client, id: &str, wish: Wish<'_>) -> Meeting {
    let request = organiser.convene(id, wish);
    let answer = net.ask(organiser.conn, &request);
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert!(answer.body().contains(" code=\"success\""), "{answer:?}");
    Meeting::of(&organiser.user, id)
}

/// Sends the INVITE, which must be taken, and the ACK.
#[track_caller]
pub fn joined(net: &mut Net, client: &mut Client, invite: &Request) -> Dialog {
    net.send(client.conn, invite);
    let accepted = net.recv(client.conn);
    assert_eq!(accepted.status(), 200, "{accepted:?}");
    let dialog = client.conference_dialog(invite, &accepted);
    let ack = client.ack(&dialog);
    net.send(client.conn, &ack);
    dialog
}

/// A Lync client joins the focus and the IMMCU; it does not look at the roster.
#[track_caller]
pub fn seated(net: &mut Net, client: &mut Client, meeting: &Meeting) -> Seat {
    let invite = client.invite_focus(meeting);
    let focus = joined(net, client, &invite);
    let invite = client.invite_chat(meeting);
    let chat = joined(net, client, &invite);
    Seat { focus, chat }
}

/// A standard client joins.
#[track_caller]
pub fn plainly(net: &mut Net, client: &mut Client, meeting: &Meeting) -> Dialog {
    let invite = client.invite_plain(meeting);
    joined(net, client, &invite)
}

/// A Lync client subscribes to the roster, and takes it.
#[track_caller]
pub fn watching(net: &mut Net, client: &mut Client, meeting: &Meeting) -> (Request, Text) {
    let request = client.watch(meeting);
    let answer = net.ask(client.conn, &request);
    assert_eq!(answer.status(), 200, "{answer:?}");
    (request, answer)
}

/// A member says something; the number it was given.
#[track_caller]
pub fn said(net: &mut Net, client: &mut Client, dialog: &mut Dialog, text: &str) -> u64 {
    let request = client.say(dialog, text);
    said_as(net, client.conn, &request)
}

/// The same, as written.
#[track_caller]
pub fn said_as(net: &mut Net, conn: ConnId, request: &Request) -> u64 {
    let answer = net.ask(conn, request);
    assert_eq!(answer.status(), 202, "{answer:?}");
    answer.header("Message-Id").parse().expect("a number")
}

/// A member gets a message, and answers it.
#[track_caller]
pub fn heard(net: &mut Net, client: &Client) -> Text {
    let message = net.recv(client.conn);
    assert_eq!(message.method(), "MESSAGE", "{message:?}");
    net.send(client.conn, &message.answer(200, ""));
    message
}

/// A member gets this text of this author in his dialog, and answers it.
#[track_caller]
pub fn hears(net: &mut Net, client: &Client, dialog: &Dialog, author: &str, text: &str) {
    let message = heard(net, client);
    assert_eq!(message.body(), text, "{message:?}");
    assert_eq!(message.header("Ms-Sender"), format!("<{}>", uri(author)));
    assert_eq!(message.header("Content-Type"), LYNC_TEXT);
    assert_eq!(message.header("Call-ID"), dialog.call_id);
    assert_eq!((message.from_tag(), message.to_tag()), (&*dialog.remote_tag, &*dialog.local_tag));
}

/// Says goodbye in a dialog with a conference.
#[track_caller]
pub fn left(net: &mut Net, client: &mut Client, dialog: &mut Dialog) {
    let bye = client.within(dialog, "BYE");
    let answer = net.ask(client.conn, &bye);
    assert_eq!(answer.status(), 200, "{answer:?}");
}

/// Passes over all that waits for these clients.
pub fn pass_over(net: &mut Net, conns: &[ConnId]) {
    for conn in conns {
        while net.try_recv(*conn).is_some() {}
    }
}

/// Nothing of any conference is left: no leg, no subscription, no request in flight.
#[track_caller]
pub fn nothing_left(net: &Net) {
    for shard in net.all() {
        let held = shard.occupancy();
        assert_eq!((held.conferences, held.conference_legs), (0, 0), "{held:?}");
        assert_eq!((held.subscriptions, held.relays, held.edits), (0, 0, 0), "{held:?}");
    }
    net.at_rest();
}

/// The version of a roster.
#[track_caller]
pub fn version(document: &str) -> u32 {
    let at = document.find(" version=\"").expect("a version") + 10;
    let rest = &document[at..];
    rest.split('"').next().and_then(|text| text.parse().ok()).expect("a version")
}

/// The users that a roster names, with the state of each, in order.
pub fn users(document: &str) -> Vec<(String, String)> {
    document
        .split("<user entity=\"sip:")
        .skip(1)
        .map(|part| {
            let (who, rest) = part.split_once('@').unwrap_or_default();
            let state = rest.split("state=\"").nth(1).and_then(|s| s.split('"').next());
            (who.to_owned(), state.unwrap_or_default().to_owned())
        })
        .collect()
}

/// A C3P answer says that it is done.
#[track_caller]
pub fn succeeded(body: &str, operation: &str) {
    assert!(body.contains(" code=\"success\"><") && body.contains(operation), "{body}");
}

/// A C3P answer says why it is not.
#[track_caller]
pub fn failed(answer: &Text, status: u16, reason: &str) {
    assert_eq!(answer.status(), status, "{answer:?}");
    assert_eq!(answer.header("Content-Type"), CCCP, "{answer:?}");
    let body = answer.body();
    let reason = format!(" reason=\"{reason}\"");
    assert!(body.contains(" code=\"failure\"><") && body.contains(&reason), "{body}");
}
