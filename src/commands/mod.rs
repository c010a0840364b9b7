//! The command line: one file a subcommand, each a clap `Args` whose `run` gives the exit code.

pub mod boards;
pub mod check;
pub mod decode_can;
pub mod decode_nmea;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// How the program ends when it does not end well (sysexits.h, BSD).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Called wrongly.
    Usage = 64,
    /// An input that was named is not there.
    NoInput = 66,
    /// Something it needs does not answer.
    Unavailable = 69,
    /// Reading or writing failed.
    Io = 74,
    /// The configuration is wrong.
    Configuration = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Writes to standard output. A reader that has gone away (`| head`) is no fault.
fn print(text: &str) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Exit::Io.into(),
        _ => ExitCode::SUCCESS,
    }
}
