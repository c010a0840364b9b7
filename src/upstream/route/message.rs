//! What the kernel says on `NETLINK_ROUTE` (rtnetlink(7)), as far as it may be a new way: numbers are in the machine's own
//! order of bytes, messages and attributes begin at multiples of four.

use std::collections::BTreeSet;

/// `nlmsg_type`.
const NEW_LINK: u16 = 16;
const DELETED_LINK: u16 = 17;
const NEW_ADDRESS: u16 = 20;
const DELETED_ADDRESS: u16 = 21;
const NEW_ROUTE: u16 = 24;

/// `sizeof(struct nlmsghdr)`, of `rtattr`, of `ifinfomsg`, of `ifaddrmsg`.
const HEAD: usize = 16;
const ATTRIBUTE_HEAD: usize = 4;
const LINK: usize = 16;
const ADDRESS: usize = 8;

/// `ifi_flags`: `IFF_LOOPBACK`, `IFF_LOWER_UP`.
const IS_LOOPBACK: u32 = 1 << 3;
const IS_UP: u32 = 1 << 16;

/// `ifa_flags`: `IFA_F_TENTATIVE`: not known yet to be ours alone.
const IS_TENTATIVE: u8 = 0x40;
/// `rtm_scope` and `ifa_scope`: the whole world.
const UNIVERSE: u8 = 0;
/// `ifa_attr`: `IFA_ADDRESS`, `IFA_LOCAL`.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// `rtm_type`, `rtm_table`, `rtm_flags`: `RTN_UNICAST`, `RT_TABLE_LOCAL`, `RTM_F_CLONED`.
const UNICAST: u8 = 1;
const TO_OURSELVES: u8 = 255;
const IS_CLONED: u32 = 0x200;

/// More than a vehicle has; whatever has more begins anew.
const MOST: usize = 256;

/// What is there, so that hearing of it again is no news.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeSet<Way>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// A link by its index.
    Link(u32),
    /// An address on it, of 4 or 16 bytes.
    Address(u32, Vec<u8>),
}

impl Known {
    /// Whether some message of this datagram tells of a way that was not there.
    pub(super) fn hear(&mut self, datagram: &[u8]) -> bool {
        // Each is looked at, since each changes what is known.
        messages(datagram).fold(false, |news, (kind, body)| self.hear_one(kind, body) || news)
    }

    fn hear_one(&mut self, kind: u16, body: &[u8]) -> bool {
        let told = match kind {
            NEW_ROUTE => return is_a_way_out(body).unwrap_or(false),
            NEW_LINK | DELETED_LINK => link(body),
            NEW_ADDRESS | DELETED_ADDRESS => address(body),
            _ => None,
        };
        match told {
            Some((way, is_there)) if is_there && !matches!(kind, DELETED_LINK | DELETED_ADDRESS) => {
                if self.0.len() >= MOST {
                    self.0.clear();
                }
                self.0.insert(way)
            }
            Some((way, _)) => {
                self.0.remove(&way);
                false
            }
            None => false,
        }
    }
}

/// Type and body of each message; ends at what has no shape.
fn messages(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::try_from(four(rest, 0)?).ok()?;
        let (kind, body) = (two(rest, 4)?, rest.get(HEAD..length)?);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// Type and value of each attribute; ends at what has no shape.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(two(rest, 0)?);
        let (kind, value) = (two(rest, 2)?, rest.get(ATTRIBUTE_HEAD..length)?);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn two(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn four(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// `struct rtmsg`.
fn is_a_way_out(body: &[u8]) -> Option<bool> {
    let (table, kind, flags) = (*body.get(4)?, *body.get(7)?, four(body, 8)?);
    Some(kind == UNICAST && table != TO_OURSELVES && flags & IS_CLONED == 0)
}

/// `struct ifinfomsg`: a link, and whether it is up.
fn link(body: &[u8]) -> Option<(Way, bool)> {
    let (index, flags) = (four(body, 4)?, four(body, 8)?);
    body.get(..LINK)?;
    (flags & IS_LOOPBACK == 0).then_some((Way::Link(index), flags & IS_UP != 0))
}

/// `struct ifaddrmsg`: an address for the whole world, and whether it can be used.
fn address(body: &[u8]) -> Option<(Way, bool)> {
    let (flags, scope, index) = (*body.get(2)?, *body.get(3)?, four(body, 4)?);
    let value = |wanted| attributes(body.get(ADDRESS..).unwrap_or_default()).find(|(kind, _)| *kind == wanted);
    let (_, value) = value(IFA_LOCAL).or_else(|| value(IFA_ADDRESS))?;
    let is_address = matches!(value.len(), 4 | 16) && scope == UNIVERSE;
    is_address.then(|| (Way::Address(index, value.to_vec()), flags & IS_TENTATIVE == 0))
}

/// For a fuzzer: whatever is heard, what is known stays bounded, and a datagram that is repeated tells of no link and no
/// address twice.
#[doc(hidden)]
pub fn survives(bytes: &[u8]) {
    let mut known = Known::default();
    known.hear(bytes);
    assert!(known.0.len() <= MOST);
    let before = known.0.clone();
    let is_steady = messages(bytes).all(|(kind, _)| matches!(kind, NEW_LINK | NEW_ADDRESS));
    if is_steady && before.len() < MOST && messages(bytes).count() < 2 {
        assert!(!known.hear(bytes));
        assert_eq!(known.0, before);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = (HEAD + body.len()) as u32;
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], body].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn route(table: u8, kind: u8, flags: u32) -> Vec<u8> {
        message(NEW_ROUTE, &[&[2, 0, 0, 0, table, 3, 0, kind][..], &flags.to_ne_bytes()].concat())
    }

    fn link(kind: u16, index: u32, flags: u32) -> Vec<u8> {
        message(kind, &[&[0; 4][..], &index.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 4]].concat())
    }

    fn address(kind: u16, flags: u8, scope: u8, value: &[u8]) -> Vec<u8> {
        let length = (ATTRIBUTE_HEAD + value.len()) as u16;
        let attribute = [&length.to_ne_bytes()[..], &IFA_ADDRESS.to_ne_bytes(), value].concat();
        message(kind, &[&[10, 64, flags, scope][..], &3_u32.to_ne_bytes(), &attribute].concat())
    }

    #[test]
    fn a_route_out_is_news_and_one_to_ourselves_is_not() {
        let mut known = Known::default();
        for (datagram, is_news) in [
            (route(254, UNICAST, 0), true),
            (route(254, UNICAST, 0), true),
            (route(TO_OURSELVES, UNICAST, 0), false),
            (route(254, 2, 0), false),
            (route(254, UNICAST, IS_CLONED), false),
            (message(25, &[2, 0, 0, 0, 254, 3, 0, UNICAST, 0, 0, 0, 0]), false),
            ([link(NEW_LINK, 7, 0), route(254, UNICAST, 0)].concat(), true),
        ] {
            assert_eq!(known.hear(&datagram), is_news, "{datagram:?}");
        }
    }

    #[test]
    fn links_and_addresses_are_news_once() {
        let world = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
        let mut known = Known::default();
        for (datagram, is_news) in [
            (link(NEW_LINK, 2, 0), false),
            (link(NEW_LINK, 2, IS_UP), true),
            (link(NEW_LINK, 2, IS_UP), false),
            (link(NEW_LINK, 2, 0), false),
            (link(NEW_LINK, 2, IS_UP), true),
            (link(DELETED_LINK, 2, IS_UP), false),
            (link(NEW_LINK, 2, IS_UP), true),
            (link(NEW_LINK, 1, IS_UP | IS_LOOPBACK), false),
            (address(NEW_ADDRESS, IS_TENTATIVE, UNIVERSE, &world), false),
            (address(NEW_ADDRESS, 0, UNIVERSE, &world), true),
            (address(NEW_ADDRESS, 0, UNIVERSE, &world), false),
            (address(NEW_ADDRESS, 0, 253, &world), false),
            (address(NEW_ADDRESS, 0, UNIVERSE, &world[..4]), true),
            (address(NEW_ADDRESS, 0, UNIVERSE, &world[..5]), false),
            (address(DELETED_ADDRESS, 0, UNIVERSE, &world), false),
            (address(NEW_ADDRESS, 0, UNIVERSE, &world), true),
        ] {
            assert_eq!(known.hear(&datagram), is_news, "{datagram:?}");
        }
        (0..10_000).for_each(|index| assert!(known.hear(&link(NEW_LINK, 100 + index, IS_UP))));
        assert!(known.0.len() <= MOST);
    }

    proptest! {
        #[test]
        fn nothing_that_is_heard_panics(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            survives(&noise);
        }

        #[test]
        fn no_body_of_a_known_type_panics(
            kind in prop::sample::select(vec![NEW_LINK, DELETED_LINK, NEW_ADDRESS, DELETED_ADDRESS, NEW_ROUTE]),
            body in prop::collection::vec(any::<u8>(), 0..60), cut in 0_usize..80, twice in any::<bool>(),
        ) {
            let mut datagram = message(kind, &body);
            if twice {
                datagram.extend(message(kind, &body));
            }
            survives(&datagram);
            survives(&datagram[..cut.min(datagram.len())]);
        }
    }
}
