//! Body of the fuzz target `configuration`.

use super::{Settings, changes, differences, parse, reloaded};

/// Any text is read, or refused with a place that is in it and with words that fit on a line. A
/// reload to what was read changes what it may, and to the same settings nothing.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let settings = match parse(text) {
        Ok(settings) => settings,
        Err(error) => {
            assert!((1..=text.split('\n').count() + 1).contains(&error.line), "{error}");
            assert!((1..=text.chars().count() + 2).contains(&error.column), "{error}");
            assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
            return;
        }
    };
    assert!(changes(&settings, &settings).is_empty());
    let running = Settings::default();
    let after = reloaded(&running, &settings);
    assert!(changes(&running, &after).iter().all(|change| change.reloads()));
    assert!(changes(&after, &settings).iter().all(|change| !change.reloads()));
    let told = differences(&running, &settings);
    assert_eq!(told.is_empty(), changes(&running, &settings).is_empty());
}
