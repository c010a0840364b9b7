//! Values by identifier (service 22): those of ISO 14229-1, Annex C, and of OBDonUDS.

use crate::diagnostics::obd::info::Info;
use crate::diagnostics::obd::item::{self, Item};

/// An identifier and what stands under it.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// Which.
    pub identifier: u16,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What they mean.
    pub content: Content,
}

/// What the bytes of an identifier mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// F4xx: a PID of OBD-II.
    Pid(Item),
    /// F8xx: an info type of OBD-II.
    Info(Info),
    /// A text, by its name: F190 is the `vin`.
    Text(&'static str, String),
    /// Nothing that is known here.
    Raw,
}

/// The identifiers of ISO 14229-1 that are texts in nearly every ECU.
fn name(identifier: u16) -> Option<&'static str> {
    Some(match identifier {
        0xF180 => "bootSoftware",
        0xF181 => "applicationSoftware",
        0xF182 => "applicationData",
        0xF187 => "sparePartNumber",
        0xF188 => "softwareNumber",
        0xF189 => "softwareVersion",
        0xF18A => "supplier",
        0xF18C => "serialNumber",
        0xF18E => "kitPartNumber",
        0xF190 => "vin",
        0xF191 => "hardwareNumber",
        0xF192 => "supplierHardwareNumber",
        0xF193 => "supplierHardwareVersion",
        0xF194 => "supplierSoftwareNumber",
        0xF195 => "supplierSoftwareVersion",
        0xF196 => "typeApproval",
        0xF197 => "systemName",
        0xF198 => "workshop",
        0xF19E => "diagnosticDescription",
        _ => return None,
    })
}

/// How many bytes an identifier has, where that is known and always the same.
pub fn length(identifier: u16) -> Option<usize> {
    match identifier {
        0xF400..=0xF4FF => {
            item::length(identifier.to_be_bytes()[1]).filter(|(least, most)| least == most).map(|(least, _)| least)
        }
        0xF190 | 0xF802 => Some(17),
        _ => None,
    }
}

impl Data {
    /// Reads the bytes of an identifier.
    pub fn decode(identifier: u16, bytes: &[u8]) -> Data {
        let [group, low] = identifier.to_be_bytes();
        let content = match group {
            0xF4 => Content::Pid(Item::decode(low, bytes)),
            0xF8 => Content::Info(Info::decode(low, bytes)),
            _ => match (name(identifier), text(bytes)) {
                (Some(name), Some(text)) => Content::Text(name, text),
                _ => Content::Raw,
            },
        };
        Data { identifier, bytes: bytes.to_vec(), content }
    }
}

/// Printable text without the zeroes and spaces around it.
fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim_matches(|c| c == '\0' || c == ' ');
    (!text.is_empty() && text.bytes().all(|byte| (0x20..0x7F).contains(&byte))).then(|| text.to_owned())
}

/// Cuts an answer into its identifiers. A length that is not known is told by where the next identifier of the question
/// begins, if there is but one such place; else the rest belongs to the identifier it follows, raw. `None` without one.
pub fn cut(bytes: &[u8], asked: Option<&[u8]>) -> Option<Vec<Data>> {
    let asked: Vec<[u8; 2]> = asked.unwrap_or_default().chunks_exact(2).filter_map(|pair| pair.try_into().ok()).collect();
    let mut found = Vec::new();
    let mut left = bytes;
    while let [high, low, rest @ ..] = left {
        let identifier = u16::from_be_bytes([*high, *low]);
        let following = asked.iter().position(|pair| pair == &[*high, *low]).map(|at| asked.get(at + 1..).unwrap_or_default());
        let length = cut_at(identifier, rest, following);
        let (data, after) = rest.split_at_checked(length.unwrap_or(rest.len()))?;
        let certain = length.is_some();
        found.push(if certain {
            Data::decode(identifier, data)
        } else {
            Data { identifier, bytes: data.to_vec(), content: Content::Raw }
        });
        left = after;
    }
    match found.last_mut() {
        // A last odd byte belongs to what stands before it, which then is not what was thought.
        Some(last) if !left.is_empty() => {
            last.bytes.extend_from_slice(left);
            last.content = Content::Raw;
        }
        Some(_) => {}
        None => return None,
    }
    Some(found)
}

/// How many bytes belong to an identifier, of those that follow it; `None` where that is not to be told. `following` are
/// the identifiers that were asked for after it.
fn cut_at(identifier: u16, rest: &[u8], following: Option<&[[u8; 2]]>) -> Option<usize> {
    let next = match following {
        // The last one has the rest.
        Some([]) => return Some(rest.len()),
        // The ECU may leave out what it does not have, so any of those that follow may be next.
        Some(following) => following,
        // The question was not heard: an identifier alone has the rest, unless its length says that more follow.
        None => return Some(length(identifier).filter(|length| rest.len() > length + 2).unwrap_or(rest.len())),
    };
    if let Some(length) = length(identifier) {
        return (rest.len() >= length).then_some(length);
    }
    let places: Vec<usize> =
        rest.windows(2).enumerate().filter(|(_, pair)| next.iter().any(|next| next == pair)).map(|(at, _)| at).collect();
    // As many places as identifiers: each begins at one. None: the ECU has none of them.
    match places.first() {
        None => Some(rest.len()),
        Some(first) if places.len() <= next.len() && distinct(rest, &places) => Some(*first),
        Some(_) => None,
    }
}

/// Whether the identifiers at these places are all different.
fn distinct(bytes: &[u8], places: &[usize]) -> bool {
    let pair = |at: &usize| bytes.get(*at..*at + 2);
    places.iter().enumerate().all(|(nth, place)| places.iter().skip(nth + 1).all(|other| pair(other) != pair(place)))
}
