//! The car in real time: what it sends reaches the daemon when its clock says so.

use std::time::Duration;

use super::car::{Car, Output};
use super::place_file::PlaceFile;
use super::recording::Recording;
use crate::clock::{Boot, Clock};
use crate::vehicle::Frame;

/// What a running car leaves on disk.
#[derive(Debug, Default)]
pub struct Files {
    /// Keeps the car's place over a restart.
    pub place: Option<PlaceFile>,
    /// Keeps what it sent.
    pub recording: Option<Recording>,
}

/// Later than this, in the car's time, what was due is not sent any more.
const TOO_LATE: Duration = Duration::from_secs(10);
/// After so many outputs on end others get their turn.
const TURN: u32 = 64;

/// Drives `car` by `clock` for ever and delivers what it sends.
///
/// Frames and sentences carry the moment at which they were due, not that at which a busy machine got round to them: a
/// decoder sees the car's own periods, however unevenly it is called. What is up to 10 s late in the car's time is so
/// delivered late, in order. After a longer stall (the machine was asleep) what was sent meanwhile is lost, as it is to a
/// unit that was asleep; the car has driven on.
///
/// `clock` shows the wall time of the car's start, or did so a moment ago.
pub async fn run(
    mut car: Car,
    clock: Clock,
    mut files: Files,
    mut on_frame: impl FnMut(&str, Frame),
    mut on_sentence: impl FnMut(Boot, &[u8]),
) {
    let origin = started(&car, &clock);
    let mut turn = 0;
    while let Some((after, output)) = car.next() {
        let due = origin + after;
        let wait = clock.wait(due);
        if !wait.is_zero() {
            turn = 0;
            tokio::time::sleep(wait).await;
        } else if turn >= TURN {
            turn = 0;
            tokio::task::yield_now().await;
        }
        turn += 1;
        let now = clock.now();
        if now.since(due) > TOO_LATE {
            car.skip_to(now.since(origin));
            tokio::task::yield_now().await;
            continue;
        }
        files.note(&car, after, &output);
        match output {
            Output::Frame { bus, mut frame } => {
                frame.at = due;
                on_frame(bus, frame);
            }
            Output::Sentence(sentence) => on_sentence(due, &sentence),
        }
    }
}

/// When the clock showed the wall time at which the car started: now, where it never did or did so too long ago.
fn started(car: &Car, clock: &Clock) -> Boot {
    let now = clock.now();
    let ahead = clock.stamp(now).wall.micros().saturating_sub(car.start().wall.micros());
    let passed = Duration::from_micros(u64::try_from(ahead).unwrap_or(0));
    if passed < TOO_LATE { now.before(passed) } else { now }
}

impl Files {
    /// Before anything is delivered: so that nothing the daemon has seen lies behind the place that a restart begins at.
    fn note(&mut self, car: &Car, after: Duration, output: &Output) {
        let place = car.place(after);
        if let Some(Err(error)) = self.place.as_mut().map(|file| file.reach(car, after)) {
            tracing::warn!("the simulated car's place is not kept any more: {error}");
            self.place = None;
        }
        if let Some(Err(error)) = self.recording.as_mut().map(|recording| recording.write(place.wall, output)) {
            tracing::warn!("the simulated car is not recorded any more: {error}");
            self.recording = None;
        }
    }
}
