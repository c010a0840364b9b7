//! Fences that come and go, and what outlives a restart.

use super::*;
use crate::request::Request;

#[test]
fn a_fence_drawn_on_the_way_is_judged_from_the_next_fix_on_without_an_event() {
    let phone = |radius| Fence { source: FenceSource::Phone, ..circle("zone", SEOUL, radius) };
    let mut drive = Drive::new(vec![]);
    drive.along([-200.0, -50.0, 0.0]);
    assert_eq!(drive.fences.put(phone(100.0)), Ok(Answer::Created));
    assert_eq!(drive.fences.now()[0].inside, None);
    assert_eq!(drive.step(), NOTHING, "no new fix");
    assert_eq!(drive.fences.now()[0].inside, None);
    assert_eq!(drive.at(10.0, 0.0), NOTHING);
    assert_eq!(drive.fences.now()[0].inside, Some(true));
    assert_eq!(drive.along([90.0, 120.0, 130.0]), ["exit zone"]);
    assert_eq!(drive.fences.put(phone(500.0)), Ok(Answer::Changed));
    assert_eq!(drive.at(140.0, 0.0), NOTHING, "another fence, inside from the first");
    assert_eq!(drive.fences.now()[0].inside, Some(true));
    assert_eq!(drive.fences.put(Fence { name: Some("Zone".into()), ..phone(500.0) }), Ok(Answer::Changed));
    assert_eq!(drive.fences.now()[0].inside, Some(true), "another name changes nothing");
    assert_eq!(drive.fences.delete("zone", FenceSource::Phone), Ok(Answer::Changed));
    assert_eq!(drive.along([600.0, 700.0, 0.0, 0.0]), NOTHING);
    assert_eq!((drive.fences.now().len(), drive.fences.fences().count()), (0, 0));
}

#[test]
fn who_made_a_fence_alone_changes_it() {
    let mut fences = Geofences::new(Settings::default(), vec![zone()]);
    let phone = Fence { source: FenceSource::Phone, ..zone() };
    assert!(matches!(fences.put(phone), Err(Refusal::Conflict { .. })));
    assert!(matches!(fences.delete("zone", FenceSource::Phone), Err(Refusal::Conflict { .. })));
    assert!(matches!(fences.delete("zoo", FenceSource::Phone), Err(Refusal::Missing(_))));
    assert_eq!(fences.delete("zone", FenceSource::File), Ok(Answer::Changed));
}

#[test]
fn a_file_that_is_read_again_changes_what_is_another_in_it_and_nothing_else() {
    let phone = Fence { source: FenceSource::Phone, ..circle("drawn", SEOUL, 50.0) };
    let mut drive = Drive::new(vec![zone(), circle("gone", SEOUL, 500.0), circle("moved", SEOUL, 300.0)]);
    assert_eq!(drive.fences.put(phone.clone()), Ok(Answer::Created));
    assert_eq!(drive.fences.put(Fence { id: "both".to_owned(), ..phone }), Ok(Answer::Created));
    drive.along([0.0, 0.0]);
    let side =
        |drive: &Drive, id: &str| drive.fences.now().into_iter().find(|fence| fence.fence.id == id).map(|fence| fence.inside);

    let file = || vec![zone(), circle("moved", SEOUL, 400.0), circle("new", SEOUL, 300.0), circle("both", SEOUL, 60.0)];
    assert_eq!(drive.fences.replace_file(file()), []);
    let sides = ["zone", "gone", "moved", "new", "drawn", "both"].map(|id| side(&drive, id));
    assert_eq!(sides, [Some(Some(true)), None, Some(None), Some(None), Some(Some(true)), Some(None)]);
    assert_eq!(
        drive.fences.fence("both").map(|fence| fence.source),
        Some(FenceSource::File),
        "the file's stands before a phone's"
    );
    let revision = drive.fences.revision();
    assert_eq!(drive.fences.replace_file(file()), []);
    assert_eq!(drive.fences.revision(), revision, "nothing is another");
    assert_eq!(drive.along([90.0, 120.0, 130.0]), ["exit drawn", "exit zone"], "one was renewed outside, one is new");
}

#[test]
fn the_fleets_fences_are_replaced_as_a_whole_and_what_is_the_same_goes_on_as_it_stood() {
    let fleet = |id: &str, radius| Fence { source: FenceSource::Fleet, ..circle(id, SEOUL, radius) };
    let mut drive = Drive::new(vec![zone()]);
    assert_eq!(drive.fences.replace_fleet(&[fleet("depot", 50.0), fleet("gone", 70.0)]), Ok(Answer::Changed));
    drive.along([0.0, 0.0]);
    assert!(matches!(drive.fences.replace_fleet(&[fleet("new", 90.0), fleet("zone", 90.0)]), Err(Refusal::Wrong(_))));
    assert_eq!(drive.fences.fences().count(), 3, "a clash changes nothing");
    assert_eq!(drive.fences.replace_fleet(&[fleet("depot", 50.0), fleet("new", 300.0)]), Ok(Answer::Changed));
    let sides: Vec<_> = drive.fences.now().into_iter().map(|now| (now.fence.id.clone(), now.inside)).collect();
    assert!(sides.contains(&("depot".to_owned(), Some(true))) && sides.contains(&("new".to_owned(), None)), "{sides:?}");
    let revision = drive.fences.revision();
    assert_eq!(drive.fences.replace_fleet(&[fleet("depot", 50.0), fleet("new", 300.0)]), Ok(Answer::Changed));
    assert_eq!(drive.fences.revision(), revision, "nothing is another");
    assert_eq!(drive.along([90.0, 120.0, 130.0]), ["exit depot", "exit zone"]);
}

#[test]
fn limits_hold_for_the_fleets_fences_beside_those_of_others() {
    let many = |count: usize, source| -> Vec<Fence> {
        (0..count).map(|at| Fence { source, id: format!("{source:?}{at}"), ..zone() }).collect()
    };
    let mut fences = Geofences::new(Settings::default(), many(9_990, FenceSource::Phone));
    assert_eq!(fences.replace_fleet(&many(10, FenceSource::Fleet)), Ok(Answer::Changed));
    assert_eq!(fences.replace_fleet(&many(10, FenceSource::Fleet)), Ok(Answer::Changed), "its own make room");
    let refused = fences.replace_fleet(&many(11, FenceSource::Fleet)).unwrap_err();
    assert!(refused.to_string().contains("there is room for 10"), "{refused}");
    assert_eq!(fences.fences().count(), 10_000);
}

#[test]
fn limits_hold_for_drawn_fences_too() {
    let ring: Vec<[f64; 2]> = (0..1001)
        .map(|i| f64::from(i % 1000) / 1000.0 * std::f64::consts::TAU)
        .map(|angle| [127.0 + 0.1 * angle.cos(), 37.0 + 0.1 * angle.sin()])
        .collect();
    let big = Shape::area(vec![vec![ring]]).expect("an area");
    let many = |count: usize, shape: &Shape| {
        (0..count).map(|at| Fence::new(at.to_string(), FenceSource::Phone, shape.clone())).collect()
    };
    let mut full = Geofences::new(Settings::default(), many(10_000, &Shape::circle(SEOUL, 10.0).expect("a circle")));
    assert!(matches!(full.put(Fence { source: FenceSource::Phone, ..zone() }), Err(Refusal::Invalid(_))));
    let same = Fence::new("7", FenceSource::Phone, Shape::circle(SEOUL, 20.0).expect("a circle"));
    assert_eq!(full.put(same), Ok(Answer::Changed));
    let mut full = Geofences::new(Settings::default(), many(200, &big));
    assert!(matches!(full.put(Fence { source: FenceSource::Phone, ..zone() }), Err(Refusal::Invalid(_))));
    assert_eq!(full.put(Fence::new("7", FenceSource::Phone, big)), Ok(Answer::Changed));
}

#[test]
fn where_somebody_is_is_the_smallest_fence_around() {
    let fences = Geofences::new(Settings::default(), vec![circle("city", SEOUL, 9000.0), zone(), circle("park", SEOUL, 800.0)]);
    let name = |east| fences.around(off(SEOUL, east, 0.0)).map(|fence| fence.id.as_str());
    assert_eq!((name(0.0), name(500.0), name(5000.0), name(10_000.0)), (Some("zone"), Some("park"), Some("city"), None));
}

/// Applies rows as the journal would.
fn journal(kept: &mut Vec<Row>, rows: Vec<Row>) {
    for row in rows {
        kept.retain(|other| other.key != row.key);
        if row.value.is_some() {
            kept.push(row);
        }
    }
}

#[test]
fn a_stored_state_that_still_holds_is_confirmed_in_silence() {
    let mut kept = Vec::new();
    let dwelling = || vec![Fence { dwell: Some(Duration::from_secs(60)), ..zone() }];
    let mut drive = Drive::new(dwelling());
    drive.along([-200.0, -150.0, -90.0, -80.0]);
    journal(&mut kept, drive.fences.rows());
    assert_eq!(drive.fences.rows(), [], "only what changed");
    let mut fences = Geofences::new(Settings::default(), dwelling());
    assert_eq!(fences.restore(&kept, |stamp| Some(stamp.boot)), []);
    assert_eq!(fences.now(), drive.fences.now());
    let mut drive = Drive { now: 30.0, ..Drive::resumed(fences) };
    assert_eq!(drive.along([99.0, 99.0]), NOTHING);
    assert_eq!(drive.wait(32.0), ["dwell zone"], "timers unmoved");
    assert_eq!(held_for(&drive.events[0]), Some(60.0));
    journal(&mut kept, drive.fences.rows());
    let mut fences = Geofences::new(Settings::default(), dwelling());
    fences.restore(&kept, |stamp| Some(stamp.boot));
    let mut drive = Drive { now: 200.0, ..Drive::resumed(fences) };
    assert_eq!(drive.stay(200, 0.0), NOTHING, "nor is the same visit's dwelling told twice");
}

#[test]
fn a_stored_state_that_differs_is_told_at_the_first_believed_fix() {
    let mut kept = Vec::new();
    let mut drive = Drive::new(vec![zone()]);
    drive.along([0.0, 0.0]);
    journal(&mut kept, drive.fences.rows());
    let mut fences = Geofences::new(Settings::default(), vec![zone()]);
    // Another boot, 1000 s of which are gone when this one begins.
    fences.restore(&kept, |stamp| Some(stamp.boot.shifted(-1_000_000_000)));
    assert_eq!(fences.rows().len(), 1, "on the scale of this boot now");
    let mut drive = Drive::resumed(fences);
    drive.accuracy = 500.0;
    assert_eq!(drive.at(101.0, 0.0), NOTHING);
    drive.accuracy = 4.0;
    assert_eq!(drive.at(101.0, 0.0), ["exit zone"], "without a margin");
    assert_eq!(held_for(&drive.events[0]), Some(1001.0));
    journal(&mut kept, drive.fences.rows());
    let mut fences = Geofences::new(Settings::default(), vec![zone()]);
    fences.restore(&kept, |_| None);
    let mut drive = Drive::resumed(fences);
    assert_eq!(drive.at(0.0, 0.0), ["enter zone"]);
    assert_eq!(held_for(&drive.events[0]), None, "nobody knows for how long");
}

#[test]
fn after_a_restart_the_fix_of_before_is_no_news_although_it_is_older_than_what_is_known_of_the_fences() {
    let engine = || crate::detect::Engine::new(Default::default(), vin(), Layout::default(), Vec::new());
    let see = |engine: &mut crate::detect::Engine, out: &mut Outbox, now, observation| {
        engine.observe(now, &observation);
        engine.step(now, out);
        out.take().iter().map(words).collect::<Vec<String>>()
    };
    let mut drive = Drive::new(Vec::new());
    let (mut before, mut kept) = (engine(), Vec::new());
    before.restore(&[], drive.stamp(), "boot");
    let mut out = before.outbox(EventId(0));
    for east in [-300.0, -200.0, -50.0, -40.0] {
        drive.at(east, 0.0);
        let fix = drive.fix.expect("just now");
        assert_eq!(see(&mut before, &mut out, drive.stamp(), Observation::Fix(fix)), NOTHING, "its first state");
        if east == -50.0 {
            let drawn = Request::PutFence(Box::new(Fence { source: FenceSource::Phone, ..zone() }));
            assert_eq!(before.answer(drive.stamp(), &drawn, &mut out), Ok(Answer::Created));
        }
        journal(&mut kept, before.rows(drive.stamp()));
    }

    drive.now += 5.0;
    let mut after = engine();
    after.restore(&kept, drive.stamp(), "boot");
    let known = after.location().fix.expect("a place");
    assert!(!zone().contains(known.point), "a place is written once a minute");
    assert_eq!(see(&mut after, &mut out, drive.stamp(), Observation::Restarted), NOTHING);
    for (east, expected) in [(-20.0, &[] as &[&str]), (80.0, &[]), (120.0, &[]), (130.0, &["exit zone"])] {
        drive.at(east, 0.0);
        let fix = drive.fix.expect("just now");
        assert_eq!(see(&mut after, &mut out, drive.stamp(), Observation::Fix(fix)), expected, "{east}");
    }
}

#[test]
fn without_a_clock_a_running_timer_has_elapsed() {
    let mut kept = Vec::new();
    let dwelling = || vec![Fence { dwell: Some(Duration::from_secs(600)), ..zone() }];
    let mut drive = Drive::new(dwelling());
    drive.stay(10, 0.0);
    journal(&mut kept, drive.fences.rows());
    let mut fences = Geofences::new(Settings::default(), dwelling());
    fences.restore(&kept, |_| None);
    assert_eq!(Drive::resumed(fences).step(), ["dwell zone"]);
}

#[test]
fn drawn_fences_come_back_and_those_gone_do_not() {
    let phone = |id| Fence { source: FenceSource::Phone, dwell: Some(Duration::from_secs(600)), ..circle(id, SEOUL, 50.0) };
    let mut kept = Vec::new();
    let mut drive = Drive::new(vec![zone(), circle("old", SEOUL, 10.0)]);
    drive.fences.put(phone("drawn")).expect("made");
    drive.fences.put(phone("undone")).expect("made");
    drive.stay(2, 0.0);
    journal(&mut kept, drive.fences.rows());
    drive.fences.delete("undone", FenceSource::Phone).expect("there");
    journal(&mut kept, drive.fences.rows());
    let keys = |kept: &[Row]| {
        let mut keys: Vec<String> = kept.iter().map(|row| row.key.clone()).collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&kept), ["drawn/drawn", "fence/drawn", "fence/old", "fence/zone"]);
    kept.push(Row { key: "child".into(), value: Some(vec![1]) });
    kept.push(Row { key: "fence/zone".into(), value: Some(b"{".to_vec()) });
    kept.push(Row { key: "drawn/bad".into(), value: Some(b"{}".to_vec()) });
    let mut fences = Geofences::new(Settings::default(), vec![zone()]);
    let unreadable: Vec<String> = fences.restore(&kept, |stamp| Some(stamp.boot)).into_iter().map(|row| row.key).collect();
    assert_eq!(unreadable, ["drawn/bad", "fence/zone"]);
    assert_eq!(fences.fence("drawn"), Some(&phone("drawn")));
    assert_eq!(fences.now()[1].inside, Some(true));
    let gone: Vec<Row> = fences.rows().into_iter().filter(|row| row.value.is_none()).collect();
    assert!(gone.iter().any(|row| row.key == "fence/old"), "the file knows it no more: {gone:?}");
}

#[test]
fn fences_that_were_drawn_before_and_are_heard_of_late_are_in_force_unless_a_newer_one_has_the_id() {
    let row = |fence: &Fence| Row { key: format!("drawn/{}", fence.id), value: serde_json::to_vec(fence).ok() };
    let phone = |id| Fence { source: FenceSource::Phone, ..circle(id, SEOUL, 50.0) };
    let newer = Fence { name: Some("newer".to_owned()), ..phone("both") };
    let mut fences = Geofences::new(Settings::default(), vec![zone()]);
    fences.put(newer.clone()).expect("made");
    fences.rows();
    let bad = Row { key: "drawn/bad".into(), value: Some(b"{}".to_vec()) };
    let late = [row(&phone("before")), row(&phone("both")), bad, Row { key: "child".into(), value: Some(vec![1]) }];
    let unreadable: Vec<String> = fences.take_up(&late).into_iter().map(|row| row.key).collect();
    assert_eq!(unreadable, ["drawn/bad"]);
    assert_eq!((fences.fence("before"), fences.fence("both")), (Some(&phone("before")), Some(&newer)));
    assert!(fences.rows().iter().all(|row| !row.key.starts_with("drawn/")), "they are kept already");
}

#[test]
fn among_ten_thousand_fences_rows_leave_in_pages_the_newest_first() {
    let mut fences: Vec<Fence> = (0..9_999).map(|at| circle(&at.to_string(), off(SEOUL, 9e4, f64::from(at)), 10.0)).collect();
    fences.push(zone());
    let mut drive = Drive::new(fences);
    drive.along([-150.0, -90.0]);
    assert_eq!(drive.along([-80.0]), ["enter zone"]);
    let mut left = Vec::new();
    loop {
        let rows = drive.fences.rows();
        if rows.is_empty() {
            break;
        }
        assert!(rows.len() <= 256);
        left.extend(rows);
    }
    assert_eq!(left.len(), 10_000);
    let zone_at = left.iter().position(|row| row.key == "fence/zone");
    assert!(zone_at.is_some());
}
