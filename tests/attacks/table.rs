//! The table of the README beside these tests, held against their sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const README: &str = include_str!("README.md");
/// Cases of attacks on a running server; those of faults come after them.
const ATTACKS: std::ops::RangeInclusive<u32> = 1..=59;

/// Number and evidence of each row.
fn rows() -> Vec<(u32, &'static str)> {
    let rows = README.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let number = cells.next()?.parse().ok()?;
        let evidence = cells.nth(1)?;
        Some((number, evidence.trim_end_matches(" |")))
    });
    rows.collect()
}

/// True if there is a test of that name in that file, which is named from `tests` or the root on.
fn exists(file: &str, test: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path =
        if file.starts_with("src/") { root.join(file) } else { root.join("tests").join(file) };
    let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    // A test of its own, or one of those that a macro makes.
    let mut lines = source.lines().map(str::trim_start);
    let mut own = false;
    while let Some(line) = lines.next() {
        let is_test = line == "#[test]";
        own |=
            is_test && lines.next().is_some_and(|line| line.starts_with(&format!("fn {test}()")));
    }
    own || source.lines().any(|line| line.trim_start().starts_with(&format!("{test} = \"")))
}

#[test]
fn every_case_has_its_row_and_every_row_its_tests() {
    let rows = rows();
    let numbers: Vec<u32> = rows.iter().map(|(number, _)| *number).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    let distinct: BTreeSet<u32> = numbers.iter().copied().collect();
    assert_eq!(distinct.len(), numbers.len(), "a number stands there twice");
    assert!(ATTACKS.into_iter().all(|number| distinct.contains(&number)), "{numbers:?}");
    for (number, evidence) in rows {
        let tests: Vec<&str> = evidence.split('`').skip(1).step_by(2).collect();
        assert!(
            !tests.is_empty() || evidence.starts_with("Does not apply: "),
            "{number} has neither test nor reason"
        );
        for test in tests {
            let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("{number}: {test}"));
            assert!(exists(file, name), "{number}: there is no test {name} in {file}");
        }
    }
}
