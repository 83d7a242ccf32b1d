//! OpenLDAP's server on loopback, with a folder of its own.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use md5::{Digest, Md5};
use tempfile::TempDir;

use crate::outside::eventually;
use crate::outside::program::{Program, require_file};
use crate::outside::server::DOMAIN;

/// Where Debian puts it.
const SLAPD: &str = "/usr/sbin/slapd";
const SLAPADD: &str = "/usr/sbin/slapadd";
/// The password of the account that reads, and of every user.
pub const PASSWORD: &str = "secret";
/// The account that reads.
pub const READER: &str = "cn=mynah,dc=example,dc=test";
/// Where the users are.
pub const BASE: &str = "ou=people,dc=example,dc=test";
const ADMIN: &str = "cn=admin,dc=example,dc=test";

/// A directory service with users. Killed when dropped.
pub struct Slapd {
    folder: TempDir,
    plain: SocketAddr,
    tls: SocketAddr,
    process: Option<Program>,
}

impl Slapd {
    /// Starts one with these users, who all have [`PASSWORD`].
    pub fn start<'a>(users: impl IntoIterator<Item = &'a str>) -> Self {
        require_file(SLAPD, "slapd");
        require_file("/usr/bin/ldapmodify", "ldap-utils");
        let folder = tempfile::tempdir().unwrap();
        write_certificate(folder.path());
        fs::create_dir(folder.path().join("db")).unwrap();
        fs::write(folder.path().join("slapd.conf"), configuration(folder.path())).unwrap();
        let mut entries = String::from(
            "dn: dc=example,dc=test\nobjectClass: dcObject\nobjectClass: organization\no: Example\n\
             dc: example\n\ndn: ou=people,dc=example,dc=test\nobjectClass: organizationalUnit\n\
             ou: people\n\n",
        );
        let reader = format!(
            "dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n\
             cn: mynah\nuserPassword: {PASSWORD}\n\n"
        );
        entries.push_str(&reader);
        for user in users {
            entries.push_str(&entry(user));
        }
        let ldif = folder.path().join("entries.ldif");
        fs::write(&ldif, entries).unwrap();
        let mut load = Command::new(SLAPADD);
        load.args(["-q", "-f"]).arg(folder.path().join("slapd.conf")).arg("-l").arg(ldif);
        let loaded = load.output().unwrap();
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut slapd = Slapd { folder, plain: nowhere, tls: nowhere, process: None };
        slapd.run(free_port(), free_port());
        slapd
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    /// Starts it again where it was.
    pub fn start_again(&mut self) {
        self.run(self.plain, self.tls);
    }

    /// Where it speaks without TLS, and with StartTLS.
    pub fn ldap(&self) -> String {
        format!("ldap://{}", self.plain)
    }

    /// Where it speaks TLS.
    pub fn ldaps(&self) -> String {
        format!("ldaps://{}", self.tls)
    }

    /// Its certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// A file with a password on its first line.
    pub fn password_file(&self, password: &str) -> PathBuf {
        let path = self.folder.path().join(format!("password-{password}"));
        fs::write(&path, format!("{password}\n")).unwrap();
        path
    }

    /// Changes it, as LDIF says.
    pub fn modify(&self, ldif: &str) {
        let mut command = Command::new("ldapmodify");
        command.args(["-x", "-H", &self.ldap(), "-D", ADMIN, "-w", PASSWORD]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(ldif.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn run(&mut self, plain: SocketAddr, tls: SocketAddr) {
        let (mut plain, mut tls) = (plain, tls);
        // Somebody else may have taken a port since it was looked for.
        for _ in 0..5 {
            let mut command = Command::new(SLAPD);
            command.arg("-f").arg(self.folder.path().join("slapd.conf"));
            command.args(["-h", &format!("ldap://{plain} ldaps://{tls}"), "-d", "none"]);
            let mut process = Program::start("slapd", &mut command);
            let up = eventually("slapd to listen or to end", || {
                match (process.is_running(), listens(plain) && listens(tls)) {
                    (false, _) => Ok(false),
                    (true, true) => Ok(true),
                    (true, false) => Err("neither".to_owned()),
                }
            });
            if up {
                (self.plain, self.tls, self.process) = (plain, tls, Some(process));
                return;
            }
            (plain, tls) = (free_port(), free_port());
        }
        panic!("slapd does not start");
    }
}

/// A user as an entry.
pub fn entry(user: &str) -> String {
    format!(
        "dn: uid={user},{BASE}\nobjectClass: inetOrgPerson\nobjectClass: testUser\nuid: {user}\n\
         cn: {user}\nsn: {user}\nmail: {user}@{DOMAIN}\ndisplayName: The {user}\ntitle: Tester\n\
         telephoneNumber: +1 425 555 0100\nuserPassword: {PASSWORD}\ntestHa1: {}\n\n",
        ha1(user, PASSWORD)
    )
}

fn ha1(user: &str, password: &str) -> String {
    let digest = Md5::digest(format!("{user}:{DOMAIN}:{password}").as_bytes());
    digest.iter().fold(String::new(), |mut hex, octet| {
        let _ = write!(hex, "{octet:02x}");
        hex
    })
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "include /etc/ldap/schema/core.schema\n\
         include /etc/ldap/schema/cosine.schema\n\
         include /etc/ldap/schema/inetorgperson.schema\n\
         attributetype ( 1.3.6.1.4.1.55555.1 NAME 'testHa1' EQUALITY caseIgnoreIA5Match \
         SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )\n\
         objectclass ( 1.3.6.1.4.1.55555.2 NAME 'testUser' SUP top AUXILIARY MAY testHa1 )\n\
         modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\n\
         pidfile {folder}/slapd.pid\nargsfile {folder}/slapd.args\n\
         TLSCertificateFile {folder}/cert.pem\nTLSCertificateKeyFile {folder}/key.pem\n\
         database mdb\nmaxsize 67108864\nsuffix dc=example,dc=test\nrootdn {ADMIN}\n\
         rootpw {PASSWORD}\ndirectory {folder}/db\ndbnosync\noverlay memberof\n\
         limits dn.exact={READER} size.prtotal=unlimited\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by dn.exact={READER} read by * none\n"
    )
}

fn write_certificate(folder: &Path) {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(folder.join("cert.pem"), certified.cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), certified.signing_key.serialize_pem()).unwrap();
}

/// A port nobody has now.
fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}
