//! A directory or a file that is not there, goes, comes back or comes late.

use super::*;

#[tokio::test]
async fn a_directory_that_goes_and_comes_back_costs_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let dir = movable(parent.path());
    let bench = Bench::open(settings(&dir));
    let first = bench.id(1);
    committed(&bench, (0..2_000).map(|at| event(first + at, Severity::Info)));
    bench.shown(first + 1_999).await;
    take_away(&dir);
    committed(&bench, [event(first + 2_000, Severity::Warning)]);
    bench.shown(first + 2_000).await;
    bench.writable(false).await;
    let gap = bench.journal().pruned(&vin(), &Filter::of(&[Kind::Diagnosis])).unwrap();
    assert!(gap.0 >= first + 900, "what is out of reach for now is told as a gap");
    assert!(!bench.all(gap.0).await.is_empty());
    let middle = bench.journal().events_after(&vin(), EventId(first + 10), &Filter::of(&Kind::ALL), 10).await;
    assert!(matches!(middle, Err(Unavailable::Journal(_))), "who was not told of the gap is not led past it");
    assert_eq!(bench.page(0, &Filter::of(&Kind::ALL), 10).await.events.len(), 10, "the beginning is where there is something");
    let just_after = bench.journal().events_after(&vin(), EventId(1), &Filter::of(&Kind::ALL), 1).await;
    assert!(just_after.is_err(), "by which an upstream at the beginning is not led past the file");
    bring_back(&dir);
    bench.writable(true).await;
    bench.saved().await;
    let expected: Vec<_> = (first..=first + 2_000).collect();
    assert_eq!(ids(&bench.all(0).await), expected);
    assert_eq!(bench.journal().pruned(&vin(), &Filter::of(&[Kind::Diagnosis])).unwrap().0, 0);
    bench.crash();
    assert_eq!(ids(&Bench::open(settings(&dir)).all(0).await), expected);
}

#[tokio::test]
async fn a_directory_that_was_deleted_is_made_again_with_all_that_memory_holds() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let first = bench.id(1);
    bench.journal().add_device([1; 32], device("d")).await.unwrap();
    committed(&bench, [left_behind(first, first)]);
    committed(&bench, (1..1_500).map(|at| event(first + at, Severity::Info)));
    bench.shown(first + 1_499).await;
    fs::remove_dir_all(dir.path()).unwrap();
    committed(&bench, [event(first + 1_500, Severity::Info)]);
    bench.shown(first + 1_500).await;
    bench.saved().await;
    let floor = bench.journal().core.state().ring.floor();
    bench.crash();
    let again = Bench::open(settings(dir.path()));
    assert_eq!(again.opened.rows, [row("child", Some("alert"))]);
    assert_eq!(again.journal().devices().len(), 1);
    assert_eq!(ids(&again.journal().active(&vin()).unwrap()), [first], "the alert that runs");
    let kept = ids(&again.all(floor.0).await);
    assert_eq!((kept.len(), kept[0], kept.last()), (1_024, floor.0 + 1, Some(&(first + 1_500))));
    assert_eq!(again.journal().pruned(&vin(), &Filter::of(&[Kind::Trip])).unwrap(), floor, "what was before is gone");
}

#[tokio::test]
async fn a_file_deleted_under_the_daemon_is_noticed_before_an_event_counts_as_durable() {
    for victim in ["journal.db", "journal.db-wal"] {
        let dir = tempfile::tempdir().unwrap();
        let bench = Bench::open(settings(dir.path()));
        let first = bench.id(1);
        committed(&bench, [event(first, Severity::Info)]);
        bench.shown(first).await;
        fs::remove_file(dir.path().join(victim)).unwrap();
        committed(&bench, [event(first + 1, Severity::Info)]);
        bench.shown(first + 1).await;
        bench.saved().await;
        bench.crash();
        let again = Bench::open(settings(dir.path()));
        assert_eq!(ids(&again.all(0).await).last(), Some(&(first + 1)), "without its {victim}");
    }
}

#[tokio::test]
async fn without_a_directory_it_tells_from_memory_and_writes_when_there_is_one() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("journal");
    fs::write(&dir, "in the way").unwrap();
    let bench = Bench::open(settings(&dir));
    assert!(!*bench.opened.writable.borrow());
    assert!(bench.complaint().contains("alerts are told from memory"), "{}", bench.complaint());
    let first = bench.id(1);
    committed(&bench, [left_behind(first, first)]);
    assert_eq!(bench.head().0, first);
    assert!(!durable(&bench.all(bench.opened.last.0).await[0]));
    fs::remove_file(&dir).unwrap();
    bench.writable(true).await;
    bench.saved().await;
    bench.crash();
    let again = Bench::open(settings(&dir));
    assert_eq!(ids(&again.all(0).await), [first]);
    assert_eq!(again.opened.rows, [row("child", Some("alert"))]);
    assert!(again.opened.last.0 > first);
}

#[tokio::test]
async fn a_journal_that_comes_late_is_gone_on_with() {
    let parent = tempfile::tempdir().unwrap();
    let dir = movable(parent.path());
    let bench = Bench::open(settings(&dir));
    let old = bench.id(1);
    bench.journal().add_device([1; 32], device("d")).await.unwrap();
    let rows = vec![row("child", Some("before")), row("trip", Some("before"))];
    bench.journal().commit(Step { events: vec![left_behind(old, old)], rows }, None);
    bench.shown(old).await;
    bench.crash();
    take_away(&dir);
    let later = Clock::scaled(Wall::from_micros(Wall::build().micros().max(THEN) + 3_600_000_000), 1.0);
    let bench = Bench::open_at(settings(&dir), later);
    let new = bench.id(1);
    assert!(new > old && bench.opened.rows.is_empty());
    committed(&bench, [event(new, Severity::Info)]);
    bring_back(&dir);
    bench.writable(true).await;
    bench.saved().await;
    assert_eq!(ids(&bench.all(0).await), [old, new], "what was before is there again");
    assert_eq!(bench.journal().devices().len(), 1);
    assert!(bench.journal().active(&vin()).unwrap().is_empty(), "the engine knows of no alert");
    bench.crash();
    let again = Bench::open(settings(&dir));
    assert_eq!(again.opened.rows, [row("child", Some("alert"))], "the engine that ran goes on, not the one before");
    assert!(again.journal().active(&vin()).unwrap().is_empty());
    assert!(aside(&dir).is_empty());
}

#[tokio::test]
async fn what_a_person_drew_before_and_while_the_disk_was_away_is_kept_and_the_newer_wins() {
    let parent = tempfile::tempdir().unwrap();
    let dir = movable(parent.path());
    let at = |hours: i64| Clock::scaled(Wall::from_micros(Wall::build().micros().max(THEN) + hours * 3_600_000_000), 1.0);
    for (later, what) in [(1, "it is gone on with"), (-1, "it is set aside")] {
        let bench = Bench::open_at(settings(&dir), at(0));
        let rows = ["drawn/a", "drawn/b", "drawn/c", "child"].map(|key| row(key, Some("before"))).to_vec();
        bench.journal().commit(Step { events: Vec::new(), rows }, None);
        bench.saved().await;
        assert!(bench.journal().take_late().is_empty(), "the engine had them at the start");
        bench.crash();
        take_away(&dir);
        let bench = Bench::open_at(settings(&dir), at(later));
        let rows = vec![row("drawn/b", Some("while")), row("drawn/c", None), row("drawn/d", Some("while"))];
        bench.journal().commit(Step { events: Vec::new(), rows }, None);
        bring_back(&dir);
        bench.writable(true).await;
        bench.saved().await;
        assert_eq!(bench.journal().take_late(), [row("drawn/a", Some("before"))], "{what}: the engine hears of it");
        assert!(bench.journal().take_late().is_empty());
        bench.crash();
        let again = Bench::open_at(settings(&dir), at(0));
        let kept = [("drawn/a", "before"), ("drawn/b", "while"), ("drawn/d", "while")];
        assert_eq!(again.opened.rows, kept.map(|(key, value)| row(key, Some(value))), "{what}");
        again.crash();
        fs::remove_dir_all(dir.with_extension("elsewhere")).unwrap();
        fs::create_dir(dir.with_extension("elsewhere")).unwrap();
    }
}

#[tokio::test]
async fn a_late_journal_whose_ids_go_further_is_set_aside_and_its_phones_stay_paired() {
    let parent = tempfile::tempdir().unwrap();
    let dir = movable(parent.path());
    let tomorrow = Clock::scaled(Wall::from_micros(Wall::build().micros() + 86_400_000_000), 1.0);
    let bench = Bench::open_at(settings(&dir), tomorrow);
    let old = bench.id(1);
    bench.journal().add_device([1; 32], device("d")).await.unwrap();
    committed(&bench, [event(old, Severity::Info)]);
    bench.shown(old).await;
    bench.crash();
    take_away(&dir);
    let earlier = Clock::scaled(Wall::from_micros(Wall::build().micros() + 1), 1.0);
    let bench = Bench::open_at(settings(&dir), earlier);
    let new = bench.id(1);
    assert!(new < old);
    committed(&bench, [event(new, Severity::Info)]);
    bring_back(&dir);
    bench.writable(true).await;
    bench.saved().await;
    assert_eq!(ids(&bench.all(0).await), [new], "nobody is flooded with what was before");
    assert_eq!((aside(&dir).len(), bench.counters.set_aside.get()), (1, 1));
    assert_eq!(bench.journal().devices().len(), 1);
}
