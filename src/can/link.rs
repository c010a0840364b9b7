//! What the kernel says of a network interface (rtnetlink): whether it is a CAN controller, up, and only listening.
//!
//! One request, one answer, on a socket of its own. Only what is asked for here is read of the answer: `RTM_NEWLINK` with
//! `ifinfomsg`, in it `IFLA_LINKINFO`, in it the kind and, of a real controller, `IFLA_CAN_CTRLMODE` and
//! `IFLA_CAN_STATE` (`linux/rtnetlink.h`, `linux/if_link.h`, `linux/can/netlink.h`).

use std::io;
use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::vehicle::BusCondition;

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const NLM_F_REQUEST: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const ARPHRD_CAN: u16 = 280;
const IFF_UP: u32 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_CAN_STATE: u16 = 4;
const IFLA_CAN_CTRLMODE: u16 = 5;
const CAN_CTRLMODE_LISTENONLY: u32 = 2;
/// Flags in the upper bits of an attribute's type: nested, byte order.
const ATTRIBUTE_TYPE: u16 = 0x3FFF;

/// Longest name of an interface (`IFNAMSIZ` without its zero).
const LONGEST_NAME: usize = 15;

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// It is a CAN interface at all.
    pub is_can: bool,
    /// It is up.
    pub is_up: bool,
    /// `can` of a real controller; `vcan`, `vxcan`; empty where the driver does not say.
    pub kind: String,
    /// The flags of the controller's mode; `None` where it has none, as `vcan`.
    pub mode: Option<u32>,
    /// The condition that the controller is in; `None` where it has none.
    pub condition: Option<BusCondition>,
}

impl Link {
    /// Asks the kernel for the interface `name`; `NotFound` where there is none.
    pub fn query(name: &str) -> io::Result<Link> {
        let request = request(name)?;
        let flags = SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        // The kernel answers before `send` returns; the limit is for one that would not.
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::milliseconds(100))?;
        send(fd.as_raw_fd(), &request, MsgFlags::empty())?;
        let mut answer = vec![0; 1 << 15];
        let length = recv(fd.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        parse(answer.get(..length).unwrap_or_default())
    }

    /// Whether nothing that is on the bus can be disturbed by this interface: it is virtual, or a controller that only
    /// listens.
    pub fn only_listens(&self) -> bool {
        match self.mode {
            Some(flags) => flags & CAN_CTRLMODE_LISTENONLY != 0,
            None => matches!(self.kind.as_str(), "vcan" | "vxcan"),
        }
    }
}

/// Whether what is sent on `interface` can reach a bus; why not, and what would help.
pub fn can_speak(interface: &str) -> Result<(), String> {
    let link = match Link::query(interface) {
        Ok(link) => link,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(format!("there is no interface {interface}: plug the adapter in, or load its driver"));
        }
        // What cannot be asked for may well work.
        Err(_) => return Ok(()),
    };
    let mute = link.mode.is_some_and(|flags| flags & CAN_CTRLMODE_LISTENONLY != 0);
    match (link.is_can, link.is_up, mute) {
        (false, ..) => Err(format!("{interface} is no CAN interface: name another one for the bus")),
        (true, false, _) => Err(format!("{interface} is down: `ip link set {interface} up`")),
        (true, true, true) => Err(format!(
            "{interface} only listens, so nobody can be asked: `ip link set {interface} down`, then `ip link set {interface} \
             up type can bitrate RATE listen-only off`, or ListenOnly=no in its .network file"
        )),
        (true, true, false) => Ok(()),
    }
}

fn request(name: &str) -> io::Result<Vec<u8>> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains('\0') {
        let what = format!("the name of an interface has 1 to {LONGEST_NAME} characters, and `{name}` has not");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let mut message = vec![0; 32];
    let length = 4 + name.len() + 1;
    message.extend((length as u16).to_ne_bytes());
    message.extend(IFLA_IFNAME.to_ne_bytes());
    message.extend(name.as_bytes());
    message.push(0);
    message.resize(message.len().next_multiple_of(4), 0);
    let total = message.len() as u32;
    let head = [&total.to_ne_bytes()[..], &RTM_GETLINK.to_ne_bytes(), &NLM_F_REQUEST.to_ne_bytes()].concat();
    message.iter_mut().zip(head).for_each(|(to, from)| *to = from);
    Ok(message)
}

fn parse(answer: &[u8]) -> io::Result<Link> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer about the interface is cut short");
    let length = u32_at(answer, 0).and_then(|length| usize::try_from(length).ok()).ok_or_else(broken)?;
    let body = answer.get(16..length).ok_or_else(broken)?;
    match u16_at(answer, 4) {
        Some(NLMSG_ERROR) => {
            let code = u32_at(body, 0).ok_or_else(broken)? as i32;
            let error = io::Error::from_raw_os_error(code.saturating_neg());
            // ENODEV.
            Err(if code == -19 { io::Error::new(io::ErrorKind::NotFound, error) } else { error })
        }
        Some(RTM_NEWLINK) => {
            let kind = u16_at(body, 2).ok_or_else(broken)?;
            let flags = u32_at(body, 8).ok_or_else(broken)?;
            let mut link = Link { is_can: kind == ARPHRD_CAN, is_up: flags & IFF_UP != 0, ..Link::default() };
            let attributes = body.get(16..).ok_or_else(broken)?;
            for (_, info) in Attributes(attributes).filter(|(kind, _)| *kind == IFLA_LINKINFO) {
                link.read_info(info);
            }
            Ok(link)
        }
        _ => Err(broken()),
    }
}

impl Link {
    fn read_info(&mut self, info: &[u8]) {
        for (kind, value) in Attributes(info) {
            match kind {
                IFLA_INFO_KIND => {
                    let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
                    self.kind = String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned();
                }
                IFLA_INFO_DATA => Attributes(value).for_each(|(kind, value)| match kind {
                    // struct can_ctrlmode { mask, flags }
                    IFLA_CAN_CTRLMODE => self.mode = u32_at(value, 4),
                    IFLA_CAN_STATE => self.condition = u32_at(value, 0).and_then(condition),
                    _ => {}
                }),
                _ => {}
            }
        }
    }
}

/// `enum can_state`.
fn condition(state: u32) -> Option<BusCondition> {
    match state {
        0 | 1 => Some(BusCondition::Active),
        2 => Some(BusCondition::Passive),
        3 => Some(BusCondition::Off),
        4 => Some(BusCondition::Down),
        _ => None,
    }
}

/// The attributes (`struct rtattr`) in some bytes: type and value of each, up to one that is cut short.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let length = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & ATTRIBUTE_TYPE;
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = [&((value.len() + 4) as u16).to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn answer(kind: &str, data: &[u8]) -> Vec<u8> {
        let info = [attribute(IFLA_INFO_KIND, format!("{kind}\0").as_bytes()), attribute(IFLA_INFO_DATA, data)].concat();
        let mut body = vec![0; 16];
        body[2..4].copy_from_slice(&ARPHRD_CAN.to_ne_bytes());
        body[8..12].copy_from_slice(&(IFF_UP | 0x40).to_ne_bytes());
        body.extend(attribute(IFLA_IFNAME, b"can0\0"));
        body.extend(attribute(IFLA_LINKINFO | 0x8000, &info));
        let head = [(body.len() as u32 + 16).to_ne_bytes(), [0; 4], [0; 4], [0; 4]].concat();
        let mut answer = [head, body].concat();
        answer[4..6].copy_from_slice(&RTM_NEWLINK.to_ne_bytes());
        answer
    }

    fn controller(flags: u32, state: u32) -> Link {
        let mode = [0xFF_u32.to_ne_bytes(), flags.to_ne_bytes()].concat();
        let state = attribute(IFLA_CAN_STATE, &state.to_ne_bytes());
        parse(&answer("can", &[attribute(1, &[0; 32]), state, attribute(IFLA_CAN_CTRLMODE, &mode)].concat())).unwrap()
    }

    #[test]
    fn a_controller_says_whether_it_only_listens_and_how_it_is() {
        let link = controller(CAN_CTRLMODE_LISTENONLY | 0x20, 2);
        let Link { is_can, is_up, kind, condition, .. } = &link;
        assert_eq!((*is_can, *is_up, kind.as_str(), *condition), (true, true, "can", Some(BusCondition::Passive)));
        assert!(link.only_listens());
        assert!(!controller(0x20, 0).only_listens());
        assert!(parse(&answer("vcan", &[])).unwrap().only_listens(), "vcan has no mode");
        assert!(!parse(&answer("slcan", &[])).unwrap().only_listens(), "nobody knows what a serial adapter does");
    }

    #[test]
    fn the_kernel_of_this_machine_answers() {
        let link = Link::query("lo").unwrap();
        assert!(!link.is_can && !link.only_listens());
        assert_eq!(Link::query("no-such-can").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(Link::query("a-name-that-is-too-long").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..120_usize, to in any::<u8>()) {
            let _ = parse(&bytes);
            let mut answer = answer("can", &[]);
            let at = at % answer.len();
            answer[at] = to;
            let _ = parse(&answer);
        }
    }
}
