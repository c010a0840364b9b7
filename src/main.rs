//! `telltale`: see `telltale --help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use telltale::commands::decode_nmea;

/// The daemon of a vehicle's telematics unit.
#[derive(Parser)]
#[command(name = "telltale", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Reads a recording and prints what stands in it.
    #[command(subcommand)]
    Decode(Decode),
}

#[derive(Subcommand)]
enum Decode {
    Nmea(decode_nmea::Args),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Decode(Decode::Nmea(args)) => decode_nmea::run(&args),
    }
}
