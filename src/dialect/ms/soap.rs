//! SERVICE with SOAP: changes of the contact list, and searches of the directory.

use super::{contacts, search};
use crate::base::limits::Limits;
use crate::contacts::Edit;
use crate::dialect::reject::{Refusal, Reject};
use crate::directory::Query;
use crate::wire::soap::Request;
use crate::wire::xml::Document;

/// The content type of requests and answers.
pub const CONTENT_TYPE: &str = "application/SOAP+xml";

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Change the sender's contact list.
    Edit(Edit),
    /// Search the directory.
    Search(Query),
}

/// Reads a body.
///
/// # Errors
/// [`Reject::BadSoap`] when it is no request or lacks an argument, [`Reject::UnknownSoapMethod`]
/// for a method that is not served, [`Reject::UnknownGroup`] for a group no list can have.
pub fn read(body: &[u8], limits: &Limits) -> Result<Command, Refusal> {
    let document = Document::parse(body, limits)
        .map_err(|error| Refusal { reject: Reject::BadSoap, limit: error.limit() })?;
    let request = Request::of(&document).map_err(|_| Reject::BadSoap)?;
    Ok(match request.method() {
        search::METHOD => Command::Search(search::read(&request, limits)?),
        _ => Command::Edit(contacts::read(&request)?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::soap::{ENVELOPE, METHODS};

    fn refused(body: &str) -> Reject {
        read(body.as_bytes(), &Limits::default()).unwrap_err().reject
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let soap = |method: &str| {
            format!(
                r#"<s:Envelope xmlns:s="{}" xmlns:m="{}"><s:Body>{method}</s:Body></s:Envelope>"#,
                ENVELOPE, METHODS
            )
        };
        for (body, reject) in [
            ("", Reject::BadSoap),
            ("<a/>", Reject::BadSoap),
            (r#"<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>"#, Reject::BadSoap),
            (&*soap(""), Reject::BadSoap),
            (&*soap("<m:setACE/>"), Reject::UnknownSoapMethod),
            (&*soap("<m:setContact/>"), Reject::BadSoap),
            (&*soap("<m:directorySearch/>"), Reject::BadSoap),
        ] {
            assert_eq!(refused(body), reject, "{body}");
        }
    }

    const PARTS: &[&str] = &[
        "<m:setContact>",
        "</m:setContact>",
        "<m:URI>sip:a@b.test</m:URI>",
        "<m:URI/>",
        "<m:groups>1 99999999999 -</m:groups>",
        "<m:addGroup/>",
        "<m:directorySearch>",
        "</m:directorySearch>",
        "<m:filter m:href='#a'/>",
        "<m:filter href='a'/>",
        "<m:Array m:id='a'>",
        "</m:Array>",
        "<m:row m:attrib='sn' m:value='\u{e9} @ -'/>",
        "<m:maxResults>18446744073709551615</m:maxResults>",
        "<x/>",
        "text",
    ];

    proptest! {
        #[test]
        fn anything_like_a_request_is_read_or_refused(
            parts in prop::collection::vec(prop::sample::select(PARTS), 0..12)
        ) {
            let body = format!(
                "<s:Envelope xmlns:s='{}' xmlns:m='{}'><s:Body>{}</s:Body></s:Envelope>",
                ENVELOPE,
                METHODS,
                parts.concat()
            );
            let limits = Limits::default();
            if let Ok(Command::Search(query)) = read(body.as_bytes(), &limits) {
                prop_assert!(query.max() <= limits.directory_search_results_max);
            }
        }
    }
}
