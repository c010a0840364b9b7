//! Where the car is, kept over a restart.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::car::{Car, Place};
use super::story::Scenario;
use crate::clock::Wall;

/// A file that holds a place which the car has not yet passed.
///
/// It is written ahead: 2 s of the car's time beyond what has been sent. A car that is killed at any moment therefore
/// starts again where nothing has been sent yet, and its clock never goes back; it leaves out up to 2 s.
#[derive(Debug)]
pub struct PlaceFile {
    path: PathBuf,
    scenario: &'static str,
    /// Up to where the file holds good, counted from the car's start.
    reached: Duration,
}

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    scenario: String,
    place: Place,
}

const AHEAD: Duration = Duration::from_secs(2);

impl PlaceFile {
    /// The place in which `dir` says that the car of `scenario` is, and the file that keeps it from now on.
    ///
    /// Without a file, it is the beginning of the story at `now`; with one of another scenario, its beginning at the time
    /// which that one's clock showed. A file that cannot be read is an error.
    pub fn resume(dir: &Path, scenario: &Scenario, now: Wall) -> io::Result<(Place, PlaceFile)> {
        let path = dir.join("demo-place.json");
        let place = match fs::read(&path) {
            Ok(bytes) => {
                let unreadable = |error| {
                    let path = path.display();
                    io::Error::new(ErrorKind::InvalidData, format!("{path}: {error}; remove it to begin the story anew"))
                };
                let kept: Kept = serde_json::from_slice(&bytes).map_err(unreadable)?;
                if kept.scenario == scenario.name { kept.place } else { Place::beginning(kept.place.wall) }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Place::beginning(now),
            Err(error) => return Err(error),
        };
        Ok((place, PlaceFile { path, scenario: scenario.name, reached: Duration::ZERO }))
    }

    /// The car is about to send what is due `after` its start.
    pub(super) fn reach(&mut self, car: &Car, after: Duration) -> io::Result<()> {
        if after < self.reached {
            return Ok(());
        }
        let reached = after + AHEAD;
        let kept = Kept { scenario: self.scenario.to_owned(), place: car.place(reached) };
        let new = self.path.with_extension("new");
        fs::write(&new, serde_json::to_vec(&kept)?)?;
        fs::rename(&new, &self.path)?;
        self.reached = reached;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SCENARIOS;

    const NOW: Wall = Wall::from_micros(1_771_545_600_000_000);

    #[test]
    fn a_killed_car_goes_on_where_nothing_has_been_sent_yet() {
        let dir = tempfile::tempdir().unwrap();
        let scenario = &SCENARIOS[0];
        let (place, mut file) = PlaceFile::resume(dir.path(), scenario, NOW).unwrap();
        assert_eq!(place, Place::beginning(NOW));
        let mut car = Car::new(scenario, 1, place).unwrap();
        let mut sent = Duration::ZERO;
        while sent < Duration::from_secs(30) {
            (sent, _) = car.next().unwrap();
            file.reach(&car, sent).unwrap();
        }
        let (resumed, _) = PlaceFile::resume(dir.path(), scenario, Wall::from_micros(0)).unwrap();
        let (least, most) = (car.place(sent), car.place(sent + AHEAD));
        assert!(least.wall < resumed.wall && resumed.wall <= most.wall, "{resumed:?}");
        assert!(least.within_us < resumed.within_us && resumed.within_us <= most.within_us, "{resumed:?}");

        let (other, _) = PlaceFile::resume(dir.path(), &SCENARIOS[1], Wall::from_micros(0)).unwrap();
        assert_eq!(other, Place::beginning(resumed.wall), "another story begins, but time does not go back");
    }

    #[test]
    fn a_file_that_cannot_be_read_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("demo-place.json"), "{").unwrap();
        let error = PlaceFile::resume(dir.path(), &SCENARIOS[0], NOW).unwrap_err().to_string();
        assert!(error.contains("demo-place.json") && error.contains("remove it"), "{error}");
    }
}
