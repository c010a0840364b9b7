//! `telltale decode nmea FILE`: what a receiver's recording says, one JSON object a fix.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::recording;
use crate::clock::Wall;
use crate::gnss::{Entry, Log};
use crate::vehicle::{Fix, Mode};

/// Reads an NMEA 0183 recording and prints one JSON object a fix.
///
/// Example: telltale decode nmea drive.nmea | jq .latitude
#[derive(Debug, clap::Args)]
pub struct DecodeNmea {
    /// The recording; `-` is standard input.
    pub file: PathBuf,
}

/// One line of output. Absent is what the receiver did not say.
#[derive(Debug, Serialize)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    mode: u8,
    latitude: f64,
    longitude: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    altitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    satellites: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hdop: Option<f64>,
}

impl From<Fix> for Line {
    fn from(fix: Fix) -> Line {
        Line {
            // To the nearest millisecond; `Wall` shows the one that has begun.
            time: fix.time.map(|time| Wall::from_micros(time.micros().saturating_add(500)).to_string()),
            mode: match fix.mode {
                Mode::TwoD => 2,
                Mode::ThreeD => 3,
            },
            latitude: rounded(fix.point.latitude, 1e9),
            longitude: rounded(fix.point.longitude, 1e9),
            altitude: fix.altitude.map(|metres| rounded(metres, 1e3)),
            speed: fix.speed.map(|kmh| rounded(kmh / 3.6, 1e3)),
            track: fix.heading.map(|degrees| rounded(degrees, 1e3)),
            satellites: fix.satellites,
            hdop: fix.hdop.map(|hdop| rounded(hdop, 1e3)),
        }
    }
}

fn rounded(number: f64, parts: f64) -> f64 {
    (number * parts).round() / parts
}

/// Runs the subcommand; what it says of the recording's faults goes to stderr.
pub fn run(args: &DecodeNmea) -> ExitCode {
    recording::decode(&args.file, "malformed lines", |input, output| decode(input, output, io::stderr()))
}

/// Reads a recording from `input`, prints its fixes to `output` and its faults to `faults`; how many lines were malformed.
fn decode(input: impl Read, mut output: impl Write, mut faults: impl Write) -> io::Result<u64> {
    let mut malformed = 0;
    // Accuracy is not printed, so what a unit of HDOP is worth does not matter here.
    for entry in Log::new(input, 1.0) {
        match entry? {
            Entry::Fix(fix) => {
                serde_json::to_writer(&mut output, &Line::from(fix))?;
                output.write_all(b"\n")?;
            }
            Entry::Malformed(number, fault) => {
                malformed += 1;
                let _ = writeln!(faults, "line {number}: {fault}");
            }
        }
    }
    Ok(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(input: &[u8]) -> (String, String, u64) {
        let (mut output, mut faults) = (Vec::new(), Vec::new());
        let malformed = decode(input, &mut output, &mut faults).unwrap();
        (String::from_utf8(output).unwrap(), String::from_utf8(faults).unwrap(), malformed)
    }

    #[test]
    fn one_object_a_fix_and_only_what_the_receiver_said() {
        let (output, faults, malformed) = decoded(
            b"# a drive\n$GNRMC,000000.00,A,3732.67606,N,12703.34216,E,10.00,182.0,200226,,,A,V*35\n\
              $GNGGA,000000.00,3732.67606,N,12703.34216,E,1,11,0.80,38.4,M,18.5,M,,*78\n\
              $GPRMC,000001.099,A,4829.0005,N,00022.0015,E,,,2208-1,,,A*7D\n\n",
        );
        let expected = concat!(
            r#"{"time":"2026-02-20T00:00:00.000Z","mode":3,"latitude":37.544601,"longitude":127.055702667,"#,
            r#""altitude":38.4,"speed":5.144,"track":182.0,"satellites":11,"hdop":0.8}"#,
            "\n",
            r#"{"time":"2026-02-20T00:00:01.099Z","mode":2,"latitude":48.483341667,"longitude":0.366691667}"#,
            "\n",
        );
        assert_eq!((output.as_str(), faults.as_str(), malformed), (expected, "", 0));
    }

    #[test]
    fn malformed_lines_are_told_with_their_number_and_counted() {
        let (output, faults, malformed) = decoded(b"$GPGLL,1*00\r\nhello\r\n$GPGLL,4807.038,N\r\n");
        assert_eq!((output.as_str(), malformed), ("", 3));
        assert_eq!(
            faults,
            "line 1: the checksum is not that of the sentence\n\
             line 2: no NMEA sentence: one begins with `$` and is printable ASCII\n\
             line 3: no checksum: a sentence ends with `*` and two hexadecimal digits\n"
        );
    }
}
