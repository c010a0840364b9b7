//! One source of one signal: what its table says, held against the database and the specification.

use std::ops::Range;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::Bus;
use super::fields::{Document, Fields, number};
use super::nearest::meant;
use crate::can::dbc::{Encoding, Loss, Message, Place, Signal as DbcSignal};
use crate::can::decoder::{ArbitrationId, Mapped, Meaning};
use crate::vehicle::{BusId, Datatype, Reading, Signal, SourceId, SourceSpec, Value, Word};

const KEYS: [&str; 11] =
    ["bus", "message", "signal", "values", "scale", "offset", "valid", "latched", "stale_after", "covers", "always"];

/// The longest `stale_after`, s: a day.
const LONGEST_STALE: f64 = 86_400.0;

/// A source that is right.
pub(super) struct Source {
    pub(super) spec: SourceSpec,
    pub(super) bus: BusId,
    pub(super) id: ArbitrationId,
    pub(super) mapped: Mapped,
}

/// The source in `table`, which feeds `signal`; `None` where something about it is wrong, which is then noted.
pub(super) fn read(
    document: &Document<'_>,
    table: &DeTable<'_>,
    span: Range<usize>,
    path: &str,
    signal: Signal,
    buses: &[Bus],
) -> Option<Source> {
    let fields = Fields::new(document, table, format!("signals.\"{path}\""), span, &KEYS);
    let bus = bus(&fields, buses);
    let (message_name, signal_name) = (fields.needed_text("message", "CGW1"), fields.needed_text("signal", "IGNSw"));
    let valid = fields.table("valid", "{ signal = \"SensorFault\", equals = 0 }");
    let stale_after = stale_after(&fields);
    let covers_rear = match fields.text("covers", "rear") {
        Some(("rear", _)) => true,
        Some((other, span)) => {
            fields.problem(span, "covers", format!("`rear` is all that can be covered, not `{other}`"));
            false
        }
        None => false,
    };
    let (latched, always) = (fields.flag("latched"), fields.flag("always"));

    let (bus_id, bus) = bus?;
    let message = message(&fields, bus, message_name?)?;
    let found = signal_of(&fields, bus, message, "signal", signal_name?)?;
    let meaning = meaning(&fields, path, signal, found);
    let valid = match valid {
        Some((table, span)) => Some(validity(document, &fields, table, span, bus, message, found)?),
        None => None,
    };
    let spec = SourceSpec {
        signal,
        bus: Some(bus_id),
        name: format!("{}.{}", message.name(), found.name()),
        latched,
        stale_after,
        // A multiplexed signal comes once in so many frames, nobody says how many.
        period: message.period.filter(|_| found.selector.is_none()),
        covers_rear,
        always,
        polled: false,
    };
    let selected_by = message.selectors(found).map(|(by, selector)| (by.place, selector.clone())).collect();
    let mapped = Mapped { source: SourceId(0), place: found.place, selected_by, valid, meaning: meaning? };
    Some(Source { spec, bus: bus_id, id: ArbitrationId { id: message.id, extended: message.extended }, mapped })
}

fn bus<'b>(fields: &Fields<'_, '_>, buses: &'b [Bus]) -> Option<(BusId, &'b Bus)> {
    let (name, span) = fields.needed_text("bus", "body")?;
    let found = (0..).zip(buses).find(|(_, bus)| bus.name == name);
    if found.is_none() {
        let meant = meant(name, buses.iter().map(|bus| bus.name.as_str()));
        let cure = if meant.is_empty() { format!(". A bus is a table `[bus.{name}]`") } else { meant };
        fields.problem(span, "bus", format!("there is no bus `{name}`{cure}"));
    }
    found.map(|(at, bus)| (BusId(at), bus))
}

fn message<'b>(fields: &Fields<'_, '_>, bus: &'b Bus, (name, span): (&str, Range<usize>)) -> Option<&'b Message> {
    // Of two databases that know the name the one given last is asked, as for ids.
    let found = bus.databases.iter().rev().find_map(|(_, database)| database.named(name));
    if found.is_none() && bus.whole {
        let lost = bus.faults().find(|(_, fault)| matches!(&fault.loss, Loss::Message(lost) if lost == name));
        let what = match lost {
            Some((file, fault)) => format!("{name} stands in {}, and {fault}", file.display()),
            None => {
                let all = bus.databases.iter().flat_map(|(_, database)| database.messages());
                let meant = meant(name, all.flat_map(|m| [Some(m.name.as_str()), m.long_name.as_deref()]).flatten());
                format!("no database of bus `{}` has a message `{name}`{meant}", bus.name)
            }
        };
        fields.problem(span, "message", what);
    }
    found
}

/// The signal `name` of `message`, where it is there and nothing about it was lost.
fn signal_of<'b>(
    fields: &Fields<'_, '_>,
    bus: &'b Bus,
    message: &'b Message,
    key: &str,
    (name, span): (&str, Range<usize>),
) -> Option<&'b DbcSignal> {
    let found = message.signal(name);
    let short = found.map_or(name, |signal| signal.name.as_str());
    let lost = bus.faults().find(|(_, fault)| match &fault.loss {
        Loss::Signal(of, signal) => *of == message.name && signal == short,
        // It may be this one's.
        Loss::Unknown => true,
        Loss::Nothing | Loss::Message(_) => false,
    });
    let what = match (lost, found) {
        (Some((file, fault)), _) => format!("{name} cannot be read from {}: {fault}", file.display()),
        (None, None) => {
            let all = message.signals.iter().flat_map(|s| [Some(s.name.as_str()), s.long_name.as_deref()]).flatten();
            format!("message `{}` has no signal `{name}`{}", message.name(), meant(name, all))
        }
        (None, Some(signal)) if message.selectors(signal).any(|(_, selector)| selector.ranges.is_empty()) => {
            format!("no frame carries {name}: its multiplexers select one another")
        }
        (None, Some(signal)) => return Some(signal),
    };
    fields.problem(span, key, what);
    None
}

/// `valid = { signal, equals }`: where the signal stands, and the raw value.
fn validity(
    document: &Document<'_>,
    source: &Fields<'_, '_>,
    table: &DeTable<'_>,
    span: Range<usize>,
    bus: &Bus,
    message: &Message,
    of: &DbcSignal,
) -> Option<(Place, u64)> {
    let fields = Fields::new(document, table, source.key("valid"), span.clone(), &["signal", "equals"]);
    let name = fields.needed_text("signal", "SensorFault");
    if fields.value("equals").is_none() {
        fields.problem(span.clone(), "equals", "this is missing: the raw value at which the value is valid, as in `equals = 0`");
    }
    let equals = fields.whole("equals");
    let signal = signal_of(&fields, bus, message, "signal", name?)?;
    if signal.selector.is_some() && signal.selector != of.selector {
        fields.problem(span, "signal", format!("{} is multiplexed, and not always there when {} is", signal.name(), of.name()));
        return None;
    }
    let (equals, span) = equals?;
    let raw = raw_of(signal, equals);
    if raw.is_none() {
        fields.problem(span, "equals", unfit(signal, equals));
    }
    raw.map(|raw| (signal.place, raw))
}

fn stale_after(fields: &Fields<'_, '_>) -> Option<Duration> {
    let (seconds, span) = fields.number("stale_after")?;
    if seconds > 0.0 && seconds <= LONGEST_STALE {
        return Some(Duration::from_secs_f64(seconds));
    }
    fields.problem(span, "stale_after", format!("this is in seconds, over 0 and to {LONGEST_STALE}"));
    None
}

fn meaning(fields: &Fields<'_, '_>, path: &str, signal: Signal, found: &DbcSignal) -> Option<Meaning> {
    let values = fields.table("values", "{ 0 = false, 1 = true }");
    let (scale, offset) = (fields.number("scale"), fields.number("offset"));
    let as_written = fields.value("values").is_some();
    match (values, signal.datatype()) {
        (Some((table, span)), _) => {
            for name in ["scale", "offset"] {
                if let Some(value) = fields.value(name) {
                    fields.problem(value.span(), name, "`values` gives the values already: one of the two is too much");
                }
            }
            listed(fields, table, span, path, signal, found)
        }
        (None, _) if as_written => None,
        (None, Datatype::Number) => Some(Meaning::Number {
            factor: found.factor,
            offset: found.offset,
            scale: scale.map_or(1.0, |(scale, _)| scale),
            shift: offset.map_or(0.0, |(offset, _)| offset),
        }),
        (None, datatype) => {
            let example = match (datatype, signal.words()) {
                (Datatype::Word, [first, second, ..]) => format!("{{ 0 = \"{first}\", 1 = \"{second}\" }}"),
                _ => "{ 0 = false, 1 = true }".to_owned(),
            };
            fields.problem(
                fields.span(),
                "values",
                format!("this is missing: which raw value means what, as in `values = {example}`"),
            );
            None
        }
    }
}

fn listed(
    fields: &Fields<'_, '_>,
    table: &DeTable<'_>,
    span: Range<usize>,
    path: &str,
    signal: Signal,
    found: &DbcSignal,
) -> Option<Meaning> {
    if !found.place.is_integer() {
        let what = format!("{} is no whole number of 64 bits at most: `scale` and `offset` are for such", found.name());
        fields.problem(span, "values", what);
        return None;
    }
    if table.is_empty() {
        fields.problem(span, "values", "this lists no value, so that the source would never say anything");
        return None;
    }
    let mut entries = Vec::new();
    for (key, value) in table.iter() {
        let key_name: &str = key.get_ref();
        let name = format!("values.{key_name}");
        let raw = key_name.parse::<i128>().ok();
        let fits = raw.and_then(|raw| raw_of(found, raw));
        match (raw, fits) {
            (None, _) => fields.problem(key.span(), &name, "a raw value is a whole number, as in `values = { 0 = …, 1 = … }`"),
            (Some(raw), None) => fields.problem(key.span(), &name, unfit(found, raw)),
            (Some(_), Some(_)) => {}
        }
        let reading = reading(path, signal, value.get_ref());
        if let Err(what) = &reading {
            fields.problem(value.span(), &name, what.clone());
        }
        entries.push(fits.zip(reading.ok()));
    }
    let mut entries = entries.into_iter().collect::<Option<Vec<_>>>()?;
    entries.sort_by_key(|(raw, _)| *raw);
    Some(Meaning::listed(entries))
}

/// What a value of the list means, or why it cannot be one of `signal`, which the profile calls `path`.
fn reading(path: &str, signal: Signal, value: &DeValue<'_>) -> Result<Reading, String> {
    // VSS 6 made a yes or no into three words.
    if path.ends_with(".OccupancyStatus") {
        match value.as_str() {
            Some("OCCUPIED") => return Ok(Reading::Value(Value::Bool(true))),
            Some("EMPTY") => return Ok(Reading::Value(Value::Bool(false))),
            Some("UNKNOWN") => return Ok(Reading::Invalid),
            _ => {}
        }
    }
    match signal.datatype() {
        Datatype::Bool => {
            let value = value.as_bool().ok_or_else(|| format!("a value of {path} is `true` or `false`"))?;
            Ok(Reading::Value(Value::Bool(value)))
        }
        Datatype::Number => {
            let value = number(value).ok_or_else(|| format!("a value of {path} is a number{}", unit(signal)))?;
            Ok(Reading::Value(Value::Number(value)))
        }
        Datatype::Word => {
            let known = || signal.words().iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
            let word = value.as_str().ok_or_else(|| format!("a value of {path} is one of {}", known()))?;
            // An electric car has no starter: it is ready.
            let word = if signal == Signal::LowVoltageSystemState && word == "READY" { "ON" } else { word };
            if !signal.words().contains(&word) {
                let meant = meant(word, signal.words().iter().copied());
                return Err(format!("a value of {path} is one of {}, not \"{word}\"{meant}", known()));
            }
            let word = Word::try_from(word).map_err(|()| format!("a value of {path} has at most 24 characters"))?;
            Ok(Reading::Value(Value::Word(word)))
        }
    }
}

fn unit(signal: Signal) -> String {
    if signal.unit().is_empty() { String::new() } else { format!(" in {}", signal.unit()) }
}

/// `value` as the raw bits of `signal`; `None` where it cannot have it.
fn raw_of(signal: &DbcSignal, value: i128) -> Option<u64> {
    if !signal.place.is_integer() {
        return None;
    }
    let (least, most) = span_of(signal);
    (least..=most).contains(&value).then_some(value as u64)
}

fn span_of(signal: &DbcSignal) -> (i128, i128) {
    let bits = u32::from(signal.place.bits()).min(64);
    match signal.place.encoding() {
        Encoding::Signed => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
        _ => (0, (1_i128 << bits) - 1),
    }
}

fn unfit(signal: &DbcSignal, value: i128) -> String {
    let (least, most) = span_of(signal);
    format!(
        "{} has {} bits, so its raw value is never {value}: it goes from {least} to {most}",
        signal.name(),
        signal.place.bits()
    )
}
