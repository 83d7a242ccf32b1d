//! Which text can be kept and shown everywhere.

/// True if `text` can stand in a header, in XML (section 2.2 of XML 1.0) and on a terminal: it has
/// no control characters, line breaks included, and nothing that is no character.
pub fn is_plain_text(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_control_and_no_characters_are_refused() {
        for text in ["", "Zo\u{eb} O'Neil <& \">", "\u{1f426}\u{2028}\u{fffd}"] {
            assert!(is_plain_text(text), "{text:?}");
        }
        for text in ["a\nb", "\0", "\u{7f}", "\u{85}", "\u{fffe}", "x\u{ffff}"] {
            assert!(!is_plain_text(text), "{text:?}");
        }
    }
}
