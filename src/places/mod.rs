//! Names of positions, with no network: the nearest of a file's places, how far it is and in which direction one stands.
//!
//! What is promised:
//!
//! - The place is the nearest one by great circle (a sphere of 6,371,008.8 m, the mean radius of WGS 84), everywhere:
//!   across the antimeridian and at the poles too. Coordinates are kept to 10^-5 degrees, 1.1 m.
//! - 150,000 places are under 6 MB on disk and under 1 MB resident, whatever is in the file: the index is a tree of boxes
//!   over blocks of at least 64 places, 8,192 blocks at most; names stay on disk. A look-up is under 50 µs.
//! - The file is read with plain reads, and whole once when it is opened: a checksum over all of it, and every record, so
//!   that what is cut short, damaged or made up is a [`Fault`], and never a panic or a large allocation.
//! - No caller waits for a disk: [`Names`] looks in what it has read lately, a few hundred kilobytes at most, and has
//!   another thread read the rest; it waits 1 ms for that at most, and not at all while the disk hangs.
//!
//! `telltale places build` makes such a file ([`build()`]) out of a table of GeoNames, which is licensed CC BY 4.0: the
//! attribution stands at the head of the file, and is told where the places are told of.

mod bounds;
mod build;
mod file;
mod index;
mod names;
mod table;
#[cfg(test)]
mod tests;

pub use build::{Built, build};
pub use file::Fault;
pub use names::Names;
pub use table::{Divisions, Malformed, Row, Table, Unusable};

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::bounds::{Vector, angle};
use self::file::{Division, Header, Record};
use self::index::Index;
use crate::geo::Point;

/// Mean radius of WGS 84, m (IUGG).
const RADIUS: f64 = 6_371_008.8;

/// Blocks that one look-up reads at most; a file that was built here needs a tenth of it anywhere on earth.
const BLOCKS_LOOKED_AT: usize = 256;

/// Bytes of blocks that are kept.
const KEPT: usize = 192 * 1024;

/// The names of a file, and where to find them in it. What is in memory is the index, the divisions and some blocks.
pub struct Places {
    file: Box<dyn ReadAt>,
    attribution: String,
    count: u32,
    divisions: Vec<Division>,
    index: Index,
    /// Blocks read lately, the latest last.
    kept: Mutex<VecDeque<(usize, Arc<[u8]>)>>,
}

/// The nearest place to where somebody is.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// Its name.
    pub name: String,
    /// The first-order division of the country that it lies in; empty where the file does not know.
    pub division: String,
    /// The country, ISO 3166-1 alpha-2; empty where the file does not know.
    pub country: String,
    /// How far it is, m.
    pub distance: f64,
    /// The direction in which one stands from there, degrees from north.
    pub bearing: f64,
}

/// `2.1 km NE of Seongsu-dong, Seoul, KR`; without distance and direction where that would be 0.0 km.
impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kilometres = self.distance / 1000.0;
        if kilometres >= 99.95 {
            write!(f, "{kilometres:.0} km {} of ", quarter(self.bearing))?;
        } else if kilometres >= 0.05 {
            write!(f, "{kilometres:.1} km {} of ", quarter(self.bearing))?;
        }
        f.write_str(&self.name)?;
        for part in [&self.division, &self.country] {
            if !part.is_empty() && *part != self.name {
                write!(f, ", {part}")?;
            }
        }
        Ok(())
    }
}

/// A direction as one of eight.
fn quarter(bearing: f64) -> &'static str {
    const NAMES: [&str; 8] = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];
    let eighth = (bearing.rem_euclid(360.0) / 45.0).round() as usize % 8;
    NAMES.get(eighth).copied().unwrap_or("N")
}

impl Places {
    /// Opens a file that [`build()`] has made, and reads it once to see that it is whole.
    ///
    /// # Errors
    /// When it cannot be read, or is not what [`build()`] makes.
    pub fn open(path: &Path) -> Result<Places, Fault> {
        let file = File::open(path)?;
        let checked = file::check(&file)?;
        Ok(Places::new(Box::new(file), checked))
    }

    /// The same of bytes in memory.
    fn of_bytes(bytes: Vec<u8>) -> Result<Places, Fault> {
        let checked = file::check(bytes.as_slice())?;
        Ok(Places::new(Box::new(bytes), checked))
    }

    fn new(file: Box<dyn ReadAt>, (header, index): (Header, Index)) -> Places {
        let Header { attribution, count, divisions } = header;
        Places { file, attribution, count, divisions, index, kept: Mutex::default() }
    }

    /// How many places there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whom the places are from, and under which licence.
    pub fn attribution(&self) -> &str {
        &self.attribution
    }

    /// Bytes that the index and the divisions take in memory.
    pub fn resident(&self) -> usize {
        let names = |division: &Division| size_of::<Division>() + division.name.len() + division.country.len();
        self.index.resident() + self.divisions.iter().map(names).sum::<usize>()
    }

    /// The nearest place. `None` when `point` is none on earth, there is no place, or the file cannot be read any more.
    pub fn nearest(&self, point: Point) -> Option<Nearest> {
        self.look(point, |block| self.block(block)).ok().flatten()
    }

    /// The same in words.
    pub fn name(&self, point: Point) -> Option<String> {
        self.nearest(point).map(|nearest| nearest.to_string())
    }

    /// The same by what was read lately: `Err` when that does not do.
    fn nearest_kept(&self, point: Point) -> Result<Option<Nearest>, Unread> {
        self.look(point, |block| self.kept_block(block).ok_or(Unread))
    }

    fn look(&self, point: Point, mut read: impl FnMut(usize) -> Result<Arc<[u8]>, Unread>) -> Result<Option<Nearest>, Unread> {
        if !(point.latitude.abs() <= 90.0 && point.longitude.abs() <= 180.0) {
            return Ok(None);
        }
        let from = Vector::of(point);
        let mut best = f64::INFINITY;
        let mut nearest: Option<Nearest> = None;
        let mut left = BLOCKS_LOOKED_AT;
        let searched = self.index.search(from, &mut best, &mut |block, best| {
            left = left.checked_sub(1).ok_or(Done::Enough)?;
            let bytes = read(block).map_err(|Unread| Done::Unread)?;
            if let Some(found) = nearest_in(&bytes, point, from, best) {
                nearest = Some(self.named(&found, point, *best));
            }
            Ok(())
        });
        match searched {
            Err(Done::Unread) => Err(Unread),
            Err(Done::Enough) | Ok(()) => Ok(nearest),
        }
    }

    fn named(&self, found: &Record<'_>, point: Point, chord: f64) -> Nearest {
        let division = self.divisions.get(usize::from(found.division));
        Nearest {
            name: found.name.to_owned(),
            division: division.map(|division| division.name.clone()).unwrap_or_default(),
            country: division.map(|division| division.country.clone()).unwrap_or_default(),
            distance: angle(chord) * RADIUS,
            bearing: bearing(found.point, point),
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(usize, Arc<[u8]>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept_block(&self, block: usize) -> Option<Arc<[u8]>> {
        let mut kept = self.kept();
        let at = kept.iter().rposition(|(number, _)| *number == block)?;
        let found = kept.remove(at)?;
        let bytes = found.1.clone();
        kept.push_back(found);
        Some(bytes)
    }

    fn block(&self, block: usize) -> Result<Arc<[u8]>, Unread> {
        if let Some(bytes) = self.kept_block(block) {
            return Ok(bytes);
        }
        let (from, length) = self.index.extent(block).ok_or(Unread)?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, from).map_err(|_| Unread)?;
        let bytes: Arc<[u8]> = bytes.into();
        let mut kept = self.kept();
        kept.push_back((block, bytes.clone()));
        while kept.len() > 1 && kept.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > KEPT {
            kept.pop_front();
        }
        Ok(bytes)
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("count", &self.count).finish_non_exhaustive()
    }
}

/// What can be read anywhere.
trait ReadAt: Send + Sync {
    /// Fills `bytes` from there.
    fn read_exact_at(&self, bytes: &mut [u8], from: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_exact_at(&self, bytes: &mut [u8], from: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, from)
    }
}

impl ReadAt for Vec<u8> {
    fn read_exact_at(&self, bytes: &mut [u8], from: u64) -> io::Result<()> {
        let rest = usize::try_from(from).ok().and_then(|from| self.get(from..));
        let found = rest.and_then(|rest| rest.get(..bytes.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(found);
        Ok(())
    }
}

/// A block is not at hand.
struct Unread;

/// Why a search ends before its end.
enum Done {
    Unread,
    Enough,
}

/// The nearest of a block's records, if it is nearer than `best`, a squared chord of the unit sphere, which then becomes
/// its own.
fn nearest_in<'b>(mut bytes: &'b [u8], point: Point, from: Vector, best: &mut f64) -> Option<Record<'b>> {
    let mut nearest = None;
    while let Some((record, rest)) = Record::read(bytes) {
        bytes = rest;
        // Who is farther by latitude alone is farther, and this is known without a sine.
        if (record.point.latitude - point.latitude).abs().to_radians() > angle(*best) {
            continue;
        }
        let chord = from.chord_to(Vector::of(record.point));
        if chord < *best {
            *best = chord;
            nearest = Some(record);
        }
    }
    nearest
}

/// The direction in which `to` lies from `from`, degrees from north.
fn bearing(from: Point, to: Point) -> f64 {
    let (north, south) = (from.latitude.to_radians(), to.latitude.to_radians());
    let east = (to.longitude - from.longitude).to_radians();
    let y = east.sin() * south.cos();
    let x = north.cos() * south.sin() - north.sin() * south.cos() * east.cos();
    y.atan2(x).to_degrees().rem_euclid(360.0)
}

/// For fuzzing: bytes in the place of a file that was built, and in the place of a table that one is built of. What is
/// taken for a file answers every question.
///
/// # Errors
/// When a promise is broken.
pub fn survives(bytes: &[u8]) -> Result<(), String> {
    let asked = [(0.0, 0.0), (37.5, 127.0), (90.0, 0.0), (-90.0, 180.0), (f64::NAN, 0.0)];
    let asked = asked.map(|(latitude, longitude)| Point { latitude, longitude });
    match Places::of_bytes(bytes.to_vec()) {
        Ok(places) => {
            let told = |nearest: Nearest| !nearest.to_string().is_empty() && nearest.distance.is_finite();
            if !asked.into_iter().filter_map(|point| places.nearest(point)).all(told) {
                return Err("a place without a name or a distance".to_owned());
            }
        }
        Err(fault) if fault.to_string().is_empty() => return Err("a fault without a word".to_owned()),
        Err(_) => {}
    }
    let Ok(table) = Table::read(bytes, &Divisions::default(), |_| {}) else { return Ok(()) };
    let rows = table.rows.len();
    let mut built = Vec::new();
    match build(table, "nobody", &mut built) {
        Ok(_) => {}
        Err(_) if rows == 0 => return Ok(()),
        Err(error) => return Err(format!("what was read cannot be written: {error}")),
    }
    let places = Places::of_bytes(built).map_err(|fault| format!("what was built {fault}"))?;
    if places.count() as usize == rows { Ok(()) } else { Err(format!("{rows} places became {}", places.count())) }
}
