//! Certificates as files: the demo's own, and a look at those of others.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType};

use crate::config::Certificate;

/// Validity of the demo's certificate. Clients that distrust long ones distrust self-signed ones
/// anyway.
const YEARS: i32 = 10;

/// The self-signed certificate for `names` and loopback in `folder`, made when it is not there
/// yet: clients that were told to trust it still do after a restart.
pub fn self_signed(folder: &Path, names: &[&str]) -> Result<Certificate> {
    let files = Certificate { chain: folder.join("cert.pem"), key: folder.join("key.pem") };
    if files.chain.exists() && files.key.exists() {
        return Ok(files);
    }
    let key = KeyPair::generate().context("making a key")?;
    let certificate = parameters(names)?.self_signed(&key).context("making a certificate")?;
    write(&files.key, &key.serialize_pem(), 0o600)?;
    write(&files.chain, &certificate.pem(), 0o644)?;
    Ok(files)
}

/// Fails unless `path` can be read and holds PEM.
pub fn check_pem(path: &Path) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let is_pem = text.lines().any(|line| line.starts_with("-----BEGIN "));
    ensure!(is_pem, "{}: not in PEM form: no line begins with -----BEGIN", path.display());
    Ok(())
}

fn parameters(names: &[&str]) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let common_name = names.first().cloned().unwrap_or_default();
    let mut parameters = CertificateParams::new(names).context("making a certificate")?;
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        parameters.subject_alt_names.push(SanType::IpAddress(address));
    }
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    // No key usage: NSS, which looks at a self-signed certificate as its own issuer, would call the
    // chain invalid unless it allowed signing certificates, and Pidgin would not even ask its user.
    parameters.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    // From yesterday on, for the clocks of others.
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let (first, last) = (today.checked_sub(1.day())?, today.checked_add(YEARS.years())?);
    let day = |date: jiff::civil::Date| {
        rcgen::date_time_ymd(date.year().into(), date.month() as u8, date.day() as u8)
    };
    (parameters.not_before, parameters.not_after) = (day(first), day(last));
    Ok(parameters)
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

    #[test]
    fn a_certificate_is_made_once_and_its_key_is_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["fe01.example.test", "example.test", "localhost"];
        let files = self_signed(folder.path(), &names).unwrap();
        check_pem(&files.chain).unwrap();
        check_pem(&files.key).unwrap();
        assert_eq!(fs::metadata(&files.key).unwrap().permissions().mode() & 0o777, 0o600);

        let before = fs::read(&files.chain).unwrap();
        assert_eq!(self_signed(folder.path(), &names).unwrap(), files);
        assert_eq!(fs::read(&files.chain).unwrap(), before);

        fs::remove_file(&files.key).unwrap();
        self_signed(folder.path(), &names).unwrap();
        assert_ne!(fs::read(&files.chain).unwrap(), before, "key and certificate belong together");
    }

    #[test]
    fn what_is_no_pem_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pem");
        assert!(check_pem(&path).is_err());
        fs::write(&path, "hello\n").unwrap();
        let error = check_pem(&path).unwrap_err().to_string();
        assert!(error.ends_with("x.pem: not in PEM form: no line begins with -----BEGIN"));
    }
}
