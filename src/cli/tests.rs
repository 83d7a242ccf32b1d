//! The command line as a whole.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;

/// Where operators read what to type: files, and folders of them.
const BOOKS: [&str; 3] = ["README.md", "docs", "tuning/README.md"];
/// What stands for something of the reader's own, and something that a command takes for it.
const PLACEHOLDERS: [(&str, &str); 2] =
    [("ID", "0123456789abcdef0123456789abcdef"), ("ADDR", "127.0.0.1:9")];
/// What stands before a command that another user is to run.
const RUN_BY: [&str; 5] = ["sudo", "runuser", "root", "-u", "--"];
/// Words of a shell that end a command.
const SHELL: [&str; 6] = ["|", "||", "&&", ";", "<", "&"];

#[test]
fn the_command_line_contradicts_itself_nowhere() {
    CommandLine::command().debug_assert();
}

#[test]
fn every_command_and_every_option_says_what_it_is() {
    fn look(command: &clap::Command) {
        let name = command.get_bin_name().unwrap_or_default();
        assert!(command.get_about().is_some(), "{name}");
        for argument in command.get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty(), "{name} {}", argument.get_id());
            // The manual has a sentence for it, the list of options a line.
            assert!(!help.ends_with('.'), "{name} {}: {help}", argument.get_id());
        }
        command.get_subcommands().for_each(look);
    }
    let mut command = CommandLine::command();
    command.build();
    look(&command);
}

/// The text of every book, by its path.
fn books() -> Vec<(PathBuf, String)> {
    let mut paths = Vec::new();
    for name in BOOKS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        match fs::read_dir(&path) {
            Ok(folder) => paths.extend(
                folder
                    .map(|entry| entry.unwrap().path())
                    .filter(|path| path.extension().is_some_and(|extension| extension == "md")),
            ),
            Err(_) => paths.push(path),
        }
    }
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// A book, taken apart: lines to be typed, which stand on four blanks, and what is quoted within
/// sentences.
fn quoted(text: &str) -> (Vec<String>, Vec<String>) {
    let joined = text.replace("\\\n", " ");
    let (typed, said): (Vec<&str>, Vec<&str>) =
        joined.lines().partition(|line| line.starts_with("    "));
    let said = said.join(" ");
    let spans = said.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    (typed.into_iter().map(|line| line.trim().to_owned()).collect(), spans)
}

/// The command line of each `mynah` in a line of a shell, with placeholders filled in.
fn command_lines(line: &str) -> Vec<Vec<String>> {
    let words = shlex::split(line).unwrap_or_default();
    let commands = words.split(|word| SHELL.contains(&word.as_str()));
    let ours = commands.filter_map(|words| {
        // When to run it, in a table of cron.
        let is_time = |word: &&String| word.chars().all(|c| "*/,-0123456789".contains(c));
        let when = words.iter().take_while(is_time).count();
        let words = words.get(when..)?;
        let by =
            words.iter().take_while(|word| RUN_BY.contains(&word.as_str()) || *word == "mynah");
        let start = by.collect::<Vec<_>>().iter().rposition(|word| *word == "mynah")?;
        let filled = words.get(start..)?.iter().map(|word| {
            let known = PLACEHOLDERS.iter().find(|(name, _)| name == word);
            known.map_or(word.clone(), |(_, value)| (*value).to_owned())
        });
        Some(filled.take_while(|word| !word.trim_start_matches('2').starts_with('>')).collect())
    });
    ours.collect()
}

#[test]
fn every_line_that_operators_are_told_to_type_is_understood() {
    let mut typed_lines = 0;
    for (path, text) in books() {
        let (typed, said) = quoted(&text);
        for line in typed.iter().flat_map(|line| command_lines(line)) {
            let parsed = CommandLine::try_parse_from(&line);
            assert!(parsed.is_ok(), "{}: {line:?}: {}", path.display(), parsed.unwrap_err());
            typed_lines += 1;
        }
        // Within a sentence a command may be named without what it needs.
        for line in said.iter().flat_map(|line| command_lines(line)) {
            let kind = CommandLine::try_parse_from(&line).err().map(|error| error.kind());
            let is_unknown =
                matches!(kind, Some(ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument));
            assert!(!is_unknown, "{}: {line:?}: {kind:?}", path.display());
        }
    }
    assert!(typed_lines > 30, "{typed_lines}");
}

#[test]
fn lines_of_a_shell_are_taken_apart() {
    let lines = |line| {
        command_lines(line).iter().map(|words: &Vec<String>| words.join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(lines("mynah status   # how it does"), ["mynah status"]);
    assert_eq!(lines("runuser -u mynah -- mynah user list"), ["mynah user list"]);
    assert_eq!(
        lines("loadgen users | mynah user import - && mynah cdr 2>/dev/null"),
        ["mynah user import -", "mynah cdr"]
    );
    assert_eq!(
        lines("*/5 * * * * mynah test im --user 'a b' >/dev/null || logger x"),
        ["mynah test im --user a b"]
    );
    assert!(lines("systemctl restart mynah").is_empty());
    let (typed, said) = quoted("a `mynah\nstatus` b\n\n    mynah cdr \\\n  --data D\n");
    assert_eq!(
        (typed, said),
        (vec!["mynah cdr    --data D".to_owned()], vec!["mynah status".to_owned()])
    );
}
