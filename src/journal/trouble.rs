//! What can be wrong with a disk, each with its cure.

use std::io;

use rusqlite::{ErrorCode, ffi};

/// Why something could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the disk, or the journal's share of it (journal.max_bytes), is full; free some space")]
    Full,
    #[error("journal.dir cannot be written ({0}); mount it writable and let the daemon's user own it")]
    ReadOnly(String),
    #[error("another process holds the journal; end it, or give each its own journal.dir")]
    Busy,
    #[error("the journal's file was taken away")]
    Gone,
    #[error("the journal's file is wrecked ({0})")]
    Wrecked(String),
    #[error("a part of the journal's file cannot be read ({0}); it is set aside if that lasts, and the disk is worn")]
    Unreadable(String),
    #[error("the journal's file is of {0}")]
    Foreign(&'static str),
    #[error("the disk failed ({0}); look at its cable, its mount and the kernel's log")]
    Failed(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Trouble {
        let text = error.to_string();
        if error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_READ) {
            return Trouble::Unreadable(text);
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Trouble::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Trouble::ReadOnly(text),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Trouble::Busy,
            // An SQL error in our own statements is a table that is not as we made it.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => Trouble::Wrecked(text),
            Some(_) => Trouble::Failed(text),
            // A value that is not of the type we wrote.
            None => Trouble::Wrecked(text),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Trouble::Full,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Trouble::ReadOnly(error.to_string()),
            _ => Trouble::Failed(error.to_string()),
        }
    }
}
