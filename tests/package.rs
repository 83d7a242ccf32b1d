//! The parts of the Debian package that can be looked at without building it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const MYNAH: &str = env!("CARGO_BIN_EXE_mynah");
/// What `tuning/package.sh` makes.
const MADE: &str = "target/release/";

fn at(path: &str) -> PathBuf {
    Path::new(ROOT).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(ROOT).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn manifest() -> toml::Table {
    read("Cargo.toml").parse().unwrap()
}

/// Where each file of the package comes from, and where it goes.
fn assets() -> Vec<(String, String)> {
    let manifest = manifest();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap().clone();
    let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
    assets
        .iter()
        .filter_map(toml::Value::as_array)
        .map(|asset| (text(&asset[0]), text(&asset[1])))
        .collect()
}

/// The full path of every file that is installed, but for what stands for several.
fn installed() -> BTreeSet<String> {
    let full = |(from, to): (String, String)| match to.strip_suffix('/') {
        Some(folder) => format!("/{folder}/{}", from.rsplit('/').next().unwrap_or_default()),
        None => format!("/{to}"),
    };
    assets().into_iter().map(full).collect()
}

#[test]
fn every_file_of_the_package_is_there() {
    for (from, _) in assets() {
        if from.starts_with(MADE) {
            continue;
        }
        let is_there = match from.strip_suffix("/*") {
            Some(folder) => fs::read_dir(at(folder)).unwrap().next().is_some(),
            None => at(&from).is_file(),
        };
        assert!(is_there, "{from}");
    }
}

#[test]
fn what_units_scripts_and_documents_name_is_installed() {
    let installed = installed();
    let unit = read("tuning/mynah.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    for path in start.split(' ').filter(|word| word.starts_with('/')) {
        assert!(installed.contains(path), "{path}");
    }
    let scripts = ["postinst", "prerm", "postrm"].map(|name| format!("tuning/debian/{name}"));
    let documents = fs::read_dir(at("docs")).unwrap().map(|entry| entry.unwrap().path());
    let documents = documents.map(|path| path.to_str().unwrap().to_owned());
    let configuration = ["tuning/debian/mynah.toml", "tuning/debian/copyright"].map(str::to_owned);
    for file in scripts.into_iter().chain(documents).chain(configuration) {
        // A path stands among blanks and marks of a sentence.
        let text = read(&file);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"/._-".contains(c));
        let paths = words.filter(|word| {
            ["/usr/bin/mynah", "/usr/share/mynah/", "/usr/share/doc/mynah/"]
                .iter()
                .any(|folder| word.starts_with(folder))
        });
        for path in paths.map(|path| path.trim_end_matches(['.', '/'])) {
            let is_document = path.starts_with("/usr/share/doc/mynah/docs/")
                && at(path.trim_start_matches("/usr/share/doc/mynah/")).is_file();
            let is_folder = installed.iter().any(|file| file.starts_with(&format!("{path}/")));
            assert!(installed.contains(path) || is_document || is_folder, "{file}: {path}");
        }
    }
}

#[test]
fn the_configuration_it_begins_with_is_one_and_fits_the_socket() {
    let settings = mynah::config::parse(&read("tuning/debian/mynah.toml")).unwrap();
    assert_eq!(settings, mynah::config::parse("").unwrap(), "it says what is so anyway");
    let tls = settings.listen.tls.unwrap().to_string();
    let socket = read("tuning/mynah.socket");
    let addresses: Vec<_> =
        socket.lines().filter_map(|line| line.strip_prefix("ListenStream=")).collect();
    assert!(!addresses.is_empty() && addresses.iter().all(|address| *address == tls));
}

#[test]
fn the_scripts_are_clean_and_name_the_units() {
    let scripts =
        ["config", "postinst", "prerm", "postrm"].map(|name| format!("tuning/debian/{name}"));
    run("shellcheck", &scripts.each_ref().map(String::as_str));
    for unit in ["mynah.service", "mynah.socket"] {
        assert!(installed().contains(&format!("/usr/lib/systemd/system/{unit}")), "{unit}");
        for script in ["postinst", "prerm", "postrm"] {
            assert!(read(&format!("tuning/debian/{script}")).contains(unit), "{script}");
        }
    }
    // What purging asks for is in the templates, and is no unless somebody says yes.
    let templates = read("tuning/debian/templates");
    assert!(templates.starts_with("Template: mynah/purge-data\nType: boolean\nDefault: false\n"));
    assert!(read("tuning/debian/postrm").contains("db_input high mynah/purge-data"));
}

#[test]
fn systemd_makes_the_user_that_the_unit_names() {
    let root = tempfile::tempdir().unwrap();
    for folder in ["etc", "usr/lib/sysusers.d"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    let file = root.path().join("usr/lib/sysusers.d/mynah.conf");
    fs::copy(at("tuning/debian/sysusers.conf"), file).unwrap();
    run("systemd-sysusers", &["--root", root.path().to_str().unwrap(), "mynah.conf"]);
    let unit = read("tuning/mynah.service");
    let user = unit.lines().find_map(|line| line.strip_prefix("User=")).unwrap();
    let passwd = fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    let folder = format!("{user}:x:");
    assert!(passwd.starts_with(&folder) && passwd.contains(":/var/lib/mynah:"), "{passwd}");
}

#[test]
fn the_changelog_is_of_this_version() {
    let manifest = manifest();
    let version = manifest["workspace"]["package"]["version"].as_str().unwrap();
    let changelog = read("tuning/debian/changelog");
    assert!(changelog.starts_with(&format!("mynah ({version}-")), "{changelog}");
}

#[test]
fn there_is_a_page_of_the_manual_for_every_command_and_shells_read_their_completions() {
    let folder = tempfile::tempdir().unwrap();
    run(MYNAH, &["manual", folder.path().to_str().unwrap()]);
    let page = |name: &str| {
        let path = folder.path().join(format!("{name}.1"));
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    // Every page that a page names is there, down to the last.
    let mut names = vec!["mynah".to_owned()];
    let mut seen = 0;
    while let Some(name) = names.get(seen).cloned() {
        let text = page(&name);
        assert!(text.contains(".SH NAME\n") && text.contains(".SH SYNOPSIS\n"), "{name}");
        let named = text.lines().filter_map(|line| line.strip_suffix("(1)"));
        names.extend(named.map(|name| name.replace('\\', "")));
        seen += 1;
    }
    assert!(seen > 40, "{names:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), seen);
    for shell in ["bash", "zsh", "fish"] {
        let text = run(MYNAH, &["completions", shell]);
        assert!(text.contains("backup") && text.contains("replace"), "{shell}");
        if shell == "bash" {
            let file = folder.path().join("completions");
            fs::write(&file, text).unwrap();
            run("bash", &["-n", file.to_str().unwrap()]);
        }
    }
}

/// All sources of the server, with texts on one line that stand on several.
fn sources() -> String {
    fn walk(folder: &Path, into: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut text = String::new();
    walk(&at("src"), &mut text);
    let mut joined = String::with_capacity(text.len());
    for part in text.split("\\\n") {
        joined.push_str(if joined.is_empty() { part } else { part.trim_start() });
    }
    joined.replace("\\\"", "\"")
}

#[test]
fn words_of_the_server_that_trouble_shooting_quotes_are_its_words() {
    /// What the system says, not we.
    const OF_THE_SYSTEM: [&str; 3] =
        [": No such file or directory", ": Permission denied", ": Address already in use"];
    /// Shorter ones are nobody's.
    const LEAST: usize = 6;
    let sources = sources();
    let text = read("docs/trouble-shooting.md");
    let quotes: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    assert!(quotes.len() > 30, "{quotes:?}");
    for quote in quotes {
        for words in quote.split('…') {
            let words = OF_THE_SYSTEM.iter().fold(words, |words, of| words.trim_end_matches(of));
            let words = words.trim();
            if words.len() >= LEAST {
                assert!(sources.contains(words), "{words:?} of {quote:?}");
            }
        }
    }
}

/// The name of a heading in a link.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().trim().to_lowercase().replace(' ', "-")
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let documents = fs::read_dir(at("docs")).unwrap().map(|entry| entry.unwrap().path());
    let documents = documents.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let mut links = 0;
    for path in documents.chain([at("README.md"), at("tuning/README.md")]) {
        let text = fs::read_to_string(&path).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let (file, place) = target.split_once('#').unwrap_or((target, ""));
            let file =
                if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(file.exists(), "{}: {target}", path.display());
            if !place.is_empty() {
                let headings = fs::read_to_string(&file).unwrap();
                let mut headings = headings.lines().filter(|line| line.starts_with('#'));
                let is_there = headings.any(|line| slug(line.trim_start_matches('#')) == place);
                assert!(is_there, "{}: {target}", path.display());
            }
            links += 1;
        }
    }
    assert!(links > 40, "{links}");
}
