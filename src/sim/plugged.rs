//! The car with its ECUs, and with whoever is plugged in: what is on its wires altogether.

use std::time::Duration;

use super::car::{Car, Output, Place};
use super::ecus::{Bus, Live};
use super::story::{Incident, Ordeal};
use super::truth::Truth;
use super::wires::BODY;
use crate::clock::Boot;
use crate::vehicle::Frame;

/// A [`Car`] whose ECUs can be asked, on the bus that the profile's `[diagnostics]` names.
///
/// As long as nobody [is heard](Plugged::hear), it is as pure a function of scenario, seed and moment as the car: testers
/// of the story and what ECUs answer them included. One that is set down in the middle of its story knows its faults; a
/// conversation in which it is set down is over.
#[derive(Debug)]
pub struct Plugged {
    car: Car,
    /// What the car sends next.
    next: Option<(Duration, Output)>,
    ecus: Bus,
    /// What befalls the ECUs next, and at which second of the whole story.
    incident: Option<(f64, &'static Incident)>,
    /// What was sent last was due then.
    now: Duration,
}

/// Whose turn it is.
enum Turn {
    Car,
    Ecus,
    Incident(f64, &'static Incident),
}

impl Plugged {
    /// With everything that its story did to the ECUs before its start.
    pub fn new(car: Car) -> Plugged {
        let mut plugged = Plugged { car, next: None, ecus: Bus::default(), incident: None, now: Duration::ZERO };
        plugged.set_out(Duration::ZERO);
        plugged
    }

    /// The car.
    pub fn car(&self) -> &Car {
        &self.car
    }

    /// Where it is `after` its start.
    pub fn place(&self, after: Duration) -> Place {
        self.car.place(after)
    }

    /// When to [`turn`](Plugged::turn), counted from its start.
    pub fn due(&self) -> Duration {
        self.first().0
    }

    /// Does what is due first, and gives what is sent then, if something is.
    pub fn turn(&mut self) -> Option<(Duration, Output)> {
        let (after, turn) = self.first();
        match turn {
            Turn::Incident(at, incident) => {
                self.befall(after, at, incident);
                None
            }
            Turn::Ecus => {
                self.measure(after);
                let frame = self.ecus.pass(Boot::default() + after)?;
                self.now = after;
                Some((after, Output::Frame { bus: BODY, frame }))
            }
            Turn::Car => {
                self.now = after;
                std::mem::replace(&mut self.next, self.car.next())
            }
        }
    }

    /// Somebody on the ECUs' bus says something `after` its start, or at once, where more was sent since; when.
    pub fn hear(&mut self, after: Duration, frame: &Frame) -> Duration {
        let after = after.max(self.now);
        self.measure(after);
        self.ecus.hear(Boot::default() + after, frame);
        after
    }

    /// Leaves out everything before `after` its start.
    pub fn skip_to(&mut self, after: Duration) {
        self.car.skip_to(after);
        self.set_out(after);
    }

    fn set_out(&mut self, after: Duration) {
        let now = self.car.seconds(after);
        let timeline = self.car.timeline();
        let mut ecus = match self.car.vin() {
            Some(vin) => Bus::car().numbered(vin),
            None => Bus::car(),
        };
        // What was in the loops before that one, it has undone.
        let mut seconds = timeline.loop_before(now);
        while let Some((at, incident)) = timeline.incident_after(seconds).filter(|(at, _)| *at < now) {
            ecus.measure(Live::from(&timeline.at(at)));
            match &incident.what {
                Ordeal::Break(fault) => ecus.set(*fault),
                Ordeal::Mend(fault) => ecus.mend(*fault),
                Ordeal::Tester(script) if script.clears() => ecus.clear(),
                Ordeal::Tester(_) => {}
            }
            seconds = at;
        }
        self.incident = timeline.incident_after(seconds);
        (self.ecus, self.now) = (ecus, after);
        self.next = self.car.next();
    }

    fn first(&self) -> (Duration, Turn) {
        let car = self.next.as_ref().map_or(Duration::MAX, |(due, _)| *due);
        let ecus = self.ecus.deadline().map_or(Duration::MAX, |due| due.since(Boot::default()).max(self.now));
        let sent = car.min(ecus);
        let incident = self.incident.map(|(at, incident)| (self.car.after(at).max(self.now), Turn::Incident(at, incident)));
        match incident {
            Some(incident) if incident.0 <= sent => incident,
            _ if ecus < car => (ecus, Turn::Ecus),
            _ => (car, Turn::Car),
        }
    }

    fn measure(&mut self, after: Duration) {
        let truth: Truth = self.car.truth(after);
        self.ecus.measure(Live::from(&truth));
    }

    fn befall(&mut self, after: Duration, at: f64, incident: &Incident) {
        self.measure(after);
        match &incident.what {
            Ordeal::Break(fault) => self.ecus.set(*fault),
            Ordeal::Mend(fault) => self.ecus.mend(*fault),
            Ordeal::Tester(script) => self.ecus.play(Boot::default() + after, script),
        }
        self.incident = self.car.timeline().incident_after(at);
    }
}

impl Iterator for Plugged {
    type Item = (Duration, Output);

    /// The next thing that is sent, and when, counted from its start. It never ends.
    fn next(&mut self) -> Option<(Duration, Output)> {
        loop {
            if let Some(sent) = self.turn() {
                return Some(sent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;
    use crate::event::EventType;
    use crate::sim::{SCENARIOS, Scenario, Telling, Timeline, profile, scenario};
    use crate::vehicle::{BusId, FrameKind};

    fn plugged(scenario: &Scenario) -> Plugged {
        let start = Place::beginning(Wall::from_micros(1_771_545_600_000_000));
        Plugged::new(Car::new(scenario, 7, start).unwrap())
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn is_diagnostic(output: &Output) -> bool {
        matches!(output, Output::Frame { frame, .. } if !frame.extended && frame.id >= 0x7DF)
    }

    /// What the ECUs' bus carries of diagnosis until `end`, as `7E8 06 43 …`.
    fn heard(car: &mut Plugged, end: Duration) -> Vec<String> {
        let mut all = Vec::new();
        while car.due() < end {
            match car.turn() {
                Some((_, Output::Frame { bus, frame })) if !frame.extended && frame.id >= 0x7DF => {
                    assert_eq!(bus, BODY);
                    let data: Vec<String> = frame.data.iter().map(|byte| format!("{byte:02X}")).collect();
                    all.push(format!("{:03X} {}", frame.id, data.join(" ")));
                }
                _ => {}
            }
        }
        all
    }

    /// What the ECUs answer to a question of one frame.
    fn asked(car: &mut Plugged, after: Duration, request: &[u8]) -> Vec<String> {
        let mut data = heapless::Vec::from_slice(&[request.len() as u8]).unwrap();
        data.extend_from_slice(request).unwrap();
        heard(car, after);
        let frame = Frame { at: Boot::default(), kind: FrameKind::Classical, id: 0x7DF, extended: false, data };
        car.hear(after, &frame);
        heard(car, after + Duration::from_millis(50))
    }

    /// When the misfire begins, and when the codes are cleared, with room for the tester's script.
    fn moments(scenario: &Scenario) -> (f64, f64) {
        let expected = Timeline::new(scenario, 7).expected_when_asking();
        let at = |wanted| expected.iter().find(|one| one.telling == Telling::Plain(wanted)).unwrap().earliest;
        (at(EventType::DtcSet), at(EventType::DtcCleared) + 2.0)
    }

    #[test]
    fn what_befalls_the_ecus_does_so_within_its_step_one_after_the_other() {
        for scenario in SCENARIOS {
            let timeline = Timeline::new(scenario, 7);
            let mut last = 0.0;
            while let Some((at, _)) = timeline.incident_after(last).filter(|(at, _)| *at < 2.0 * timeline.length()) {
                assert!(at > last, "{}", scenario.name);
                last = at;
            }
            let told: Vec<Telling> = timeline.expected_when_asking().iter().map(|expected| expected.telling).collect();
            let plain = [EventType::DtcSet, EventType::MilOn, EventType::DtcCleared, EventType::MilOff].map(Telling::Plain);
            let breaks = ["engine-fault", SCENARIOS[0].name].contains(&scenario.name);
            assert_eq!(told, if breaks { plain.to_vec() } else { vec![] }, "{}", scenario.name);
        }
    }

    #[test]
    fn what_the_car_sends_of_itself_stays_the_same() {
        for scenario in SCENARIOS {
            let mut alone = Car::new(scenario, 7, plugged(scenario).place(Duration::ZERO)).unwrap();
            let end = seconds(Timeline::new(scenario, 7).length() * 1.1);
            let (mut last, mut conversations) = (Duration::ZERO, 0);
            for (after, output) in plugged(scenario).take_while(|(after, _)| *after < end) {
                assert!(after >= last, "{}: {after:?} {last:?}", scenario.name);
                last = after;
                if is_diagnostic(&output) {
                    conversations += 1;
                } else {
                    assert_eq!(alone.next(), Some((after, output)));
                }
            }
            let breaks = ["engine-fault", SCENARIOS[0].name].contains(&scenario.name);
            assert_eq!(conversations > 0, breaks, "{}: {conversations}", scenario.name);
        }
    }

    #[test]
    fn a_misfire_sets_a_code_and_the_workshop_clears_it_in_each_loop() {
        let scenario = scenario("engine-fault").unwrap();
        let (set, cleared) = moments(scenario);
        let length = Timeline::new(scenario, 7).length();
        let mut car = plugged(scenario);
        for lap in [0.0, length] {
            let mut ask = |at: f64, request: &[u8]| asked(&mut car, seconds(lap + at), request);
            assert_eq!(ask(set - 1.0, &[3])[0], "7E8 02 43 00 CC CC CC CC CC", "the body's ECU knows no mode 03");
            assert_eq!(ask(set + 1.0, &[3]), ["7E8 04 43 01 03 01 CC CC CC", "7E9 02 43 00 CC CC CC CC CC"]);
            assert!(ask(set + 2.0, &[1, 1])[0].starts_with("7E8 06 41 01 81"));
            // Frozen while driving past the school.
            let speed = ask(set + 3.0, &[2, 0x0D, 0]);
            let kmh = u8::from_str_radix(speed[0].split(' ').nth(5).unwrap(), 16).unwrap();
            assert!(speed.len() == 1 && (5..=50).contains(&kmh), "{speed:?}");
            assert!(ask(cleared, &[3])[0].starts_with("7E8 02 43 00"));
            assert!(ask(cleared + 1.0, &[1, 1])[0].starts_with("7E8 06 41 01 00"));
            assert!(ask(cleared + 2.0, &[0x0A])[0].starts_with("7E8 04 4A 01 03 01"));
        }
    }

    #[test]
    fn a_car_that_is_set_down_in_the_middle_of_its_story_knows_its_faults() {
        for scenario in [&SCENARIOS[0], scenario("engine-fault").unwrap()] {
            let (set, cleared) = moments(scenario);
            let length = Timeline::new(scenario, 7).length();
            for at in [set - 1.0, set + 1.0, cleared, length + set - 1.0, length + set + 1.0, 3.0 * length + cleared] {
                let mut driven = plugged(scenario);
                heard(&mut driven, seconds(at));
                let place = driven.place(seconds(at));
                let mut set_down = Plugged::new(Car::new(scenario, 7, place).unwrap());
                let mut skipped = plugged(scenario);
                skipped.skip_to(seconds(at));
                for request in [&[3][..], &[0x0A], &[1, 1, 0x21, 0x31], &[0x19, 2, 0xFF], &[2, 5, 0, 0x0C, 0]] {
                    let expected = asked(&mut driven, seconds(at), request);
                    assert_eq!(asked(&mut set_down, Duration::ZERO, request), expected, "{} {at}", scenario.name);
                    assert_eq!(asked(&mut skipped, seconds(at), request), expected, "{} {at}", scenario.name);
                }
            }
        }
    }

    #[test]
    fn the_driver_clears_the_code_before_the_way_home() {
        let (_, cleared) = moments(&SCENARIOS[0]);
        let mut car = plugged(&SCENARIOS[0]);
        let said = heard(&mut car, seconds(cleared));
        assert!(said.contains(&"7E8 04 43 01 03 01 CC CC CC".to_owned()), "{said:?}");
        assert_eq!(
            said[said.len() - 3..].iter().map(|line| &line[..9]).collect::<Vec<_>>(),
            ["7DF 01 04", "7E8 01 44", "7E9 01 44"]
        );
    }

    #[test]
    fn the_profile_says_where_the_ecus_are() {
        let profile = profile().unwrap();
        let diagnosis = profile.diagnosis;
        let body = profile.layout.buses.iter().position(|bus| bus == BODY).map(|at| BusId(at as u8));
        assert!(body.is_some() && diagnosis.obd == body && diagnosis.j1939.is_none());
    }
}
