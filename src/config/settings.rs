//! The settings a server runs with: every key resolved, every default filled in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;

use super::hep::Hep;
use super::ldap::Ldap;
use super::policy::Policies;
use crate::base::limits::Limits;

/// Everything the server is told at start. `Default` is what an empty `mynah.toml` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// SIP domains served, lower case, at least one. A user's realm is the domain of its address.
    pub domains: Vec<String>,
    /// Fully qualified name of this server: Via, Record-Route and the source of `ms-diagnostics`.
    pub name: String,
    /// Folder of the database, the lock and whatever else must outlive the process.
    pub data: PathBuf,
    /// Executors, one pinned to each core; `None` takes every core the process may use.
    pub cores: Option<usize>,
    /// Where to listen.
    pub listen: Listen,
    /// Networks that the bounds of an address do not bind.
    pub exempt: Arc<[IpNet]>,
    /// The API for other applications.
    pub api: Api,
    /// Certificates side by side, of which the handshake picks the first that the client can
    /// verify; put ECDSA before RSA.
    pub certificates: Vec<Certificate>,
    /// Who may open links.
    pub links: Links,
    /// How Lync clients sign in. With NTLM and Digest both are offered, NTLM first; with none they
    /// cannot sign in.
    pub lync_auth: Vec<AuthMethod>,
    /// How standard clients sign in: by Digest, or not at all.
    pub standard_auth: Vec<AuthMethod>,
    /// The version of signatures that NTLM asks for.
    pub ntlm_version: NtlmVersion,
    /// Digest algorithms offered, in the order of the challenges (RFC 8760 section 2.4: the most
    /// preferred first).
    pub digest: Vec<DigestAlgorithm>,
    /// Every bound.
    pub limits: Limits,
    /// What is logged, and how.
    pub log: Log,
    /// Folder on the web where clients find `POLICY.xml`, the custom states of a policy; without a
    /// slash at the end. `None` keeps custom states from them.
    pub custom_state_url: Option<String>,
    /// Copies of messages for a collector.
    pub hep: Hep,
    /// Where users come from besides the database.
    pub ldap: Option<Ldap>,
    /// What is laid down for the users under each policy.
    pub policies: Policies,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            domains: vec!["example.test".to_owned()],
            name: "fe01.example.test".to_owned(),
            data: PathBuf::from("/var/lib/mynah"),
            cores: None,
            listen: Listen::default(),
            exempt: Arc::default(),
            api: Api::default(),
            certificates: vec![Certificate {
                chain: PathBuf::from("/etc/mynah/chain.pem"),
                key: PathBuf::from("/etc/mynah/key.pem"),
            }],
            links: Links::default(),
            lync_auth: vec![AuthMethod::Ntlm],
            standard_auth: vec![AuthMethod::Digest],
            ntlm_version: NtlmVersion::V4,
            digest: vec![DigestAlgorithm::Md5, DigestAlgorithm::Sha256],
            limits: Limits::default(),
            log: Log::default(),
            custom_state_url: None,
            hep: Hep::default(),
            ldap: None,
            policies: Policies::new(&Limits::default()),
        }
    }
}

impl Settings {
    /// Makes relative paths relative to `folder`, the one the configuration file lies in.
    pub fn resolve_paths(&mut self, folder: &Path) {
        let certificates = self.certificates.iter_mut().flat_map(|c| [&mut c.chain, &mut c.key]);
        let ldap = self.ldap.iter_mut().flat_map(|l| [&mut l.ca, &mut l.password_file]);
        for path in certificates.chain(ldap).chain([&mut self.data, &mut self.links.ca]) {
            *path = folder.join(&path);
        }
    }
}

/// Listening addresses; port 0 lets the kernel choose. TLS or TCP is always set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// SIP over TLS.
    pub tls: Option<SocketAddr>,
    /// SIP over plain TCP: passwords are safe (digest), messages are not. For loopback and labs.
    pub tcp: Option<SocketAddr>,
    /// `/metrics`, `/healthz` and `/custom-states/`, without authentication: keep it on loopback or
    /// a closed network.
    pub http: Option<SocketAddr>,
    /// SIP over TLS of other servers, which carry many users on one connection.
    pub links: Option<SocketAddr>,
}

impl Default for Listen {
    fn default() -> Self {
        Listen {
            tls: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5061)),
            tcp: None,
            http: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090)),
            links: None,
        }
    }
}

/// The API for other applications. Off by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Api {
    /// Where it listens; port 0 lets the kernel choose.
    pub listen: Option<SocketAddr>,
    /// Web sites whose pages may ask from a browser, as `Origin` names them; `*` for all.
    pub origins: Vec<String>,
    /// Where clients reach it, without a slash at the end; `None` keeps pictures out of contact cards.
    pub url: Option<String>,
}

impl Api {
    /// True where it speaks TLS: there is a listener, and not on loopback.
    pub fn needs_tls(&self) -> bool {
        self.listen.is_some_and(|address| !address.ip().to_canonical().is_loopback())
    }
}

/// Which servers may open links, on which they carry many users. Each user signs in as ever; what
/// the server is trusted with is to keep its users apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// PEM file of the authority that signs their certificates.
    pub ca: PathBuf,
    /// Names of which one must stand in the certificate as a dNSName, lower case. Not empty when
    /// there is a listener for links.
    pub names: Vec<String>,
}

impl Default for Links {
    fn default() -> Self {
        Links { ca: PathBuf::from("/etc/mynah/links-ca.pem"), names: Vec::new() }
    }
}

/// A certificate chain and its private key, both PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The server's certificate first, then the intermediates.
    pub chain: PathBuf,
    /// PKCS #8, SEC 1 or PKCS #1.
    pub key: PathBuf,
}

/// A way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// Digest: asked for as a proxy would (407) of Lync clients, as a registrar (401) of others.
    Digest,
    /// NTLM, after which every message in both directions is signed.
    Ntlm,
}

impl AuthMethod {
    /// The word in `mynah.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            AuthMethod::Digest => "digest",
            AuthMethod::Ntlm => "ntlm",
        }
    }
}

/// A version of the signatures that follow NTLM (MS-SIPAE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NtlmVersion {
    /// The last REGISTER of the handshake is not signed itself.
    V3,
    /// It is.
    V4,
}

impl NtlmVersion {
    /// The number in challenges and in `mynah.toml`.
    pub const fn number(self) -> u8 {
        match self {
            NtlmVersion::V3 => 3,
            NtlmVersion::V4 => 4,
        }
    }
}

/// Hash of a digest challenge (RFC 8760).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// `MD5`: what the Lync client and most SIP telephones know.
    Md5,
    /// `SHA-256`.
    Sha256,
}

impl DigestAlgorithm {
    /// The token in challenges and in `mynah.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            DigestAlgorithm::Md5 => "MD5",
            DigestAlgorithm::Sha256 => "SHA-256",
        }
    }
}

/// Logging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Comma list of `level` or `target=level`, as in `info,mynah::net=debug`.
    pub filter: String,
    /// One line an event either way.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Log { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A JSON object.
    Json,
    /// For people.
    Text,
}
