//! Files that cannot be used: garbage, another vehicle's, a newer version's. They are kept aside.

use super::*;

#[tokio::test]
async fn a_wrecked_file_is_kept_aside_and_a_new_one_begun_beyond_all_that_was_told() {
    let garbage = vec![0xA5; 300_000];
    type Wreck = fn(&fs::File, &[u8]);
    let wrecks: [(&str, Wreck); 4] = [
        ("garbage all over", |file, garbage| file.write_all_at(garbage, 0).unwrap()),
        ("its header gone", |file, garbage| file.write_all_at(&garbage[..100], 0).unwrap()),
        ("its schema gone", |file, garbage| file.write_all_at(&garbage[..3_900], 100).unwrap()),
        ("cut short", |file, _| file.set_len(5_000).unwrap()),
    ];
    for (what, wreck) in wrecks {
        let dir = tempfile::tempdir().unwrap();
        let (first, reserved) = filled(dir.path(), 500).await;
        let file = fs::OpenOptions::new().write(true).open(dir.path().join("journal.db")).unwrap();
        wreck(&file, &garbage);
        let bench = Bench::open(settings(dir.path()));
        assert!(*bench.opened.writable.borrow(), "{what}");
        assert!(bench.opened.last >= reserved, "{what}: ids go on");
        assert_eq!((aside(dir.path()).len(), bench.counters.set_aside.get()), (1, 1), "{what}");
        let gap = bench.journal().pruned(&vin(), &Filter::of(&[Kind::Diagnosis])).unwrap();
        assert!(gap.0 > first, "{what}: who was told something of before is told of the gap");
        let next = bench.id(1);
        committed(&bench, [event(next, Severity::Info)]);
        bench.shown(next).await;
        bench.crash();
        assert_eq!(ids(&Bench::open(settings(dir.path())).all(0).await), [next], "{what}");
    }
}

#[tokio::test]
async fn ids_go_on_above_all_that_was_told_when_the_file_is_lost_and_nobody_knows_the_time() {
    type Loss = fn(&Path);
    let losses: [(&str, Loss); 3] = [
        ("wrecked", |db| fs::write(db, [0xA5; 50_000]).unwrap()),
        ("deleted", |db| fs::remove_file(db).unwrap()),
        ("emptied", |db| fs::write(db, "").unwrap()),
    ];
    for (what, lose) in losses {
        let dir = tempfile::tempdir().unwrap();
        let ahead = Clock::scaled(Wall::from_micros(Wall::build().micros() + 86_400_000_000), 1.0);
        let bench = Bench::open_at(settings(dir.path()), ahead);
        let told = bench.id(1);
        committed(&bench, [event(told, Severity::Info)]);
        bench.shown(told).await;
        let reserved = bench.journal().reserved();
        bench.crash();
        let _ = fs::remove_file(dir.path().join("journal.db-wal"));
        lose(&dir.path().join("journal.db"));
        let unset = || Clock::scaled(Wall::from_micros(0), 1.0);
        let again = Bench::open_at(settings(dir.path()), unset());
        assert!(again.opened.last >= reserved, "{what}: {} after {reserved}", again.opened.last);
        let gap = again.journal().pruned(&vin(), &Filter::of(&[Kind::Trip])).unwrap();
        assert!(gap.0 >= told, "{what}: who was told something is told of the gap");
        let next = again.id(1);
        again.journal().commit(step([event(next, Severity::Info)]), None);
        again.shown(next).await;
        again.crash();
        assert!(Bench::open_at(settings(dir.path()), unset()).opened.last.0 > next, "{what}");
    }
}

#[tokio::test]
async fn what_is_beside_the_file_counts_when_the_file_cannot_be_opened() {
    let dir = tempfile::tempdir().unwrap();
    let ahead = Clock::scaled(Wall::from_micros(Wall::build().micros() + 86_400_000_000), 1.0);
    let bench = Bench::open_at(settings(dir.path()), ahead);
    let reserved = bench.journal().reserved();
    bench.crash();
    for name in ["journal.db", "journal.db-wal"] {
        let _ = fs::remove_file(dir.path().join(name));
    }
    fs::create_dir(dir.path().join("journal.db")).unwrap();
    let again = Bench::open_at(settings(dir.path()), Clock::scaled(Wall::from_micros(0), 1.0));
    assert!(!*again.opened.writable.borrow());
    assert!(again.opened.last >= reserved);
}

#[tokio::test]
async fn a_wrecked_page_is_found_when_it_is_read_and_nothing_that_memory_holds_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = filled(dir.path(), 5_000).await;
    let db = dir.path().join("journal.db");
    let file = fs::OpenOptions::new().write(true).open(&db).unwrap();
    let middle = file.metadata().unwrap().len() / 2 / 4096 * 4096;
    file.write_all_at(&[0xA5; 4096 * 20], middle).unwrap();
    let bench = Bench::open(settings(dir.path()));
    assert_eq!(bench.counters.set_aside.get(), 0, "a start is quick");
    let new = bench.id(1);
    committed(&bench, [event(new, Severity::Info)]);
    bench.shown(new).await;
    let all = Filter::of(&Kind::ALL);
    let mut at = EventId(first);
    while let Ok(page) = bench.journal().events_after(&vin(), at, &all, 1_000).await {
        assert!(page.next < bench.head(), "a wrecked page was read");
        at = page.next;
    }
    until(async {
        while bench.counters.set_aside.get() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    bench.writable(true).await;
    bench.saved().await;
    assert_eq!(ids(&bench.all(bench.opened.last.0).await), [new]);
    bench.crash();
    let again = Bench::open(settings(dir.path()));
    assert_eq!(again.opened.rows, [row("child", Some("alert"))]);
    assert_eq!(again.journal().devices().len(), 1);
    assert_eq!(ids(&again.all(0).await), [new]);
}

#[tokio::test]
async fn an_event_with_a_few_wrong_bytes_is_counted_and_all_others_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = filled(dir.path(), 600).await;
    let conn = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    let wrong = "UPDATE events SET json = CAST(X'7BFFFEFFFE7D' AS TEXT) WHERE id = ?1";
    assert_eq!(conn.execute(wrong, [first as i64 + 100]).unwrap(), 1);
    drop(conn);
    let bench = Bench::open(settings(dir.path()));
    let told = ids(&bench.all(first + 50).await);
    let expected: Vec<u64> = (first + 51..first + 600).filter(|id| *id != first + 100).collect();
    assert_eq!(told, expected);
    assert!(bench.dropped("damaged") >= 1, "and it is counted");
}

#[tokio::test]
async fn garbage_after_the_end_of_the_log_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let first = bench.id(1);
    committed(&bench, [event(first, Severity::Info)]);
    bench.shown(first).await;
    bench.crash();
    let log = fs::OpenOptions::new().append(true).open(dir.path().join("journal.db-wal")).unwrap();
    std::io::Write::write_all(&mut &log, &[0xA5; 10_000]).unwrap();
    let again = Bench::open(settings(dir.path()));
    assert_eq!(ids(&again.all(0).await), [first]);
    assert_eq!(again.counters.set_aside.get(), 0);
}

#[tokio::test]
async fn a_unit_that_came_out_of_another_car_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (_, reserved) = filled(dir.path(), 5).await;
    let counters = Counters::register(&Metrics::default());
    let other = Vin::try_from("OTHERCAR".to_owned()).unwrap();
    let clock = Clock::scaled(Wall::build(), 1.0);
    let opened = Journal::open(settings(dir.path()), other, clock, Health::default(), counters.clone()).unwrap();
    assert!(opened.rows.is_empty() && opened.journal.devices().is_empty());
    assert!(opened.last >= reserved, "ids rise over that too");
    assert_eq!(counters.set_aside.get(), 1);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_kept_and_what_can_be_read_of_it_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5).await;
    let conn = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    conn.execute_batch("PRAGMA user_version = 999; ALTER TABLE track RENAME TO path").unwrap();
    drop(conn);
    let bench = Bench::open(settings(dir.path()));
    assert_eq!(bench.opened.rows, [row("child", Some("alert"))]);
    assert_eq!(bench.journal().devices().len(), 1);
    assert_eq!(aside(dir.path()).len(), 1);
    bench.saved().await;
    bench.crash();
    assert_eq!(Bench::open(settings(dir.path())).journal().devices().len(), 1);
}

#[tokio::test]
async fn state_and_phones_outlive_a_power_cut_right_after_a_wrecked_file_was_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (_, reserved) = filled(dir.path(), 5).await;
    let newer = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    newer.execute_batch("PRAGMA user_version = 999").unwrap();
    drop(newer);
    let (counters, clock) = (Counters::register(&Metrics::default()), Clock::scaled(Wall::build(), 1.0));
    let place = Place::new(dir.path());
    let begin = || writer::begin(&place, &vin(), &settings(dir.path()), clock.stamp(clock.now()), &counters);
    drop(begin());
    assert_eq!(counters.set_aside.get(), 1);
    let kept = |bench: Bench| {
        assert_eq!(bench.opened.rows, [row("child", Some("alert"))]);
        assert_eq!(bench.journal().devices().len(), 1);
        assert!(bench.opened.last > reserved);
        let gap = bench.journal().pruned(&vin(), &Filter::of(&[Kind::Trip])).unwrap();
        assert!(gap >= reserved, "what was told before is told as gone");
        bench.crash();
    };
    kept(Bench::open(settings(dir.path())));
    // Even before the new file had anything.
    for name in ["journal.db", "journal.db-wal"] {
        let _ = fs::remove_file(dir.path().join(name));
    }
    fs::write(dir.path().join("journal.db"), "").unwrap();
    kept(Bench::open(settings(dir.path())));
}
