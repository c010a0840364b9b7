//! One sentence, and what it says of the vehicle: NMEA 0183 (IEC 61162-1), as receivers write it.
//!
//! A sentence counts only with a checksum that is right: a line without one may be the middle of two. Talkers are those
//! of satellite receivers (`GP` GPS, `GL` GLONASS, `GA` Galileo, `GB` and `BD` BeiDou, `QZ`, `GQ` and `PQ` QZSS, `GI`
//! NavIC, `GN` several at once, `IN` integrated navigation); of the formatters RMC, GGA, GNS and GLL give positions, GSA,
//! GST, VTG and ZDA what belongs to them. All others are sentences too, and say nothing here.
//!
//! VTG, GST and ZDA are read by the `nmea` crate. The four positions and GSA are read here, straight from the bytes,
//! because `nmea` 0.7 refuses GNS with mode letters for four systems or more, GGA of quality 9, GLL and RMC of NMEA 2.0
//! without a mode, and every leap second, and panics on a GSA with more than eighteen satellites; it stays the oracle that
//! the tests hold these against, wherever it reads the sentence at all.

use nmea::sentences::{parse_gst, parse_vtg, parse_zda};
use nmea::{NmeaSentence, SentenceType};

use super::fault::Fault;
use super::field::{Day, Fields, TimeOfDay, angle, date, day, decimal, small, time_of_day};
use crate::geo::Point;
use crate::vehicle::Mode;

/// Kilometres an hour of a knot.
const KNOT: f64 = 1.852;

/// The formatters that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Recommended minimum: validity, position, speed, track, date.
    Rmc,
    /// GPS fix: quality, position, satellites, HDOP, altitude.
    Gga,
    /// The same for several systems at once.
    Gns,
    /// Geographic position: validity, position.
    Gll,
    /// Satellites active: 2D or 3D, HDOP.
    Gsa,
    /// Pseudorange error statistics.
    Gst,
    /// Track and ground speed.
    Vtg,
    /// Time and date.
    Zda,
}

/// What a position sentence claims of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Claim {
    /// Nothing.
    #[default]
    Silent,
    /// This is a fix.
    Fix,
    /// This system, or this sentence, has none.
    NoFix,
    /// Navigation receiver warning: what others say of this moment is no fix either.
    Warning,
}

/// What one sentence says. Absent is what it does not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message {
    /// Which sentence it is.
    pub kind: Kind,
    /// The UTC time of day it belongs to.
    pub time: Option<TimeOfDay>,
    /// Whether it claims to be a fix.
    pub claim: Claim,
    /// Where.
    pub point: Option<Point>,
    /// Above mean sea level, m.
    pub altitude: Option<f64>,
    /// Over ground, km/h.
    pub speed: Option<f64>,
    /// True course over ground, degrees.
    pub track: Option<f64>,
    /// Satellites used.
    pub satellites: Option<u8>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
    /// Two or three dimensions.
    pub mode: Option<Mode>,
    /// Standard deviation of the horizontal position, m: √(σlat² + σlon²).
    pub sigma: Option<f64>,
    /// The date.
    pub day: Option<Day>,
}

impl Message {
    fn new(kind: Kind) -> Message {
        Message {
            kind,
            time: None,
            claim: Claim::Silent,
            point: None,
            altitude: None,
            speed: None,
            track: None,
            satellites: None,
            hdop: None,
            mode: None,
            sigma: None,
            day: None,
        }
    }
}

/// What a line says: `None` when it is a good sentence that is not read here.
pub fn decode(line: &[u8]) -> Result<Option<Message>, Fault> {
    let text = line.get(1..).unwrap_or_default();
    let star = text.iter().position(|b| *b == b'*').ok_or(Fault::NoChecksum)?;
    let (body, sum) = text.split_at(star);
    let [_, high, low, ..] = sum else { return Err(Fault::NoChecksum) };
    let given = hex(*high)? << 4 | hex(*low)?;
    if body.iter().fold(0, |sum, byte| sum ^ byte) != given {
        return Err(Fault::Checksum);
    }
    let (b'$', Some((address, data))) = (line.first().copied().unwrap_or_default(), body.split_at_checked(6)) else {
        return Ok(None);
    };
    let [t1, t2, f1, f2, f3, b','] = address else { return Ok(None) };
    let talker = [*t1, *t2];
    if !matches!(&talker, b"GP" | b"GN" | b"GL" | b"GA" | b"GB" | b"BD" | b"QZ" | b"GQ" | b"PQ" | b"GI" | b"IN") {
        return Ok(None);
    }
    let fields = Fields::new(data);
    match &[*f1, *f2, *f3] {
        b"RMC" => Ok(Some(rmc(fields))),
        b"GGA" => Ok(Some(gga(fields, talker))),
        b"GNS" => Ok(Some(gns(fields))),
        b"GLL" => Ok(Some(gll(fields))),
        b"GSA" => Ok(Some(gsa(fields))),
        b"GST" => gst(data, given).map(Some),
        b"VTG" => vtg(data, given).map(Some),
        b"ZDA" => zda(data, given).map(Some),
        _ => Ok(None),
    }
}

fn hex(digit: u8) -> Result<u8, Fault> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(Fault::NoChecksum),
    }
}

fn rmc(mut fields: Fields) -> Message {
    let time = time_of_day(fields.take());
    let status = fields.take();
    let point = point(&mut fields);
    let (speed, track, date_field) = (fields.take(), fields.take(), fields.take());
    fields.skip(2);
    let claim = claim(status, fields.take());
    let mut said = Message { time, claim, point, ..Message::new(Kind::Rmc) };
    // A receiver that warns of its position warns of its date as well: it may be what the battery left.
    if claim == Claim::Fix {
        said.speed = decimal(speed).map(|knots| knots * KNOT);
        said.track = decimal(track);
        said.day = date(date_field);
    }
    said
}

fn gll(mut fields: Fields) -> Message {
    let point = point(&mut fields);
    let time = time_of_day(fields.take());
    let status = fields.take();
    Message { time, claim: claim(status, fields.take()), point, ..Message::new(Kind::Gll) }
}

/// Status `A` or `V`, and since NMEA 2.3 the mode, of which `N` is "not valid".
fn claim(status: &[u8], mode: &[u8]) -> Claim {
    match (status, mode) {
        (b"V", _) | (b"A", b"N") => Claim::Warning,
        (b"A", _) => Claim::Fix,
        _ => Claim::NoFix,
    }
}

fn gga(mut fields: Fields, talker: [u8; 2]) -> Message {
    let time = time_of_day(fields.take());
    let point = point(&mut fields);
    let quality = fields.take();
    let satellites = small(fields.take());
    let hdop = dilution(fields.take());
    let altitude = fields.number_with(b"M");
    // Three satellites are the least there is for a fix. Sentences of one system among several count only their own, and
    // a dead-reckoned fix (6 to 9) needs none.
    let enough = !matches!(&talker, b"GP" | b"GN") || satellites.is_none_or(|count| count >= 3);
    let claim = match quality {
        [b'1'..=b'5'] if enough => Claim::Fix,
        [b'6'..=b'9'] => Claim::Fix,
        _ => Claim::NoFix,
    };
    Message { time, claim, point, satellites, hdop, altitude, ..Message::new(Kind::Gga) }
}

fn gns(mut fields: Fields) -> Message {
    let time = time_of_day(fields.take());
    let point = point(&mut fields);
    // One letter a system, in the order GPS, GLONASS, Galileo, BeiDou, QZSS, NavIC; as many as the receiver knows.
    let fix = fields.take().iter().any(|mode| mode.is_ascii_uppercase() && *mode != b'N');
    let satellites = small(fields.take());
    let hdop = dilution(fields.take());
    let altitude = decimal(fields.take());
    let claim = if fix { Claim::Fix } else { Claim::NoFix };
    Message { time, claim, point, satellites, hdop, altitude, ..Message::new(Kind::Gns) }
}

fn gsa(mut fields: Fields) -> Message {
    fields.skip(1);
    let mode = match fields.take() {
        b"2" => Some(Mode::TwoD),
        b"3" => Some(Mode::ThreeD),
        _ => None,
    };
    // Twelve satellites, PDOP, HDOP, VDOP, since NMEA 4.11 the system: a receiver that lists more satellites has moved
    // the rest, and it is not taken.
    fields.skip(13);
    let hdop = dilution(fields.take());
    fields.skip(2);
    let hdop = hdop.filter(|_| mode.is_some() && fields.done());
    Message { mode, hdop, ..Message::new(Kind::Gsa) }
}

fn gst(data: &[u8], checksum: u8) -> Result<Message, Fault> {
    let read = parse_gst(sentence(SentenceType::GST, data, checksum)?).map_err(|_| Fault::Malformed)?;
    let sigma = read.lat_sd.zip(read.long_sd).map(|(lat, lon)| f64::from(lat).hypot(f64::from(lon)));
    let sigma = sigma.filter(|metres| metres.is_finite() && *metres > 0.0);
    Ok(Message { time: time_of_day(Fields::new(data).take()), sigma, ..Message::new(Kind::Gst) })
}

fn vtg(data: &[u8], checksum: u8) -> Result<Message, Fault> {
    let read = parse_vtg(sentence(SentenceType::VTG, data, checksum)?).map_err(|_| Fault::Malformed)?;
    // `nmea` reads "nan" and "inf" as numbers.
    let finite = |number: Option<f32>| number.map(f64::from).filter(|number| number.is_finite());
    let speed = finite(read.speed_over_ground).map(|knots| knots * KNOT);
    Ok(Message { speed, track: finite(read.true_course), ..Message::new(Kind::Vtg) })
}

fn zda(data: &[u8], checksum: u8) -> Result<Message, Fault> {
    let mut fields = Fields::new(data);
    let time = time_of_day(fields.take());
    // `nmea` refuses a leap second and a local zone of `+00`; neither says anything of the date.
    let mut date = heapless::Vec::<u8, 32>::new();
    for field in [fields.take(), fields.take(), fields.take()] {
        date.push(b',').map_err(|_| Fault::Malformed)?;
        date.extend_from_slice(field).map_err(|()| Fault::Malformed)?;
    }
    date.extend_from_slice(b",,").map_err(|()| Fault::Malformed)?;
    let read = parse_zda(sentence(SentenceType::ZDA, &date, checksum)?).map_err(|_| Fault::Malformed)?;
    let date = read.day.zip(read.month).zip(read.year);
    let date = date.and_then(|((d, m), y)| day(d.into(), m.into(), y.into()));
    Ok(Message { time, day: date, ..Message::new(Kind::Zda) })
}

/// The sentence as `nmea` wants it; its checksum has been held against the bytes already.
fn sentence(message_id: SentenceType, data: &[u8], checksum: u8) -> Result<NmeaSentence<'_>, Fault> {
    let data = std::str::from_utf8(data).ok().filter(|text| text.is_ascii()).ok_or(Fault::Malformed)?;
    Ok(NmeaSentence { talker_id: "GN", message_id, data, checksum })
}

/// The next four fields.
fn point(fields: &mut Fields) -> Option<Point> {
    let (latitude, north, longitude, east) = (fields.take(), fields.take(), fields.take(), fields.take());
    let latitude = angle(latitude, north, *b"NS", 90)?;
    Some(Point { latitude, longitude: angle(longitude, east, *b"EW", 180)? })
}

/// Receivers write 0 for a dilution of precision that they do not know. However great it is, it is what they say: 99.99
/// is none to believe a fix by.
fn dilution(field: &[u8]) -> Option<f64> {
    decimal(field).filter(|dilution| *dilution > 0.0)
}
