//! What is wrong in a profile, where, and what to write instead.

use std::fmt;
use std::ops::Range;

/// A fault of a profile. Displays as one line, `name:line: problem`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    name: String,
    /// From 1; `None` when it is about the whole.
    line: Option<usize>,
    problem: String,
}

impl Error {
    /// About the file as a whole.
    pub(super) fn of_file(name: &str, problem: String) -> Error {
        Error { name: name.to_owned(), line: None, problem }
    }

    /// Not TOML, an unknown key, or a value that is out of range.
    pub(super) fn of_form(name: &str, text: &str, error: &toml::de::Error) -> Error {
        let problem = error.message().trim().replace('\n', ", ");
        Error::at(name, text, error.span().unwrap_or(0..0), problem)
    }

    /// `problem` at the start of `span`, octets of `text`.
    pub(super) fn at(name: &str, text: &str, span: Range<usize>, problem: String) -> Error {
        let before = text.get(..span.start).unwrap_or(text);
        let line = Some(before.matches('\n').count() + 1);
        Error { name: name.to_owned(), line, problem }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(out, "{}:{line}: {}", self.name, self.problem),
            None => write!(out, "{}: {}", self.name, self.problem),
        }
    }
}

impl std::error::Error for Error {}
