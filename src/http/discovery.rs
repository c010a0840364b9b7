//! Discovery: phones on the same network find the unit by multicast DNS (RFC 6762) and DNS-SD (RFC 6763), without an
//! address typed in.
//!
//! Told are `_telltale._tcp` (the port of TLS; that of plain HTTP where there is none) and `_http._tcp` (the port of plain
//! HTTP), under the name `telltale-ID.local`, with `id`, `version` and, with TLS, `pin`: the first 16 digits of the pin,
//! enough to choose a unit by and not enough to trust one by. The id is random, made once; neither a VIN, nor a token, nor
//! the host's name is told.
//!
//! Each is told only on interfaces where it would be answered: TLS where it is listened at, plain HTTP where that is
//! trusted or leads to TLS; never on a point-to-point interface (a modem's), and on loopback only what listens there by
//! name. A thread of its own does it; a network that hangs, goes or comes is its concern alone. At the shutdown a goodbye
//! is sent (RFC 6762, 10.1).

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mdns_sd::{DaemonEvent, IfKind, IfPredicate, Receiver, ServiceDaemon, ServiceInfo};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::credentials::random_hex;
use super::tls::write;

/// How often it is seen what the thread has to say.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After a failure.
const TRY_AGAIN: Duration = Duration::from_secs(60);
/// How often the thread looks for interfaces that came or went, in seconds.
const INTERFACES_EVERY_S: u32 = 10;
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// Digits of the pin that are told.
const PIN_PREFIX: usize = 16;

/// A unit's name on the network.
#[derive(Clone, Debug)]
pub(super) struct Discovery {
    id: String,
    /// Whether it was ever told, so that `telltale-ID.local` leads here.
    told: Arc<AtomicBool>,
}

/// What is behind a door, and where it is told.
#[derive(Clone, Debug)]
pub(super) struct Sign {
    kind: &'static str,
    port: u16,
    properties: Vec<(String, String)>,
    on: Vec<SocketAddr>,
    /// Names of interfaces; `None` for all.
    only: Option<Vec<String>>,
}

impl Discovery {
    /// Under the id that `folder` holds, else a new one, which stays there if it can.
    pub(super) fn new(folder: Option<&Path>) -> Discovery {
        let kept = folder.and_then(|folder| std::fs::read_to_string(folder.join(FILE)).ok());
        let kept = kept.map(|text| text.trim().to_owned()).filter(|id| is_id(id));
        let id = kept.unwrap_or_else(|| {
            let id = random_hex::<4>().unwrap_or_else(|_| "00000000".to_owned());
            if let Some(Err(error)) = folder.map(|folder| write(folder, FILE, id.as_bytes())) {
                tracing::warn!(%error, "the unit's id could not be kept; the next start makes another one");
            }
            id
        });
        Discovery { id, told: Arc::default() }
    }

    /// `telltale-ID.local`.
    pub(super) fn name(&self) -> String {
        format!("telltale-{}.local", self.id)
    }

    /// The same, once it leads here.
    pub(super) fn name_in_use(&self) -> Option<String> {
        self.told.load(Ordering::Relaxed).then(|| self.name())
    }

    /// What is told of these doors. Plain HTTP is told on the interfaces `trusted`, and where there is TLS on all.
    pub(super) fn signs(&self, plain: &[SocketAddr], secure: &[SocketAddr], pin: Option<&str>, trusted: &[String]) -> Vec<Sign> {
        let pin = pin.map(|pin| ("pin", pin.get(..PIN_PREFIX).unwrap_or(pin)));
        let basic = [("id", self.id.as_str()), ("version", env!("CARGO_PKG_VERSION"))].into_iter().chain(pin);
        let properties: Vec<_> = basic.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let everywhere = !secure.is_empty() || trusted.iter().any(|name| name == "*");
        let only = (!everywhere).then(|| trusted.to_vec());
        let mut signs = Vec::new();
        let first = if secure.is_empty() { plain } else { secure };
        if let Some(port) = first.first().map(SocketAddr::port) {
            let (on, only) = (first.to_vec(), only.clone());
            signs.push(Sign { kind: "_telltale._tcp.local.", port, properties: properties.clone(), on, only });
        }
        if let Some(port) = plain.first().map(SocketAddr::port) {
            let mut properties = properties;
            properties.extend(secure.first().map(|address| ("https".to_owned(), address.port().to_string())));
            signs.push(Sign { kind: "_http._tcp.local.", port, properties, on: plain.to_vec(), only });
        }
        signs
    }

    /// Tells `signs` until the shutdown.
    pub(super) async fn run(self, signs: Vec<Sign>, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(error) = self.tell(&signs, &shutdown).await {
                tracing::warn!(%error, "phones do not find this unit by themselves; it is tried again in a minute");
                tokio::select! {
                    () = tokio::time::sleep(TRY_AGAIN) => {}
                    () = shutdown.cancelled() => {}
                }
            }
        }
    }

    async fn tell(&self, signs: &[Sign], shutdown: &CancellationToken) -> Result<(), mdns_sd::Error> {
        let thread = ServiceDaemon::new()?;
        let events = self.begin(&thread, signs)?;
        let mut beat = interval(LOOK_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !shutdown.is_cancelled() {
            tokio::select! {
                _ = beat.tick() => {}
                () = shutdown.cancelled() => {}
            }
            for event in events.try_iter() {
                if let DaemonEvent::Announce(..) = event {
                    self.told.store(true, Ordering::Relaxed);
                }
            }
        }
        let gone = thread.shutdown()?;
        // The thread that waits is the runtime's, not ours: it may be the last thing it does.
        let _ = tokio::task::spawn_blocking(move || gone.recv_timeout(GOODBYE)).await;
        Ok(())
    }

    fn begin(&self, thread: &ServiceDaemon, signs: &[Sign]) -> Result<Receiver<DaemonEvent>, mdns_sd::Error> {
        let all = signs.to_vec();
        thread.disable_interface(IfKind::All)?;
        thread.enable_interface(IfKind::Predicate(IfPredicate::new(move |interface| {
            all.iter().any(|sign| sign.is_for(&interface.name, interface.ip()))
        })))?;
        thread.set_ip_check_interval(INTERFACES_EVERY_S)?;
        let events = thread.monitor()?;
        for sign in signs {
            let instance = format!("Telltale {}", self.id);
            let (host, properties) = (format!("{}.", self.name()), sign.properties.as_slice());
            let mut info = ServiceInfo::new(sign.kind, &instance, &host, (), sign.port, properties)?.enable_addr_auto();
            let here = sign.clone();
            info.set_interfaces(vec![IfKind::Predicate(IfPredicate::new(move |interface| {
                here.is_for(&interface.name, interface.ip())
            }))]);
            thread.register(info)?;
        }
        Ok(events)
    }
}

impl Sign {
    /// Whether it is told on this interface, which has this address.
    fn is_for(&self, interface: &str, ip: IpAddr) -> bool {
        let named = self.on.iter().any(|address| address.ip() == ip);
        let any = self.on.iter().any(|address| address.ip().is_unspecified()) && !ip.is_loopback();
        let trusted = self.only.as_ref().is_none_or(|names| names.iter().any(|name| name == interface));
        (named || any) && trusted
    }
}

const FILE: &str = "unit-id";

fn is_id(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("http");
        let first = Discovery::new(Some(&inside));
        assert!(is_id(&first.id), "{}", first.id);
        assert_eq!(Discovery::new(Some(&inside)).id, first.id);
        std::fs::write(inside.join(FILE), "../../x").unwrap();
        assert_ne!(Discovery::new(Some(&inside)).id, first.id);
        assert_eq!(first.name_in_use(), None, "it was not told yet");
    }

    #[test]
    fn each_door_is_told_where_it_would_be_answered() {
        let [any, any_secure, lo] = ["[::]:8080", "[::]:8443", "127.0.0.1:9"].map(|text| text.parse().unwrap());
        let trusted = ["wlan0".to_owned()];
        let discovery = Discovery::new(None);
        let told = |signs: Vec<Sign>| -> Vec<_> {
            let places = [("wlan0", "192.168.4.1"), ("eth0", "10.0.0.7"), ("lo", "127.0.0.1")];
            let on = |sign: &Sign| places.map(|(interface, ip)| sign.is_for(interface, ip.parse().unwrap()));
            signs.iter().map(|sign| (sign.port, on(sign))).collect()
        };
        assert_eq!(told(discovery.signs(&[any], &[], None, &trusted)), [(8080, [true, false, false]); 2]);
        let with_tls = discovery.signs(&[any], &[any_secure], Some(&"ab".repeat(32)), &trusted);
        let texts = |sign: &Sign| sign.properties.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
        let version = format!("version={}", env!("CARGO_PKG_VERSION"));
        let id = format!("id={}", discovery.id);
        assert_eq!(texts(&with_tls[0]), [id.clone(), version.clone(), "pin=abababababababab".to_owned()]);
        assert_eq!(texts(&with_tls[1])[3], "https=8443");
        assert_eq!(told(with_tls), [(8443, [true, true, false]), (8080, [true, true, false])]);
        assert_eq!(told(discovery.signs(&[lo], &[], None, &["lo".to_owned()])), [(9, [false, false, true]); 2]);
        assert_eq!(told(discovery.signs(&[lo], &[any_secure], Some("ab"), &trusted))[1], (9, [false, false, true]));
    }
}
