//! Recordings of real receivers, held against what gpsd reads from them: time to the millisecond, latitude and longitude
//! to 1e-7 degrees, for 99.5 % of the epochs of each.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use telltale::clock::Wall;
use telltale::gnss::{Entry, Log};

use crate::unit::shared_data;

/// What gpsd calls a fix: class TPV, of which an epoch may have several; the last counts.
#[derive(Deserialize)]
struct Report {
    class: String,
    time: Option<String>,
    lat: Option<f64>,
    lon: Option<f64>,
}

fn recordings() -> io::Result<Vec<PathBuf>> {
    let Some(data) = shared_data() else { return Ok(Vec::new()) };
    let entries = std::fs::read_dir(data.join("nmea"))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    Ok(paths)
}

fn by_gpsd(recording: &Path) -> io::Result<BTreeMap<String, (f64, f64)>> {
    let text = std::fs::read_to_string(recording.with_extension("log.chk"))?;
    let reports = text.lines().filter_map(|line| serde_json::from_str::<Report>(line).ok());
    let fixes = reports.filter(|report| report.class == "TPV");
    Ok(fixes.filter_map(|report| Some((report.time?, (report.lat?, report.lon?)))).collect())
}

fn by_us(recording: &Path) -> io::Result<BTreeMap<String, Vec<(f64, f64)>>> {
    let mut fixes: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for entry in Log::new(File::open(recording)?, 5.0) {
        if let Entry::Fix(fix) = entry? {
            let time = fix.time.map(|time| Wall::from_micros(time.micros() + 500).to_string());
            fixes.entry(time.unwrap_or_default()).or_default().push((fix.point.latitude, fix.point.longitude));
        }
    }
    Ok(fixes)
}

#[test]
fn recordings_read_as_gpsd_reads_them() -> io::Result<()> {
    for recording in recordings()? {
        let (theirs, ours) = (by_gpsd(&recording)?, by_us(&recording)?);
        let near = |(lat, lon): (f64, f64), fix: &(f64, f64)| (lat - fix.0).abs() <= 1e-7 && (lon - fix.1).abs() <= 1e-7;
        let same = |(time, place): &(&String, &(f64, f64))| {
            ours.get(*time).is_some_and(|fixes| fixes.iter().any(|fix| near(**place, fix)))
        };
        let agreed = theirs.iter().filter(same).count();
        println!("{}: {agreed} of {} epochs agree", recording.display(), theirs.len());
        assert!(!theirs.is_empty() && agreed * 1000 >= theirs.len() * 995, "{}", recording.display());
    }
    Ok(())
}
