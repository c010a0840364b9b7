//! The file: what stands where, and how it is checked.
//!
//! All numbers little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `TTPLACES` |
//! | 2 | version of the format, 1 |
//! | 2 | places a block, 64 to 1,024 |
//! | 4 | places |
//! | 2 | divisions |
//! | 2 | bytes of the attribution |
//! | … | the attribution, UTF-8 |
//! | … | each division: length and country (ISO 3166-1 alpha-2, or nothing), length and name |
//! | … | each place: latitude and longitude (4 bytes each, 10^-5 degrees), number of its division (2), length and name |
//! | 4 | CRC-32 of all before it (IEEE 802.3, reflected, as gzip has it) |
//!
//! A length is one byte, so that no record is longer than 266. Places that are near each other stand near each other; a
//! block is so many of them, and where each begins is found when the file is checked.

use std::io::{self, BufReader, ErrorKind, Read};

use super::bounds::{Bounds, Vector};
use super::index::{Index, MOST_BLOCKS};
use crate::geo::Point;

pub(super) const MAGIC: &[u8; 8] = b"TTPLACES";
pub(super) const VERSION: u16 = 1;

/// Least places a block.
pub(super) const LEAST_A_BLOCK: usize = 64;
/// Most places a block: 272 KiB to read at most.
pub(super) const MOST_A_BLOCK: usize = 1024;
/// Most places.
pub(super) const MOST_PLACES: usize = MOST_BLOCKS * MOST_A_BLOCK;
/// Most bytes that the names of all divisions may have; GeoNames has 60,000.
pub(super) const MOST_OF_DIVISIONS: usize = 256 * 1024;

/// Units of a coordinate in a degree.
pub(super) const A_DEGREE: f64 = 1e5;

/// Bytes of a record before its name's length.
const BEFORE_NAME: usize = 10;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is something else.
    #[error("is no places file")]
    NotOne,
    /// Of a format that is not known here.
    #[error("is of version {0} of the format, and this telltale reads version {VERSION}")]
    Version(u16),
    /// It ends too early.
    #[error("is cut short")]
    Short,
    /// Its bytes are not those that were written.
    #[error("is damaged ({0})")]
    Damaged(&'static str),
}

impl Fault {
    /// What would be right.
    pub fn cure(&self) -> &'static str {
        match self {
            Fault::Unreadable(_) => "make it readable",
            Fault::NotOne => "make one with `telltale places build cities500.txt OUT`",
            Fault::Version(_) => "build it again",
            Fault::Short | Fault::Damaged(_) => "copy it again, or build it again",
        }
    }
}

/// A part of a country.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Division {
    pub(super) country: String,
    pub(super) name: String,
}

/// What stands before the places.
pub(super) struct Header {
    pub(super) attribution: String,
    pub(super) count: u32,
    pub(super) divisions: Vec<Division>,
}

/// One place of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Record<'b> {
    pub(super) point: Point,
    pub(super) division: u16,
    pub(super) name: &'b str,
}

impl<'b> Record<'b> {
    /// The first record, and what comes after it; `None` at the end, and where there is none.
    pub(super) fn read(bytes: &'b [u8]) -> Option<(Record<'b>, &'b [u8])> {
        let (latitude, rest) = bytes.split_first_chunk()?;
        let (longitude, rest) = rest.split_first_chunk()?;
        let (division, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let degrees = |units: &[u8; 4]| f64::from(i32::from_le_bytes(*units)) / A_DEGREE;
        let point = Point { latitude: degrees(latitude), longitude: degrees(longitude) };
        Some((Record { point, division: u16::from_le_bytes(*division), name: std::str::from_utf8(name).ok()? }, rest))
    }
}

/// Reads a whole file: what it says of itself, and the index over its places.
///
/// # Errors
/// When it is not whole, or never was one.
pub(super) fn check(file: impl Read) -> Result<(Header, Index), Fault> {
    let mut bytes = Bytes { from: BufReader::with_capacity(1 << 16, file), at: 0, sum: Crc::default() };
    let magic = bytes.array::<8>().map_err(|fault| if matches!(fault, Fault::Short) { Fault::NotOne } else { fault })?;
    if magic != *MAGIC {
        return Err(Fault::NotOne);
    }
    let version = bytes.u16()?;
    if version != VERSION {
        return Err(Fault::Version(version));
    }
    let a_block = usize::from(bytes.u16()?);
    let count = bytes.u32()?;
    let blocks = (count as usize).div_ceil(a_block.max(1));
    if !(LEAST_A_BLOCK..=MOST_A_BLOCK).contains(&a_block) || blocks > MOST_BLOCKS {
        return Err(Fault::Damaged("places and blocks do not fit each other"));
    }
    let (divisions, attribution) = (bytes.u16()?, bytes.u16()?);
    let attribution = bytes.text(usize::from(attribution))?;
    let divisions = read_divisions(&mut bytes, divisions)?;
    let index = read_places(&mut bytes, a_block, count, divisions.len())?;
    bytes.end()?;
    Ok((Header { attribution, count, divisions }, index))
}

fn read_divisions(bytes: &mut Bytes<impl Read>, count: u16) -> Result<Vec<Division>, Fault> {
    let mut divisions = Vec::new();
    let mut left = MOST_OF_DIVISIONS;
    for _ in 0..count {
        let division = Division { country: bytes.name()?, name: bytes.name()? };
        let length = division.country.len() + division.name.len();
        left = left.checked_sub(length).ok_or(Fault::Damaged("too many names of divisions"))?;
        divisions.push(division);
    }
    Ok(divisions)
}

fn read_places(bytes: &mut Bytes<impl Read>, a_block: usize, count: u32, divisions: usize) -> Result<Index, Fault> {
    let (mut starts, mut blocks) = (vec![bytes.at], Vec::new());
    let mut left = count as usize;
    while left > 0 {
        let mut around = Bounds::NONE;
        for _ in 0..left.min(a_block) {
            around = around.with(Vector::of(read_place(bytes, divisions)?));
        }
        blocks.push(around);
        starts.push(bytes.at);
        left = left.saturating_sub(a_block);
    }
    starts.shrink_to_fit();
    Ok(Index::new(&blocks, starts))
}

fn read_place(bytes: &mut Bytes<impl Read>, divisions: usize) -> Result<Point, Fault> {
    let mut record = [0; BEFORE_NAME + 1 + u8::MAX as usize];
    let (before, rest) = record.split_at_mut(BEFORE_NAME + 1);
    bytes.fill(before)?;
    let length = usize::from(before.last().copied().unwrap_or_default());
    bytes.fill(rest.get_mut(..length).unwrap_or_default())?;
    let whole = record.get(..BEFORE_NAME + 1 + length).unwrap_or_default();
    let (place, _) = Record::read(whole).ok_or(Fault::Damaged("a name that is not UTF-8"))?;
    if !(place.point.latitude.abs() <= 90.0 && place.point.longitude.abs() <= 180.0) {
        return Err(Fault::Damaged("a place that is not on earth"));
    }
    if usize::from(place.division) >= divisions || place.name.is_empty() {
        return Err(Fault::Damaged("a place without a name or a country"));
    }
    Ok(place.point)
}

/// Bytes with their checksum so far.
struct Bytes<R> {
    from: BufReader<R>,
    at: u64,
    sum: Crc,
}

impl<R: Read> Bytes<R> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Fault> {
        self.from.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => Fault::Short,
            _ => Fault::Unreadable(error),
        })?;
        self.at += bytes.len() as u64;
        self.sum.add(bytes);
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u16(&mut self) -> Result<u16, Fault> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn text(&mut self, length: usize) -> Result<String, Fault> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| Fault::Damaged("a text that is not UTF-8"))
    }

    fn name(&mut self) -> Result<String, Fault> {
        let [length] = self.array()?;
        self.text(usize::from(length))
    }

    /// The checksum is that of all before it, and nothing comes after it.
    fn end(mut self) -> Result<(), Fault> {
        let sum = self.sum.value();
        if self.u32()? != sum {
            return Err(Fault::Damaged("its checksum is that of other bytes"));
        }
        match self.fill(&mut [0]) {
            Err(Fault::Short) => Ok(()),
            Err(fault) => Err(fault),
            Ok(()) => Err(Fault::Damaged("something comes after its end")),
        }
    }
}

/// CRC-32 (IEEE 802.3, clause 3.2.9), as gzip and Ethernet have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crc(u32);

impl Default for Crc {
    fn default() -> Crc {
        Crc(u32::MAX)
    }
}

impl Crc {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let at = usize::from(self.0.to_le_bytes()[0] ^ byte);
            self.0 = (self.0 >> 8) ^ CRC.get(at).copied().unwrap_or_default();
        }
    }

    pub(super) fn value(self) -> u32 {
        !self.0
    }
}

const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut sum = at as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 };
            bit += 1;
        }
        #[allow(clippy::indexing_slicing, reason = "in a constant: out of range would not compile")]
        {
            table[at] = sum;
        }
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_that_everybody_has() {
        let mut sum = Crc::default();
        sum.add(b"12345");
        sum.add(b"6789");
        assert_eq!(sum.value(), 0xCBF4_3926);
    }
}
