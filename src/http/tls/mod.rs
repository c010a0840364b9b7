//! TLS (1.3 and 1.2, by rustls with ring), beside plain HTTP, on `http.tls`.
//!
//! - Shown is the unit's own certificate ([`own`]), whose key stays, or the owner's ([`given`]), which a reload swaps.
//!   Connections go on over a swap: they were made under the one from before.
//! - The **pin** is the SHA-256 of SubjectPublicKeyInfo (RFC 7469, 2.4), in hex. The QR code carries it, so that a phone
//!   knows the unit without any authority; a browser, which cannot be told a pin, asks its user once.
//! - Every 10 s it is seen whether the certificate is still right for the time, the names and the addresses of now.
//! - By ALPN (RFC 7301) HTTP/2 goes before HTTP/1.1.
//! - No `Strict-Transport-Security` is sent: it would take from the user of a browser the way past a certificate that no
//!   authority signed (RFC 6797, 8.4 and 12.1), and it counts for every port of a name, so that plain HTTP on a trusted
//!   interface would be gone too.

mod der;
mod given;
mod own;

pub use given::{Given, GivenFault};

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use tokio::time::{MissedTickBehavior, interval};

use self::own::{Callings, Own};
use super::gate::wall_now;
use super::interfaces::own_addresses;
use super::locked;
use crate::clock::Wall;
use crate::feed::Feed;
use crate::health::{Condition, Health};

pub(in crate::http) use self::own::write;

/// How often it is seen whether the certificate is still right.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The part of `/healthz` that tells of it.
const PART: &str = "tls";

/// What is shown to who connects, and may be another one at any time.
#[derive(Debug)]
struct Shown(Mutex<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(locked(&self.0).clone())
    }
}

/// TLS as all listeners share it. Cheap to clone; clones are the same.
#[derive(Clone)]
pub(super) struct Tls(Arc<Inner>);

struct Inner {
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
    source: Source,
    /// Names beside the addresses of now.
    names: Vec<String>,
    /// What is wrong for as long as the daemon runs.
    complaint: Option<String>,
}

/// Where the certificate comes from.
enum Source {
    /// The unit. Its key stays, and so can be told while a renewed certificate is on its way to the disk, as long as that takes.
    Own { own: Mutex<Box<Own>>, public_key: Vec<u8> },
    /// The owner. Nobody waits for anything with this lock.
    Given(Mutex<Given>),
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("names", &self.0.names).finish_non_exhaustive()
    }
}

impl Tls {
    /// With the owner's certificate, else the unit's own out of `folder`, good for `names` and every address.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub(super) fn new(given: Option<Given>, folder: Option<PathBuf>, names: Vec<String>, now: Option<Wall>) -> io::Result<Tls> {
        let (source, certified, complaint) = match given {
            Some(given) => {
                let certified = given.certified.clone();
                (Source::Given(Mutex::new(given)), certified, None)
            }
            None => {
                let (mut own, complaint) = Own::open(folder)?;
                let certified = own.renew(now, &callings(&names))?.or_else(|| own.certified());
                let certified = certified.ok_or_else(|| io::Error::other("there is no certificate to show"))?;
                (Source::Own { public_key: own.public_key(), own: Mutex::new(Box::new(own)) }, certified, complaint)
            }
        };
        let shown = Arc::new(Shown(Mutex::new(certified)));
        let config = Arc::new(config(shown.clone())?);
        Ok(Tls(Arc::new(Inner { shown, config, source, names, complaint })))
    }

    /// What the handshake goes by.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.0.config.clone()
    }

    /// The hash of the public key, in hex.
    pub(super) fn pin(&self) -> String {
        let hash = match &self.0.source {
            Source::Own { public_key, .. } => Sha256::digest(public_key),
            Source::Given(given) => Sha256::digest(&locked(given).facts.public_key),
        };
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Shows the owner's renewed certificate from now on, where the owner's was shown before.
    fn swap(&self, given: Given) {
        if let Source::Given(before) = &self.0.source {
            *locked(&self.0.shown.0) = given.certified.clone();
            *locked(before) = given;
        }
    }

    /// Sees to it that the certificate is right for now.
    fn look(&self, now: Option<Wall>, health: &Health) {
        let found = match &self.0.source {
            Source::Given(given) => match now.and_then(|now| locked(given).untimely(now)) {
                Some(fault) => Err(format!("the certificate of http.certificate {fault}; {}", fault.cure())),
                None => Ok(None),
            },
            Source::Own { own, .. } => locked(own).renew(now, &callings(&self.0.names)).map_err(|error| error.to_string()),
        };
        if let Ok(Some(certified)) = &found {
            *locked(&self.0.shown.0) = certified.clone();
            tracing::info!("the unit's certificate was made anew; its key, and so its pin, is the same");
        }
        match (found.err().as_ref(), &self.0.complaint) {
            (None, None) => health.set(PART, Condition::Ok, ""),
            (Some(told), _) | (None, Some(told)) => health.set(PART, Condition::Degraded, told.clone()),
        }
    }

    /// Looks now and then, for ever.
    pub(super) async fn keep(self, feed: Arc<dyn Feed>, health: Health) {
        let mut beat = interval(LOOK_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            let (me, now, health) = (self.clone(), wall_now(&*feed), health.clone());
            // Signing and writing take their time.
            let _ = tokio::task::spawn_blocking(move || me.look(now, &health)).await;
        }
    }
}

/// The handle by which a reload shows the owner's renewed certificate. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Certificates(pub(super) Option<Tls>);

impl Certificates {
    /// Shows this one from now on, where the owner's was shown before; streams go on.
    pub fn swap(&self, given: &Given) {
        if let Some(tls) = &self.0 {
            tls.swap(given.clone());
        }
    }
}

/// By what the unit may be called now.
fn callings(names: &[String]) -> Callings {
    names.iter().cloned().chain(own_addresses().iter().map(ToString::to_string)).collect()
}

fn config(shown: Arc<Shown>) -> io::Result<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(shown);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
