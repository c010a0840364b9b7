//! `telltale replay`: recorded data through the same engine, as fast as it goes.
//!
//! What testers and ECUs said to one another is heard, as the daemon hears it; nobody is asked.
//! Frames and fixes are merged by their own clocks, and the engine's boot time is the recording's Unix time. What is due
//! between two inputs is told at its own moment; nothing that is due after the last input is told. With `--state` the
//! whole engine is kept between runs, so that a replay cut by `--until` goes on in the next one: inputs up to the cut are
//! passed over there.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::order::{InOrder, merge};
use super::{Exit, recording};
use crate::can::candump::Line;
use crate::can::profile::Profile;
use crate::can::{self, Intake};
use crate::clock::{Boot, Stamp, TimeSource, Wall};
use crate::config;
use crate::detect::{self, Engine, Outbox};
use crate::diagnostics::{self, Listener};
use crate::event::{Event, EventId};
use crate::gateway::{Core, Late, PlaceNames, Texts};
use crate::geo::{self, Fence, FenceSource};
use crate::gnss;
use crate::places::Places;
use crate::vehicle::{BusId, Fix, Frame, Observation, Vin};

/// Put recorded data through the engine and print the events
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  telltale replay --profile car.toml --candump drive.candump --nmea drive.nmea --fences fences.geojson --json"
)]
pub struct Replay {
    /// The vehicle profile
    #[arg(long, value_name = "FILE")]
    profile: PathBuf,
    /// A log of `candump -L`; `-` is standard input
    #[arg(long, value_name = "FILE")]
    candump: Option<PathBuf>,
    /// A log of NMEA sentences; `-` is standard input
    #[arg(long, value_name = "FILE")]
    nmea: Option<PathBuf>,
    /// Fences, as GeoJSON
    #[arg(long, value_name = "FILE")]
    fences: Option<PathBuf>,
    /// A site's file, for its settings and the interfaces of its buses
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep the engine's state here: go on from it, and leave it for the next run
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Stop after this moment: Unix seconds, or ISO 8601
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Boot>,
    /// One JSON object an event
    #[arg(long)]
    json: bool,
}

/// Why a replay ended early.
enum Failure {
    /// This file cannot be read.
    File(PathBuf, io::Error),
    /// This file cannot be written.
    Unwritable(PathBuf, io::Error),
    /// These mistakes stand in the configuration, one a line.
    Configuration(String),
    /// Whoever read the output has gone.
    Unread,
}

impl Replay {
    /// Runs it.
    pub fn run(self) -> ExitCode {
        match self.replay() {
            Ok(()) | Err(Failure::Unread) => ExitCode::SUCCESS,
            Err(Failure::File(path, error)) => recording::failed(&path, &error),
            Err(Failure::Unwritable(path, error)) => {
                eprintln!("telltale: {}: {error}; name a file in a folder that you may write to", path.display());
                Exit::Io.into()
            }
            Err(Failure::Configuration(mistakes)) => {
                eprint!("{mistakes}");
                Exit::Configuration.into()
            }
        }
    }

    fn replay(&self) -> Result<(), Failure> {
        if self.candump.is_some() && self.candump == self.nmea {
            return Err(Failure::Configuration("telltale: --candump and --nmea cannot be the same input\n".to_owned()));
        }
        let drive = self.drive()?;
        let saved = self.load()?;
        let (core, past) = begin(&drive, saved).map_err(|what| Failure::Configuration(format!("telltale: --state: {what}\n")))?;
        let (broken_log, broken_track) = (Cell::new(None), Cell::new(None));
        let frames = frames(open(self.candump.as_deref())?, &drive, &broken_log);
        let fixes = fixes(open(self.nmea.as_deref())?, drive.uere, &broken_track);
        let mut player = Player { core, buses: intakes(&drive.profile), source: past.source, json: self.json, out: out() };
        let mut cut = past.cut;
        let mut progress = Progress::new();
        for (at, input) in merge(InOrder::new(frames), InOrder::new(fixes)) {
            if past.cut.is_some_and(|cut| at <= cut) {
                continue;
            }
            if self.until.is_some_and(|until| at > until) {
                break;
            }
            player.play(at, input)?;
            cut = Some(at);
            progress.reach(at);
        }
        cut = cut.max(self.until);
        player.out.flush().map_err(unread)?;
        for (path, broken) in [(&self.candump, broken_log), (&self.nmea, broken_track)] {
            if let (Some(path), Some(error)) = (path, broken.take()) {
                return Err(Failure::File(path.clone(), error));
            }
        }
        self.store(&player, cut)
    }

    /// What the recording is put through.
    fn drive(&self) -> Result<Drive, Failure> {
        let site = self.config.as_deref().map(config::load_for_replay).transpose().map_err(|error| match error {
            config::LoadError::Absent { file, error } => Failure::File(file, error),
            config::LoadError::Wrong(findings) => Failure::Configuration(findings.to_string()),
        })?;
        File::open(&self.profile).map_err(|error| Failure::File(self.profile.clone(), error))?;
        let profile = Profile::read(&self.profile).map_err(|problems| Failure::Configuration(lines(&problems)))?;
        for warning in &profile.warnings {
            eprintln!("telltale: {warning}");
        }
        let fences = match &self.fences {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| Failure::File(path.clone(), error))?;
                let named = |fault: &geo::Fault| format!("{}: {fault}", path.display());
                geo::read(&text, FenceSource::File)
                    .map_err(|faults| Failure::Configuration(lines(&faults.iter().map(named).collect::<Vec<_>>())))?
            }
            None => site.as_ref().map(|site| site.fences.clone()).unwrap_or_default(),
        };
        let mut interfaces: Vec<Option<String>> = profile.buses.iter().map(|bus| bus.interface.clone()).collect();
        for (name, interface) in profile.layout.buses.iter().zip(&mut interfaces) {
            if let Some(other) = site.as_ref().and_then(|site| site.interfaces.get(name)) {
                *interface = Some(other.clone());
            }
        }
        let uere = site.as_ref().map_or(gnss::Settings::default().uere, |site| site.uere);
        let vin = match site.as_ref().and_then(|site| site.vin.clone()) {
            Some(vin) => vin,
            None => Vin::try_from("REPLAY".to_owned()).map_err(Failure::Configuration)?,
        };
        let (settings, places) = site.map(|site| (site.detect, site.places)).unwrap_or_default();
        Ok(Drive { profile, interfaces, fences, places, settings, vin, uere })
    }

    fn load(&self) -> Result<Option<Saved>, Failure> {
        let Some(path) = &self.state else { return Ok(None) };
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| Failure::File(path.clone(), io::Error::new(io::ErrorKind::InvalidData, error))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::File(path.clone(), error)),
        }
    }

    /// Beside the old file first, so that a cut leaves one or the other.
    fn store(&self, player: &Player, cut: Option<Boot>) -> Result<(), Failure> {
        let Some(path) = &self.state else { return Ok(()) };
        let failed = |error: io::Error| Failure::Unwritable(path.clone(), error);
        let engine = to_raw_value(&player.core.engine().save()).map_err(|error| failed(error.into()))?;
        let saved = Saved { version: SAVED_VERSION, cut, source: player.source, last: player.core.last(), engine };
        let bytes = serde_json::to_vec(&saved).map_err(|error| failed(error.into()))?;
        let beside = path.with_extension("partial");
        std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path)).map_err(failed)
    }
}

/// One mistake a line.
fn lines(mistakes: &[impl std::fmt::Display]) -> String {
    mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
}

/// What a recording is put through.
struct Drive {
    profile: Profile,
    /// Of each bus of the profile: whose lines of the log are its frames.
    interfaces: Vec<Option<String>>,
    fences: Vec<Fence>,
    places: Option<Arc<Places>>,
    settings: detect::Settings,
    vin: Vin,
    /// Metres of error for one unit of HDOP.
    uere: f64,
}

const SAVED_VERSION: u32 = 1;

/// What `--state` keeps.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    version: u32,
    /// Inputs up to here have been seen.
    cut: Option<Boot>,
    source: TimeSource,
    last: EventId,
    engine: Box<RawValue>,
}

/// Where an earlier run ended.
#[derive(Debug, Default)]
struct Past {
    cut: Option<Boot>,
    source: TimeSource,
}

/// The engine, from its beginning or from where an earlier run left it.
fn begin(drive: &Drive, saved: Option<Saved>) -> Result<(Core, Past), String> {
    let engine =
        Engine::new(drive.settings.clone(), drive.vin.clone(), diagnostics::layout(&drive.profile), drive.fences.clone());
    let core = |engine, last| {
        Core::new(engine, Outbox::new(drive.vin.clone(), last), Late::Never)
            .with_texts(Texts::of_codes(Default::default()))
            .with_places(drive.places.clone().map(PlaceNames::of_file).unwrap_or_default())
    };
    let Some(saved) = saved else {
        return Ok((core(engine, EventId(0)), Past { cut: None, source: TimeSource::Rtc }));
    };
    if saved.version != SAVED_VERSION {
        return Err(format!("it was written by another version ({}); begin without it", saved.version));
    }
    let mut engine = engine;
    let kept = serde_json::from_str(saved.engine.get()).map_err(|error| format!("it is no state of this version: {error}"))?;
    engine.load(kept).map_err(|reason| format!("it is of another profile: {reason}"))?;
    Ok((core(engine, saved.last), Past { cut: saved.cut, source: saved.source }))
}

/// What takes the frames of each bus. Nobody reads what they count.
fn intakes(profile: &Profile) -> Vec<Intake> {
    let decoder = Arc::new(profile.decoder.clone());
    let listeners = Listener::all(profile.diagnosis.clone());
    let buses = (0..=u8::MAX).map(BusId).zip(&profile.layout.buses);
    let intake = |(bus, name): (BusId, &String)| Intake::new(bus, name, decoder.clone(), can::Counters::default());
    buses.map(|(bus, name)| intake((bus, name)).heard_by(listeners.of(bus))).collect()
}

/// One recorded thing.
enum Input {
    /// Of the bus at this place of the profile.
    Frame(usize, Box<Frame>),
    Fix(Fix),
}

/// The engine and where its events go.
struct Player {
    core: Core,
    /// In the order of the profile.
    buses: Vec<Intake>,
    source: TimeSource,
    json: bool,
    out: BufWriter<io::StdoutLock<'static>>,
}

impl Player {
    /// What was due before `at`, then the input.
    fn play(&mut self, at: Boot, input: Input) -> Result<(), Failure> {
        let mut told = self.core.before(stamp(at, self.source));
        match input {
            Input::Frame(bus, frame) => {
                let (core, source) = (&mut self.core, self.source);
                let mut see = |at, seen: &[Observation]| told.extend(core.see(stamp(at, source), seen));
                if let Some(intake) = self.buses.get_mut(bus) {
                    intake.frame(at, &frame, &mut see);
                }
            }
            Input::Fix(fix) => {
                if fix.time.is_some() {
                    self.source = TimeSource::Gnss;
                }
                told.extend(self.core.see(stamp(at, self.source), &[Observation::Fix(fix)]));
            }
        }
        self.tell(&told)
    }

    fn tell(&mut self, events: &[Event]) -> Result<(), Failure> {
        for event in events {
            if self.json {
                writeln!(self.out, "{}", event.to_json())
            } else {
                let Event { stamp, severity, location, .. } = event;
                writeln!(self.out, "{}  {severity:?}  {}  {}", stamp.wall, event.type_name(), location.address)
            }
            .map_err(unread)?;
        }
        Ok(())
    }
}

/// The recording's Unix time is boot time and wall time at once.
fn stamp(at: Boot, source: TimeSource) -> Stamp {
    Stamp { boot: at, wall: Wall::from_micros(at.micros()), source }
}

fn unread(_: io::Error) -> Failure {
    Failure::Unread
}

fn out() -> BufWriter<io::StdoutLock<'static>> {
    BufWriter::new(io::stdout().lock())
}

fn open(path: Option<&Path>) -> Result<Box<dyn BufRead>, Failure> {
    match path {
        None => Ok(Box::new(io::empty())),
        Some(path) => recording::open(path).map_err(|error| Failure::File(path.to_owned(), error)),
    }
}

/// Why an input could not be read to its end.
type Broken = Cell<Option<io::Error>>;

/// The frames of a log that are on one of the drive's buses, by the log's own time.
fn frames(input: Box<dyn BufRead>, drive: &Drive, broken: &Broken) -> impl Iterator<Item = (Boot, Input)> {
    let mut reader = can::log::Reader::new(input);
    let interfaces = drive.interfaces.clone();
    std::iter::from_fn(move || {
        loop {
            match reader.next_entry() {
                Ok(Some(can::log::Entry::Frame(Line { interface, frame }))) => {
                    if let Some(bus) = interfaces.iter().position(|name| name.as_deref() == Some(interface)) {
                        return Some((frame.at, Input::Frame(bus, Box::new(frame))));
                    }
                }
                Ok(Some(can::log::Entry::Malformed { number, why })) => {
                    eprintln!("telltale: candump: line {number}: {why}; passed over")
                }
                Ok(None) => return None,
                Err(error) => {
                    broken.set(Some(error));
                    return None;
                }
            }
        }
    })
}

/// The fixes of a recording by their own time. Those before the first date have none and are passed over.
fn fixes(input: Box<dyn BufRead>, uere: f64, broken: &Broken) -> impl Iterator<Item = (Boot, Input)> {
    gnss::Log::new(input, uere).filter_map(|entry| match entry {
        Ok(gnss::Entry::Fix(fix)) => (fix.at > Boot::from_micros(0)).then_some((fix.at, Input::Fix(fix))),
        Ok(gnss::Entry::Malformed(number, why)) => {
            eprintln!("telltale: nmea: line {number}: {why}; passed over");
            None
        }
        Err(error) => {
            broken.set(Some(error));
            None
        }
    })
}

/// Unix seconds, or ISO 8601.
fn moment(text: &str) -> Result<Boot, String> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(Boot::from_micros(time.as_microsecond()));
    }
    match text.parse::<f64>() {
        Ok(seconds) if seconds.abs() < 9e9 => Ok(Boot::from_micros((seconds * 1e6).round() as i64)),
        _ => Err("a moment is Unix seconds (1771546007.2) or ISO 8601 (2026-02-20T00:06:47.2Z)".to_owned()),
    }
}

/// How far a long replay has come, on a terminal.
struct Progress {
    shown: Option<std::time::Instant>,
    inputs: u64,
}

impl Progress {
    fn new() -> Progress {
        Progress { shown: io::stderr().is_terminal().then(std::time::Instant::now), inputs: 0 }
    }

    fn reach(&mut self, at: Boot) {
        self.inputs = self.inputs.wrapping_add(1);
        let Some(shown) = self.shown else { return };
        if self.inputs % 4096 == 0 && shown.elapsed().as_secs() >= 1 {
            eprint!("\r{}  {} inputs", Wall::from_micros(at.micros()), self.inputs);
            self.shown = Some(std::time::Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_unix_seconds_or_iso_8601() {
        assert_eq!(moment("1771546007.2"), Ok(Boot::from_micros(1_771_546_007_200_000)));
        assert_eq!(moment("2026-02-20T00:06:47.2Z"), Ok(Boot::from_micros(1_771_546_007_200_000)));
        assert!(moment("yesterday").is_err());
        assert!(moment("1e300").is_err());
    }
}
