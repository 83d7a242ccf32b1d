//! The program as it is called: exit codes, JSON, user list, Ctrl-C.

use crate::registrar::{Faults, Registrar};
use loadgen::report::Report;
use std::process::{Command, Output, Stdio};

fn loadgen(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn im(target: &str) -> Vec<&str> {
    let fixed = "--transport tcp --dialect simple --users 4 --rate 50 --warmup 0 --duration 1s";
    let unhurried = crate::hurried().flat_map(|mark| ["--no-mark", mark]);
    ["im", "--target", target].into_iter().chain(unhurried).chain(fixed.split(' ')).collect()
}

fn run(arguments: &[&str]) -> Output {
    loadgen(arguments).output().unwrap()
}

#[test]
fn the_exit_code_says_whether_the_run_passed() {
    let good = Registrar::start(Faults::default()).address.to_string();
    let bad = Registrar::start(Faults { fail_every: 2, ..Faults::default() }).address.to_string();
    let passed = run(&im(&good));
    assert_eq!(passed.status.code(), Some(0), "{passed:?}");
    assert!(String::from_utf8_lossy(&passed.stdout).contains("passed"));
    let failed = run(&im(&bad));
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert!(String::from_utf8_lossy(&failed.stdout).contains("status 500"));
    let allowed = run(&[&im(&bad)[..], &["--max-failures", "60%"]].concat());
    assert_eq!(allowed.status.code(), Some(0), "{allowed:?}");
}

#[test]
fn what_cannot_be_run_is_one_line_and_exit_code_2() {
    for arguments in [
        "im --target 127.0.0.1:1 --transport tcp --rate 5",
        "im --target nowhere --transport tcp --rate 5",
        "im --target 127.0.0.1:1",
        "im --target 127.0.0.1:1 --rate 0",
        "im --target 127.0.0.1:1 --rate 5 --abort nonsense",
        "im --target 127.0.0.1:1 --rate 5 --mark speed<5",
        "im --target 127.0.0.1:1 --rate 5 --no-mark speed",
        "im --target 127.0.0.1:1 --rate 5 --metrics https://127.0.0.1/metrics",
        "im --target 127.0.0.1:1 --rate 5 --metrics http://127.0.0.1:1/metrics",
        "presence --target 127.0.0.1:1 --rate 5 --users 20",
        "presence --target 127.0.0.1:1 --rate 5 --dialect simple --notify benotify",
        "presence --target 127.0.0.1:1 --rate 5 --expires 5s --duration 10s",
        "idle --target 127.0.0.1:1 --users 40 --contacts 40",
        "conference --target 127.0.0.1:1 --rate 5 --users 30",
        "conference --target 127.0.0.1:1 --rate 5 --members 4 --silent 3",
        "conference --target 127.0.0.1:1 --rate 5 --dialect simple",
        "run --target 127.0.0.1:1 --profile lync2013",
        "run --target 127.0.0.1:1 --profile nowhere",
        "run --target 127.0.0.1:1 --profile lync2013 --rate 5",
        "run --target 127.0.0.1:1 --profile im --window 5",
        "run --target 127.0.0.1:1 --profile conference --users 3",
        "profile show nowhere",
        "im --target 127.0.0.1:1 --rate 5 --links 2 --users-per-link 5",
        "im --target 127.0.0.1:1 --rate 5 --users-per-link 5",
    ] {
        let output = run(&arguments.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{arguments}: {output:?}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.starts_with("error") || text.lines().count() == 1, "{text}");
    }
}

#[test]
fn json_holds_the_report_and_not_the_password() {
    let registrar = Registrar::start(Faults::default());
    let target = registrar.address.to_string();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let pid = std::process::id().to_string();
    let csv = tempfile::NamedTempFile::new().unwrap();
    let csv_path = csv.path().to_str().unwrap();
    let more = ["--json", path, "--csv", csv_path, "--pid", &pid, "--password", "hush-hush"];
    let output = run(&[&im(&target)[..], &more].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(!text.contains("hush-hush"));
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["passed"], true);
    assert_eq!(report["settings"]["users"], 4);
    assert_eq!(report["settings"]["duration_s"], 1.0);
    assert!(report["operations"]["message"]["latency_ms"]["p99"].as_f64().unwrap() > 0.0);
    assert!(report["server"]["cpu_us_per_delivery"].is_number());
    assert!(report["timeline"].as_array().is_some_and(|seconds| !seconds.is_empty()));
    let whole = Report::read(file.path()).unwrap();
    assert!(whole.to_json().unwrap() == text, "what was read back differs");
    assert_eq!((whole.flow.as_str(), whole.users, whole.seed), ("im", 4, 1));
    assert!(whole.command.iter().any(|word| word == "***"), "{:?}", whole.command);
    assert!(whole.timeline.iter().any(|second| second.server.is_some()));
    let lines = std::fs::read_to_string(csv.path()).unwrap();
    let columns: Vec<_> = lines.lines().map(|line| line.split(',').count()).collect();
    assert!(columns.len() > 2 && columns.iter().all(|count| *count == columns[0]), "{lines}");
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_escapes_what_it_shows() {
    let target = Registrar::start(Faults { fail_every: 2, ..Faults::default() }).address;
    let page = tempfile::NamedTempFile::new().unwrap();
    let (target, path) = (target.to_string(), page.path().to_str().unwrap());
    let evil = ["--html", path, "--server-name", "<script>alert(1)</script>"];
    let failed = run(&[&im(&target)[..], &evil].concat());
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let text = std::fs::read_to_string(page.path()).unwrap();
    assert!(text.contains("✗ missed") && text.contains("status 500"), "{text}");
    assert!(text.matches("<svg").count() >= 4 && text.contains("&lt;script&gt;"), "{text}");
    for outside in ["<script", "http://", "https://", "src=", "url(", "@import"] {
        assert!(!text.contains(outside), "{outside}: {text}");
    }
}

#[test]
fn a_missed_mark_fails_a_run_and_is_named() {
    let target = Registrar::start(Faults::default()).address.to_string();
    let missed = run(&[&im(&target)[..], &["--mark", "rate_im > 1000000"]].concat());
    assert_eq!(missed.status.code(), Some(1), "{missed:?}");
    assert!(String::from_utf8_lossy(&missed.stdout).contains("missed: rate_im"));
    let missed = run(&[&im(&target)[..], &["--mark", "succeeded < 1"]].concat());
    assert_eq!(missed.status.code(), Some(1), "{missed:?}");
    let off = run(&[&im(&target)[..], &["--no-mark", "succeeded"]].concat());
    assert_eq!(off.status.code(), Some(0), "{off:?}");
}

#[test]
fn the_user_list_is_what_a_run_signs_in() {
    let output = run(&["users", "--count", "2", "--domain", "example.test", "--password", "pw"]);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "address,password,display name\n\
         user0000000@example.test,pw,Load User 0\n\
         user0000001@example.test,pw,Load User 1\n"
    );
}

#[test]
fn control_c_ends_with_a_report() {
    let registrar = Registrar::start(Faults::default());
    let target = registrar.address.to_string();
    let mut arguments = im(&target);
    *arguments.last_mut().unwrap() = "10m";
    let page = tempfile::NamedTempFile::new().unwrap();
    arguments.extend(["--html", page.path().to_str().unwrap()]);
    let child = loadgen(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    while !registrar.log().iter().any(|request| request.starts_with("MESSAGE")) {
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("passed, interrupted"));
    let text = std::fs::read_to_string(page.path()).unwrap();
    assert!(text.contains("interrupted") && text.trim_end().ends_with("</html>"), "{text}");
    assert_eq!(registrar.signed_in(), 0);
}

#[test]
fn two_reports_are_compared_and_a_search_stops_at_what_no_longer_passes() {
    let target = Registrar::start(Faults::default()).address.to_string();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    // One thing alone must decide: how many messages there are.
    let most = ["--no-mark", "p99_im_ms", "--mark", "rate_im < 90", "--json", path, "--quiet"];
    let range = ["search", "--by", "rate", "--min", "20", "--max", "200", "--precision", "30%"];
    let short = "--transport tcp --dialect simple --users 4 --rate 50 --warmup 0 --duration 300ms";
    let flow: Vec<_> = ["im", "--target", &target].into_iter().chain(short.split(' ')).collect();
    let output = run(&[&range[..], &flow, &most].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("FAILED: rate_im") && text.contains("largest that passed"), "{text}");
    let best = Report::read(file.path()).unwrap();
    let rate = best.settings["load.rate"].as_f64().unwrap();
    assert!(best.passed && (60.0..90.0).contains(&rate), "{rate}");
    let same = run(&["compare", path, path]);
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    let missing = run(&["compare", path, "/nowhere/report.json"]);
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
    let mut worse = best;
    worse.operations.get_mut("message").unwrap().latency_ms.as_mut().unwrap().p99 *= 2.0;
    let second = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(second.path(), worse.to_json().unwrap()).unwrap();
    let compared = run(&["compare", path, second.path().to_str().unwrap(), "--worse", "50%"]);
    assert_eq!(compared.status.code(), Some(1), "{compared:?}");
}

#[test]
fn a_plan_rests_on_runs_of_three_sizes_and_predicts_another() {
    let target = Registrar::start(Faults::default()).address.to_string();
    let folder = tempfile::tempdir().unwrap();
    let pid = std::process::id().to_string();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for users in ["2", "4", "6", "8"] {
        let json = file(users);
        let fixed = "--transport tcp --dialect simple --warmup 0 --duration 200ms --quiet";
        let idle = ["idle", "--target", &target, "--users", users, "--pid", &pid, "--json", &json];
        let output = run(&idle.into_iter().chain(fixed.split(' ')).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let [two, four, six, eight] = ["2", "4", "6", "8"].map(file);
    let (json, page) = (file("plan.json"), file("plan.html"));
    let wish = ["plan", "--users", "100", "--profile", "idle", "--from", &two, &four];
    let few = run(&wish);
    assert_eq!(few.status.code(), Some(2), "{few:?}");
    assert!(String::from_utf8_lossy(&few.stderr).contains("3 different sizes"), "{few:?}");
    let more = [&six, "--memory-per-server", "1000G", "--cores-per-server", "4000"];
    let outputs = ["--json", &json, "--html", &page, "--check", &eight];
    let planned = run(&[&wish[..], &more, &outputs].concat());
    // How well so little is predicted depends on the machine.
    assert!(matches!(planned.status.code(), Some(0 | 1)), "{planned:?}");
    let text = String::from_utf8_lossy(&planned.stdout).into_owned();
    assert!(text.contains("1 + 1 to spare") && text.contains("a run of 8 users"), "{text}");
    let plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(plan["servers"], 2);
    assert!(std::fs::read_to_string(page).unwrap().contains("<svg"));
}
