//! What the commands that read recordings share: where one comes from, and how a decoding of it ends.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, StdoutLock, Write};
use std::path::Path;
use std::process::ExitCode;

use super::Exit;

const BUFFER: usize = 1 << 16;

/// Opens the recording at `path`; `-` is standard input.
///
/// # Errors
/// When it is not there, cannot be read, or is a folder.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "a folder, where a recording is wanted"));
    }
    Ok(Box::new(BufReader::with_capacity(BUFFER, file)))
}

/// Decodes the recording at `path` to standard output. `decode` gives how much it has passed over, which is `called` so.
pub(super) fn decode(
    path: &Path,
    called: &str,
    decode: impl FnOnce(Box<dyn BufRead>, &mut BufWriter<StdoutLock<'static>>) -> io::Result<u64>,
) -> ExitCode {
    let mut out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let decoded = open(path).and_then(|input| decode(input, &mut out));
    match decoded.and_then(|passed_over| out.flush().map(|()| passed_over)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(passed_over) => {
            eprintln!("{passed_over} {called} passed over");
            ExitCode::SUCCESS
        }
        // Whoever read the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => failed(path, &error),
    }
}

/// Says what came of the file at `path`.
pub(super) fn failed(path: &Path, error: &io::Error) -> ExitCode {
    eprintln!("telltale: {}: {error}", path.display());
    if error.kind() == io::ErrorKind::NotFound { Exit::NoInput.into() } else { Exit::Io.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_no_recording() {
        let folder = tempfile::tempdir().unwrap();
        assert!(open(folder.path()).is_err());
        assert!(open(&folder.path().join("absent")).is_err());
    }
}
