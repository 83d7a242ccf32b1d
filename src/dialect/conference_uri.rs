//! The URIs under which a conference and what serves it are reached (MS-CONFBAS section 2.2.3):
//! the organiser's address with a parameter that says what of his is meant. Members in pager mode
//! know it by an address of its own, which [`page`] writes.

use std::borrow::Cow;

use crate::base::aor::Aor;
use crate::base::ids::ConferenceId;
use crate::wire::sip::Uri;

/// What such a URI names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConferenceUri {
    /// What makes conferences. Whose address it is says nothing: it makes them for the sender.
    Factory,
    /// The focus of a conference of this organiser.
    Focus(Aor, ConferenceId),
    /// Its IMMCU, or the address that members in pager mode know.
    Chat(Aor, ConferenceId),
}

/// Octets of the name of a conference, which stands at the end of the user part in the address for
/// pager mode.
const ID_LEN: usize = 32;

impl ConferenceUri {
    /// Reads a URI; `None` for any that names none of these. Its parameters may stand in any order
    /// and case, and the one that counts in quotes.
    pub fn parse(uri: &[u8]) -> Option<Self> {
        let uri: Cow<'_, [u8]> = match memchr::memchr(b'"', uri) {
            Some(_) => uri.iter().copied().filter(|octet| *octet != b'"').collect(),
            None => uri.into(),
        };
        Self::of(&Uri::parse(&uri).ok()?)
    }

    /// The same of a URI that has been read. Costs next to nothing for other URIs.
    pub fn of(uri: &Uri<'_>) -> Option<Self> {
        let Some(opaque) = uri.params.get("opaque") else { return Self::of_page(uri) };
        let rest = strip(opaque, b"app:conf:")?;
        if !uri.is_sip() {
            return None;
        }
        if rest.eq_ignore_ascii_case(b"focusfactory") {
            return Some(ConferenceUri::Factory);
        }
        let organiser = || uri.aor().map(|aor| Aor::new(&aor));
        if let Some(id) = strip(rest, b"focus:id:") {
            return Some(ConferenceUri::Focus(organiser()?, ConferenceId::parse(id)?));
        }
        let id = strip(rest, b"chat:id:")?;
        Some(ConferenceUri::Chat(organiser()?, ConferenceId::parse(id)?))
    }

    /// Reads an address that [`page`] has written.
    fn of_page(uri: &Uri<'_>) -> Option<Self> {
        if uri.user?.len() <= ID_LEN || !uri.is_sip() {
            return None;
        }
        let aor = uri.aor()?;
        let (user, domain) = aor.rsplit_once('@')?;
        let (organiser, id) = user.split_at_checked(user.len().checked_sub(ID_LEN)?)?;
        // Some clients escape what they need not.
        let plus = organiser.strip_suffix('+').or_else(|| organiser.strip_suffix("%2b"));
        let organiser = plus.filter(|organiser| !organiser.is_empty())?;
        let id = ConferenceId::parse(id.as_bytes())?;
        Some(ConferenceUri::Chat(Aor::new(&format!("{organiser}@{domain}")), id))
    }

    /// The conference, unless it is the factory.
    pub fn conference(&self) -> Option<ConferenceId> {
        match self {
            ConferenceUri::Factory => None,
            ConferenceUri::Focus(_, id) | ConferenceUri::Chat(_, id) => Some(*id),
        }
    }
}

fn strip<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The factory, as its user is told of it.
pub fn factory(user: &Aor) -> String {
    format!("sip:{user};gruu;opaque=app:conf:focusfactory")
}

/// The focus of a conference.
pub fn focus(organiser: &Aor, id: ConferenceId) -> String {
    format!("sip:{organiser};gruu;opaque=app:conf:focus:id:{id}")
}

/// The IMMCU of a conference.
pub fn chat(organiser: &Aor, id: ConferenceId) -> String {
    format!("sip:{organiser};gruu;opaque=app:conf:chat:id:{id}")
}

/// The address of a conference for members in pager mode. It has no parameters: standard clients
/// drop those of the addresses they answer to, and what is said to all would go to the organiser
/// alone.
pub fn page(organiser: &Aor, id: ConferenceId) -> String {
    format!("sip:{}+{id}@{}", organiser.user(), organiser.domain())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "C71C6BB0267883E2248C1EA7F80725B8";

    fn parse(uri: &str) -> Option<ConferenceUri> {
        ConferenceUri::parse(uri.as_bytes())
    }

    #[test]
    fn what_is_written_is_what_clients_know() {
        let alice = Aor::new("alice@example.test");
        let id = ConferenceId::parse(ID.as_bytes()).unwrap();
        let text = "sip:alice@example.test;gruu;opaque=app:conf:focus:id:";
        assert_eq!(focus(&alice, id), format!("{text}{ID}"));
        assert_eq!(chat(&alice, id), format!("{text}{ID}").replace(":focus:", ":chat:"));
        assert_eq!(factory(&alice), "sip:alice@example.test;gruu;opaque=app:conf:focusfactory");
        assert_eq!(parse(&focus(&alice, id)), Some(ConferenceUri::Focus(alice.clone(), id)));
        assert_eq!(parse(&chat(&alice, id)), Some(ConferenceUri::Chat(alice.clone(), id)));
        assert_eq!(parse(&factory(&alice)), Some(ConferenceUri::Factory));
    }

    #[test]
    fn order_case_and_quotes_do_not_matter() {
        let focus = parse(&format!("sip:a@b;gruu;opaque=app:conf:focus:id:{ID}"));
        assert!(focus.is_some());
        for uri in [
            format!("SIP:A@B;OPAQUE=App:Conf:Focus:Id:{};gruu", ID.to_lowercase()),
            format!("sips:a@b:5061;transport=tls;opaque=\"app:conf:focus:id:{ID}\""),
            format!("sip:%61@b;opaque=app:conf:focus:id:{ID};x=y?a=b"),
        ] {
            assert_eq!(parse(&uri), focus, "{uri}");
        }
        assert_eq!(
            parse("sip:example.test;opaque=app:conf:focusfactory"),
            Some(ConferenceUri::Factory)
        );
    }

    #[test]
    fn the_address_for_pager_mode_has_no_parameters() {
        let alice = Aor::new("alice@example.test");
        let id = ConferenceId::parse(ID.as_bytes()).unwrap();
        assert_eq!(page(&alice, id), format!("sip:alice+{ID}@example.test"));
        let chat = Some(ConferenceUri::Chat(alice, id));
        for uri in [
            page(&Aor::new("alice@example.test"), id),
            format!("sips:ALICE%2b{}@example.test:5061;transport=tls", ID.to_lowercase()),
        ] {
            assert_eq!(parse(&uri), chat, "{uri}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for uri in [
            "".to_owned(),
            "sip:a@b".to_owned(),
            "sip:a@b;gruu;opaque=user:epid:x".to_owned(),
            "sip:a@b;opaque=app:conf:".to_owned(),
            "sip:a@b;opaque=app:conf:focusfactory2".to_owned(),
            "sip:a@b;opaque=app:conf:focus:id:1234".to_owned(),
            format!("sip:a@b;opaque=app:conf:focus:id:{ID}0"),
            format!("sip:a@b;opaque=app:conf:audio-video:id:{ID}"),
            format!("sip:b;opaque=app:conf:chat:id:{ID}"),
            format!("tel:+1;opaque=app:conf:chat:id:{ID}"),
            format!("sip:a;opaque=app:conf:chat:id:{ID}@b"),
            format!("sip:+{ID}@b"),
            format!("sip:a+{ID}0@b"),
            format!("sip:a{ID}@b"),
            format!("sip:a+{ID}"),
            format!("tel:a+{ID}@b"),
        ] {
            assert_eq!(parse(&uri), None, "{uri}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(
            octets in prop::collection::vec(any::<u8>(), 0..16),
            at in any::<prop::sample::Index>(),
        ) {
            let mut uri = format!("sip:a@b;opaque=app:conf:focus:id:{ID}").into_bytes();
            let at = at.index(uri.len());
            uri.splice(at..at, octets);
            let _ = ConferenceUri::parse(&uri);
        }

        #[test]
        fn every_conference_is_found_again(id: u128, user in "[a-z0-9.+]{1,12}") {
            let organiser = Aor::new(&format!("{user}@example.test"));
            let id = ConferenceId(id);
            prop_assert_eq!(
                ConferenceUri::parse(focus(&organiser, id).as_bytes()),
                Some(ConferenceUri::Focus(organiser.clone(), id))
            );
            let chat = chat(&organiser, id);
            prop_assert_eq!(
                ConferenceUri::parse(chat.as_bytes()),
                Some(ConferenceUri::Chat(organiser.clone(), id))
            );
            let page = page(&organiser, id);
            prop_assert_eq!(
                ConferenceUri::parse(page.as_bytes()),
                Some(ConferenceUri::Chat(organiser, id))
            );
        }
    }
}
