//! All of them on one wire.

use std::fmt;
use std::time::Duration;

use super::ecu::Ecu;
use super::node::Node;
use super::{Fault, Live, Rival, Script, Tester, Truck};
use crate::clock::Boot;
use crate::vehicle::{Frame, FrameKind, Vin};

/// From one frame's beginning to the next one's: eight bytes at 500 kbit/s.
const FRAME: Duration = Duration::from_micros(250);

/// Somebody on the wire.
pub(super) trait Speaker: fmt::Debug + Send {
    /// The car measures this from now on.
    fn measure(&mut self, _live: Live) {}
    /// Somebody else said something.
    fn hear(&mut self, now: Boot, frame: &Frame);
    /// What it says next, if that is due.
    fn pass(&mut self, now: Boot) -> Option<Frame>;
    /// When to pass; at once where that is before now.
    fn deadline(&self) -> Option<Boot>;
}

/// A wire with ECUs, trucks' engines, testers.
///
/// It hears the frames of others ([`hear`](Bus::hear)) and gives its own one at a time ([`pass`](Bus::pass)); all on it
/// hear one another.
#[derive(Debug, Default)]
pub struct Bus {
    ecus: Vec<Node>,
    tester: Tester,
    truck: Option<Truck>,
    others: Vec<Box<dyn Speaker>>,
    /// The wire is free from then on.
    free: Boot,
}

impl Bus {
    /// One with these ECUs, and a tester that is silent until it is told to [`play`](Bus::play).
    pub fn new(ecus: impl IntoIterator<Item = Ecu>) -> Bus {
        let ecus = ecus.into_iter().map(Node::new).collect();
        Bus { ecus, tester: Tester::default(), truck: None, others: Vec::new(), free: Boot::from_micros(i64::MIN) }
    }

    /// The simulated car's: engine, transmission and body.
    pub fn car() -> Bus {
        Bus::new([Ecu::engine(), Ecu::transmission(), Ecu::body()])
    }

    /// The same one, whose ECUs tell this number.
    #[must_use]
    pub fn numbered(mut self, vin: &Vin) -> Bus {
        self.ecus.iter_mut().filter_map(|node| node.ecu.vin.as_mut()).for_each(|told| *told = vin.clone());
        self
    }

    /// The same one with a truck's engine on it.
    #[must_use]
    pub fn with_truck(mut self, truck: Truck) -> Bus {
        self.truck = Some(truck);
        self
    }

    /// The same one with somebody who wants others' addresses.
    #[must_use]
    pub fn with_rival(mut self, rival: Rival) -> Bus {
        self.others.push(Box::new(rival));
        self
    }

    /// The ECUs measure this from now on.
    pub fn measure(&mut self, live: Live) {
        self.speakers().for_each(|speaker| speaker.measure(live));
    }

    /// `fault` begins, with what is measured now.
    pub fn set(&mut self, fault: Fault) {
        self.ecus.iter_mut().for_each(|node| node.ecu.set(fault));
    }

    /// `fault` is mended.
    pub fn mend(&mut self, fault: Fault) {
        self.ecus.iter_mut().for_each(|node| node.ecu.mend(fault));
    }

    /// All codes are cleared, as if a tester had done it long ago.
    pub fn clear(&mut self) {
        self.ecus.iter_mut().for_each(|node| node.ecu.clear());
    }

    /// A tester is plugged in and does what `script` says, from `now` on.
    pub fn play(&mut self, now: Boot, script: &'static Script) {
        self.tester.play(now, script);
    }

    /// The ECU with this number.
    pub fn ecu(&self, number: u8) -> Option<&Ecu> {
        self.ecus.iter().map(|node| &node.ecu).find(|ecu| ecu.number == number)
    }

    /// The truck's engine.
    pub fn truck(&mut self) -> Option<&mut Truck> {
        self.truck.as_mut()
    }

    /// Somebody who is not on this wire says something.
    pub fn hear(&mut self, now: Boot, frame: &Frame) {
        self.speakers().for_each(|speaker| speaker.hear(now, frame));
    }

    /// The next frame, if it is due and the wire is free. To be called until there is none.
    pub fn pass(&mut self, now: Boot) -> Option<Frame> {
        if now < self.free {
            return None;
        }
        let (who, frame) = self.speakers().enumerate().find_map(|(who, speaker)| Some((who, speaker.pass(now)?)))?;
        self.free = now + FRAME;
        self.speakers().enumerate().filter(|(other, _)| *other != who).for_each(|(_, speaker)| speaker.hear(now, &frame));
        Some(frame)
    }

    /// When to [`pass`](Bus::pass): at once where that is before now.
    pub fn deadline(&self) -> Option<Boot> {
        let ecus = self.ecus.iter().filter_map(Speaker::deadline);
        let others = self.others.iter().filter_map(|other| other.deadline());
        let truck = self.truck.as_ref().and_then(Speaker::deadline);
        ecus.chain(self.tester.deadline()).chain(truck).chain(others).min().map(|due| due.max(self.free))
    }

    fn speakers(&mut self) -> impl Iterator<Item = &mut dyn Speaker> {
        let ecus = self.ecus.iter_mut().map(|node| node as &mut dyn Speaker);
        let others = self.others.iter_mut().map(|other| other.as_mut() as &mut dyn Speaker);
        let truck = self.truck.iter_mut().map(|truck| truck as &mut dyn Speaker);
        ecus.chain([&mut self.tester as &mut dyn Speaker]).chain(truck).chain(others)
    }
}

/// A classical frame.
pub(super) fn frame(at: Boot, id: u32, extended: bool, data: &[u8]) -> Frame {
    Frame { at, kind: FrameKind::Classical, id, extended, data: data.iter().copied().take(8).collect() }
}
