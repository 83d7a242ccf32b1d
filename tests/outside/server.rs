//! The server as a process of its own, with a data folder of its own and ports from the kernel.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::Signal;
use serde::Deserialize;
use tempfile::TempDir;

use super::cdr::{self, Conference, Record};
use super::metrics::Metrics;
use super::program::{Program, require};
use super::{cdr::Ending, eventually};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_mynah");
/// The users of the demo, all with this password.
pub const PASSWORD: &str = "secret";
/// Their domain.
pub const DOMAIN: &str = "example.test";

/// A server that runs. Killed when dropped.
pub struct Server {
    process: Program,
    place: Place,
    /// Where it listens.
    pub ready: Ready,
}

/// A server that runs no more, with its data.
pub struct Stopped {
    place: Place,
}

/// Addresses to listen at.
#[derive(Clone, Copy, Debug)]
struct Listen {
    tls: SocketAddr,
    tcp: SocketAddr,
    http: SocketAddr,
    /// For links, which are not offered unless a test asks for them.
    links: Option<SocketAddr>,
}

/// What the ready file says.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    pub pid: u32,
    pub tls: SocketAddr,
    pub tcp: SocketAddr,
    pub http: SocketAddr,
    pub links: Option<SocketAddr>,
    pub api: Option<SocketAddr>,
}

/// Folder and command of a server, which survive it.
struct Place {
    folder: TempDir,
    /// Where to listen: at ports from the kernel, or where it listened before.
    listen: Listen,
    /// `demo`, or `serve` with a configuration.
    config: Option<PathBuf>,
    /// Listening sockets that it is started with.
    passed_on: Vec<PassedOn>,
    /// What the data folder lies on.
    disk: Disk,
    /// Cores it uses, if not all.
    cores: Option<u16>,
}

/// The file system of a data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    /// That of all folders.
    Common,
    /// One of its own with so many octets, which the server alone has mounted.
    Own(u64),
    /// One that cannot be written to.
    ReadOnly,
}

/// A listening socket that outlives the servers it is passed on to.
struct PassedOn {
    name: &'static str,
    socket: OwnedFd,
}

impl Server {
    /// Starts `mynah demo`.
    pub fn demo() -> Self {
        Place::demo(Listen::ANYWHERE).start()
    }

    /// Starts `mynah demo` on a data folder that `prepare`, told its name, may have made.
    pub fn demo_with_data(prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { folder, ..Place::demo(Listen::ANYWHERE) };
        prepare(&place.data());
        place.start()
    }

    /// Starts `mynah demo --links`.
    pub fn demo_with_links() -> Self {
        Place::demo(Listen { links: Some(Listen::ANY_PORT), ..Listen::ANYWHERE }).start()
    }

    /// Starts `mynah serve` with the users of the demo and these lines in the configuration, such
    /// as a `[limits]` section.
    pub fn serve(lines: &str) -> Self {
        Server::serve_with(lines, &[])
    }

    /// The same, started with listening sockets, by the names of their listeners, as systemd would.
    pub fn serve_with(lines: &str, passed_on: &[(&'static str, &TcpListener)]) -> Self {
        Place::serve(lines, passed_on).start()
    }

    /// Starts `mynah serve` on so many cores.
    pub fn serve_on(cores: u16, lines: &str) -> Self {
        Place { cores: Some(cores), ..Place::serve(lines, &[]) }.start()
    }

    /// Starts `mynah serve` with its log in a pipe that nobody reads.
    pub fn serve_unread(lines: &str) -> Self {
        Place::serve(lines, &[]).start_by(Program::start_unread)
    }

    /// Starts `mynah serve` with its data on a file system of its own of so many octets, which
    /// [`inside`](Self::inside) shows.
    pub fn serve_on_disk_of(octets: u64, lines: &str) -> Self {
        Place { disk: Disk::Own(octets), ..Place::serve(lines, &[]) }.start()
    }

    /// Starts it with its data on a file system that cannot be written to; the line that says why it
    /// cannot start.
    pub fn serve_read_only_fails() -> String {
        let place = Place { disk: Disk::ReadOnly, ..Place::serve("", &[]) };
        let output = place.start_command(&place.folder.path().join("ready")).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap().lines().last().unwrap_or_default().to_owned()
    }

    /// Starts it like that when it cannot start; the line that says why.
    pub fn serve_fails(lines: &str, passed_on: &[(&'static str, &TcpListener)]) -> String {
        let place = Place::serve(lines, passed_on);
        let output = place.start_command(&place.folder.path().join("ready")).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap().lines().last().unwrap_or_default().to_owned()
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Program {
        &mut self.process
    }

    /// What it wrote up to now, line by line.
    pub fn lines(&self) -> Vec<String> {
        self.process.lines()
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.place.data()
    }

    /// Its data folder as the server sees it, which may be on a file system that it alone has mounted.
    pub fn inside(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.ready.pid));
        root.join(self.data().strip_prefix("/").unwrap())
    }

    /// Runs a command of the binary on its data where that is mounted.
    pub fn command_inside(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.ready.pid.to_string()]);
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg(BINARY).args(arguments).arg("--data").arg(self.data()).output().unwrap()
    }

    /// The certificate to trust: that of the demo's authority, or the server's own.
    pub fn trusted(&self) -> PathBuf {
        let name = if self.place.config.is_none() { "ca.pem" } else { "cert.pem" };
        self.data().join(name)
    }

    /// Adds a user by the command line while it runs.
    pub fn add_user(&self, user: &str, password: &str) {
        self.place.add_user(user, password);
    }

    /// Its configuration file; only one that was started by `serve` has one.
    pub fn config(&self) -> PathBuf {
        self.place.config.clone().unwrap()
    }

    /// Runs a command of the binary on its data with `input` on standard input.
    pub fn command_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(BINARY);
        command.args(arguments).arg("--data").arg(self.data()).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that does not read leaves its pipe closed.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Runs a command of the binary on its data.
    pub fn command(&self, arguments: &[&str]) -> Output {
        self.place.command(arguments)
    }

    /// Its counters now.
    pub fn metrics(&self) -> Metrics {
        Metrics::scrape(self.ready.http)
    }

    /// Waits until a series, with its labels as on the page, satisfies `wanted`.
    pub fn wait_metric(&self, series: &str, wanted: impl Fn(f64) -> bool) -> f64 {
        eventually(&format!("another value of {series}"), || {
            let value = self.metrics().value(series);
            if wanted(value) { Ok(value) } else { Err(value.to_string()) }
        })
    }

    /// Its call detail records now, as `mynah cdr --format json` lists them.
    pub fn records(&self) -> Vec<Record> {
        self.place.records()
    }

    /// Its records of conferences now.
    pub fn conference_records(&self) -> Vec<Conference> {
        self.place.conference_records()
    }

    /// Waits until there are `count` records and all have ended; fails if there are more.
    pub fn wait_ended(&self, count: usize) -> Vec<Record> {
        let records = eventually(&format!("{count} records that ended"), || {
            let records = self.records();
            let ended = records.iter().filter(|record| record.ending.is_some()).count();
            if ended >= count { Ok(records) } else { Err(format!("{records:#?}")) }
        });
        assert_eq!(records.len(), count, "{records:#?}");
        records
    }

    /// Waits until there are the records of `count` conferences and all have ended; fails if there
    /// are more.
    pub fn wait_conferences_ended(&self, count: usize) -> Vec<Conference> {
        let records = eventually(&format!("{count} conferences that ended"), || {
            let records = self.conference_records();
            let ended = records.iter().filter(|record| record.ending.is_some()).count();
            if ended >= count { Ok(records) } else { Err(format!("{records:#?}")) }
        });
        assert_eq!(records.len(), count, "{records:#?}");
        records
    }

    /// Stops it in order: SIGTERM, and exit status 0.
    pub fn stop(mut self) -> Stopped {
        self.process.signal(Signal::TERM);
        self.process.wait_success();
        Stopped { place: self.place }
    }

    /// Ends it at once, as a crash would.
    pub fn kill(mut self) -> Stopped {
        self.process.kill();
        Stopped { place: self.place }
    }

    /// Stops it in order. All records must have ended; those of pager-mode conversations that
    /// were open end with the server.
    pub fn stop_and_read(self) -> Vec<Record> {
        let records = self.stop().records();
        assert!(records.iter().all(|record| record.ending.is_some()), "{records:#?}");
        assert!(records.iter().all(|r| r.ending != Some(Ending::ServerLost)), "{records:#?}");
        records
    }
}

impl Stopped {
    /// Starts it again on the same data.
    pub fn start(self) -> Server {
        self.place.start()
    }

    /// Starts it again on the same data where clients look for it: where `ready` says.
    pub fn start_at(mut self, ready: Ready) -> Server {
        self.place.listen =
            Listen { tls: ready.tls, tcp: ready.tcp, http: ready.http, links: ready.links };
        self.place.start()
    }

    /// Starts it again when `change` has changed something in its data folder.
    pub fn with_data(self, change: impl FnOnce(&Path)) -> Server {
        change(&self.place.data());
        self.place.start()
    }

    /// Its call detail records.
    pub fn records(&self) -> Vec<Record> {
        self.place.records()
    }

    /// Its records of conferences.
    pub fn conference_records(&self) -> Vec<Conference> {
        self.place.conference_records()
    }
}

impl Listen {
    /// Ports from the kernel.
    const ANYWHERE: Listen =
        Listen { tls: Self::ANY_PORT, tcp: Self::ANY_PORT, http: Self::ANY_PORT, links: None };
    const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
}

impl Place {
    /// The demo.
    fn demo(listen: Listen) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (disk, passed_on) = (Disk::Common, Vec::new());
        Place { folder, listen, config: None, passed_on, disk, cores: None }
    }

    /// The users of the demo, and these lines in the configuration.
    fn serve(lines: &str, passed_on: &[(&'static str, &TcpListener)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("mynah.toml");
        write_certificate(folder.path());
        let head = format!(
            "[server]\ndomains = [\"{DOMAIN}\"]\nname = \"fe01.{DOMAIN}\"\ndata = \"data\"\n\
             [tls]\ncertificates = [{{ chain = \"data/cert.pem\", key = \"data/key.pem\" }}]\n"
        );
        fs::write(&config, head + lines).unwrap();
        let passed_on = passed_on.iter().map(|(name, socket)| PassedOn::new(name, socket));
        let place = Place {
            folder,
            listen: Listen::ANYWHERE,
            config: Some(config),
            passed_on: passed_on.collect(),
            disk: Disk::Common,
            cores: None,
        };
        for user in ["alice", "bob", "carol"] {
            place.add_user(user, PASSWORD);
        }
        place
    }

    fn start(self) -> Server {
        self.start_by(Program::start)
    }

    fn start_by(self, start: impl Fn(&str, &mut Command) -> Program) -> Server {
        let ready_file = self.folder.path().join("ready");
        let _ = fs::remove_file(&ready_file);
        let mut process = start("mynah", &mut self.start_command(&ready_file));
        let ready = eventually("a ready file", || {
            assert!(process.is_running(), "the server ended before it was ready");
            fs::read(&ready_file).map_err(|error| error.to_string())
        });
        // Written at once: a part of it would be an error, not a reason to look again.
        let ready: Ready = serde_json::from_slice(&ready).unwrap();
        assert_eq!(ready.pid, process.pid());
        Server { process, place: self, ready }
    }

    fn start_command(&self, ready_file: &Path) -> Command {
        let mut command = self.program();
        match &self.config {
            None => command.args(["demo", "--data"]).arg(self.data()),
            Some(config) => command.args(["serve", "--config"]).arg(config),
        };
        let Listen { tls, tcp, http, links } = self.listen;
        for (option, address) in [("--tls", tls), ("--tcp", tcp), ("--http", http)] {
            command.args([option, &address.to_string()]);
        }
        if let Some(cores) = self.cores {
            command.args(["--cores", &cores.to_string()]);
        }
        if let Some(address) = links {
            command.args(["--links", &address.to_string()]);
        }
        command.arg("--ready-file").arg(ready_file);
        command
    }

    /// The binary, perhaps where it alone has its data folder mounted; a shell makes the sockets that
    /// are passed on its descriptors from 3 on.
    fn program(&self) -> Command {
        let mount = match self.disk {
            Disk::Common => None,
            Disk::Own(octets) => Some(format!(
                "cp -a data seed && mount -t tmpfs -o size={octets},mode=0700 tmpfs data && \
                 cp -a seed/. data/"
            )),
            Disk::ReadOnly => {
                Some("mount --bind data data && mount -o remount,bind,ro data".to_owned())
            }
        };
        if let Some(mount) = mount {
            require("unshare", "util-linux");
            let mut command = Command::new("unshare");
            if !rustix::process::geteuid().is_root() {
                command.arg("--map-root-user");
            }
            let script = format!("cd \"$1\" && {mount} && shift && exec \"$0\" \"$@\"");
            command.args(["--mount", "bash", "-c", &script, BINARY]).arg(self.folder.path());
            return command;
        }
        if self.passed_on.is_empty() {
            return Command::new(BINARY);
        }
        let mut script = String::from("exec");
        for (number, PassedOn { socket, .. }) in (3..).zip(&self.passed_on) {
            let _ = write!(script, " {number}<&{0} {0}<&-", socket.as_raw_fd());
        }
        let names: Vec<&str> = self.passed_on.iter().map(|passed_on| passed_on.name).collect();
        let _ = write!(
            script,
            "; export LISTEN_PID=$$ LISTEN_FDS={} LISTEN_FDNAMES={}; exec \"$0\" \"$@\"",
            names.len(),
            names.join(":")
        );
        let mut command = Command::new("bash");
        command.args(["-c", &script, BINARY]);
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn add_user(&self, user: &str, password: &str) {
        let address = format!("{user}@{DOMAIN}");
        let mut command = Command::new(BINARY);
        command.args(["user", "add", &address, "--password-stdin", "--data"]).arg(self.data());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        assert!(child.wait().unwrap().success(), "{address} could not be added");
    }

    fn command(&self, arguments: &[&str]) -> Output {
        Command::new(BINARY).args(arguments).arg("--data").arg(self.data()).output().unwrap()
    }

    fn records(&self) -> Vec<Record> {
        cdr::read(&self.listing())
    }

    fn conference_records(&self) -> Vec<Conference> {
        cdr::conferences(&self.listing())
    }

    fn listing(&self) -> Vec<u8> {
        let output = self.command(&["cdr", "--format", "json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

impl PassedOn {
    fn new(name: &'static str, socket: &TcpListener) -> Self {
        // A number that no descriptor of the server has, kept when a program is started.
        let socket = fcntl_dupfd_cloexec(socket, 100).unwrap();
        fcntl_setfd(&socket, FdFlags::empty()).unwrap();
        PassedOn { name, socket }
    }
}

/// Makes the data folder, with a certificate in it.
fn write_certificate(folder: &Path) {
    let data = folder.join("data");
    fs::create_dir(&data).unwrap();
    renew_certificate(&data);
}

/// Writes a certificate for the server into its data folder, as an administrator would bring it.
pub fn renew_certificate(data: &Path) {
    let names = [format!("fe01.{DOMAIN}"), DOMAIN.to_owned(), "127.0.0.1".to_owned()];
    let certified = rcgen::generate_simple_self_signed(names).unwrap();
    fs::write(data.join("cert.pem"), certified.cert.pem()).unwrap();
    fs::write(data.join("key.pem"), certified.signing_key.serialize_pem()).unwrap();
}
