//! A table made into a file.

use std::collections::BTreeMap;
use std::io::{self, Error, ErrorKind, Write};

use super::bounds::Vector;
use super::file::{A_DEGREE, Crc, Division, LEAST_A_BLOCK, MAGIC, MOST_A_BLOCK, MOST_OF_DIVISIONS, MOST_PLACES, VERSION};
use super::index::MOST_BLOCKS;
use super::table::{Row, Table};

/// What was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// How many places.
    pub places: usize,
    /// In how many parts of countries.
    pub divisions: usize,
    /// Bytes of the file.
    pub bytes: usize,
}

/// Writes the places of a table as one file, with `attribution` at its head. Names and attributions are cut to what a
/// record holds, 255 bytes and 65,535.
///
/// # Errors
/// When `out` cannot be written, or there is no place, or more than a file can hold.
pub fn build(table: Table, attribution: &str, out: &mut impl Write) -> io::Result<Built> {
    let mut rows = table.rows;
    if rows.is_empty() || rows.len() > MOST_PLACES {
        return Err(Error::new(ErrorKind::InvalidInput, format!("a file holds 1 to {MOST_PLACES} places, not {}", rows.len())));
    }
    let a_block = a_block(rows.len());
    let mut places: Vec<(Vector, Row)> = rows.drain(..).map(|row| (Vector::of(row.point), row)).collect();
    arrange(&mut places, a_block);

    let divisions = number(&places)?;
    let mut bytes = Vec::with_capacity(32 * places.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&two_bytes(a_block)?);
    bytes.extend_from_slice(&u32::try_from(places.len()).map_err(Error::other)?.to_le_bytes());
    bytes.extend_from_slice(&two_bytes(divisions.len())?);
    let attribution = cut(attribution, usize::from(u16::MAX));
    bytes.extend_from_slice(&two_bytes(attribution.len())?);
    bytes.extend_from_slice(attribution.as_bytes());
    for Division { country, name } in divisions.keys() {
        push_name(&mut bytes, country);
        push_name(&mut bytes, name);
    }
    for (_, row) in &places {
        let units = |degrees: f64| ((degrees * A_DEGREE).round() as i32).to_le_bytes();
        bytes.extend_from_slice(&units(row.point.latitude));
        bytes.extend_from_slice(&units(row.point.longitude));
        let division = divisions.get(&row.division).copied().unwrap_or_default();
        bytes.extend_from_slice(&division.to_le_bytes());
        push_name(&mut bytes, &row.name);
    }
    let mut sum = Crc::default();
    sum.add(&bytes);
    bytes.extend_from_slice(&sum.value().to_le_bytes());
    out.write_all(&bytes)?;
    Ok(Built { places: places.len(), divisions: divisions.len(), bytes: bytes.len() })
}

/// How many places a block has, so that there are not too many blocks.
fn a_block(places: usize) -> usize {
    let mut a_block = LEAST_A_BLOCK;
    while places.div_ceil(a_block) > MOST_BLOCKS && a_block < MOST_A_BLOCK {
        a_block *= 2;
    }
    a_block
}

/// Each division's number.
fn number(places: &[(Vector, Row)]) -> io::Result<BTreeMap<Division, u16>> {
    let mut divisions: BTreeMap<Division, u16> = places.iter().map(|(_, row)| (row.division.clone(), 0)).collect();
    let bytes: usize = divisions.keys().map(|division| division.country.len() + division.name.len()).sum();
    if bytes > MOST_OF_DIVISIONS || divisions.len() > usize::from(u16::MAX) {
        let message = format!("{} divisions of countries are more than a file can hold", divisions.len());
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    (0..).zip(divisions.values_mut()).for_each(|(number, value)| *value = number);
    Ok(divisions)
}

/// Puts what is near together: halves along the widest side, down to single blocks, as the index halves the blocks.
fn arrange(places: &mut [(Vector, Row)], a_block: usize) {
    let blocks = places.len().div_ceil(a_block);
    if blocks < 2 {
        return;
    }
    let width = |axis: usize| {
        let along = places.iter().filter_map(|(Vector(at), _)| at.get(axis).copied());
        let (low, high) = along.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
        high - low
    };
    let widest = (0..3).max_by(|a, b| width(*a).total_cmp(&width(*b))).unwrap_or_default();
    let along = |place: &(Vector, Row)| place.0.0.get(widest).copied().unwrap_or_default();
    let middle = blocks / 2 * a_block;
    places.select_nth_unstable_by(middle, |a, b| along(a).total_cmp(&along(b)));
    let (left, right) = places.split_at_mut(middle);
    arrange(left, a_block);
    arrange(right, a_block);
}

fn two_bytes(number: usize) -> io::Result<[u8; 2]> {
    Ok(u16::try_from(number).map_err(Error::other)?.to_le_bytes())
}

fn push_name(bytes: &mut Vec<u8>, name: &str) {
    let name = cut(name, usize::from(u8::MAX));
    bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(name.as_bytes());
}

/// The beginning of a text, at most so many bytes.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    text.get(..end).unwrap_or_default()
}
