//! `telltale`: see `telltale --help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use telltale::commands::decode_can;

/// The daemon of a vehicle's telematics unit.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Decode recorded data.
    #[command(subcommand)]
    Decode(Decode),
}

#[derive(Subcommand)]
enum Decode {
    Can(decode_can::DecodeCan),
}

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(Arguments { command: Command::Decode(Decode::Can(arguments)) }) => decode_can::run(&arguments),
        Err(error) => {
            let _ = error.print();
            ExitCode::from(if error.use_stderr() { 64 } else { 0 })
        }
    }
}
