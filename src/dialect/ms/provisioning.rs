//! What the Lync client is told about the server and its user's policy after sign-in
//! (`vnd-microsoft-provisioning-v2`, MS-SIPREGE section 2.2.2).

use super::custom_states;
use crate::base::aor::Aor;
use crate::base::limits::Limits;
use crate::config::{Policy, Settings};
use crate::dialect::conference_uri;
use crate::dialect::reject::{Refusal, Reject};
use crate::directory::User;
use crate::wire::xml::{Document, Writer};

/// The content type of requests and answers.
pub const CONTENT_TYPE: &str = "application/vnd-microsoft-roaming-provisioning-v2+xml";

const REQUEST: &str = "http://schemas.microsoft.com/2006/09/sip/provisioninggrouplist";
const ANSWER: &str = "http://schemas.microsoft.com/2006/09/sip/provisiongrouplist-notification";

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// What the client's own features may do.
    EndpointConfiguration,
    /// What the user may do in conferences.
    MeetingPolicy,
    /// Chat rooms.
    PersistentChatConfiguration,
    /// Who sees presence.
    PresencePolicy,
    /// Where the services of the server are.
    ServerConfiguration,
    /// What the user may do with telephones.
    UcPolicy,
}

impl Group {
    const ALL: [Group; 6] = [
        Group::EndpointConfiguration,
        Group::MeetingPolicy,
        Group::PersistentChatConfiguration,
        Group::PresencePolicy,
        Group::ServerConfiguration,
        Group::UcPolicy,
    ];

    const fn name(self) -> &'static str {
        match self {
            Group::EndpointConfiguration => "endpointConfiguration",
            Group::MeetingPolicy => "meetingPolicy",
            Group::PersistentChatConfiguration => "persistentChatConfiguration",
            Group::PresencePolicy => "presencePolicyV2",
            Group::ServerConfiguration => "ServerConfiguration",
            Group::UcPolicy => "ucPolicy",
        }
    }
}

/// What telephones could do; there are none here.
const TELEPHONY: [&str; 7] = [
    "AllowSimultaneousRinging",
    "AllowCallForwarding",
    "EnableCallTransfer",
    "EnableCallPark",
    "EnableTeamCall",
    "EnableDelegation",
    "EnableMaliciousCallTrace",
];

/// What conferences could do besides text.
const MEETINGS: [&str; 5] = [
    "AllowIPAudio",
    "AllowIPVideo",
    "EnableDataCollaboration",
    "EnableP2PFileTransfer",
    "EnableP2PVideo",
];

/// The groups a request asks for, in its order, each once; those not known here are left out, as
/// they are in the answer.
pub fn read(body: &[u8], limits: &Limits) -> Result<Vec<Group>, Refusal> {
    let document = Document::parse(body, limits)
        .map_err(|error| Refusal { reject: Reject::BadProvisioning, limit: error.limit() })?;
    let root = document.root();
    if !root.is(REQUEST, "provisioningGroupList") {
        return Err(Reject::BadProvisioning.into());
    }
    let mut groups = Vec::with_capacity(Group::ALL.len());
    for child in root.children().filter(|child| child.is(REQUEST, "provisioningGroup")) {
        let name = child.attribute("name").ok_or(Reject::BadProvisioning)?;
        let group = Group::ALL.into_iter().find(|group| group.name() == name);
        if let Some(group) = group.filter(|group| !groups.contains(group)) {
            groups.push(group);
        }
    }
    Ok(groups)
}

/// The answer to `user`, under his policy.
pub fn answer(groups: &[Group], user: &User, settings: &Settings) -> String {
    let policies = &settings.policies;
    let policy_name = &*user.policy;
    let policy = policies.of(policy_name);
    let mut writer = Writer::new();
    writer.start("provisionGroupList").attribute("xmlns", ANSWER);
    for group in groups {
        writer.start("provisionGroup").attribute("name", group.name());
        match group {
            Group::EndpointConfiguration => {
                let folder = settings.custom_state_url.as_deref();
                let url = folder
                    .filter(|_| !policy.custom_states.is_empty())
                    .map(|folder| custom_states::url(folder, policies.effective(policy_name)));
                endpoint_configuration(&mut writer, policy, url);
            }
            Group::MeetingPolicy => all_false(&mut writer, &MEETINGS),
            Group::PersistentChatConfiguration => {
                property_list(&mut writer, &[("EnablePersistentChat", "false")]);
            }
            Group::PresencePolicy => presence_policy(&mut writer, policy),
            // Names services by where they are. Without this one clients offer no conferences.
            Group::ServerConfiguration => {
                writer.leaf("focusFactoryUri", &conference_uri::factory(&Aor::new(&user.aor)));
            }
            Group::UcPolicy => all_false(&mut writer, &TELEPHONY),
        }
        writer.end();
    }
    writer.finish()
}

fn endpoint_configuration(writer: &mut Writer, policy: &Policy, url: Option<String>) {
    let contacts_max = policy.contacts_max.to_string();
    let mut properties = vec![
        // Without them in the menu nobody could change a level.
        ("ShowManagePrivacyRelationships", "true"),
        ("MaximumNumberOfContacts", contacts_max.as_str()),
        ("EnableAppearOffline", "true"),
    ];
    properties.extend(url.as_deref().map(|url| ("CustomStateUrl", url)));
    property_list(writer, &properties);
}

fn presence_policy(writer: &mut Writer, policy: &Policy) {
    let privacy = if policy.privacy { "true" } else { "false" };
    let properties = [("EnablePrivacyMode", privacy), ("AutoInitiateContacts", "false")];
    property_list(writer, &properties);
}

/// MS-SIPREGE sections 2.2.2.5.6, 2.2.2.5.9 and 2.2.2.5.11.
fn property_list(writer: &mut Writer, properties: &[(&str, &str)]) {
    writer.start("propertyEntryList");
    for (name, value) in properties {
        writer.start("property").attribute("name", name).text(value).end();
    }
    writer.end();
}

/// MS-SIPREGE sections 2.2.2.5.2 and 2.2.2.5.3.
fn all_false(writer: &mut Writer, names: &[&str]) {
    writer.start("instance");
    for name in names {
        writer.start("property").attribute("name", name).text("false").end();
    }
    writer.end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    /// Of the transcript `contact-ops`.
    const ASKED: &str = concat!(
        r#"<provisioningGroupList "#,
        r#"xmlns="http://schemas.microsoft.com/2006/09/sip/provisioninggrouplist"> "#,
        r#"<provisioningGroup name="ServerConfiguration"/> "#,
        r#"<provisioningGroup name="meetingPolicy"/> "#,
        r#"<provisioningGroup name="persistentChatConfiguration"/> "#,
        r#"<provisioningGroup name="ucPolicy"/></provisioningGroupList>"#,
    );
    const START: &str = concat!(
        r#"<provisionGroupList xmlns="http://schemas.microsoft.com/2006/09/sip/"#,
        r#"provisiongrouplist-notification">"#,
    );

    fn answer(groups: &[Group], policy_name: &str, settings: &Settings) -> String {
        let user = User::with_password("alice@example.test", None, "Alice", "r", "secret");
        let user = User { policy: policy_name.into(), ..user.unwrap() };
        super::answer(groups, &user, settings)
    }

    fn asked(body: &str) -> Result<Vec<Group>, Reject> {
        read(body.as_bytes(), &Limits::default()).map_err(Reject::from)
    }

    #[test]
    fn the_client_asks_for_groups_in_its_order() {
        let groups = [
            Group::ServerConfiguration,
            Group::MeetingPolicy,
            Group::PersistentChatConfiguration,
            Group::UcPolicy,
        ];
        assert_eq!(asked(ASKED).as_deref(), Ok(&groups[..]));
        let strange = ASKED.replace("meetingPolicy", "mediaConfiguration");
        let strange = strange.replace("ucPolicy", "ServerConfiguration");
        let groups = [Group::ServerConfiguration, Group::PersistentChatConfiguration];
        assert_eq!(asked(&strange).as_deref(), Ok(&groups[..]));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for body in ["", "<provisioningGroupList/>", &ASKED.replace("name=", "n=")] {
            assert_eq!(asked(body), Err(Reject::BadProvisioning), "{body}");
        }
    }

    #[test]
    fn only_what_was_asked_is_answered_and_nothing_is_promised_that_is_not_there() {
        let groups = asked(ASKED).unwrap();
        let text = answer(&groups, "", &Settings::default());
        let names: Vec<&str> = text.split("<provisionGroup name=\"").skip(1).collect();
        assert_eq!(names.len(), 4);
        let server = concat!(
            r#"<provisionGroup name="ServerConfiguration"><focusFactoryUri>"#,
            r#"sip:alice@example.test;gruu;opaque=app:conf:focusfactory</focusFactoryUri>"#,
            r#"</provisionGroup>"#
        );
        assert!(text.starts_with(&format!("{START}{server}")), "{text}");
        let chat = concat!(
            r#"<provisionGroup name="persistentChatConfiguration"><propertyEntryList>"#,
            r#"<property name="EnablePersistentChat">false</property></propertyEntryList>"#,
            r#"</provisionGroup>"#
        );
        assert!(text.contains(chat), "{text}");
        assert!(text.contains(r#"<property name="AllowIPAudio">false</property>"#), "{text}");
        assert!(!text.contains(">true<"), "{text}");
        assert_eq!(answer(&[], "", &Settings::default()), START.replace("n\">", "n\"/>"));
    }

    #[test]
    fn a_policy_tells_its_states_and_its_privacy() {
        let settings = parse(
            r#"
            [presence]
            custom_state_url = "https://fe01.example.test/custom-states"
            [policy.lab]
            privacy = true
            contacts_max = 250
            custom_states = [{ availability = "busy", text = { 1033 = "In the lab" } }]
            "#,
        )
        .unwrap();
        let groups = [Group::EndpointConfiguration, Group::PresencePolicy];
        let expected = concat!(
            r#"<provisionGroup name="endpointConfiguration"><propertyEntryList>"#,
            r#"<property name="ShowManagePrivacyRelationships">true</property>"#,
            r#"<property name="MaximumNumberOfContacts">250</property>"#,
            r#"<property name="EnableAppearOffline">true</property>"#,
            r#"<property name="CustomStateUrl">"#,
            r#"https://fe01.example.test/custom-states/lab.xml</property>"#,
            r#"</propertyEntryList></provisionGroup>"#,
            r#"<provisionGroup name="presencePolicyV2"><propertyEntryList>"#,
            r#"<property name="EnablePrivacyMode">true</property>"#,
            r#"<property name="AutoInitiateContacts">false</property></propertyEntryList>"#,
            r#"</provisionGroup></provisionGroupList>"#,
        );
        assert_eq!(answer(&groups, "lab", &settings), format!("{START}{expected}"));
        let other = answer(&groups, "gone", &settings);
        assert!(!other.contains("CustomStateUrl"), "the default policy has no states: {other}");
        assert!(other.contains(r#""EnablePrivacyMode">false<"#), "{other}");
    }

    #[test]
    fn states_without_a_place_on_the_web_are_not_told() {
        let state = "[policy.default]\n\
                     custom_states = [{ availability = 'busy', text = { 1033 = 'x' } }]\n";
        let groups = [Group::EndpointConfiguration];
        let without = answer(&groups, "", &parse(state).unwrap());
        assert!(!without.contains("CustomStateUrl"), "{without}");
        let place = format!("{state}[presence]\ncustom_state_url = 'https://a.test'\n");
        let with = answer(&groups, "gone", &parse(&place).unwrap());
        assert!(with.contains(">https://a.test/default.xml<"), "{with}");
    }
}
