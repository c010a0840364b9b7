//! `telltale`: see `telltale --help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use telltale::commands::{boards, check, decode_can, decode_nmea};

/// The daemon of a vehicle's telematics unit.
#[derive(Parser)]
#[command(name = "telltale", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Boards(boards::Boards),
    Check(check::Check),
    /// Reads a recording and prints what stands in it.
    #[command(subcommand)]
    Decode(Decode),
}

#[derive(Subcommand)]
enum Decode {
    Can(decode_can::DecodeCan),
    Nmea(decode_nmea::Args),
}

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(Cli { command }) => match command {
            Command::Boards(boards) => boards.run(),
            Command::Check(check) => check.run(),
            Command::Decode(Decode::Can(arguments)) => decode_can::run(&arguments),
            Command::Decode(Decode::Nmea(args)) => decode_nmea::run(&args),
        },
        Err(error) => {
            let _ = error.print();
            ExitCode::from(if error.use_stderr() { 64 } else { 0 })
        }
    }
}
