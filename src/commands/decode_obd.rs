//! `telltale decode obd`: a log of CAN frames as diagnostic messages, one JSON object a message.
//!
//! What testers and ECUs say by ISO-TP (OBD-II, UDS) on the ids `700` to `7FF`, `18DAxxxx`, `18DBxxxx`, `18CDxxxx` and
//! `18CExxxx`, and what is diagnosis in J1939; other frames are passed over in silence. The keys of an object are `time`
//! and `interface`, then those of [`show`] or, of J1939, of [`Describer`].
//!
//! Extended addressing, where each frame begins with an address, is known by a question: one that makes no sense without,
//! to an id of which ISO 15765-4 says nothing, and then what answers it on the id 8 above, under the same address or a
//! tester's. Of other ids `--extended` says it. An ECU that has said how it writes its codes (19 01) is read so from then on.

mod memory;

use std::collections::VecDeque;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value};

use self::memory::Memory;
use super::{Exit, recording};
use crate::can::log::{Entry, Reader};
use crate::clock::Boot;
use crate::diagnostics::isotp::{Pdu, Watched, Watcher};
use crate::diagnostics::j1939::{Conversion, Describer};
use crate::diagnostics::negative::service;
use crate::diagnostics::show;
use crate::diagnostics::texts::Texts;
use crate::vehicle::Frame;

/// Interfaces of one log.
const MOST_INTERFACES: usize = 64;
/// Senders remembered of which a message is lost.
const MOST_LOST: usize = 64;
/// Longest message taken.
const LONGEST: u16 = 4095;

/// Show what testers and ECUs say in a `candump -L` log: OBD-II, UDS and J1939.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
One JSON object a message: time, interface, id, protocol (OBD-II, UDS, J1939), kind (request, response,
negativeResponse), service, name, values by name with their units, codes with their status, raw. What is not
standard is under `unread` in hexadecimal digits. Lines and frames that cannot be are told with their number on
standard error, and passed over.

Example: telltale decode obd scan.candump | jq 'select(.codes) | .id, .codes'")]
pub struct DecodeObd {
    /// Texts for codes, besides our own: a JSON object of texts by code.
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,
    /// An id of 11 bits, in hexadecimal digits, whose frames begin with an address (extended or mixed addressing); may be
    /// given again.
    #[arg(long, value_name = "ID", value_parser = short_id)]
    extended: Vec<u32>,
    /// The log; `-` is standard input.
    #[arg(value_name = "FILE")]
    log: PathBuf,
}

/// Runs the command.
pub fn run(arguments: &DecodeObd) -> ExitCode {
    let texts = match arguments.texts.as_deref().map(load).transpose() {
        Ok(texts) => texts.unwrap_or_default(),
        Err(code) => return code,
    };
    let mut tell = |line: u64, what: &str| eprintln!("line {line}: {what}");
    recording::decode(&arguments.log, "lines, frames or messages", |input, out| {
        decode(input, &texts, &arguments.extended, out, &mut tell)
    })
}

fn short_id(text: &str) -> Result<u32, String> {
    let id = u32::from_str_radix(text, 16).ok().filter(|id| *id <= 0x7FF);
    id.ok_or_else(|| "an id of 11 bits goes from 000 to 7FF: 6F1".to_owned())
}

fn load(path: &Path) -> Result<Texts, ExitCode> {
    let json = std::fs::read(path).map_err(|error| recording::failed(path, &error))?;
    Texts::load(&json).map_err(|error| {
        eprintln!("{}: {error}", path.display());
        Exit::Configuration.into()
    })
}

/// Writes an object for each message; how many lines, frames and messages could not be, each told with its line.
fn decode(
    input: impl BufRead,
    texts: &Texts,
    extended: &[u32],
    out: &mut impl Write,
    tell: &mut dyn FnMut(u64, &str),
) -> io::Result<u64> {
    let mut reader = Reader::new(input);
    let mut buses: Vec<Bus> = Vec::new();
    let mut told = 0;
    let (mut number, mut last) = (0, Boot::from_micros(0));
    let mut tell = |line, what: &str| {
        told += 1;
        tell(line, what);
    };
    while let Some(entry) = reader.next_entry()? {
        match entry {
            Entry::Frame(line) => {
                let known = buses.iter().position(|bus| bus.interface == line.interface);
                let place = known.unwrap_or(buses.len());
                if known.is_none() && buses.len() < MOST_INTERFACES {
                    buses.push(Bus::new(line.interface, extended));
                }
                let frame = line.frame;
                number = reader.number();
                last = frame.at;
                match buses.get_mut(place) {
                    Some(bus) => bus.hear(&frame, texts, out, &mut |what| tell(number, what))?,
                    None => tell(number, &format!("a log has at most {MOST_INTERFACES} interfaces")),
                }
            }
            Entry::Malformed { number, why } => tell(number, &why.to_string()),
        }
    }
    for bus in &mut buses {
        bus.end(last, &mut |what| tell(number, what));
    }
    Ok(told)
}

/// One interface of the log.
struct Bus {
    interface: String,
    watcher: Watcher,
    trucks: Describer,
    memory: Memory,
    /// Ids of which a message is lost and was told: what still comes of it is not told again.
    lost: VecDeque<(u32, bool)>,
}

impl Bus {
    fn new(interface: &str, extended: &[u32]) -> Bus {
        let mut watcher = Watcher::new(LONGEST);
        extended.iter().for_each(|id| watcher.extend(*id, None));
        Bus {
            interface: interface.to_owned(),
            watcher,
            trucks: Describer::new(Conversion::default()),
            memory: Memory::default(),
            lost: VecDeque::new(),
        }
    }

    /// Tells of a part of a message that never began, once.
    fn look_for_stray(&mut self, frame: &Frame, tell: &mut dyn FnMut(&str)) {
        let sender = (frame.id, frame.extended);
        if !self.watcher.is_stray(frame) {
            return;
        }
        if !self.lost.contains(&sender) {
            tell(&format!("{}: a consecutive frame of a message that did not begin", id(frame.id, frame.extended)));
            lose(&mut self.lost, sender);
        }
    }

    /// Extended addressing is seen by a frame that says nothing without it, and with it asks or answers something.
    fn notice_extended(&mut self, frame: &Frame) {
        if frame.extended || !(0x700..=0x7FF).contains(&frame.id) || (0x7DF..=0x7EF).contains(&frame.id) {
            return;
        }
        let normal = match Pdu::read(&frame.data, 0) {
            None => false,
            Some(Pdu::Consecutive { .. }) => !self.watcher.is_stray(frame),
            Some(_) => true,
        };
        let Some((&address, bytes)) = frame.data.split_first().filter(|_| !normal) else { return };
        let known = match Pdu::read(bytes, 1) {
            Some(Pdu::Single(payload)) if !is_filled_up(bytes, payload.len() + 1) => false,
            Some(Pdu::Single(payload)) if !show::is_response(payload) => {
                payload.first().is_some_and(|first| service(*first).is_some())
            }
            Some(Pdu::Single(payload) | Pdu::First { data: payload, .. }) => self.memory.is_answered(frame.id, address, payload),
            _ => false,
        };
        if known {
            self.watcher.extend(frame.id, Some(address));
        }
    }

    /// Why a frame on an id of ISO-TP is none of ISO-TP.
    fn fault(&self, frame: &Frame) -> Option<&'static str> {
        let (bytes, taken) = self.watcher.bytes(frame)?;
        (Pdu::read(bytes, taken).is_none()).then_some("no frame of ISO-TP: its first byte or its length cannot be")
    }

    fn hear(&mut self, frame: &Frame, texts: &Texts, out: &mut impl Write, tell: &mut dyn FnMut(&str)) -> io::Result<()> {
        self.notice_extended(frame);
        if let Some(fault) = self.fault(frame) {
            tell(&format!("{}: {fault}", id(frame.id, frame.extended)));
            return Ok(());
        }
        self.look_for_stray(frame, tell);
        let Bus { interface, watcher, trucks, memory, lost } = self;
        let mut written = Ok(());
        let mut watched = |watched: Watched<'_>| match watched {
            Watched::Message(message) => {
                lost.retain(|sender| *sender != (message.id, message.extended));
                let object = memory.describe(&message, texts);
                if written.is_ok() {
                    written = write(message.at, interface, &object, out);
                }
            }
            Watched::Problem { id: of, extended, problem, .. } => {
                lose(lost, (of, extended));
                tell(&format!("{}: {problem}", id(of, extended)));
            }
        };
        watcher.pass(frame.at, &mut watched);
        watcher.hear(frame, &mut watched);
        written?;
        match trucks.hear(frame.at, frame) {
            Some(Value::Object(object)) => write(frame.at, interface, &object, out),
            _ => Ok(()),
        }
    }

    fn end(&mut self, at: Boot, tell: &mut dyn FnMut(&str)) {
        self.watcher.end(at, &mut |watched| {
            if let Watched::Problem { id: of, extended, problem, .. } = watched {
                tell(&format!("{}: {problem}", id(of, extended)));
            }
        });
    }
}

/// Remembers that a message of this sender is lost.
fn lose(lost: &mut VecDeque<(u32, bool)>, sender: (u32, bool)) {
    if !lost.contains(&sender) {
        lost.push_back(sender);
    }
    if lost.len() > MOST_LOST {
        lost.pop_front();
    }
}

/// Whether what stands behind the first `used` bytes only fills the frame up.
fn is_filled_up(bytes: &[u8], used: usize) -> bool {
    let mut rest = bytes.iter().skip(used);
    let first = rest.next();
    rest.all(|byte| Some(byte) == first)
}

fn id(id: u32, extended: bool) -> String {
    if extended { format!("{id:08X}") } else { format!("{id:03X}") }
}

/// Time and interface first, as people look for them there.
fn write(at: Boot, interface: &str, object: &Map<String, Value>, out: &mut impl Write) -> io::Result<()> {
    let micros = at.micros();
    write!(out, "{{\"time\":{}.{:06},\"interface\":", micros / 1_000_000, micros % 1_000_000)?;
    serde_json::to_writer(&mut *out, interface)?;
    for (key, value) in object {
        out.write_all(b",")?;
        serde_json::to_writer(&mut *out, key)?;
        out.write_all(b":")?;
        serde_json::to_writer(&mut *out, value)?;
    }
    out.write_all(b"}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The objects, and what was told.
    fn decoded(log: &str) -> (Vec<Value>, Vec<String>) {
        decoded_with(log, &[])
    }

    fn decoded_with(log: &str, extended: &[u32]) -> (Vec<Value>, Vec<String>) {
        let (mut out, mut told) = (Vec::new(), Vec::new());
        let count =
            decode(log.as_bytes(), &Texts::default(), extended, &mut out, &mut |line, what| told.push(format!("{line}: {what}")))
                .unwrap();
        assert_eq!(count, told.len() as u64);
        let lines = String::from_utf8(out).unwrap();
        (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), told)
    }

    #[test]
    fn questions_and_answers_become_objects_in_their_order() {
        let (objects, told) = decoded(
            "(10.000001) can0 7DF#02010D5555555555\n\
             (10.010000) can0 7E8#03410D2055555555\n\
             (10.020000) can0 7DF#0209025555555555\n\
             (10.030000) can0 7E8#1014490201574155\n\
             (10.031000) can0 7E0#30000055555555\n\
             (10.040000) can0 7E8#215A5A5A38375A41\n\
             (10.050000) can0 7E8#2242303030323534\n\
             (11.000000) can1 18FECA00#04FF6E000301FFFF\n\
             (11.000000) can1 18FEF100#FFFFFFFFFFFFFFFF\n\
             (12.000000) can1 18DAF110##0037F2278\n",
        );
        assert_eq!(told, [""; 0]);
        let kinds: Vec<_> =
            objects.iter().map(|object| (object["protocol"].as_str().unwrap(), object["kind"].as_str().unwrap())).collect();
        let (ask, answer) = (("OBD-II", "request"), ("OBD-II", "response"));
        assert_eq!(kinds, [ask, answer, ask, answer, ("J1939", "codes"), ("UDS", "negativeResponse")]);
        assert_eq!((&objects[1]["time"], &objects[1]["interface"]), (&10.01.into(), &"can0".into()));
        assert_eq!(objects[1]["values"]["Vehicle.OBD.Speed"], 32.0);
        assert_eq!(objects[3]["values"]["vin"], "WAUZZZ87ZAB000254");
        assert_eq!(objects[4]["codes"][0]["code"], "SPN 110 FMI 3");
        assert_eq!(objects[5]["pending"], true);
    }

    #[test]
    fn what_cannot_be_is_told_with_its_line() {
        let (objects, told) = decoded(
            "(1.0) can0 7E8#101443020157\n(1.0) can0 7E8#1014490201574155\n(1.1) can0 7E8#225A5A5A38375A41\n\
             nonsense\n(1.2) can0 7E8#09410D20\n(1.3) can0 123#00\n(1.4) can0 18DAF110#1014490201574155\n",
        );
        assert!(objects.is_empty(), "{objects:?}");
        let begin =
            |line: &str, with: &str| assert!(told.iter().any(|told| told.starts_with(line) && told.contains(with)), "{told:#?}");
        begin("1: 7E8", "no frame of ISO-TP");
        begin("3: 7E8", "consecutive frame 2");
        begin("4: ", "time");
        begin("5: 7E8", "no frame of ISO-TP");
        begin("7: 18DAF110", "the rest never came");
        assert_eq!(told.len(), 5);
    }

    #[test]
    fn a_part_of_nothing_is_told_once_and_the_rest_of_a_lost_message_not_again() {
        let (objects, told) = decoded(
            "(1.0) can0 7E8#215A5A5A38375A41\n(1.1) can0 7E8#225A5A5A38375A41\n(1.2) can0 7E8#03410D20\n\
             (1.3) can0 7E8#235A5A5A38375A41\n(1.4) can0 7E9#1014490201574155\n(1.5) can0 7E9#225A5A5A38375A41\n\
             (1.6) can0 7E9#235A5A5A38375A41\n(1.7) can0 7E9#1008430301010402\n(1.8) can0 7E9#2104030101\n\
             (1.9) can0 7E9#225A5A5A38375A41\n(1.9) can0 123#215A5A5A38375A41\n",
        );
        let heads: Vec<&str> = told.iter().map(|told| told.split(" of ").next().unwrap()).collect();
        assert_eq!(heads[..2], ["1: 7E8: a consecutive frame", "4: 7E8: a consecutive frame"]);
        assert!(told[2].starts_with("6: 7E9: consecutive frame 2 came where 1 was due"), "{told:#?}");
        assert_eq!((heads[3], told.len(), objects.len()), ("10: 7E9: a consecutive frame", 4, 2));
    }

    /// The tyre pressures of a Subaru Solterra, whose gateway at 750 hands on to 2A, as somebody who reads them has published
    /// them; and that it has no codes.
    #[test]
    fn extended_addressing_is_known_by_its_question() {
        let (objects, told) = decoded(
            "(1.0) can0 750#2A03221005000000\n(1.1) can0 758#2A100D62100500C2\n(1.1) can0 750#2A30000100000000\n\
             (1.2) can0 758#2A2100C000C400C2\n(1.2) can0 758#2A22000000000000\n(2.0) can0 750#2A031902FF000000\n\
             (2.1) can0 758#2A035902B9000000\n(2.2) can0 758#2B035902B9000000\n(3.0) can0 7C0#0322F19000000000\n\
             (3.1) can0 7C8#037F223100000000\n(3.2) can0 7E0#4002010C00000000\n(3.3) can0 768#40035902B9000000\n",
        );
        let heads: Vec<_> =
            objects.iter().map(|object| (object["id"].as_str().unwrap(), object["raw"].as_str().unwrap())).collect();
        let pressures = "62100500C200C000C400C20000";
        let expected =
            [("750", "221005"), ("758", pressures), ("750", "1902FF"), ("758", "5902B9"), ("7C0", "22F190"), ("7C8", "7F2231")];
        assert_eq!(heads, expected);
        let with: Vec<_> = objects.iter().map(|object| object.get("address").and_then(Value::as_str)).collect();
        assert_eq!(with, [Some("2A"), Some("2A"), Some("2A"), Some("2A"), None, None]);
        assert_eq!(objects[1]["unread"]["1005"], "00C200C000C400C20000");
        assert_eq!(objects[3]["statusAvailability"], "B9");
        let lines: Vec<&str> = told.iter().map(|told| told.split(':').next().unwrap()).collect();
        assert_eq!(lines, ["8", "11", "12"], "nobody asked 2B; 7E0 is normally addressed; nobody asked at 760: {told:#?}");
    }

    /// From a test of another project that reads logs, and from what somebody saw who asked a BMW for its codes.
    #[test]
    fn ids_that_the_command_line_names_are_read_in_extended_addressing() {
        let log = "(1.0) can0 6F1#12032CF004000000\n(1.1) can0 612#F1026CF0FFFFFFFF\n(2.0) can0 6F1#12041802FFFF\n\
                   (2.1) can0 612#F1101758074DFF21\n(2.1) can0 6F1#12300000\n(2.2) can0 612#F1214993214AB821\n\
                   (2.2) can0 612#F1224BF82149A321\n(2.2) can0 612#F1234CB4214C1821\n";
        assert_eq!(decoded(log), (vec![], vec![]), "of these ids nothing is known");
        let (objects, told) = decoded_with(log, &[0x6F1, 0x612]);
        assert_eq!(told, [""; 0]);
        let raw: Vec<_> = objects.iter().map(|object| object["raw"].as_str().unwrap()).collect();
        let codes = "58074DFF214993214AB8214BF82149A3214CB4214C1821";
        assert_eq!(raw, ["2CF004", "6CF0", "1802FFFF", codes]);
        assert_eq!((&objects[0]["address"], &objects[3]["address"]), (&"12".into(), &"F1".into()));
        assert_eq!(["6F1", "6f1", "800", "x"].map(|text| short_id(text).ok()), [Some(0x6F1), Some(0x6F1), None, None]);
    }

    /// ISO 14229-1, 12.3.5 (19 01, DTCFormatIdentifier); SAE J1939-73, 5.7.1.11: SPN 110 FMI 3 is 6E 00 03.
    #[test]
    fn an_ecu_that_says_how_it_writes_codes_is_read_so_from_then_on() {
        let (objects, told) = decoded(
            "(1.0) can0 7E8#0759027F6E000308\n(1.0) can0 7E9#0759027F6E000308\n(1.1) can0 7E8#065901FF02000155\n\
             (1.2) can0 7E8#0759027F6E000308\n(1.3) can0 7E9#0759027F6E000308\n(1.4) can0 7E8#0759046E00030801\n",
        );
        assert_eq!(told, [""; 0]);
        let codes: Vec<_> = objects.iter().map(|object| object["codes"][0]["code"].as_str().unwrap_or("")).collect();
        assert_eq!(codes, ["C2E00", "C2E00", "", "SPN 110 FMI 3", "C2E00", "SPN 110 FMI 3"]);
    }

    #[test]
    fn an_answer_is_read_by_the_question_to_its_ecu() {
        let (objects, _) = decoded(
            "(1.0) can0 7E0#06190412345602\n(1.0) can0 7E1#061904123456FF\n(1.1) can0 7E8#100F590412345624\n\
             (1.1) can0 7E8#2102014711A66607\n(1.1) can0 7E8#225020\n",
        );
        assert_eq!(objects[2]["records"][0]["unread"]["4711"], "A666075020");
    }
}
