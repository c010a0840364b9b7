//! A receiver on a serial port (or a PTY, a FIFO, a recording), for as long as the daemon runs.
//!
//! A receiver may be absent at the start, be pulled out, come back as another device, speak at another baud rate, or
//! fall silent; none of it ends [`run`]. The port is opened again after 0.25 s, then after twice as long each time, at
//! most after 5 s. How it is stands in `/healthz`:
//!
//! | condition | when |
//! |---|---|
//! | ok | sentences come |
//! | degraded | the port is open, and for `silent_after_s` there was nothing, or nothing that is a sentence |
//! | absent | the port cannot be opened, or was closed at its other end; or a recording has ended |
//!
//! An unplugged serial device gives an end of file for ever, a PTY `EIO`: both are the end, and the port is closed.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::time::{sleep, timeout};
use tokio_serial::{SerialPortBuilderExt, SerialStream};

use super::counters::Counters;
use super::reader::{Heard, Reader};
use super::settings::Settings;
use crate::clock::{Boot, Clock, Wall};
use crate::health::{Condition, Health, Pulse};
use crate::vehicle::{Fix, Observation};

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A sentence to the receiver leaves within this, or not.
const LONGEST_WRITE: Duration = Duration::from_secs(1);

/// A recording with a longer gap goes on after this.
const LONGEST_GAP: Duration = Duration::from_secs(10);

/// Whether a receiver's date is the vehicle's: one receiver vouches for it, so that two that differ make no time jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vouch {
    /// The car's own receiver.
    Yes,
    /// A trailer's.
    No,
}

/// Reads the receiver for ever, or until a recording has ended. Each fix goes to `deliver` with the time at which its last
/// sentence was read, and where it may it vouches for the wall time of `clock`; so does, when it changes, whether sentences
/// come at all.
pub async fn run(
    settings: &Settings,
    clock: &Clock,
    vouch: Vouch,
    health: &Health,
    counters: &Counters,
    deliver: impl FnMut(Boot, &[Observation]),
) {
    let pulse = health.pulse(&settings.name);
    let mut source = Source { settings, clock, vouch, health, counters, pulse, deliver, state: None, speaks: false };
    let mut wait = FIRST_WAIT;
    loop {
        let end = match open(settings).await {
            Ok(Port::Recording(file)) => source.play(file).await,
            Ok(Port::Serial(port)) => source.listen(port).await,
            Ok(Port::Fifo(fifo)) => source.listen(fifo).await,
            Err(error) => End::Closed { heard: false, why: error.to_string() },
        };
        match end {
            End::Finished => return source.is(State::Finished),
            End::Closed { heard, why } => {
                wait = if heard { FIRST_WAIT } else { wait };
                source.is(State::Absent(why));
            }
        }
        source.pulse.rest(sleep(wait)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

enum Port {
    Serial(SerialStream),
    Fifo(pipe::Receiver),
    Recording(tokio::fs::File),
}

async fn open(settings: &Settings) -> io::Result<Port> {
    let path = &settings.device;
    let kind = tokio::fs::metadata(path).await?.file_type();
    if kind.is_fifo() {
        // Open for writing too: a feeder that closes its end is silence, not an end.
        return pipe::OpenOptions::new().read_write(true).open_receiver(path).map(Port::Fifo);
    }
    if kind.is_file() {
        return tokio::fs::File::open(path).await.map(Port::Recording);
    }
    let mut port = tokio_serial::new(path.to_string_lossy(), settings.baud).open_native_async()?;
    for sentence in &settings.init {
        let sum = sentence.bytes().skip(1).fold(0, |sum, byte| sum ^ byte);
        let line = format!("{sentence}*{sum:02X}\r\n");
        // A port that takes nothing may still give something.
        let _ = timeout(LONGEST_WRITE, port.write_all(line.as_bytes())).await;
    }
    Ok(Port::Serial(port))
}

/// How a port came to its end.
enum End {
    Closed { heard: bool, why: String },
    Finished,
}

/// How the receiver is, as `/healthz` tells it.
#[derive(Clone, Debug, PartialEq)]
enum State {
    Opened,
    Heard,
    Silent,
    Garbled,
    Absent(String),
    Finished,
}

struct Source<'a, D> {
    settings: &'a Settings,
    clock: &'a Clock,
    vouch: Vouch,
    health: &'a Health,
    counters: &'a Counters,
    pulse: Pulse,
    deliver: D,
    state: Option<State>,
    /// Sentences come, as delivered.
    speaks: bool,
}

impl<D: FnMut(Boot, &[Observation])> Source<'_, D> {
    fn is(&mut self, state: State) {
        if self.state.as_ref() == Some(&state) {
            return;
        }
        let Settings { name, device, baud, silent_after_s, .. } = self.settings;
        let device = device.display();
        let (condition, detail) = match &state {
            State::Opened => (Condition::Degraded, format!("{device} is open, nothing heard yet")),
            State::Heard => (Condition::Ok, String::new()),
            State::Silent => {
                let cure = "is the receiver powered, and its output on this port?";
                (Condition::Degraded, format!("{device}: silent for {silent_after_s} s; {cure}"))
            }
            State::Garbled => {
                let cure = format!("is {baud} its baud rate (gnss.baud), and NMEA 0183 its protocol?");
                (Condition::Degraded, format!("{device}: no NMEA sentence in what came for {silent_after_s} s; {cure}"))
            }
            State::Absent(why) => (Condition::Absent, format!("{device}: {why}; plug the receiver in, or correct gnss.device")),
            State::Finished => (Condition::Absent, format!("the recording {device} has ended")),
        };
        if condition == Condition::Ok {
            tracing::info!(receiver = name, "sentences come");
        } else {
            tracing::warn!(receiver = name, "{detail}");
        }
        self.health.set(name, condition, detail);
        self.state = Some(state);
        let speaks = condition == Condition::Ok;
        if std::mem::replace(&mut self.speaks, speaks) != speaks {
            (self.deliver)(self.clock.now(), &[Observation::Receiver { speaks }]);
        }
    }

    fn hear(&mut self, now: Boot, heard: Heard) {
        match heard {
            Heard::Sentence => {
                self.counters.sentences.inc();
                self.is(State::Heard);
            }
            Heard::Fault(_, fault) => self.counters.dropped(fault),
            Heard::Fix(fix) => {
                self.counters.fixes.inc();
                if let (Vouch::Yes, Some(utc)) = (self.vouch, fix.time) {
                    self.clock.vouch(fix.at, utc);
                }
                (self.deliver)(now, &[Observation::Fix(fix)]);
            }
        }
    }

    /// Reads a port until it closes.
    async fn listen(&mut self, mut port: impl AsyncRead + Unpin) -> End {
        let silent_after = Duration::from_secs_f64(self.settings.silent_after_s);
        let mut reader = Reader::new(self.settings.uere);
        let mut buffer = [0; 1024];
        let (mut heard_at, mut noise, mut heard) = (self.clock.now(), false, false);
        self.is(State::Opened);
        loop {
            let hopeful = matches!(self.state, Some(State::Opened | State::Heard));
            let silence = hopeful.then(|| heard_at + silent_after);
            let due = [silence, reader.deadline()].into_iter().flatten().min();
            let patience = due.map_or(Duration::MAX, |due| self.clock.wait(due));
            let read = self.pulse.rest(timeout(patience, port.read(&mut buffer))).await;
            let now = self.clock.now();
            reader.expire(now, |fix| self.hear(now, fix));
            match read {
                Err(_) => {}
                Ok(Ok(0)) => return End::Closed { heard, why: "closed at its other end".to_owned() },
                Ok(Err(error)) => return End::Closed { heard, why: error.to_string() },
                Ok(Ok(count)) => {
                    noise = true;
                    reader.take(now, buffer.get(..count).unwrap_or_default(), |said| {
                        if said == Heard::Sentence {
                            (heard_at, noise, heard) = (now, false, true);
                        }
                        self.hear(now, said);
                    });
                }
            }
            if now.since(heard_at) >= silent_after {
                self.is(if noise { State::Garbled } else { State::Silent });
            }
        }
    }

    /// Plays a recording at the speed at which it was made.
    async fn play(&mut self, mut file: tokio::fs::File) -> End {
        let mut reader = Reader::new(self.settings.uere);
        let mut buffer = vec![0; 4096];
        let mut due = (self.clock.now(), None);
        loop {
            let count = match self.pulse.rest(file.read(&mut buffer)).await {
                Ok(count) => count,
                Err(error) => return End::Closed { heard: false, why: error.to_string() },
            };
            let mut piece = Vec::new();
            if count > 0 {
                reader.take(Boot::default(), buffer.get(..count).unwrap_or_default(), |heard| piece.push(heard));
            } else {
                reader.finish(Boot::default(), |heard| piece.push(heard));
            }
            for heard in piece {
                if let Heard::Fix(fix) = heard {
                    due = (due.0 + gap(due.1, fix.time), fix.time.or(due.1));
                    self.pulse.rest(sleep(self.clock.wait(due.0))).await;
                    let now = self.clock.now();
                    self.hear(now, Heard::Fix(Fix { at: now, ..fix }));
                } else {
                    self.hear(due.0, heard);
                }
            }
            if count == 0 {
                return End::Finished;
            }
        }
    }
}

/// How long after a fix at `before` the one at `time` is due.
fn gap(before: Option<Wall>, time: Option<Wall>) -> Duration {
    let micros = before.zip(time).map_or(0, |(before, time)| time.micros().saturating_sub(before.micros()));
    Duration::from_micros(u64::try_from(micros).unwrap_or(0)).min(LONGEST_GAP)
}

#[cfg(test)]
mod tests;
