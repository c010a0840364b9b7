//! What outlives a power cut: the engine's state as keyed rows, each with the time of its writing.
//!
//! Keys: `child`, `ignition`, `trip`, `diagnosis`, `fix`, `signal/<path>` for each signal that a detector reads, and those
//! of the fences (`geofence::keep`) and of trouble codes (`codes::keep`). A row is written when what it holds has changed; numbers, positions and what moves all the time at most once a minute, but the
//! position with every event as well.
//!
//! A row's value is JSON: `{"version", "boot_id", "boot", "wall", "source", "state"}`. In the same boot, boot time
//! counts. In another boot the wall time between the last row and now counts, if both come from GNSS or an RTC and it
//! lies between 0 and 7 days; else nobody knows how long it was, and every running timer has elapsed. Rows of this
//! version are read; state that is there and cannot be read is taken for a used rear door.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::codes::{LAMPS, RECORD};
use super::engine::Engine;
use super::{child, diagnosis, trip};
use crate::clock::{Boot, Stamp, TimeSource, Wall};
use crate::event::Row;
use crate::vehicle::cabin::{is_rear_occupant, keeps_asleep};
use crate::vehicle::{Datatype, Fix, IgnitionKept, LastWord, Layout, Signal, SourceId};

/// The form of the rows below.
const VERSION: u32 = 1;
/// Between two rows of what changes all the time.
const PACE: Duration = Duration::from_secs(60);
/// Between two rows of a position that stays where it is.
const SLOW_PACE: Duration = Duration::from_secs(600);
/// Farther away than this, some 20 m, is somewhere else.
const ELSEWHERE_DEGREES: f64 = 2e-4;
/// A longer time between two boots is a wrong clock.
const LONGEST_CUT_US: i64 = 7 * 86_400_000_000;
/// When nobody knows how long a cut was: longer than any timer but the 24 h of an alert's repeats.
const UNKNOWN_CUT_US: i64 = 3 * 3_600_000_000;

const CHILD: &str = "child";
const IGNITION: &str = "ignition";
const TRIP: &str = "trip";
const DIAGNOSIS: &str = "diagnosis";
const FIX: &str = "fix";
const SIGNAL: &str = "signal/";

/// What was written last, so that only changes are.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    boot_id: String,
    child: Option<child::Memory>,
    ignition: Option<IgnitionKept>,
    trip: Option<(trip::Memory, Boot)>,
    pub(super) conditions_changed: bool,
    fix: Option<(Fix, Boot)>,
    /// Something was told since the last rows: a restart must not know less of where the vehicle is than who was told.
    pub(super) told: bool,
    signals: Vec<SignalRow>,
}

/// One signal that outlives a power cut.
#[derive(Clone, Debug)]
struct SignalRow {
    signal: Signal,
    sources: Vec<SourceId>,
    /// Changes all the time.
    paced: bool,
    /// Changed and not yet written.
    changed: bool,
    written: Option<Boot>,
}

/// A row's value.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    version: u32,
    boot_id: String,
    boot: Boot,
    wall: Wall,
    source: TimeSource,
    state: T,
}

/// What one source of a signal said.
#[derive(Serialize, Deserialize)]
struct SourceWord {
    /// The source's name, with its bus.
    source: String,
    #[serde(flatten)]
    word: LastWord,
}

impl Kept {
    pub(super) fn new(layout: &Layout) -> Kept {
        let signals = Signal::ALL.iter().copied().filter(|signal| outlives(*signal)).map(|signal| SignalRow {
            signal,
            sources: layout.sources_of(signal).map(|(id, _)| id).collect(),
            paced: signal.datatype() == Datatype::Number || signal == Signal::CabinRearOccupantIsMoving,
            changed: false,
            written: None,
        });
        // One row of every boot, so that the next one knows how far its times lie from this one's.
        Kept { signals: signals.filter(|row| !row.sources.is_empty()).collect(), conditions_changed: true, ..Kept::default() }
    }
}

/// Whether a detector reads it.
pub(super) fn outlives(signal: Signal) -> bool {
    use Signal::*;
    let numbers = [
        Speed,
        LowVoltageBatteryCurrentVoltage,
        CabinHVACAmbientAirTemperature,
        ExteriorAirTemperature,
        PowertrainCombustionEngineEngineCoolantTemperature,
    ];
    keeps_asleep(signal) || is_rear_occupant(signal) || numbers.contains(&signal)
}

/// Whether a fix says more than the one last written: a minute later somewhere else, or ten minutes later.
fn worth_writing(fix: &Fix, written: Option<&(Fix, Boot)>, now: Boot) -> bool {
    let Some((last, at)) = written else { return true };
    let north = (fix.point.latitude - last.point.latitude).abs();
    let east = (fix.point.longitude - last.point.longitude).abs();
    now >= *at + if north.max(east) > ELSEWHERE_DEGREES { PACE } else { SLOW_PACE }
}

/// The rows of what changed.
pub(super) fn rows(engine: &mut Engine, now: Stamp) -> Vec<Row> {
    let mut rows = Vec::new();
    let Engine { state, child, trip, diagnosis, kept, .. } = engine;
    let Kept { boot_id, signals, .. } = kept;
    let due = |written: Option<Boot>| written.is_none_or(|written| now.boot >= written + PACE);
    if std::mem::take(&mut kept.told) {
        kept.fix = None;
    }
    if kept.child.as_ref() != Some(child.memory()) {
        kept.child = Some(child.memory().clone());
        rows.extend(row(CHILD, now, boot_id, child.memory()));
    }
    if kept.ignition.as_ref().is_none_or(|kept| !state.ignition_is(kept)) {
        let ignition = state.ignition_kept();
        rows.extend(row(IGNITION, now, boot_id, &ignition));
        kept.ignition = Some(ignition);
    }
    let written = kept.trip.as_ref();
    let same =
        written.is_some_and(|(memory, at)| memory == trip.memory() || (memory.same_trip(trip.memory()) && !due(Some(*at))));
    if !same {
        kept.trip = Some((trip.memory().clone(), now.boot));
        rows.extend(row(TRIP, now, boot_id, trip.memory()));
    }
    if std::mem::take(&mut kept.conditions_changed) {
        rows.extend(row(DIAGNOSIS, now, boot_id, &diagnosis.conditions(state.layout())));
    }
    if let Some(fix) = state.fix().filter(|fix| worth_writing(fix, kept.fix.as_ref(), now.boot)) {
        kept.fix = Some((*fix, now.boot));
        rows.extend(row(FIX, now, boot_id, fix));
    }
    for signal in signals {
        let SignalRow { sources, paced, changed, written, .. } = signal;
        for id in sources.iter() {
            *changed |= state.take_news(*id);
        }
        if *changed && (!*paced || due(*written)) {
            (*changed, *written) = (false, Some(now.boot));
            let words = sources
                .iter()
                .filter_map(|id| Some(SourceWord { source: source_name(state.layout(), *id)?, word: state.last_word(*id)? }));
            let words: Vec<SourceWord> = words.collect();
            rows.extend(row(&format!("{SIGNAL}{}", signal.signal), now, boot_id, &words));
        }
    }
    let boot_id = boot_id.clone();
    engine.codes.rows(now.boot, |key, state| match state {
        Some(state) => rows.extend(row(key, now, &boot_id, &state)),
        None => rows.push(Row { key: key.to_owned(), value: None }),
    });
    rows.extend(engine.geofences.rows());
    rows
}

fn row<T: Serialize>(key: &str, now: Stamp, boot_id: &str, state: &T) -> Option<Row> {
    let Stamp { boot, wall, source } = now;
    let envelope = Envelope { version: VERSION, boot_id: boot_id.to_owned(), boot, wall, source, state };
    let value = serde_json::to_vec(&envelope).ok()?;
    Some(Row { key: key.to_owned(), value: Some(value) })
}

fn source_name(layout: &Layout, id: SourceId) -> Option<String> {
    let spec = layout.source(id)?;
    let bus = spec.bus.and_then(|bus| layout.buses.get(usize::from(bus.0))).map_or("board", String::as_str);
    Some(format!("{bus}/{}", spec.name))
}

/// The rows of a journal that are the engine's own.
struct Shelf<'a> {
    rows: Vec<(&'a str, Envelope<Box<RawValue>>)>,
    now: Stamp,
    boot_id: &'a str,
}

impl<'a> Shelf<'a> {
    /// Those of this version that can be read.
    fn new(rows: &'a [Row], now: Stamp, boot_id: &'a str) -> Shelf<'a> {
        let read = rows.iter().filter(|row| ours(&row.key)).filter_map(|row| {
            let envelope: Envelope<Box<RawValue>> = serde_json::from_slice(row.value.as_ref()?).ok()?;
            (envelope.version == VERSION).then_some((row.key.as_str(), envelope))
        });
        Shelf { rows: read.collect(), now, boot_id }
    }

    /// The state under `key`, and how far its times lie from this boot's, in µs.
    fn get<T: DeserializeOwned>(&self, key: &str) -> Option<(T, i64)> {
        let envelope = self.row(key)?;
        let state = serde_json::from_str(envelope.state.get()).ok()?;
        Some((state, self.shift(&envelope.boot_id)))
    }

    fn row(&self, key: &str) -> Option<&Envelope<Box<RawValue>>> {
        self.rows.iter().find(|(name, _)| *name == key).map(|(_, row)| row)
    }

    /// From the time scale of `boot_id` to this boot's; where nobody knows how long the cut was, as if it had been long.
    fn shift(&self, boot_id: &str) -> i64 {
        let last = self.rows.iter().map(|(_, row)| row).filter(|row| row.boot_id == boot_id).map(|row| row.boot).max();
        let long = |last: Boot| self.now.boot.micros().saturating_sub(UNKNOWN_CUT_US).saturating_sub(last.micros());
        self.known_shift(boot_id).unwrap_or_else(|| last.map_or(0, long))
    }

    /// The same, where it is known.
    fn known_shift(&self, boot_id: &str) -> Option<i64> {
        if boot_id == self.boot_id {
            return Some(0);
        }
        // The last row of that boot was written nearest to the cut.
        let of_that = self.rows.iter().map(|(_, row)| row).filter(|row| row.boot_id == boot_id);
        let last = of_that.max_by_key(|row| row.boot)?;
        let away = self.now.wall.micros().saturating_sub(last.wall.micros());
        let vouched = last.source != TimeSource::Unset && self.now.source != TimeSource::Unset;
        let known = vouched && (0..=LONGEST_CUT_US).contains(&away);
        known.then(|| self.now.boot.micros().saturating_sub(away).saturating_sub(last.boot.micros()))
    }

    /// From the time scale of the boot before this one, where it is known.
    fn last_boot(&self) -> Option<i64> {
        self.known_shift(&self.row(DIAGNOSIS)?.boot_id)
    }
}

fn ours(key: &str) -> bool {
    [CHILD, IGNITION, TRIP, DIAGNOSIS, FIX, LAMPS].contains(&key) || [SIGNAL, RECORD].iter().any(|kind| key.starts_with(kind))
}

/// Goes on from `rows`.
pub(super) fn restore(engine: &mut Engine, rows: &[Row], now: Stamp, boot_id: &str) {
    engine.kept = Kept { boot_id: boot_id.to_owned(), ..Kept::new(engine.state.layout()) };
    let shelf = Shelf::new(rows, now, boot_id);
    if let Some((mut ignition, shift)) = shelf.get::<IgnitionKept>(IGNITION) {
        ignition.shift(shift);
        engine.state.restore_ignition(ignition);
    }
    if let Some((mut fix, shift)) = shelf.get::<Fix>(FIX) {
        fix.at = fix.at.shifted(shift);
        engine.state.restore_fix(fix);
        engine.geofences.pass_over(&fix);
    }
    restore_signals(engine, &shelf);
    match shelf.get::<child::Memory>(CHILD) {
        Some((mut memory, shift)) => {
            memory.shift(shift);
            engine.child.restore(memory);
        }
        None if rows.iter().any(|row| ours(&row.key)) => engine.child.restore_blind(),
        None => {}
    }
    if let Some((mut memory, shift)) = shelf.get::<trip::Memory>(TRIP) {
        memory.shift(shift, now.boot);
        engine.trip.restore(memory);
    }
    if let Some((conditions, _)) = shelf.get::<diagnosis::Conditions>(DIAGNOSIS) {
        engine.diagnosis.restore(&conditions, engine.state.layout());
    }
    let lamps = shelf.row(LAMPS).map(|row| &*row.state);
    let records = shelf.rows.iter().filter(|(key, _)| key.starts_with(RECORD)).map(|(_, row)| &*row.state);
    engine.codes.restore(lamps, records, now.boot);
    let shift = shelf.last_boot();
    // A fence's row that cannot be read is as none: its state is that of the next believed fix.
    let _ = engine.geofences.restore(rows, |stamp| shift.map(|shift| stamp.boot.shifted(shift)));
}

fn restore_signals(engine: &mut Engine, shelf: &Shelf) {
    let ids = 0..engine.state.layout().sources.len();
    for id in ids.filter_map(|at| u16::try_from(at).ok()).map(SourceId) {
        let Some(signal) = engine.state.layout().source(id).map(|spec| spec.signal) else { continue };
        let name = source_name(engine.state.layout(), id);
        let Some((words, shift)) = shelf.get::<Vec<SourceWord>>(&format!("{SIGNAL}{signal}")) else { continue };
        if let Some(SourceWord { mut word, .. }) = words.into_iter().find(|word| Some(&word.source) == name.as_ref()) {
            word.at = word.at.shifted(shift);
            engine.state.restore_word(id, word);
        }
    }
}
