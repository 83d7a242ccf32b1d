//! What clients send about presence and contacts, and what tests read of the answers.

use mynah::base::ids::ConnId;

use super::client::{Client, uri};
use super::net::Net;
use super::text::{Request, Text};

/// The type of a Lync client's batch.
const BATCH: &str = "application/msrtc-adrl-categorylist+xml";
/// What a Lync client asks of each contact.
const CATEGORIES: [&str; 4] = ["calendarData", "contactCard", "note", "state"];

impl Client {
    /// A Lync client's SUBSCRIBE to these users.
    pub fn batch(&mut self, users: &[&str]) -> Request {
        let resources: String =
            users.iter().map(|user| format!("<resource uri=\"{}\"/>", uri(user))).collect();
        self.batch_of(&format!("<adhocList>{resources}</adhocList>"), "subscribe")
    }

    /// The same for one who was just added.
    pub fn batch_added(&mut self, user: &str) -> Request {
        let list =
            format!("<adhocList><resource uri=\"{}\"><context/></resource></adhocList>", uri(user));
        self.batch_of(&list, "subscribe")
    }

    /// The same addressed to `to`, as for one who is to be watched apart from a long batch.
    pub fn batch_to(&mut self, to: &str, user: &str) -> Request {
        let list = format!("<adhocList><resource uri=\"{}\"/></adhocList>", uri(user));
        self.batch_of_to(&uri(to), &list, "subscribe")
    }

    fn batch_of(&mut self, list: &str, action: &str) -> Request {
        let own = uri(&self.user);
        self.batch_of_to(&own, list, action)
    }

    fn batch_of_to(&mut self, to: &str, list: &str, action: &str) -> Request {
        let body = batch_body(&uri(&self.user), list, action);
        self.piggyback("presence", to)
            .header(
                "Accept",
                "application/msrtc-event-categories+xml, text/xml+msrtc.pidf, \
                 application/xpidf+xml, application/pidf+xml, application/rlmi+xml, \
                 multipart/related",
            )
            .header("Require", "adhoclist, categoryList")
            .header("Supported", "eventlist")
            .body(BATCH, &body)
    }

    /// A SUBSCRIBE whose answer carries the first notification, and that is told by BENOTIFY.
    pub fn piggyback(&mut self, event: &str, to: &str) -> Request {
        self.request("SUBSCRIBE", to)
            .header("Event", event)
            .header("Supported", "ms-benotify")
            .header("Proxy-Require", "ms-benotify")
            .header("Supported", "ms-piggyback-first-notify")
    }

    /// A SUBSCRIBE to something of the client's own.
    pub fn subscribe_own(&mut self, package: &str) -> Request {
        let own = uri(&self.user);
        let request = self.piggyback(package, &own);
        match package {
            "vnd-microsoft-roaming-self" => request.body(
                "application/vnd-microsoft-roaming-self+xml",
                "<roamingList xmlns=\"http://schemas.microsoft.com/2006/09/sip/roaming-self\">\
                 <roaming type=\"categories\"/><roaming type=\"containers\"/>\
                 <roaming type=\"subscribers\"/></roamingList>",
            ),
            _ => request,
        }
    }

    /// A standard client's SUBSCRIBE to a user.
    pub fn subscribe(&mut self, user: &str, expires: u32) -> Request {
        self.request("SUBSCRIBE", &uri(user))
            .header("Event", "presence")
            .header("Expires", &expires.to_string())
    }

    /// The next SUBSCRIBE in the dialog that `first` and its answer made.
    pub fn again(&mut self, first: &Request, answer: &Text, cseq: u32, expires: u32) -> Request {
        let target = answer.contact().to_owned();
        let via = self.via(false);
        let mut request = Request::new("SUBSCRIBE", &target)
            .header("Via", &via)
            .header("From", first.value("From"))
            .header("To", answer.header("To"))
            .header("Max-Forwards", "70")
            .header("CSeq", &format!("{cseq} SUBSCRIBE"))
            .header("Call-ID", first.value("Call-ID"))
            .header("Event", first.value("Event"))
            .header("Contact", first.value("Contact"))
            .header("Expires", &expires.to_string());
        if !first.value("Proxy-Require").is_empty() {
            request = request
                .header("Supported", "ms-benotify")
                .header("Supported", "ms-piggyback-first-notify");
        }
        request
    }

    /// A batch that adds to those watched, in the dialog that `first` and its answer made.
    pub fn batch_again(
        &mut self,
        first: &Request,
        answer: &Text,
        cseq: u32,
        user: &str,
    ) -> Request {
        let list = format!("<adhocList><resource uri=\"{}\"/></adhocList>", uri(user));
        let body = batch_body(&uri(&self.user), &list, "subscribe");
        self.again(first, answer, cseq, 7200)
            .header("Require", "adhoclist, categoryList")
            .header("Supported", "eventlist")
            .body(BATCH, &body)
    }

    /// A SERVICE to the client itself.
    pub fn service(&mut self, media_type: &str, body: &str) -> Request {
        let own = uri(&self.user);
        self.request("SERVICE", &own).body(media_type, body)
    }

    /// A SERVICE that publishes.
    pub fn publish(&mut self, publications: &[String]) -> Request {
        let own = uri(&self.user);
        let body = format!(
            "<publish xmlns=\"http://schemas.microsoft.com/2006/09/sip/rich-presence\">\
             <publications uri=\"{own}\">{}</publications></publish>",
            publications.concat()
        );
        self.service("application/msrtc-category-publish+xml", &body)
    }

    /// Publishes the state the user has chosen, as the client does: in containers 2 and 3.
    pub fn publish_state(&mut self, availability: u32, version: u32) -> Request {
        let states: Vec<String> = [2, 3]
            .into_iter()
            .map(|container| user_state(container, availability, version))
            .collect();
        self.publish(&states)
    }

    /// Publishes a personal note for all who may see notes.
    pub fn publish_note(&mut self, text: &str, version: u32) -> Request {
        let notes: Vec<String> = [200, 300, 400]
            .into_iter()
            .map(|container| {
                publication(
                    "note",
                    0,
                    container,
                    version,
                    "static",
                    &format!(
                        "<note xmlns=\"http://schemas.microsoft.com/2006/09/sip/note\">\
                         <body type=\"personal\" uri=\"\">{text}</body></note>"
                    ),
                )
            })
            .collect();
        self.publish(&notes)
    }

    /// Changes the members of containers: `(container, version, "add" or "remove", user)`.
    pub fn set_members(&mut self, changes: &[(u32, u32, &str, &str)]) -> Request {
        let containers: String = changes
            .iter()
            .map(|(id, version, action, user)| {
                format!(
                    "<container id=\"{id}\" version=\"{version}\"><member action=\"{action}\" \
                     type=\"user\" value=\"{user}@example.test\"/></container>"
                )
            })
            .collect();
        let body = format!(
            "<setContainerMembers \
             xmlns=\"http://schemas.microsoft.com/2006/09/sip/container-management\">\
             {containers}</setContainerMembers>"
        );
        self.service("application/msrtc-setcontainermembers+xml", &body)
    }

    /// A SOAP call about the contact list.
    pub fn soap(&mut self, method: &str, arguments: &str) -> Request {
        let body = soap_body(method, arguments);
        self.service("application/SOAP+xml", &body)
    }

    /// A standard client's PUBLISH of a state; `etag` is that of an earlier one.
    pub fn publish_pidf(&mut self, activity: &str, note: &str, etag: Option<&str>) -> Request {
        let own = uri(&self.user);
        let request =
            self.request("PUBLISH", &own).header("Event", "presence").header("Expires", "600");
        let request = match etag {
            Some(etag) => request.header("SIP-If-Match", etag),
            None => request,
        };
        let activities = match activity {
            "" => "<rpid:activities/>".to_owned(),
            activity => format!("<rpid:activities><rpid:{activity}/></rpid:activities>"),
        };
        let note = match note {
            "" => String::new(),
            note => format!("<dm:note>{note}</dm:note>"),
        };
        request.body(
            "application/pidf+xml",
            &format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n\
                 <presence xmlns=\"urn:ietf:params:xml:ns:pidf\"\n    \
                 xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\"\n    \
                 xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\"\n    entity=\"{own}\">\n  \
                 <dm:person id=\"p4159\">{activities}{note}</dm:person>\n  \
                 <tuple id=\"t4109\">\n    <status>\n      <basic>open</basic>\n    \
                 </status>\n    <contact>{own}</contact>\n  </tuple>\n</presence>\n"
            ),
        )
    }
}

/// The body of a batch.
pub fn batch_body(own: &str, list: &str, action: &str) -> String {
    let categories: String =
        CATEGORIES.iter().map(|name| format!("<category name=\"{name}\"/>\n")).collect();
    format!(
        "<batchSub xmlns=\"http://schemas.microsoft.com/2006/01/sip/batch-subscribe\" \
         uri=\"{own}\" name=\"\">\n<action name=\"{action}\" id=\"63792024\">{list}\n\
         <categoryList xmlns=\"http://schemas.microsoft.com/2006/09/sip/categorylist\">\n\
         {categories}</categoryList>\n</action>\n</batchSub>"
    )
}

/// One publication.
pub fn publication(
    category: &str,
    instance: u32,
    container: u32,
    version: u32,
    life: &str,
    payload: &str,
) -> String {
    format!(
        "<publication categoryName=\"{category}\" instance=\"{instance}\" \
         container=\"{container}\" version=\"{version}\" expireType=\"{life}\">{payload}\
         </publication>"
    )
}

/// The state a user chose.
pub fn user_state(container: u32, availability: u32, version: u32) -> String {
    publication(
        "state",
        536_870_912,
        container,
        version,
        "static",
        &state("userState", true, availability),
    )
}

/// The state of a machine.
pub fn machine_state(container: u32, availability: u32, version: u32) -> String {
    let state = state("machineState", false, availability);
    publication("state", 993_308_598, container, version, "endpoint", &state)
}

fn state(kind: &str, manual: bool, availability: u32) -> String {
    format!(
        "<state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\" manual=\"{manual}\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"{kind}\">\
         <availability>{availability}</availability><endpointLocation/></state>"
    )
}

/// A SOAP call.
pub fn soap_body(method: &str, arguments: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:m=\"http://schemas.microsoft.com/winrtc/2002/11/sip\"><s:Body><m:{method}>\
         {arguments}</m:{method}></s:Body></s:Envelope>"
    )
}

/// The availability that a document shows of a user; `None` when it shows none.
pub fn availability(document: &str) -> Option<u32> {
    let at = document.find("<availability>")? + "<availability>".len();
    let text = document.get(at..)?;
    text.get(..text.find('<')?)?.parse().ok()
}

/// Sends a request that must be answered 200; other messages to the client stay in line.
pub fn ok(net: &mut Net, conn: ConnId, request: &Request) -> Text {
    let answer = net.ask(conn, request);
    assert_eq!(answer.status(), 200, "{answer:?}");
    answer
}
