//! What the service manager is told (`sd_notify(3)`), where there is one: readiness, what the daemon is about, and that
//! every task goes on.
//!
//! - `READY=1` once streams can be served; `RELOADING=1` with `MONOTONIC_USEC`, and `READY=1` again; `STOPPING=1`.
//! - `STATUS` is a line for people, renewed whenever a part of the daemon tells `/healthz` something else. Neither
//!   secrets nor positions are in it.
//! - `WATCHDOG=1` four times within `WatchdogSec`, as long as every task and thread goes on: none may work for a third of
//!   that time without a word (see [`crate::health::Pulse`]). It is sent by the runtime that the tasks run on, so a
//!   runtime that is stuck sends none.

use std::fmt::Write;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use crate::health::{Condition, Health};

/// The part of `/healthz` that names a task which hangs.
const PART: &str = "watchdog";

/// A status line has at most so many characters.
const STATUS: usize = 1000;

/// Streams can be served.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read again, to be followed by [`ready`].
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The end has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("Ending streams, writing what is left")]);
}

/// What it is about, in a line.
fn status(line: &str) {
    tell(&[NotifyState::Status(line)]);
}

fn tell(states: &[NotifyState]) {
    // Without a service manager there is nobody to tell.
    let _ = sd_notify::notify(states);
}

/// Keeps the status line up to date. Never ends.
pub(super) async fn keep_status(health: Health) {
    let mut news = health.watch();
    loop {
        news.borrow_and_update();
        status(&line(&health));
        if news.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

fn line(health: &Health) -> String {
    let mut line = String::new();
    let parts = health.parts();
    for (name, part) in parts.iter().filter(|(_, part)| part.condition != Condition::Ok) {
        let gap = if line.is_empty() { "" } else { "; " };
        // Writing into a String cannot fail.
        let _ = write!(line, "{gap}{name}: {}", part.detail.replace(char::is_control, " "));
    }
    if let Some((end, _)) = line.char_indices().nth(STATUS) {
        line.truncate(end);
        line.push('…');
    }
    if line.is_empty() { "All parts do their job".to_owned() } else { line }
}

/// Feeds the watchdog, where the service manager keeps one. Never ends.
pub(super) async fn feed_watchdog(health: Health) {
    let Some(within) = sd_notify::watchdog_enabled().filter(|within| !within.is_zero()) else {
        return std::future::pending().await;
    };
    let mut feeding = interval(within / 4);
    feeding.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut missed = 0_u32;
    loop {
        feeding.tick().await;
        match health.hung(within / 3) {
            None => {
                tell(&[NotifyState::Watchdog]);
                if std::mem::take(&mut missed) > 0 {
                    tracing::warn!("every task goes on again: the watchdog is fed");
                    health.forget(PART);
                }
            }
            Some(task) => {
                missed = missed.saturating_add(1);
                let told = format!("the task {task} does not go on: the watchdog was not fed {missed} times");
                if missed == 1 {
                    tracing::error!("{told}; it will restart the daemon within {} s", within.as_secs_f64());
                }
                health.set(PART, Condition::Degraded, told);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_names_what_is_wrong_on_one_line_of_bounded_length() {
        let health = Health::default();
        health.set("http", Condition::Ok, "");
        assert_eq!(line(&health), "All parts do their job");
        health.set("can.body", Condition::Degraded, "can0 is down");
        health.set("gnss", Condition::Absent, "two\nlines");
        assert_eq!(line(&health), "can.body: can0 is down; gnss: two lines");
        health.set("can.body", Condition::Degraded, "é".repeat(STATUS));
        assert_eq!(line(&health).chars().count(), STATUS + 1, "{}", line(&health));
    }
}
