//! What one endpoint has published of its own state, in the words of its dialect, and the
//! versions or the entity tag by which the server knows it.

use crate::markup::{attribute, tags};
use crate::number::{push_number, read_number};
use crate::scan::{Message, Name};
use crate::settings::StateKind;
use crate::stamp::Stamp;

/// Instance number of the state that the user chose: the same for all his endpoints.
const USER_INSTANCE: u64 = 0x2000_0000;
/// Containers that the states of endpoints and users are published in.
const CONTAINERS: [u64; 2] = [2, 3];
/// Availabilities that a user goes through: available, busy, be right back, away.
const AVAILABILITIES: [u64; 4] = [3500, 6500, 12_500, 15_500];
/// The same as activities of a SIMPLE client; available is none.
const ACTIVITIES: [&str; 4] = ["", "<rpid:busy/>", "<rpid:away/>", "<rpid:appointment/>"];

/// A state instance of a Lync client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instance {
    kind: StateKind,
    container: u64,
}

/// In the order in which a Lync client writes them.
const INSTANCES: [Instance; 4] = [
    Instance { kind: StateKind::User, container: CONTAINERS[0] },
    Instance { kind: StateKind::User, container: CONTAINERS[1] },
    Instance { kind: StateKind::Machine, container: CONTAINERS[0] },
    Instance { kind: StateKind::Machine, container: CONTAINERS[1] },
];

impl Instance {
    /// The machine's instance number comes from the endpoint identifier.
    fn number(self, epid: &str) -> u64 {
        let device = epid.get(..8).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or(0);
        match self.kind {
            StateKind::User => USER_INSTANCE,
            StateKind::Machine => 0x3000_0000 | device >> 4,
        }
    }
}

/// What one endpoint has published.
#[derive(Debug, Default)]
pub struct Publications {
    /// CSeq number of the last publication.
    pub last: Option<u32>,
    /// Version of each of [`INSTANCES`]; 0 when it is not published.
    versions: [u64; 4],
    /// Which of [`INSTANCES`] the last publication named, in that order.
    named: Vec<usize>,
    /// Entity tag of a SIMPLE client's state.
    tag: Vec<u8>,
}

impl Publications {
    /// Appends the publications of a new state, each with the version it rests on. Those of a
    /// user state that is not wanted are taken back, because it would cover the machine's.
    pub fn write_categories(
        &mut self,
        epid: &str,
        kind: StateKind,
        stamp: &Stamp,
        out: &mut Vec<u8>,
    ) {
        self.named.clear();
        for (at, instance) in INSTANCES.iter().enumerate() {
            let wanted = instance.kind == StateKind::Machine || kind == StateKind::User;
            if !wanted && self.versions[at] == 0 {
                continue;
            }
            self.named.push(at);
            out.extend_from_slice(b"<publication categoryName=\"state\" instance=\"");
            push_number(out, instance.number(epid));
            out.extend_from_slice(b"\" container=\"");
            push_number(out, instance.container);
            out.extend_from_slice(b"\" version=\"");
            push_number(out, self.versions[at]);
            let (expires, manual, state) = match instance.kind {
                StateKind::User => ("static", "true", "userState"),
                StateKind::Machine => ("endpoint", "false", "machineState"),
            };
            if !wanted {
                out.extend_from_slice(b"\" expireType=\"static\" expires=\"0\"/>");
                continue;
            }
            for part in [
                "\" expireType=\"",
                expires,
                "\"><state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\" manual=\"",
                manual,
                "\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"",
                state,
                "\"><availability>",
            ] {
                out.extend_from_slice(part.as_bytes());
            }
            push_number(out, AVAILABILITIES[turn(stamp)]);
            out.extend_from_slice(b"</availability><activity><custom LCID=\"1033\">");
            write_stamp(stamp, out);
            out.extend_from_slice(b"</custom></activity><endpointLocation/></state></publication>");
        }
    }

    /// Appends the person of a SIMPLE client's document.
    pub fn write_person(&self, id: &str, stamp: &Stamp, out: &mut Vec<u8>) {
        for part in [
            "<dm:person id=\"p",
            id,
            "\"><rpid:activities>",
            ACTIVITIES[turn(stamp)],
            "</rpid:activities><dm:note>",
        ] {
            out.extend_from_slice(part.as_bytes());
        }
        write_stamp(stamp, out);
        out.extend_from_slice(b"</dm:note></dm:person>");
    }

    /// Appends SIP-If-Match, when there is something to replace.
    pub fn write_condition(&self, out: &mut Vec<u8>) {
        if !self.tag.is_empty() {
            out.extend_from_slice(b"SIP-If-Match: ");
            out.extend_from_slice(&self.tag);
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Takes over what the answer to the last publication says; false when a 2xx says neither
    /// the versions of what was published nor an entity tag.
    pub fn answered(&mut self, epid: &str, answer: Message<'_>, status: u16) -> bool {
        match status {
            200..300 if answer.method() == b"PUBLISH" => {
                self.tag = answer.value(Name::SipEtag).to_vec();
                !self.tag.is_empty()
            }
            200..300 => self.take_versions(epid, answer.body()),
            409 => {
                self.correct(answer.body());
                true
            }
            _ => {
                // The server does not know it, or no longer (412): the next one is a new one.
                self.tag.clear();
                true
            }
        }
    }

    fn take_versions(&mut self, epid: &str, body: &[u8]) -> bool {
        self.versions = [0; 4];
        for (_, tag) in tags(body).filter(|(name, _)| *name == b"category") {
            let number = |name: &str| attribute(tag, name.as_bytes()).and_then(read_number);
            if attribute(tag, b"name") != Some(b"state") {
                continue;
            }
            let found = INSTANCES.iter().position(|instance| {
                number("container") == Some(instance.container)
                    && number("instance") == Some(instance.number(epid))
            });
            if let (Some(at), Some(version)) = (found, number("version")) {
                self.versions[at] = version;
            }
        }
        let machine = INSTANCES.iter().zip(self.versions);
        machine.filter(|(one, _)| one.kind == StateKind::Machine).all(|(_, version)| version > 0)
    }

    /// Takes the current versions from a fault (MS-PRES: index from 1).
    fn correct(&mut self, fault: &[u8]) {
        for (_, tag) in tags(fault).filter(|(name, _)| *name == b"operation") {
            let number = |name: &str| attribute(tag, name.as_bytes()).and_then(read_number);
            let index = number("index").and_then(|index| usize::try_from(index).ok());
            let at = index.and_then(|index| self.named.get(index.checked_sub(1)?));
            if let (Some(&at), Some(version)) = (at, number("curVersion")) {
                self.versions[at] = version;
            }
        }
    }
}

fn turn(stamp: &Stamp) -> usize {
    stamp.number as usize % AVAILABILITIES.len()
}

fn write_stamp(stamp: &Stamp, out: &mut Vec<u8>) {
    stamp.write(0, out);
    // The blank that ends it might not survive.
    out.pop();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::scan::{Index, Scanner};

    const EPID: &str = "b34afb6ebb23";

    fn stamp() -> Stamp {
        Stamp { run: 7, pair: 3, number: 1, intended: Moment(9) }
    }

    fn answered(publications: &mut Publications, method: &str, start: &str, rest: &str) -> bool {
        let text = format!(
            "SIP/2.0 {start}\r\nVia: SIP/2.0/TLS a\r\nFrom: <sip:a@x>;tag=1\r\n\
             To: <sip:a@x>;tag=2\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n{rest}"
        );
        let mut index = Index::default();
        Scanner::default().next(text.as_bytes(), &mut index).unwrap();
        let message = Message::new(text.as_bytes(), &index);
        publications.answered(EPID, message, message.status().unwrap())
    }

    fn body(text: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{text}", text.len())
    }

    fn categories(publications: &mut Publications, kind: StateKind) -> String {
        let mut out = Vec::new();
        publications.write_categories(EPID, kind, &stamp(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn versions(written: &str) -> Vec<(u64, u64, u64)> {
        let number = |tag, name: &str| attribute(tag, name.as_bytes()).and_then(read_number);
        tags(written.as_bytes())
            .filter(|(name, _)| *name == b"publication")
            .map(|(_, tag)| {
                let of = |name| number(tag, name).unwrap();
                (of("instance"), of("container"), of("version"))
            })
            .collect()
    }

    const MACHINE: u64 = 993_308_598;

    #[test]
    fn the_machine_state_looks_as_on_the_wire_but_for_the_activity() {
        let written = categories(&mut Publications::default(), StateKind::Machine);
        let wire = "<publication categoryName=\"state\" instance=\"993308598\" container=\"2\" \
            version=\"0\" expireType=\"endpoint\"><state \
            xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\" manual=\"false\" \
            xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"machineState\">\
            <availability>6500</availability><activity><custom LCID=\"1033\">lg 7 3 1 9</custom>\
            </activity><endpointLocation/></state></publication>";
        assert_eq!(written.len(), 2 * wire.len());
        assert!(written.starts_with(wire), "{written}");
        assert_eq!(Stamp::read_all(written.as_bytes()).collect::<Vec<_>>(), [stamp()]);
    }

    #[test]
    fn versions_come_from_the_answer_and_a_foreign_user_state_is_taken_back() {
        let mut publications = Publications::default();
        categories(&mut publications, StateKind::Machine);
        let roaming = "<roamingData><categories uri=\"sip:a@x\">\
            <category name=\"state\" instance=\"993308598\" container=\"2\" version=\"4\"/>\
            <category name=\"state\" instance=\"993308598\" container=\"3\" version=\"5\"/>\
            <category name=\"state\" instance=\"536870912\" container=\"3\" version=\"6\"/>\
            <category name=\"state\" instance=\"0\" container=\"2\" version=\"7\"/>\
            <category name=\"note\" instance=\"993308598\" container=\"2\" version=\"8\"/>\
            </categories></roamingData>";
        assert!(answered(&mut publications, "SERVICE", "200 OK", &body(roaming)));
        let written = categories(&mut publications, StateKind::Machine);
        let expected = [(USER_INSTANCE, 3, 6), (MACHINE, 2, 4), (MACHINE, 3, 5)];
        assert_eq!(versions(&written), expected);
        assert!(written.contains("version=\"6\" expireType=\"static\" expires=\"0\"/>"));
    }

    #[test]
    fn a_fault_corrects_the_version_of_the_operation_it_names() {
        let mut publications = Publications::default();
        categories(&mut publications, StateKind::User);
        let fault = "<Fault><Faultcode>Client.BadCall.WrongDelta</Faultcode><details>\
            <operation index=\"2\" version=\"0\" curVersion=\"9\"/>\
            <operation index=\"9\" curVersion=\"1\"/></details></Fault>";
        assert!(answered(&mut publications, "SERVICE", "409 Conflict", &body(fault)));
        let found = versions(&categories(&mut publications, StateKind::User));
        let user = USER_INSTANCE;
        assert_eq!(found, [(user, 2, 0), (user, 3, 9), (MACHINE, 2, 0), (MACHINE, 3, 0)]);
    }

    #[test]
    fn an_answer_without_versions_or_entity_tag_is_no_answer() {
        let mut publications = Publications::default();
        assert!(!answered(&mut publications, "SERVICE", "200 OK", &body("<roamingData/>")));
        assert!(!answered(&mut publications, "PUBLISH", "200 OK", &body("")));
    }

    #[test]
    fn an_entity_tag_is_used_once_and_forgotten_when_the_server_does_not_know_it() {
        let mut publications = Publications::default();
        let condition = |publications: &Publications| {
            let mut out = Vec::new();
            publications.write_condition(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(condition(&publications), "");
        for tag in ["abc", "def"] {
            let rest = format!("SIP-ETag: {tag}\r\n{}", body(""));
            assert!(answered(&mut publications, "PUBLISH", "200 OK", &rest));
            assert_eq!(condition(&publications), format!("SIP-If-Match: {tag}\r\n"));
        }
        answered(&mut publications, "PUBLISH", "412 Conditional Request Failed", &body(""));
        assert_eq!(condition(&publications), "");
    }
}
