//! `telltale devices`: the paired phones.

use std::process::ExitCode;

use super::{Exit, no_daemon, print};
use crate::feed::Device;
use crate::gateway::control::{Order, Said, ask};

/// List the paired phones, or forget one
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  telltale devices\n  telltale devices revoke 3f1c")]
pub struct Devices {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Forget a phone: its token ends, and so do its streams
    #[command(after_help = "Example:\n  telltale devices revoke 3f1c")]
    Revoke {
        /// The id that `telltale devices` shows
        id: String,
    },
}

impl Devices {
    /// Prints the list, or revokes.
    pub fn run(self) -> ExitCode {
        let order = match self.what {
            None => Order::Devices,
            Some(What::Revoke { id }) => Order::Revoke { id },
        };
        match ask(&order) {
            Ok(Said::Devices(devices)) if devices.is_empty() => print("no phone is paired; `telltale pair` lets one in\n"),
            Ok(Said::Devices(devices)) => print(&devices.iter().map(line).collect::<String>()),
            Ok(Said::Revoked(true)) => print("revoked\n"),
            Ok(Said::Revoked(false)) => {
                eprintln!("telltale: no such phone; `telltale devices` lists them");
                Exit::NoInput.into()
            }
            Ok(Said::Refused(reason)) => {
                eprintln!("telltale: {reason}");
                Exit::Unavailable.into()
            }
            Ok(other) => {
                eprintln!("telltale: the daemon said something else: {other:?}");
                Exit::Unavailable.into()
            }
            Err(error) => no_daemon(&error),
        }
    }
}

fn line(device: &Device) -> String {
    let Device { id, name, member, scopes, paired, expires } = device;
    let scopes: Vec<String> = scopes.iter().map(|scope| format!("{scope:?}").to_lowercase()).collect();
    let ends = expires.map(|at| format!(", until {at}")).unwrap_or_default();
    format!("{id}  {member}  {name}  [{}]  paired {paired}{ends}\n", scopes.join(" "))
}
