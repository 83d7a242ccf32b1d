//! The demo's certificates.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};

use crate::config::Certificate;

/// Validity of the demo's certificate. Clients that distrust long ones distrust self-signed ones
/// anyway.
const YEARS: i32 = 10;

/// The certificate for `names` and loopback in `folder`, made when it is not there yet: clients
/// that were told to trust its authority, `ca.pem`, still do after a restart.
///
/// Clients of NSS refuse a server certificate that signed itself without asking their user, and
/// clients of webpki one that is an authority too; so an authority signs it. Its key is thrown
/// away: it never signs another.
pub fn of_demo(folder: &Path, names: &[&str]) -> Result<Certificate> {
    let files = Certificate { chain: folder.join("cert.pem"), key: folder.join("key.pem") };
    if files.chain.exists() && files.key.exists() {
        return Ok(files);
    }
    let key = KeyPair::generate().context("making a key")?;
    let authority = authority()?;
    let root = authority.pem();
    let mut parameters = parameters(names, ExtendedKeyUsagePurpose::ServerAuth)?;
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        parameters.subject_alt_names.push(SanType::IpAddress(address));
    }
    let certificate = parameters.signed_by(&key, &authority).context("making a certificate")?;
    write(&files.key, &key.serialize_pem(), 0o600)?;
    write(&folder.join("ca.pem"), &root, 0o644)?;
    write(&files.chain, &format!("{}{root}", certificate.pem()), 0o644)?;
    Ok(files)
}

/// What a server shows that opens links, `link.pem` and `link-key.pem` in `folder`, made when it is
/// not there yet; the file of the authority that signed it. That is another than the demo's own:
/// what clients trust must not let anybody carry users.
pub fn of_links(folder: &Path, name: &str) -> Result<PathBuf> {
    let root = folder.join("link-ca.pem");
    let (chain, key_file) = (folder.join("link.pem"), folder.join("link-key.pem"));
    if root.exists() && chain.exists() && key_file.exists() {
        return Ok(root);
    }
    let key = KeyPair::generate().context("making a key")?;
    let authority = authority()?;
    let parameters = parameters(&[name], ExtendedKeyUsagePurpose::ClientAuth)?;
    let certificate = parameters.signed_by(&key, &authority).context("making a certificate")?;
    write(&key_file, &key.serialize_pem(), 0o600)?;
    write(&chain, &certificate.pem(), 0o644)?;
    write(&root, &authority.pem(), 0o644)?;
    Ok(root)
}

/// A new authority that may sign certificates of servers only.
fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let key = KeyPair::generate().context("making a key")?;
    let mut parameters = CertificateParams::default();
    // Two authorities of one name would confuse clients that trust both.
    let serial: u64 = rand::random();
    parameters.distinguished_name.push(DnType::CommonName, format!("Mynah demo {serial:016x}"));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages.push(KeyUsagePurpose::KeyCertSign);
    set_validity(&mut parameters)?;
    CertifiedIssuer::self_signed(parameters, key).context("making a certificate")
}

fn parameters(names: &[&str], usage: ExtendedKeyUsagePurpose) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let common_name = names.first().cloned().unwrap_or_default();
    let mut parameters = CertificateParams::new(names).context("making a certificate")?;
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters.key_usages.push(KeyUsagePurpose::DigitalSignature);
    parameters.extended_key_usages.push(usage);
    set_validity(&mut parameters)?;
    parameters.use_authority_key_identifier_extension = true;
    Ok(parameters)
}

/// From yesterday on, for the clocks of others.
fn set_validity(parameters: &mut CertificateParams) -> Result<()> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let (first, last) = (today.checked_sub(1.day())?, today.checked_add(YEARS.years())?);
    let day = |date: jiff::civil::Date| {
        rcgen::date_time_ymd(date.year().into(), date.month() as u8, date.day() as u8)
    };
    (parameters.not_before, parameters.not_after) = (day(first), day(last));
    Ok(())
}

/// Writes the file anew, with `mode` from its first octet on.
fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let context = || path.display().to_string();
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(context);
        }
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(context)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::net::certs::Certificates;

    #[test]
    fn a_certificate_is_made_once_and_its_key_is_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["fe01.example.test", "example.test", "localhost"];
        let files = of_demo(folder.path(), &names).unwrap();
        let mut certificates = Certificates::new(std::slice::from_ref(&files), None).unwrap();
        certificates.load().unwrap();
        assert_eq!(certificates.warnings(365), [""; 0]);
        assert_eq!(fs::metadata(&files.key).unwrap().permissions().mode() & 0o777, 0o600);

        let before = fs::read(&files.chain).unwrap();
        assert_eq!(of_demo(folder.path(), &names).unwrap(), files);
        assert_eq!(fs::read(&files.chain).unwrap(), before);

        fs::remove_file(&files.key).unwrap();
        of_demo(folder.path(), &names).unwrap();
        assert_ne!(fs::read(&files.chain).unwrap(), before, "key and certificate belong together");
    }
}
