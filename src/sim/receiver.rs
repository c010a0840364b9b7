//! The car's satellite receiver: NMEA 0183 (4.11) of a multi-constellation receiver, talker `GN`.
//!
//! An epoch is RMC, VTG, GGA, two GSA (GPS, Galileo), GST and ZDA, sent 60 to 75 ms after it at 115,200 baud. The position
//! wanders around the true one by a metre or so, slowly, as real ones do; the wandering grows with the HDOP, which changes
//! with the satellites in view. Standing, it shows a little speed and keeps its last course. Without sky it goes on sending
//! sentences, marked invalid, with the time but no position.

use std::fmt::{self, Write};

use super::noise::Noise;
use super::route::{metres, point};
use super::truth::Truth;
use crate::clock::Wall;
use crate::vehicle::Sentence;

/// How often the receiver has a fix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FixRate {
    /// Every second.
    #[default]
    Hz1,
    /// Every 200 ms.
    Hz5,
    /// Every 100 ms.
    Hz10,
}

impl FixRate {
    /// µs between two fixes.
    pub const fn period_us(self) -> i64 {
        match self {
            FixRate::Hz1 => 1_000_000,
            FixRate::Hz5 => 200_000,
            FixRate::Hz10 => 100_000,
        }
    }
}

/// No later than this after an epoch all of it has been sent, µs.
pub(super) const LATEST_US: i64 = 200_000;
/// Sentences of an epoch.
pub(super) const EPOCH: usize = 7;
/// µs on the line for a byte: ten bits at 115,200 baud.
const BYTE_US: i64 = 87;
/// m/s in a knot.
const KNOT: f64 = 1852.0 / 3600.0;
/// Height of the town above mean sea level, and of that above the ellipsoid, m.
const HEIGHT: (f64, f64) = (97.0, 48.1);
/// Slower than this the course is not known, km/h.
const CREEP: f64 = 2.0;

/// Channels of chance.
const LATENCY: u64 = 20;
const VIEW: u64 = 21;
const EAST: u64 = 22;
const NORTH: u64 = 24;
const UP: u64 = 26;
const SPEED: u64 = 28;
const COURSE: u64 = 29;

/// Satellites in the order in which they come into use.
const GPS: [u8; 8] = [2, 5, 12, 15, 18, 25, 29, 31];
const GALILEO: [u8; 6] = [3, 7, 8, 13, 26, 33];

/// What the receiver makes of one moment.
#[derive(Clone, Copy, Debug)]
struct Solution {
    latitude: f64,
    longitude: f64,
    altitude: f64,
    /// m/s.
    speed: f64,
    course: f64,
    hdop: f64,
    gps: usize,
    galileo: usize,
    /// Standard deviation of latitude and of longitude, m.
    sigma: f64,
}

/// The sentences of the epoch at which `truth` was true, `seconds` into the story, and how many µs after it each is
/// complete on the line.
pub(super) fn epoch(noise: Noise, truth: &Truth, seconds: f64, wall: Wall) -> heapless::Vec<(i64, Sentence), EPOCH> {
    let time = Time::of(wall);
    let bodies = if truth.sky { fixed(&Solution::of(noise, truth, seconds), &time) } else { without_fix(&time) };
    let index = (seconds * 10.0).max(0.0) as u64;
    let mut after = 60_000 + (15_000.0 * noise.unit(LATENCY, index)) as i64;
    let sent = bodies.into_iter().map(|body| {
        let sentence = framed(&body);
        after += (sentence.len() as i64 + 2) * BYTE_US;
        (after, sentence)
    });
    sent.collect()
}

impl Solution {
    fn of(noise: Noise, truth: &Truth, seconds: f64) -> Solution {
        // From 0, few satellites, to 1, all of them.
        let view = 0.5 + 0.5 * noise.wander(VIEW, seconds, 75.0);
        let hdop = 1.25 - 0.6 * view;
        let off =
            |channel: u64| hdop * (1.4 * noise.wander(channel, seconds, 40.0) + 0.4 * noise.wander(channel + 1, seconds, 7.0));
        let (east, north) = metres(truth.point);
        let seen = point(east + off(EAST), north + off(NORTH));
        let steadiness = if truth.speed > 0.0 { 0.06 } else { 0.015 };
        let course = if truth.speed > CREEP { 0.8 * noise.wander(COURSE, seconds, 3.0) } else { 0.0 };
        Solution {
            latitude: seen.latitude,
            longitude: seen.longitude,
            altitude: HEIGHT.0 + 2.0 * off(UP),
            speed: (truth.speed / 3.6 + steadiness * noise.wander(SPEED, seconds, 4.0)).abs(),
            course: (truth.heading + course).rem_euclid(360.0),
            hdop,
            gps: 5 + (3.0 * view).round() as usize,
            galileo: 3 + (3.0 * view).round() as usize,
            sigma: 1.2 * hdop,
        }
    }
}

type Body = heapless::String<120>;
type Bodies = heapless::Vec<Body, EPOCH>;

fn fixed(fix: &Solution, time: &Time) -> Bodies {
    let Solution { speed, course, hdop, sigma, altitude, .. } = *fix;
    let place = Place(fix);
    let pdop = hdop * 1.7;
    let vdop = hdop * 1.37;
    let dops = |system: u8| move |f: &mut fmt::Formatter<'_>| write!(f, "{pdop:.2},{hdop:.2},{vdop:.2},{system}");
    let used = fix.gps + fix.galileo;
    [
        text(format_args!("GNRMC,{time},A,{place},{:.3},{course:.2},{},,,A,V", speed / KNOT, time.date())),
        text(format_args!("GNVTG,{course:.2},T,,M,{:.3},N,{:.3},K,A", speed / KNOT, speed * 3.6)),
        text(format_args!("GNGGA,{time},{place},1,{used:02},{hdop:.2},{altitude:.1},M,{:.1},M,,", HEIGHT.1)),
        text(format_args!("GNGSA,A,3,{},{}", Satellites(&GPS, fix.gps), Shown(dops(1)))),
        text(format_args!("GNGSA,A,3,{},{}", Satellites(&GALILEO, fix.galileo), Shown(dops(3)))),
        text(format_args!("GNGST,{time},{:.1},{sigma:.2},{sigma:.2},0.0,{sigma:.2},{sigma:.2},{:.2}", 6.0 * hdop, sigma * 1.6)),
        time.zda(),
    ]
    .into_iter()
    .collect()
}

fn without_fix(time: &Time) -> Bodies {
    [
        text(format_args!("GNRMC,{time},V,,,,,,,{},,,N,V", time.date())),
        text(format_args!("GNVTG,,,,,,,,,N")),
        text(format_args!("GNGGA,{time},,,,,0,00,99.99,,,,,,")),
        text(format_args!("GNGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99,1")),
        text(format_args!("GNGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99,3")),
        text(format_args!("GNGST,{time},,,,,,,")),
        time.zda(),
    ]
    .into_iter()
    .collect()
}

fn text(arguments: fmt::Arguments<'_>) -> Body {
    let mut body = Body::new();
    // The longest body, GGA, has 82 characters.
    let _ = body.write_fmt(arguments);
    body
}

/// `$`, the body, `*` and the exclusive or of the body's characters.
fn framed(body: &Body) -> Sentence {
    let checksum = body.bytes().fold(0, |sum, byte| sum ^ byte);
    let mut sentence = heapless::String::<{ crate::vehicle::MAX_SENTENCE }>::new();
    let _ = write!(sentence, "${body}*{checksum:02X}");
    sentence.into_bytes()
}

/// `4929.00000,N,00829.00000,E`: degrees and minutes to five decimals, 2 cm.
struct Place<'a>(&'a Solution);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let split = |degrees: f64| {
            let steps = (degrees.abs() * 6_000_000.0).round() as u64;
            (steps / 6_000_000, (steps % 6_000_000) as f64 / 1e5)
        };
        let (latitude, longitude) = (split(self.0.latitude), split(self.0.longitude));
        let (north, east) = (if self.0.latitude < 0.0 { 'S' } else { 'N' }, if self.0.longitude < 0.0 { 'W' } else { 'E' });
        write!(f, "{:02}{:08.5},{north},{:03}{:08.5},{east}", latitude.0, latitude.1, longitude.0, longitude.1)
    }
}

/// The first so many of these in twelve fields.
struct Satellites<'a>(&'a [u8], usize);

impl fmt::Display for Satellites<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.0.iter().take(self.1).map(Some).chain(std::iter::repeat(None)).take(12);
        for (at, satellite) in used.enumerate() {
            f.write_str(if at > 0 { "," } else { "" })?;
            satellite.map_or(Ok(()), |number| write!(f, "{number:02}"))?;
        }
        Ok(())
    }
}

/// What a closure writes.
struct Shown<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for Shown<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

/// UTC, as sentences have it.
struct Time(jiff::civil::DateTime);

impl Time {
    fn of(wall: Wall) -> Time {
        let time = jiff::Timestamp::from_microsecond(wall.micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Time(jiff::tz::Offset::UTC.to_datetime(time))
    }

    fn date(&self) -> impl fmt::Display {
        let date = self.0.date();
        Shown(move |f: &mut fmt::Formatter<'_>| {
            write!(f, "{:02}{:02}{:02}", date.day(), date.month(), date.year().rem_euclid(100))
        })
    }

    fn zda(&self) -> Body {
        let date = self.0.date();
        text(format_args!("GNZDA,{self},{:02},{:02},{:04},00,00", date.day(), date.month(), date.year()))
    }
}

impl fmt::Display for Time {
    /// `000647.20`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0.time();
        let hundredths = time.subsec_nanosecond() / 10_000_000;
        write!(f, "{:02}{:02}{:02}.{hundredths:02}", time.hour(), time.minute(), time.second())
    }
}
