//! `telltale run`: the daemon.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Exit, log, reload};
use crate::clock::Clock;
use crate::config::{self, Config, InForce, LoadError};
use crate::gateway::{self, Button, Change, Ended, Open, Setup, Sources, control, systemd};
use crate::http::{self, RealTime};
use crate::journal;
use crate::vehicle::Vin;

/// How long the exit waits for work that has threads of its own, such as writing a renewed certificate.
const LEFT_OVER: Duration = Duration::from_secs(2);

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
                eprint!("{findings}");
                return Exit::Configuration.into();
            }
            Err(absent @ LoadError::Absent { .. }) => {
                eprintln!("telltale: {absent}");
                return Exit::NoInput.into();
            }
        };
        log::begin();
        reload::warn(&config.warnings);
        // Within the runtime, and before anything that takes time: until then a SIGHUP ends the process.
        watch(async move |shutdown: CancellationToken| {
            let mut config = config;
            loop {
                match run_once(&self.config, config.clone(), shutdown.child_token()).await? {
                    Ended::Stopped => return Ok(()),
                    Ended::Named(vin) => {
                        tracing::info!(%vin, "the car has told its number, and is watched under it from now on");
                        // What was reloaded meanwhile stays in force.
                        config = config::load(&self.config).unwrap_or(config);
                        config.vin = config.vin.or(Some(vin));
                    }
                }
            }
        })
    }
}

/// Watches the vehicle until it stops, or has to begin anew.
async fn run_once(file: &Path, config: Config, shutdown: CancellationToken) -> Result<Ended, gateway::Error> {
    let in_force = InForce::of(&config);
    let (change, changes) = mpsc::channel(1);
    let hangup = signal(SignalKind::hangup());
    let mut reloads = JoinSet::new();
    let ready = async |open: Open| {
        tracing::info!(addresses = ?open.addresses, "ready");
        match hangup {
            Ok(hangup) => drop(reloads.spawn(reload::on_signal(hangup, file.to_owned(), in_force, change, open.health))),
            Err(error) => tracing::warn!(%error, "SIGHUP cannot be caught: there is no reload"),
        }
        systemd::ready();
    };
    gateway::run(setup(config, changes), shutdown, ready).await
}

fn setup(config: Config, changes: mpsc::Receiver<Change>) -> Setup {
    let Config { vin, profile, buses, receivers, fences, places, diagnostics, detect, journal, http, upstreams, button, .. } =
        config;
    let clock = Clock::system();
    let button = button.zip(http.label.clone()).map(|(line, label)| Button::new(line, label));
    Setup {
        // The car may have told its number before.
        vin: vin.or_else(|| journal::vehicle_in(&journal.dir)).unwrap_or_else(Vin::unnamed),
        clock: clock.clone(),
        boot_id: gateway::boot_id(),
        sources: Sources::Car { profile: profile.unwrap_or_default(), buses, receivers },
        diagnostics,
        detect,
        fences,
        places,
        journal,
        http: http::Settings { clock: RealTime(clock), ..http },
        upstreams,
        control: Some(control::socket_path()),
        button,
        changes,
    }
}

/// Watches a vehicle, as `start` begins it, on a runtime of one thread, until a signal to stop.
pub(super) fn watch(start: impl AsyncFnOnce(CancellationToken) -> Result<(), gateway::Error>) -> ExitCode {
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
        start(shutdown).await
    });
    // A name server or a disk that does not answer holds a thread up: nobody waits for it.
    runtime.shutdown_timeout(LEFT_OVER);
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
        systemd::stopping();
        shutdown.cancel();
    }
}
