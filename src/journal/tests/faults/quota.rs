//! What goes when room or time is up, and in which order.

use super::*;

fn small(dir: &Path) -> Settings {
    Settings { max_bytes: 16 << 20, ..settings(dir) }
}

#[tokio::test]
async fn at_its_quota_with_nothing_to_spare_it_tells_from_memory_and_goes_on_once_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(small(dir.path()));
    let first = bench.id(1);
    let mut id = first;
    while *bench.opened.writable.borrow() {
        assert!(id < first + 1_000, "8 MiB hold that much?");
        bench.journal().commit(step([big_left_behind(id, first)]), None);
        bench.shown(id).await;
        id += 1;
    }
    assert!(bench.complaint().contains("journal.max_bytes"), "{}", bench.complaint());
    let size = fs::metadata(dir.path().join("journal.db")).unwrap().len();
    assert!(size <= small(dir.path()).quota());
    assert_eq!(ids(&bench.all(0).await), (first..id).collect::<Vec<_>>(), "an active alert is never pruned");
    bench.journal().settle_alerts(&[]);
    bench.journal().commit(step([event(id, Severity::Critical)]), None);
    assert_eq!(bench.head().0, id);
    bench.close();
    let bench = Bench::open(small(dir.path()));
    let left = ids(&bench.all(0).await);
    assert!(left.len() as u64 > (id - first) * 3 / 4, "no more went than had to: {} of {}", left.len(), id - first);
    assert_eq!(left.last(), Some(&id));
}

#[tokio::test]
async fn published_events_give_way_to_one_another_and_never_an_alert_for_their_sake() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(small(dir.path()));
    let first = bench.id(1);
    committed(&bench, (first..first + 5_000).map(|id| event(id, Severity::Info)));
    for id in first + 5_000..first + 6_000 {
        committed(&bench, [published(id, if id % 2 == 0 { "anna" } else { "ben" }, 16_000)]);
        bench.shown(id).await;
    }
    assert!(*bench.opened.writable.borrow());
    bench.close();
    let bench = Bench::open(small(dir.path()));
    until(async {
        while !(1..7 << 20).contains(&bench.counters.file_bytes.get()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let own = bench.all(0).await.iter().filter(|event| event.kind == Kind::Diagnosis).count();
    assert_eq!(own, 5_000);
    let pruned = |filter: &Filter| bench.journal().pruned(&vin(), filter).unwrap().0;
    assert_eq!(pruned(&Filter::of(&[Kind::Diagnosis, Kind::Published])), 0, "nobody else has a gap");
    let (annas, bens) = (pruned(&shown_to(Some("anna"))), pruned(&shown_to(Some("ben"))));
    assert!(annas > first && bens > first && annas != bens);
    let left = bench.all(0).await;
    let oldest = left.iter().find(|event| event.kind == Kind::Published).unwrap().id.0;
    assert!(oldest > annas && oldest <= annas + 2, "the oldest went first");
}

#[tokio::test]
async fn the_least_severe_goes_first_and_the_oldest_of_those() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(small(dir.path()));
    let first = bench.id(1);
    let big = |id: u64, severity| Event { severity, ..big_left_behind(id, id) };
    let mut critical = Vec::new();
    for at in 0..900 {
        let severity = if at % 4 == 0 { Severity::Critical } else { Severity::Info };
        let id = first + 2 * at;
        critical.extend((at % 4 == 0).then_some(id));
        bench.journal().commit(step([big(id, severity), cleared(id + 1, id)]), None);
        bench.shown(id + 1).await;
    }
    assert!(*bench.opened.writable.borrow());
    let left = bench.all(0).await;
    let left_critical: Vec<_> = left.iter().filter(|event| event.severity == Severity::Critical).collect();
    assert_eq!(left_critical.len(), critical.len());
    assert!(left_critical.iter().all(|event| event.ended == Some(EventId(event.id.0 + 1))), "they still know their end");
    let infos: Vec<_> = left.iter().filter(|event| event.severity == Severity::Info).map(|event| event.id.0).collect();
    assert!(infos.len() < 1_300 && infos.first().unwrap() > &(first + 400), "{} from {:?}", infos.len(), infos.first());
    assert!(bench.counters.pruned.get() > 0);
}

#[tokio::test]
async fn what_is_too_old_goes_but_not_while_nobody_knows_the_time_nor_while_its_alert_runs() {
    let dir = tempfile::tempdir().unwrap();
    let start = Wall::build().micros() + 1_000_000;
    let day = 86_400_000_000;
    let at = |days: i64| Clock::scaled(Wall::from_micros(start + days * day), 1.0);
    let bench = Bench::open_at(settings(dir.path()), at(0));
    let first = bench.id(1);
    let aged = |mut event: Event| {
        event.stamp.wall = Wall::from_micros(start);
        event
    };
    let mut events: Vec<_> = (first..first + 600).map(|id| aged(event(id, Severity::Critical))).collect();
    events.push(aged(left_behind(first + 600, first + 600)));
    committed(&bench, events);
    bench.shown(first + 600).await;
    bench.close();
    let unset = Bench::open_at(settings(dir.path()), Clock::scaled(Wall::from_micros(0), 1.0));
    let new = unset.id(1);
    committed(&unset, [event(new, Severity::Info)]);
    unset.shown(new).await;
    unset.close();
    let _ = fs::remove_file(dir.path().join("ballast"));
    let doubtful = Bench::open_at(settings(dir.path()), at(91));
    until(async {
        while !dir.path().join("ballast").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(doubtful.counters.pruned.get(), 0, "one clock alone may be wrong, and what is gone is gone");
    doubtful.close();
    let confirmed = at(91);
    confirmed.vouch(confirmed.now(), Wall::from_micros(start + 91 * day));
    let bench = Bench::open_at(settings(dir.path()), confirmed);
    until(async {
        while bench.counters.pruned.get() < 601 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(ids(&bench.all(0).await), [first + 600], "the alert that runs");
    bench.crash();
    let again = Bench::open_at(settings(dir.path()), at(91));
    assert_eq!(again.journal().pruned(&vin(), &Filter::of(&[Kind::Diagnosis])).unwrap().0, new);
}
