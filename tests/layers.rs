//! Holds the layer diagram of `src/lib.rs`: a module uses modules of a smaller number only, and
//! layers 0 to 4 are pure.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules directly under `src/` and their layers.
const LAYERS: &[(&str, u8)] = &[
    ("base", 0),
    ("metrics", 0),
    ("config", 1),
    ("wire", 1),
    ("auth", 2),
    ("contacts", 2),
    ("directory", 2),
    ("immcu", 2),
    ("presence", 2),
    ("records", 2),
    ("registrar", 2),
    ("sip", 2),
    ("dialect", 3),
    ("shard", 4),
    ("admin", 5),
    ("ldap", 5),
    ("net", 5),
    ("store", 5),
    ("runtime", 6),
    ("cli", 7),
];

/// Arrows between modules of one layer. Counters name bounds; all else of a layer stands alone.
const WITHIN_A_LAYER: &[(&str, &str)] = &[("metrics", "base")];

/// The highest layer that is pure.
const PURE_MAX: u8 = 4;

/// What a pure module may not name.
const IMPURE: &[&str] = &[
    "glommio",
    "tokio",
    "async fn",
    "async {",
    "async move",
    ".await",
    "std::fs",
    "std::thread",
    "std::env",
    "std::process",
    "std::os",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::net::Tcp",
    "std::net::Udp",
    "Instant::now",
    "SystemTime",
    "rand::rng",
    "rand::random",
    "rand::fill",
    "ThreadRng",
    "RandomState::new",
    "RandomState::default",
    "getrandom",
    "OsRng",
    "std::io",
    "println!",
    "eprintln!",
    "tracing::",
];

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, into: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.insert(path.clone(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(&root(), &mut all);
    all
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn module_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(root()).unwrap();
    let first = inside.components().next()?.as_os_str().to_str()?.to_owned();
    (inside.components().count() > 1).then_some(first)
}

fn layer_of(module: &str) -> u8 {
    let found = LAYERS.iter().find(|(name, _)| *name == module);
    found.unwrap_or_else(|| panic!("src/{module} has no layer: add it to tests/layers.rs")).1
}

/// The lines that are code and not test, with their numbers. A test module stands last in its
/// file, or in a file of its own.
fn code<'a>(path: &Path, text: &'a str) -> Vec<(usize, &'a str)> {
    let is_test = path.iter().any(|part| {
        matches!(
            part.to_str(),
            Some("fuzz.rs" | "properties.rs" | "samples.rs" | "tests" | "tests.rs")
        )
    });
    if is_test {
        return Vec::new();
    }
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.trim_start().starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line))
        .collect()
}

/// Modules named by `crate::name` in a line, also inside `use crate::{a, b}`.
fn named(line: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let group = group.split('}').next().unwrap_or_default();
            names.extend(group.split(',').map(|part| word(part.trim())));
        } else {
            names.push(word(rest));
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[test]
fn arrows_point_down() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(module) = module_of(&path) else { continue };
        let layer = layer_of(&module);
        for (number, line) in code(&path, &text) {
            for used in named(line) {
                let allowed = used == module
                    || WITHIN_A_LAYER.contains(&(module.as_str(), used))
                    || layer_of(used) < layer;
                if !allowed {
                    wrong.push(format!("{}:{number}: {module} uses {used}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_lower_layers_are_pure() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(module) = module_of(&path) else { continue };
        if layer_of(&module) > PURE_MAX {
            continue;
        }
        for (number, line) in code(&path, &text) {
            for impure in IMPURE.iter().filter(|impure| line.contains(**impure)) {
                wrong.push(format!("{}:{number}: {impure}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Panics of constants: they stop the build, not the server.
const AT_COMPILE_TIME: &[&str] = &["a header name is longer than the table allows"];

/// `src/wire` reads what anybody may send: nothing in it may be able to panic on it.
#[test]
fn the_wire_cannot_panic() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if module_of(&path).as_deref() != Some("wire") {
            continue;
        }
        for (number, line) in code(&path, &text) {
            if AT_COMPILE_TIME.iter().any(|panic| line.contains(panic)) {
                continue;
            }
            for word in [".unwrap()", ".expect(", "panic!", "unreachable!", "todo!"] {
                if line.contains(word) {
                    wrong.push(format!("{}:{number}: {word}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Unsafe code is denied by the lints; where it is allowed it is in `net` or `runtime`, or sets up the
/// allocator before anything else runs.
#[test]
fn unsafe_code_is_where_it_may_be() {
    for (path, text) in sources() {
        if text.contains("allow(unsafe_code)") {
            let module = module_of(&path);
            let may = matches!(module.as_deref(), Some("net" | "runtime"));
            assert!(may || path == root().join("main.rs"), "{}", path.display());
        }
    }
}

/// A test of this test: the arrows it looks for are found.
#[test]
fn arrows_are_found() {
    assert_eq!(named("use crate::net::tls;"), ["net"]);
    assert_eq!(named("use crate::{base, shard::Machine};"), ["base", "shard"]);
    assert_eq!(named("let x = crate::base::ids::Slot::default();"), ["base"]);
    assert!(named("use super::crate_name;").is_empty());
}
