//! What SQLite does to the files of a directory, recorded in its order, from below: a VFS that passes everything on to
//! the one of the platform and writes down each change that went through.
//!
//! SQLite takes a VFS as C structures of functions (sqlite.org/vfs.html), so this is the one file of the tests with
//! `unsafe` in it. It stays small because nothing is done anew: an opened file keeps its own structure and only has five
//! of its functions exchanged, and files of directories that nobody records are not touched at all.
#![allow(unsafe_code, reason = "SQLite's interface to files is made of C pointers")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

/// One change of a file, by its name in the directory.
#[derive(Clone, Debug)]
pub enum Op {
    /// It was made.
    Create(String),
    /// Bytes were written at an offset.
    Write(String, usize, Vec<u8>),
    /// It was cut to this size.
    Truncate(String, usize),
    /// It was synced; with it its directory, if it had been made since the last time (`UNIXFILE_DIRSYNC`).
    Sync(String),
    /// It was removed; whether the directory was synced after that.
    Delete(String, bool),
}

/// Everything that was done to the files of one directory since [`record`].
#[derive(Clone, Debug, Default)]
pub struct Recording {
    ops: Arc<Mutex<Vec<Op>>>,
    damaged: Arc<Mutex<Option<Range<i64>>>>,
}

impl Recording {
    /// How many changes there have been.
    pub fn len(&self) -> usize {
        self.ops().len()
    }

    /// The changes.
    pub fn ops(&self) -> MutexGuard<'_, Vec<Op>> {
        self.ops.lock().unwrap()
    }

    /// Lets the disk not give these bytes of the database, or all of them again.
    pub fn damage(&self, bytes: Option<Range<i64>>) {
        *self.damaged.lock().unwrap() = bytes;
    }
}

/// The directories that are recorded.
static RECORDED: Mutex<Vec<(PathBuf, Recording)>> = Mutex::new(Vec::new());

/// Records what SQLite does from now on to the files of `dir`, which it has not yet opened.
pub fn record(dir: &Path) -> Recording {
    platform();
    let recording = Recording::default();
    RECORDED.lock().unwrap().push((dir.to_owned(), recording.clone()));
    recording
}

/// Ends the recording of `dir`; for when SQLite has closed its files.
pub fn forget(dir: &Path) {
    RECORDED.lock().unwrap().retain(|(recorded, _)| recorded != dir);
}

fn recording_of(path: &Path) -> Option<(Recording, String)> {
    let recorded = RECORDED.lock().unwrap();
    let (_, recording) = recorded.iter().find(|(dir, _)| path.parent() == Some(dir))?;
    Some((recording.clone(), path.file_name()?.to_str()?.to_owned()))
}

/// The platform's VFS, which does the work.
struct Platform(*mut sqlite3_vfs);

// SAFETY: SQLite calls a registered VFS from any thread and never changes or frees it.
unsafe impl Send for Platform {}
// SAFETY: as above.
unsafe impl Sync for Platform {}

/// Puts ours before it, the first time.
fn platform() -> *mut sqlite3_vfs {
    static PLATFORM: OnceLock<Platform> = OnceLock::new();
    let found = PLATFORM.get_or_init(|| {
        // SAFETY: null asks for the default VFS, which lives as long as the process. Ours is a copy of it, valid for as long
        // (it is leaked), and differs in two functions that have the types SQLite asks for.
        unsafe {
            let platform = ffi::sqlite3_vfs_find(std::ptr::null());
            let mut ours = *platform;
            ours.pNext = std::ptr::null_mut();
            ours.zName = CString::new("recorded").unwrap().into_raw();
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            let code = ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 1);
            assert_eq!(code, ffi::SQLITE_OK, "SQLite takes the VFS");
            Platform(platform)
        }
    });
    found.0
}

/// What stands in place of an open file's functions: the same but for five, and what those need.
#[repr(C)]
struct Watched {
    methods: sqlite3_io_methods,
    below: *const sqlite3_io_methods,
    name: String,
    recording: Recording,
}

/// # Safety
/// `file` was opened by [`open`] and is recorded.
unsafe fn watched<'a>(file: *mut sqlite3_file) -> &'a Watched {
    // SAFETY: `open` put a `Watched` there, whose first field is what SQLite sees; `close` takes it away.
    unsafe { &*(*file).pMethods.cast::<Watched>() }
}

/// # Safety
/// `name` is null or a C string.
unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    // SAFETY: as the caller promises.
    let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) })?;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes())))
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let below = platform();
    // SAFETY: SQLite's own arguments go on to the function that it would have called without us; `file` has room for the
    // platform's file, because `szOsFile` is the platform's.
    unsafe {
        let open = (*below).xOpen.unwrap();
        let path = path_of(name);
        let Some((recording, file_name)) = path.as_deref().and_then(recording_of) else {
            return open(below, name, file, flags, out);
        };
        let mut ops = recording.ops();
        let existed = path.is_some_and(|path| path.exists());
        let code = open(below, name, file, flags, out);
        if code == ffi::SQLITE_OK && !(*file).pMethods.is_null() {
            if !existed {
                ops.push(Op::Create(file_name.clone()));
            }
            let mut methods = *(*file).pMethods;
            methods.xClose = Some(close);
            methods.xRead = Some(read);
            methods.xWrite = Some(write);
            methods.xTruncate = Some(truncate);
            methods.xSync = Some(sync);
            drop(ops);
            let watched = Watched { methods, below: (*file).pMethods, name: file_name, recording };
            (*file).pMethods = Box::into_raw(Box::new(watched)).cast();
        }
        code
    }
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, synced: c_int) -> c_int {
    let below = platform();
    // SAFETY: SQLite's own arguments go on to the function that it would have called without us.
    unsafe {
        let delete = (*below).xDelete.unwrap();
        let Some((recording, file_name)) = path_of(name).as_deref().and_then(recording_of) else {
            return delete(below, name, synced);
        };
        let mut ops = recording.ops();
        let code = delete(below, name, synced);
        if code == ffi::SQLITE_OK {
            ops.push(Op::Delete(file_name, synced != 0));
        }
        code
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once; what `open` put there is taken away, and what was there before is put back.
    unsafe {
        let watched: Box<Watched> = Box::from_raw((*file).pMethods.cast_mut().cast());
        (*file).pMethods = watched.below;
        (*watched.below).xClose.unwrap()(file)
    }
}

unsafe extern "C" fn read(file: *mut sqlite3_file, to: *mut c_void, count: c_int, offset: i64) -> c_int {
    // SAFETY: the file is ours; `to` has room for `count` bytes.
    unsafe {
        let watched = watched(file);
        let damaged = watched.recording.damaged.lock().unwrap().clone();
        let hit = damaged.is_some_and(|bytes| offset < bytes.end && offset + i64::from(count) > bytes.start);
        if hit && watched.name == "journal.db" {
            return ffi::SQLITE_IOERR_READ;
        }
        (*watched.below).xRead.unwrap()(file, to, count, offset)
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, count: c_int, offset: i64) -> c_int {
    // SAFETY: the file is ours; `from` points to `count` bytes.
    unsafe {
        let watched = watched(file);
        let mut ops = watched.recording.ops();
        let code = (*watched.below).xWrite.unwrap()(file, from, count, offset);
        if code == ffi::SQLITE_OK {
            let bytes = std::slice::from_raw_parts(from.cast::<u8>(), usize::try_from(count).unwrap());
            ops.push(Op::Write(watched.name.clone(), usize::try_from(offset).unwrap(), bytes.to_vec()));
        }
        code
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: i64) -> c_int {
    // SAFETY: the file is ours.
    unsafe {
        let watched = watched(file);
        let mut ops = watched.recording.ops();
        let code = (*watched.below).xTruncate.unwrap()(file, size);
        if code == ffi::SQLITE_OK {
            ops.push(Op::Truncate(watched.name.clone(), usize::try_from(size).unwrap()));
        }
        code
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the file is ours.
    unsafe {
        let watched = watched(file);
        let mut ops = watched.recording.ops();
        let code = (*watched.below).xSync.unwrap()(file, flags);
        if code == ffi::SQLITE_OK {
            ops.push(Op::Sync(watched.name.clone()));
        }
        code
    }
}
