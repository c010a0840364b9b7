//! One PID of an answer, and the answer cut into its PIDs.

use super::field::Measured;
use super::monitors::Monitors;
use super::table;
use crate::vehicle::trouble::Code;

/// Most PIDs in one answer (SAE J1979 on CAN).
const MOST: usize = 6;

/// A PID and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Which.
    pub pid: u8,
    /// Its data bytes.
    pub bytes: Vec<u8>,
    /// What they mean.
    pub content: Content,
}

/// What the data bytes of a PID mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// PID 00, 20, 40 and so on: which of the next 32 there are.
    Supported(Vec<u8>),
    /// PID 01 and 41.
    Monitors(Monitors),
    /// PID 02: the code that the freeze frame belongs to; `None` where there is no frame.
    FrozenBy(Option<Code>),
    /// Values.
    Values(Vec<Measured>),
    /// Nothing that is known here: the bytes are all there is to say.
    Raw,
}

impl Item {
    /// Reads the data bytes of a PID. Too few are told raw.
    pub fn decode(pid: u8, bytes: &[u8]) -> Item {
        let content = match (pid, bytes) {
            (_, [a, b, c, d]) if pid % 0x20 == 0 => Content::Supported(bitmap(pid, u32::from_be_bytes([*a, *b, *c, *d]))),
            (0x01 | 0x41, [a, b, c, d]) => Content::Monitors(Monitors::decode([*a, *b, *c, *d], pid == 0x01)),
            (0x02, [a, b]) => Content::FrozenBy(code(*a, *b)),
            _ => match table::find(pid) {
                Some(row)
                    if !row.fields.is_empty() && (row.bytes.0..=row.bytes.1).any(|length| usize::from(length) == bytes.len()) =>
                {
                    Content::Values(row.fields.iter().filter_map(|field| field.read(bytes)).collect())
                }
                _ => Content::Raw,
            },
        };
        Item { pid, bytes: bytes.to_vec(), content }
    }
}

/// A code of two bytes; `None` for the zeroes that stand where there is none.
pub fn code(a: u8, b: u8) -> Option<Code> {
    (a != 0 || b != 0).then(|| Code::Iso { base: u16::from_be_bytes([a, b]), failure: None })
}

/// The PIDs whose bits are set: the most significant bit is that of `pid + 1`.
fn bitmap(pid: u8, bits: u32) -> Vec<u8> {
    (1..=32_u8).filter(|number| bits >> (32 - number) & 1 == 1).map(|number| pid.saturating_add(number)).collect()
}

/// Least and most data bytes of a PID of known length.
pub fn length(pid: u8) -> Option<(usize, usize)> {
    match pid {
        _ if pid % 0x20 == 0 => Some((4, 4)),
        0x01 | 0x41 => Some((4, 4)),
        0x02 => Some((2, 2)),
        _ => table::find(pid).map(|row| (row.bytes.0.into(), row.bytes.1.into())),
    }
}

/// Cuts an answer into its PIDs. `head` bytes stand between a PID and its data (mode 02: the frame's number). `asked` are
/// the PIDs that were asked for, where the question was heard: a cut that gives another PID is wrong then. What cannot be
/// cut is one item, of the first PID that is left over, with all the rest as its bytes.
pub fn cut(bytes: &[u8], head: usize, asked: &[u8]) -> Vec<Item> {
    let mut items = Vec::new();
    if !whole(bytes, head, asked, &mut items) {
        items.clear();
        as_far_as_it_goes(bytes, head, asked, &mut items);
    }
    items
}

/// Finds the one cut that uses every byte; of several the one with the shorter first PIDs.
fn whole(bytes: &[u8], head: usize, asked: &[u8], items: &mut Vec<Item>) -> bool {
    let Some((&pid, rest)) = bytes.split_first() else { return !items.is_empty() };
    let Some((least, most)) = length(pid) else { return false };
    if items.len() == MOST || !expected(pid, asked, items) {
        return false;
    }
    for length in least..=most {
        if let Some((data, rest)) = rest.get(head..).and_then(|data| data.split_at_checked(length)) {
            items.push(Item::decode(pid, data));
            if whole(rest, head, asked, items) {
                return true;
            }
            items.pop();
        }
    }
    false
}

/// A PID that was asked for, and not answered yet.
fn expected(pid: u8, asked: &[u8], items: &[Item]) -> bool {
    (asked.is_empty() || asked.contains(&pid)) && items.iter().all(|item| item.pid != pid)
}

fn as_far_as_it_goes(mut bytes: &[u8], head: usize, asked: &[u8], items: &mut Vec<Item>) {
    while let Some((&pid, rest)) = bytes.split_first() {
        let rest = rest.get(head..).unwrap_or_default();
        let usable = length(pid).filter(|_| items.len() < MOST && expected(pid, asked, items));
        match usable.and_then(|(least, _)| rest.split_at_checked(least)) {
            // The last one that was asked for, and yet there is more: all of it is not as the standard says.
            Some((_, after)) if !after.is_empty() && asked.len() == items.len() + 1 => {
                items.push(Item { pid, bytes: rest.to_vec(), content: Content::Raw });
                return;
            }
            Some((data, after)) if after.is_empty() || length_fits(after, asked, items, pid) => {
                items.push(Item::decode(pid, data));
                bytes = after;
            }
            _ => {
                items.push(Item { pid, bytes: rest.to_vec(), content: Content::Raw });
                return;
            }
        }
    }
}

/// Whether what follows begins with another PID that may follow.
fn length_fits(after: &[u8], asked: &[u8], items: &[Item], pid: u8) -> bool {
    after.first().is_some_and(|next| *next != pid && expected(*next, asked, items))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pids(bytes: &[u8], asked: &[u8]) -> Vec<(u8, usize, bool)> {
        cut(bytes, 0, asked).iter().map(|item| (item.pid, item.bytes.len(), item.content == Content::Raw)).collect()
    }

    #[test]
    fn an_answer_is_cut_by_the_lengths_of_its_pids() {
        assert_eq!(
            pids(&[0x0C, 0x1A, 0xF8, 0x0D, 0x20, 0x05, 0x7B], &[]),
            [(0x0C, 2, false), (0x0D, 1, false), (0x05, 1, false)]
        );
        assert_eq!(pids(&[0x06, 0x80, 0x07, 0x7F], &[]), [(6, 1, false), (7, 1, false)]);
        assert_eq!(
            pids(&[0x06, 0x80, 0x81, 0x07, 0x7F, 0x7E], &[6, 7]),
            [(6, 2, false), (7, 2, false)],
            "of a car with four banks"
        );
    }

    #[test]
    fn what_cannot_be_cut_is_raw() {
        assert_eq!(pids(&[0x0D, 0x20, 0xB5, 1, 2, 3], &[]), [(0x0D, 1, false), (0xB5, 3, true)], "unknown length");
        assert_eq!(pids(&[0x0C, 0x1A], &[]), [(0x0C, 1, true)], "cut short");
        assert_eq!(pids(&[0x05, 0x7B, 0xAA, 0xAA], &[0x05]), [(0x05, 3, true)], "longer than the standard has it");
        assert_eq!(pids(&[], &[]), []);
    }

    #[test]
    fn a_bitmap_names_the_pids_that_follow_it() {
        let Content::Supported(pids) = Item::decode(0x20, &[0x80, 0, 0, 0x01]).content else { panic!("a bitmap") };
        assert_eq!(pids, [0x21, 0x40]);
        let Content::Supported(last) = Item::decode(0xE0, &[0xFF; 4]).content else { panic!("a bitmap") };
        assert_eq!((last.len(), last.last()), (32, Some(&0xFF)));
    }
}
