//! When a fence tells.

use super::*;

fn scheduled(days: &[&str], from: &str, to: &str, zone_name: &str) -> Fence {
    let schedule = Schedule::new(days.iter().copied(), from, to, zone_name).expect("a schedule");
    Fence { schedule: Some(schedule), ..zone() }
}

#[test]
fn a_schedule_limits_the_telling_and_never_the_state() {
    let mut drive = Drive::new(vec![Fence { dwell: Some(Duration::from_secs(5)), ..scheduled(&[], "00:01", "00:02", "UTC") }]);
    assert_eq!(drive.along([-200.0, -150.0, -90.0, -80.0]), NOTHING);
    assert_eq!(drive.fences.now()[0].inside, Some(true));
    assert_eq!(drive.stay(10, 0.0), NOTHING, "nor does it dwell");
    assert_eq!(drive.stay(60, 0.0), NOTHING, "nothing is told at its edge");
    assert_eq!(drive.along([90.0, 120.0, 130.0]), ["exit zone"]);
    assert_eq!(held_for(&drive.events[0]), Some(73.0));
    assert_eq!(drive.along([90.0, 80.0]), ["enter zone"]);
    assert_eq!(drive.stay(5, 0.0), ["dwell zone"]);
    assert_eq!(drive.stay(60, 0.0), NOTHING, "nor at its other edge");
    assert_eq!(drive.along([90.0, 120.0, 130.0]), NOTHING);
}

#[test]
fn a_schedule_runs_over_midnight_in_its_own_zone() {
    // 23:59 on Thursday in Berlin is an hour before midnight UTC.
    let mut drive = Drive { wall: MIDNIGHT - 3660, ..Drive::new(vec![scheduled(&["thu"], "22:00", "00:01", "Europe/Berlin")]) };
    assert_eq!(drive.along([-200.0, -150.0, -90.0, -80.0]), ["enter zone"]);
    drive.wait(60.0);
    assert_eq!(drive.along([90.0, 120.0, 130.0]), ["exit zone"], "Friday, in Thursday's window");
    drive.wait(60.0);
    assert_eq!(drive.along([90.0, 80.0]), NOTHING, "its end");
}

#[test]
fn a_schedule_follows_summer_time() {
    // 2026-03-29T00:58:20Z: an hour and 100 s before 03:00 in Berlin by winter time, and 100 s by summer time.
    let change = 1_774_746_000;
    let mut drive = Drive { wall: change - 100, ..Drive::new(vec![scheduled(&[], "03:00", "04:00", "Europe/Berlin")]) };
    assert_eq!(drive.along([-200.0, -150.0, -90.0, -80.0]), NOTHING);
    drive.wait(100.0);
    assert_eq!(drive.along([90.0, 120.0, 130.0]), ["exit zone"]);
}

#[test]
fn with_tell_at_start_its_start_tells_that_the_vehicle_is_inside() {
    let fence = Fence { tell_at_start: true, ..scheduled(&[], "00:01", "00:02", "UTC") };
    let mut drive = Drive::new(vec![fence.clone()]);
    assert_eq!(drive.along([-200.0, -150.0, -90.0, -80.0]), NOTHING);
    assert_eq!(drive.fences.deadline(), Some(Boot::from_micros(60_000_000)));
    assert_eq!(drive.stay(55, 0.0), NOTHING);
    assert_eq!(drive.stay(1, 0.0), ["enter zone"]);
    assert_eq!(drive.stay(60, 0.0), NOTHING, "nothing at its end");
    assert_eq!(drive.along([90.0, 120.0, 130.0]), NOTHING);
    drive.wait(86_400.0 - 70.0);
    assert_eq!(drive.stay(10, 130.0), ["exit zone"], "it left while nothing was told");
    drive.wait(86_400.0);
    assert_eq!(drive.stay(2, 130.0), NOTHING, "that was told");
    let mut never = Drive::new(vec![fence]);
    assert_eq!(never.stay(100, 300.0), NOTHING, "it was never inside");
}

#[test]
fn a_time_that_nobody_vouches_for_is_within_every_schedule() {
    let fence = Fence { tell_at_start: true, ..scheduled(&[], "12:00", "13:00", "UTC") };
    let mut drive = Drive { source: TimeSource::Unset, ..Drive::new(vec![fence]) };
    assert_eq!(drive.along([-200.0, -150.0, -90.0, -80.0]), ["enter zone"]);
    drive.source = TimeSource::Gnss;
    assert_eq!(drive.stay(5, 0.0), NOTHING);
    drive.wall += 43_200;
    assert_eq!(drive.stay(5, 0.0), ["enter zone"], "the clock was set right: it is past the start");
}
