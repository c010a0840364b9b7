//! One exchange at a time: a request, and what one or several ECUs answer.

use super::pace::Pace;
use super::{Address, Flow, Heard, Pass, Pdu, Problem, Receiver, Reception, Refused, Room, Sender, Sending, Status};
use crate::clock::Boot;
use crate::diagnostics::bits::bits;
use crate::vehicle::Frame;

/// ECUs that can answer one request.
const MOST_ECUS: usize = 16;

/// How the two ways of an exchange go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Requests.
    pub sending: Sending,
    /// Answers. A [`Links`] gives flow control whatever these say: the answers are for it. STmin is longer than
    /// these say where the bus has no room otherwise.
    pub reception: Reception,
}

/// What comes out of an exchange.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// This is to be put on the bus.
    Send(Frame),
    /// The last frame of the request was given out.
    Sent,
    /// An ECU answered.
    Answer {
        /// Which.
        from: Address,
        /// What.
        payload: &'a [u8],
    },
    /// A message is lost: of the request (`from` is where it went) or of an answer.
    Problem {
        /// Whose.
        from: Address,
        /// What befell it.
        problem: Problem,
    },
}

/// The links of a tester to the ECUs, for one exchange at a time.
///
/// An exchange begins with [`ask`](Links::ask) and ends with [`end`](Links::end) or the next `ask`; outside of one, nothing
/// that is heard is answered. How long an ECU may take to answer (P2, and `78` of ISO 14229) is for the caller to say: each
/// whole message of those asked comes out, whatever it says.
#[derive(Debug)]
pub struct Links {
    settings: Settings,
    sender: Sender,
    asked: Option<Address>,
    /// Those that answered; their buffers are kept for the next exchange.
    receivers: heapless::Vec<(Address, Receiver), MOST_ECUS>,
    /// How many of them belong to this exchange.
    answering: usize,
    /// What is left of the bus for their answers.
    pace: Pace,
}

impl Links {
    /// No exchange yet.
    pub fn new(settings: Settings) -> Links {
        let settings = Settings { reception: Reception { answers: true, ..settings.reception }, ..settings };
        let sender = Sender::new(Address::obd_functional(), settings.sending);
        Links { settings, sender, asked: None, receivers: heapless::Vec::new(), answering: 0, pace: Pace::new(0, false) }
    }

    /// Whether frames of the request or of an answer are still to come. That none is does not mean that all have answered.
    pub fn is_busy(&self) -> bool {
        self.sender.is_busy() || self.current().any(|(_, receiver)| receiver.is_busy())
    }

    /// Begins an exchange; the frames come out of [`pass`](Links::pass). Its answers may take all that there is of the bus.
    ///
    /// # Errors
    /// The exchange before is [busy](Links::is_busy); the request is empty, or too long.
    pub fn ask(&mut self, to: Address, payload: &[u8]) -> Result<(), Refused> {
        self.ask_within(to, payload, Room::ANY)
    }

    /// The same; its answers take no more of the bus than there is room for.
    ///
    /// # Errors
    /// As [`ask`](Links::ask).
    pub fn ask_within(&mut self, to: Address, payload: &[u8], room: Room) -> Result<(), Refused> {
        if self.is_busy() {
            return Err(Refused::Busy);
        }
        self.end();
        self.sender.turn_to(to);
        self.sender.send(payload)?;
        self.asked = Some(to);
        self.pace = Pace::new(room.bits, to.is_functional());
        Ok(())
    }

    /// Ends the exchange, whatever is under way.
    pub fn end(&mut self) {
        self.asked = None;
        self.answering = 0;
        self.sender.turn_to(self.sender.address());
        for (_, receiver) in &mut self.receivers {
            receiver.cut_short();
        }
    }

    /// Takes a frame of the bus, whosever it is.
    pub fn hear(&mut self, frame: &Frame, out: &mut impl FnMut(Event<'_>)) {
        let Some(from) = self.asked.and_then(|asked| asked.answering(frame)) else { return };
        let Some((bytes, taken)) = from.bytes(frame) else { return };
        let wire = self.settings.sending.wire;
        match Pdu::read(bytes, taken) {
            None => {}
            Some(Pdu::Flow(flow)) if from == self.sender.address() => self.sender.flow(frame.at, flow),
            Some(Pdu::Flow(_)) => {}
            Some(pdu) => {
                let separation = match self.grant(frame, pdu) {
                    Ok(separation) => separation,
                    Err(problem) => return self.refuse(from, frame.at, problem, out),
                };
                let Some(receiver) = self.receiver(from) else {
                    return out(Event::Problem { from, problem: Problem::TooMany });
                };
                if let Some(separation) = separation {
                    receiver.separate(separation);
                }
                let Heard { message, flow, problems } = receiver.hear(frame.at, pdu);
                for problem in problems {
                    out(Event::Problem { from, problem });
                }
                if let Some(flow) = flow.map(Flow::bytes) {
                    out(Event::Send(from.frame(frame.at, wire, &flow, &[])));
                }
                if let Some(payload) = message {
                    out(Event::Answer { from, payload });
                }
            }
        }
    }

    /// What a frame takes of the bus, a first one with all that it announces: the STmin that this needs.
    fn grant(&mut self, frame: &Frame, pdu: Pdu<'_>) -> Result<Option<u8>, Problem> {
        let Reception { separation, most, .. } = self.settings.reception;
        match pdu {
            Pdu::First { length, .. } if length <= most.into() => {
                let granted = self.pace.grant(bits(frame), pdu.announces()).ok_or(Problem::NoRoom { length })?;
                Ok(Some(if granted == 0 { separation } else { granted }))
            }
            Pdu::First { .. } | Pdu::Single(_) => {
                self.pace.take(bits(frame));
                Ok(None)
            }
            Pdu::Consecutive { .. } | Pdu::Flow(_) => Ok(None),
        }
    }

    /// Ends a message of that ECU before it has begun.
    fn refuse(&mut self, from: Address, at: Boot, problem: Problem, out: &mut impl FnMut(Event<'_>)) {
        for problem in self.receiver(from).and_then(Receiver::cut_short).into_iter().chain([problem]) {
            out(Event::Problem { from, problem });
        }
        let flow = Flow { status: Status::Overflow, block_size: 0, separation: 0 };
        out(Event::Send(from.frame(at, self.settings.sending.wire, &flow.bytes(), &[])));
    }

    /// Does what is due `now`: at most one frame of the request, and time-outs. To be called when [`deadline`](Links::deadline)
    /// says so.
    pub fn pass(&mut self, now: Boot, out: &mut impl FnMut(Event<'_>)) {
        let to = self.sender.address();
        match self.sender.pass(now) {
            Pass::Nothing => {}
            Pass::Frame(frame) => out(Event::Send(frame)),
            Pass::Sent => out(Event::Sent),
            Pass::Failed(problem) => out(Event::Problem { from: to, problem }),
        }
        for (from, receiver) in self.receivers.iter_mut().take(self.answering) {
            if let Some(problem) = receiver.pass(now) {
                out(Event::Problem { from: *from, problem });
            }
        }
    }

    /// When to [`pass`](Links::pass): at once where that is before now.
    pub fn deadline(&self) -> Option<Boot> {
        self.current().filter_map(|(_, receiver)| receiver.deadline()).chain(self.sender.deadline()).min()
    }

    fn current(&self) -> impl Iterator<Item = &(Address, Receiver)> {
        self.receivers.iter().take(self.answering)
    }

    /// The receiver of that ECU's messages; `None` where too many answer.
    fn receiver(&mut self, from: Address) -> Option<&mut Receiver> {
        let known = self.current().position(|(address, _)| *address == from);
        let place = known.unwrap_or(self.answering);
        if place == self.receivers.len() {
            self.receivers.push((from, Receiver::new(self.settings.reception))).ok()?;
        }
        self.answering = self.answering.max(place + 1);
        let (address, receiver) = self.receivers.get_mut(place)?;
        *address = from;
        Some(receiver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vehicle::FrameKind;

    fn frame(ms: i64, id: u32, data: &[u8]) -> Frame {
        let data = heapless::Vec::from_slice(data).unwrap();
        Frame { at: Boot::from_micros(ms * 1000), kind: FrameKind::Classical, id, extended: id > 0x7FF, data }
    }

    /// What comes out, as text.
    fn told(event: Event<'_>) -> String {
        match event {
            Event::Send(frame) => format!("{:X} {}", frame.id, hex(&frame.data[..3])),
            Event::Sent => "sent".into(),
            Event::Answer { from, payload } => format!("{}: {}", from.ecu().unwrap(), hex(payload)),
            Event::Problem { from, problem } => format!("{:X}: {problem}", from.transmit().id),
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    fn hear(links: &mut Links, frame: &Frame) -> Vec<String> {
        let mut all = Vec::new();
        links.hear(frame, &mut |event| all.push(told(event)));
        all
    }

    fn pass(links: &mut Links, ms: i64) -> Vec<String> {
        let mut all = Vec::new();
        links.pass(Boot::from_micros(ms * 1000), &mut |event| all.push(told(event)));
        all
    }

    #[test]
    fn several_ecus_answer_one_question_each_with_its_own_frames() {
        let mut links = Links::new(Settings::default());
        let first = frame(1, 0x7E8, &[0x10, 8, 0x43, 3, 1, 2, 3, 4]);
        assert_eq!(hear(&mut links, &first), [""; 0], "nobody was asked");
        links.ask(Address::obd_functional(), &[0x03]).unwrap();
        assert_eq!(pass(&mut links, 0), ["7DF 0103CC"]);
        assert_eq!(pass(&mut links, 0), ["sent"]);
        assert_eq!(hear(&mut links, &first), ["7E0 300000"]);
        assert_eq!(hear(&mut links, &frame(2, 0x7E9, &[0x10, 8, 0x43, 3, 9, 9, 9, 9])), ["7E1 300000"]);
        assert_eq!(hear(&mut links, &frame(3, 0x7EA, &[2, 0x43, 0])), ["7EA: 4300"]);
        assert_eq!(links.ask(Address::obd_functional(), &[0x07]), Err(Refused::Busy));
        assert_eq!(hear(&mut links, &frame(4, 0x7E8, &[0x21, 5, 6])), ["7E8: 4303010203040506"]);
        assert_eq!(links.deadline(), Some(Boot::from_micros(1_002_000)));
        assert_eq!(pass(&mut links, 1002), ["7E1: the rest never came, after 6 of 8 bytes"]);
        links.ask(Address::obd_functional(), &[0x07]).unwrap();
        links.end();
        assert_eq!((hear(&mut links, &first), links.deadline()), (vec![], None));
    }

    #[test]
    fn ecus_of_29_bit_ids_need_not_be_known_but_no_more_than_16_are_heard() {
        let mut links = Links::new(Settings::default());
        links.ask(Address::fixed_functional(0x33, 0xF1), &[0x03]).unwrap();
        for ecu in 0..16 {
            let begun = frame(0, 0x18DA_F110 + ecu, &[0x10, 8, 0x43, 3, 1, 2, 3, 4]);
            assert_eq!(hear(&mut links, &begun), [format!("18DA{:X}F1 300000", 0x10 + ecu)]);
        }
        let one_more = frame(0, 0x18DA_F120, &[2, 0x43, 0]);
        assert_eq!(hear(&mut links, &one_more), ["18DA20F1: too many at once: this one is given up"]);
    }

    #[test]
    fn a_long_answer_comes_as_slowly_as_the_bus_has_room_for() {
        let mut links = Links::new(Settings::default());
        let first = frame(1, 0x7E8, &[0x19, 0x63, 0x59, 2, 0xFF, 4, 5, 6]);
        let mut begun = |bits| {
            links.ask_within(Address::obd(0).unwrap(), &[0x19, 2, 0x0D], Room { bits, ecus: 1 }).unwrap();
            pass(&mut links, 0);
            pass(&mut links, 0);
            let heard = hear(&mut links, &first);
            links.end();
            heard
        };
        assert_eq!(begun(u32::MAX), ["7E0 300000"]);
        assert_eq!(begun(25_000), ["7E0 300037"], "55 ms");
        let refused = ["7E0: there is no room on the bus for the 2403 bytes that are announced", "7E0 320000"];
        assert_eq!(begun(10_000), refused);
    }

    #[test]
    fn a_long_request_goes_by_the_flow_control_of_the_one_that_is_asked() {
        let mut links = Links::new(Settings::default());
        links.ask(Address::obd(1).unwrap(), &[0x22, 1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        assert_eq!(pass(&mut links, 0), ["7E1 100922"]);
        hear(&mut links, &frame(1, 0x7E8, &[0x30, 0, 0]));
        assert_eq!(pass(&mut links, 2), [""; 0], "that was another one's");
        hear(&mut links, &frame(3, 0x7E9, &[0x30, 0, 0]));
        assert_eq!(pass(&mut links, 3), ["7E1 210607"]);
        assert_eq!(pass(&mut links, 3), ["sent"]);
    }
}
