//! `mynah demo`

use std::env;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::server_options::ServerOptions;
use super::{certificate, start};
use crate::config::{AuthMethod, Listen, Settings};
use crate::directory::{Person, User};
use crate::store::{Database, Store, UserChange};

const DOMAIN: &str = "example.test";
/// The server that may open links.
const EDGE: &str = "edge.example.test";
const NAME: &str = "fe01.example.test";
/// Address, name, title, department, office and telephone at work.
const USERS: [[&str; 6]; 3] = [
    ["alice", "Alice Ames", "Engineer", "Research", "2.17", "+1 425 555 0101"],
    ["bob", "Bob Boyle", "Account Manager", "Sales", "1.03", "+1 425 555 0102"],
    ["carol", "Carol Cray", "Support Lead", "Service", "1.20", "+1 425 555 0103"],
];
const COMPANY: &str = "Example Ltd";
const PASSWORD: &str = "secret";
/// Name of the data folder in the user's own place for such things.
const FOLDER: &str = "mynah-demo";

/// `mynah demo`
#[derive(Args, Debug)]
pub struct Demo {
    #[command(flatten)]
    options: ServerOptions,
}

impl Demo {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let options = self.options;
        let mut settings = Settings {
            domains: vec![DOMAIN.to_owned()],
            name: NAME.to_owned(),
            data: default_folder(env::var_os("XDG_DATA_HOME").map(PathBuf::from), env::home_dir()),
            // Everybody knows the password.
            listen: Listen {
                tls: Some(loopback(5061)),
                tcp: Some(loopback(5060)),
                http: Some(loopback(9090)),
                links: None,
            },
            // The load generator signs in by either.
            lync_auth: vec![AuthMethod::Ntlm, AuthMethod::Digest],
            ..Settings::default()
        };
        settings.links.names.push(EDGE.to_owned());
        // The load generator signs in as many as it is told to.
        settings.limits.sign_ins_per_second_max = 0;
        settings.limits.handshakes_per_core_per_second_max = 0;
        settings.limits.handshakes_per_address_per_second_max = 0;
        options.apply(&mut settings)?;
        // Before anything is promised.
        Store::check_free(&settings.data)?;
        add_users(&settings)?;
        settings.certificates =
            vec![certificate::of_demo(&settings.data, &[NAME, DOMAIN, "localhost"])?];
        if settings.listen.links.is_some() {
            settings.links.ca = certificate::of_links(&settings.data, EDGE)?;
        }
        let ready_file = options.ready_file(&settings);
        print!("{}", welcome(&settings, &ready_file));
        let same = settings.clone();
        start::start(settings, ready_file, move || Ok(same.clone()))
    }
}

/// Adds the users that are missing: who changed a password keeps it.
fn add_users(settings: &Settings) -> Result<()> {
    let mut database = Database::open(&settings.data, settings.limits.store_busy_timeout)?;
    for [user, display_name, title, department, office, phone_work] in USERS {
        let aor = format!("{user}@{DOMAIN}");
        if database.user(&aor)?.is_none() {
            let mut user = User::with_password(&aor, None, display_name, DOMAIN, PASSWORD)?;
            user.set_person(Person {
                title: title.into(),
                department: department.into(),
                company: COMPANY.into(),
                office: office.into(),
                email: aor.as_str().into(),
                phone_work: phone_work.into(),
                ..Person::default()
            })?;
            database.change_user(&UserChange::Add(user))?;
        }
    }
    Ok(())
}

/// The folder for data of the user who runs the demo (XDG Base Directory Specification), so that
/// one started anywhere finds its certificate again.
fn default_folder(xdg_data_home: Option<PathBuf>, home: Option<PathBuf>) -> PathBuf {
    let base = xdg_data_home
        .filter(|path| path.is_absolute())
        .or(home.filter(|path| path.is_absolute()).map(|home| home.join(".local/share")));
    base.unwrap_or_default().join(FOLDER)
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// How to connect.
fn welcome(settings: &Settings, ready_file: &Path) -> String {
    let mut text = String::new();
    let names = USERS.map(|[user, ..]| format!("{user}@{DOMAIN}")).join(", ");
    let listen = settings.listen;
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:13}{value}");
    };
    line("users", &format!("{names}; password: {PASSWORD}"));
    if let Some(tls) = listen.tls {
        line("SIP over TLS", &place(tls));
        line("to trust", &settings.data.join("ca.pem").display().to_string());
    }
    if let Some(tcp) = listen.tcp {
        line("SIP over TCP", &place(tcp));
    }
    if let Some(links) = listen.links {
        line("links", &format!("{}, with link.pem and link-key.pem", place(links)));
    }
    if let Some(api) = settings.api.listen {
        let scheme = if settings.api.needs_tls() { "https" } else { "http" };
        line("API", &format!("{scheme}://{}/v1/openapi.json", place(api)));
    }
    if let Some(http) = listen.http {
        line("metrics", &format!("http://{}/metrics and /healthz", place(http)));
    }
    let all = [listen.tls, listen.tcp, listen.http, listen.links, settings.api.listen];
    if all.into_iter().flatten().any(|a| a.port() == 0) {
        line("PORT", &format!("stands in {}", ready_file.display()));
    }
    line("data folder", &settings.data.display().to_string());
    let data = settings.data.display();
    let (secure, address) = match (listen.tls, listen.tcp) {
        (Some(tls), _) => (true, place(tls)),
        (None, Some(tcp)) => (false, place(tcp)),
        (None, None) => (false, String::new()),
    };
    let (pidgin, transport) = if secure { ("SSL/TLS", "tls") } else { ("TCP", "tcp") };
    format!(
        "Mynah demo, not for production. Ctrl-C ends it.\n{text}
Pidgin (package pidgin-sipe), a new account of protocol Office Communicator:
  user name alice@{DOMAIN}, login alice, password {PASSWORD}
  under Advanced: server {address}, connection type {pidgin}
baresip, a line in ~/.baresip/accounts:
  <sip:bob@{DOMAIN}>;auth_user=bob;auth_pass={PASSWORD};outbound=\"sip:{address};transport={transport}\"
Other SIP clients: domain {DOMAIN}, outbound proxy {address} over {transport}, user carol
Users and records, in another terminal:
  mynah user list --data {data}
  mynah cdr --data {data}
  mynah status --data {data}
"
    )
}

/// An address; a port that the kernel chooses is not known yet.
fn place(address: SocketAddr) -> String {
    match (address.port(), address.ip()) {
        (0, IpAddr::V4(ip)) => format!("{ip}:PORT"),
        (0, IpAddr::V6(ip)) => format!("[{ip}]:PORT"),
        _ => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_users_own() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(default_folder(path("/x"), path("/home/a")), Path::new("/x/mynah-demo"));
        let in_home = Path::new("/home/a/.local/share/mynah-demo");
        assert_eq!(default_folder(None, path("/home/a")), in_home);
        assert_eq!(default_folder(path("relative"), path("/home/a")), in_home);
        assert_eq!(default_folder(None, None), Path::new("mynah-demo"));
    }

    #[test]
    fn users_are_added_once_and_keep_a_changed_password() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { data: folder.path().to_owned(), ..Settings::default() };
        add_users(&settings).unwrap();
        let mut database =
            Database::open(folder.path(), settings.limits.store_busy_timeout).unwrap();
        let mut alice = database.user("alice@example.test").unwrap().unwrap();
        let proof = User::with_password("alice@example.test", None, "", DOMAIN, PASSWORD).unwrap();
        assert_eq!((&alice.ha1_md5, &alice.nt_hash), (&proof.ha1_md5, &proof.nt_hash));
        assert_eq!((alice.display_name.as_str(), &*alice.person.office), ("Alice Ames", "2.17"));
        alice.set_password(DOMAIN, "another").unwrap();
        database.change_user(&UserChange::Update(alice.clone())).unwrap();
        add_users(&settings).unwrap();
        assert_eq!(database.user("alice@example.test").unwrap(), Some(alice));
        assert_eq!(database.users().unwrap().len(), 3);
    }

    #[test]
    fn the_welcome_names_what_was_configured() {
        let listen = Listen { tls: None, tcp: Some(loopback(0)), http: None, links: None };
        let settings = Settings { listen, data: PathBuf::from("/d"), ..Settings::default() };
        let text = welcome(&settings, Path::new("/d/ready.json"));
        assert!(text.contains("  SIP over TCP 127.0.0.1:PORT\n"), "{text}");
        assert!(text.contains("  PORT         stands in /d/ready.json\n"), "{text}");
        assert!(text.contains("transport=tcp") && !text.contains("TLS"), "{text}");
        assert!(!text.contains("metrics"), "{text}");
    }
}
