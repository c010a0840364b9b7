//! What the journal promises while its disk works.

use super::*;
use crate::feed::{Device, Failure, Scope, Unavailable};
use crate::geo::Point;
use crate::request::{Answer, Refusal, Request};

#[tokio::test]
async fn an_event_is_on_the_disk_before_anybody_sees_it() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let id = bench.id(1);
    let holder = Holder::of(dir.path());
    bench.journal().commit(step([event(id, Severity::Info)]), None);
    tokio::task::yield_now().await;
    assert_eq!(bench.head().0, id - 1, "not while the disk has not taken it");
    assert!(bench.all(0).await.is_empty());
    holder.let_go();
    bench.shown(id).await;
    let event = bench.all(0).await.remove(0);
    assert!(!event.json.contains("durable"));
    bench.crash();
    let again = Bench::open(settings(dir.path()));
    let kept = again.all(0).await;
    assert_eq!((kept.len(), kept[0].json.clone()), (1, event.json.clone()));
    assert_eq!((kept[0].kind, &*kept[0].event_type, kept[0].severity), (Kind::Diagnosis, "GNSS_LOST", Severity::Info));
}

#[tokio::test]
async fn a_power_cut_loses_no_state_that_was_committed_with_an_event() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let id = bench.id(1);
    let rows = vec![row("child", Some("alert")), row("trip", Some("under way"))];
    bench.journal().commit(Step { events: vec![event(id, Severity::Info)], rows }, None);
    bench.journal().commit(Step { events: vec![event(id + 1, Severity::Info)], rows: vec![row("trip", None)] }, None);
    bench.shown(id + 1).await;
    bench.crash();
    let again = Bench::open(settings(dir.path()));
    assert_eq!(again.opened.rows, [row("child", Some("alert"))]);
}

#[tokio::test]
async fn state_that_changed_without_an_event_is_written_within_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    bench.journal().commit(Step { events: Vec::new(), rows: vec![row("speed", Some("50"))] }, None);
    bench.saved().await;
    bench.crash();
    assert_eq!(Bench::open(settings(dir.path())).opened.rows, [row("speed", Some("50"))]);
}

#[tokio::test]
async fn ids_go_on_above_everything_that_may_have_been_told_after_a_cut_and_after_a_clean_stop() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let told = bench.id(5);
    bench.journal().commit(step([event(told, Severity::Info)]), None);
    bench.shown(told).await;
    let reserved = bench.journal().reserved();
    assert!(reserved.0 >= told + 1_000_000);
    bench.crash();
    let again = Bench::open(settings(dir.path()));
    assert!(again.opened.last >= reserved, "what was reserved may have been told");
    assert_eq!(again.head(), again.opened.last, "every position a client may hold is valid");
    let last = again.id(1);
    again.journal().commit(step([event(last, Severity::Info)]), None);
    again.close();
    let third = Bench::open(settings(dir.path()));
    assert_eq!(third.opened.last.0, last + 1_000_000, "a clean stop leaves ids near the clock");
}

#[tokio::test]
async fn a_first_journal_begins_at_its_clock_and_without_one_at_the_time_of_the_build() {
    let dir = tempfile::tempdir().unwrap();
    let begin = Wall::build().micros() + 86_400_000_000;
    let bench = Bench::open_at(settings(dir.path()), Clock::scaled(Wall::from_micros(begin), 1.0));
    assert!((begin..begin + 60_000_000).contains(&(bench.opened.last.0 as i64 + 1)));
    let dir = tempfile::tempdir().unwrap();
    let unset = Clock::scaled(Wall::from_micros(0), 1.0);
    let bench = Bench::open_at(settings(dir.path()), unset.clone());
    let build = Wall::build().micros() / 1000 * 1000;
    let after_build = bench.opened.last.0 as i64 - build;
    assert!((0..1_000_000_000).contains(&after_build));
    bench.crash();
    let again = Bench::open_at(settings(dir.path()), unset);
    assert!(again.opened.last.0 as i64 > build + after_build);
}

#[tokio::test]
async fn a_reader_that_lags_goes_from_the_file_to_memory_without_a_gap_or_a_twin() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let first = bench.id(1);
    for block in 0..30 {
        let ids = (0..100).map(|at| first + block * 100 + at);
        bench.journal().commit(step(ids.map(|id| event(id, Severity::Info))), None);
    }
    bench.shown(first + 2999).await;
    assert!(bench.journal().core.state().ring.floor().0 >= first + 1000, "most are in the file only");
    assert_eq!(ids(&bench.all(0).await), (first..first + 3000).collect::<Vec<_>>());
    let all = Filter::of(&Kind::ALL);
    let (mut at, mut across) = (first + 1500, Vec::new());
    while across.len() < 1_000 {
        let page = bench.page(at, &all, 1_000 - across.len()).await;
        across.extend(ids(&page.events));
        at = page.next.0;
    }
    assert_eq!(across, (first + 1501..first + 2501).collect::<Vec<_>>(), "as many as were asked for, page by page");
    let nothing = bench.page(0, &Filter::of(&[Kind::Trip]), 10).await;
    assert_eq!((nothing.events.len(), nothing.next.0), (0, first + 2999), "all was looked at");
}

#[tokio::test]
async fn readers_and_writer_do_not_disturb_one_another() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let (first, last) = (bench.id(1), bench.id(4_000));
    let follow = async {
        let (mut at, mut seen) = (EventId(first - 1), Vec::new());
        let mut head = bench.journal().head(&vin()).unwrap();
        while at.0 < last {
            head.wait_for(|head| *head > at).await.unwrap();
            let page = bench.page(at.0, &Filter::of(&Kind::ALL), 7).await;
            seen.extend(ids(&page.events));
            at = page.next;
        }
        seen
    };
    let write = async {
        for id in (first..=last).step_by(20) {
            bench.journal().commit(step((id..id + 20).map(|id| event(id, Severity::Info))), None);
            tokio::task::yield_now().await;
        }
    };
    let (slow, fast, ()) = until(async { tokio::join!(follow, bench_follow(&bench, first - 1, last), write) }).await;
    let expected: Vec<_> = (first..=last).collect();
    assert!(slow == expected && fast == expected);
}

/// A stream that asks for much at a time.
async fn bench_follow(bench: &Bench, mut at: u64, last: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    let mut head = bench.journal().head(&vin()).unwrap();
    while at < last {
        head.wait_for(|head| head.0 > at).await.unwrap();
        let page = bench.page(at, &Filter::of(&Kind::ALL), 1_000).await;
        seen.extend(ids(&page.events));
        at = page.next.0;
    }
    seen
}

#[tokio::test]
async fn an_active_alert_is_known_after_a_cut_and_its_events_name_their_end_once_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let first = bench.id(1);
    bench.journal().commit(step([left_behind(first, first), left_behind(first + 1, first)]), None);
    bench.shown(first + 1).await;
    assert_eq!(ids(&bench.journal().active(&vin()).unwrap()), [first + 1], "its latest");
    bench.crash();
    let bench = Bench::open(settings(dir.path()));
    assert_eq!(ids(&bench.journal().active(&vin()).unwrap()), [first + 1]);
    let (third, end) = (bench.id(1), bench.id(2));
    bench.journal().commit(step([left_behind(third, first)]), None);
    bench.journal().commit(step([cleared(end, first)]), None);
    bench.shown(end).await;
    assert!(bench.journal().active(&vin()).unwrap().is_empty());
    let ended = |events: Vec<Arc<Stored>>| events.iter().map(|event| event.ended.map(|end| end.0)).collect::<Vec<_>>();
    assert_eq!(ended(bench.all(0).await), [Some(end), Some(end), Some(end), None], "from the file and from memory");
    bench.close();
    assert_eq!(ended(Bench::open(settings(dir.path())).all(0).await), [Some(end), Some(end), Some(end), None]);
}

#[tokio::test]
async fn an_alert_that_the_engine_knows_nothing_of_any_more_is_not_shown_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let (one, two) = (bench.id(1), bench.id(2));
    bench.journal().commit(step([left_behind(one, one), left_behind(two, two)]), None);
    bench.shown(two).await;
    bench.journal().settle_alerts(&[EventId(two)]);
    assert_eq!(ids(&bench.journal().active(&vin()).unwrap()), [two]);
    bench.close();
    let again = Bench::open(settings(dir.path()));
    assert_eq!(ids(&again.journal().active(&vin()).unwrap()), [two]);
}

#[tokio::test]
async fn published_events_are_for_their_member_alone() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let id = bench.id(1);
    bench.journal().commit(step([published(id, "anna", 10), published(id + 1, "ben", 10)]), None);
    bench.shown(id + 1).await;
    let annas = async |bench: &Bench| ids(&bench.page(0, &shown_to(Some("anna")), 10).await.events);
    assert_eq!(annas(&bench).await, [id]);
    assert!(bench.page(0, &shown_to(None), 10).await.events.is_empty());
    bench.crash();
    let again = Bench::open(settings(dir.path()));
    assert_eq!(annas(&again).await, [id]);
    assert_eq!(ids(&again.page(0, &shown_to(Some("ben")), 10).await.events), [id + 1]);
    assert!(again.page(0, &shown_to(None), 10).await.events.is_empty());
}

#[tokio::test]
async fn the_vehicle_and_its_fences_are_seen_as_they_were_until_the_step_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(settings(dir.path()));
    let (first, second) = (bench.id(1), bench.id(2));
    let picture = |number: i64| {
        let stamp = Stamp { boot: Boot::from_micros(number), ..Stamp::default() };
        Arc::new(Picture { stamp, ..(*core::nothing(vin())).clone() })
    };
    let fence = || crate::geo::Fence::new("a", crate::geo::FenceSource::Phone, circle());
    let seen = {
        let (pictures, fences) = (bench.journal().picture(&vin()).unwrap(), bench.journal().fences(&vin()).unwrap());
        move || (pictures.borrow().stamp.boot.micros(), fences.borrow().len())
    };
    bench.journal().show(picture(1));
    assert_eq!(seen(), (1, 0), "nothing waits");

    let holder = Holder::of(dir.path());
    let journal = bench.journal().clone();
    let answer = tokio::spawn(async move { journal.submit(&vin(), Request::PutFence(Box::new(fence()))).await });
    let asked = until(bench.opened.inbox.recv()).await.unwrap();
    let step = || Step { events: Vec::new(), rows: vec![row("fence/a", Some("drawn"))] };
    let drawn = Some(Arc::new(vec![Arc::new(fence())]));
    bench.journal().commit_and_show(step(), Some(asked.accept(Answer::Created)), picture(2), drawn);
    bench.journal().commit_and_show(super::step([event(first, Severity::Info)]), None, picture(3), None);
    bench.journal().show(picture(4));
    assert_eq!(seen(), (1, 0), "nobody sees what a power cut would undo");
    holder.let_go();
    until(answer).await.unwrap().unwrap();
    assert_eq!(seen().1, 1, "whoever has the answer sees the fence");
    bench.shown(first).await;
    assert_eq!(seen(), (4, 1));

    let holder = Holder::of(dir.path());
    bench.journal().commit_and_show(super::step([event(second, Severity::Info)]), None, picture(5), Some(Arc::default()));
    assert_eq!(seen(), (4, 1));
    bench.journal().core.change(&bench.journal().reads.downgrade(), |state| state.degrade("a test says so"));
    assert_eq!(seen(), (5, 0), "told from memory, like the event");
    holder.let_go();
}

fn circle() -> crate::geo::Shape {
    crate::geo::Shape::circle(Point { latitude: 37.5, longitude: 127.1 }, 100.0).unwrap()
}

#[tokio::test]
async fn a_request_is_answered_once_its_step_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(settings(dir.path()));
    let id = bench.id(1);
    let safe = || Request::Safe { event: EventId(id), by: "anna".to_owned() };
    let journal = bench.journal().clone();
    let ask = |request: Request| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.submit(&vin(), request).await })
    };
    let holder = Holder::of(dir.path());
    let answer = ask(safe());
    let asked = until(bench.opened.inbox.recv()).await.unwrap();
    assert_eq!(asked.request, safe());
    bench.journal().commit(step([cleared(id, id)]), Some(asked.accept(Answer::Event(EventId(id)))));
    tokio::task::yield_now().await;
    assert!(!answer.is_finished());
    holder.let_go();
    let outcome = until(answer).await.unwrap().unwrap();
    assert_eq!((outcome.answer, outcome.event.unwrap().id.0), (Answer::Event(EventId(id)), id));

    let answer = ask(safe());
    let asked = until(bench.opened.inbox.recv()).await.unwrap();
    asked.refuse(Refusal::Missing("no alert runs".to_owned()));
    let refused = until(answer).await.unwrap().unwrap_err();
    assert_eq!(refused, Failure::Refused(Refusal::Missing("no alert runs".to_owned())));

    let answer = ask(safe());
    drop(until(bench.opened.inbox.recv()).await.unwrap());
    let silent = until(answer).await.unwrap().unwrap_err();
    assert_eq!(silent, Failure::Unavailable(Unavailable::Engine));

    let other = Vin::try_from("OTHER".to_owned()).unwrap();
    let unknown = bench.journal().submit(&other, safe()).await.unwrap_err();
    assert_eq!(unknown, Failure::Unavailable(Unavailable::Vehicle(other)));
}

#[tokio::test]
async fn an_answer_given_before_brings_its_event_from_memory_or_from_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let id = bench.id(1);
    bench.journal().commit(step([cleared(id, id)]), None);
    bench.shown(id).await;
    bench.close();
    let mut bench = Bench::open(settings(dir.path()));
    for (given, expected) in [(id, Some(id)), (id + 7, None)] {
        let journal = bench.journal().clone();
        let request = Request::Safe { event: EventId(given), by: "anna".to_owned() };
        let answer = tokio::spawn(async move { journal.submit(&vin(), request).await });
        let asked = until(bench.opened.inbox.recv()).await.unwrap();
        bench.journal().commit(Step::default(), Some(asked.accept(Answer::Already(EventId(given)))));
        let outcome = until(answer).await.unwrap().unwrap();
        assert_eq!(outcome.event.map(|event| event.id.0), expected);
    }
}

#[tokio::test]
async fn a_phone_stays_paired_until_it_is_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let device = Device {
        id: "d1".to_owned(),
        name: "phone".to_owned(),
        member: "anna".to_owned(),
        scopes: vec![Scope::Read, Scope::Control],
        paired: Wall::from_micros(THEN),
        expires: None,
    };
    let mut changes = bench.journal().device_changes();
    bench.journal().add_device([7; 32], device.clone()).await.unwrap();
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    bench.crash();
    let bench = Bench::open(settings(dir.path()));
    assert_eq!(*bench.journal().device(&[7; 32]).unwrap(), device);
    assert_eq!(bench.journal().device(&[8; 32]), None);
    assert!(!bench.journal().revoke_device("nobody").await.unwrap());
    assert!(bench.journal().revoke_device("d1").await.unwrap());
    assert!(bench.journal().devices().is_empty());
    bench.crash();
    assert!(Bench::open(settings(dir.path())).journal().devices().is_empty());
}

#[tokio::test]
async fn what_a_door_keeps_is_there_after_a_restart_and_is_not_the_engines() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    bench
        .journal()
        .keep(vec![row("door/a/1", Some("one")), row("door/a/2", Some("two")), row("door/b", Some("three"))])
        .await
        .unwrap();
    bench.journal().keep(vec![row("door/a/1", None), row("door/a/3", Some(""))]).await.unwrap();
    bench.crash();
    let bench = Bench::open(settings(dir.path()));
    let kept = |prefix| bench.journal().kept(prefix).into_iter().map(|(key, value)| (key, value.to_vec())).collect::<Vec<_>>();
    assert_eq!(kept("door/a/"), [("door/a/2".to_owned(), b"two".to_vec()), ("door/a/3".to_owned(), Vec::new())]);
    assert_eq!(kept("door/").len(), 3);
    assert_eq!(bench.opened.rows, [], "the engine sees none of them");
    for wrong in [row("child", None), row("door/long", Some(&"x".repeat(5_000)))] {
        assert!(bench.journal().keep(vec![wrong]).await.is_err());
    }
    assert_eq!(kept("door/").len(), 3);
    let many = (0..5_117).map(|at| row(&format!("door/c/{at}"), Some("x"))).collect();
    bench.journal().keep(many).await.unwrap();
    assert!(bench.journal().keep(vec![row("door/d", Some("x"))]).await.is_err(), "there is no more room");
    bench.journal().keep(vec![row("door/b", None)]).await.unwrap();
    bench.journal().keep(vec![row("door/d", Some("x"))]).await.unwrap();
}

#[tokio::test]
async fn the_track_is_read_in_order_whether_it_is_in_the_file_or_still_waits() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let at = |second: i64| Wall::from_micros(THEN + second * 1_000_000);
    let point = |second| TrackPoint {
        time: at(second),
        point: Point { latitude: 37.5 + second as f64 * 1e-5, longitude: 127.1 },
        altitude: None,
        speed: Some(50.0),
        heading: None,
        accuracy: 4.0,
    };
    let points = async |from, to, limit| bench.journal().track(&vin(), at(from), at(to), limit).await.unwrap();
    (0..600).for_each(|second| {
        bench.journal().add_point(point(second));
        while bench.journal().core.state().track.len() >= 64 {
            std::thread::yield_now();
        }
    });
    assert!(!bench.journal().core.state().track.is_empty(), "the last ones wait for their batch");
    assert_eq!(points(0, 1000, 1000).await, (0..600).map(point).collect::<Vec<_>>());
    assert_eq!(points(10, 20, 1000).await, (10..20).map(point).collect::<Vec<_>>());
    assert_eq!(points(300, 1000, 270).await, (300..570).map(point).collect::<Vec<_>>());
    bench.close();
    let again = Bench::open(settings(dir.path()));
    assert_eq!(again.journal().track(&vin(), at(595), at(1000), 10).await.unwrap().len(), 5, "a stop writes them");
}

#[tokio::test]
async fn recent_is_where_the_last_hours_or_the_last_so_many_begin() {
    let dir = tempfile::tempdir().unwrap();
    let hour = 3_600_000_000;
    let then = Wall::build().micros() as u64 + 24 * hour;
    let at = |time: u64| Clock::scaled(Wall::from_micros(time as i64), 1.0);
    let bench = Bench::open_at(settings(dir.path()), at(then));
    let aged = |id: u64| {
        let mut event = event(id, Severity::Info);
        event.stamp.wall = Wall::from_micros(id as i64);
        event
    };
    let times: Vec<u64> = (0..2000).map(|at| then + hour + at * hour / 20).collect();
    bench.journal().commit(step(times.iter().map(|id| aged(*id))), None);
    bench.shown(*times.last().unwrap()).await;
    bench.close();
    let bench = Bench::open_at(settings(dir.path()), at(then + 120 * hour));
    let all = Filter::of(&Kind::ALL);
    let recent = async |hours, limit| bench.journal().recent(&vin(), &all, hours, limit).await.unwrap().0;
    assert_eq!(recent(24 * 365, 1000).await, times[1000] - 1, "from the file, so many");
    assert_eq!(recent(20, 1000).await, times[1981] - 1, "from the file, so old");
    assert_eq!(recent(1, 1000).await, bench.head().0, "nothing in the last hour");
    let fresh: Vec<u64> = (1..=5).map(|at| bench.id(at)).collect();
    bench.journal().commit(step(fresh.iter().map(|id| aged(*id))), None);
    bench.shown(fresh[4]).await;
    assert_eq!(recent(24, 3).await, fresh[2] - 1, "from memory");
    assert_eq!(recent(24 * 365, 10).await, times[1995] - 1, "from both");
    let none = bench.journal().recent(&vin(), &Filter::of(&[Kind::Trip]), 24, 10).await.unwrap();
    assert_eq!(none, bench.head());
}

#[tokio::test]
async fn events_out_of_order_are_refused_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(settings(dir.path()));
    let id = bench.id(10);
    bench.journal().commit(step([event(id, Severity::Info)]), None);
    bench.journal().commit(step([event(id, Severity::Info)]), None);
    bench.journal().commit(step([event(id + 2, Severity::Info), event(id + 1, Severity::Info)]), None);
    bench.journal().commit(step([event(id + 3, Severity::Info)]), None);
    bench.shown(id + 3).await;
    assert_eq!(ids(&bench.all(0).await), [id, id + 3]);
    assert_eq!(bench.dropped("order"), 3);
}

#[tokio::test]
async fn settings_that_make_no_sense_are_the_only_error() {
    let wrong = Settings { max_days: 0, ..Settings::default() };
    let counters = Counters::register(&Metrics::default());
    let error = Journal::open(wrong, vin(), Clock::system(), Health::default(), counters).unwrap_err();
    assert!(error.to_string().contains("journal.max_days"));
}

#[tokio::test]
async fn the_journal_of_an_unnamed_vehicle_is_that_of_the_first_that_has_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let open = |vin: &Vin| {
        let (health, metrics) = (Health::default(), Metrics::default());
        let counters = Counters::register(&metrics);
        Journal::open(settings(dir.path()), vin.clone(), Clock::system(), health, counters).unwrap()
    };
    assert_eq!(vehicle_in(dir.path()), None);
    let unnamed = open(&Vin::unnamed());
    unnamed.journal.commit(Step { events: Vec::new(), rows: vec![row("a", Some("kept"))] }, None);
    assert!(unnamed.journal.close(Duration::from_secs(300)));
    assert_eq!(vehicle_in(dir.path()), None, "nobody's name");
    for _ in 0..2 {
        let named = open(&vin());
        assert_eq!(named.rows, [row("a", Some("kept"))]);
        assert!(named.journal.close(Duration::from_secs(300)));
        assert_eq!(vehicle_in(dir.path()), Some(vin()));
    }
    let other = open(&Vin::try_from("ANOTHER".to_owned()).unwrap());
    assert!(other.rows.is_empty(), "another vehicle's is set aside");
}
