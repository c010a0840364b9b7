//! What a site may set of the journal.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// Where the journal is and how large it may grow.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The directory that holds it; made when absent. Positions and hashed tokens are in it, so only its owner may look.
    pub dir: PathBuf,
    /// What it may take of the disk in bytes, write-ahead log and reserve included; 16 MiB to 64 GiB.
    pub max_bytes: u64,
    /// How many days events and track points are kept, where there is room; 1 to 3,650.
    pub max_days: u32,
    /// After how many seconds a disk that does not answer counts as out of order; 0.02 to 60.
    pub stall_seconds: f64,
    /// The longest pause in seconds between two attempts to write again; 0.02 to 3,600.
    pub retry_seconds: f64,
    /// Never sync anything, so that a test can prove that it sees what a power cut then takes. Debug builds only.
    #[cfg(debug_assertions)]
    pub skip_flush: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            dir: PathBuf::from("/var/lib/telltale"),
            max_bytes: 64 * MIB,
            max_days: 90,
            stall_seconds: 2.0,
            retry_seconds: 30.0,
            #[cfg(debug_assertions)]
            skip_flush: false,
        }
    }
}

const MIB: u64 = 1 << 20;

/// The write-ahead log is taken into the file once it is this long, bytes.
pub(super) const WAL_BYTES: u64 = 4 * MIB;

/// A file that is given up first when the disk is full, bytes.
pub(super) const BALLAST_BYTES: u64 = 2 * MIB;

/// What one transaction may add to the write-ahead log beyond [`WAL_BYTES`], bytes.
const SLACK_BYTES: u64 = 2 * MIB;

impl Settings {
    /// Whether the numbers make sense.
    ///
    /// # Errors
    /// A sentence that names the key and says what would be right.
    pub fn check(&self) -> Result<(), String> {
        let wrong = |key: &str, right: &str, got: String| Err(format!("journal.{key} has to be {right}, and is {got}"));
        if self.dir.as_os_str().is_empty() {
            return wrong("dir", "the path of a directory", "empty".to_owned());
        }
        if !(16 * MIB..=65_536 * MIB).contains(&self.max_bytes) {
            return wrong("max_bytes", "16777216 to 68719476736 (16 MiB to 64 GiB)", self.max_bytes.to_string());
        }
        if !(1..=3650).contains(&self.max_days) {
            return wrong("max_days", "1 to 3650", self.max_days.to_string());
        }
        if !(0.02..=60.0).contains(&self.stall_seconds) {
            return wrong("stall_seconds", "0.02 to 60", self.stall_seconds.to_string());
        }
        if !(0.02..=3600.0).contains(&self.retry_seconds) {
            return wrong("retry_seconds", "0.02 to 3600", self.retry_seconds.to_string());
        }
        Ok(())
    }

    /// What the database file itself may grow to, bytes.
    pub(super) fn quota(&self) -> u64 {
        self.max_bytes.saturating_sub(WAL_BYTES + BALLAST_BYTES + SLACK_BYTES)
    }

    pub(super) fn stall(&self) -> Duration {
        Duration::from_secs_f64(self.stall_seconds)
    }

    /// A disk that has not opened the journal by then is gone on without.
    pub(super) fn longest_open(&self) -> Duration {
        self.stall() * 5
    }

    /// Whether nothing is synced: never in a release build.
    pub(super) fn skips_flush(&self) -> bool {
        #[cfg(debug_assertions)]
        let skips = self.skip_flush;
        #[cfg(not(debug_assertions))]
        let skips = false;
        skips
    }

    pub(super) fn retry(&self) -> Duration {
        Duration::from_secs_f64(self.retry_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_told_with_its_key_and_its_range() {
        assert_eq!(Settings::default().check(), Ok(()));
        let told = |settings: Settings| settings.check().unwrap_err();
        let settings = Settings::default;
        assert!(told(Settings { max_bytes: 0, ..settings() }).starts_with("journal.max_bytes has to be 16777216 to"));
        assert!(told(Settings { max_days: 0, ..settings() }).contains("journal.max_days"));
        assert!(told(Settings { stall_seconds: f64::NAN, ..settings() }).contains("journal.stall_seconds"));
        assert!(told(Settings { retry_seconds: -1.0, ..settings() }).contains("journal.retry_seconds"));
        assert!(told(Settings { dir: PathBuf::new(), ..settings() }).contains("journal.dir"));
    }
}
