//! `telltale check`: reads everything the daemon would read and says what is wrong.

use std::path::PathBuf;
use std::process::ExitCode;

use super::Exit;
use crate::config::{self, LoadError};

/// Read everything the daemon would read, and say what is wrong with it
///
/// One line for each fault: FILE:LINE: KEY: what is wrong; what would be right. Nothing is opened that a running daemon
/// would notice. Exit code: 0 fine (there may be warnings), 66 no such file, 78 something is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  telltale check --config telltale.toml")]
pub struct Check {
    /// The site's file
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_FILE)]
    config: PathBuf,
}

impl Check {
    /// Prints what would run, or what is wrong.
    pub fn run(self) -> ExitCode {
        match config::load(&self.config) {
            Ok(config) => {
                let warnings: String = config.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
                super::print(&(warnings + &config.summary()))
            }
            Err(LoadError::Wrong(findings)) => {
                super::print(&findings.to_string());
                Exit::Configuration.into()
            }
            Err(absent @ LoadError::Absent { .. }) => {
                eprintln!("telltale: {absent}");
                Exit::NoInput.into()
            }
        }
    }
}
