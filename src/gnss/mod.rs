//! Satellite receivers: from bytes to one fix an epoch.
//!
//! What is promised:
//!
//! - Any bytes are taken: a wrong baud rate, another protocol in between, half a sentence, a receiver pulled out and put
//!   in again. What is no sentence is counted and let go; memory is one sentence and one epoch.
//! - NMEA 0183 as receivers write it (RMC, GGA, GNS, GLL with GSA, GST, VTG, ZDA; talkers of every system) becomes one
//!   [`Fix`](crate::vehicle::Fix) an epoch, which leaves when the epoch's last sentence has come.
//! - Latitude and longitude are those sent, to 10⁻⁹ degrees; times to the microsecond; dates as sent: no rollover of the
//!   1,024 weeks is mended, years 80 to 99 are 19xx.
//! - Accuracy (68 %, horizontal) is √(σlat² + σlon²) of GST, else HDOP × UERE (5 m), never under 3 m, 50 m when neither is
//!   known.
//! - No heap allocation for a sentence.
//!
//! [`Lines`] cuts bytes into sentences, [`decode`] reads one, [`Epochs`] makes fixes of what it says, and [`Reader`] is the
//! three together. [`Log`] reads a recording, [`run`] a receiver.

mod counters;
mod epoch;
mod fault;
mod field;
mod line;
mod log;
mod reader;
mod sentence;
mod settings;
mod source;

pub use counters::Counters;
pub use epoch::{Epochs, PAUSE};
pub use fault::Fault;
pub use field::{Day, TimeOfDay};
pub use line::Lines;
pub use log::{Entry, Log};
pub use reader::{Heard, Reader};
pub use sentence::{Claim, Kind, Message, decode};
pub use settings::Settings;
pub use source::{Vouch, run};

use crate::clock::Boot;

/// Reads any bytes as a receiver's, and checks what every fix promises. For fuzzing: it may never panic.
pub fn fuzz_line(bytes: &[u8]) {
    let mut reader = Reader::new(5.0);
    let check = |heard| {
        if let Heard::Fix(fix) = heard {
            let numbers = [fix.altitude, fix.speed, fix.heading, fix.hdop];
            assert!(numbers.into_iter().flatten().all(f64::is_finite), "{fix:?}");
            assert!(fix.point.latitude.abs() <= 90.0 && fix.point.longitude.abs() <= 180.0, "{fix:?}");
            assert!(fix.accuracy.is_finite() && fix.accuracy >= 3.0, "{fix:?}");
        }
    };
    reader.take(Boot::default(), bytes, check);
    reader.finish(Boot::default(), check);
}

#[cfg(test)]
mod tests;
