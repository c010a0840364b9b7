//! `telltale`: see `telltale --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    telltale::commands::main()
}
