//! A CAN socket that can only listen.
//!
//! [`Ear`] holds the socket privately and offers one thing to do with it, [`receive`](Ear::receive). The type has no
//! method that sends and gives its descriptor to nobody but the runtime's poll, so that nothing in the daemon can put a
//! frame on a bus through it; a test reads this folder's sources for calls that could. What the controller itself does on
//! the bus (acknowledge, signal errors) is decided before, by its mode: see [`Link::only_listens`](super::link::Link).
//!
//! The kernel lets through exactly the mapped ids, those that a listener asks for, and the error frames that tell of the controller's condition, stamps
//! each frame when it arrives (`SO_TIMESTAMPNS`), and counts those for which the receive buffer had no room
//! (`SO_RXQ_OVFL`).

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use socketcan::{CanFdSocket, CanFilter, Socket, SocketOptions};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::error_frame;
use super::{ArbitrationId, Filter};
use crate::clock::{Boot, Clock};
use crate::vehicle::{Frame, FrameKind};

/// Bytes of the receive buffer asked for. The kernel takes it twice and counts its own bookkeeping: room for 2,700 frames,
/// over half a second of a full bus at 500 kbit/s.
const RECEIVE_BUFFER: usize = 1 << 20;
/// The kernel takes no more filters for one socket (`CAN_RAW_FILTER_MAX`).
const MOST_FILTERS: usize = 512;

const EXTENDED_FLAG: u32 = 0x8000_0000;
const REMOTE_FLAG: u32 = 0x4000_0000;
const ERROR_FLAG: u32 = 0x2000_0000;
const STANDARD_MASK: u32 = 0x7FF;
const EXTENDED_MASK: u32 = 0x1FFF_FFFF;

/// `sizeof(struct can_frame)`, `sizeof(struct canfd_frame)`: the kernel gives whole frames of one of the two sizes.
const CLASSICAL_SIZE: usize = 16;
const FD_SIZE: usize = 72;

/// What to wait for. An interface that goes down is an error without anything to read.
pub(super) const NEWS: Interest = Interest::READABLE.add(Interest::ERROR);

/// Room for the control messages of one frame: a `timespec` and a counter, each with its head.
const CONTROL_SIZE: usize = 128;

/// An ear on a bus.
pub(super) struct Ear {
    socket: CanFdSocket,
    /// Frames that the kernel had no room for, since the socket was opened.
    lost: u32,
}

/// A frame, and what came with it.
#[derive(Debug, PartialEq)]
pub(super) struct Heard {
    pub(super) frame: Frame,
    /// When it was read.
    pub(super) now: Boot,
    /// Frames that were lost since the one before.
    pub(super) lost: u32,
}

impl Ear {
    /// Listens on `interface` for the frames that one of these filters lets through and for what befalls the controller.
    pub(super) fn open(interface: &str, filters: &[Filter]) -> io::Result<AsyncFd<Ear>> {
        let socket = CanFdSocket::open(interface)?;
        socket.set_nonblocking(true)?;
        socket.set_error_filter(error_frame::MASK)?;
        if filters.len() <= MOST_FILTERS {
            socket.set_filters(&filters.iter().map(|wanted| filter(*wanted)).collect::<Vec<_>>())?;
        } else {
            // The decoder passes over what is not mapped.
            socket.set_filter_accept_all()?;
        }
        // The first needs CAP_NET_ADMIN; without it the system's limit (net.core.rmem_max) counts.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
        }
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        setsockopt(&socket, sockopt::RxqOvfl, &1)?;
        Ear { socket, lost: 0 }.registered()
    }

    #[allow(unsafe_code, reason = "tokio takes a descriptor on trust; this is the one place where it is given one")]
    fn registered(self) -> io::Result<AsyncFd<Ear>> {
        // SAFETY: an `Ear` owns its socket, which is closed when the `Ear` is dropped and not before; nothing puts another
        // in its place, as the field is private to this file and set once; `as_raw_fd` gives that socket's descriptor.
        unsafe { AsyncFd::register_with_interest(self, NEWS) }.map_err(io::Error::from)
    }

    /// The next frame; `WouldBlock` where there is none yet.
    pub(super) fn receive(&mut self, clock: &Clock) -> io::Result<Option<Heard>> {
        let mut bytes = [0; FD_SIZE];
        let mut control = [0; CONTROL_SIZE];
        let (length, stamp, lost) = {
            let mut slices = [IoSliceMut::new(&mut bytes)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let message = recvmsg::<()>(self.socket.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
            let (mut stamp, mut lost) = (None, self.lost);
            for part in message.cmsgs()? {
                match part {
                    ControlMessageOwned::ScmTimestampns(time) => stamp = Some(Duration::from(time)),
                    ControlMessageOwned::RxqOvfl(total) => lost = total,
                    _ => {}
                }
            }
            (message.bytes, stamp, lost)
        };
        let newly = lost.wrapping_sub(self.lost);
        self.lost = lost;
        let now = clock.now();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = stamp.map_or(now, |stamp| arrived(stamp, wall, now));
        Ok(bytes.get(..length).and_then(|bytes| frame(bytes, at)).map(|frame| Heard { frame, now, lost: newly }))
    }
}

impl AsRawFd for Ear {
    /// For the runtime to wait on.
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// A filter that lets data frames through whose id is this one in these bits, and nothing else.
fn filter(wanted: Filter) -> CanFilter {
    let (wanted, mask) = filter_bits(wanted);
    CanFilter::new(wanted, mask)
}

fn filter_bits((ArbitrationId { id, extended }, mask): Filter) -> (u32, u32) {
    if extended {
        (id & EXTENDED_MASK | EXTENDED_FLAG, mask & EXTENDED_MASK | EXTENDED_FLAG | REMOTE_FLAG)
    } else {
        (id & STANDARD_MASK, mask & STANDARD_MASK | EXTENDED_FLAG | REMOTE_FLAG)
    }
}

/// When a frame that the kernel stamped with wall time arrived, in boot time: as long before `now` as the stamp is before
/// `wall`, and at most a second, because wall time may have been set in between.
fn arrived(stamp: Duration, wall: Duration, now: Boot) -> Boot {
    now.before(wall.saturating_sub(stamp).min(Duration::from_secs(1)))
}

/// The frame in the bytes of a `struct can_frame` or `struct canfd_frame`.
fn frame(bytes: &[u8], at: Boot) -> Option<Frame> {
    let id = u32::from_ne_bytes(*bytes.first_chunk()?);
    let kind = match bytes.len() {
        CLASSICAL_SIZE if id & ERROR_FLAG != 0 => FrameKind::Error,
        CLASSICAL_SIZE if id & REMOTE_FLAG != 0 => FrameKind::Remote,
        CLASSICAL_SIZE => FrameKind::Classical,
        FD_SIZE => FrameKind::Fd,
        _ => return None,
    };
    let extended = id & EXTENDED_FLAG != 0 && kind != FrameKind::Error;
    let id = id & if extended || kind == FrameKind::Error { EXTENDED_MASK } else { STANDARD_MASK };
    // Of a remote frame the length is that of the answer.
    let length = if kind == FrameKind::Remote { 0 } else { usize::from(*bytes.get(4)?) };
    let data = heapless::Vec::from_slice(bytes.get(8..8 + length)?).ok()?;
    Some(Frame { at, kind, id, extended, data })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn bytes(id: u32, length: u8, size: usize) -> Vec<u8> {
        let mut bytes = [&id.to_ne_bytes()[..], &[length, 0, 0, 0]].concat();
        bytes.extend((0_u8..).take(size - 8));
        bytes
    }

    #[test]
    fn frames_are_read_as_the_kernel_lays_them_out() {
        let read = |id, length, size| {
            let Frame { kind, id, extended, data, .. } = frame(&bytes(id, length, size), Boot::default()).unwrap();
            (kind, id, extended, data.len())
        };
        assert_eq!(read(0x123, 8, 16), (FrameKind::Classical, 0x123, false, 8));
        assert_eq!(read(0x98FE_F100, 3, 16), (FrameKind::Classical, 0x18FE_F100, true, 3));
        assert_eq!(read(0x4000_0123, 8, 16), (FrameKind::Remote, 0x123, false, 0));
        assert_eq!(read(0x2000_0040, 8, 16), (FrameKind::Error, 0x40, false, 8));
        assert_eq!(read(0x123, 64, 72), (FrameKind::Fd, 0x123, false, 64));
        assert_eq!(frame(&bytes(0x123, 9, 16), Boot::default()), None);
        assert_eq!(frame(&bytes(0x123, 65, 72), Boot::default()), None);
        assert_eq!(frame(&bytes(0x123, 8, 15), Boot::default()), None);
    }

    #[test]
    fn filters_let_through_exactly_the_mapped_ids() {
        let passes = |id, extended, frame: u32| {
            let (wanted, mask) = filter_bits((ArbitrationId { id, extended }, u32::MAX));
            frame & mask == wanted & mask
        };
        assert!(passes(0x123, false, 0x123));
        assert!(!passes(0x123, false, 0x124));
        assert!(!passes(0x123, false, 0x8000_0123), "the 29-bit id of the same number is another");
        assert!(!passes(0x123, false, 0x4000_0123), "a remote frame says nothing");
        assert!(passes(0x18FE_F100, true, 0x98FE_F100));
        assert!(!passes(0x18FE_F100, true, 0x98FE_F101));
        assert!(!passes(0x123, true, 0x123));
        let (wanted, mask) = filter_bits((ArbitrationId { id: 0x7E0, extended: false }, 0x7F0));
        assert!([0x7E0, 0x7EF].iter().all(|id| id & mask == wanted) && 0x7DF & mask != wanted);
    }

    #[test]
    fn a_stamp_becomes_boot_time_within_the_last_second() {
        let (wall, now) = (Duration::from_secs(1_000_000), Boot::from_micros(50_000_000));
        let at = |stamp: Duration| arrived(stamp, wall, now).micros();
        assert_eq!(at(wall - Duration::from_millis(3)), 49_997_000);
        assert_eq!(at(wall + Duration::from_millis(3)), 50_000_000, "wall time was set back");
        assert_eq!(at(Duration::from_secs(5)), 49_000_000, "wall time was set on");
    }

    #[test]
    fn nothing_here_can_send() {
        fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    sources(&path, found);
                } else {
                    found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
                }
            }
        }
        let mut found = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/can"), &mut found);
        assert!(found.len() > 10);
        for (path, text) in &found {
            let code = text.split("#[cfg(test)]").next().unwrap();
            // A request to the kernel about an interface goes over netlink.
            let netlink = path.ends_with("link.rs");
            for call in ["write_frame", "transmit", "sendmsg(", "sendto(", "send(", "libc::write", "unistd::write"] {
                assert!(netlink && call == "send(" || !code.contains(call), "{path} has {call}");
            }
            assert!(path.ends_with("socket.rs") || !code.contains("socketcan::"), "{path} has a CAN socket of its own");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = frame(&bytes, Boot::default());
        }
    }
}
