//! `telltale hang`: lets a task of the running daemon hang, so that a test can see what the watchdog does. In builds with
//! debug assertions only.

use std::process::ExitCode;

use super::{Exit, no_daemon, print};
use crate::gateway::control::{Order, Said, ask};

/// Let a task of the running daemon hang: a test of the watchdog
#[derive(Debug, clap::Args)]
pub struct Hang {
    /// The task's name; one that is none lists them
    task: String,
}

impl Hang {
    /// Orders it.
    pub fn run(self) -> ExitCode {
        match ask(&Order::Hang { task: self.task }) {
            Ok(Said::Refused(reason)) => {
                eprintln!("telltale: {reason}");
                Exit::NoInput.into()
            }
            Ok(_) => print("it hangs when it next goes on\n"),
            Err(error) => no_daemon(&error),
        }
    }
}
