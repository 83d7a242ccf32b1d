//! The log of a process, which can be set up once; so alone in its process.

use mynah::config::Log;
use mynah::runtime::logging::{LogError, start};

#[test]
fn the_log_takes_what_comes_through_the_log_crate_and_its_filter_can_change() {
    assert_eq!(log::max_level(), log::LevelFilter::Off);
    let filter = start(&Log::default()).unwrap();
    assert!(log::max_level() >= log::LevelFilter::Info, "glommio would be silent");
    assert!(matches!(start(&Log::default()), Err(LogError::Again(_))));
    assert!(tracing::enabled!(tracing::Level::INFO));
    assert!(!tracing::enabled!(tracing::Level::DEBUG));
    filter.set("debug").unwrap();
    assert!(tracing::enabled!(tracing::Level::DEBUG));
    assert!(matches!(filter.set("=,="), Err(LogError::Filter(_))));
}
