//! How fast frames are decoded, and lines of a log read.
//!
//! The database and the profile are in the size of a body bus: six messages, ten mapped signals, of which two are
//! numbers, one is multiplexed and one has a validity signal.

use std::io;
use std::path::Path;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use telltale::can::candump::Line;
use telltale::can::dbc::Database;
use telltale::can::log::{Entry, Reader};
use telltale::can::profile::Profile;
use telltale::clock::Boot;
use telltale::vehicle::{BusId, Frame, FrameKind};

const DBC: &str = r#"
BO_ 1345 BODY1: 8 BCM
 SG_ Ignition : 0|3@1+ (1,0) [0|5] "" X
 SG_ DoorFL : 3|1@1+ (1,0) [0|1] "" X
 SG_ DoorFR : 4|1@1+ (1,0) [0|1] "" X
 SG_ Lock : 37|2@0+ (1,0) [0|3] "" X
BO_ 1363 BODY2: 8 BCM
 SG_ DoorRL : 8|1@1+ (1,0) [0|1] "" X
 SG_ DoorRR : 9|1@1+ (1,0) [0|1] "" X
BO_ 902 WHEELS: 8 ESC
 SG_ Speed : 0|14@1+ (0.03125,0) [0|511] "km/h" X
BO_ 1353 BATTERY: 8 BCM
 SG_ Voltage : 23|8@0+ (0.1,0) [0|25] "V" X
BO_ 928 PRESENCE: 4 RADAR
 SG_ Detected : 0|1@1+ (1,0) [0|1] "" X
 SG_ Fault : 2|1@1+ (1,0) [0|1] "" X
BO_ 2364540158 ENGINE: 8 ECM
 SG_ Page M : 0|8@1+ (1,0) [0|0] "" X
 SG_ Coolant m1 : 8|8@1+ (1,-40) [0|0] "degC" X
"#;

const SOURCES: [(&str, &str, &str, &str); 10] = [
    ("LowVoltageSystemState", "BODY1", "Ignition", "values = { 0 = \"OFF\", 1 = \"ACC\", 3 = \"ON\", 4 = \"START\" }"),
    ("Cabin.Door.Row1.DriverSide.IsOpen", "BODY1", "DoorFL", "values = { 0 = false, 1 = true }"),
    ("Cabin.Door.Row1.PassengerSide.IsOpen", "BODY1", "DoorFR", "values = { 0 = false, 1 = true }"),
    ("Cabin.IsLocked", "BODY1", "Lock", "values = { 1 = true, 2 = false }\nlatched = true"),
    ("Cabin.Door.Row2.DriverSide.IsOpen", "BODY2", "DoorRL", "values = { 0 = false, 1 = true }"),
    ("Cabin.Door.Row2.PassengerSide.IsOpen", "BODY2", "DoorRR", "values = { 0 = false, 1 = true }"),
    ("Speed", "WHEELS", "Speed", ""),
    ("LowVoltageBattery.CurrentVoltage", "BATTERY", "Voltage", ""),
    (
        "Cabin.RearOccupant.IsDetected",
        "PRESENCE",
        "Detected",
        "values = { 0 = false, 1 = true }\nvalid = { signal = \"Fault\", equals = 0 }",
    ),
    ("Powertrain.CombustionEngine.EngineCoolant.Temperature", "ENGINE", "Coolant", ""),
];

/// Shows allocations, where there are any.
#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

fn profile() -> Profile {
    let mut text = "[bus.body]\ndbc = [\"car.dbc\"]\n".to_owned();
    for (path, message, signal, rest) in SOURCES {
        let source = format!("bus = \"body\"\nmessage = \"{message}\"\nsignal = \"{signal}\"\n{rest}\n");
        text += &format!("[[signals.\"Vehicle.{path}\"]]\n{source}");
    }
    let profile = Profile::parse(Path::new("car.toml"), &text, |_| io::Result::Ok(Database::parse(DBC.as_bytes())));
    let profile = profile.unwrap_or_default();
    assert_eq!(profile.layout.sources.len(), SOURCES.len());
    profile
}

/// 1,024 frames of all six messages in turn, every byte another.
fn frames() -> Vec<Frame> {
    let ids = [(1345, false), (1363, false), (902, false), (1353, false), (928, false), (0xCF0_04FE, true)];
    let frames = ids.iter().cycle().zip(0_u32..1024).map(|((id, extended), n)| {
        let bytes = u64::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
        Frame {
            at: Boot::from_micros(i64::from(n)),
            kind: FrameKind::Classical,
            id: *id,
            extended: *extended,
            data: bytes.iter().copied().collect(),
        }
    });
    frames.collect()
}

#[divan::bench]
fn mapped_frames(bencher: Bencher) {
    let (profile, frames) = (profile(), frames());
    bencher.counter(ItemsCount::new(frames.len())).bench_local(|| {
        for frame in &frames {
            profile.decoder.decode(BusId(0), black_box(frame), |source, reading| {
                black_box((source, reading));
            });
        }
    });
}

#[divan::bench]
fn lines_of_a_log(bencher: Bencher) {
    let text: String = frames().into_iter().map(|frame| format!("{}\n", Line { interface: "can0", frame })).collect();
    bencher.counter(BytesCount::new(text.len())).counter(ItemsCount::new(1024_usize)).bench_local(|| {
        let mut reader = Reader::new(black_box(text.as_bytes()));
        let mut frames = 0;
        while let Ok(Some(Entry::Frame(line))) = reader.next_entry() {
            black_box(&line);
            frames += 1;
        }
        assert_eq!(frames, 1024);
    });
}

#[divan::bench]
fn whole_messages(bencher: Bencher) {
    every_signal(bencher, &Database::parse(DBC.as_bytes()), &frames());
}

/// The log that `beside_cantools.py` gives to both: every signal of every frame.
#[divan::bench(ignore = std::env::var_os("BENCH_LOG").is_none())]
fn the_log_of_cantools(bencher: Bencher) {
    let (Ok(dbc), Ok(log)) = (std::env::var("BENCH_DBC"), std::env::var("BENCH_LOG")) else { return };
    let (Ok(database), Ok(text)) = (Database::read(Path::new(&dbc)), std::fs::read(log)) else { return };
    let (mut reader, mut frames) = (Reader::new(text.as_slice()), Vec::new());
    while let Ok(Some(Entry::Frame(line))) = reader.next_entry() {
        frames.push(line.frame.clone());
    }
    every_signal(bencher, &database, &frames);
}

fn every_signal(bencher: Bencher, database: &Database, frames: &[Frame]) {
    bencher.counter(ItemsCount::new(frames.len())).bench_local(|| {
        for frame in frames {
            if let Some(message) = database.message(frame.id, frame.extended) {
                message.decode(black_box(&frame.data)).for_each(|(signal, value)| {
                    black_box((signal, value));
                });
            }
        }
    });
}

/// A database of 150 messages with ten signals each: 1,650 lines.
#[divan::bench]
fn read_a_database(bencher: Bencher) {
    let mut text = String::new();
    for id in 0..150 {
        text += &format!("BO_ {id} MESSAGE_{id}: 8 BCM\n");
        for bit in 0..10 {
            text += &format!(" SG_ SIGNAL_{id}_{bit} : {}|6@1+ (0.5,-40) [0|250] \"km/h\" X,Y\n", bit * 6);
        }
    }
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        let database = Database::parse(black_box(text.as_bytes()));
        assert_eq!(database.messages().len(), 150);
        database
    });
}
