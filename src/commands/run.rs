//! `telltale run`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use super::{Exit, log_to_stderr, print};
use crate::clock::Clock;
use crate::config::{self, Config, LoadError};
use crate::gateway::{self, Open, Setup, Sources, control};

/// Watch a vehicle: the daemon
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  telltale check --config /etc/telltale/telltale.toml && telltale run")]
pub struct Run {
    /// The site's file
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_FILE)]
    config: PathBuf,
}

impl Run {
    /// Runs until it is told to stop.
    pub fn run(self) -> ExitCode {
        let config = match config::load(&self.config) {
            Ok(config) => config,
            Err(LoadError::Wrong(findings)) => {
                print(&findings.to_string());
                return Exit::Configuration.into();
            }
            Err(absent @ LoadError::Absent { .. }) => {
                eprintln!("telltale: {absent}");
                return Exit::NoInput.into();
            }
        };
        log_to_stderr();
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let ready = async |open: Open| {
            tracing::info!(addresses = ?open.addresses, "ready");
            // Without systemd there is nobody to tell.
            let _ = sd_notify::notify(&[NotifyState::Ready]);
        };
        watch(setup(config), ready)
    }
}

fn setup(config: Config) -> Setup {
    let Config { vin, profile, buses, receivers, fences, detect, journal, http, .. } = config;
    Setup {
        vin,
        clock: Clock::system(),
        boot_id: gateway::boot_id(),
        sources: Sources::Car { profile: profile.unwrap_or_default(), buses, receiver: receivers.into_iter().next() },
        detect,
        fences,
        journal,
        http,
        control: Some(control::socket_path()),
    }
}

/// Watches a vehicle on a runtime of one thread, until a signal to stop.
pub(super) fn watch(setup: Setup, ready: impl AsyncFnOnce(Open)) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("telltale: the system gives no event loop: {error}");
            return Exit::Io.into();
        }
    };
    let result = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        tokio::spawn(stop_on_signal(shutdown.clone()));
        gateway::run(setup, shutdown, ready).await
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("telltale: {error}");
            Exit::from(&error).into()
        }
    }
}

impl From<&gateway::Error> for Exit {
    fn from(error: &gateway::Error) -> Exit {
        match error {
            gateway::Error::Journal(_) => Exit::Configuration,
            gateway::Error::Doors(_) => Exit::Unavailable,
            gateway::Error::Ended(_) => Exit::Io,
        }
    }
}

/// SIGTERM and SIGINT end everything in good order; a second one ends it at once.
async fn stop_on_signal(shutdown: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::warn!("signals cannot be caught: a stop will be sudden");
        return;
    };
    for second in [false, true] {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if second {
            std::process::exit(130);
        }
        // Without systemd there is nobody to tell.
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        shutdown.cancel();
    }
}
