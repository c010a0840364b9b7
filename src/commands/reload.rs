//! The reload of `telltale run`: on SIGHUP the configuration is read again.
//!
//! What can change while streams go on does (see [`crate::config`], `renew`); what needs a restart is named in the log and
//! in `/healthz` under `configuration`. A configuration with a fault is refused with the words of `telltale check`, in the
//! log; `/healthz` and the status line, which more people may read, say where. The old one stays.

use std::path::PathBuf;

use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot};

use crate::config::{self, Config, Fault, InForce, LoadError};
use crate::gateway::{Change, systemd};
use crate::health::{Condition, Health};

/// The part of `/healthz` that tells of the configuration.
const PART: &str = "configuration";

/// Reads `file` again at each `hangup`, and lets `changes` have what comes of it. Never ends while signals come.
pub(super) async fn on_signal(
    mut hangup: Signal,
    file: PathBuf,
    mut in_force: InForce,
    changes: mpsc::Sender<Change>,
    health: Health,
) {
    health.set(PART, Condition::Ok, "");
    while hangup.recv().await.is_some() {
        systemd::reloading();
        let read = file.clone();
        // A profile and its databases take longer than anything else may wait.
        match tokio::task::spawn_blocking(move || config::load(&read)).await {
            Ok(Ok(config)) => renew(&mut in_force, &config, &changes, &health).await,
            Ok(Err(error)) => refuse(&error, &health),
            Err(error) => tracing::error!(%error, "the configuration could not be read"),
        }
        systemd::ready();
    }
}

async fn renew(in_force: &mut InForce, new: &Config, changes: &mpsc::Sender<Change>, health: &Health) {
    warn(&new.warnings);
    let left = in_force.renew(new);
    let Config { detect, fences, places, buses, receivers, http, upstreams, .. } = in_force.config().clone();
    let (done, hears) = oneshot::channel();
    if changes.send(Change { detect, fences, places, buses, receivers, given: http.given, upstreams, done }).await.is_err() {
        return;
    }
    let mut lacks = hears.await.unwrap_or_default();
    if !left.is_empty() {
        lacks.push(format!("{} changed too, and that needs `systemctl restart telltale`", left.join(", ")));
    }
    if lacks.is_empty() {
        tracing::info!("the configuration was read again, and is in force");
        return health.set(PART, Condition::Ok, "");
    }
    let lacks = lacks.join("; ");
    tracing::warn!("the configuration was read again, and is not wholly in force: {lacks}");
    health.set(PART, Condition::Degraded, format!("not wholly in force: {lacks}"));
}

/// Tells what may be meant, and probably is not.
pub(super) fn warn(warnings: &[Fault]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

fn refuse(error: &LoadError, health: &Health) {
    let place = match error {
        LoadError::Wrong(findings) => {
            for fault in &findings.faults {
                tracing::error!("{fault}");
            }
            warn(&findings.warnings);
            let first = findings.faults.first().map(|fault| format!("{}:{}", fault.place.file.display(), fault.place.line));
            let more = findings.faults.len().saturating_sub(1);
            first.unwrap_or_default() + &if more > 0 { format!(" and {more} more") } else { String::new() }
        }
        LoadError::Absent { file, .. } => {
            tracing::error!("{error}");
            file.display().to_string()
        }
    };
    tracing::error!("the configuration is refused; the one from before stays in force");
    let cure = "`telltale check` says what would be right";
    health.set(PART, Condition::Degraded, format!("{place}: refused, the one from before stays in force; {cure}"));
}
