//! A diagnostic message as JSON, for people who read a log.

use serde_json::{Value, json};

use super::id::{Id, number};
use super::identification::{component, software, vin};
use super::listener::Acknowledgement;
use super::transport::{Message, Transport};
use super::trouble::{Conversion, Diagnostic, Lamps, Record, Report};
use super::{Name, pgn};
use crate::clock::Boot;
use crate::vehicle::Frame;
use crate::vehicle::trouble::Code;

/// Reads one bus of a log.
#[derive(Clone, Debug, Default)]
pub struct Describer {
    conversion: Conversion,
    transport: Transport,
}

impl Describer {
    /// Has read nothing. `conversion` is how SPNs are laid out where CM is 1.
    pub fn new(conversion: Conversion) -> Describer {
        Describer { conversion, transport: Transport::default() }
    }

    /// What this frame says or makes whole, one object; `None` where it is nothing of diagnosis. A message of several packets
    /// bears the id that its group would have in one frame; its packets are not told, their announcement is.
    ///
    /// The keys are `id protocol kind pgn name source destination raw` and by kind `lamps codes`, `vin`, `component`,
    /// `software`, `requested`, `acknowledgement`, `claim`, `transport`; `malformed: true` where the bytes cannot be what
    /// the group says.
    pub fn hear(&mut self, now: Boot, frame: &Frame) -> Option<Value> {
        let id = Id::of(frame)?;
        let conversion = self.conversion;
        // A log holds what was said; nothing is answered.
        let mut nothing = Vec::new();
        match self.transport.hear(now, None, id, &frame.data, &mut nothing) {
            Some(message) => describe(message, conversion),
            None => describe(Message { id, data: &frame.data }, conversion),
        }
    }
}

fn describe(message: Message<'_>, conversion: Conversion) -> Option<Value> {
    let Message { id, data } = message;
    let (kind, extra) = match id.pgn {
        pgn::VIN => ("vin", vin(data).map(|vin| json!({ "vin": vin }))),
        pgn::COMPONENT => ("component", Some(component_json(data))),
        pgn::SOFTWARE => ("software", Some(json!({ "software": software(data) }))),
        pgn::REQUEST => ("request", requested(data)),
        pgn::ACKNOWLEDGEMENT => ("acknowledgement", acknowledgement(data)),
        pgn::CLAIM => ("claim", claim(id, data)),
        pgn::CONNECTION => ("transport", Some(connection(data)?)),
        group => ("codes", Diagnostic::of(group).map(|_| report(data, conversion))?),
    };
    let mut object = json!({
        "id": format!("{:08X}", id.raw()),
        "protocol": "J1939",
        "kind": kind,
        "pgn": id.pgn,
        "name": pgn::name(id.pgn),
        "source": id.source,
        "destination": id.destination,
        "raw": data.iter().map(|byte| format!("{byte:02X}")).collect::<String>(),
    });
    if let (Some(into), Value::Object(extra)) = (object.as_object_mut(), extra.unwrap_or_else(|| json!({ "malformed": true }))) {
        into.extend(extra);
    }
    Some(object)
}

fn report(data: &[u8], conversion: Conversion) -> Option<Value> {
    let report = Report::read(data)?;
    let codes = report.records(conversion).map(code).collect::<Vec<_>>();
    Some(json!({ "lamps": lamps(report.lamps), "codes": codes }))
}

fn lamps(lamps: Lamps) -> Value {
    json!({
        "malfunction": lamps.malfunction.word(),
        "stop": lamps.stop.word(),
        "warning": lamps.warning.word(),
        "protect": lamps.protect.word(),
    })
}

fn code(record: Record) -> Value {
    let Record { spn, fmi, occurrences, ambiguous } = record;
    let mut object = json!({ "code": Code::J1939 { spn, fmi }.to_string(), "spn": spn, "fmi": fmi, "occurrences": occurrences });
    if let (true, Some(object)) = (ambiguous, object.as_object_mut()) {
        object.insert("ambiguous".into(), Value::Bool(true));
    }
    object
}

fn component_json(data: &[u8]) -> Value {
    let of = component(data);
    json!({ "component": { "make": of.make, "model": of.model, "serial": of.serial, "unit": of.unit } })
}

fn group(bytes: [u8; 3]) -> Value {
    let number = number(bytes);
    json!({ "pgn": number, "name": pgn::name(number) })
}

fn requested(data: &[u8]) -> Option<Value> {
    let &[a, b, c, ..] = data else { return None };
    Some(json!({ "requested": group([a, b, c]) }))
}

fn acknowledgement(data: &[u8]) -> Option<Value> {
    let &[control, _, _, _, address, a, b, c] = data else { return None };
    let how = Acknowledgement::of(control)?.word();
    Some(json!({ "acknowledgement": { "is": how, "to": address, "of": group([a, b, c]) } }))
}

fn claim(id: Id, data: &[u8]) -> Option<Value> {
    let name = Name(u64::from_le_bytes(data.try_into().ok()?));
    Some(json!({ "claim": {
        "address": (id.source < super::NULL).then_some(id.source),
        "name": format!("{:016X}", name.0),
        "arbitraryAddress": name.arbitrary_address(),
        "industryGroup": name.industry_group(),
        "vehicleSystem": name.vehicle_system(),
        "vehicleSystemInstance": name.vehicle_system_instance(),
        "function": name.function(),
        "functionInstance": name.function_instance(),
        "ecuInstance": name.ecu_instance(),
        "manufacturer": name.manufacturer(),
        "identity": name.identity(),
    } }))
}

/// Of a connection that carries something of diagnosis, else `None`.
fn connection(data: &[u8]) -> Option<Value> {
    let &[control, b, c, d, _, e, f, g] = data else { return None };
    pgn::name(number([e, f, g]))?;
    let (size, of) = (u16::from_le_bytes([b, c]), group([e, f, g]));
    let transport = match control {
        16 => json!({ "is": "RTS", "size": size, "packets": d, "of": of }),
        17 => json!({ "is": "CTS", "packets": b, "next": c, "of": of }),
        19 => json!({ "is": "EndOfMsgACK", "size": size, "packets": d, "of": of }),
        32 => json!({ "is": "BAM", "size": size, "packets": d, "of": of }),
        255 => json!({ "is": "Abort", "reason": b, "of": of }),
        _ => return None,
    };
    Some(json!({ "transport": transport }))
}
