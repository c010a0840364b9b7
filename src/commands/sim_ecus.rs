//! `telltale sim-ecus`: puts the simulated ECUs on a real CAN interface, so that a test can let the daemon ask them through
//! another one. It sends; the daemon has no part in it. In builds with debug assertions only.

use std::io::{self, ErrorKind};
use std::process::ExitCode;
use std::time::Duration;

use socketcan::{CanDataFrame, CanFrame, CanSocket, EmbeddedFrame, ExtendedId, Frame as _, Id, Socket, StandardId};

use super::{Exit, print};
use crate::clock::{Boot, Clock};
use crate::sim::ecus::{Bus, Live, SETUPS, Setup, setup};
use crate::vehicle::{Frame, FrameKind};

/// Between two looks at the clock where nothing is heard.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// Between two tries to find room in the interface's queue, and how many there are: a second.
const FULL: (Duration, u32) = (Duration::from_millis(1), 1000);

/// Put simulated ECUs on a CAN interface: a test of diagnosis
#[derive(Debug, clap::Args)]
pub struct SimEcus {
    /// The interface, which is up and not listen-only
    #[arg(long, value_name = "NAME")]
    interface: String,
    /// Which car, and how it behaves; one that is none lists them
    #[arg(long, value_name = "NAME", default_value = SETUPS[0].name, value_parser = known)]
    script: &'static Setup,
    /// Leave the ignition off: no ECU answers
    #[arg(long)]
    ignition_off: bool,
}

fn known(name: &str) -> Result<&'static Setup, String> {
    setup(name).ok_or_else(|| {
        let known: Vec<String> = SETUPS.iter().map(|known| format!("{}: {}", known.name, known.about)).collect();
        format!("there are\n  {}", known.join("\n  "))
    })
}

impl SimEcus {
    /// Runs until it is killed.
    pub fn run(self) -> ExitCode {
        let clock = Clock::system();
        let mut bus = self.script.bus(clock.now());
        bus.measure(Live { ignition: !self.ignition_off, ..Live::IDLING });
        let gone = CanSocket::open(&self.interface).and_then(|socket| {
            print(&format!("{} on {}\n", self.script.name, self.interface));
            talk(&socket, &clock, &mut bus)
        });
        match gone {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("telltale: {}: {error}", self.interface);
                Exit::Unavailable.into()
            }
        }
    }
}

/// Hears and answers for as long as the interface is there.
fn talk(socket: &CanSocket, clock: &Clock, bus: &mut Bus) -> io::Result<()> {
    loop {
        let wait = bus.deadline().map_or(LONGEST_WAIT, |due| clock.wait(due).min(LONGEST_WAIT));
        if wait.is_zero() {
            if let Some(frame) = bus.pass(clock.now()).and_then(|frame| written(&frame)) {
                send(socket, &frame)?;
            }
        }
        // A time-out of nothing would wait for ever.
        socket.set_read_timeout(wait.max(Duration::from_micros(100)))?;
        match socket.read_frame() {
            Ok(CanFrame::Data(frame)) => {
                let now = clock.now();
                bus.hear(now, &read(now, &frame));
            }
            Ok(CanFrame::Remote(_) | CanFrame::Error(_)) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The queue is short, and says so by an error.
fn send(socket: &CanSocket, frame: &CanFrame) -> io::Result<()> {
    for _ in 0..FULL.1 {
        match socket.write_frame(frame) {
            Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => std::thread::sleep(FULL.0),
            sent => return sent,
        }
    }
    Err(nix::errno::Errno::ENOBUFS.into())
}

fn read(at: Boot, frame: &CanDataFrame) -> Frame {
    let data = frame.data().iter().copied().take(8).collect();
    Frame { at, kind: FrameKind::Classical, id: frame.raw_id(), extended: frame.is_extended(), data }
}

fn written(frame: &Frame) -> Option<CanFrame> {
    let id = if frame.extended {
        Id::from(ExtendedId::new(frame.id)?)
    } else {
        Id::from(StandardId::new(u16::try_from(frame.id).ok()?)?)
    };
    CanFrame::new(id, &frame.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_same_on_both_sides_of_the_socket() {
        for (id, extended) in [(0x7E8, false), (0x18DA_F110, true), (0x7DF, false), (0x18FE_CA00, true)] {
            let data = [2, 0x41, 0x0D, 0, 1, 2, 3, 4].into_iter().collect();
            let frame = Frame { at: Boot::from_micros(7), kind: FrameKind::Classical, id, extended, data };
            let Some(CanFrame::Data(sent)) = written(&frame) else { panic!("{id:X}") };
            assert_eq!(read(frame.at, &sent), frame);
        }
        let frame =
            Frame { at: Boot::default(), kind: FrameKind::Classical, id: 0x800, extended: false, data: heapless::Vec::new() };
        assert!(written(&frame).is_none());
    }
}
