use telltale::clock::*;
use telltale::detect::*;
use telltale::event::*;
use telltale::geo::Point;
use telltale::vehicle::*;
fn layout() -> Layout {
    let s = |sig: Signal, bus, name: &str, latched, covers| SourceSpec {
        signal: sig,
        bus: Some(BusId(bus)),
        name: name.into(),
        latched,
        stale_after: None,
        period: None,
        covers_rear: covers,
        always: false,
    };
    use Signal::*;
    Layout {
        buses: vec!["body".into(), "cabin".into()],
        sources: vec![
            s(LowVoltageSystemState, 0, "CGW1.CF_Gway_IGNSw", false, false),
            s(Speed, 0, "WHL_SPD11.WHL_SPD_FL", false, false),
            s(CabinDoorRow1DriverSideIsOpen, 0, "CGW1.CF_Gway_DrvDrSw", false, false),
            s(CabinDoorRow1PassengerSideIsOpen, 0, "CGW1.CF_Gway_AstDrSw", false, false),
            s(CabinDoorRow2DriverSideIsOpen, 0, "CGW2.CF_Gway_RLDrSw", false, false),
            s(CabinDoorRow2PassengerSideIsOpen, 0, "CGW2.CF_Gway_RRDrSw", false, false),
            s(CabinIsLocked, 0, "CGW1.RKE", true, false),
            s(CabinIsLocked, 0, "CGW1.PAL", true, false),
            s(CabinSeatRow2DriverSideIsBelted, 0, "CGW4.RL", false, false),
            s(CabinSeatRow2PassengerSideIsBelted, 0, "CGW4.RR", false, false),
            s(LowVoltageBatteryCurrentVoltage, 0, "BAT11.V", false, false),
            s(CabinRearOccupantIsDetected, 1, "CABIN_PRESENCE.Rear", false, true),
            s(CabinHVACAmbientAirTemperature, 1, "CABIN_PRESENCE.T", false, false),
        ],
    }
}
fn bits(d: u64, s: u32, n: u32) -> u64 {
    (d >> s) & ((1 << n) - 1)
}
fn w(x: &str) -> Reading {
    Reading::Value(Value::Word(Word::try_from(x).unwrap()))
}
fn b(x: u64) -> Reading {
    match x {
        0 => Reading::Value(Value::Bool(false)),
        1 => Reading::Value(Value::Bool(true)),
        _ => Reading::Unlisted,
    }
}
fn frame(id: u32, d: u64) -> Vec<(u16, Reading)> {
    match id {
        0x541 => vec![
            (
                0,
                match bits(d, 0, 3) {
                    0 => w("OFF"),
                    1 | 2 => w("ACC"),
                    3 => w("ON"),
                    4 => w("START"),
                    _ => Reading::Unlisted,
                },
            ),
            (2, b(bits(d, 8, 2))),
            (3, b(bits(d, 35, 1))),
            (
                6,
                match bits(d, 3, 3) {
                    1 => b(1),
                    2 => b(0),
                    _ => Reading::Unlisted,
                },
            ),
            (
                7,
                match bits(d, 45, 2) {
                    1 => b(1),
                    _ => Reading::Unlisted,
                },
            ),
        ],
        0x386 => vec![(1, Reading::Value(Value::Number(bits(d, 0, 14) as f64 * 0.03125)))],
        0x553 => vec![(4, b(bits(d, 24, 1))), (5, b(bits(d, 23, 1)))],
        0x559 => vec![(8, b(bits(d, 42, 2))), (9, b(bits(d, 44, 2)))],
        0x549 => vec![(10, Reading::Value(Value::Number(6.0 + bits(d, 24, 14) as f64 * 0.001)))],
        0x3A0 => {
            if bits(d, 2, 1) == 0 {
                vec![(11, b(bits(d, 0, 1))), (12, Reading::Value(Value::Number(bits(d, 16, 8) as f64 * 0.5 - 40.0)))]
            } else {
                vec![(11, Reading::Invalid), (12, Reading::Invalid)]
            }
        }
        _ => vec![],
    }
}
fn stamp(us: i64) -> Stamp {
    Stamp { boot: Boot::from_micros(us - 1771545600_000_000 + 1_000_000), wall: Wall::from_micros(us), source: TimeSource::Gnss }
}
fn inputs(name: &str) -> Vec<(i64, Vec<Observation>)> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/drives/");
    let mut v: Vec<(i64, Vec<Observation>)> = vec![];
    for l in std::fs::read_to_string(format!("{dir}{name}.candump")).unwrap().lines() {
        let mut p = l.split(' ');
        let t = p.next().unwrap().trim_matches(|c| c == '(' || c == ')');
        let t = (t.replace('.', "")).parse::<i64>().unwrap();
        p.next();
        let f = p.next().unwrap();
        let (id, d) = f.split_once('#').unwrap();
        let id = u32::from_str_radix(id, 16).unwrap();
        let mut bytes = [0u8; 8];
        for i in 0..d.len() / 2 {
            bytes[i] = u8::from_str_radix(&d[2 * i..2 * i + 2], 16).unwrap();
        }
        let o: Vec<_> =
            frame(id, u64::from_le_bytes(bytes)).into_iter().map(|(s, r)| Observation::Reading(SourceId(s), r)).collect();
        if !o.is_empty() {
            v.push((t, o));
        }
    }
    for l in std::fs::read_to_string(format!("{dir}{name}.nmea")).unwrap().lines().filter(|l| l.contains("RMC")) {
        let f: Vec<&str> = l.split(',').collect();
        let deg = |x: &str, n: usize| x[..n].parse::<f64>().unwrap() + x[n..].parse::<f64>().unwrap() / 60.0;
        let t = f[1];
        let sec = t[0..2].parse::<i64>().unwrap() * 3600 + t[2..4].parse::<i64>().unwrap() * 60;
        let us = 1771545600_000_000 + sec * 1_000_000 + (t[4..].parse::<f64>().unwrap() * 1e6) as i64;
        let fx = Fix {
            at: stamp(us).boot,
            time: Some(Wall::from_micros(us)),
            mode: Mode::ThreeD,
            point: Point { latitude: deg(f[3], 2), longitude: deg(f[5], 3) },
            accuracy: 4.0,
            altitude: None,
            speed: f[7].parse::<f64>().ok().map(|k| k * 1.852),
            heading: None,
            satellites: None,
            hdop: None,
        };
        v.push((us, vec![Observation::Fix(fx)]));
    }
    v.sort_by_key(|x| x.0);
    v
}
#[test]
fn drives() {
    for name in ["school-run", "child-left-sensor", "child-left-doors-only"] {
        println!("== {name}");
        let mut e = Engine::new(Settings::default(), Vin::try_from("V1".to_string()).unwrap(), layout());
        let mut out = e.outbox(EventId(0));
        let ins = inputs(name);
        let mut steps = 0u64;
        let t0 = std::time::Instant::now();
        let mut rows = 0;
        let mut nrows = 0;
        for (t, os) in &ins {
            let now = stamp(*t);
            while let Some(d) = e.deadline().filter(|d| *d < now.boot) {
                let st = stamp(d.micros() + 1771545600_000_000 - 1_000_000);
                e.step(st, &mut out);
                steps += 1;
            }
            for o in os {
                e.observe(now, o);
            }
            e.step(now, &mut out);
            steps += 1;
            let r = e.rows(now);
            nrows += r.len();
            rows += r.iter().map(|r| r.value.as_ref().unwrap().len()).sum::<usize>();
            for ev in out.take() {
                println!("{:8.3} {}", now.boot.seconds() - 1.0, ev.to_json());
            }
        }
        println!("{} inputs {} steps {:?}/step rows {} bytes {}", ins.len(), steps, t0.elapsed() / steps as u32, nrows, rows);
    }
}
