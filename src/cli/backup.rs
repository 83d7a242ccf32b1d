//! `mynah backup`

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;

use super::config_file::Place;
use crate::store::Contents;

/// `mynah backup`
#[derive(Args, Debug)]
pub struct Backup {
    /// New file to write, or a folder, in which it is called mynah-TIME.db. Only its owner can read
    /// it, and it is as good as all passwords. The configuration and the files that it names, such
    /// as certificates, are not in it
    #[arg(value_name = "FILE|DIR")]
    to: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Backup {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let settings = self.place.settings()?;
        let database = self.place.open(settings.as_ref(), false)?;
        let file = match self.to.is_dir() {
            true => self.to.join(format!("mynah-{}.db", stamp(Timestamp::now()))),
            false => self.to,
        };
        let contents = database.back_up(&file)?;
        println!("{}", told(&file, contents));
        Ok(())
    }
}

/// What a backup holds, on one line.
fn told(file: &Path, contents: Contents) -> String {
    format!(
        "{}: {}, {} KiB, read through and good; not in it: mynah.toml, certificates",
        file.display(),
        counted(contents),
        contents.octets.div_ceil(1024)
    )
}

/// How much there is.
pub fn counted(contents: Contents) -> String {
    format!("{} users, {} records", contents.users, contents.records)
}

/// A moment as the names of files have it: in UTC, and sorted as it passes.
pub fn stamp(moment: Timestamp) -> String {
    moment.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_told_on_one_line() {
        let contents = Contents { users: 3, records: 12, octets: 4097 };
        assert_eq!(
            told(Path::new("/b/mynah-1.db"), contents),
            "/b/mynah-1.db: 3 users, 12 records, 5 KiB, read through and good; not in it: \
             mynah.toml, certificates"
        );
        let moment: Timestamp = "2026-11-29T19:43:32.5Z".parse().unwrap();
        assert_eq!(stamp(moment), "20261129T194332Z");
    }
}
