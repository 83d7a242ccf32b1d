//! A browser without a window, driven over its debugging pipe (Chrome DevTools Protocol): what it
//! shows, fetches and complains of.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::outside::PATIENCE;
use crate::outside::program::require;

/// The debugging pipe is on descriptors 3 and 4.
const START: &str =
    "exec chromium --remote-debugging-pipe \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";

/// A browser with a profile of its own and one page. Ended when dropped.
pub struct Browser {
    process: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    /// Number of the last command.
    number: u64,
    /// The page; empty until there is one.
    session: String,
    /// What happened on the page and was not looked at.
    events: Vec<Value>,
    /// The width of the window.
    width: u32,
    _profile: TempDir,
}

impl Browser {
    /// Starts it with an empty page.
    pub fn start() -> Self {
        require("chromium", "chromium");
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new("sh")
            .args(["-c", START, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu"])
            .args(["--no-first-run", "--disable-dev-shm-usage", "--hide-scrollbars"])
            .args(["--disable-background-networking", "--disable-component-update"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = process.stdin.take().unwrap();
        let (heard, from) = channel();
        let stdout = process.stdout.take().unwrap();
        thread::spawn(move || read(stdout, &heard));
        let (events, session) = (Vec::new(), String::new());
        let mut browser =
            Browser { process, to, from, number: 0, session, events, width: 0, _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", target);
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Network", "Log", "Runtime"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
        browser
    }

    /// Shows pages as wide as this from now on, in this colour scheme (`light` or `dark`).
    pub fn show_as(&mut self, width: u32, scheme: &str) {
        self.width = width;
        let size = json!({
            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.call("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&mut self, url: &str) {
        let shown = self.call("Page.navigate", json!({ "url": url }));
        assert!(shown.get("errorText").is_none(), "{url}: {shown}");
        self.wait_loaded();
    }

    /// Clicks on what `selector` finds, and waits until another page is loaded.
    pub fn follow(&mut self, selector: &str) {
        let found = self.value(&format!(
            "(() => {{ const it = document.querySelector({selector:?}); it?.click(); return !!it }})()"
        ));
        assert_eq!(found, json!(true), "{selector}: {}", self.text());
        self.wait_loaded();
    }

    /// What an expression is on the page, or what it promises.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true,
        });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// The text that is seen.
    pub fn text(&mut self) -> String {
        self.value("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// What programs that read a page aloud are told of everything of this role, in the order of the
    /// page.
    pub fn told(&mut self, role: &str) -> Vec<String> {
        let tree = self.call("Accessibility.getFullAXTree", json!({}));
        let of_role = |node: &&Value| node["role"]["value"] == role && node["ignored"] == false;
        let nodes = tree["nodes"].as_array().unwrap().iter().filter(of_role);
        nodes.map(|node| node["name"]["value"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Forgets what was fetched, as if it had become too old.
    pub fn forget(&mut self) {
        self.call("Network.clearBrowserCache", json!({}));
    }

    /// Goes on to the next thing that the keyboard reaches.
    pub fn tab(&mut self) {
        for kind in ["keyDown", "keyUp"] {
            let key = json!({
                "type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9,
            });
            self.call("Input.dispatchKeyEvent", key);
        }
    }

    /// A picture of the whole page, kept as `name` where tests keep files.
    pub fn picture(&mut self, name: &str) -> PathBuf {
        let height = self.value("document.documentElement.scrollHeight");
        let clip = json!({ "x": 0, "y": 0, "width": self.width, "height": height, "scale": 1 });
        let wanted = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.call("Page.captureScreenshot", wanted);
        let octets = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        std::fs::write(&file, &octets).unwrap();
        assert!(octets.len() > 5_000, "an empty page of {} octets", octets.len());
        file
    }

    /// What the console of the browser says, errors of scripts and what could not be fetched, since
    /// this was last asked; and the addresses of all that was fetched.
    pub fn complaints_and_fetched(&mut self) -> (Vec<String>, Vec<String>) {
        let (mut complaints, mut fetched) = (Vec::new(), Vec::new());
        for event in std::mem::take(&mut self.events) {
            match event["method"].as_str().unwrap_or_default() {
                "Log.entryAdded" | "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" => {
                    complaints.push(event["params"].to_string());
                }
                "Network.requestWillBeSent" => {
                    let url = event["params"]["request"]["url"].as_str().unwrap_or_default();
                    fetched.push(url.to_owned());
                }
                _ => {}
            }
        }
        (complaints, fetched)
    }

    fn wait_loaded(&mut self) {
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.next();
            self.events.push(event);
        }
        self.events.retain(|event| event["method"] != "Page.loadEventFired");
    }

    /// Has the browser do something; what it answers.
    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut command = json!({ "id": self.number, "method": method, "params": parameters });
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        let mut octets = command.to_string().into_bytes();
        octets.push(0);
        self.to.write_all(&octets).unwrap();
        loop {
            let answer = self.next();
            if answer["id"] == self.number {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn next(&mut self) -> Value {
        self.from.recv_timeout(PATIENCE).expect("the browser says nothing")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let closed = json!({ "id": 0, "method": "Browser.close" }).to_string() + "\0";
        // It may have ended by itself.
        let _ = self.to.write_all(closed.as_bytes());
        // Its last word, or none in time.
        while self.from.recv_timeout(PATIENCE).is_ok() {}
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Passes on what the browser says, until it ends.
fn read(stdout: ChildStdout, heard: &Sender<Value>) {
    let mut stdout = BufReader::new(stdout);
    loop {
        let mut octets = Vec::new();
        match stdout.read_until(0, &mut octets) {
            Ok(len) if len > 0 => octets.pop(),
            _ => return,
        };
        let said = serde_json::from_slice(&octets).expect("JSON");
        if heard.send(said).is_err() {
            return;
        }
    }
}
