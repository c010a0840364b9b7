//! `telltale decode can`: a log of CAN frames as physical values, one JSON object a frame.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Exit, recording};
use crate::can::candump::Line;
use crate::can::dbc::{Database, Loss, Message};
use crate::can::log::{Entry, Reader};
use crate::vehicle::FrameKind;

/// Decode a `candump -L` log with DBC files.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: telltale decode can --dbc car.dbc --dbc sensor.dbc drive.candump")]
pub struct DecodeCan {
    /// A DBC file; may be given several times. Where two know an id, the one given last is asked.
    #[arg(long, required = true, value_name = "FILE")]
    dbc: Vec<PathBuf>,
    /// The log; `-` is standard input.
    #[arg(value_name = "FILE")]
    log: PathBuf,
}

/// Runs the command.
pub fn run(arguments: &DecodeCan) -> ExitCode {
    let mut databases = Vec::new();
    for path in &arguments.dbc {
        match load(path) {
            Ok(database) => databases.push(database),
            Err(code) => return code,
        }
    }
    recording::decode(&arguments.log, "malformed lines", |input, out| decode(&databases, input, out))
}

/// All of a database is needed here, so every loss is an error.
fn load(path: &Path) -> Result<Database, ExitCode> {
    let database = Database::read(path).map_err(|error| recording::failed(path, &error))?;
    if database.messages().is_empty() {
        eprintln!("{}: no message stands in it: a DBC file has lines such as `BO_ 1345 NAME: 8 NODE`", path.display());
    }
    let mut code = None;
    for fault in database.faults() {
        let lost = fault.loss != Loss::Nothing;
        eprintln!("{}:{}: {}: {}", path.display(), fault.line, if lost { "error" } else { "passed over" }, fault.what);
        if lost {
            code = Some(Exit::Configuration.into());
        }
    }
    code.map_or(Ok(database), Err)
}

/// Writes an object for each frame that some database knows; how many lines were malformed.
fn decode(databases: &[Database], input: impl BufRead, out: &mut impl Write) -> io::Result<u64> {
    let mut reader = Reader::new(input);
    let mut malformed = 0;
    while let Some(entry) = reader.next_entry()? {
        match entry {
            Entry::Frame(line) => {
                let frame = &line.frame;
                // A remote frame asks for a message, and an error frame is none.
                if !matches!(frame.kind, FrameKind::Classical | FrameKind::Fd) {
                    continue;
                }
                let known = databases.iter().rev().find_map(|database| database.message(frame.id, frame.extended));
                if let Some(message) = known {
                    write(&line, message, out)?;
                }
            }
            Entry::Malformed { number, why } => {
                eprintln!("line {number}: {why}");
                malformed += 1;
            }
        }
    }
    Ok(malformed)
}

fn write(line: &Line<'_>, message: &Message, out: &mut impl Write) -> io::Result<()> {
    let micros = line.frame.at.micros();
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    write!(out, "{{\"time\":{seconds}.{fraction:06},\"interface\":")?;
    serde_json::to_writer(&mut *out, line.interface)?;
    write!(out, ",\"id\":{},\"message\":", line.frame.id)?;
    serde_json::to_writer(&mut *out, message.name())?;
    out.write_all(b",\"signals\":")?;
    serde_json::to_writer(&mut *out, &Signals(message, &line.frame.data))?;
    out.write_all(b"}\n")
}

/// The signals that a payload carries. NaN and infinity become `null`, as JSON has no word for them.
struct Signals<'a>(&'a Message, &'a [u8]);

impl Serialize for Signals<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Signals(message, data) = self;
        let mut map = serializer.serialize_map(None)?;
        for (signal, value) in message.decode(data) {
            map.serialize_entry(signal.name(), &value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_becomes_an_object_with_its_time_as_logged() {
        let dbc = "BO_ 291 M: 8 A\n SG_ Speed : 0|8@1+ (0.5,0) [0|0] \"\" B\n SG_ Real : 32|32@1- (1,0) [0|0] \"\" B\n\
                   SIG_VALTYPE_ 291 Real : 1;\n";
        let log = "(1771545600.000090) can0 123#0300000000000000\n(1.5) can1 123#03000000000080FF\nx\n(2.0) can0 124#00\n\
                   (3.0) can0 123#R\n(4.0) can0 123##005\n";
        let mut out = Vec::new();
        assert_eq!(decode(&[Database::parse(dbc.as_bytes())], log.as_bytes(), &mut out).unwrap(), 1);
        let expected = [
            r#"{"time":1771545600.000090,"interface":"can0","id":291,"message":"M","signals":{"Speed":1.5,"Real":0.0}}"#,
            r#"{"time":1.500000,"interface":"can1","id":291,"message":"M","signals":{"Speed":1.5,"Real":null}}"#,
            r#"{"time":4.000000,"interface":"can0","id":291,"message":"M","signals":{"Speed":2.5}}"#,
            "",
        ];
        assert_eq!(String::from_utf8(out).unwrap(), expected.join("\n"));
    }
}
