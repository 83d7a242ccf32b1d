//! From settings to a running server: the one place where a command enters the runtime.

use std::path::PathBuf;

use anyhow::Result;

use crate::config::Settings;
use crate::runtime::serve;

/// Serves in the foreground until told to stop. The ready file is written once all listeners are
/// up; `reread` gives the settings anew for a reload, or one line that says why not.
pub fn start(
    settings: Settings,
    ready_file: PathBuf,
    reread: impl FnMut() -> Result<Settings, String> + Send + 'static,
) -> Result<()> {
    Ok(serve::serve(settings, ready_file, Box::new(reread))?)
}
