//! Text from outside on its way to a terminal or a file.

use std::io;

/// `text` without what a terminal would obey or an eye misread: control characters and marks that
/// turn the direction of writing become U+FFFD.
pub fn shown(text: &str) -> String {
    text.chars().map(|c| if is_trick(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// `text` on one line.
pub fn one_line(text: &str) -> String {
    shown(&text.replace("\r\n", " ").replace(['\n', '\r', '\t'], " "))
}

/// `error` and its causes on one line. A cause that an error already tells in its own words is not
/// told twice.
pub fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    one_line(&text)
}

/// True when a write failed because nobody reads any more.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn is_trick(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing() {
        assert_eq!(shown("a\u{1b}[31mb\u{7}\u{202e}c"), "a\u{fffd}[31mb\u{fffd}\u{fffd}c");
        assert_eq!(shown("Zo\u{eb} \u{1f426}"), "Zo\u{eb} \u{1f426}");
        assert_eq!(one_line("a\nb\r\nc\td"), "a b c d");
    }

    #[test]
    fn an_error_and_its_causes_are_told_once() {
        let cause = || io::Error::other("no\nspace");
        let error = anyhow::Error::from(cause()).context("writing");
        assert_eq!(told(&error), "writing: no space");
        let error = anyhow::Error::from(cause()).context("writing: no\nspace here");
        assert_eq!(told(&error), "writing: no space here");
    }

    #[test]
    fn a_closed_pipe_is_told_apart() {
        let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(is_broken_pipe(&error.context("writing")));
        assert!(!is_broken_pipe(&anyhow::anyhow!("other")));
    }
}
