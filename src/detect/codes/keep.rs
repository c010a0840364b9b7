//! What a power cut must not lose of trouble codes: a row a record (`code/<ecu>/<code>`), and one of the lamps
//! (`codes`). A record whose lists are the same is written again at most once a minute, for when it was last listed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::value::{RawValue, to_raw_value};

use super::record::Fault;
use super::{Codes, Lamps, Memory};
use crate::clock::Boot;
use crate::vehicle::trouble::{Code, Ecu};

/// The lamps' row.
pub(in crate::detect) const LAMPS: &str = "codes";
/// A record's row.
pub(in crate::detect) const RECORD: &str = "code/";
/// Between two rows of a record that says nothing new.
const PACE: Duration = Duration::from_secs(60);

/// What was written last.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    lamps: Lamps,
    faults: BTreeMap<(Ecu, Code), (Fault, Boot)>,
}

/// The key of a record's row.
fn key((ecu, code): (Ecu, Code)) -> String {
    match code {
        Code::Iso { failure: Some(failure), .. } => format!("{RECORD}{ecu}/{code}-{failure:02X}"),
        Code::Iso { failure: None, .. } | Code::J1939 { .. } => format!("{RECORD}{ecu}/{code}"),
    }
}

impl Codes {
    /// What changed: each row's key with its state as JSON, `None` where the row has to go.
    pub(in crate::detect) fn rows(&mut self, now: Boot, mut row: impl FnMut(&str, Option<Box<RawValue>>)) {
        let Codes { memory, written, .. } = self;
        let is_there = |key: &(Ecu, Code)| memory.faults.binary_search_by_key(key, Fault::key).is_ok();
        written.faults.retain(|fault, _| {
            let keep = is_there(fault);
            if !keep {
                row(&key(*fault), None);
            }
            keep
        });
        if written.lamps != memory.lamps {
            written.lamps = memory.lamps.clone();
            row(LAMPS, to_raw_value(&memory.lamps).ok());
        }
        for fault in &memory.faults {
            let is_written = |(last, at): &(Fault, Boot)| fault == last || (fault.is_as(last) && now < *at + PACE);
            if !written.faults.get(&fault.key()).is_some_and(is_written) {
                written.faults.insert(fault.key(), (fault.clone(), now));
                row(&key(fault.key()), to_raw_value(fault).ok());
            }
        }
    }

    /// Goes on from rows. What cannot be read is as none: its ECU will list it again.
    pub(in crate::detect) fn restore<'a>(
        &mut self,
        lamps: Option<&RawValue>,
        records: impl Iterator<Item = &'a RawValue>,
        now: Boot,
    ) {
        let lamps: Lamps = lamps.and_then(|lamps| serde_json::from_str(lamps.get()).ok()).unwrap_or_default();
        let mut faults: Vec<Fault> = records.filter_map(|record| serde_json::from_str(record.get()).ok()).collect();
        faults.sort_by_key(Fault::key);
        faults.dedup_by_key(|fault| fault.key());
        self.written =
            Written { lamps: lamps.clone(), faults: faults.iter().map(|fault| (fault.key(), (fault.clone(), now))).collect() };
        self.memory = Memory { faults, lamps, ..Memory::default() };
        self.revision += 1;
    }
}
