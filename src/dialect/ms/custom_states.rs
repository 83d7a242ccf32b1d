//! The states of a policy, as the Lync client fetches them from the web.

use crate::config::CustomState;
use crate::wire::xml::Writer;

/// The content type of the document.
pub const CONTENT_TYPE: &str = "text/xml; charset=utf-8";

const NAMESPACE: &str = "http://schemas.microsoft.com/09/2009/communicator/customStates";

/// The document, the states numbered from 1 in their order.
pub fn document(states: &[CustomState]) -> String {
    let mut writer = Writer::after("<?xml version=\"1.0\"?>".to_owned());
    writer.start("customStates").attribute("xmlns", NAMESPACE);
    for (state, number) in states.iter().zip(1u32..) {
        writer
            .start("customState")
            .attribute_of("ID", number)
            .attribute("availability", state.availability.name());
        for (lcid, text) in &state.texts {
            writer.start("activity").attribute_of("LCID", lcid).text(text).end();
        }
        writer.end();
    }
    writer.finish()
}

/// Where the document of `policy` is, below `folder`.
pub fn url(folder: &str, policy: &str) -> String {
    format!("{folder}/{policy}.xml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn states_have_numbers_and_a_text_in_each_language() {
        let settings = parse(
            r#"
            [policy.sales]
            custom_states = [
                { availability = "online", text = { 1033 = "At home & <up>", 1031 = "Zu Hause" } },
                { availability = "do-not-disturb", text = { 1033 = "On stage" } },
            ]
            "#,
        );
        assert_eq!(
            document(&settings.unwrap().policies.of("sales").custom_states),
            concat!(
                r#"<?xml version="1.0"?>"#,
                r#"<customStates xmlns="http://schemas.microsoft.com/09/2009/communicator/"#,
                r#"customStates"><customState ID="1" availability="online">"#,
                r#"<activity LCID="1031">Zu Hause</activity>"#,
                r#"<activity LCID="1033">At home &amp; &lt;up&gt;</activity></customState>"#,
                r#"<customState ID="2" availability="do-not-disturb">"#,
                r#"<activity LCID="1033">On stage</activity></customState></customStates>"#,
            )
        );
        assert_eq!(url("https://a.test/s", "sales"), "https://a.test/s/sales.xml");
    }
}
