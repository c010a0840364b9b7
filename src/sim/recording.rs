//! What a car sent, as files that others can play: `NAME.candump` in the format of `candump -L`, as `canplayer` reads it,
//! and `NAME.nmea` as the receiver sent it, lines ended by CR LF.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::car::Output;
use crate::can::candump::Line;
use crate::clock::{Boot, Wall};

/// A recording that is being made. On disk up to the last fix.
#[derive(Debug)]
pub struct Recording {
    frames: BufWriter<File>,
    sentences: BufWriter<File>,
}

/// The interfaces of the buses, as in `car.toml`.
const INTERFACES: [(&str, &str); 2] = [("body", "can0"), ("cabin", "can1")];

impl Recording {
    /// Begins `DIR/NAME.candump` and `DIR/NAME.nmea`, and makes the folder where it is not there. Files that are there
    /// already are an error.
    pub fn create(dir: &Path, name: &str) -> io::Result<Recording> {
        fs::create_dir_all(dir)?;
        let create = |kind: &str| {
            let path = dir.join(format!("{name}.{kind}"));
            let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            File::create_new(&path).map(BufWriter::new).map_err(told)
        };
        Ok(Recording { frames: create("candump")?, sentences: create("nmea")? })
    }

    /// Writes what was sent at `wall`.
    pub(super) fn write(&mut self, wall: Wall, output: &Output) -> io::Result<()> {
        match output {
            Output::Frame { bus, frame } => {
                let interface = INTERFACES.iter().find(|(name, _)| name == bus).map_or(*bus, |(_, interface)| interface);
                let mut frame = frame.clone();
                frame.at = Boot::from_micros(wall.micros());
                writeln!(self.frames, "{}", Line { interface, frame })
            }
            Output::Sentence(sentence) => {
                self.sentences.write_all(sentence)?;
                self.sentences.write_all(b"\r\n")?;
                // The last of an epoch.
                if sentence.get(3..6) == Some(b"ZDA".as_slice()) { self.flush() } else { Ok(()) }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.frames.flush()?;
        self.sentences.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sim::{Car, PROFILE, Place, SCENARIOS};

    #[test]
    fn others_can_play_what_was_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let start = Wall::from_micros(1_771_545_600_000_000);
        let mut car = Car::new(&SCENARIOS[0], 1, Place::beginning(start)).unwrap();
        let mut recording = Recording::create(dir.path(), "drive").unwrap();
        let (mut frames, mut sentences) = (Vec::new(), Vec::new());
        let mut after = Duration::ZERO;
        while after < Duration::from_secs(20) {
            let (due, output) = car.next().unwrap();
            after = due;
            recording.write(car.place(after).wall, &output).unwrap();
            match output {
                Output::Frame { bus, frame } => frames.push((bus, frame, after)),
                Output::Sentence(sentence) => sentences.push(sentence),
            }
        }
        drop(recording);
        let log = fs::read_to_string(dir.path().join("drive.candump")).unwrap();
        assert_eq!(log.lines().count(), frames.len());
        for (line, (bus, frame, after)) in log.lines().zip(frames) {
            let read = Line::parse(line.as_bytes()).unwrap();
            assert_eq!(read.interface, if bus == "body" { "can0" } else { "can1" });
            assert_eq!((read.frame.id, read.frame.extended, &read.frame.data), (frame.id, frame.extended, &frame.data));
            assert_eq!(read.frame.at, Boot::from_micros(start.micros()) + after);
        }
        let nmea = fs::read(dir.path().join("drive.nmea")).unwrap();
        let expected = sentences.iter().flat_map(|sentence| [sentence.as_slice(), b"\r\n"].concat()).collect::<Vec<u8>>();
        assert_eq!(nmea, expected);

        let error = Recording::create(dir.path(), "drive").unwrap_err();
        assert!(error.to_string().contains("drive.candump"), "{error}");
    }

    #[test]
    fn interfaces_are_those_of_the_profile() {
        let profile: toml::Table = PROFILE.parse().unwrap();
        let buses = profile["bus"].as_table().unwrap();
        let named = buses.iter().map(|(name, bus)| (name.as_str(), bus["interface"].as_str().unwrap())).collect::<Vec<_>>();
        assert_eq!(named, INTERFACES);
    }
}
