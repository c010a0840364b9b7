//! Sockets that can send: raw CAN, and the kernel's own ISO-TP (`linux/can/isotp.h`).
//!
//! Nothing outside of [`port`](super) can make one, and that only with a [`Permission`](super::Permission).

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc::{AF_CAN, CAN_RAW, c_int};
use socket2::{Domain, Protocol, SockAddr, Type};
use socketcan::{CanAddr, CanFilter, ExtendedId, Id, SocketOptions, StandardId};
use tokio::net::UnixDatagram;

use super::super::isotp::{Address, Settings};
use crate::can::ArbitrationId;
use crate::clock::Boot;
use crate::vehicle::{Frame, FrameKind};

const EXTENDED_FLAG: u32 = 0x8000_0000;
const REMOTE_FLAG: u32 = 0x4000_0000;
const ERROR_FLAG: u32 = 0x2000_0000;
const STANDARD_MASK: u32 = 0x7FF;
const EXTENDED_MASK: u32 = 0x1FFF_FFFF;

/// `sizeof(struct can_frame)`, `sizeof(struct canfd_frame)`: `CAN_MTU`, `CANFD_MTU`.
const CLASSICAL_SIZE: u8 = 16;
const FD_SIZE: u8 = 72;

const SOL_CAN_RAW: c_int = 101;
const CAN_RAW_FILTER: c_int = 1;
const CAN_RAW_FD_FRAMES: c_int = 5;

/// `linux/can.h`: the protocol, and `SOL_CAN_BASE` + that.
const CAN_ISOTP: c_int = 6;
const SOL_CAN_ISOTP: c_int = 106;
/// `linux/can/isotp.h`.
const CAN_ISOTP_OPTS: c_int = 1;
const CAN_ISOTP_RECV_FC: c_int = 2;
const CAN_ISOTP_LL_OPTS: c_int = 5;
const EXTEND_ADDR: u32 = 0x002;
const TX_PADDING: u32 = 0x004;
const RX_EXT_ADDR: u32 = 0x200;
const SF_BROADCAST: u32 = 0x800;

/// `struct can_isotp_options`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct IsoTpOptions {
    flags: u32,
    /// 0: as it is.
    frame_txtime: u32,
    ext_address: u8,
    txpad_content: u8,
    rxpad_content: u8,
    rx_ext_address: u8,
}

/// `struct can_isotp_fc_options`.
#[repr(C)]
struct FlowOptions {
    bs: u8,
    stmin: u8,
    wftmax: u8,
}

/// `struct can_isotp_ll_options`.
#[repr(C)]
struct LinkOptions {
    mtu: u8,
    tx_dl: u8,
    tx_flags: u8,
}

/// A socket of the CAN family before it is bound: its options can be set.
struct Unbound(socket2::Socket);

impl AsRawFd for Unbound {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl SocketOptions for Unbound {}

impl Unbound {
    fn new(kind: Type, protocol: c_int) -> io::Result<Unbound> {
        let socket = socket2::Socket::new(Domain::from(AF_CAN), kind, Some(Protocol::from(protocol)))?;
        socket.set_nonblocking(true)?;
        Ok(Unbound(socket))
    }

    /// Neither std nor tokio has a type for datagrams of any family. `UnixDatagram` does nothing with its socket but wait,
    /// `read`, `write`, `recv` and `send`, as every family has them, and so serves here.
    fn bind(self, address: CanAddr) -> io::Result<UnixDatagram> {
        self.0.bind(&SockAddr::from(address))?;
        UnixDatagram::from_std(OwnedFd::from(self.0).into())
    }
}

/// Whether the kernel speaks ISO-TP: it says no where it has no such module.
pub(super) fn kernel_speaks_isotp() -> io::Result<()> {
    Unbound::new(Type::DGRAM, CAN_ISOTP).map(drop)
}

/// A raw socket that hears what may be an answer to `to`, and nothing else.
pub(super) fn raw(interface: &str, to: Address, fd: bool) -> io::Result<UnixDatagram> {
    let socket = Unbound::new(Type::RAW, CAN_RAW)?;
    let (ArbitrationId { id, extended }, mask) = to.filter();
    let flag = if extended { EXTENDED_FLAG } else { 0 };
    let filter = CanFilter::new(id | flag, mask | EXTENDED_FLAG | REMOTE_FLAG);
    socket.set_socket_option_mult(SOL_CAN_RAW, CAN_RAW_FILTER, &[filter])?;
    if fd {
        socket.set_socket_option(SOL_CAN_RAW, CAN_RAW_FD_FRAMES, &1_i32)?;
    }
    socket.bind(CanAddr::from_iface(interface)?)
}

/// A raw socket that hears nothing.
pub(super) fn deaf(interface: &str) -> io::Result<UnixDatagram> {
    let socket = Unbound::new(Type::RAW, CAN_RAW)?;
    socket.set_filter_drop_all()?;
    socket.bind(CanAddr::from_iface(interface)?)
}

/// A socket of the kernel's ISO-TP: a read is a message from there, a write one to there. For a functional address it can only
/// send, single frames.
pub(super) fn kernel(interface: &str, to: Address, settings: Settings) -> io::Result<UnixDatagram> {
    let socket = Unbound::new(Type::DGRAM, CAN_ISOTP)?;
    let wire = settings.sending.wire;
    let reception = settings.reception;
    socket.set_socket_option(SOL_CAN_ISOTP, CAN_ISOTP_OPTS, &options(to, settings))?;
    let flow = FlowOptions { bs: reception.block_size, stmin: reception.separation, wftmax: 0 };
    socket.set_socket_option(SOL_CAN_ISOTP, CAN_ISOTP_RECV_FC, &flow)?;
    let mtu = if wire.is_fd() { FD_SIZE } else { CLASSICAL_SIZE };
    let link = LinkOptions { mtu, tx_dl: u8::try_from(wire.length()).unwrap_or(8), tx_flags: 0 };
    socket.set_socket_option(SOL_CAN_ISOTP, CAN_ISOTP_LL_OPTS, &link)?;
    // One that only broadcasts has no id to hear: the kernel passes over it.
    let nobody = ArbitrationId { id: 0, extended: false };
    let (receive, transmit) = (id(to.receive().unwrap_or(nobody))?, id(to.transmit())?);
    socket.bind(CanAddr::from_iface_isotp(interface, receive, transmit)?)
}

fn options(to: Address, settings: Settings) -> IsoTpOptions {
    let mut options = IsoTpOptions::default();
    if let Some(prefix) = to.transmit_prefix() {
        options.flags |= EXTEND_ADDR | RX_EXT_ADDR;
        options.ext_address = prefix;
        options.rx_ext_address = to.receive_prefix().unwrap_or(prefix);
    }
    if let Some(padding) = settings.sending.wire.padding() {
        options.flags |= TX_PADDING;
        options.txpad_content = padding;
    }
    if to.is_functional() {
        options.flags |= SF_BROADCAST;
    }
    options
}

fn id(ArbitrationId { id, extended }: ArbitrationId) -> io::Result<Id> {
    let standard = || u16::try_from(id).ok().and_then(StandardId::new).map(Id::from);
    let id = if extended { ExtendedId::new(id).map(Id::from) } else { standard() };
    id.ok_or_else(|| Errno::EINVAL.into())
}

/// A frame as the kernel wants it: `struct can_frame` or `struct canfd_frame`.
pub(super) fn written(frame: &Frame) -> heapless::Vec<u8, { FD_SIZE as usize }> {
    let flag = if frame.extended { EXTENDED_FLAG } else { 0 };
    let size = if frame.kind == FrameKind::Fd { FD_SIZE } else { CLASSICAL_SIZE };
    let head = (frame.id | flag).to_ne_bytes();
    let length = [frame.data.len() as u8, 0, 0, 0];
    let bytes = head.into_iter().chain(length).chain(frame.data.iter().copied()).chain(std::iter::repeat(0));
    bytes.take(usize::from(size)).collect()
}

/// The data frame in such bytes.
pub(super) fn read(bytes: &[u8], at: Boot) -> Option<Frame> {
    let id = u32::from_ne_bytes(*bytes.first_chunk()?);
    let kind = match u8::try_from(bytes.len()).ok()? {
        _ if id & (ERROR_FLAG | REMOTE_FLAG) != 0 => return None,
        CLASSICAL_SIZE => FrameKind::Classical,
        FD_SIZE => FrameKind::Fd,
        _ => return None,
    };
    let extended = id & EXTENDED_FLAG != 0;
    let length = usize::from(*bytes.get(4)?);
    let data = heapless::Vec::from_slice(bytes.get(8..8 + length)?).ok()?;
    Some(Frame { at, kind, id: id & if extended { EXTENDED_MASK } else { STANDARD_MASK }, extended, data })
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use super::*;

    #[test]
    fn structures_are_as_long_as_the_kernel_has_them() {
        assert_eq!([size_of::<IsoTpOptions>(), size_of::<FlowOptions>(), size_of::<LinkOptions>()], [12, 3, 3]);
        assert_eq!(
            (SOL_CAN_RAW, CAN_RAW_FILTER, CAN_RAW_FD_FRAMES),
            (socketcan::socket::SOL_CAN_RAW, socketcan::socket::CAN_RAW_FILTER, socketcan::socket::CAN_RAW_FD_FRAMES)
        );
    }

    #[test]
    fn the_kernel_is_told_how_frames_are_addressed_and_filled_up() {
        let of = |to| options(to, Settings::default());
        let plain = IsoTpOptions { flags: TX_PADDING, txpad_content: 0xCC, ..IsoTpOptions::default() };
        assert_eq!(of(Address::fixed(0x10, 0xF1)), plain);
        assert_eq!(of(Address::obd_functional()), IsoTpOptions { flags: TX_PADDING | SF_BROADCAST, ..plain });
        let (to, from) = (ArbitrationId { id: 0x6F1, extended: false }, ArbitrationId { id: 0x612, extended: false });
        let flags = TX_PADDING | EXTEND_ADDR | RX_EXT_ADDR;
        assert_eq!(
            of(Address::extended(to, from, 0x12, 0xF1)),
            IsoTpOptions { flags, ext_address: 0x12, rx_ext_address: 0xF1, ..plain }
        );
    }

    #[test]
    fn frames_are_read_as_they_are_written() {
        for (kind, id, extended, length, size) in [
            (FrameKind::Classical, 0x7E0, false, 8, 16),
            (FrameKind::Classical, 0x18DA_10F1, true, 3, 16),
            (FrameKind::Fd, 0x7E0, false, 64, 72),
        ] {
            let frame = Frame { at: Boot::default(), kind, id, extended, data: (0..length).collect() };
            assert_eq!(written(&frame).len(), size);
            assert_eq!(read(&written(&frame), frame.at), Some(frame));
        }
        assert_eq!(read(&[0; 15], Boot::default()), None);
        assert_eq!(read(&[&0x2000_0004_u32.to_ne_bytes()[..], &[8; 12]].concat(), Boot::default()), None, "an error frame");
    }
}
