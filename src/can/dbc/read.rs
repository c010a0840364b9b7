//! From statements to messages. `can-dbc` knows the grammar of each; what the statements mean together is here.

use std::collections::HashMap;
use std::time::Duration;

use can_dbc::{AttributeValue, ByteOrder, Dbc, MultiplexIndicator, SignalExtendedValueType, ValueType};

use super::message::{Message, Selector, Signal};
use super::place::{Encoding, Order, Place};
use super::statements::{Keyword, Statement};
use super::{Database, Fault, Loss};

/// The pseudo-message in which Vector's tools keep signals that no message has.
const HOMELESS: &str = "VECTOR__INDEPENDENT_SIG_MSG";
const EXTENDED_FLAG: u32 = 0x8000_0000;
const EXTENDED_MAX: u32 = 0x1FFF_FFFF;
const STANDARD_MAX: u32 = 0x7FF;

const PERIOD: &str = "GenMsgCycleTime";
const LONG_MESSAGE: &str = "SystemMessageLongSymbol";
const LONG_SIGNAL: &str = "SystemSignalLongSymbol";

/// A message as it is being read.
struct Draft {
    /// The id as the file has it, extended flag included: by it the other statements refer to the message.
    key: u32,
    message: Message,
    /// The `M`, `mN` or `mNM` of each signal.
    marks: Vec<MultiplexIndicator>,
}

/// `SG_MUL_VAL_`.
struct Multiplex {
    line: u32,
    signal: String,
    by: String,
    ranges: Vec<(u64, u64)>,
}

#[derive(Default)]
struct Reader {
    drafts: Vec<Draft>,
    multiplex: HashMap<u32, Vec<Multiplex>>,
    default_period: Option<Duration>,
    faults: Vec<Fault>,
}

/// What a file's statements say.
pub(super) fn read(statements: &[Statement<'_>]) -> Database {
    let mut reader = Reader::default();
    reader.messages(statements);
    // What follows speaks of messages, which by the grammar stand before it, in files not always.
    let of = |keyword| statements.iter().filter(move |statement| statement.keyword == keyword);
    of(Keyword::ValueType).for_each(|statement| reader.value_type(statement));
    of(Keyword::Multiplex).for_each(|statement| reader.multiplex(statement));
    of(Keyword::AttributeDefault).for_each(|statement| reader.attribute_default(statement));
    for draft in &mut reader.drafts {
        draft.message.period = reader.default_period;
    }
    of(Keyword::Attribute).for_each(|statement| reader.attribute(statement));
    reader.finish()
}

impl Reader {
    fn fault(&mut self, line: u32, loss: Loss, what: impl Into<String>) {
        self.faults.push(Fault { line, loss, what: what.into() });
    }

    fn messages(&mut self, mut statements: &[Statement<'_>]) {
        while let Some((first, rest)) = statements.split_first() {
            statements = rest;
            match first.keyword {
                Keyword::Message => {
                    let signals = rest.iter().take_while(|s| s.keyword == Keyword::Signal).count();
                    let (signals, rest) = rest.split_at(signals);
                    self.message(first, signals);
                    statements = rest;
                }
                Keyword::Signal => self.fault(first.line, Loss::Unknown, "a signal stands below its message, a line with `BO_`"),
                _ => {}
            }
        }
    }

    fn message(&mut self, head: &Statement<'_>, signals: &[Statement<'_>]) {
        let mut words = head.text.split([' ', '\t', ':']).filter(|word| !word.is_empty()).skip(1);
        let (id, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().to_owned());
        if name == HOMELESS {
            return;
        }
        let whole = std::iter::once(head.text).chain(signals.iter().map(|s| s.text)).collect::<Vec<_>>().join("\n");
        let whole = parse_message(&whole).filter(|message| message.signals.len() == signals.len());
        let complete = whole.is_some();
        let Some(parsed) = whole.or_else(|| parse_message(head.text)) else {
            return self.fault(head.line, Loss::Message(name), "a message reads `BO_ 1345 NAME: 8 NODE`");
        };
        let Ok(key) = id.parse::<u32>() else {
            return self.fault(head.line, Loss::Message(name), format!("an id has 32 bits with its flags, and {id} has not"));
        };
        let id = key & !EXTENDED_FLAG;
        if id > EXTENDED_MAX {
            return self.fault(
                head.line,
                Loss::Nothing,
                format!("no frame can have the id {id:#X} of {name}: it has over 29 bits"),
            );
        }
        if key == id && id > STANDARD_MAX {
            let what = format!("the id {id:#X} of {name} is taken as one of 29 bits, though its bit 31 does not say so");
            self.fault(head.line, Loss::Nothing, what);
        }
        let message = Message {
            id,
            extended: id > STANDARD_MAX || key != id,
            name: parsed.name,
            long_name: None,
            length: usize::try_from(parsed.size).unwrap_or(usize::MAX),
            period: None,
            signals: Vec::with_capacity(signals.len()),
            line: head.line,
        };
        let mut draft = Draft { key, message, marks: Vec::with_capacity(signals.len()) };
        if complete {
            for (signal, statement) in parsed.signals.into_iter().zip(signals) {
                self.signal(&mut draft, Some(signal), statement);
            }
        } else {
            // At least one of them does not parse: each is tried alone.
            for statement in signals {
                let alone = parse_message(&format!("{}\n{}", head.text, statement.text));
                self.signal(&mut draft, alone.and_then(|message| message.signals.into_iter().next()), statement);
            }
        }
        self.drafts.push(draft);
    }

    fn signal(&mut self, draft: &mut Draft, signal: Option<can_dbc::Signal>, statement: &Statement<'_>) {
        let message = draft.message.name.clone();
        let Some(signal) = signal else {
            let name = statement.text.split_ascii_whitespace().nth(1).unwrap_or_default().to_owned();
            let what = "a signal reads `SG_ NAME : 0|8@1+ (1,0) [0|255] \"unit\" NODE`";
            return self.fault(statement.line, Loss::Signal(message, name), what);
        };
        let order = match signal.byte_order {
            ByteOrder::LittleEndian => Order::Little,
            ByteOrder::BigEndian => Order::Big,
        };
        let encoding = match signal.value_type {
            ValueType::Signed => Encoding::Signed,
            ValueType::Unsigned => Encoding::Unsigned,
        };
        let Some(place) = Place::new(order, encoding, signal.start_bit, signal.size) else {
            let what = format!("a signal has 1 to 512 bits, and {} has {} from {}", signal.name, signal.size, signal.start_bit);
            return self.fault(statement.line, Loss::Signal(message, signal.name), what);
        };
        draft.marks.push(signal.multiplexer_indicator);
        draft.message.signals.push(Signal {
            name: signal.name,
            long_name: None,
            place,
            factor: signal.factor,
            offset: signal.offset,
            unit: signal.unit,
            selector: None,
            line: statement.line,
        });
    }

    fn value_type(&mut self, statement: &Statement<'_>) {
        let parsed = parse(statement.text).and_then(|mut dbc| dbc.signal_extended_value_type_list.pop());
        let Some((entry, key)) = parsed.zip(key(statement.text, 1)) else {
            let loss = self.loss_of(statement);
            return self.fault(statement.line, loss, "a signal's type reads `SIG_VALTYPE_ 1345 NAME : 1;`");
        };
        if entry.signal_extended_value_type == SignalExtendedValueType::SignedOrUnsignedInteger {
            return;
        }
        let of_message = self.drafts.iter_mut().filter(|draft| draft.key == key).map(|draft| &mut draft.message);
        for message in of_message {
            for signal in message.signals.iter_mut().filter(|signal| signal.name == entry.signal_name) {
                // Its size says which of the two floats it is: tools disagree about the number.
                let Some(place) = signal.place.as_float() else {
                    let what = format!("an IEEE float has 32 or 64 bits, and {} has {}", signal.name, signal.place.bits());
                    let loss = Loss::Signal(message.name.clone(), signal.name.clone());
                    self.faults.push(Fault { line: statement.line, loss, what });
                    continue;
                };
                signal.place = place;
            }
        }
    }

    fn multiplex(&mut self, statement: &Statement<'_>) {
        let parsed = parse(statement.text).and_then(|mut dbc| dbc.extended_multiplex.pop());
        let Some((entry, key)) = parsed.zip(key(statement.text, 1)) else {
            let loss = self.loss_of(statement);
            return self.fault(statement.line, loss, "multiplexing reads `SG_MUL_VAL_ 1345 NAME MULTIPLEXER 0-3, 7-7;`");
        };
        self.multiplex.entry(key).or_default().push(Multiplex {
            line: statement.line,
            signal: entry.signal_name,
            by: entry.multiplexor_signal_name,
            ranges: entry.mappings.iter().map(|range| (range.min_value, range.max_value)).collect(),
        });
    }

    /// Whose loss it is when a statement of the form `KEYWORD 1345 NAME …` cannot be read.
    fn loss_of(&self, statement: &Statement<'_>) -> Loss {
        let Some(key) = key(statement.text, 1) else { return Loss::Unknown };
        let signal = statement.text.split_ascii_whitespace().nth(2);
        match (self.drafts.iter().find(|draft| draft.key == key), signal) {
            (Some(draft), Some(signal)) => Loss::Signal(draft.message.name.clone(), signal.to_owned()),
            (Some(_), None) => Loss::Unknown,
            (None, _) => Loss::Nothing,
        }
    }

    fn attribute_default(&mut self, statement: &Statement<'_>) {
        if attribute_name(statement.text) != Some(PERIOD) {
            return;
        }
        match parse(statement.text).and_then(|mut dbc| dbc.attribute_defaults.pop()) {
            Some(default) => self.default_period = milliseconds(&default.value),
            None => self.fault(statement.line, Loss::Nothing, format!("the default of {PERIOD} cannot be read")),
        }
    }

    fn attribute(&mut self, statement: &Statement<'_>) {
        let Some(name @ (PERIOD | LONG_MESSAGE | LONG_SIGNAL)) = attribute_name(statement.text) else { return };
        // `BA_ "name" BO_ 1345 …`, `BA_ "name" SG_ 1345 SIGNAL …`: these names hold no blank.
        let Some((mut dbc, key)) = parse(statement.text).zip(key(statement.text, 3)) else {
            return self.fault(statement.line, Loss::Nothing, format!("this {name} cannot be read"));
        };
        let of_message = dbc.attribute_values_message.pop().map(|attribute| attribute.value);
        let of_signal = dbc.attribute_values_signal.pop().map(|attribute| (attribute.signal_name, attribute.value));
        for message in self.drafts.iter_mut().filter(|draft| draft.key == key).map(|draft| &mut draft.message) {
            match (name, &of_message, &of_signal) {
                (PERIOD, Some(value), _) => message.period = milliseconds(value),
                (LONG_MESSAGE, Some(AttributeValue::String(long)), _) => message.long_name = Some(long.clone()),
                (LONG_SIGNAL, _, Some((short, AttributeValue::String(long)))) => {
                    message.signals.iter_mut().filter(|s| s.name == *short).for_each(|s| s.long_name = Some(long.clone()));
                }
                _ => {}
            }
        }
    }

    fn finish(mut self) -> Database {
        let mut messages = Vec::with_capacity(self.drafts.len());
        for mut draft in std::mem::take(&mut self.drafts) {
            let extended = self.multiplex.get(&draft.key).map(Vec::as_slice).unwrap_or_default();
            let faults = select(&mut draft, extended);
            self.faults.extend(faults);
            messages.push(draft.message);
        }
        Database::new(messages, self.faults)
    }
}

/// Decides what selects each signal.
///
/// With one multiplexer, `mN` says it, and what `SG_MUL_VAL_` adds counts too. With several, `mN` does not say whose N it
/// is, and `SG_MUL_VAL_` alone counts; a signal that it leaves out is taken as always there.
fn select(draft: &mut Draft, extended: &[Multiplex]) -> Vec<Fault> {
    use MultiplexIndicator::{MultiplexedSignal, Multiplexor, MultiplexorAndMultiplexedSignal};
    let Draft { message, marks, .. } = draft;
    let multiplexers = marks.iter().filter(|mark| matches!(mark, Multiplexor | MultiplexorAndMultiplexedSignal(_))).count();
    let only = marks.iter().position(|mark| matches!(mark, Multiplexor | MultiplexorAndMultiplexedSignal(_)));
    let place_of = |name: &str| message.signals.iter().position(|signal| signal.name == name);
    let mut faults = Vec::new();
    let mut selectors = Vec::with_capacity(marks.len());
    for (at, (signal, mark)) in message.signals.iter().zip(marks.iter()).enumerate() {
        let listed = extended.iter().rfind(|entry| entry.signal == signal.name);
        let by = listed.and_then(|entry| place_of(&entry.by));
        if let (Some(entry), None) = (listed, by) {
            let loss = Loss::Signal(message.name.clone(), signal.name.clone());
            let what = format!("{} is multiplexed by {}, which {} has not", signal.name, entry.by, message.name);
            faults.push(Fault { line: entry.line, loss, what });
        }
        let ranges = listed.map(|entry| entry.ranges.as_slice()).unwrap_or_default();
        let selector = match (mark, only) {
            (MultiplexedSignal(value), Some(only)) if multiplexers == 1 => {
                let more = if by == Some(only) { ranges } else { &[] };
                Some(Selector { by: only, ranges: [&[(*value, *value)], more].concat() })
            }
            (MultiplexIndicator::Plain, _) => None,
            _ if only == Some(at) && multiplexers == 1 => None,
            _ => by.map(|by| Selector { by, ranges: ranges.to_vec() }),
        };
        if selector.is_none() && matches!(mark, MultiplexedSignal(_)) {
            let what = format!("{} is multiplexed, and it is not said by what: it is taken as always there", signal.name);
            faults.push(Fault { line: signal.line, loss: Loss::Nothing, what });
        }
        selectors.push(selector);
    }
    for (at, signal) in message.signals.iter().enumerate() {
        if circular(&selectors, at) {
            if let Some(Some(selector)) = selectors.get_mut(at) {
                selector.ranges.clear();
            }
            let what = format!("no frame carries {}: its multiplexers select one another", signal.name);
            faults.push(Fault { line: signal.line, loss: Loss::Nothing, what });
        }
    }
    for (signal, selector) in message.signals.iter_mut().zip(selectors) {
        signal.selector = selector;
    }
    faults
}

/// Whether the selectors of the signal at `start` lead in a circle.
fn circular(selectors: &[Option<Selector>], start: usize) -> bool {
    let outer = |at: &usize| selectors.get(*at)?.as_ref().map(|selector| selector.by);
    std::iter::successors(Some(start), outer).take(selectors.len() + 1).count() > selectors.len()
}

fn parse(statement: &str) -> Option<Dbc> {
    Dbc::try_from(statement).ok()
}

fn parse_message(statements: &str) -> Option<can_dbc::Message> {
    parse(statements)?.messages.pop()
}

/// The id that is a statement's word of this number. (`can-dbc` cuts an id without the extended flag to 16 bits.)
fn key(statement: &str, word: usize) -> Option<u32> {
    statement.split_ascii_whitespace().nth(word)?.parse().ok()
}

/// The `name` of `BA_ "name" …`.
fn attribute_name(statement: &str) -> Option<&str> {
    statement.split('"').nth(1)
}

/// A period; zero says that there is none.
fn milliseconds(value: &AttributeValue) -> Option<Duration> {
    let millis = match value {
        AttributeValue::Uint(value) => *value as f64,
        AttributeValue::Double(value) => *value,
        AttributeValue::Int(_) | AttributeValue::String(_) => return None,
    };
    Duration::try_from_secs_f64(millis / 1000.0).ok().filter(|period| !period.is_zero())
}
