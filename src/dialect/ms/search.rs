//! Searches of the directory, as the Lync client asks when no address book is provisioned.

use crate::base::limits::Limits;
use crate::dialect::address;
use crate::dialect::reject::Reject;
use crate::directory::{Field, Found, Query};
use crate::wire::soap::{Request, attribute, envelope};

/// The SOAP method.
pub(super) const METHOD: &str = "directorySearch";

/// The query a request asks for: all its rows must hold.
pub(super) fn read(request: &Request<'_>, limits: &Limits) -> Result<Query, Reject> {
    let rows = request.part("filter", "Array").ok_or(Reject::BadSoap)?.children();
    let texts = rows.filter(|row| row.name() == "row").map(|row| {
        let name = attribute(row, "attrib").ok_or(Reject::BadSoap)?;
        let value = attribute(row, "value").ok_or(Reject::BadSoap)?;
        Ok((field(name), without_scheme(value)))
    });
    let texts = texts.collect::<Result<Vec<_>, Reject>>()?;
    let max = match request.argument("maxResults") {
        Some(max) => max.parse().map_err(|_| Reject::BadSoap)?,
        None => limits.directory_search_results_max,
    };
    Ok(Query::new(texts, max, limits))
}

/// An address without the scheme it has in the directory of the product.
fn without_scheme(value: &str) -> &str {
    match value.split_at_checked(4) {
        Some((scheme, address)) if scheme.eq_ignore_ascii_case("sip:") => address,
        _ => value,
    }
}

/// The attributes of the directory that clients ask for, as LDAP calls them.
fn field(attribute: &str) -> Field {
    const FIELDS: &[(&str, Field)] = &[
        ("cn", Field::Name),
        ("company", Field::Company),
        ("department", Field::Department),
        ("displayName", Field::Name),
        ("givenName", Field::Name),
        ("mail", Field::Email),
        ("mailNickname", Field::Email),
        ("msRTCSIP-PrimaryUserAddress", Field::Address),
        ("name", Field::Name),
        ("proxyAddresses", Field::Email),
        ("sAMAccountName", Field::Any),
        ("sn", Field::Name),
    ];
    let found = FIELDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
    found.map_or(Field::Unknown, |(_, field)| *field)
}

/// The answer: users, and whether there are more. Of where a user is we know the office only.
pub fn answer(users: &[Found], more: bool) -> String {
    envelope(|writer| {
        writer.start("m:directorySearch").leaf_of("m:moreAvailable", more);
        writer.leaf_of("m:returned", users.len());
        writer.start("m:value").attribute("m:href", "#searchArray").end().end();
        writer.start("m:Array").attribute("m:id", "searchArray");
        for Found { aor, display_name, person } in users {
            writer
                .start("m:row")
                .attribute("m:uri", &address::uri(aor))
                .attribute("m:displayName", display_name)
                .attribute("m:title", &person.title)
                .attribute("m:office", &person.office)
                .attribute("m:phone", &person.phone_work)
                .attribute("m:company", &person.company)
                .attribute("m:city", "")
                .attribute("m:state", "")
                .attribute("m:country", "")
                .attribute("m:email", &person.email)
                .end();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::ms::soap::{self, Command};
    use crate::directory::{Person, User};

    /// Of the transcript `contact-ops`.
    const REQUEST: &str = concat!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" "#,
        r#"xmlns:m="http://schemas.microsoft.com/winrtc/2002/11/sip"><s:Body>"#,
        r##"<m:directorySearch><m:filter m:href="#searchArray"/><m:maxResults>100"##,
        r#"</m:maxResults></m:directorySearch><m:Array m:id="searchArray">"#,
        r#"<m:row m:attrib="givenName" m:value="Carol"/></m:Array></s:Body></s:Envelope>"#
    );
    const ANSWER: &str = concat!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" "#,
        r#"xmlns:m="http://schemas.microsoft.com/winrtc/2002/11/sip"><s:Body>"#,
        r#"<m:directorySearch><m:moreAvailable>false</m:moreAvailable>"#,
        r##"<m:returned>1</m:returned><m:value m:href="#searchArray"/></m:directorySearch>"##,
        r#"<m:Array m:id="searchArray"><m:row m:uri="sip:carol@example.test" "#,
        r#"m:displayName="Carol Cray" m:title="" m:office="" m:phone="" m:company="Ex" m:city="" "#,
        r#"m:state="" m:country="" m:email="carol@example.test"/></m:Array></s:Body></s:Envelope>"#
    );

    fn query(body: &str) -> Result<Command, Reject> {
        soap::read(body.as_bytes(), &Limits::default()).map_err(Reject::from)
    }

    fn carol() -> Found {
        let aor = "carol@example.test";
        let mut user =
            User::with_password(aor, None, "Carol Cray", "example.test", "secret").unwrap();
        user.set_person(Person { company: "Ex".into(), email: aor.into(), ..Person::default() })
            .unwrap();
        Found::from(&user)
    }

    #[test]
    fn a_search_is_read_as_the_client_writes_it() {
        let expected = Query::new([(Field::Name, "Carol")], 100, &Limits::default());
        assert_eq!(query(REQUEST), Ok(Command::Search(expected)));
        let other = REQUEST.replace("givenName", "MAIL").replace(">100<", ">7<");
        let expected = Query::new([(Field::Email, "Carol")], 7, &Limits::default());
        assert_eq!(query(&other), Ok(Command::Search(expected)));
    }

    #[test]
    fn an_address_is_looked_for_without_its_scheme() {
        // As the client asks for what it shows of one user.
        let body = REQUEST
            .replace("givenName", "msRTCSIP-PrimaryUserAddress")
            .replace("\"Carol\"", "\"sip:carol@example.test\"");
        let expected =
            Query::new([(Field::Address, "carol@example.test")], 100, &Limits::default());
        assert_eq!(query(&body), Ok(Command::Search(expected)));
    }

    #[test]
    fn what_nobody_knows_of_users_finds_nobody() {
        let expected = Query::new([(Field::Unknown, "Carol")], 100, &Limits::default());
        assert_eq!(query(&REQUEST.replace("givenName", "c")), Ok(Command::Search(expected)));
    }

    #[test]
    fn a_search_without_its_parts_is_refused() {
        for (part, other) in [
            ("#searchArray", "#other"),
            ("#searchArray", ""),
            ("m:attrib=", "m:name="),
            ("m:value=", "m:text="),
            (">100<", ">many<"),
            (">100<", ">-1<"),
        ] {
            let body = REQUEST.replace(part, other);
            assert_eq!(query(&body), Err(Reject::BadSoap), "{body}");
        }
    }

    #[test]
    fn an_answer_is_written_as_the_client_reads_it() {
        assert_eq!(answer(&[carol()], false), ANSWER);
    }

    #[test]
    fn nobody_found_and_more_to_find_are_said() {
        let none = answer(&[], true);
        assert!(none.contains("<m:moreAvailable>true</m:moreAvailable><m:returned>0<"), "{none}");
        assert!(none.contains(r#"<m:Array m:id="searchArray"/>"#), "{none}");
    }

    #[test]
    fn texts_are_escaped() {
        let mut found = carol();
        found.display_name = "C & \"D\" <E>".into();
        let text = answer(&[found], false);
        assert!(text.contains(r#"m:displayName="C &amp; &quot;D&quot; &lt;E&gt;""#), "{text}");
    }
}
