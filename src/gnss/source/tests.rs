use std::cell::RefCell;
use std::future::Future;
use std::io::Write;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};

use super::*;
use crate::clock::TimeSource;
use crate::metrics::Metrics;

const CYCLE: &[u8] = b"$GNRMC,000000.00,A,3732.67606,N,12703.34216,E,10.00,182.0,200226,,,A,V*35\r\n\
    $GNGGA,000000.00,3732.67606,N,12703.34216,E,1,11,0.80,38.4,M,18.5,M,,*78\r\n";

/// One end of a PTY, the other linked to `path`.
fn plug(path: &Path) -> PtyMaster {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let _ = std::fs::remove_file(path);
    std::os::unix::fs::symlink(ptsname_r(&master).unwrap(), path).unwrap();
    master
}

/// Waits until the part `gnss` is `condition`, and says `detail`.
async fn until(health: &Health, condition: Condition, detail: &str) {
    let mut board = health.watch();
    let shows =
        board.wait_for(|parts| parts.get("gnss").is_some_and(|part| part.condition == condition && part.detail.contains(detail)));
    timeout(Duration::from_secs(300), shows).await.unwrap_or_else(|_| panic!("never {condition:?} {detail}")).unwrap();
}

/// Runs `script` against a source until it ends; what was delivered.
async fn against<F: Future>(
    settings: &Settings,
    clock: &Clock,
    script: impl FnOnce(Health) -> F,
) -> (Vec<Fix>, Vec<bool>, String) {
    let (metrics, health, fixes) = (Metrics::default(), Health::default(), RefCell::new(Vec::new()));
    let speaks = RefCell::new(Vec::new());
    let counters = Counters::register(&metrics);
    let deliver = |now: Boot, seen: &[Observation]| {
        for observation in seen {
            match observation {
                Observation::Fix(fix) => {
                    assert!(fix.at <= now);
                    fixes.borrow_mut().push(*fix);
                }
                Observation::Receiver { speaks: now } => speaks.borrow_mut().push(*now),
                other => panic!("{other:?}"),
            }
        }
    };
    let source = run(settings, clock, Vouch::Yes, &health, &counters, deliver);
    tokio::select! {
        () = source => {}
        _ = script(health.clone()) => {}
    }
    (fixes.into_inner(), speaks.into_inner(), metrics.encode())
}

#[tokio::test]
async fn a_receiver_may_come_late_talk_rubbish_fall_silent_and_be_pulled_out() {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("receiver");
    let settings = Settings { device: device.clone(), silent_after_s: 0.5, baud: 115_200, ..Settings::default() };
    let clock = Clock::scaled(Wall::from_micros(0), 1.0);
    let (fixes, speaks, page) = against(&settings, &clock, |health| async move {
        until(&health, Condition::Absent, "No such file").await;
        let mut receiver = plug(&device);
        until(&health, Condition::Degraded, "nothing heard yet").await;
        receiver.write_all(CYCLE).unwrap();
        until(&health, Condition::Ok, "").await;
        until(&health, Condition::Degraded, "silent for 0.5 s").await;
        receiver.write_all(b"\x80\xf0$\x00\x81garbage\n").unwrap();
        until(&health, Condition::Degraded, "baud rate").await;
        receiver.write_all(CYCLE).unwrap();
        until(&health, Condition::Ok, "").await;
        drop(receiver);
        until(&health, Condition::Absent, "plug the receiver in").await;
        let mut receiver = plug(&device);
        until(&health, Condition::Degraded, "nothing heard yet").await;
        receiver.write_all(CYCLE).unwrap();
        until(&health, Condition::Degraded, "silent").await;
    })
    .await;
    assert_eq!(speaks, [true, false, true, false, true, false], "on change only, and whether or not there is a fix");
    assert_eq!(fixes.len(), 2, "the same moment again is no new fix, another receiver's is one: {fixes:?}");
    let fix = fixes[0];
    assert_eq!((fix.mode, fix.satellites, fix.accuracy), (crate::vehicle::Mode::ThreeD, Some(11), 4.0));
    assert!((fix.speed.unwrap() - 18.52).abs() < 1e-9);
    let vouched = clock.stamp(fixes[1].at);
    assert_eq!((vouched.wall.to_string().as_str(), vouched.source), ("2026-02-20T00:00:00.000Z", TimeSource::Gnss));
    for line in ["telltale_gnss_sentences_total 6", "telltale_gnss_fixes_total 2"] {
        assert!(page.lines().any(|found| found == line), "{line} is missing from\n{page}");
    }
}

#[tokio::test]
async fn a_fifo_outlives_its_feeders() {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("fifo");
    nix::unistd::mkfifo(&device, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let settings = Settings { device: device.clone(), silent_after_s: 0.5, ..Settings::default() };
    let (fixes, _, _) = against(&settings, &Clock::scaled(Wall::from_micros(0), 1.0), |health| async move {
        for _ in 0..2 {
            until(&health, Condition::Degraded, "").await;
            std::fs::OpenOptions::new().write(true).open(&device).unwrap().write_all(CYCLE).unwrap();
            until(&health, Condition::Ok, "").await;
        }
        until(&health, Condition::Degraded, "silent").await;
    })
    .await;
    assert_eq!(fixes.len(), 1);
}

#[tokio::test]
async fn a_recording_plays_at_its_own_speed_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("drive.nmea");
    let later = b"$GNRMC,000100.00,A,3732.67606,N,12703.34216,E,10.00,182.0,200226,,,A,V*34\r\n";
    std::fs::write(&device, [CYCLE, later].concat()).unwrap();
    let settings = Settings { device, ..Settings::default() };
    let clock = Clock::scaled(Wall::from_micros(0), 100.0);
    let start = clock.now();
    let (fixes, _, _) = against(&settings, &clock, |health| async move {
        until(&health, Condition::Absent, "has ended").await;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(fixes.len(), 2);
    assert!(fixes[1].at.since(start) >= LONGEST_GAP, "a minute's gap is shortened, not left out");
}
