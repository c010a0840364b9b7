//! What an error frame says of the controller, from its raw bits.
//!
//! Linux (`linux/can/error.h`) puts any number of classes into one id, so the classes are tested one by one; a decoder
//! that takes an id for one class reads `CAN_ERR_CRTL | CAN_ERR_CNT`, which is what most drivers send, wrongly.

use crate::vehicle::{BusCondition, Frame, FrameKind};

/// `CAN_ERR_CRTL`: a problem of the controller, detailed in `data[1]`.
const CONTROLLER: u32 = 0x04;
/// `CAN_ERR_BUSOFF`.
const BUS_OFF: u32 = 0x40;
/// `CAN_ERR_RESTARTED`.
const RESTARTED: u32 = 0x100;

/// `CAN_ERR_CRTL_RX_OVERFLOW`: the controller's own buffer was full, and frames are lost.
const OVERFLOW: u8 = 0x01;
/// `CAN_ERR_CRTL_RX_WARNING`, `CAN_ERR_CRTL_TX_WARNING`, `CAN_ERR_CRTL_ACTIVE`: under 128 errors.
const ACTIVE: u8 = 0x04 | 0x08 | 0x40;
/// `CAN_ERR_CRTL_RX_PASSIVE`, `CAN_ERR_CRTL_TX_PASSIVE`: 128 errors or more.
const PASSIVE: u8 = 0x10 | 0x20;

/// The classes worth waking up for. Errors of single frames are none: a bus with many of them changes its condition.
pub(super) const MASK: u32 = CONTROLLER | BUS_OFF | RESTARTED;

/// What `frame` says of its controller's condition; `None` where it says nothing of it, or is no error frame.
pub fn condition(frame: &Frame) -> Option<BusCondition> {
    if frame.kind != FrameKind::Error {
        return None;
    }
    let detail = detail(frame);
    if frame.id & BUS_OFF != 0 {
        Some(BusCondition::Off)
    } else if frame.id & CONTROLLER != 0 && detail & PASSIVE != 0 {
        Some(BusCondition::Passive)
    } else if frame.id & RESTARTED != 0 || (frame.id & CONTROLLER != 0 && detail & ACTIVE != 0) {
        Some(BusCondition::Active)
    } else {
        None
    }
}

/// Whether `frame` says that the controller lost frames.
pub fn lost_frames(frame: &Frame) -> bool {
    frame.kind == FrameKind::Error && frame.id & CONTROLLER != 0 && detail(frame) & OVERFLOW != 0
}

fn detail(frame: &Frame) -> u8 {
    frame.data.get(1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::can::candump::Line;

    fn said(frame: &str) -> (Option<BusCondition>, bool) {
        let text = format!("(1.0) can0 {frame}");
        let frame = Line::parse(text.as_bytes()).unwrap().frame;
        (condition(&frame), lost_frames(&frame))
    }

    #[test]
    fn conditions_come_from_the_class_bits_and_the_second_byte() {
        assert_eq!(said("20000040#0000000000000000"), (Some(BusCondition::Off), false));
        assert_eq!(said("20000204#0030000000008090"), (Some(BusCondition::Passive), false), "with counters");
        assert_eq!(said("20000004#0008000000000000"), (Some(BusCondition::Active), false), "a warning is no passive");
        assert_eq!(said("20000004#0040000000000000"), (Some(BusCondition::Active), false));
        assert_eq!(said("20000100#0000000000000000"), (Some(BusCondition::Active), false));
        assert_eq!(said("20000144#0010000000000000"), (Some(BusCondition::Off), false), "the worst counts");
        assert_eq!(said("20000004#0001000000000000"), (None, true));
        assert_eq!(said("20000088#0000000000000000"), (None, false), "a frame's error is no condition");
        assert_eq!(said("20000004#"), (None, false));
        assert_eq!(said("040#0010000000000000"), (None, false), "no error frame");
    }
}
