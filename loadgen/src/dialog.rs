//! One INVITE dialog, as the side that invited or the side that was invited (RFC 3261 section 12).

use crate::scan::{Message, Name, param_of, uri_of};
use crate::transactions::Transactions;

/// Where a dialog stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Our INVITE has no final answer yet.
    Inviting,
    /// The session is there.
    Established,
    /// Our BYE has no final answer yet.
    Ending,
}

/// What an INVITE dialog is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Instant messages: with another user, or with the members of a conference.
    Session,
    /// Membership of a conference.
    Focus,
}

/// One dialog of an endpoint.
#[derive(Debug)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: Vec<u8>,
    /// Last CSeq number we used.
    pub cseq: u32,
    /// The other side ended it while our BYE was on its way.
    pub crossed: bool,
    /// Number of this dialog within its endpoint; never used twice.
    pub id: u32,
    /// What it is for; of no meaning for a subscription.
    pub kind: Kind,
    /// Our tag.
    pub local_tag: Vec<u8>,
    /// Address of the other side, without scheme.
    pub peer: String,
    /// Parameters of the other side's address in our requests: `;tag=…`, or nothing.
    pub peer_tag: Vec<u8>,
    /// Route headers of our requests, as whole lines.
    pub routes: Vec<u8>,
    /// Where the dialog stands.
    pub state: State,
    /// Request-URI of our requests.
    pub target: Vec<u8>,
    /// Our requests that wait for an answer.
    pub transactions: Transactions,
}

impl Dialog {
    /// A dialog that we begin.
    pub fn invite(id: u32, call_id: Vec<u8>, local_tag: Vec<u8>, peer: &str) -> Dialog {
        Dialog {
            call_id,
            cseq: 0,
            crossed: false,
            id,
            kind: Kind::Session,
            local_tag,
            peer: peer.to_owned(),
            peer_tag: Vec::new(),
            routes: Vec::new(),
            state: State::Inviting,
            target: format!("sip:{peer}").into_bytes(),
            transactions: Transactions::default(),
        }
    }

    /// A dialog that the other side begins with `request`; `None` when it has no From tag or no
    /// Contact.
    pub fn invited(id: u32, local_tag: Vec<u8>, request: Message<'_>) -> Option<Dialog> {
        let from = request.value(Name::From);
        let peer = address(uri_of(from))?;
        let call_id = request.value(Name::CallId).to_vec();
        let mut dialog = Dialog::invite(id, call_id, local_tag, &peer);
        dialog.peer_tag = tag_param(param_of(from, "tag")?);
        dialog.state = State::Established;
        let routes: Vec<_> = request.elements(Name::RecordRoute).collect();
        dialog.route(request.elements(Name::Contact).next()?, &routes);
        Some(dialog)
    }

    /// Takes over what the 2xx to our INVITE says; false when To has no tag or Contact is missing.
    pub fn establish(&mut self, answer: Message<'_>) -> bool {
        let tag = param_of(answer.value(Name::To), "tag").filter(|tag| !tag.is_empty());
        let contact = answer.elements(Name::Contact).next();
        let (Some(tag), Some(contact)) = (tag, contact) else { return false };
        self.peer_tag = tag_param(tag);
        let mut routes: Vec<_> = answer.elements(Name::RecordRoute).collect();
        routes.reverse();
        self.route(contact, &routes);
        self.state = State::Established;
        true
    }

    /// True when a request or answer with these header values belongs to this dialog.
    pub fn matches(&self, call_id: &[u8], own_tag: Option<&[u8]>) -> bool {
        self.call_id == call_id && own_tag == Some(self.local_tag.as_slice())
    }

    /// Request-URI and Route headers (RFC 3261 section 12.2.1.1), also past a strict router.
    fn route(&mut self, contact: &[u8], routes: &[&[u8]]) {
        self.routes.clear();
        let target = uri_of(contact);
        let strict = routes.first().is_some_and(|first| !has_lr(uri_of(first)));
        let ours = if strict { routes.get(1..).unwrap_or(&[]) } else { routes };
        for route in ours {
            self.push_route(route);
        }
        if strict {
            self.push_route(&[b"<", target, b">"].concat());
            self.target = routes.first().map_or(target, |first| uri_of(first)).to_vec();
        } else {
            self.target = target.to_vec();
        }
    }

    fn push_route(&mut self, route: &[u8]) {
        self.routes.extend_from_slice(b"Route: ");
        self.routes.extend_from_slice(route);
        self.routes.extend_from_slice(b"\r\n");
    }
}

/// `user@host` of a SIP URI, lower case, without parameters.
pub fn address(uri: &[u8]) -> Option<String> {
    let rest = std::str::from_utf8(uri).ok()?;
    let rest = rest.strip_prefix("sip:").or_else(|| rest.strip_prefix("sips:"))?;
    let end = rest.find([';', '?']).unwrap_or(rest.len());
    Some(rest.get(..end)?.to_ascii_lowercase())
}

fn tag_param(tag: &[u8]) -> Vec<u8> {
    [b";tag=", tag].concat()
}

fn has_lr(uri: &[u8]) -> bool {
    uri.split(|&b| b == b';').skip(1).any(|param| {
        let name = param.split(|&b| b == b'=').next().unwrap_or(&[]);
        name.trim_ascii().eq_ignore_ascii_case(b"lr")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Index, Scanner};

    fn established(record_routes: &str) -> Dialog {
        let answer = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/tls a\r\nFrom: <sip:a@x>;tag=1\r\n\
             To: <sip:b@x>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:b@x;opaque=user:epid:1;gruu>\r\n{record_routes}Content-Length: 0\r\n\r\n"
        );
        let mut index = Index::default();
        Scanner::default().next(answer.as_bytes(), &mut index).unwrap();
        let mut dialog = Dialog::invite(0, b"c".to_vec(), b"1".to_vec(), "b@x");
        assert!(dialog.establish(Message::new(answer.as_bytes(), &index)));
        dialog
    }

    #[test]
    fn the_inviting_side_reverses_the_route_set() {
        let dialog = established("Record-Route: <sip:p2;lr>, <sip:p1;transport=tls;lr>\r\n");
        assert_eq!(dialog.target, b"sip:b@x;opaque=user:epid:1;gruu");
        assert_eq!(dialog.peer_tag, b";tag=2");
        assert_eq!(dialog.routes, b"Route: <sip:p1;transport=tls;lr>\r\nRoute: <sip:p2;lr>\r\n");
    }

    #[test]
    fn without_record_route_the_contact_is_all() {
        let dialog = established("");
        assert_eq!(dialog.target, b"sip:b@x;opaque=user:epid:1;gruu");
        assert!(dialog.routes.is_empty());
    }

    #[test]
    fn a_strict_router_becomes_the_request_uri() {
        let dialog = established("Record-Route: <sip:p2;lr>\r\nRecord-Route: <sip:p1>\r\n");
        assert_eq!(dialog.target, b"sip:p1");
        assert_eq!(
            dialog.routes,
            b"Route: <sip:p2;lr>\r\nRoute: <sip:b@x;opaque=user:epid:1;gruu>\r\n"
        );
    }
}
