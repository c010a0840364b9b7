//! `telltale places build`: a file of places out of a table of GeoNames.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{Exit, recording};
use crate::places::{self, Built, Divisions, Malformed, Table, Unusable};

/// Lines that cannot be read and are shown; of the rest there is the number.
const SHOWN: u64 = 10;

/// Where GeoNames' names of divisions are looked for, beside the table.
const DIVISIONS: &str = "admin1CodesASCII.txt";

/// What is done with places.
#[derive(Debug, clap::Subcommand)]
pub enum Places {
    /// Make a file of places
    Build(Build),
}

/// Make one compact file of places out of a table of GeoNames
///
/// The table is cities500.txt, cities1000.txt, cities15000.txt or allCountries.txt out of the archive of that name at
/// <https://download.geonames.org/export/dump/>, licensed CC BY 4.0. OUT is what `places.file` names; it takes the place of
/// an older one at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  telltale places build cities500.txt places.bin")]
pub struct Build {
    /// The table
    file: PathBuf,
    /// The file to make
    out: PathBuf,
    /// The names of first-order divisions, such as Seoul: GeoNames' admin1CodesASCII.txt (default: the one beside FILE)
    #[arg(long, value_name = "FILE")]
    divisions: Option<PathBuf>,
}

/// Why no file was made.
enum Failure {
    File(PathBuf, io::Error),
    Table(Unusable),
}

impl Places {
    /// Runs it.
    pub fn run(self) -> ExitCode {
        let Places::Build(build) = self;
        match build.run() {
            Ok(said) => super::print(&said),
            Err(Failure::File(path, error)) => recording::failed(&path, &error),
            Err(Failure::Table(error)) => {
                eprintln!("telltale: {} {error}", build.file.display());
                Exit::Io.into()
            }
        }
    }
}

impl Build {
    fn run(&self) -> Result<String, Failure> {
        let divisions = self.divisions()?;
        let file = open(&self.file)?;
        let mut malformed = 0;
        let tell = |Malformed { line, what }| {
            malformed += 1;
            if malformed <= SHOWN {
                eprintln!("telltale: {}: line {line}: {what}; passed over", self.file.display());
            }
        };
        let table = Table::read(file, &divisions, tell).map_err(Failure::Table)?;
        if table.malformed > SHOWN {
            eprintln!("telltale: {} more lines like that are passed over", table.malformed - SHOWN);
        }
        let others = table.others;
        let name = self.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let attribution = format!("Places: GeoNames (https://www.geonames.org), CC BY 4.0; from {name}");
        let Built { places, divisions, bytes } = replace(&self.out, |out| places::build(table, &attribution, out))
            .map_err(|error| Failure::File(self.out.clone(), error))?;
        let out = self.out.display();
        Ok(format!(
            "{out}: {places} places in {divisions} divisions, {bytes} bytes; {others} lines of other things left out\n{attribution}\n"
        ))
    }

    /// The names of divisions: those of the file that was named, else of the one beside the table.
    fn divisions(&self) -> Result<Divisions, Failure> {
        let beside = self.file.with_file_name(DIVISIONS);
        let path = match &self.divisions {
            Some(path) => path,
            None if beside.exists() => &beside,
            None => return Ok(Divisions::default()),
        };
        Divisions::read(open(path)?).map_err(|error| Failure::File(path.clone(), error))
    }
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let file = File::open(path).map_err(|error| Failure::File(path.to_owned(), error))?;
    Ok(BufReader::with_capacity(1 << 16, file))
}

/// Writes beside the old file first, and lets the disk have it, so that a cut leaves one or the other.
fn replace<T>(path: &Path, write: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
    let mut name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_owned();
    name.push(".partial");
    let beside = path.with_file_name(name);
    let written = File::create(&beside).and_then(|mut file| {
        let made = write(&mut file)?;
        file.flush()?;
        file.sync_all()?;
        Ok(made)
    });
    let placed = written.and_then(|made| {
        std::fs::rename(&beside, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        Ok(made)
    });
    if placed.is_err() {
        // What was begun is of no use to anybody.
        let _ = std::fs::remove_file(&beside);
    }
    placed
}
