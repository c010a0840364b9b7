//! What the paths of a configuration have to lead to.
//!
//! Paths are relative to the file they stand in. What a person has to make (a file, a folder, a FIFO) and has not is a
//! fault; what may be plugged in or brought up later (a port under `/dev`, a CAN interface) is a warning, since the
//! daemon waits for it. Nothing is opened that opening would disturb: no serial port, no FIFO.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::fault::{Findings, Place};

/// Where `path`, which stands at `place`, leads.
pub fn resolve(place: &Place, path: &Path) -> PathBuf {
    place.file.parent().unwrap_or(Path::new("")).join(path)
}

/// Longest TOML file read, in bytes.
pub const MAX_TOML: u64 = 1 << 20;

/// Longest file of fences read, in bytes: 200,000 positions, each on a line of its own.
pub const MAX_GEOJSON: u64 = 32 << 20;

/// A file of at most `most` bytes.
///
/// # Errors
/// When it cannot be opened or read, or is longer.
pub fn read_bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("over {} MiB, longer than any that is meant", most >> 20)));
    }
    Ok(bytes)
}

/// The text of the file that `given` at `key` leads to, and its path; what is wrong with it is noted.
pub fn text(place: &Place, key: &str, given: &Path, most: u64, findings: &mut Findings) -> Option<(PathBuf, String)> {
    let path = resolve(place, given);
    let text = |bytes| String::from_utf8(bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error));
    match read_bytes(&path, most).and_then(text) {
        Ok(text) => Some((path, text)),
        Err(error) => {
            absent(place, key, given, &path, &error, findings);
            None
        }
    }
}

/// Notes why the file that `given` led to cannot be had, with the cure that fits the reason.
fn absent(place: &Place, key: &str, given: &Path, path: &Path, error: &io::Error, findings: &mut Findings) {
    let shown = path.display();
    let (message, cure) = match error.kind() {
        ErrorKind::NotFound if given.starts_with("~") => {
            (format!("there is no {shown}"), "write the path without ~, which only a shell knows".to_owned())
        }
        ErrorKind::NotFound if given.is_relative() && given.exists() => {
            let folder = place.file.parent().unwrap_or(Path::new(""));
            let cure = format!(
                "paths are relative to the file they stand in, not to where you are: move it to {} or give its full path",
                folder.display()
            );
            (format!("there is no {shown}"), cure)
        }
        ErrorKind::NotFound => (format!("there is no {shown}"), "correct the path, or put the file there".to_owned()),
        ErrorKind::PermissionDenied => {
            (format!("{shown} may not be read"), "let the user that the daemon runs as read it".to_owned())
        }
        ErrorKind::IsADirectory => (format!("{shown} is a folder"), "name a file in it".to_owned()),
        ErrorKind::InvalidData => (format!("{shown} is no text in UTF-8"), "save it as UTF-8".to_owned()),
        _ => (format!("{shown} cannot be read: {error}"), "make it readable".to_owned()),
    };
    findings.fault(place, key, message, cure);
}

/// A file that has to be there and to be readable.
pub fn file(place: &Place, key: &str, given: &Path, findings: &mut Findings) -> PathBuf {
    let path = resolve(place, given);
    // Opening a folder succeeds; reading from it does not.
    if let Err(error) = File::open(&path).and_then(|mut file| file.read(&mut [0])) {
        absent(place, key, given, &path, &error, findings);
    }
    path
}

/// A recording, or a FIFO that one is written into.
pub fn recording(place: &Place, key: &str, given: &Path, findings: &mut Findings) -> PathBuf {
    let path = resolve(place, given);
    match fs::metadata(&path).map(|found| found.file_type()) {
        Ok(found) if found.is_fifo() || found.is_char_device() => path,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let cure = format!("correct the path, or make a FIFO there: mkfifo {}", path.display());
            findings.fault(place, key, format!("there is no {}", path.display()), cure);
            path
        }
        _ => file(place, key, given, findings),
    }
}

/// A receiver's port, or a recording in its place.
pub fn port(place: &Place, key: &str, given: &Path, findings: &mut Findings) -> PathBuf {
    let path = resolve(place, given);
    match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound && path.starts_with("/dev") => {
            let cure = "plug the receiver in, or look under /dev/serial/by-id for its name; the daemon waits for it";
            findings.warn(place, key, format!("there is no {} now", path.display()), cure);
            path
        }
        Ok(found) if found.is_dir() || found.file_type().is_block_device() || found.file_type().is_socket() => {
            let message = format!("{} is no port", path.display());
            findings.fault(place, key, message, "name a serial port such as /dev/ttyS0, a FIFO or a log of sentences");
            path
        }
        _ => recording(place, key, given, findings),
    }
}

/// A folder that is there, or can be made.
pub fn folder(place: &Place, key: &str, given: &Path, findings: &mut Findings) -> PathBuf {
    let path = resolve(place, given);
    let standing = path.ancestors().find(|above| above.exists() && !above.as_os_str().is_empty());
    if let Some(file) = standing.filter(|above| !above.is_dir()) {
        let message = format!("{} is a file", file.display());
        findings.fault(place, key, message, "name a folder, or move that file away");
    }
    path
}

/// A CAN interface; `wired` where it has to exist in this machine, and not only in a log.
pub fn interface(place: &Place, key: &str, name: &str, wired: bool, findings: &mut Findings) {
    let cure = "give the name that `ip link` shows, such as can0";
    if name.len() > MAX_INTERFACE {
        findings.fault(place, key, format!("`{name}` has {} characters, and Linux allows {MAX_INTERFACE}", name.len()), cure);
    } else if name.is_empty() || name == "." || name == ".." || name.contains(|c: char| c == '/' || !c.is_ascii_graphic()) {
        findings.fault(place, key, format!("`{}` cannot be a network interface", name.escape_debug()), cure);
    } else if wired && !Path::new("/sys/class/net").join(name).exists() {
        let message = format!("there is no interface {name} now");
        findings.warn(place, key, message, "bring it up, or correct the name; the daemon waits for it");
    }
}

/// IFNAMSIZ of linux/if.h without the final NUL.
const MAX_INTERFACE: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(check: impl FnOnce(&Place, &mut Findings)) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("log"), "x").unwrap();
        fs::create_dir(folder.path().join("dir")).unwrap();
        nix::unistd::mkfifo(&folder.path().join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let place = Place::new(folder.path().join("telltale.toml"), 7);
        let mut findings = Findings::default();
        check(&place, &mut findings);
        findings.to_string().replace(&folder.path().display().to_string(), "D")
    }

    #[test]
    fn files_fifos_folders_and_what_is_in_their_place() {
        type Check = fn(&Place, &str, &Path, &mut Findings) -> PathBuf;
        for (check, path, wanted) in [
            (file as Check, "log", ""),
            (file, "dir", "D/dir is a folder"),
            (file, "gone", "there is no D/gone"),
            (file, "~/x", "without ~"),
            (file, "Cargo.toml", "not to where you are"),
            (recording, "fifo", ""),
            (recording, "log", ""),
            (recording, "dir", "is a folder"),
            (recording, "gone", "mkfifo D/gone"),
            (port, "fifo", ""),
            (port, "/dev/null", ""),
            (port, "/dev/no-such-receiver", "warning: D/telltale.toml:7: k: there is no /dev/no-such-receiver now"),
            (port, "gone", "there is no D/gone"),
            (port, "dir", "D/dir is no port"),
            (folder, "dir", ""),
            (folder, "new/one", ""),
            (folder, "log", "D/log is a file"),
            (folder, "log/below", "D/log is a file"),
        ] {
            let told = told(|place, findings| drop(check(place, "k", Path::new(path), findings)));
            assert_eq!(told.is_empty(), wanted.is_empty(), "{path}: {told}");
            assert!(told.contains(wanted), "{path}: {told}");
        }
    }

    #[test]
    fn interface_names_are_those_of_linux() {
        for (name, wanted) in [
            ("lo", ""),
            ("vcan-telltale-9", "warning: "),
            ("a-name-of-15-ch", "warning: "),
            ("a-name-of-16-chr", "16 characters"),
            ("can 0", "cannot be"),
            ("can/0", "cannot be"),
            ("", "cannot be"),
            ("..", "cannot be"),
        ] {
            let told = told(|place, findings| interface(place, "k", name, true, findings));
            assert_eq!(told.is_empty(), wanted.is_empty(), "{name}: {told}");
            assert!(told.contains(wanted), "{name}: {told}");
        }
    }
}
