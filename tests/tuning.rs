//! What `tuning/` gives an operator, held to what it says: the scripts on hosts made of files, the
//! unit by systemd's own judgement.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const TUNING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tuning");

/// What a script printed, and its exit code.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    code: i32,
    text: String,
}

fn run(command: &mut Command) -> Outcome {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    Outcome { code: output.status.code().unwrap(), text }
}

/// A host made of files: /proc, /sys and /run as a script reads them, and a configuration.
struct Host {
    folder: TempDir,
}

impl Host {
    /// One on which everything is right: eight CPUs on two nodes, a card with two queues.
    fn new() -> Self {
        let host = Host { folder: tempfile::tempdir().unwrap() };
        for (path, text) in [
            ("proc/sys/kernel/osrelease", "6.1.0-18-amd64"),
            ("proc/sys/kernel/io_uring_disabled", "0"),
            ("proc/sys/net/core/somaxconn", "4096"),
            ("proc/sys/net/ipv4/tcp_max_syn_backlog", "8192"),
            ("proc/sys/net/ipv4/tcp_wmem", "4096\t16384\t262144"),
            ("proc/sys/net/ipv4/tcp_slow_start_after_idle", "0"),
            ("proc/sys/vm/swappiness", "10"),
            (
                "proc/self/limits",
                "Limit                     Soft Limit           Hard Limit           Units\n\
                 Max open files            1024                 1048576              files\n\
                 Max locked memory         unlimited            unlimited            bytes",
            ),
            ("proc/meminfo", "MemTotal:       16000000 kB"),
            ("proc/swaps", "Filename\tType\tSize\tUsed\tPriority"),
            ("proc/net/tcp", "  sl  local_address rem_address   st"),
            (
                "proc/interrupts",
                "   CPU0 CPU1\n 40: 1 2 PCI-MSIX eth0-rx-0\n 41: 1 2 PCI-MSIX eth0-rx-1",
            ),
            ("proc/irq/40/smp_affinity_list", "0"),
            ("proc/irq/41/smp_affinity_list", "0-7"),
            ("sys/class/net/lo/operstate", "unknown"),
            ("sys/class/net/eth0/device/msi_irqs/40", "msix"),
            ("sys/class/net/eth0/device/msi_irqs/41", "msix"),
            ("sys/class/net/eth0/device/numa_node", "0"),
            ("sys/class/net/eth0/queues/rx-0/rps_cpus", "0"),
            ("sys/devices/system/cpu/online", "0-7"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance"),
            ("sys/devices/system/node/node0/cpulist", "0-3"),
            ("sys/devices/system/node/node1/cpulist", "4-7"),
            ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never"),
            ("run/systemd/timesync/synchronized", ""),
            ("key.pem", "key"),
            (
                "mynah.toml",
                "[listen]\ntls = \"0.0.0.0:5061\"\nhttp = \"127.0.0.1:9090\"\n[tls]\n\
                 certificates = [{ chain = \"chain.pem\", key = \"key.pem\" }]",
            ),
        ] {
            host.write(path, text);
        }
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["fe01.example.test".to_owned()]).unwrap();
        host.write("chain.pem", &params.self_signed(&key).unwrap().pem());
        fs::set_permissions(host.path("key.pem"), fs::Permissions::from_mode(0o640)).unwrap();
        host
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{text}\n")).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap().trim_end().to_owned()
    }

    fn script(&self, name: &str, line: &[&str]) -> Outcome {
        let mut command = Command::new(Path::new(TUNING).join(name));
        run(command.arg("--root").arg(self.folder.path()).args(line))
    }

    fn check(&self, line: &[&str]) -> Outcome {
        let config = self.path("mynah.toml");
        self.script("check", &[&["--config", config.to_str().unwrap()], line].concat())
    }
}

/// What `tuning/check` found, without what it found right and without what to type.
fn findings(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.text.lines();
    lines.filter(|line| line.starts_with("wrong ") || line.starts_with("advice ")).collect()
}

#[test]
fn a_host_that_is_right_has_no_findings() {
    let outcome = Host::new().check(&["--cpus", "1-3", "--connections", "100000"]);
    // Interrupt 41 comes to every CPU.
    let shared = "advice  interrupts of network cards come to CPUs of the server: 41";
    assert_eq!((findings(&outcome), outcome.code), (vec![shared], 0), "{}", outcome.text);
    let host = Host::new();
    host.write("proc/irq/41/smp_affinity_list", "0");
    let outcome = host.check(&["--cpus", "1-3", "--connections", "100000"]);
    assert_eq!((findings(&outcome), outcome.code), (vec![], 0), "{}", outcome.text);
    assert!(outcome.text.ends_with("nothing wrong\n"), "{}", outcome.text);
}

/// A file that is not right, and what begins the finding and what is to be typed.
type Fault = (&'static str, &'static str, &'static str, &'static str);

fn each_fault(level: &str, code: i32, faults: &[Fault]) {
    for (path, text, finding, cure) in faults {
        let host = Host::new();
        host.write(path, text);
        let outcome = host.check(&[]);
        let found = findings(&outcome);
        assert!(
            matches!(found[..], [one] if one.starts_with(&format!("{level:<8}{finding}"))),
            "{path}: {}",
            outcome.text
        );
        assert_eq!(outcome.code, code, "{path}");
        let typed = outcome.text.lines().skip_while(|line| *line != found[0]).nth(1).unwrap();
        assert!(typed.starts_with(&format!("        type: {cure}")), "{path}: {typed}");
    }
}

#[test]
fn what_the_server_does_not_run_with_is_wrong() {
    let limits = |files: &str, locked: &str| {
        format!("Max open files 1024 {files} files\nMax locked memory 64 {locked} bytes").leak()
    };
    each_fault(
        "wrong",
        1,
        &[
            ("proc/sys/kernel/osrelease", "5.7.9", "the kernel is 5.7.9", "apt-get install"),
            ("proc/sys/kernel/osrelease", "4.19.0", "the kernel is 4.19.0", "apt-get install"),
            ("proc/sys/kernel/io_uring_disabled", "2", "io_uring is switched off", "sysctl -w"),
            (
                "proc/sys/kernel/io_uring_disabled",
                "1",
                "io_uring is allowed to the group",
                "sysctl",
            ),
            ("proc/self/limits", limits("1048576", "8388607"), "8388607 octets", "systemctl edit"),
            (
                "proc/self/limits",
                limits("11999", "unlimited"),
                "11999 descriptors",
                "systemctl edit",
            ),
            ("proc/meminfo", "MemTotal: 200000 kB", "195 MiB of memory", "tuning/check"),
            (
                "proc/sys/net/netfilter/nf_conntrack_max",
                "11999",
                "the firewall follows 11999",
                "sysctl -w net.netfilter.nf_conntrack_max=20000",
            ),
            (
                "proc/net/tcp",
                "head\n 0: 00000000:13C5 00000000:0000 0A",
                "port 5061 of listen.tls is taken",
                "ss --listening",
            ),
            (
                "proc/net/tcp6",
                "head\n 0: 00000000000000000000000000000000:2382 0:0000 0A",
                "port 9090 of listen.http is taken",
                "ss --listening",
            ),
            ("chain.pem", "no certificate", "the certificate in", "openssl x509"),
            (
                "mynah.toml",
                "[tls]\ncertificates = [{ chain = \"chain.pem\", key = \"/nowhere/key.pem\" }]",
                "the key /nowhere/key.pem of tls.certificates is not there",
                "ls -l /nowhere/key.pem",
            ),
            (
                "mynah.toml",
                "# certificates = [{ chain = \"x\" }]",
                "no certificate in",
                "mynah config",
            ),
        ],
    );
    let host = Host::new();
    fs::set_permissions(host.path("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = host.check(&[]);
    assert!(outcome.text.contains("wrong   everybody can read the key"), "{}", outcome.text);
    host.write("proc/sys/net/core/somaxconn", "128");
    let outcome = host.check(&[]);
    assert!(outcome.text.contains("wrong   the kernel keeps 128 connections"), "{}", outcome.text);
    assert!(outcome.text.ends_with("2 wrong\n"), "{}", outcome.text);
}

#[test]
fn what_makes_it_slower_is_advice() {
    each_fault(
        "advice",
        0,
        &[
            (
                "sys/devices/system/cpu/cpu3/cpufreq/scaling_governor",
                "powersave",
                "CPUs that slow down when they have little to do",
                "cpupower",
            ),
            (
                "sys/devices/system/clocksource/clocksource0/current_clocksource",
                "hpet",
                "the clock is hpet",
                "cat /sys",
            ),
            (
                "sys/kernel/mm/transparent_hugepage/enabled",
                "[always] madvise never",
                "huge pages are given unasked",
                "echo madvise",
            ),
            (
                "proc/swaps",
                "Filename\n/dev/sda2 partition 1 0 -2",
                "there is swap (/dev/sda2)",
                "swapoff",
            ),
            (
                "proc/sys/vm/swappiness",
                "60",
                "vm.swappiness is 60",
                "sysctl -w vm.swappiness=\"10\"",
            ),
            (
                "proc/sys/net/ipv4/tcp_max_syn_backlog",
                "512",
                "net.ipv4.tcp_max_syn_backlog is 512",
                "sysctl -w net.ipv4.tcp_max_syn_backlog=8192",
            ),
            (
                "proc/sys/net/ipv4/tcp_wmem",
                "4096 16384 4194304",
                "net.ipv4.tcp_wmem is 4096 16384 4194304",
                "sysctl -w net.ipv4.tcp_wmem=",
            ),
        ],
    );
    let host = Host::new();
    fs::remove_file(host.path("run/systemd/timesync/synchronized")).unwrap();
    let outcome = host.check(&[]);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    assert!(outcome.text.contains("advice  nothing keeps the time right"), "{}", outcome.text);
}

#[test]
fn a_wrong_command_line_is_refused() {
    let host = Host::new();
    for line in [&["--connections", "many"][..], &["--cpus", "a"], &["--config"], &["--nonsense"]] {
        assert_eq!(host.script("check", line).code, 2, "{line:?}");
    }
    for line in [&["--interrupt-cpus", "0"][..], &["--interrupt-cpus", "4"], &["--nonsense"]] {
        assert_eq!(host.script("cores", line).code, 2, "{line:?}");
    }
}

#[test]
fn a_comparison_that_cannot_begin_says_what_to_do() {
    let compare = |line: &[&str]| run(Command::new("./compare.sh").current_dir(TUNING).args(line));
    let outcome = compare(&["--bin", "/nowhere"]);
    assert_eq!(outcome.code, 2, "{}", outcome.text);
    assert!(outcome.text.contains("cargo build --release --workspace"), "{}", outcome.text);
    for line in [&["--rounds", "0"][..], &["--rounds"], &["--nonsense"]] {
        assert_eq!(compare(line).code, 2, "{line:?}");
    }
}

#[test]
fn cores_are_proposed_at_the_cards_node_and_placed_only_when_told() {
    let host = Host::new();
    let outcome = host.script("cores", &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    for line in [
        "network card eth0: 2 interrupts, 1 queues",
        "  mynah.service   CPUAffinity=1,2,3",
        "  mynah.toml      [server] cores = 3",
        "  40 eth0-rx-0 is at CPU 0 already",
        "  echo 0 >/proc/irq/41/smp_affinity_list   # eth0-rx-1, now at 0-7",
    ] {
        assert!(outcome.text.lines().any(|said| said == line), "{line}\n{}", outcome.text);
    }
    assert_eq!(host.read("proc/irq/41/smp_affinity_list"), "0-7");
    let applied = host.script("cores", &["--apply", "--interrupt-cpus", "2"]);
    assert_eq!(applied.code, 0, "{}", applied.text);
    assert!(applied.text.contains("CPUAffinity=2,3\n"), "{}", applied.text);
    let placed = [40, 41].map(|irq| host.read(&format!("proc/irq/{irq}/smp_affinity_list")));
    assert_eq!(placed, ["0", "1"]);
    // Afterwards the check has nothing to say.
    let checked = host.check(&["--cpus", "2,3"]);
    assert_eq!(findings(&checked), [""; 0], "{}", checked.text);
}

#[test]
fn a_host_without_such_a_card_is_left_alone() {
    let host = Host::new();
    fs::remove_dir_all(host.path("sys/class/net/eth0")).unwrap();
    let outcome = host.script("cores", &["--apply"]);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    assert!(outcome.text.contains("nothing to do"), "{}", outcome.text);
    assert!(outcome.text.ends_with("[server] cores = \"all\"\n"), "{}", outcome.text);
    assert_eq!(host.read("proc/irq/41/smp_affinity_list"), "0-7");
}

#[test]
fn every_setting_of_the_kernel_has_its_reason_and_its_measurement() {
    let text = fs::read_to_string(Path::new(TUNING).join("sysctl.conf")).unwrap();
    let mut settings = 0;
    for paragraph in text.split("\n\n").skip(1) {
        let (reason, lines): (Vec<&str>, Vec<&str>) =
            paragraph.lines().partition(|line| line.starts_with('#'));
        let [setting] = lines[..] else { panic!("one setting a paragraph: {paragraph}") };
        assert!(setting.split_once(" = ").is_some(), "{setting}");
        let reason = reason.join(" ");
        let measured = reason.contains("Measured") || reason.contains("Unmeasured");
        // What the server does not start without needs no measurement.
        assert!(measured || setting.starts_with("kernel.io_uring_disabled"), "{paragraph}");
        settings += 1;
    }
    assert!(settings >= 5, "{settings}");
}

#[test]
fn systemd_takes_the_unit_and_finds_it_closed() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("mynah.service");
    let text = fs::read_to_string(Path::new(TUNING).join("mynah.service")).unwrap();
    let installed = text.replace("/usr/bin/mynah", env!("CARGO_BIN_EXE_mynah"));
    assert_ne!(installed, text);
    fs::write(&unit, installed).unwrap();
    let verified = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit));
    assert_eq!(verified, Outcome { code: 0, text: String::new() });
    // Exposure in tenths; more than 2.0 is a failure.
    let security = ["security", "--offline=true", "--no-pager", "--threshold=20"];
    let judged = run(Command::new("systemd-analyze").args(security).arg(&unit));
    assert_eq!(judged.code, 0, "{}", judged.text);
}

#[test]
fn systemd_takes_the_sockets_and_finds_their_service() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["mynah.service", "mynah.socket"] {
        let text = fs::read_to_string(Path::new(TUNING).join(name)).unwrap();
        let installed = text.replace("/usr/bin/mynah", env!("CARGO_BIN_EXE_mynah"));
        fs::write(folder.path().join(name), installed).unwrap();
    }
    let socket = folder.path().join("mynah.socket");
    let verified = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&socket));
    assert_eq!(verified, Outcome { code: 0, text: String::new() });
}

#[test]
fn the_unit_allows_what_the_server_cannot_run_without() {
    let listed = run(Command::new("systemd-analyze").args(["syscall-filter", "@aio"]));
    for call in ["io_uring_setup", "io_uring_enter", "io_uring_register"] {
        assert!(listed.text.lines().any(|line| line.trim() == call), "{}", listed.text);
    }
    let service = run(Command::new("systemd-analyze").args(["syscall-filter", "@system-service"]));
    for set in ["@aio", "@resources", "@memlock", "@network-io"] {
        assert!(service.text.lines().any(|line| line.trim() == set), "{}", service.text);
    }
    let text = fs::read_to_string(Path::new(TUNING).join("mynah.service")).unwrap();
    let taken_out = text.lines().find(|line| line.starts_with("SystemCallFilter=~")).unwrap();
    assert_eq!(taken_out, "SystemCallFilter=~@privileged @keyring");
}

#[test]
fn the_scripts_are_clean() {
    let mut command = Command::new("shellcheck");
    command.args(["check", "cores", "compare.sh", "package.sh", "storm.sh"]).current_dir(TUNING);
    assert_eq!(run(&mut command), Outcome { code: 0, text: String::new() });
}
