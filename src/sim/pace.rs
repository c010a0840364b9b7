//! The car in real time: what it sends reaches the daemon when its clock says so.

use std::time::Duration;

use tokio::sync::mpsc;

use super::car::{Car, Output};
use super::place_file::PlaceFile;
use super::plugged::Plugged;
use super::recording::Recording;
use super::wires::BODY;
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
const TOO_LATE: Duration = Duration::from_secs(60);
/// After so many outputs on end others get their turn.
const TURN: u32 = 64;

/// Drives `car` by `clock` for ever and delivers what it and its ECUs send.
///
/// What comes by `heard` is put on the ECUs' bus, the one that the profile's `[diagnostics]` names; it does not come back,
/// as a caller knows what it has sent. Whoever asks nothing gives the receiving end of a channel that is closed.
///
/// Frames and sentences carry the moment at which they were due, not that at which a busy machine got round to them: a
/// decoder sees the car's own periods, however unevenly it is called. What is up to a minute late in the car's time is so
/// delivered late, in order. After a longer stall (the machine was asleep) what was sent meanwhile is lost, as it is to a
/// unit that was asleep; the car has driven on. These moments never go back; a caller that is also woken by a timer of its
/// own, for which time may never go back either, takes the later of the two.
///
/// `clock` shows the wall time of the car's start, or did so a moment ago.
pub async fn run(
    car: Car,
    clock: Clock,
    mut files: Files,
    mut heard: mpsc::Receiver<Frame>,
    mut on_frame: impl FnMut(&str, Frame),
    mut on_sentence: impl FnMut(Boot, &[u8]),
) {
    let origin = started(&car, &clock);
    let mut car = Plugged::new(car);
    let mut turn = 0;
    loop {
        let due = origin + car.due();
        let wait = clock.wait(due);
        if !wait.is_zero() {
            turn = 0;
            tokio::select! {
                biased;
                () = tokio::time::sleep(wait) => {}
                Some(frame) = heard.recv() => {
                    hear(&mut car, origin, frame, &mut files);
                    continue;
                }
            }
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
        // One at a time: however late the car is, what is asked has its turn, too.
        if let Ok(frame) = heard.try_recv() {
            hear(&mut car, origin, frame, &mut files);
        }
        let Some((after, output)) = car.turn() else { continue };
        files.note(car.car(), after, &output);
        match output {
            Output::Frame { bus, mut frame } => {
                frame.at = origin + after;
                on_frame(bus, frame);
            }
            Output::Sentence(sentence) => on_sentence(origin + after, &sentence),
        }
    }
}

/// It was heard when it was said: that this machine is late is not for who asked to wait for.
fn hear(car: &mut Plugged, origin: Boot, frame: Frame, files: &mut Files) {
    let after = car.hear(frame.at.since(origin), &frame);
    files.write(car.car(), after, &Output::Frame { bus: BODY, frame });
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
        if let Some(Err(error)) = self.place.as_mut().map(|file| file.reach(car, after)) {
            tracing::warn!("the simulated car's place is not kept any more: {error}");
            self.place = None;
        }
        self.write(car, after, output);
    }

    fn write(&mut self, car: &Car, after: Duration, output: &Output) {
        let place = car.place(after);
        if let Some(Err(error)) = self.recording.as_mut().map(|recording| recording.write(place.wall, output)) {
            tracing::warn!("the simulated car is not recorded any more: {error}");
            self.recording = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::clock::Wall;
    use crate::sim::{Place, SCENARIOS};

    const START: Wall = Wall::from_micros(1_771_545_600_000_000);

    fn nobody() -> mpsc::Receiver<Frame> {
        mpsc::channel(1).1
    }

    /// What a car at `speed` delivers until `enough` sentences have come; frames by their data.
    async fn delivered(speed: f64, enough: usize) -> Vec<(Boot, Vec<u8>)> {
        let clock = Clock::scaled(START, speed);
        let car = Car::new(&SCENARIOS[0], 1, Place::beginning(START)).unwrap();
        let (seen, sentences) = (RefCell::new(Vec::new()), RefCell::new(0));
        let done = tokio::sync::Notify::new();
        let on_frame = |_: &str, frame: Frame| seen.borrow_mut().push((frame.at, frame.data.to_vec()));
        let on_sentence = |at: Boot, sentence: &[u8]| {
            seen.borrow_mut().push((at, sentence.to_vec()));
            *sentences.borrow_mut() += 1;
            if *sentences.borrow() >= enough {
                done.notify_one();
            }
        };
        tokio::select! {
            () = run(car, clock, Files::default(), nobody(), on_frame, on_sentence) => {}
            () = done.notified() => {}
        }
        seen.into_inner()
    }

    #[tokio::test]
    async fn what_is_delivered_is_what_the_car_sends_at_its_own_moments() {
        let mut sent = Car::new(&SCENARIOS[0], 1, Place::beginning(START)).unwrap();
        let mut origin = None;
        for (at, bytes) in delivered(5.0, 7).await {
            let same = |output: &Output| match output {
                Output::Frame { frame, .. } => *frame.data == *bytes,
                Output::Sentence(sentence) => *sentence == *bytes,
            };
            let (after, output) = sent.next().unwrap();
            assert!(same(&output), "{at:?}: {output:?}");
            assert_eq!(*origin.get_or_insert(at.before(after)), at.before(after), "{at:?}: {output:?}");
        }
    }

    #[tokio::test]
    async fn what_was_sent_while_the_machine_was_asleep_is_lost() {
        let clock = Clock::scaled(START, 500.0);
        let car = Car::new(&SCENARIOS[0], 1, Place::beginning(START)).unwrap();
        let (woken, done) = (Cell::new(None), tokio::sync::Notify::new());
        let on_frame = |_: &str, frame: Frame| match woken.get() {
            None => {
                let end = frame.at + 3 * TOO_LATE;
                while clock.now() < end {}
                woken.set(Some(end));
            }
            Some(end) => {
                assert!(frame.at >= end.before(TOO_LATE), "{frame:?}, {end:?}");
                done.notify_one();
            }
        };
        tokio::select! {
            () = run(car, clock.clone(), Files::default(), nobody(), on_frame, |_, _| {}) => {}
            () = done.notified() => {}
        }
    }

    #[tokio::test]
    async fn a_car_that_no_machine_can_follow_still_lets_others_run() {
        let clock = Clock::scaled(START, 1e9);
        let car = Car::new(&SCENARIOS[0], 1, Place::beginning(START)).unwrap();
        tokio::select! {
            biased;
            () = run(car, clock, Files::default(), nobody(), |_, _| {}, |_, _| {}) => {}
            () = tokio::task::yield_now() => {}
        }
    }

    #[tokio::test]
    async fn whoever_asks_is_answered_on_the_same_bus_and_both_are_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files { place: None, recording: Some(Recording::create(dir.path(), "asked").unwrap()) };
        // The ignition is on from the eleventh second on.
        let start = Place { loops: 0, within_us: 30_000_000, wall: START };
        let car = Car::new(&SCENARIOS[0], 1, start).unwrap();
        let (ask, asked) = mpsc::channel(4);
        let data = heapless::Vec::from_slice(&[2, 0x01, 0x0D]).unwrap();
        let kind = crate::vehicle::FrameKind::Classical;
        ask.try_send(Frame { at: Boot::default(), kind, id: 0x7DF, extended: false, data }).unwrap();
        let (answers, sentences) = (RefCell::new(Vec::new()), Cell::new(0));
        let done = tokio::sync::Notify::new();
        let on_frame = |bus: &str, frame: Frame| {
            if (0x7E8..=0x7EF).contains(&frame.id) {
                answers.borrow_mut().push((bus.to_owned(), frame.id, frame.data[..3].to_vec()));
            }
        };
        // What was recorded is on disk with the last sentence of a fix.
        let on_sentence = |_: Boot, sentence: &[u8]| {
            sentences.set(sentences.get() + 1);
            if sentences.get() > 20 && sentence[3..6] == *b"ZDA" {
                done.notify_one();
            }
        };
        tokio::select! {
            () = run(car, Clock::scaled(START, 20.0), files, asked, on_frame, on_sentence) => {}
            () = done.notified() => {}
        }
        let said = |id| (BODY.to_owned(), id, vec![3, 0x41, 0x0D]);
        assert_eq!(answers.into_inner(), [said(0x7E8), said(0x7E9)]);
        let log = std::fs::read_to_string(dir.path().join("asked.candump")).unwrap();
        let told: Vec<&str> = log.lines().filter_map(|line| line.split_once(" can0 ")).map(|(_, frame)| frame).collect();
        let of = |begin: &str| told.iter().position(|frame| frame.starts_with(begin));
        assert!(of("7DF#02010D").is_some() && of("7DF#02010D") < of("7E8#03410D"), "{told:?}");
    }
}
