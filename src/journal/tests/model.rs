//! The journal against a simple model: whatever happens in whatever order, nothing that was shown is lost or changed,
//! nothing is shown twice, ids rise, and a client that reads now and then, over every restart, has seen everything that
//! there is, or was told of a gap.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// What may happen.
#[derive(Clone, Debug)]
enum Op {
    /// A step with so many events, of these sorts.
    Commit(Vec<Sort>),
    /// A step with so many events.
    Burst(u16),
    /// The client reads so many pages of so many events.
    Read { pages: u8, limit: u8 },
    /// Another reader says that it has everything.
    Acknowledge,
    /// Until the disk has everything, if it can.
    Settle,
    /// The power goes; the next start is so many seconds later.
    Crash(u32),
    /// The daemon is stopped; the next start is so many seconds later.
    Stop(u32),
    /// Somebody holds the file.
    Hold,
    /// He lets go.
    LetGo,
    /// The directory goes.
    Away,
    /// It comes back.
    Back,
    /// The power goes, and the file is wrecked.
    Wreck(u32),
}

/// Sorts of events.
#[derive(Clone, Copy, Debug)]
enum Sort {
    Info,
    Critical,
    /// The next of the alert that runs, or the first of one.
    Alert,
    /// The end of the alert that runs, if one does.
    Clear,
    Note(&'static str),
}

fn op() -> impl Strategy<Value = Op> {
    let sort = prop_oneof![
        3 => Just(Sort::Info),
        1 => Just(Sort::Critical),
        2 => Just(Sort::Alert),
        1 => Just(Sort::Clear),
        1 => prop_oneof![Just(Sort::Note("anna")), Just(Sort::Note("ben"))],
    ];
    prop_oneof![
        10 => prop::collection::vec(sort, 1..5).prop_map(Op::Commit),
        1 => (1_u16..1_500).prop_map(Op::Burst),
        6 => (1_u8..6, 1_u8..200).prop_map(|(pages, limit)| Op::Read { pages, limit }),
        3 => Just(Op::Acknowledge),
        3 => Just(Op::Settle),
        2 => (1_u32..10_000).prop_map(Op::Crash),
        1 => (1_u32..10_000).prop_map(Op::Stop),
        2 => Just(Op::Hold),
        2 => Just(Op::LetGo),
        1 => Just(Op::Away),
        2 => Just(Op::Back),
        1 => (1_u32..10_000).prop_map(Op::Wreck),
    ]
}

/// The world outside the journal, and what it knows.
struct World {
    parent: tempfile::TempDir,
    bench: Option<Bench>,
    wall: i64,
    /// The last id issued, in this life or any before.
    issued: u64,
    /// What has to be there: each event as the file has it.
    events: BTreeMap<u64, Event>,
    /// Those of them that a power cut came too early for, perhaps.
    doubtful: BTreeSet<u64>,
    alert: Option<u64>,
    holder: Option<Holder>,
    away: bool,
    /// Something was let go for want of memory, or with a file: then a mark has to say so.
    lossy: bool,
    client: Client,
    /// How far the other reader has come, and the disk knows it.
    acknowledged: u64,
}

/// Somebody with a phone.
struct Client {
    at: u64,
    seen: Vec<u64>,
    gaps: Vec<(u64, u64)>,
}

impl World {
    fn new() -> World {
        let parent = tempfile::tempdir().unwrap();
        movable(parent.path());
        let mut world = World {
            parent,
            bench: None,
            wall: Wall::build().micros() + 1_000_000,
            issued: 0,
            events: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            alert: None,
            holder: None,
            away: false,
            lossy: false,
            client: Client { at: 0, seen: Vec::new(), gaps: Vec::new() },
            acknowledged: 0,
        };
        world.start(0);
        world
    }

    fn dir(&self) -> PathBuf {
        self.parent.path().join("journal")
    }

    fn bench(&self) -> &Bench {
        self.bench.as_ref().unwrap()
    }

    fn start(&mut self, seconds: u32) {
        self.wall += i64::from(seconds) * 1_000_000;
        let clock = Clock::scaled(Wall::from_micros(self.wall), 1.0);
        let settings = Settings { stall_seconds: 0.2, retry_seconds: 0.32, ..settings(&self.dir()) };
        let bench = Bench::open_at(settings, clock);
        assert!(bench.opened.last.0 >= self.issued, "an id may be issued twice");
        assert!(bench.head().0 >= self.client.at, "a position that was given is valid");
        self.issued = bench.opened.last.0;
        self.bench = Some(bench);
    }

    /// As the outbox does it.
    fn issue(&mut self) -> u64 {
        let bench = self.bench.as_ref().unwrap();
        let clock = bench.journal().core.now().wall.micros() as u64 / 1000 * 1000;
        let room = bench.journal().reserved().0.saturating_sub(clock) >= 1_000_000;
        let floor = if *bench.opened.writable.borrow() && room { clock } else { 0 };
        self.issued = floor.max(self.issued + 1);
        self.issued
    }

    fn event_of(&mut self, sort: Sort) -> Event {
        let id = self.issue();
        match (sort, self.alert) {
            (Sort::Alert, alert) => left_behind(id, *self.alert.insert(alert.unwrap_or(id))),
            (Sort::Clear, Some(first)) => {
                self.alert = None;
                cleared(id, first)
            }
            (Sort::Critical, _) => event(id, Severity::Critical),
            (Sort::Note(member), _) => published(id, member, 100),
            (Sort::Info | Sort::Clear, _) => event(id, Severity::Info),
        }
    }

    fn commit(&mut self, sorts: &[Sort]) {
        let events: Vec<_> = sorts.iter().map(|sort| self.event_of(*sort)).collect();
        let rows = vec![row("latest", Some(&self.issued.to_string()))];
        self.events.extend(events.iter().map(|event| (event.id.0, event.clone())));
        self.bench().journal().commit(Step { events, rows }, None);
    }

    /// The end of this life.
    fn end(&mut self, clean: bool) {
        if let Some(holder) = self.holder.take() {
            holder.let_go();
        }
        let bench = self.bench.take().unwrap();
        self.lossy |= bench.dropped("memory") > 0;
        let saved = bench.journal().core.state().saved.0;
        let all = clean && bench.journal().close(Duration::from_secs(300));
        assert!(all || self.away || !clean, "a stop writes everything");
        if !all {
            self.doubtful.extend(self.events.range(saved + 1..).map(|(id, _)| id));
            bench.crash();
        }
    }

    /// What this life has to show again after what came between.
    async fn compare(&mut self) {
        if !self.away {
            assert!((self.acknowledged..=self.bench().head().0).contains(&self.cursor()), "a cursor went back, or too far");
            let found = self.everything().await;
            let marks = [Some("anna"), Some("ben")].map(|member| (member, self.pruned(member)));
            let events = std::mem::take(&mut self.events);
            self.events = events.into_iter().filter(|(id, event)| self.survived(*id, event, &found, &marks)).collect();
            self.doubtful.clear();
            let unknown = found.keys().find(|id| !self.events.contains_key(id));
            assert_eq!(unknown, None, "an event that nobody told");
            let latest = self.bench().opened.rows.iter().find(|row| row.key == "latest").and_then(|row| row.value.clone());
            if let (Some(latest), false) = (latest, self.lossy) {
                let latest = String::from_utf8(latest).unwrap().parse::<u64>().unwrap();
                assert_eq!(found.keys().last().copied().unwrap_or(latest), latest, "state and events of one step");
            }
        }
        // The engine goes by what it finds.
        let active = self.bench().journal().active(&vin()).unwrap();
        self.alert = active.last().and_then(|event| event.alert).map(|first| first.0);
    }

    fn survived(&self, id: u64, event: &Event, found: &BTreeMap<u64, Arc<Stored>>, marks: &[(Option<&str>, u64)]) -> bool {
        match found.get(&id) {
            Some(stored) => {
                assert_eq!(*stored.json, event.to_json(), "an event changed");
                true
            }
            None => {
                let mark = match &event.details {
                    Details::Published(note) => marks.iter().find(|(member, _)| *member == Some(&note.member)).unwrap().1,
                    _ => self.bench().journal().pruned(&vin(), &Filter::of(&[event.kind()])).unwrap().0,
                };
                let excused = self.doubtful.contains(&id) || (self.lossy && mark >= id);
                assert!(excused, "event {id} is lost, and the gap goes to {mark}");
                false
            }
        }
    }

    fn pruned(&self, member: Option<&str>) -> u64 {
        self.bench().journal().pruned(&vin(), &shown_to(member)).unwrap().0
    }

    async fn everything(&self) -> BTreeMap<u64, Arc<Stored>> {
        let mut found = BTreeMap::new();
        for member in [Some("anna"), Some("ben")] {
            let (mut at, filter) = (0, shown_to(member));
            while at < self.bench().head().0 {
                let page = self.bench().page(at, &filter, 300).await;
                let rising = page.events.iter().map(|event| event.id.0).try_fold(at, |at, id| (id > at).then_some(id));
                assert!(rising.is_some_and(|last| last <= page.next.0), "ids rise");
                at = page.next.0;
                found.extend(page.events.into_iter().map(|event| (event.id.0, event)));
            }
        }
        found
    }

    /// Anna reads on, as a stream does: first whether there is a gap.
    async fn read(&mut self, pages: u8, limit: usize) {
        for _ in 0..pages {
            let gap = self.pruned(Some("anna"));
            if gap > self.client.at {
                self.client.gaps.push((self.client.at, gap));
                self.client.at = gap;
            }
            let bench = self.bench.as_ref().unwrap();
            let after = EventId(self.client.at);
            let page = bench.journal().events_after(&vin(), after, &shown_to(Some("anna")), limit).await;
            // While the file is out of reach she is told so, and tries again.
            let Ok(page) = page else { return };
            for event in &page.events {
                assert!(event.id.0 > self.client.at, "a twin");
                self.client.at = event.id.0;
                self.client.seen.push(event.id.0);
            }
            assert!(page.next.0 >= self.client.at && page.next <= bench.head());
            self.client.at = page.next.0;
        }
    }

    /// A cursor that is not durable yet counts all the same until the next start.
    async fn acknowledge(&mut self) {
        let head = self.bench().head();
        let durable = self.bench().journal().advance("fleet", Kind::Diagnosis, head, 0).await.is_ok();
        self.acknowledged = if durable { head.0 } else { self.acknowledged };
        assert_eq!(self.cursor(), head.0);
    }

    fn cursor(&self) -> u64 {
        self.bench().journal().cursors("fleet").first().map_or(0, |cursor| cursor.position.0)
    }

    async fn mend(&mut self) {
        if let Some(holder) = self.holder.take() {
            holder.let_go();
        }
        if std::mem::take(&mut self.away) {
            bring_back(&self.dir());
        }
        self.bench().writable(true).await;
        self.bench().saved().await;
    }

    async fn restart(&mut self, clean: bool, wreck: bool, seconds: u32) {
        self.end(clean);
        if wreck && !self.away {
            std::fs::write(self.dir().join("journal.db"), vec![0xA5; 50_000]).unwrap();
            let _ = std::fs::remove_file(self.dir().join("journal.db-wal"));
            self.lossy = true;
            self.acknowledged = 0;
        }
        self.start(seconds);
        self.compare().await;
    }

    async fn happen(&mut self, op: Op) {
        let head = self.bench().head();
        match op {
            Op::Commit(sorts) => self.commit(&sorts),
            Op::Burst(count) => self.commit(&vec![Sort::Info; count.into()]),
            Op::Read { pages, limit } => self.read(pages, limit.into()).await,
            Op::Acknowledge => self.acknowledge().await,
            Op::Settle if self.holder.is_none() && !self.away => self.mend().await,
            Op::Hold if self.holder.is_none() && !self.away => self.holder = Some(Holder::of(&self.dir())),
            Op::LetGo => self.holder.take().into_iter().for_each(Holder::let_go),
            Op::Away if self.holder.is_none() && !self.away => {
                // What is written while the file is carried off counts or counts not; either is right.
                take_away(&self.dir());
                self.away = true;
            }
            Op::Back if self.away => self.mend().await,
            Op::Settle | Op::Hold | Op::Away | Op::Back => {}
            Op::Crash(seconds) => return self.restart(false, false, seconds).await,
            Op::Stop(seconds) => return self.restart(true, false, seconds).await,
            Op::Wreck(seconds) => return self.restart(false, true, seconds).await,
        }
        assert!(self.bench().head() >= head, "the head went back");
    }

    /// In the end all is well, and the client has everything that there is.
    async fn finish(mut self) {
        self.mend().await;
        self.restart(false, false, 1).await;
        self.mend().await;
        while self.client.at < self.bench().head().0 {
            self.read(10, 100).await;
        }
        let Client { seen, gaps, .. } = &self.client;
        assert!(seen.is_sorted_by(|one, next| one < next), "a twin");
        let told = self.events.iter().filter(|(_, event)| match &event.details {
            Details::Published(note) => note.member == "anna",
            _ => true,
        });
        for id in told.map(|(id, _)| id) {
            let excused = gaps.iter().any(|(from, to)| from < id && id <= to);
            assert!(excused || seen.binary_search(id).is_ok(), "the client never saw {id}");
        }
        self.end(true);
    }
}

/// Few, because each takes a tenth of a second; `PROPTEST_CASES` says how many where there is time.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(24), max_shrink_iters: 200, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whatever_happens_nothing_is_lost_or_told_twice(ops in prop::collection::vec(op(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            for op in ops {
                world.happen(op).await;
            }
            world.finish().await;
        });
    }
}
