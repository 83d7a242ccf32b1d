use super::*;

fn write(folder: &Path, name: &str, days: i64) -> Certificate {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["fe01.example.test".into()]).unwrap();
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let end = now.saturating_add(jiff::Span::new().days(days));
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(end.year().into(), end.month() as u8, end.day() as u8);
    let files = Certificate {
        chain: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    };
    fs::write(&files.chain, params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

#[test]
fn a_change_is_seen_once_it_has_settled_and_only_until_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let files = write(folder.path(), "a", 100);
    let mut certificates = Certificates::new(std::slice::from_ref(&files), None).unwrap();
    certificates.load().unwrap();
    assert!(!certificates.changed());
    assert!(!certificates.changed());

    fs::write(&files.chain, "half of the new chai").unwrap();
    assert!(!certificates.changed(), "it may still be written");
    write(folder.path(), "a", 101);
    assert!(!certificates.changed(), "it has changed again");
    assert!(certificates.changed());
    certificates.load().unwrap();
    assert!(!certificates.changed());
}

#[test]
fn what_cannot_be_read_is_tried_again_only_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let files = write(folder.path(), "a", 100);
    let mut certificates = Certificates::new(std::slice::from_ref(&files), None).unwrap();
    fs::write(&files.key, "no key").unwrap();
    assert!(matches!(certificates.load(), Err(CertificateError::Key { .. })));
    assert!(!certificates.changed());
    assert!(!certificates.changed());
}

#[test]
fn what_is_in_force_is_told_even_when_the_files_are_not_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = write(folder.path(), "a", 100);
    let mut certificates = Certificates::new(std::slice::from_ref(&files), None).unwrap();
    assert_eq!(certificates.dated(), []);
    certificates.load().unwrap();
    let before = certificates.dated().to_vec();
    assert_eq!((before.len(), &before[0].file), (1, &files.chain));
    assert_eq!(before[0].names, ["fe01.example.test"]);
    assert!(!before[0].is_authority && before[0].validity.is_some());
    write(folder.path(), "a", 200);
    fs::write(&files.key, "no key").unwrap();
    assert!(certificates.load().is_err());
    assert_eq!(certificates.dated(), before);
}

#[test]
fn none_at_all_is_an_error() {
    assert!(matches!(Certificates::new(&[], None), Err(CertificateError::None)));
}

#[test]
fn dates_are_warned_of_ahead() {
    let folder = tempfile::tempdir().unwrap();
    let warnings = |days| {
        let files = write(folder.path(), "a", days);
        Certificates::new(&[files], None).unwrap().warnings(14)
    };
    assert_eq!(warnings(100), [""; 0]);
    let path = folder.path().join("a.pem");
    assert_eq!(warnings(10).len(), 1);
    assert!(
        warnings(10)[0].starts_with(&format!("the certificate in {} expires in ", path.display()))
    );
    assert!(warnings(-3)[0].contains(" has expired "), "{:?}", warnings(-3));
}
