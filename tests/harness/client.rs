//! Clients of both dialects, as the transcripts show them.

use mynah::base::ids::ConnId;

use super::digest::Credentials;
use super::net::Net;
use super::ntlm;
use super::text::{Request, Text, bracketed, quoted};
use super::{DOMAIN, PASSWORD};

/// What a Lync client offers.
pub const SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=session\r\nc=IN IP4 127.0.0.1\r\n\
    t=0 0\r\nm=message 5061 sip null\r\n\
    a=accept-types:text/plain text/html image/gif application/im-iscomposing+xml\r\n";

/// The Content-Type of a Lync client's text.
pub const LYNC_TEXT: &str = "text/plain; charset=UTF-8;msgr=WAAtAE0ATQBTAC0ASQBNAC0A";

/// What a Lync client sends while its user types.
pub const TYPING: &str = "<KeyboardActivity><status status=\"type\"/></KeyboardActivity>";

/// Which device of whom.
#[derive(Clone, Copy, Debug)]
pub struct Device<'a> {
    pub user: &'a str,
    /// Speaks the MS dialect.
    pub ms: bool,
    pub number: u32,
}

/// A client and what it remembers.
#[derive(Clone, Debug)]
pub struct Client {
    pub conn: ConnId,
    pub user: String,
    pub ms: bool,
    /// `urn:uuid:…`.
    pub instance: String,
    pub epid: String,
    /// The URI in its Contact: its own, or its GRUU once it has one.
    pub contact: String,
    port: u32,
    register_call: String,
    register_cseq: u32,
    count: u32,
    operations: u32,
}

/// A dialog as one end knows it.
#[derive(Clone, Debug)]
pub struct Dialog {
    pub call_id: String,
    pub local: String,
    pub local_tag: String,
    pub remote: String,
    pub remote_tag: String,
    pub cseq: u32,
    pub target: String,
    pub routes: Vec<String>,
}

impl Client {
    /// A device with a connection to `shard`, not signed in.
    pub fn on(net: &mut Net, shard: u16, device: Device<'_>) -> Self {
        let conn = net.open(shard);
        Client::of(conn, device)
    }

    /// A device on a connection there is.
    pub fn of(conn: ConnId, device: Device<'_>) -> Self {
        let Device { user, ms, number } = device;
        let name: u32 = user.bytes().fold(7, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
        let port = 41_000 + conn.slot.index;
        let contact = match ms {
            true => format!("sip:127.0.0.1:{port};transport=tls;ms-opaque=d3470f2e1d"),
            false => format!("sip:{user}-0x{number:x}@127.0.0.1:{port};transport=tls"),
        };
        Client {
            conn,
            user: user.to_owned(),
            ms,
            instance: format!("urn:uuid:085e0bd8-031c-5a0d-8d9a-{name:08x}{number:04x}"),
            epid: format!("{name:08x}{number:04x}"),
            contact,
            port,
            register_call: format!("R{name:x}{number}g{}{}", conn.shard, conn.slot.index),
            register_cseq: 0,
            count: 0,
            operations: 0,
        }
    }

    /// A Lync client signed in on `shard`.
    #[track_caller]
    pub fn lync(net: &mut Net, shard: u16, user: &str) -> Self {
        Client::device(net, shard, Device { user, ms: true, number: 0 })
    }

    /// A standard client signed in on `shard`.
    #[track_caller]
    pub fn simple(net: &mut Net, shard: u16, user: &str) -> Self {
        Client::device(net, shard, Device { user, ms: false, number: 0 })
    }

    /// A device signed in on `shard`.
    #[track_caller]
    pub fn device(net: &mut Net, shard: u16, device: Device<'_>) -> Self {
        let mut client = Client::on(net, shard, device);
        let answer = client.sign_in(net);
        assert_eq!(answer.status(), 200, "{answer:?}");
        client
    }

    /// `sip:user@domain`.
    pub fn uri(&self) -> String {
        uri(&self.user)
    }

    /// The next REGISTER, without credentials.
    pub fn register(&mut self) -> Request {
        self.register_cseq += 1;
        let via = self.via(true);
        let from = match self.ms {
            true => format!("<{}>;tag={};epid={}", self.uri(), self.token(), self.epid),
            false => format!("<{}>;tag={}", self.uri(), self.token()),
        };
        let request = Request::new("REGISTER", &format!("sip:{DOMAIN}"))
            .header("Via", &via)
            .header("From", &from)
            .header("To", &format!("<{}>", self.uri()))
            .header("Max-Forwards", "70")
            .header("CSeq", &format!("{} REGISTER", self.register_cseq))
            .header("User-Agent", self.user_agent())
            .header("Call-ID", &self.register_call);
        match self.ms {
            true => request
                .header("Contact", &self.lync_contact())
                .header("Supported", "gruu-10, adhoclist, msrtc-event-categories")
                .header("Event", "registration")
                .header("ms-keep-alive", "UAC;hop-hop=yes"),
            false => request.header("Contact", &self.simple_contact()).header("Expires", "600"),
        }
    }

    /// Signs in, with the common password, and takes the last answer.
    pub fn sign_in(&mut self, net: &mut Net) -> Text {
        let request = self.register();
        let challenge = net.ask(self.conn, &request);
        if !matches!(challenge.status(), 401 | 407) {
            return challenge;
        }
        if challenge.header("WWW-Authenticate").starts_with("NTLM") {
            let user = self.user.clone();
            return self.sign_in_by_ntlm(net, &challenge, &user, PASSWORD);
        }
        let again = self.prove(request, &challenge, PASSWORD);
        let answer = net.ask(self.conn, &again);
        self.note_gruu(&answer);
        answer
    }

    /// Goes on from an offer of NTLM, under this login, and takes the last answer.
    pub fn sign_in_by_ntlm(
        &mut self,
        net: &mut Net,
        offer: &Text,
        login: &str,
        password: &str,
    ) -> Text {
        let (domain, user) = login.split_once('\\').unwrap_or(("", login));
        let account = ntlm::Account { user, domain, password };
        let asking = self.register().header("Authorization", &ntlm::empty(offer));
        let challenge = net.ask(self.conn, &asking);
        assert_eq!(challenge.status(), 401, "{challenge:?}");
        let (request, keys) = ntlm::answer(self.register(), &challenge, account);
        net.keys.insert(self.conn, keys);
        let answer = net.ask(self.conn, &request);
        self.note_gruu(&answer);
        answer
    }

    /// Takes the GRUU out of a 200 to REGISTER.
    pub fn note_gruu(&mut self, answer: &Text) {
        let own = answer.headers("Contact").into_iter().find(|c| c.contains(&self.instance));
        if self.ms
            && let Some(own) = own
        {
            self.contact = quoted(own, "gruu").to_owned();
        }
    }

    /// A request with the answer to a challenge in it. The Lync client hashes the text `(null)`
    /// as the URI; a standard client takes the first challenge.
    pub fn prove(&self, request: Request, challenge: &Text, password: &str) -> Request {
        let (asked, answered) = match challenge.status() {
            407 => ("Proxy-Authenticate", "Proxy-Authorization"),
            _ => ("WWW-Authenticate", "Authorization"),
        };
        let value = challenge.header(asked);
        let octets = request.octets();
        let method = std::str::from_utf8(&octets).unwrap_or_default().split(' ').next();
        let algorithm = if value.contains("algorithm=SHA-256") { "SHA-256" } else { "MD5" };
        let credentials = Credentials {
            user: &self.user,
            realm: quoted(value, "realm"),
            password,
            method: method.unwrap_or_default(),
            uri: if self.ms { "(null)" } else { "sip:example.test" },
            nonce: quoted(value, "nonce"),
            nc: "00000001",
            algorithm: if self.ms { "" } else { algorithm },
        };
        request.with(answered, &credentials.value())
    }

    /// A request outside any dialog.
    pub fn request(&mut self, method: &str, to: &str) -> Request {
        let via = self.via(method != "INVITE");
        let tag = self.token();
        let call_id = format!("c{}", self.token());
        let from = match self.ms {
            true => format!("<{}>;tag={tag};epid={}", self.uri(), self.epid),
            false => format!("<{}>;tag={tag}", self.uri()),
        };
        Request::new(method, to)
            .header("Via", &via)
            .header("From", &from)
            .header("To", &format!("<{to}>"))
            .header("Max-Forwards", "70")
            .header("CSeq", &format!("1 {method}"))
            .header("User-Agent", self.user_agent())
            .header("Call-ID", &call_id)
            .header("Contact", &format!("<{}>", self.contact))
    }

    /// An invitation to a session.
    pub fn invite(&mut self, to: &str) -> Request {
        let request = self.request("INVITE", &uri(to));
        request.header("Supported", "ms-sender").body("application/sdp", SDP)
    }

    /// A message outside any session.
    pub fn page(&mut self, to: &str, text: &str) -> Request {
        self.request("MESSAGE", &uri(to)).body("text/plain", text)
    }

    /// The CANCEL of an INVITE.
    pub fn cancel(&self, invite: &Request) -> Request {
        let uri = bracketed(invite.value("To")).to_owned();
        let number = invite.value("CSeq").split(' ').next().unwrap_or_default().to_owned();
        Request::new("CANCEL", &uri)
            .header("Via", invite.value("Via"))
            .header("From", invite.value("From"))
            .header("To", invite.value("To"))
            .header("Max-Forwards", "70")
            .header("CSeq", &format!("{number} CANCEL"))
            .header("Call-ID", invite.value("Call-ID"))
    }

    /// The ACK of a refusal: of the INVITE's transaction.
    pub fn acknowledge(&self, invite: &Request, answer: &Text) -> Request {
        let cancel = self.cancel(invite);
        let number = cancel.value("CSeq").split(' ').next().unwrap_or_default().to_owned();
        let ack = Request::new("ACK", &uri(bracketed(cancel.value("To"))));
        ["Via", "From", "Call-ID", "Max-Forwards"]
            .iter()
            .fold(ack, |ack, name| ack.header(name, cancel.value(name)))
            .header("To", answer.header("To"))
            .header("CSeq", &format!("{number} ACK"))
    }

    /// The 200 to an INVITE, and the dialog it makes.
    pub fn accept(&mut self, invite: &Text) -> (Request, Dialog) {
        let tag = self.token();
        let answer = invite
            .answer(200, &tag)
            .header("Contact", &format!("<{}>", self.contact))
            .body("application/sdp", SDP);
        let dialog = Dialog {
            call_id: invite.header("Call-ID").to_owned(),
            local: self.user.clone(),
            local_tag: tag,
            remote: bracketed(invite.header("From"))
                .trim_start_matches("sip:")
                .split('@')
                .next()
                .unwrap_or_default()
                .to_owned(),
            remote_tag: invite.from_tag().to_owned(),
            cseq: 0,
            target: invite.contact().to_owned(),
            routes: invite.headers("Record-Route").into_iter().map(str::to_owned).collect(),
        };
        (answer, dialog)
    }

    /// The dialog that a 200 to our INVITE makes.
    pub fn dialog(&self, invite: &Request, accepted: &Text) -> Dialog {
        let remote = bracketed(invite.value("To"));
        let mut routes: Vec<String> =
            accepted.headers("Record-Route").into_iter().map(str::to_owned).collect();
        routes.reverse();
        Dialog {
            call_id: invite.value("Call-ID").to_owned(),
            local: self.user.clone(),
            local_tag: accepted.from_tag().to_owned(),
            remote: remote
                .trim_start_matches("sip:")
                .split('@')
                .next()
                .unwrap_or_default()
                .to_owned(),
            remote_tag: accepted.to_tag().to_owned(),
            cseq: accepted.cseq(),
            target: accepted.contact().to_owned(),
            routes,
        }
    }

    /// The ACK of a 200: in the dialog, with the INVITE's number.
    pub fn ack(&mut self, dialog: &Dialog) -> Request {
        let mut before = dialog.clone();
        before.cseq -= 1;
        self.within(&mut before, "ACK").without("Contact")
    }

    /// The next request in a dialog.
    pub fn within(&mut self, dialog: &mut Dialog, method: &str) -> Request {
        dialog.cseq += 1;
        let via = self.via(false);
        let from = match self.ms {
            true => {
                format!("<{}>;tag={};epid={}", self.uri(), dialog.local_tag, self.epid)
            }
            false => format!("<{}>;tag={}", self.uri(), dialog.local_tag),
        };
        let mut request = Request::new(method, &dialog.target).header("Via", &via);
        for route in &dialog.routes {
            request = request.header("Route", route);
        }
        request
            .header("From", &from)
            .header("To", &format!("<{}>;tag={}", uri(&dialog.remote), dialog.remote_tag))
            .header("Max-Forwards", "70")
            .header("CSeq", &format!("{} {method}", dialog.cseq))
            .header("User-Agent", self.user_agent())
            .header("Call-ID", &dialog.call_id)
            .header("Contact", &format!("<{}>", self.contact))
    }

    /// A message in a session.
    pub fn say(&mut self, dialog: &mut Dialog, text: &str) -> Request {
        self.within(dialog, "MESSAGE").body(LYNC_TEXT, text)
    }

    /// Says goodbye, and takes the 200 both ways.
    #[track_caller]
    pub fn bye(&mut self, net: &mut Net, dialog: &mut Dialog, other: &Client) {
        let bye = self.within(dialog, "BYE");
        net.send(self.conn, &bye);
        let received = net.recv(other.conn);
        assert_eq!(received.method(), "BYE");
        net.send(other.conn, &received.answer(200, ""));
        assert_eq!(net.recv(self.conn).status(), 200);
    }

    fn user_agent(&self) -> &'static str {
        match self.ms {
            true => "Purple/2.14.12 Sipe/1.25.0 (linux-x86_64)",
            false => "baresip v3.11.0 (x86_64/linux)",
        }
    }

    /// The Lync client leaves the branch out of what it sends on a dialog.
    pub(super) fn via(&mut self, outside: bool) -> String {
        let port = self.port;
        match (self.ms, outside) {
            (true, false) => format!("SIP/2.0/tls 127.0.0.1:{port}"),
            (true, true) => {
                format!("SIP/2.0/tls 127.0.0.1:{port};branch=z9hG4bK{}", self.token())
            }
            (false, _) => {
                format!("SIP/2.0/TLS 127.0.0.1:{port};branch=z9hG4bK{};rport", self.token())
            }
        }
    }

    /// The number of the next operation on a conference.
    pub(super) fn next_operation(&mut self) -> u32 {
        self.operations += 1;
        self.operations
    }

    /// A text this client has not used before.
    pub fn token(&mut self) -> String {
        self.count += 1;
        format!("{}{:x}x{}x{}", self.epid, self.conn.slot.index, self.conn.shard, self.count)
    }

    fn lync_contact(&self) -> String {
        let port = self.port;
        format!(
            "<sip:127.0.0.1:{port};transport=tls;ms-opaque=d3470f2e1d>;methods=\"INVITE, MESSAGE, \
             INFO, SUBSCRIBE, OPTIONS, BYE, CANCEL, NOTIFY, ACK, REFER, BENOTIFY\";\
             proxy=replace;+sip.instance=\"<{}>\"",
            self.instance
        )
    }

    fn simple_contact(&self) -> String {
        format!("<{}>;+sip.instance=\"<{}>\";reg-id=1", self.contact, self.instance)
    }
}

/// `sip:user@domain`, or `user` if it is a URI already.
pub fn uri(user: &str) -> String {
    if user.starts_with("sip:") { user.to_owned() } else { format!("sip:{user}@{DOMAIN}") }
}

/// A session between two clients: INVITE, 200, ACK.
#[track_caller]
pub fn established(net: &mut Net, caller: &mut Client, callee: &mut Client) -> (Dialog, Dialog) {
    let invite = caller.invite(&callee.user.clone());
    net.send(caller.conn, &invite);
    assert_eq!(net.recv(caller.conn).status(), 100);
    let received = net.recv(callee.conn);
    let (answer, callees) = callee.accept(&received);
    net.send(callee.conn, &answer);
    let accepted = net.recv(caller.conn);
    assert_eq!(accepted.status(), 200, "{accepted:?}");
    let callers = caller.dialog(&invite, &accepted);
    net.send(caller.conn, &caller.ack(&callers));
    assert_eq!(net.recv(callee.conn).method(), "ACK");
    (callers, callees)
}
