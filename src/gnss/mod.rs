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
//! [`Lines`] cuts bytes into sentences, [`decode`] reads one, [`Epochs`] makes fixes of what it says; [`Log`] runs the
//! three over a recording, [`run`] over a receiver.

mod epoch;
mod field;
mod line;
mod log;
mod sentence;

pub use epoch::{Epochs, PAUSE};
pub use field::{Day, TimeOfDay};
pub use line::{Lines, Spoilt};
pub use log::{Entry, Fault, Log};
pub use sentence::{Claim, Kind, Message, Refused, decode};
