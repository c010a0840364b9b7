//! A second reading of the table, for a car whose signals are always known: it keeps nothing but the history of inputs
//! and works everything out of it anew, twice a second.

/// Milliseconds.
pub type Ms = i64;
pub const TICK: Ms = 500;
pub const SECOND: Ms = 1000;
pub const MINUTE: Ms = 60 * SECOND;

pub const DRIVER: usize = 1;
pub const REAR: [usize; 2] = [2, 3];
pub const LOCK: usize = 4;
pub const SENSOR: usize = 5;
pub const BELT: usize = 6;
pub const SEAT: usize = 7;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    Ignition(bool),
    Set(usize, bool),
    SensorFault,
    Speed(f64),
    Snooze(u32),
    Safe,
    Wait(Ms),
}

/// What is compared of an event: second, type, stage or reason, confidence.
pub type Told = (Ms, String, String, String);

#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Driving,
    Parked,
    Alert,
    Snoozed(Ms),
    Answered(Ms),
}

/// The table, read a second time.
pub struct Model {
    pub now: Ms,
    covers: bool,
    /// Everything that ever came in, with its time.
    log: Vec<(Ms, Input)>,
    /// Begin and end of each drive.
    drives: Vec<(Ms, Option<Ms>)>,
    phase: Phase,
    pub told: Vec<Told>,
    reminded: bool,
    snoozed: bool,
    again: bool,
    cleared: Option<Ms>,
    /// Of the alert: initial, from when 60 s and 25 min count, from when repeats are often, the last repeat's time.
    began: Ms,
    from: Ms,
    often: Ms,
    last: Ms,
    escalated: bool,
    confidence: &'static str,
    /// How many inputs there were when the alert began, or was answered.
    mark: usize,
    /// Openings of rear doors that were told apart as uses after the stop.
    spent: Vec<(usize, Ms)>,
    /// When a sensor's word from before was given up.
    released: Vec<Ms>,
}

impl Model {
    pub fn new(covers: bool) -> Model {
        let (log, drives, told, spent) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Model {
            now: 0,
            covers,
            log,
            drives,
            phase: Phase::Parked,
            told,
            reminded: false,
            snoozed: false,
            again: false,
            cleared: None,
            began: 0,
            from: 0,
            often: 0,
            last: 0,
            escalated: false,
            confidence: "",
            mark: 0,
            spent,
            released: Vec::new(),
        }
    }

    /// The stretches during which a signal was true; the last may last.
    fn stretches(&self, signal: usize) -> Vec<(Ms, Option<Ms>)> {
        let mut stretches: Vec<(Ms, Option<Ms>)> = Vec::new();
        for (at, input) in &self.log {
            let Input::Set(which, value) = input else { continue };
            let open = stretches.last().is_some_and(|(_, end)| end.is_none());
            if *which == signal && *value && !open {
                stretches.push((*at, None));
            } else if *which == signal && !*value && open {
                stretches.last_mut().unwrap().1 = Some(*at);
            }
        }
        stretches
    }

    fn is(&self, signal: usize) -> bool {
        self.stretches(signal).last().is_some_and(|(_, end)| end.is_none())
    }

    /// Since when a signal is what it is.
    fn since(&self, signal: usize) -> Ms {
        self.stretches(signal).last().map_or(0, |(begin, end)| end.unwrap_or(*begin))
    }

    fn ignition(&self) -> bool {
        let said = self.log.iter().rev().find_map(|(_, input)| if let Input::Ignition(on) = input { Some(*on) } else { None });
        said.unwrap_or(false)
    }

    fn stop(&self) -> Option<Ms> {
        self.drives.last().map_or(Some(0), |(_, end)| *end)
    }

    /// Uses of rear doors: door, begin of the opening, moment of the use, end.
    fn uses(&self) -> Vec<(usize, Ms, Ms, Ms)> {
        let all = REAR.iter().flat_map(|door| self.stretches(*door).into_iter().map(move |stretch| (*door, stretch)));
        let ended = all.map(|(door, (begin, end))| (door, begin, begin + 2 * SECOND, end.unwrap_or(self.now)));
        ended.filter(|(_, _, moment, end)| end >= moment).collect()
    }

    /// The moment of the last use after the stop that ended drive `k`, before the next began.
    fn emptied(&self, k: usize) -> Option<Ms> {
        let stop = if k == 0 { 0 } else { self.drives[k - 1].1? };
        let until = self.drives.get(k).map_or(Ms::MAX, |drive| drive.0);
        let moments = self.uses().into_iter().filter_map(|(_, begin, moment, end)| {
            let after = if begin + 2 * SECOND > stop { moment } else { stop + 2 * SECOND };
            (after <= end && after > stop && after <= until).then_some(after)
        });
        moments.max()
    }

    /// Whether a rear door was used in drive `k` (from 1) or in the ten minutes before.
    fn loaded(&self, k: usize) -> bool {
        let (begin, end) = self.drives[k - 1];
        let until = end.unwrap_or(self.now);
        self.uses().iter().any(|(_, _, moment, end)| *end >= begin - 10 * MINUTE && *moment <= until)
    }

    /// What is inferred at the end of stop `k`, which follows drive `k`.
    fn inferred(&self, k: usize) -> bool {
        k > 0 && self.emptied(k).is_none() && (self.loaded(k) || self.inferred(k - 1))
    }

    fn closings(&self, signal: usize) -> Vec<Ms> {
        // The first value ever seen is no change: every signal begins with a no.
        self.stretches(signal).into_iter().map(|(begin, _)| begin).collect()
    }

    /// Whether some closing of the belt still counts.
    fn belt(&self) -> bool {
        let stops: Vec<usize> = (0..=self.drives.len()).collect();
        let emptied: Vec<(usize, Ms)> = stops.into_iter().filter_map(|k| Some((k, self.emptied(k)?))).collect();
        let until = |k: usize| self.drives.get(k).map_or(Ms::MAX, |drive| drive.0);
        self.closings(BELT).into_iter().any(|at| {
            let driven = |(begin, end): &(Ms, Option<Ms>)| at >= begin - 10 * MINUTE && at <= end.unwrap_or(self.now);
            let anew = emptied.iter().any(|(k, moment)| at >= *moment && at <= until(*k));
            let gone = emptied.iter().any(|(_, moment)| at < *moment) || self.left_open(at);
            (anew || self.drives.iter().any(driven)) && !gone
        })
    }

    /// Whether a rear door was used while the belt, closed at `closed`, was open again, or was open when it was opened.
    fn left_open(&self, closed: Ms) -> bool {
        let stretches = self.stretches(BELT);
        let openings = stretches.iter().enumerate().filter_map(|(n, (_, end))| Some((n, (*end)?)));
        openings.filter(|(_, opened)| *opened > closed).any(|(n, opened)| {
            let next = stretches.get(n + 1).map_or(Ms::MAX, |(begin, _)| *begin);
            self.uses().iter().any(|(_, _, moment, end)| *end >= opened && *moment.max(&opened) < next)
        })
    }

    fn was(&self, signal: usize, then: Ms) -> bool {
        self.stretches(signal).iter().any(|(from, to)| *from <= then && to.is_none_or(|to| to > then))
    }

    fn in_drive(&self, k: usize, mut times: impl Iterator<Item = Ms>) -> bool {
        let (begin, end) = self.drives[k - 1];
        times.any(|at| at >= begin - 10 * MINUTE && at <= end.unwrap_or(self.now))
    }

    fn seat(&self, k: usize) -> bool {
        if k == 0 {
            return false;
        }
        let (begin, _) = self.drives[k - 1];
        self.in_drive(k, self.closings(SEAT).into_iter())
            || self.loaded(k)
            || (self.was(SEAT, begin) && self.emptied(k - 1).is_none() && self.seat(k - 1))
    }

    fn occupied(&self) -> bool {
        let k = self.drives.len();
        self.belt() || (self.is(SEAT) && self.seat(k))
    }

    /// The sensor's word: yes, no or nothing; whether it is kept; and when it was yes, as far as that was not given up.
    fn sensor(&self) -> (Option<bool>, bool, Vec<(Ms, Ms)>) {
        let heard = self.log.iter().filter_map(|(at, input)| match input {
            Input::Set(SENSOR, yes) => Some((*at, false, Some(*yes))),
            Input::SensorFault => Some((*at, false, None)),
            _ => None,
        });
        let mut all: Vec<(Ms, bool, Option<bool>)> = heard.chain(self.released.iter().map(|at| (*at, true, None))).collect();
        all.sort_by_key(|(at, release, _)| (*at, *release));
        let (mut word, mut kept, mut released) = (None, false, false);
        let mut spans: Vec<(Ms, Ms)> = Vec::new();
        for (at, release, said) in all {
            let was = word == Some(true);
            let given_up = if release { kept } else { said.is_none() && was && released };
            if given_up {
                (word, kept) = (None, false);
                spans.clear();
            } else if !release {
                kept = said.is_none() && was;
                word = if kept { Some(true) } else { said };
            }
            released = release || (released && said != Some(true));
            match (was, word == Some(true)) {
                (false, true) => spans.push((at, Ms::MAX)),
                (true, false) => spans.last_mut().into_iter().for_each(|span| span.1 = at),
                _ => {}
            }
        }
        (word, kept, spans)
    }

    fn word(&self) -> (Option<bool>, bool) {
        let (word, kept, _) = self.sensor();
        (word, kept)
    }

    /// For how much of the last fifteen seconds the word was yes.
    fn yes(&self) -> Ms {
        let begin = self.now - 15 * SECOND;
        self.sensor().2.into_iter().map(|(from, to)| (to.min(self.now) - from.max(begin)).max(0)).sum()
    }

    fn class(&self, in_alert: bool) -> Option<&'static str> {
        let k = self.drives.len();
        let healthy = self.covers && self.word().0.is_some() && !self.word().1;
        if self.yes() >= 5 * SECOND {
            Some("direct")
        } else if self.occupied() {
            Some("occupancy")
        } else if self.inferred(k) && !(in_alert && healthy) {
            Some("inferred")
        } else {
            None
        }
    }

    fn speed_since(&self) -> Option<Ms> {
        let mut since = None;
        let mut ignition = false;
        let mut speed = 0.0;
        for (at, input) in &self.log {
            match input {
                Input::Ignition(on) => ignition = *on,
                Input::Speed(kmh) => speed = *kmh,
                _ => {}
            }
            since = if ignition && speed > 20.0 { since.or(Some(*at)) } else { None };
        }
        // It is watched from the alert on.
        since.map(|since: Ms| since.max(self.began))
    }

    /// Whether the driver's door came open since the alert, or since its answer.
    fn opened_driver(&self) -> bool {
        let inputs = self.log.get(self.mark..).unwrap_or_default();
        let opened = inputs.iter().find(|(_, input)| *input == Input::Set(DRIVER, true));
        opened.is_some_and(|(at, _)| self.closings(DRIVER).last() >= Some(at))
    }

    fn tell(&mut self, name: &str, detail: &str, confidence: &str) {
        self.told.push((self.now, name.to_owned(), detail.to_owned(), confidence.to_owned()));
    }

    pub fn take(&mut self, input: Input) {
        self.log.push((self.now, input));
        self.rows();
    }

    pub fn rows(&mut self) {
        while self.row() {}
    }

    /// A rear door used after the stop that has not been reckoned with; it is then.
    fn rear_used(&mut self) -> bool {
        let Some(stop) = self.stop() else { return false };
        let mut used = false;
        for (door, begin, moment, end) in self.uses() {
            let after = if moment > stop { moment } else { stop + 2 * SECOND };
            if after <= end && !self.spent.contains(&(door, begin)) {
                self.spent.push((door, begin));
                used = true;
                if !self.ignition() {
                    self.released.push(self.now);
                }
            }
        }
        used
    }

    fn row(&mut self) -> bool {
        let used = self.rear_used();
        match self.phase.clone() {
            Phase::Driving if !self.ignition() => {
                self.drives.last_mut().unwrap().1 = Some(self.now);
                (self.reminded, self.snoozed, self.again, self.cleared) = (false, false, false, None);
                self.spent.clear();
                self.phase = Phase::Parked;
                true
            }
            Phase::Driving => false,
            Phase::Parked | Phase::Answered(_) if self.ignition() => self.drive(),
            Phase::Answered(_) if used => self.enter(Phase::Parked),
            Phase::Answered(_) if self.opened_driver() => self.enter(Phase::Parked),
            Phase::Answered(since) => {
                let due = self.now >= since + 30 * MINUTE && self.yes() >= 5 * SECOND && !self.again;
                if due {
                    self.again = true;
                    self.alert("direct");
                }
                due
            }
            Phase::Parked => self.parked(),
            Phase::Alert | Phase::Snoozed(_) => self.alarmed(used),
        }
    }

    fn enter(&mut self, phase: Phase) -> bool {
        self.phase = phase;
        true
    }

    fn drive(&mut self) -> bool {
        self.drives.push((self.now, None));
        self.enter(Phase::Driving)
    }

    fn parked(&mut self) -> bool {
        let Some(class) = self.class(false) else { return false };
        if self.is(DRIVER) && !self.reminded && self.emptied(self.drives.len()).is_none() {
            self.reminded = true;
            self.tell("CHILD_SEAT_REMINDER", "", class);
        }
        let stop = self.stop().unwrap();
        let doors = [DRIVER, REAR[0], REAR[1]];
        let opened = self.stretches(DRIVER).into_iter().any(|(_, end)| end.is_none_or(|end| end > stop));
        if doors.iter().any(|door| self.is(*door)) || !(opened || self.drives.is_empty()) {
            return false;
        }
        let closed = doors.iter().map(|door| self.since(*door)).max().unwrap();
        let wait = if self.is(LOCK) { 10 * SECOND } else { 5 * MINUTE };
        let mut due = closed.max(stop).max(self.since(LOCK)) + wait;
        let (word, kept) = self.word();
        if class == "inferred" && self.covers && word.is_some() && !kept {
            if word == Some(true) {
                return false;
            }
            let no_since =
                self.log.iter().rev().take_while(|(_, input)| !matches!(input, Input::Set(SENSOR, true) | Input::SensorFault));
            let no_since = no_since.filter(|(_, input)| *input == Input::Set(SENSOR, false)).last().map(|(at, _)| *at);
            if no_since.is_some_and(|at| at <= closed.max(self.cleared.unwrap_or(closed))) {
                return false;
            }
            due = due.max(closed + MINUTE);
        }
        if self.now >= due {
            self.alert(class);
        }
        self.now >= due
    }

    fn alert(&mut self, class: &'static str) {
        (self.began, self.from, self.often, self.last) = (self.now, self.now, self.now, self.now);
        (self.escalated, self.confidence) = (false, class);
        self.tell("CHILD_LEFT_BEHIND", "initial", class);
        self.phase = Phase::Alert;
        self.mark = self.log.len();
    }

    fn clear(&mut self, reason: &str) {
        let confidence = self.confidence;
        self.tell("CHILD_ALERT_CLEARED", reason, confidence);
    }

    fn ring(&mut self, stage: &str) {
        self.confidence = self.class(true).unwrap_or(self.confidence);
        self.escalated |= stage == "escalated";
        let confidence = self.confidence;
        self.tell("CHILD_LEFT_BEHIND", stage, confidence);
    }

    fn alarmed(&mut self, used: bool) -> bool {
        if used {
            self.clear("rear_door_opened");
            return self.enter(Phase::Parked);
        }
        if (self.ignition() && self.opened_driver()) || self.speed_since().is_some_and(|since| self.now >= since + 10 * SECOND) {
            self.clear("driver_returned");
            return self.drive();
        }
        let k = self.drives.len();
        let (word, _) = self.word();
        let no_since =
            self.log.iter().rev().take_while(|(_, input)| !matches!(input, Input::Set(SENSOR, true) | Input::SensorFault));
        let no_since = no_since.filter(|(_, input)| *input == Input::Set(SENSOR, false)).last().map(|(at, _)| *at);
        let others = self.occupied() || (self.inferred(k) && !self.covers);
        let clear = word == Some(false) && no_since.is_some_and(|at| self.now >= at + 120 * SECOND);
        if self.confidence == "direct" && clear && !others {
            self.clear("sensor_clear");
            self.cleared = Some(self.now);
            return self.enter(Phase::Parked);
        }
        let class = self.class(true);
        let strong = matches!(class, Some("direct" | "occupancy"));
        if let Phase::Snoozed(until) = self.phase {
            if self.now < until {
                return false;
            }
            let escalate = !self.escalated && strong && self.now >= self.began + MINUTE;
            self.ring(if escalate { "escalated" } else { "repeated" });
            (self.from, self.often, self.last) = (self.now, self.now, self.now);
            return self.enter(Phase::Alert);
        }
        if !self.escalated && strong && self.now >= self.from + MINUTE {
            self.ring("escalated");
            (self.often, self.last) = (self.now, self.now);
            return true;
        }
        let by_doors = class == Some("inferred") || (class.is_none() && self.confidence == "inferred");
        if !self.escalated && by_doors && self.now >= self.from + 25 * MINUTE {
            self.confidence = "inferred";
            self.clear("expired");
            self.mark = self.log.len();
            return self.enter(Phase::Answered(self.now));
        }
        let often = self.last + 45 * SECOND <= self.often + 25 * MINUTE;
        let due = self.last + if often { 45 * SECOND } else { 10 * MINUTE };
        if self.escalated && self.now >= due && (often || class.is_some()) && due <= self.began + 24 * 60 * MINUTE {
            self.ring("repeated");
            self.last = if self.now < due + 45 * SECOND { due } else { self.now };
            return true;
        }
        false
    }

    pub fn answer(&mut self, safe: bool, seconds: u32) -> bool {
        self.rows();
        let running = matches!(self.phase, Phase::Alert | Phase::Snoozed(_));
        if !running || (!safe && self.snoozed) {
            return false;
        }
        let confidence = self.confidence;
        if safe {
            self.tell("CHILD_ALERT_ACKNOWLEDGED", "", confidence);
            self.released.push(self.now);
            self.phase = Phase::Answered(self.now);
            self.mark = self.log.len();
        } else {
            self.tell("CHILD_ALERT_SNOOZED", "", confidence);
            self.snoozed = true;
            self.phase = Phase::Snoozed(self.now + Ms::from(seconds) * SECOND);
        }
        self.rows();
        true
    }
}
