//! A program under test or beside it: started, read line by line, ended.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::{PATIENCE, eventually};

/// Lines of standard output and standard error as they come.
#[derive(Default)]
struct Lines {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

/// A running program. Killed when dropped; what it wrote is shown when the test panicked.
pub struct Program {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Arc<Lines>,
    /// Lines before this one were looked at.
    seen: usize,
}

impl Program {
    /// Starts `command`, called `name` in messages.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let mut program = Program::start_unread(name, command);
        collect(program.child.stderr.take().unwrap(), Arc::clone(&program.lines));
        program
    }

    /// The same, but nobody reads its standard error, which is a pipe.
    pub fn start_unread(name: &str, command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let lines = Arc::new(Lines::default());
        collect(child.stdout.take().unwrap(), Arc::clone(&lines));
        let stdin = child.stdin.take();
        Program { name: name.to_owned(), child, stdin, lines, seen: 0 }
    }

    /// Writes a line to its standard input.
    pub fn write_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        let written = writeln!(stdin, "{line}").and_then(|()| stdin.flush());
        written.unwrap_or_else(|error| panic!("{}: writing {line:?}: {error}", self.name));
    }

    /// Ends its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for a line, after those waited for before, in which `pick` finds what it looks for.
    pub fn wait_for<T>(&mut self, expected: &str, pick: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.lines.lines.lock().unwrap();
        loop {
            while let Some(line) = lines.get(self.seen) {
                self.seen += 1;
                if let Some(found) = pick(line) {
                    return found;
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(lines);
                panic!("{}: no {expected} in time", self.name);
            }
            lines = self.lines.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Waits for a line that has `part` in it.
    pub fn wait_for_text(&mut self, part: &str) -> String {
        self.wait_for(&format!("{part:?}"), |line| line.contains(part).then(|| line.to_owned()))
    }

    /// All lines up to now.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lines.lock().unwrap().clone()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it `signal`.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, signal).unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// Ends it at once, as a crash or a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// True while it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let (name, child) = (&self.name, &mut self.child);
        eventually(&format!("{name} to end"), || {
            child.try_wait().unwrap().ok_or_else(|| "it runs on".to_owned())
        })
    }

    /// Waits for its end, which must be a success.
    pub fn wait_success(&mut self) {
        let status = self.wait_exit();
        assert!(status.success(), "{}: {status}", self.name);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            for line in self.lines() {
                eprintln!("{}| {line}", self.name);
            }
        }
    }
}

/// Fails unless the program `name` is installed.
pub fn require(name: &str, package: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    assert!(found, "{name} is not installed: apt-get install {package}");
}

/// Fails unless the file of a package is installed.
pub fn require_file(file: &str, package: &str) {
    assert!(Path::new(file).exists(), "{file} is not installed: apt-get install {package}");
}

fn collect(from: impl Read + Send + 'static, to: Arc<Lines>) {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while matches!(from.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            to.lines.lock().unwrap().push(text);
            to.more.notify_all();
            line.clear();
        }
    });
}
