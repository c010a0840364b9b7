//! What a vehicle tells of itself: mode 09, and the identifiers F8xx of OBDonUDS, which leave out the count of items.

/// An info type and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Which.
    pub kind: u8,
    /// Its bytes, the count of items included.
    pub bytes: Vec<u8>,
    /// What they mean.
    pub content: Content,
}

/// What the bytes of an info type mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Type 00, 20 and so on: which of the next 32 there are.
    Supported(Vec<u8>),
    /// Type 02: the VIN, 17 characters.
    Vin(String),
    /// Type 04: calibration ids.
    Calibrations(Vec<String>),
    /// Type 06: the check sums of the calibrations.
    CheckSums(Vec<[u8; 4]>),
    /// Type 08 (spark ignition) and 0B (diesels): how often a monitor ran, and could have, by J1979's abbreviations.
    Counters(Vec<(&'static str, u16)>),
    /// Type 0A: the ECU's abbreviation and its name.
    Name(String),
    /// Other texts, by their name: type 0D the engine's serial number, 0F the number of the type approval.
    Text(&'static str, String),
    /// Nothing that is known here.
    Raw,
}

const SPARK: [&str; 28] = [
    "OBDCOND",
    "IGNCNTR",
    "CATCOMP1",
    "CATCOND1",
    "CATCOMP2",
    "CATCOND2",
    "O2SCOMP1",
    "O2SCOND1",
    "O2SCOMP2",
    "O2SCOND2",
    "EGRCOMP",
    "EGRCOND",
    "AIRCOMP",
    "AIRCOND",
    "EVAPCOMP",
    "EVAPCOND",
    "SO2SCOMP1",
    "SO2SCOND1",
    "SO2SCOMP2",
    "SO2SCOND2",
    "AFRICOMP1",
    "AFRICOND1",
    "AFRICOMP2",
    "AFRICOND2",
    "PFCOMP1",
    "PFCOND1",
    "PFCOMP2",
    "PFCOND2",
];

const COMPRESSION: [&str; 18] = [
    "OBDCOND",
    "IGNCNTR",
    "HCCATCOMP",
    "HCCATCOND",
    "NCATCOMP",
    "NCATCOND",
    "NADSCOMP",
    "NADSCOND",
    "PMCOMP",
    "PMCOND",
    "EGSCOMP",
    "EGSCOND",
    "EGRCOMP",
    "EGRCOND",
    "BPCOMP",
    "BPCOND",
    "FUELCOMP",
    "FUELCOND",
];

impl Info {
    /// Reads what follows the info type.
    pub fn decode(kind: u8, bytes: &[u8]) -> Info {
        Info { kind, bytes: bytes.to_vec(), content: content(kind, bytes) }
    }

    /// The VIN, where this is it.
    pub fn vin(&self) -> Option<&str> {
        if let Content::Vin(vin) = &self.content { Some(vin) } else { None }
    }
}

fn content(kind: u8, bytes: &[u8]) -> Content {
    match kind {
        _ if kind % 0x20 == 0 => match super::item::Item::decode(kind, items(bytes, 4)).content {
            super::item::Content::Supported(kinds) => Content::Supported(kinds),
            _ => Content::Raw,
        },
        0x02 => text(items(bytes, 17)).filter(|vin| vin.len() == 17).map_or(Content::Raw, Content::Vin),
        0x04 => each(items(bytes, 16), 16).map(text).collect::<Option<_>>().map_or(Content::Raw, Content::Calibrations),
        0x06 => Content::CheckSums(each(items(bytes, 4), 4).filter_map(|sum| sum.try_into().ok()).collect()),
        0x08 => counters(&SPARK, bytes),
        0x0A => name(items(bytes, 20)).map_or(Content::Raw, Content::Name),
        0x0B => counters(&COMPRESSION, bytes),
        0x0D => text(items(bytes, 17)).map_or(Content::Raw, |text| Content::Text("engineSerialNumber", text)),
        0x0F => text(items(bytes, 17)).map_or(Content::Raw, |text| Content::Text("typeApproval", text)),
        _ => Content::Raw,
    }
    .or_raw()
}

impl Content {
    /// An empty list says nothing.
    fn or_raw(self) -> Content {
        match self {
            Content::Calibrations(list) if list.is_empty() => Content::Raw,
            Content::CheckSums(list) if list.is_empty() => Content::Raw,
            other => other,
        }
    }
}

/// Without the count of items, which mode 09 on CAN sends first.
fn items(bytes: &[u8], size: usize) -> &[u8] {
    match bytes.split_first() {
        Some((_, rest)) if bytes.len() % size == 1 => rest,
        _ => bytes,
    }
}

/// The items of one size; nothing where they do not come out even.
fn each(bytes: &[u8], size: usize) -> impl Iterator<Item = &[u8]> {
    let whole = if bytes.len() % size == 0 { bytes } else { &[] };
    whole.chunks_exact(size)
}

/// Printable text without the padding, which is zeroes or spaces (in front of a VIN too).
fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim_matches(|c| c == '\0' || c == ' ');
    (!text.is_empty() && text.bytes().all(|byte| (0x20..0x7F).contains(&byte))).then(|| text.to_owned())
}

/// `ECM`, a zero, `-`, `EngineControl` and zeroes: four bytes of abbreviation, a dash, fifteen of name.
fn name(bytes: &[u8]) -> Option<String> {
    let words: Vec<String> = bytes.split(|byte| *byte == 0).filter(|part| !part.is_empty()).map(text).collect::<Option<_>>()?;
    (!words.is_empty()).then(|| words.concat())
}

fn counters(names: &[&'static str], bytes: &[u8]) -> Content {
    let values: Vec<u16> = each(items(bytes, 2), 2).filter_map(|pair| pair.try_into().ok()).map(u16::from_be_bytes).collect();
    if values.is_empty() || values.len() > names.len() {
        return Content::Raw;
    }
    Content::Counters(names.iter().copied().zip(values).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: u8, bytes: &[u8]) -> Content {
        Info::decode(kind, bytes).content
    }

    #[test]
    fn info_types_are_read_with_and_without_their_count() {
        assert_eq!(of(0x02, b"\x011G1JC5444R7252367"), Content::Vin("1G1JC5444R7252367".into()));
        assert_eq!(of(0x02, b"1G1JC5444R7252367"), Content::Vin("1G1JC5444R7252367".into()), "of OBDonUDS");
        let two = [b"\x02".as_slice(), b"JMB*36761500\0\0\0\0", b"JMB*47872611\0\0\0\0"].concat();
        assert_eq!(of(0x04, &two), Content::Calibrations(vec!["JMB*36761500".into(), "JMB*47872611".into()]));
        assert_eq!(of(0x06, &[1, 0x17, 0x91, 0xBC, 0x82]), Content::CheckSums(vec![[0x17, 0x91, 0xBC, 0x82]]));
        assert_eq!(of(0x0A, b"\x01ECM\0-EngineControl\0\0"), Content::Name("ECM-EngineControl".into()));
        assert_eq!(of(0x0B, &[1, 0x04, 0x00]), Content::Counters(vec![("OBDCOND", 1024)]));
        assert_eq!(of(0x00, &[1, 0x54, 0, 0, 0]), Content::Supported(vec![2, 4, 6]));
    }

    #[test]
    fn what_is_none_of_it_is_raw() {
        assert_eq!(of(0x02, b"\x011G1JC5444"), Content::Raw, "a VIN has 17 characters");
        assert_eq!(of(0x02, &[1; 18]), Content::Raw, "a VIN is text");
        assert_eq!(of(0x04, &[]), Content::Raw);
        assert_eq!(of(0x06, &[1, 2]), Content::Raw);
        assert_eq!(of(0x55, &[1, 2]), Content::Raw);
    }
}
