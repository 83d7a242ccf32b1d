//! Body of the fuzz target `im_filter`, as an ordinary function that the property tests drive too.

use super::{Clients, Filter, Verdict};
use crate::base::limits::Limits;
use crate::config::filter::EXTENSIONS;
use crate::config::{
    ClientAction, ClientFilter, ClientRule, FileAction, LinkAction, Operator, Policy,
};

/// Bodies of each form are let through, changed or refused; what was made inactive stays so, and
/// no verdict takes another one back.
pub fn im_filter(data: &[u8]) {
    let limits = Limits { links_per_message_max: 8, mime_parts_max: 8, ..Limits::default() };
    for content_type in [
        &b"text/plain; charset=UTF-8"[..],
        b"text/html",
        b"text/rtf",
        b"multipart/alternative; boundary=b",
        b"text/x-msmsgsinvite",
        b"application/xml",
    ] {
        let check = |action, notice: &str, files| {
            let filter = filter(action, notice, files)?;
            Some(filter.check(Some(content_type), data, &limits))
        };
        let allowed = check(LinkAction::Allow, "", FileAction::Off);
        if let Some(Verdict::Replace(changed)) = &allowed {
            assert!(changed.len() > data.len() && is_with_underscores(changed, data));
            let filter = filter(LinkAction::Allow, "Links are text.", FileAction::Off);
            let again = filter.map(|f| f.check(Some(content_type), changed, &limits));
            assert_eq!(again, Some(Verdict::Pass), "what is inactive stays as it is");
        }
        let blocked = check(LinkAction::Block, "", FileAction::Off);
        let warned = check(LinkAction::Warn, "Links.", FileAction::Off);
        match warned {
            Some(Verdict::Pass) => assert_eq!(blocked, Some(Verdict::Pass)),
            Some(Verdict::Replace(changed)) => {
                assert!(matches!(blocked, Some(Verdict::Block(_))));
                assert!(changed.len() > data.len());
            }
            _ => {}
        }
        check(LinkAction::Off, "", FileAction::All);
    }
    clients().judge(Some(data));
}

fn filter(action: LinkAction, notice: &str, files: FileAction) -> Option<Filter> {
    let mut policy = Policy::new(&Limits::default());
    policy.im_filter.action = action;
    notice.clone_into(&mut policy.im_filter.allow_message);
    notice.clone_into(&mut policy.im_filter.warn_message);
    policy.file_filter.action = files;
    policy.file_filter.extensions = EXTENSIONS.map(str::to_owned).to_vec();
    Filter::new(&policy)
}

/// True if `changed` is `data` with underscores in it.
fn is_with_underscores(changed: &[u8], data: &[u8]) -> bool {
    let mut rest = data;
    for octet in changed {
        match rest.split_first() {
            Some((first, after)) if first == octet => rest = after,
            _ if *octet == b'_' => {}
            _ => return false,
        }
    }
    rest.is_empty()
}

fn clients() -> Clients {
    let rule = ClientRule {
        user_agent: "a*".to_owned(),
        operator: Operator::Less,
        version: [Some(1), None, Some(2), None],
        action: ClientAction::Block,
        text: String::new(),
    };
    let filter = ClientFilter { rules: vec![rule], ..ClientFilter::default() };
    Clients::new(&filter).expect("a rule")
}
