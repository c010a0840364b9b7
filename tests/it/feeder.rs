//! A car beside the daemon: the simulated one, sent at real speed into a FIFO a bus and into a PTY, whoever reads there.
//!
//! As on a wire, what nobody reads is gone: the car does not wait for a daemon, and drives on while none is there.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;
use telltale::can::candump::Line;
use telltale::clock::Wall;
use telltale::sim::{Car, Expected, Output, Place, SCENARIOS, Telling, Timeline};

/// A bus of `car.toml`: its name, its interface, and the FIFO that stands for it.
pub type Wire = (&'static str, &'static str, &'static str);

/// A FIFO a bus.
pub const APART: [Wire; 2] = [("body", "can0", "body.fifo"), ("cabin", "can1", "cabin.fifo")];

/// One FIFO for both, as `candump any` writes it.
pub const TOGETHER: [Wire; 2] = [("body", "can0", "can.fifo"), ("cabin", "can1", "can.fifo")];

/// How the car is connected.
#[derive(Default)]
struct Plugs {
    /// Nobody writes to the FIFOs.
    cut: bool,
    receiver: Option<PtyMaster>,
    ended: bool,
}

/// A car that is being driven. Ends when it goes out of scope.
pub struct Feeder {
    folder: PathBuf,
    plugs: Arc<Mutex<Plugs>>,
    thread: Option<JoinHandle<()>>,
}

impl Feeder {
    /// Drives the car from `ahead` seconds before the first event that `wanted` takes. In `folder` appear the FIFOs of
    /// `wires` and the `receiver`.
    pub fn start(folder: &Path, wires: [Wire; 2], ahead: f64, wanted: impl Fn(Telling) -> bool) -> Feeder {
        let scenario = &SCENARIOS[0];
        let Expected { earliest, .. } =
            Timeline::new(scenario, 1).expected().into_iter().find(|due| wanted(due.telling)).unwrap();
        let within_us = ((earliest - ahead).max(0.0) * 1e6) as u64;
        let car = Car::new(scenario, 1, Place { loops: 0, within_us, wall: Wall::system() }).unwrap();
        for (_, _, fifo) in wires {
            // The second time it is there.
            let _ = nix::unistd::mkfifo(&folder.join(fifo), Mode::S_IRWXU);
        }
        let plugs = Arc::new(Mutex::new(Plugs::default()));
        let mut feeder = Feeder { folder: folder.to_owned(), plugs: plugs.clone(), thread: None };
        feeder.plug_receiver();
        let folder = feeder.folder.clone();
        feeder.thread = Some(std::thread::spawn(move || drive(car, &folder, wires, &plugs)));
        feeder
    }

    /// The receiver's plug is pulled.
    pub fn unplug_receiver(&self) {
        self.plugs().receiver = None;
    }

    /// And put in again: as another device, under the same name.
    pub fn plug_receiver(&self) {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let link = self.folder.join("receiver");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(ptsname_r(&master).unwrap(), link).unwrap();
        self.plugs().receiver = Some(master);
    }

    /// Nobody writes to the FIFOs until [`Feeder::join`].
    pub fn cut(&self) {
        self.plugs().cut = true;
    }

    /// Somebody does again.
    pub fn join(&self) {
        self.plugs().cut = false;
    }

    fn plugs(&self) -> MutexGuard<'_, Plugs> {
        self.plugs.lock().unwrap()
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.plugs().ended = true;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Sends everything when it is due.
fn drive(car: Car, folder: &Path, wires: [Wire; 2], plugs: &Mutex<Plugs>) {
    let begun = Instant::now();
    let start = car.start().wall;
    let mut writers: [Option<File>; 2] = [None, None];
    for (after, output) in car {
        // The car's own pace; nothing waits for anything here.
        std::thread::sleep(after.saturating_sub(begun.elapsed()));
        let mut plugs = plugs.lock().unwrap();
        if plugs.ended {
            return;
        }
        if plugs.cut {
            writers = [None, None];
        }
        match output {
            Output::Frame { bus, mut frame } if !plugs.cut => {
                let at = wires.iter().position(|(name, ..)| *name == bus).unwrap();
                let (_, interface, fifo) = wires[at];
                frame.at = telltale::clock::Boot::from_micros(start.micros()) + after;
                let line = format!("{}\n", Line { interface, frame });
                let writer = writers[at].take().or_else(|| open(&folder.join(fifo)));
                writers[at] = writer.filter(|writer| send(writer, line.as_bytes()));
            }
            Output::Frame { .. } => {}
            Output::Sentence(sentence) => {
                if let Some(receiver) = &mut plugs.receiver {
                    let line = [&*sentence, b"\r\n"].concat();
                    // A full buffer is a reader that has gone.
                    let _ = receiver.write_all(&line);
                }
            }
        }
    }
}

/// The writer's end, where there is a reader.
fn open(path: &Path) -> Option<File> {
    OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).ok()
}

/// Whether the reader is still there. A line that a full FIFO does not take is lost, as a frame is.
fn send(mut wire: &File, line: &[u8]) -> bool {
    match wire.write_all(line) {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}

/// A pause that is part of a story: so long nobody was there.
pub fn meanwhile(duration: Duration) {
    std::thread::sleep(duration);
}
