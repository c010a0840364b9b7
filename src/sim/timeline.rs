//! A scenario worked out: what is true of the car at any moment of its story, as a pure function of time.
//!
//! What drifts (temperatures, charge) does so towards a level that the step decides, and has settled into the loop
//! before it is first told: the end of one loop joins the beginning of the next without a jump, the first one included.

use super::noise::Noise;
use super::route::{Drive, Pose, point};
use super::story::{Act, Climate, Expected, Incident, Key, Scenario, Seat, Step, Telling};
use super::truth::Truth;

/// The body bus falls asleep this long after the last thing that was done to the locked car, s.
const FALLS_ASLEEP: f64 = 20.0;
/// A gateway may take this long after a step to tell what the step tells, s.
const GRACE: f64 = 3.0;
/// A gateway that asks the ECUs may take this long to tell what it learns, s: it keeps silent until 10 s after a tester's
/// last frame.
const ASKED_GRACE: f64 = 30.0;
/// A closed car in the sun gets this much warmer than the air around it, with this time constant (McLaren 2005).
const SUN: (f64, f64) = (23.0, 18.6 * 60.0);
/// How fast the air conditioning does its work, s.
const AIR_CONDITIONING: f64 = 45.0;
/// Coolant: °C of the thermostat, and the time constants of warming up and cooling down, s.
const COOLANT: (f64, f64, f64) = (90.0, 240.0, 5400.0);
/// What the odometer showed before the first loop, km.
const ODOMETER: f64 = 24_680.0;

/// Half the distance between the wheels of an axle, m.
const HALF_TRACK: f64 = 0.77;
/// The rear seats' bits.
const REAR: u8 = (1 << Seat::RearLeft as u8) | (1 << Seat::RearMiddle as u8) | (1 << Seat::RearRight as u8);

/// Channels of chance.
const VOLTS: u64 = 1;
const STIRRING: u64 = 2;
const IDLING: u64 = 3;

/// A scenario, ready to be asked.
#[derive(Debug)]
pub struct Timeline {
    /// The parked car before the first step.
    before: Scene,
    scenes: Vec<Scene>,
    length: f64,
    distance: f64,
    climate: Climate,
    sensor_works: bool,
    noise: Noise,
}

/// One step of the story, worked out.
#[derive(Debug)]
struct Scene {
    begin: f64,
    end: f64,
    state: State,
    /// The state's drifting part as it is at `begin`.
    drift: Drift,
    motion: Motion,
    /// Driven since the loop's beginning, m.
    driven: f64,
    /// Since when nobody has done anything to the locked car; `None` while it is not left alone.
    quiet: Option<f64>,
    tells: &'static [Telling],
    incidents: &'static [Incident],
}

#[derive(Debug)]
enum Motion {
    Standing(Pose),
    Driving(Drive),
    Towed(Drive),
}

/// What changes in steps.
#[derive(Clone, Copy, Debug, PartialEq)]
struct State {
    key: Key,
    engine: bool,
    open: u8,
    locked: bool,
    taken: u8,
    belted: u8,
    footwell: bool,
    lights: bool,
}

/// What changes by and by, °C.
#[derive(Clone, Copy, Debug)]
struct Drift {
    cabin: f64,
    coolant: f64,
}

impl Timeline {
    /// Works `scenario` out. Chance comes from `seed`.
    pub fn new(scenario: &Scenario, seed: u64) -> Timeline {
        let before = Scene::before(scenario.climate);
        let mut scenes: Vec<Scene> = Vec::new();
        for step in scenario.story.iter().flat_map(|chapter| chapter.iter()) {
            let next = scenes.last().unwrap_or(&before).then(step);
            scenes.push(next);
        }
        // A loop takes whole seconds, so that the last step may take a little longer.
        let end = scenes.last().map_or(1.0, |last| last.end.ceil());
        scenes.last_mut().into_iter().for_each(|last| last.end = end);
        let last = scenes.last().unwrap_or(&before);
        let (length, distance) = (end, last.driven + last.motion.wheeled(f64::MAX));
        let (climate, sensor_works) = (scenario.climate, scenario.sensor_works);
        let mut timeline = Timeline { before, scenes, length, distance, climate, sensor_works, noise: Noise::new(seed) };
        timeline.settle();
        timeline
    }

    /// Joins the end of the loop to its beginning.
    fn settle(&mut self) {
        let parked = self.scenes.last().map(|last| last.motion.at(f64::MAX)).unwrap_or_default();
        for scene in &mut self.scenes {
            let Motion::Standing(pose) = &mut scene.motion else { break };
            *pose = parked;
        }
        let mut drift = Drift::settled(self.climate);
        for _ in 0..50 {
            for scene in &mut self.scenes {
                scene.drift = drift;
                drift = drift.after(scene.end - scene.begin, &scene.state, self.climate);
            }
        }
        let quiet = self.scenes.last().and_then(|last| last.quiet).map(|since| since - self.length);
        for scene in self.scenes.iter_mut().take_while(|scene| scene.quiet == Some(0.0)) {
            scene.quiet = quiet.or(scene.quiet);
        }
    }

    /// How long a loop takes: whole seconds.
    pub fn length(&self) -> f64 {
        self.length
    }

    /// What is true `seconds` after the first loop began.
    pub fn at(&self, seconds: f64) -> Truth {
        let loops = (seconds / self.length).floor().max(0.0);
        let within = (seconds - loops * self.length).clamp(0.0, self.length);
        let next = self.scenes.partition_point(|scene| scene.begin <= within);
        let scene = self.scenes.get(next.saturating_sub(1)).unwrap_or(&self.before);
        self.truth(scene, within, loops, seconds)
    }

    fn truth(&self, scene: &Scene, within: f64, loops: f64, seconds: f64) -> Truth {
        let state = scene.state;
        let elapsed = within - scene.begin;
        let pose = scene.motion.at(elapsed);
        let drift = scene.drift.after(elapsed, &state, self.climate);
        let wheels = if matches!(scene.motion, Motion::Towed(_)) { 0.0 } else { pose.speed * 3.6 };
        let driven = scene.driven + scene.motion.wheeled(elapsed);
        let (battery, current) = state.charge();
        let occupant = state.footwell || state.taken & REAR != 0;
        let idling = if state.engine { 780.0 + 8.0 * self.noise.wander(IDLING, seconds, 1.0) } else { 0.0 };
        Truth {
            key: state.key,
            engine: state.engine,
            open: state.open,
            locked: state.locked,
            taken: state.taken,
            belted: state.belted,
            awake: scene.quiet.is_none_or(|since| within - since < FALLS_ASLEEP),
            point: point(pose.east, pose.north),
            heading: (90.0 - pose.heading.to_degrees()).rem_euclid(360.0),
            speed: pose.speed * 3.6,
            wheels: [-1.0, 1.0].map(|side| wheels * (1.0 + side * pose.curvature * HALF_TRACK)),
            sky: pose.sky,
            engine_speed: if state.key == Key::Start { 220.0 } else { idling + 26.0 * wheels },
            coolant: drift.coolant,
            cabin: drift.cabin,
            outside: self.climate.outside,
            battery: battery + 0.04 * self.noise.wander(VOLTS, seconds, 3.0),
            current,
            odometer: ODOMETER + (loops * self.distance + driven) / 1000.0,
            occupant,
            stirs: occupant && self.noise.wander(STIRRING, seconds, 8.0) > 0.1,
            sensor_works: self.sensor_works,
        }
    }

    /// What a gateway tells in each loop, in the order of the steps that tell it.
    pub fn expected(&self) -> Vec<Expected> {
        let of = |scene: &Scene| {
            let (earliest, latest) = (scene.begin, scene.end + GRACE);
            scene.tells.iter().map(move |&telling| Expected { telling, earliest, latest })
        };
        self.scenes.iter().flat_map(of).collect()
    }

    /// What one that asks the ECUs tells besides, in order.
    pub fn expected_when_asking(&self) -> Vec<Expected> {
        let of = |(earliest, incident): (f64, &'static Incident)| {
            let latest = earliest + ASKED_GRACE;
            incident.tells.iter().map(move |&telling| Expected { telling, earliest, latest })
        };
        self.incidents().flat_map(of).collect()
    }

    /// What befalls the ECUs in each loop, seconds into it.
    fn incidents(&self) -> impl Iterator<Item = (f64, &'static Incident)> {
        let of = |scene: &Scene| {
            let begin = scene.begin;
            scene.incidents.iter().map(move |incident| (begin + incident.after, incident))
        };
        self.scenes.iter().flat_map(of)
    }

    /// The first thing that befalls the ECUs more than `seconds` after the first loop began.
    pub(super) fn incident_after(&self, seconds: f64) -> Option<(f64, &'static Incident)> {
        let loops = (seconds / self.length).floor().max(0.0);
        let all = [0.0, 1.0].map(|further| (loops + further) * self.length);
        let mut all = all.into_iter().flat_map(|base| self.incidents().map(move |(at, incident)| (base + at, incident)));
        all.find(|(at, _)| *at > seconds)
    }

    /// When the loop before that of this moment began; the first one's beginning in the first.
    pub(super) fn loop_before(&self, seconds: f64) -> f64 {
        ((seconds / self.length).floor() - 1.0).max(0.0) * self.length
    }
}

impl Scene {
    fn before(climate: Climate) -> Scene {
        Scene {
            begin: 0.0,
            end: 0.0,
            state: State::LEFT_AT_HOME,
            drift: Drift::settled(climate),
            motion: Motion::Standing(Pose { sky: true, ..Pose::default() }),
            driven: 0.0,
            quiet: None,
            tells: &[],
            incidents: &[],
        }
    }

    /// What follows it when `step` is taken; drift is worked out later.
    fn then(&self, step: &Step) -> Scene {
        let begin = self.end;
        let state = self.state.after(step.act);
        let left_alone = state.locked && state.open == 0 && state.key == Key::Off;
        let undisturbed = matches!(step.act, Act::Wait | Act::Tow(_));
        let (motion, lasts) = match step.act {
            Act::Drive(route) => Motion::along(Drive::new(route), step.lasts, Motion::Driving),
            Act::Tow(route) => Motion::along(Drive::new(route), step.lasts, Motion::Towed),
            _ => (Motion::Standing(self.motion.at(f64::MAX)), step.lasts),
        };
        Scene {
            begin,
            end: begin + lasts,
            state,
            drift: self.drift,
            motion,
            driven: self.driven + self.motion.wheeled(f64::MAX),
            quiet: left_alone.then(|| self.quiet.filter(|_| undisturbed).unwrap_or(begin)),
            tells: step.tells,
            incidents: step.incidents,
        }
    }
}

impl Motion {
    fn along(drive: Drive, rest: f64, how: fn(Drive) -> Motion) -> (Motion, f64) {
        let lasts = drive.duration() + rest;
        (how(drive), lasts)
    }

    /// `seconds` into it.
    fn at(&self, seconds: f64) -> Pose {
        match self {
            Motion::Standing(pose) => *pose,
            Motion::Driving(drive) | Motion::Towed(drive) => drive.at(seconds),
        }
    }

    /// What the car has rolled on its own wheels `seconds` into it, m.
    fn wheeled(&self, seconds: f64) -> f64 {
        match self {
            Motion::Driving(drive) => drive.at(seconds).along,
            Motion::Standing(_) | Motion::Towed(_) => 0.0,
        }
    }
}

impl State {
    const LEFT_AT_HOME: State =
        State { key: Key::Off, engine: false, open: 0, locked: true, taken: 0, belted: 0, footwell: false, lights: false };

    #[must_use]
    fn after(mut self, act: Act) -> State {
        match act {
            Act::Wait | Act::Drive(_) | Act::Tow(_) => {}
            Act::Unlock => self.locked = false,
            Act::Lock => self.locked = true,
            Act::Open(door) => self.open |= 1 << door as u8,
            Act::Close(door) => self.open &= !(1 << door as u8),
            Act::Sit(seat) => self.taken |= 1 << seat as u8,
            Act::Leave(seat) => self.taken &= !(1 << seat as u8),
            Act::Buckle(seat) => self.belted |= 1 << seat as u8,
            Act::Unbuckle(seat) => self.belted &= !(1 << seat as u8),
            Act::CreepIn => self.footwell = true,
            Act::CreepOut => self.footwell = false,
            Act::LightsOn => self.lights = true,
            Act::LightsOff => self.lights = false,
            Act::Turn(key) => {
                self.engine = key == Key::On && (self.engine || self.key == Key::Start);
                self.key = key;
            }
        }
        self
    }

    /// Battery voltage and current.
    fn charge(&self) -> (f64, f64) {
        match self.key {
            Key::Start => (10.6, -180.0),
            Key::On if self.engine => (14.2, 12.0),
            Key::On | Key::Accessory => (12.3, -9.0),
            Key::Off if self.lights => (11.55, -26.0),
            Key::Off => (12.6, -0.4),
        }
    }
}

impl Drift {
    fn settled(climate: Climate) -> Drift {
        Drift { cabin: climate.outside, coolant: climate.outside }
    }

    /// `seconds` later, while the car is in `state`.
    fn after(self, seconds: f64, state: &State, climate: Climate) -> Drift {
        let towards = |level: f64, from: f64, constant: f64| level + (from - level) * (-seconds / constant).exp();
        let (thermostat, warming, cooling) = COOLANT;
        if state.engine {
            Drift {
                cabin: towards(climate.cooled, self.cabin, AIR_CONDITIONING),
                coolant: towards(thermostat, self.coolant, warming),
            }
        } else {
            Drift {
                cabin: towards(climate.outside + SUN.0, self.cabin, SUN.1),
                coolant: towards(climate.outside, self.coolant, cooling),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SCENARIOS;

    #[test]
    fn every_story_ends_as_it_begins() {
        for scenario in SCENARIOS {
            let timeline = Timeline::new(scenario, 1);
            let last = timeline.scenes.last().unwrap();
            assert_eq!(last.state, State::LEFT_AT_HOME, "{}", scenario.name);
            let (end, begin) = (timeline.at(timeline.length - 1e-6), timeline.at(timeline.length));
            assert!((end.cabin - begin.cabin).abs() < 1e-3 && (end.coolant - begin.coolant).abs() < 1e-3, "{}", scenario.name);
            assert!(
                (end.point.latitude - begin.point.latitude).abs() < 1e-6 && end.heading == begin.heading,
                "{}",
                scenario.name
            );
            assert!((end.odometer - begin.odometer).abs() < 1e-3 && end.awake == begin.awake, "{}", scenario.name);
        }
    }
}
