//! Where a request leaves for the bus: the one place of the daemon that can send.
//!
//! - Nothing here can be made without a [`Permission`], and that comes only of the owner's `diagnostics.transmit = true`.
//! - A socket that can send exists only while an [`Exchange`] does; one exchange at a time.
//! - What leaves is of a service that only reads: OBD `01 02 03 07 09 0A`, UDS `19`, `22`, and `10 01` (the default session).
//!   Any other is [refused](Fault::WouldChange), whoever asks.
//!
//! ISO-TP is the kernel's (`can-isotp`, Linux 5.10) where it has it, else [`isotp`](super::isotp) over a raw socket. Of both the
//! same comes out. Ours chooses STmin once it knows how long an answer will be; the kernel wants to be told before, and gets one
//! with which an answer of any length has [room](Room). Which ECUs answer a question to all 29 bit addresses nobody knows beforehand, and a socket of the kernel hears
//! one ECU: such questions go by the raw socket.

mod socket;
mod voice;

pub use voice::Voice;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use nix::errno::Errno;
use tokio::net::UnixDatagram;
use tokio::task::JoinHandle;

use super::isotp::{Address, Event, Links, Problem, Reception, Refused, Room, Settings};
use crate::clock::{Boot, Clock};
use crate::vehicle::Frame;

/// N_As: how long a frame may wait for room in the interface's queue (ISO 15765-4, table 4).
const N_AS: Duration = Duration::from_millis(1000);
/// Between two tries to find room.
const FULL_PAUSE: Duration = Duration::from_millis(1);

/// The owner allowed it to transmit.
#[derive(Clone, Copy, Debug)]
pub struct Permission(());

impl Permission {
    /// What `diagnostics.transmit` says.
    pub fn granted(transmit: bool) -> Option<Permission> {
        transmit.then_some(Permission(()))
    }
}

/// Whose ISO-TP it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// The kernel's.
    Kernel,
    /// Ours, over a raw socket.
    Own,
}

/// Why nothing can be asked.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The interface cannot be used.
    #[error("{interface}: {}", cure(.source))]
    Socket {
        /// Which.
        interface: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// The request cannot be sent like this.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It is not of a service that only reads.
    #[error("service {0:02X} is not one of those that only read: nothing is sent")]
    WouldChange(u8),
}

fn cure(error: &io::Error) -> String {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EAFNOSUPPORT) => "this kernel has no CAN; it wants the module `can`".into(),
        Some(Errno::EPROTONOSUPPORT) => {
            "this kernel has no such CAN protocol; it wants the module `can-raw` or `can-isotp`".into()
        }
        Some(Errno::ENODEV) => "there is no such CAN interface; `ip link` lists those there are".into(),
        Some(Errno::ENETDOWN) => "the interface is down; it wants to be up, and not listen-only".into(),
        Some(Errno::ENOBUFS) => "no frame could be sent for a second; is anybody else on the bus, at this bitrate?".into(),
        _ => error.to_string(),
    }
}

/// Why a message of an exchange is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// As our ISO-TP knows it.
    #[error(transparent)]
    Here(#[from] Problem),
    /// As the kernel's tells it: the error number of a read.
    #[error("{}", told_by_kernel(*.0))]
    Kernel(Errno),
}

/// What `net/can/isotp.c` means by its errors.
fn told_by_kernel(errno: Errno) -> &'static str {
    match errno {
        Errno::ETIMEDOUT => "the rest of the answer never came",
        Errno::EILSEQ => "a consecutive frame came out of sequence",
        Errno::EBADMSG => "the answer was cut short, or badly filled up",
        Errno::EMSGSIZE => "the request is too long for the other side",
        Errno::ECOMM => "no flow control came, or the request could not be sent, within a second",
        other => other.desc(),
    }
}

/// What an exchange brings.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// An ECU answered.
    Answer {
        /// When it was read.
        at: Boot,
        /// Which.
        from: Address,
        /// What.
        payload: Vec<u8>,
    },
    /// A message is lost: of the request (`from` is where it went) or of an answer.
    Lost {
        /// When that was clear.
        at: Boot,
        /// Whose.
        from: Address,
        /// What befell it.
        why: Lost,
    },
}

/// A way to the ECUs of one interface.
#[derive(Debug)]
pub struct Port {
    interface: String,
    clock: Clock,
    settings: Settings,
    stack: Stack,
    /// The kernel's sockets of the exchange before, while they are closed: an answer must not be given flow control twice.
    closing: Option<JoinHandle<()>>,
}

impl Port {
    /// A way out by `interface`, by the kernel's ISO-TP where it has it, unless `wanted` says which.
    ///
    /// # Errors
    /// There is no such CAN interface, or the kernel's ISO-TP is wanted and not there.
    pub fn open(interface: &str, clock: Clock, settings: Settings, wanted: Option<Stack>, _: Permission) -> Result<Port, Fault> {
        let fault = |source| Fault::Socket { interface: interface.into(), source };
        let stack = match (wanted, socket::kernel_speaks_isotp()) {
            (Some(Stack::Kernel), Err(source)) => return Err(fault(source)),
            (Some(wanted), _) => wanted,
            (None, Ok(())) => Stack::Kernel,
            (None, Err(_)) => Stack::Own,
        };
        // Whether the interface is one of CAN's; also of the kernel's ISO-TP, a socket of which takes its time to close.
        socket::raw(interface, Address::obd_functional(), settings.sending.wire.is_fd()).map_err(fault)?;
        Ok(Port { interface: interface.into(), clock, settings, stack, closing: None })
    }

    /// Whose ISO-TP it is.
    pub fn stack(&self) -> Stack {
        self.stack
    }

    /// Sends a request whose answers have so much room on the bus (of a longer one the first frame, the others while [`Exchange::next`] is waited for), and brings what is answered until the [`Exchange`] is dropped.
    ///
    /// # Errors
    /// The request is not one that only reads, or cannot be sent; the interface cannot be used.
    pub async fn ask(&mut self, to: Address, request: &[u8], room: Room) -> Result<Exchange<'_>, Fault> {
        only_reads(request)?;
        if let Some(closing) = self.closing.take() {
            // It ends in any case; that it panicked would be told on stderr.
            let _ = closing.await;
        }
        let mut links = Links::new(self.settings);
        links.ask_within(to, request, room)?;
        let asked = match (self.stack, to.partners()) {
            (Stack::Kernel, Some(partners)) => self.by_kernel(to, &partners, request, room).await,
            _ => self.by_ourselves(to, links).await,
        };
        match asked {
            Ok(way) => Ok(Exchange { port: self, way }),
            Err(source) => Err(self.fault(source)),
        }
    }

    async fn by_ourselves(&self, to: Address, mut links: Links) -> io::Result<Way> {
        let socket = socket::raw(&self.interface, to, self.settings.sending.wire.is_fd())?;
        let mut first = None;
        links.pass(self.clock.now(), &mut |event| {
            if let Event::Send(frame) = event {
                first = Some(frame);
            }
        });
        if let Some(frame) = first {
            send(&socket, &frame).await?;
        }
        Ok(Way::Own { socket, links: Box::new(links), outbox: VecDeque::new(), told: VecDeque::new() })
    }

    async fn by_kernel(&mut self, to: Address, partners: &[Address], request: &[u8], room: Room) -> io::Result<Way> {
        let mut sockets = Vec::new();
        let separation = room.separation(to.transmit().extended, self.settings.sending.wire.length());
        let reception = Reception { separation, ..self.settings.reception };
        let settings = Settings { reception, ..self.settings };
        let sent = self.send_by_kernel(to, partners, request, settings, &mut sockets).await;
        match sent {
            Ok(()) => Ok(Way::Kernel { sockets, buffer: vec![0; usize::from(self.settings.reception.most) + 1] }),
            Err(error) => {
                self.close(sockets);
                Err(error)
            }
        }
    }

    /// One socket for each that may answer; the last of `sockets` is the one that asks.
    async fn send_by_kernel(
        &self,
        to: Address,
        partners: &[Address],
        request: &[u8],
        settings: Settings,
        sockets: &mut Vec<(Address, UnixDatagram)>,
    ) -> io::Result<()> {
        for address in partners.iter().chain(Some(&to).filter(|to| to.is_functional())) {
            sockets.push((*address, socket::kernel(&self.interface, *address, settings)?));
        }
        match sockets.last() {
            Some((_, sender)) => sender.send(request).await.map(drop),
            None => Ok(()),
        }
    }

    /// To close a socket of the kernel's ISO-TP waits until its message is sent, a second at most, and for the kernel's other
    /// readers: not on this thread.
    fn close(&mut self, sockets: Vec<(Address, UnixDatagram)>) {
        let sockets: Vec<_> = sockets.into_iter().map(|(_, socket)| socket.into_std()).collect();
        self.closing = Some(tokio::task::spawn_blocking(move || drop(sockets)));
    }

    fn fault(&self, source: io::Error) -> Fault {
        Fault::Socket { interface: self.interface.clone(), source }
    }
}

/// Lets through what can change nothing in the car.
fn only_reads(request: &[u8]) -> Result<(), Fault> {
    match request {
        [0x01 | 0x02 | 0x03 | 0x07 | 0x09 | 0x0A | 0x19 | 0x22, ..] | [0x10, 0x01] => Ok(()),
        [service, ..] => Err(Fault::WouldChange(*service)),
        [] => Err(Refused::Empty.into()),
    }
}

/// A request and its answers. Dropped, it ends: nothing more is heard, no flow control is given.
#[derive(Debug)]
pub struct Exchange<'a> {
    port: &'a mut Port,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Own { socket: UnixDatagram, links: Box<Links>, outbox: VecDeque<Frame>, told: VecDeque<Told> },
    Kernel { sockets: Vec<(Address, UnixDatagram)>, buffer: Vec<u8> },
}

impl Exchange<'_> {
    /// What comes next. It waits for ever where nothing does: how long an ECU may take is for the caller to say. Nothing is lost
    /// when the wait is given up and taken up again.
    ///
    /// # Errors
    /// The interface cannot be used any more.
    pub async fn next(&mut self) -> Result<Told, Fault> {
        let told = match &mut self.way {
            Way::Own { socket, links, outbox, told } => own(&self.port.clock, socket, links, outbox, told).await,
            Way::Kernel { sockets, buffer } => of_kernel(&self.port.clock, sockets, buffer).await,
        };
        told.map_err(|source| self.port.fault(source))
    }
}

/// Sends what is due, hears what comes, until there is something to tell.
async fn own(
    clock: &Clock,
    socket: &UnixDatagram,
    links: &mut Links,
    outbox: &mut VecDeque<Frame>,
    told: &mut VecDeque<Told>,
) -> io::Result<Told> {
    let mut bytes = [0; 72];
    loop {
        if let Some(told) = told.pop_front() {
            return Ok(told);
        }
        if let Some(frame) = outbox.front() {
            send(socket, frame).await?;
            outbox.pop_front();
            continue;
        }
        let now = clock.now();
        let mut out = |event: Event<'_>| match event {
            Event::Send(frame) => outbox.push_back(frame),
            Event::Sent => {}
            Event::Answer { from, payload } => told.push_back(Told::Answer { at: now, from, payload: payload.to_vec() }),
            Event::Problem { from, problem } => told.push_back(Told::Lost { at: now, from, why: problem.into() }),
        };
        let deadline = links.deadline();
        if deadline.is_some_and(|deadline| deadline <= now) {
            links.pass(now, &mut out);
            continue;
        }
        let due = async {
            match deadline {
                Some(deadline) => tokio::time::sleep(clock.wait(deadline)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            length = socket.recv(&mut bytes) => {
                if let Some(frame) = bytes.get(..length?).and_then(|bytes| socket::read(bytes, clock.now())) {
                    links.hear(&frame, &mut out);
                }
            }
            () = due => {}
        }
    }
}

/// The interface's queue is short (10 frames, as a rule) and says so by an error, not by making one wait.
async fn send(socket: &UnixDatagram, frame: &Frame) -> io::Result<()> {
    let tries = N_AS.as_millis() / FULL_PAUSE.as_millis();
    for _ in 0..tries {
        match socket.send(&socket::written(frame)).await {
            Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => tokio::time::sleep(FULL_PAUSE).await,
            sent => return sent.map(drop),
        }
    }
    Err(Errno::ENOBUFS.into())
}

async fn of_kernel(clock: &Clock, sockets: &[(Address, UnixDatagram)], buffer: &mut [u8]) -> io::Result<Told> {
    let (from, read) = poll_fn(|context| {
        for (from, socket) in sockets {
            while socket.poll_recv_ready(context).is_ready() {
                match socket.try_recv(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => return Poll::Ready((*from, read)),
                }
            }
        }
        Poll::Pending
    })
    .await;
    let at = clock.now();
    let lost = |why| Ok(Told::Lost { at, from, why });
    match read.map_err(|error| (error.raw_os_error().map(Errno::from_raw), error)) {
        Ok(length) if length == buffer.len() => {
            // The kernel takes messages that are longer than what is wanted here, and cuts them to the buffer.
            let most = u16::try_from(length - 1).unwrap_or(u16::MAX);
            lost(Problem::TooLong { length: u32::from(most) + 1, most }.into())
        }
        Ok(length) => Ok(Told::Answer { at, from, payload: buffer.get(..length).unwrap_or_default().to_vec() }),
        Err((Some(errno @ (Errno::ETIMEDOUT | Errno::EILSEQ | Errno::EBADMSG | Errno::EMSGSIZE | Errno::ECOMM)), _)) => {
            lost(Lost::Kernel(errno))
        }
        Err((_, error)) => Err(error),
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if let Way::Kernel { sockets, .. } = &mut self.way {
            let sockets = std::mem::take(sockets);
            self.port.close(sockets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_owners_word_there_is_no_permission() {
        assert!(Permission::granted(false).is_none() && Permission::granted(true).is_some());
    }

    #[tokio::test]
    async fn an_interface_that_is_not_there_is_told_with_a_cure() {
        let permission = Permission::granted(true).unwrap();
        for wanted in [None, Some(Stack::Own), Some(Stack::Kernel)] {
            let fault = Port::open("telltale-none", Clock::system(), Settings::default(), wanted, permission).unwrap_err();
            let text = fault.to_string();
            assert!(
                text.starts_with("telltale-none: ") && (text.contains("kernel has no") || text.contains("no such CAN")),
                "{text}"
            );
        }
    }

    #[test]
    fn of_all_services_only_those_that_read_are_let_through() {
        let through: Vec<u8> = (0..=255).filter(|service| only_reads(&[*service, 0x02]).is_ok()).collect();
        assert_eq!(through, [0x01, 0x02, 0x03, 0x07, 0x09, 0x0A, 0x19, 0x22]);
        assert!(only_reads(&[0x10, 0x01]).is_ok());
        for change in
            [&[0x04][..], &[0x10, 0x03], &[0x10, 0x81], &[0x10, 0x01, 0x00], &[0x14, 0xFF, 0xFF, 0xFF], &[0x2E, 0xF1, 0x90], &[]]
        {
            assert!(only_reads(change).is_err(), "{change:02X?}");
        }
    }

    /// Our own half, between two ends of a pair of sockets in place of a bus.
    #[tokio::test]
    async fn a_request_and_its_answer_go_through_our_own() {
        let (here, bus) = UnixDatagram::pair().unwrap();
        let clock = Clock::system();
        let mut links = Links::new(Settings::default());
        links.ask(Address::obd_functional(), &[0x09, 0x02]).unwrap();
        let ecu = async {
            let mut bytes = [0; 72];
            let mut said = Vec::new();
            let answer = |data: &[u8]| {
                let data = heapless::Vec::from_slice(data).unwrap();
                let kind = crate::vehicle::FrameKind::Classical;
                socket::written(&Frame { at: Boot::default(), kind, id: 0x7E8, extended: false, data })
            };
            for data in [&[0x10, 8, 0x49, 2, 1, 2, 3, 4], &[0x21, 5, 6, 0, 0, 0, 0, 0]] {
                let length = bus.recv(&mut bytes).await.unwrap();
                let Frame { id, data: heard, .. } = socket::read(&bytes[..length], Boot::default()).unwrap();
                said.push((id, heard.to_vec()));
                bus.send(&answer(data)).await.unwrap();
            }
            said
        };
        let (mut outbox, mut told) = (VecDeque::new(), VecDeque::new());
        let (said, told) = tokio::join!(ecu, own(&clock, &here, &mut links, &mut outbox, &mut told));
        let [request, flow] = &said[..] else { panic!("{said:?}") };
        assert_eq!((request.0, &request.1[..3]), (0x7DF, &[2, 9, 2][..]));
        assert_eq!((flow.0, &flow.1[..3]), (0x7E0, &[0x30, 0, 0][..]));
        let Told::Answer { from, payload, .. } = told.unwrap() else { panic!() };
        assert_eq!((from, payload), (Address::obd(0).unwrap(), vec![0x49, 2, 1, 2, 3, 4, 5, 6]));
    }
}
