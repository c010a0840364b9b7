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
