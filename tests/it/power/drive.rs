//! A recorded drive, and the engine that it goes through.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use telltale::can::{self, Intake, candump::Line, profile::Profile};
use telltale::clock::{Boot, Stamp, TimeSource, Wall};
use telltale::detect::{Engine, Settings};
use telltale::geo::{self, Fence, FenceSource};
use telltale::gnss;
use telltale::sim::{self, SCENARIOS};
use telltale::vehicle::{BusId, Fix, Frame, Observation, Vin};

use crate::scenarios::record;
use crate::unit::{project, shared_data};

/// What a drive consists of, by the recording's own time.
enum Input {
    /// On the bus at this place of the profile.
    Frame(usize, Frame),
    Fix(Fix),
}

/// A drive with an alert in it.
pub struct Drive {
    profile: Profile,
    fences: Vec<Fence>,
    inputs: Vec<(Boot, Input)>,
    /// What is added to the recording's times, µs: no clock shows what was before the program was built.
    later: i64,
}

impl Drive {
    /// A recorded one where there are some, else one of the simulated car's.
    pub fn load() -> Drive {
        match shared_data() {
            Some(data) => {
                let drives = data.join("drives");
                Drive::read(&drives, &drives.join("hyundai.toml"), "child-left-sensor")
            }
            None => {
                let folder = tempfile::tempdir().unwrap();
                let (candump, nmea) = (folder.path().join("drive.candump"), folder.path().join("drive.nmea"));
                record(&SCENARIOS[0], 1, &candump, &nmea);
                std::fs::write(folder.path().join("fences.geojson"), sim::FENCES).unwrap();
                Drive::read(folder.path(), &project("src/sim/car.toml"), "drive")
            }
        }
    }

    fn read(folder: &Path, profile: &Path, name: &str) -> Drive {
        let profile = Profile::read(profile).unwrap();
        let text = std::fs::read_to_string(folder.join("fences.geojson")).unwrap();
        let fences = geo::read(&text, FenceSource::File).unwrap();
        let open = |ending: &str| BufReader::new(File::open(folder.join(format!("{name}.{ending}"))).unwrap());
        let mut inputs = frames(open("candump"), &profile);
        inputs.extend(fixes(open("nmea")));
        inputs.sort_by_key(|(at, _)| *at);
        let begin = inputs[0].0.micros();
        let later = (Wall::build().micros() + 1_000_000 - begin).max(0);
        Drive { profile, fences, inputs, later }
    }

    /// The vehicle.
    pub fn vin() -> Vin {
        Vin::try_from("KMHSH81C7LU123456".to_owned()).unwrap()
    }

    /// An engine that has seen nothing.
    pub fn engine(&self) -> Engine {
        Engine::new(Settings::default(), Drive::vin(), self.profile.layout.clone(), self.fences.clone())
    }

    /// When it begins.
    pub fn begin(&self) -> Wall {
        self.stamp(self.inputs[0].0).wall
    }

    /// A moment of the recording on both scales.
    pub fn stamp(&self, at: Boot) -> Stamp {
        Stamp { boot: at, wall: Wall::from_micros(at.micros() + self.later), source: TimeSource::Gnss }
    }

    /// Each input in its order, as the engine is told of it.
    pub fn observations(&self) -> impl Iterator<Item = (Boot, Vec<Observation>)> + '_ {
        let decoder = Arc::new(self.profile.decoder.clone());
        let buses = (0..=u8::MAX).zip(&self.profile.layout.buses);
        let intake = |(id, name): (u8, &String)| Intake::new(BusId(id), name, decoder.clone(), can::Counters::default());
        let mut intakes: Vec<Intake> = buses.map(intake).collect();
        self.inputs.iter().map(move |(at, input)| {
            let mut seen = Vec::new();
            match input {
                Input::Frame(bus, frame) => intakes[*bus].frame(*at, frame, |_, told| seen.extend_from_slice(told)),
                Input::Fix(fix) => seen.push(Observation::Fix(*fix)),
            }
            (*at, seen)
        })
    }
}

fn frames(log: impl std::io::BufRead, profile: &Profile) -> Vec<(Boot, Input)> {
    let mut reader = can::log::Reader::new(log);
    let mut frames = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let can::log::Entry::Frame(Line { interface, frame }) = entry else { panic!("a malformed line") };
        if let Some(bus) = profile.buses.iter().position(|bus| bus.interface.as_deref() == Some(interface)) {
            frames.push((frame.at, Input::Frame(bus, frame)));
        }
    }
    frames
}

fn fixes(log: impl Read) -> impl Iterator<Item = (Boot, Input)> {
    gnss::Log::new(log, gnss::Settings::default().uere).filter_map(|entry| match entry.unwrap() {
        gnss::Entry::Fix(fix) => (fix.at > Boot::from_micros(0)).then_some((fix.at, Input::Fix(fix))),
        gnss::Entry::Malformed(number, why) => panic!("line {number}: {why}"),
    })
}
