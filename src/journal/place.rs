//! The journal's directory: which files there are, and what happens to those that cannot be used.
//!
//! `journal.db` with SQLite's `-wal` and `-shm` beside it; `bound`, a number that outlives the loss of these (see `ids`);
//! `lock`, held while a process writes; `ballast`, two megabytes that are given up first when the disk is full;
//! `journal.db.aside-1` and `-2`, the latest files that could not be used, kept for whoever wants to know why.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::settings::BALLAST_BYTES;
use super::trouble::Trouble;
use crate::event::EventId;

/// How many files that could not be used are kept.
const KEPT_ASIDE: u32 = 2;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Place {
    dir: PathBuf,
}

/// Nobody else writes while this is held.
pub(super) type Lock = Flock<File>;

/// Which file something is, whatever its name.
pub(super) type Identity = (u64, u64);

impl Place {
    pub fn new(dir: &Path) -> Place {
        Place { dir: dir.to_owned() }
    }

    /// The database.
    pub fn db(&self) -> PathBuf {
        self.dir.join("journal.db")
    }

    /// Its write-ahead log.
    pub fn wal(&self) -> PathBuf {
        self.dir.join("journal.db-wal")
    }

    fn bound(&self) -> PathBuf {
        self.dir.join("bound")
    }

    fn ballast(&self) -> PathBuf {
        self.dir.join("ballast")
    }

    fn aside(&self, number: u32) -> PathBuf {
        self.dir.join(format!("journal.db.aside-{number}"))
    }

    /// Makes the directory and the file where they are missing, for their owner alone, and keeps others from writing.
    pub fn prepare(&self) -> Result<Lock, Trouble> {
        make(&self.dir)?;
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.dir.join("lock"))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock);
        let lock = lock.map_err(|(_, errno)| match errno {
            nix::errno::Errno::EWOULDBLOCK => Trouble::Busy,
            other => io::Error::from(other).into(),
        })?;
        // Never opened when it is there: closing it again would drop the locks that SQLite has on it (fcntl(2)).
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.db()) {
            Ok(_) => self.sync()?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        Ok(lock)
    }

    /// Makes what was created, renamed or removed here durable.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }

    /// No id above this one was told while there was a database here; none where that is not to be had.
    pub fn kept_bound(&self) -> Option<EventId> {
        fs::read_to_string(self.bound()).ok()?.trim().parse().ok().map(EventId).filter(|bound| *bound <= EventId::MAX)
    }

    /// Keeps that bound, durably.
    pub fn keep_bound(&self, bound: EventId) -> io::Result<()> {
        let new = self.dir.join("bound.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        writeln!(file, "{bound}")?;
        file.sync_all()?;
        fs::rename(new, self.bound())?;
        self.sync()
    }

    /// Whether there is a database file.
    pub fn has_db(&self) -> bool {
        fs::metadata(self.db()).is_ok_and(|file| file.is_file())
    }

    /// Which file `path` is now; none when there is none.
    pub fn identity(path: &Path) -> Option<Identity> {
        fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
    }

    /// The latest file that was moved out of the way.
    pub fn latest_aside(&self) -> PathBuf {
        self.aside(1)
    }

    /// Moves a file that cannot be used out of the way, and leaves an empty one in its place: so the next start knows that
    /// the power went before that had anything. The oldest of those kept goes.
    pub fn set_aside(&self) -> Result<(), Trouble> {
        self.drop_aside(KEPT_ASIDE)?;
        for number in (1..KEPT_ASIDE).rev() {
            rename_db(&self.aside(number), &self.aside(number + 1))?;
        }
        rename_db(&self.db(), &self.aside(1))?;
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.db())?;
        self.sync()?;
        Ok(())
    }

    fn drop_aside(&self, number: u32) -> io::Result<bool> {
        let aside = self.aside(number);
        let found = remove(&aside)?;
        remove(&beside(&aside, "-shm"))?;
        Ok(remove(&beside(&aside, "-wal"))? || found)
    }

    /// Gives up what can be spared to make room on the disk, the least wanted first; whether there was anything.
    pub fn give_up(&self) -> io::Result<bool> {
        if remove(&self.ballast())? {
            return Ok(true);
        }
        for number in (1..=KEPT_ASIDE).rev() {
            if self.drop_aside(number)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts what is given up first where it is not, if there is plenty of room.
    pub fn restore_ballast(&self) -> io::Result<()> {
        if fs::metadata(self.ballast()).is_ok_and(|file| file.len() == BALLAST_BYTES) {
            return Ok(());
        }
        let disk = nix::sys::statvfs::statvfs(&self.dir)?;
        // The fields' types differ between platforms.
        #[allow(clippy::useless_conversion, reason = "not useless where they are 32 bits wide")]
        let free = u64::from(disk.blocks_available()).saturating_mul(u64::from(disk.fragment_size()));
        if free < 4 * BALLAST_BYTES {
            return Ok(());
        }
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(self.ballast())?;
        // Noise, because a file system that compresses would keep nothing for us.
        let mut noise: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut block = Vec::with_capacity(1 << 16);
        while block.len() < 1 << 16 {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            block.extend_from_slice(&noise.to_le_bytes());
        }
        for _ in 0..BALLAST_BYTES >> 16 {
            file.write_all(&block)?;
        }
        file.sync_all()
    }
}

/// Makes a directory with those it lies in, and makes durable that they are there: a power cut must not take a journal
/// with its name. Which were missing, innermost first.
fn make(dir: &Path) -> io::Result<Vec<&Path>> {
    let missing: Vec<_> = dir.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    for made in &missing {
        let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(missing)
}

/// A file that SQLite keeps beside `path`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Renames a database with its log; the index of the log is made anew by whoever opens it.
fn rename_db(from: &Path, to: &Path) -> io::Result<()> {
    remove(&beside(from, "-shm"))?;
    for suffix in ["-wal", ""] {
        match fs::rename(beside(from, suffix), beside(to, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_set_aside_are_kept_with_their_logs_and_no_more_than_two() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path());
        for text in ["one", "two", "three"] {
            fs::write(place.db(), text).unwrap();
            fs::write(place.wal(), text).unwrap();
            fs::write(dir.path().join("journal.db-shm"), text).unwrap();
            place.set_aside().unwrap();
        }
        let kept = ["journal.db.aside-1", "journal.db.aside-1-wal", "journal.db.aside-2", "journal.db.aside-2-wal"];
        assert_eq!(names(dir.path())[1..], kept);
        assert_eq!(fs::metadata(place.db()).unwrap().len(), 0, "an empty one in its place");
        assert_eq!(fs::read_to_string(place.aside(1)).unwrap(), "three");
        assert_eq!(fs::read_to_string(place.aside(2)).unwrap(), "two");
    }

    #[test]
    fn the_ballast_is_given_up_first_then_what_was_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path());
        place.restore_ballast().unwrap();
        assert_eq!(fs::metadata(place.ballast()).unwrap().len(), BALLAST_BYTES);
        fs::write(place.db(), "x").unwrap();
        place.set_aside().unwrap();
        assert!(place.give_up().unwrap() && fs::metadata(place.ballast()).is_err());
        assert!(place.give_up().unwrap() && names(dir.path()) == ["journal.db"]);
        assert!(!place.give_up().unwrap());
    }

    #[test]
    fn two_do_not_write_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(&dir.path().join("made/here"));
        let held = place.prepare().unwrap();
        assert_eq!(place.prepare().unwrap_err(), Trouble::Busy);
        drop(held);
        assert!(place.prepare().is_ok());
        assert_eq!(fs::metadata(dir.path().join("made/here")).unwrap().mode() & 0o777, 0o700);
        let (outer, inner) = (dir.path().join("made/there"), dir.path().join("made/there/too"));
        assert_eq!(make(&inner).unwrap(), [&inner, &outer], "each made durable in the one it lies in");
        assert!(make(&inner).unwrap().is_empty());
        assert_eq!(fs::metadata(place.db()).unwrap().mode() & 0o777, 0o600);
    }
}
