//! The ready file: says, once all listeners are up, where they are.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use serde::Serialize;

/// What the ready file holds, as JSON. A listener that is switched off is `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// The process.
    pub pid: u32,
    /// SIP over TLS.
    pub tls: Option<SocketAddr>,
    /// SIP over TCP.
    pub tcp: Option<SocketAddr>,
    /// HTTP.
    pub http: Option<SocketAddr>,
    /// SIP over TLS of other servers.
    pub links: Option<SocketAddr>,
    /// The API: HTTP, by TLS but on loopback.
    pub api: Option<SocketAddr>,
}

impl Ready {
    /// Writes the file at once: whoever waits for it never sees a part of it.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", self.pid));
        let text = serde_json::to_string(self)?;
        fs::write(&beside, text + "\n")?;
        fs::rename(&beside, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_where_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready");
        let ready = Ready {
            pid: 7,
            tls: Some("127.0.0.1:5061".parse().unwrap()),
            tcp: None,
            http: Some("[::1]:9090".parse().unwrap()),
            links: None,
            api: None,
        };
        ready.write(&path).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"pid\":7,\"tls\":\"127.0.0.1:5061\",\"tcp\":null,\"http\":\"[::1]:9090\",\"links\":null,\"api\":null}\n"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
