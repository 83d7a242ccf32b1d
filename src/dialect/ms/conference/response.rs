//! What a focus or its factory answers: C3P responses.

use super::failure::Failure;
use super::request::Request;
use crate::wire::conference::answer::{self, Content, Head};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Success<'a> {
    /// What conferences can do here: messages.
    Capabilities,
    /// A conference was made, or changed at the factory; its focus, and the version of what its
    /// organiser laid down.
    Made {
        /// The focus, as a URI.
        focus: &'a str,
        /// The version.
        version: u32,
    },
    /// A conference was ended at the factory; its focus.
    Deleted(&'a str),
    /// The sender is in; the focus.
    Joined(&'a str),
    /// What there is to tell of conferences: documents of
    /// [`conference_info`](crate::dialect::conference_info).
    Told(&'a [String]),
    /// Nothing more.
    Done,
}

/// The answer to `request`.
pub fn success(request: &Request, what: Success<'_>) -> String {
    let content = match what {
        Success::Capabilities => Content::Capabilities(&["chat"]),
        Success::Made { focus, version } => Content::Entity(focus, Some(version)),
        Success::Deleted(focus) => Content::Entity(focus, None),
        Success::Joined(focus) => Content::Keys(focus),
        Success::Told(conferences) => Content::Conferences(conferences),
        Success::Done => Content::Done,
    };
    answer::success(head(request), content)
}

/// The answer to `request`, which was refused.
pub fn failure(request: &Request, failure: Failure) -> String {
    answer::failure(head(request), failure.reason())
}

fn head(request: &Request) -> Head<'_> {
    Head {
        id: &request.id,
        from: &request.to,
        to: &request.from,
        operation: request.operation.name(),
    }
}
