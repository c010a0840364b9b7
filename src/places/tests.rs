//! Places found as a search through all of them finds them, and files that are not what they should be.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::bounds::{Vector, angle};
use super::file::Division;
use super::*;
use crate::metrics::{Counter, Family, Reason};

fn row(latitude: f64, longitude: f64, name: &str) -> Row {
    let division = Division { country: "KR".to_owned(), name: "Seoul".to_owned() };
    Row { point: Point { latitude, longitude }, name: name.to_owned(), division }
}

fn built(rows: Vec<Row>) -> Vec<u8> {
    let mut bytes = Vec::new();
    build(Table { rows, ..Table::default() }, "GeoNames, CC BY 4.0", &mut bytes).unwrap();
    bytes
}

fn places(rows: Vec<Row>) -> Places {
    Places::of_bytes(built(rows)).unwrap()
}

/// The nearest by looking at each, m.
fn brute(rows: &[Row], point: Point) -> f64 {
    let from = Vector::of(point);
    let chord = rows.iter().map(|row| from.chord_to(Vector::of(row.point))).fold(f64::INFINITY, f64::min);
    angle(chord) * RADIUS
}

/// A point of the grid that a file keeps, so that what is found is where it was put.
fn point() -> impl Strategy<Value = Point> {
    let anywhere = (-9_000_000..=9_000_000, -18_000_000..=18_000_000);
    let seam = (-9_000_000..=9_000_000, prop_oneof![-18_000_000..=-17_990_000, 17_990_000..=18_000_000]);
    let poles = (prop_oneof![-9_000_000..=-8_990_000, 8_990_000..=9_000_000], -18_000_000..=18_000_000);
    let town = (3_740_000..=3_760_000, 12_690_000..=12_710_000);
    let point = |(latitude, longitude): (i32, i32)| Point {
        latitude: f64::from(latitude) / file::A_DEGREE,
        longitude: f64::from(longitude) / file::A_DEGREE,
    };
    prop_oneof![anywhere, seam, poles, town].prop_map(point)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_nearest_is_what_a_search_through_all_finds(
        at in proptest::collection::vec(point(), 1..600),
        asked in proptest::collection::vec(point(), 40),
    ) {
        let rows: Vec<Row> = at.iter().map(|at| row(at.latitude, at.longitude, "x")).collect();
        let places = places(rows.clone());
        prop_assert_eq!(places.count() as usize, rows.len());
        for point in asked {
            let found = places.nearest(point).unwrap();
            let nearest = brute(&rows, point);
            prop_assert!((found.distance - nearest).abs() < 0.5, "{point:?}: {} m, and there is one at {nearest} m", found.distance);
        }
    }

    #[test]
    fn every_noise_survives(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(survives(&bytes), Ok(()));
    }

    #[test]
    fn a_file_with_a_byte_changed_or_cut_is_refused(at in 0_usize..usize::MAX, to in 1_u8..=255, cut in any::<bool>()) {
        static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
        let mut bytes = WHOLE.get_or_init(|| built((0..300).map(|n| row(f64::from(n) / 10.0, 3.0, "Ort")).collect())).clone();
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] ^= to }
        prop_assert!(Places::of_bytes(bytes.clone()).is_err());
        prop_assert_eq!(survives(&bytes), Ok(()));
    }

    #[test]
    fn a_made_up_file_with_a_right_checksum_survives(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), count in 0_u32..9) {
        let mut made = built(vec![row(1.0, 2.0, "x")]);
        made.truncate(12);
        made.extend_from_slice(&count.to_le_bytes());
        made.append(&mut bytes);
        let mut sum = file::Crc::default();
        sum.add(&made);
        made.extend_from_slice(&sum.value().to_le_bytes());
        prop_assert_eq!(survives(&made), Ok(()));
    }
}

#[test]
fn an_address_is_read_as_people_say_it() {
    let seongsu = || vec![row(37.5446, 127.0557, "Seongsu-dong")];
    let name = |rows, latitude, longitude| places(rows).name(Point { latitude, longitude }).unwrap();
    assert_eq!(name(seongsu(), 37.558, 127.0725), "2.1 km NE of Seongsu-dong, Seoul, KR");
    assert_eq!(name(seongsu(), 37.5446, 127.0557), "Seongsu-dong, Seoul, KR");
    assert_eq!(name(seongsu(), 35.1, 129.03), "324 km SE of Seongsu-dong, Seoul, KR");
    assert_eq!(name(vec![row(37.566, 126.9784, "Seoul")], 37.566, 126.9), "6.9 km W of Seoul, KR");
    assert_eq!(name(vec![row(0.0, 179.95, "성수동")], 0.0, -179.95), "11.1 km E of 성수동, Seoul, KR");
    assert_eq!(name(vec![row(89.9, 0.0, "x")], 89.9, 180.0), "22.2 km N of x, Seoul, KR");
}

#[test]
fn directions_are_the_eight_of_a_compass() {
    let told = [0.0, 22.4, 22.6, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0, 337.6, 360.0, -45.0].map(quarter);
    assert_eq!(told, ["N", "N", "NE", "E", "SE", "S", "SW", "W", "NW", "N", "N", "NW"]);
}

#[test]
fn nowhere_is_near_nothing() {
    let places = places(vec![row(1.0, 2.0, "x")]);
    for (latitude, longitude) in [(f64::NAN, 0.0), (91.0, 0.0), (0.0, f64::INFINITY)] {
        assert_eq!(places.nearest(Point { latitude, longitude }), None);
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_cure() {
    let whole = built(vec![row(1.0, 2.0, "x")]);
    let told = |bytes: &[u8]| Places::of_bytes(bytes.to_vec()).unwrap_err().to_string();
    assert!(told(b"").contains("is no places file"));
    assert!(Fault::NotOne.cure().contains("`telltale places build"));
    assert!(told(b"PK\x03\x04 a zip").contains("is no places file"));
    assert!(told(&whole[..whole.len() - 1]).contains("is cut short"));
    let mut newer = whole.clone();
    newer[8] = 2;
    assert!(told(&newer).contains("is of version 2 of the format"));
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(told(&damaged).contains("is damaged (its checksum"));
    assert!(told(&[whole, vec![0]].concat()).contains("something comes after its end"));
}

#[test]
fn a_name_too_long_is_cut_between_characters() {
    let places = places(vec![row(1.0, 2.0, &"성".repeat(100))]);
    assert_eq!(places.nearest(Point { latitude: 1.0, longitude: 2.0 }).unwrap().name, "성".repeat(85));
}

#[test]
fn who_may_not_wait_hears_the_same_and_gives_up_on_a_disk_that_hangs() {
    let rows = || (0..3000).map(|n| row(f64::from(n % 60), f64::from(n / 60), &format!("p{n}"))).collect::<Vec<_>>();
    let names = Names::new(Arc::new(places(rows())), Family::default()).unwrap();
    let point = Point { latitude: 30.3, longitude: 20.2 };
    let wanted = places(rows()).name(point);
    // A busy machine may be late at first.
    let until = Instant::now() + Duration::from_secs(300);
    while names.of(point) != wanted {
        assert!(Instant::now() < until, "never answered");
    }
    assert_eq!(names.of(point), wanted);

    let ahead = Names::new(Arc::new(places(rows())), Family::default()).unwrap();
    while ahead.places.nearest_kept(point).is_err() {
        ahead.look_ahead(point);
        assert!(Instant::now() < until, "never read");
        std::thread::yield_now();
    }
    assert_eq!(ahead.of(point), wanted);

    struct Hangs(Vec<u8>, Mutex<()>);
    impl ReadAt for Arc<Hangs> {
        fn read_exact_at(&self, bytes: &mut [u8], from: u64) -> io::Result<()> {
            let _held = self.1.lock().unwrap();
            self.0.read_exact_at(bytes, from)
        }
    }
    let bytes = built(rows());
    let checked = file::check(bytes.as_slice()).unwrap();
    let disk = Arc::new(Hangs(bytes, Mutex::default()));
    let dropped = Family::<Reason, Counter>::default();
    let names = Names::new(Arc::new(Places::new(Box::new(disk.clone()), checked)), dropped.clone()).unwrap();
    let hangs = disk.1.lock().unwrap();
    assert_eq!((names.of(point), names.of(point)), (None, None));
    assert_eq!(dropped.get_or_create(&Reason { reason: "late" }).get(), 2);
    drop(hangs);
    let until = Instant::now() + Duration::from_secs(300);
    while names.of(point) != wanted {
        assert!(Instant::now() < until, "never recovered");
    }
}
