//! The command line: one file a subcommand, each a clap `Args` whose `run` gives the exit code.

pub mod boards;
pub mod check;
pub mod decode_can;
pub mod decode_nmea;
pub mod decode_obd;
pub mod demo;
pub mod devices;
#[cfg(debug_assertions)]
pub mod hang;
mod log;
pub mod order;
pub mod pair;
pub mod places;
mod recording;
mod reload;
pub mod replay;
pub mod run;
#[cfg(debug_assertions)]
pub mod sim_ecus;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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

/// The daemon of a vehicle's telematics unit: reads CAN and GNSS, decides on the spot, tells phones
#[derive(Debug, Parser)]
#[command(
    name = "telltale",
    version,
    after_help = "Example:\n  telltale demo\n  telltale check --config /etc/telltale/telltale.toml"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Demo(demo::Demo),
    Replay(replay::Replay),
    /// Decode a recording and print what it says
    #[command(subcommand)]
    Decode(Decode),
    Check(check::Check),
    Pair(pair::Pair),
    Devices(devices::Devices),
    /// Names of places, for addresses with no network
    #[command(subcommand)]
    Places(places::Places),
    Boards(boards::Boards),
    #[cfg(debug_assertions)]
    #[command(hide = true)]
    Hang(hang::Hang),
    #[cfg(debug_assertions)]
    #[command(hide = true)]
    SimEcus(sim_ecus::SimEcus),
}

#[derive(Debug, Subcommand)]
enum Decode {
    Nmea(decode_nmea::DecodeNmea),
    Can(decode_can::DecodeCan),
    Obd(decode_obd::DecodeObd),
}

/// The whole program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, and are no fault.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        Command::Run(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Decode(Decode::Nmea(command)) => decode_nmea::run(&command),
        Command::Decode(Decode::Can(command)) => decode_can::run(&command),
        Command::Decode(Decode::Obd(command)) => decode_obd::run(&command),
        Command::Check(command) => command.run(),
        Command::Pair(command) => command.run(),
        Command::Devices(command) => command.run(),
        Command::Places(command) => command.run(),
        Command::Boards(command) => command.run(),
        #[cfg(debug_assertions)]
        Command::Hang(command) => command.run(),
        #[cfg(debug_assertions)]
        Command::SimEcus(command) => command.run(),
    }
}

/// The control socket did not answer: what to say of it.
fn no_daemon(error: &std::io::Error) -> ExitCode {
    let path = crate::gateway::control::socket_path();
    let cure = match error.kind() {
        ErrorKind::PermissionDenied => "run this as root, or as a member of the group telltale",
        _ => "start the daemon first: telltale run",
    };
    eprintln!("telltale: {}: {error}; {cure}", path.display());
    Exit::Unavailable.into()
}

/// Writes to standard output. A reader that has gone away (`| head`) is no fault.
fn print(text: &str) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Exit::Io.into(),
        _ => ExitCode::SUCCESS,
    }
}
