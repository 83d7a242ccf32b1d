//! `mynah restore`

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;

use super::backup::{counted, stamp};
use super::config_file::Place;
use crate::store::{Restored, restore};

/// `mynah restore`
#[derive(Args, Debug)]
pub struct Restore {
    /// File that `mynah backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where there is a database, keep it in a folder replaced-TIME in the data folder; without this
    /// such a data folder is refused
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    place: Place,
}

impl Restore {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let settings = self.place.settings()?;
        let folder = self.place.folder(settings.as_ref());
        let keep = self.replace.then(|| format!("replaced-{}", stamp(Timestamp::now())));
        let restored = restore(&self.file, &folder, keep.as_deref())?;
        println!("{}", told(&folder, &restored));
        Ok(())
    }
}

/// What was restored, on one line.
fn told(folder: &Path, restored: &Restored) -> String {
    let kept = match &restored.kept {
        Some(kept) => format!("; what was there before is in {}", kept.display()),
        None => String::new(),
    };
    format!("{} restored: {}{kept}", folder.display(), counted(restored.contents))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Contents;

    #[test]
    fn what_was_restored_and_what_was_kept_is_told() {
        let contents = Contents { users: 3, records: 0, octets: 4096 };
        let mut restored = Restored { contents, kept: None };
        assert_eq!(told(Path::new("/d"), &restored), "/d restored: 3 users, 0 records");
        restored.kept = Some(PathBuf::from("/d/replaced-1"));
        assert_eq!(
            told(Path::new("/d"), &restored),
            "/d restored: 3 users, 0 records; what was there before is in /d/replaced-1"
        );
    }
}
