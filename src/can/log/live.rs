//! A log or a FIFO that stands for a CAN interface.
//!
//! A FIFO is read as it comes: a frame's time is when it was read, and the log's own times say nothing. It is opened again
//! when its writer has gone, and waits for the next. A log is played at its own speed (a gap of more than 10 s in 10 s), and
//! ends.

use std::convert::Infallible;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe;
use tokio::time::{Instant, sleep_until};

use super::lines::Assembler;
use crate::can::candump::Line;
use crate::can::intake::Intake;
use crate::can::source::Patience;
use crate::clock::{Boot, Clock};
use crate::health::{Condition, Pulse};
use crate::vehicle::{BusCondition, Observation};

/// Bytes read at once: about 200 lines.
const CHUNK: usize = 8192;

/// A gap in a log that is longer goes on after this.
const LONGEST_GAP: Duration = Duration::from_secs(10);

/// Reads `path`; each line goes to the bus of its interface.
pub(in crate::can) async fn follow(
    path: &Path,
    clock: &Clock,
    pulse: &Pulse,
    buses: &mut [(String, Intake)],
    tell: impl Fn(Condition, String),
    deliver: &mut impl FnMut(Boot, &[Observation]),
) -> Infallible {
    let shown = path.display();
    let mut patience = Patience::new();
    loop {
        let result = match open(path).await {
            Ok(Input::Fifo(fifo)) => {
                let told = || tell(Condition::Ok, String::new());
                read(fifo, None, clock, pulse, buses, told, deliver).await.map(|()| {
                    patience.restore();
                    (Condition::Degraded, format!("nobody writes to {shown}"))
                })
            }
            Ok(Input::Log(file)) => {
                let told = || tell(Condition::Ok, String::new());
                match read(file, Some(Pace::default()), clock, pulse, buses, told, deliver).await {
                    Ok(()) => {
                        tell(Condition::Degraded, format!("the log {shown} is at its end"));
                        return pulse.rest(std::future::pending()).await;
                    }
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        };
        match result {
            Ok((condition, sentence)) => tell(condition, sentence),
            Err(error) => {
                for (_, intake) in buses.iter_mut() {
                    intake.condition(clock.now(), BusCondition::Down, &mut *deliver);
                }
                let missing = error.kind() == io::ErrorKind::NotFound;
                tell(if missing { Condition::Absent } else { Condition::Degraded }, format!("{shown} cannot be read: {error}"));
                pulse.rest(patience.wait()).await;
            }
        }
    }
}

enum Input {
    Fifo(pipe::Receiver),
    Log(File),
}

async fn open(path: &Path) -> io::Result<Input> {
    if tokio::fs::metadata(path).await?.file_type().is_fifo() {
        Ok(Input::Fifo(pipe::OpenOptions::new().open_receiver(path)?))
    } else {
        Ok(Input::Log(File::open(path).await?))
    }
}

/// When the lines of a log are due.
#[derive(Debug, Default)]
struct Pace {
    /// The last line's own time, and when it was due.
    last: Option<(Boot, Instant)>,
}

impl Pace {
    /// Waits until a line of this time is due.
    async fn keep(&mut self, at: Boot) {
        let due = match self.last {
            Some((last, due)) => due + at.since(last).min(LONGEST_GAP),
            None => Instant::now(),
        };
        self.last = Some((self.last.map_or(at, |(last, _)| last.max(at)), due));
        if due > Instant::now() {
            sleep_until(due).await;
        }
    }
}

/// Reads until the end; `told` when the first bytes come.
async fn read(
    mut input: impl AsyncRead + Unpin,
    mut pace: Option<Pace>,
    clock: &Clock,
    pulse: &Pulse,
    buses: &mut [(String, Intake)],
    told: impl Fn(),
    deliver: &mut impl FnMut(Boot, &[Observation]),
) -> io::Result<()> {
    let mut chunk = [0; CHUNK];
    let mut lines = Assembler::default();
    loop {
        let length = pulse.rest(input.read(&mut chunk)).await?;
        if length == 0 {
            // What came of a last line may have been cut in its middle.
            return Ok(());
        }
        told();
        let mut rest = chunk.get(..length).unwrap_or_default();
        while !rest.is_empty() {
            let (used, whole) = lines.push(rest);
            rest = rest.get(used..).unwrap_or_default();
            if whole && !lines.is_blank() {
                match Line::parse(lines.line()) {
                    Ok(Line { interface, mut frame }) => {
                        if let Some(pace) = &mut pace {
                            pulse.rest(pace.keep(frame.at)).await;
                        }
                        if let Some((_, intake)) = buses.iter_mut().find(|(name, _)| name == interface) {
                            let now = clock.now();
                            frame.at = now;
                            intake.present(now, &mut *deliver);
                            intake.frame(now, &frame, &mut *deliver);
                        }
                    }
                    Err(_) => {
                        if let Some((_, intake)) = buses.first() {
                            intake.counters().dropped("malformed_line", 1);
                        }
                    }
                }
            }
        }
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::sync::Arc;

    use super::*;
    use crate::can::dbc::Database;
    use crate::can::profile::Profile;
    use crate::can::{Bus, Counters, Listeners, Surroundings, run};
    use crate::health::Health;
    use crate::metrics::Metrics;
    use crate::vehicle::{BusId, Reading, SourceId, Value};

    const DBC: &str = "BO_ 291 M: 8 A\n SG_ Speed : 0|8@1+ (1,0) [0|0] \"\" B\n";
    const PROFILE: &str =
        "[bus.body]\ndbc = [\"x\"]\n[[signals.\"Vehicle.Speed\"]]\nbus = \"body\"\nmessage = \"M\"\nsignal = \"Speed\"\n";

    fn start(path: &Path) -> (Bus, Surroundings, Metrics) {
        let profile = Profile::parse(Path::new("p"), PROFILE, |_| Ok(Database::parse(DBC.as_bytes()))).unwrap();
        let metrics = Metrics::default();
        let around = Surroundings {
            decoder: Arc::new(profile.decoder),
            clock: Clock::system(),
            health: Health::default(),
            counters: Counters::register(&metrics),
            listeners: Listeners::default(),
        };
        let bus = Bus {
            id: BusId(0),
            name: "body".to_owned(),
            interface: "can0".to_owned(),
            candump: Some(path.to_owned()),
            listen_only: true,
        };
        (bus, around, metrics)
    }

    fn speed(value: f64) -> Observation {
        Observation::Reading(SourceId(0), Reading::Value(Value::Number(value)))
    }

    #[tokio::test]
    async fn a_log_is_read_to_its_end_and_malformed_lines_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "(1.0) can0 123#05\n(2.0) can1 123#06\nnonsense\n\n(3.0) can0 20000004#0020\n(3.0) can0 123#07 R\n(3.0) can0 124#07\n").unwrap();
        let (bus, around, metrics) = start(&path);
        let health = around.health.clone();
        let mut watch = health.watch();
        let mut seen = Vec::new();
        tokio::select! {
            never = run(vec![bus], around, |_, observations| seen.extend_from_slice(observations)) => match never {},
            () = async {
                while health.parts().get("can.body").is_none_or(|part| !part.detail.contains("at its end")) {
                    watch.changed().await.unwrap();
                }
            } => {}
        }
        let condition = |condition| Observation::Bus(BusId(0), condition);
        assert_eq!(seen, [condition(BusCondition::Active), speed(5.0), condition(BusCondition::Passive), speed(7.0)]);
        let page = metrics.encode();
        assert!(page.contains("telltale_can_frames_total{bus=\"body\"} 2"), "{page}");
        assert!(page.contains("telltale_can_dropped_total{reason=\"malformed_line\"} 1"), "{page}");
    }

    #[tokio::test]
    async fn a_fifo_outlives_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let (bus, around, _) = start(&path);
        let health = around.health.clone();
        let mut watch = health.watch();
        let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
        let reader = run(vec![bus], around, move |_, observations| {
            observations.iter().for_each(|observation| heard.send(observation.clone()).unwrap());
        });
        let writers = async move {
            let write = |text: &'static str| {
                let path = path.clone();
                tokio::task::spawn_blocking(move || {
                    fs::OpenOptions::new().write(true).open(path).unwrap().write_all(text.as_bytes()).unwrap()
                })
            };
            write("(1.0) can0 123#05\n(1.0) can0 12").await.unwrap();
            assert_eq!(hears.recv().await, Some(Observation::Bus(BusId(0), BusCondition::Active)));
            assert_eq!(hears.recv().await, Some(speed(5.0)));
            while health.parts().get("can.body").is_none_or(|part| !part.detail.contains("nobody writes")) {
                watch.changed().await.unwrap();
            }
            write("(2.0) can0 123#06\n").await.unwrap();
            assert_eq!(hears.recv().await, Some(speed(6.0)), "what the first writer left of a line is gone");
        };
        tokio::select! {
            never = reader => match never {},
            () = writers => {}
        }
    }
}
