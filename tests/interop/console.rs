//! The console in a real browser, without a window: what people read, in both sizes.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::outside::endpoint::Endpoint;
use crate::outside::eventually;
use crate::outside::program::require;
use crate::outside::server::Server;

/// A browser with a profile of its own.
struct Browser {
    profile: TempDir,
    /// Width and height of the window.
    size: (u32, u32),
}

impl Browser {
    fn new(size: (u32, u32)) -> Self {
        require("chromium", "chromium");
        Browser { profile: tempfile::tempdir().unwrap(), size }
    }

    fn run(&self, arguments: &[&str], url: &str) -> String {
        let (width, height) = self.size;
        let output = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args([
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--disable-background-networking",
            ])
            .arg(format!("--window-size={width},{height}"))
            .arg(format!("--user-data-dir={}", self.profile.path().display()))
            .args(arguments)
            .arg(url)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The page as the browser has understood it.
    fn read(&self, url: &str) -> String {
        self.run(&["--dump-dom"], url)
    }

    /// Width and height of a picture of the page, and its octets.
    fn picture(&self, url: &str) -> ((u32, u32), Vec<u8>) {
        let file = self.profile.path().join("page.png");
        self.run(&[&format!("--screenshot={}", file.display())], url);
        let octets = std::fs::read(Path::new(&file)).unwrap();
        assert_eq!(octets.get(..8), Some(&b"\x89PNG\r\n\x1a\n"[..]));
        let number = |at: usize| u32::from_be_bytes(octets[at..at + 4].try_into().unwrap());
        ((number(16), number(20)), octets)
    }
}

#[test]
fn an_operator_sees_who_is_signed_in_and_that_the_server_is_well() {
    let server = Server::demo();
    let alice = Endpoint::tls(&server, "alice");
    let at = |path: &str| format!("http://{}{path}", server.ready.http);
    let browser = Browser::new((1280, 900));
    // The counters are looked at every few seconds.
    let page = eventually("alice is counted", || {
        let page = browser.read(&at("/console"));
        let is_counted = page.contains("<dt>Users signed in</dt><dd>1</dd>");
        if is_counted { Ok(page) } else { Err(page) }
    });
    assert!(page.contains("<strong>Store</strong><span>writes</span>"), "{page}");
    assert!(!page.contains(r#"<li class="bad">"#), "{page}");

    let page = browser.read(&at("/console/users/alice@example.test?as=bob@example.test"));
    assert!(page.contains("<h3>Signed in</h3>"), "{page}");
    assert!(page.contains("over TLS 1.3"), "{page}");
    assert!(page.contains("Access level"), "{page}");

    // The style is the server's own and applies: the page is drawn, on a phone too.
    for size in [(1280, 900), (390, 844)] {
        let (drawn, octets) = Browser::new(size).picture(&at("/console"));
        assert_eq!(drawn, size);
        assert!(octets.len() > 10_000, "an empty page of {} octets", octets.len());
    }
    drop(alice);
}
