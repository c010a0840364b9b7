//! TLS (1.3 and 1.2, by rustls with ring) towards a receiver: whom we trust, and who we are.
//!
//! - **Whom we trust**: the authorities in the site's `ca` (PEM, RFC 7468), else those of the system (`SSL_CERT_FILE` and
//!   `SSL_CERT_DIR` where set, else where the distribution keeps them). Where there is none, nothing is connected to.
//! - **Who we are**: the site's `certificate` and `key` (PEM; PKCS#8, SEC1 or PKCS#1), where the receiver asks for one.
//! - The site's files are read at each connect, and a changed one counts from then on, without a restart. While new files are
//!   broken, or a pair is half swapped, those from before go on, and it is told ([`Tls::complaint`], and once in the log).
//! - No session is resumed: each connection verifies the receiver anew, for the 3 to 4 kB that a full handshake takes.
//!
//! # The clock that may be wrong
//!
//! A unit without a battery for its clock does not know the date until its receiver has a fix, which in a garage is never,
//! and a child left behind cannot wait for it. So while nobody vouches for the time ([`Unset`](crate::clock::TimeSource::Unset)), a certificate
//! that is *not valid yet* or *expired* by the clock that counts from the build is judged at a moment inside the validity of
//! its whole chain instead. Name, chain, signatures and usage are verified as ever, and what had expired when this program
//! was built is refused: that much is known.
//!
//! What that costs: who has stolen the key of a certificate of that very name, which has run out since the build, can pass
//! for the receiver, towards a car that does not know the date. Such a connection is given up once the clock is known
//! ([`Tls::is_clock_known`]), and from then on judgement is strict.

mod judge;
mod trouble;

#[cfg(test)]
pub(super) mod authority;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, InconsistentKeys, RootCertStore};
use sha2::{Digest, Sha256};

use self::judge::Judge;
use super::Trouble;
use super::settings::Settings;
use crate::clock::Clock;

/// A bundle of all public authorities has 230 kB.
const LONGEST_FILE: u64 = 1 << 20;

/// What is wrong with a file, or with what it holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("upstream.{key}: {what}; {cure}")]
pub struct Fault {
    /// `ca`, `certificate` or `key`.
    pub key: &'static str,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub cure: &'static str,
}

/// TLS towards one receiver. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    host: String,
    files: Files,
    clock: Clock,
    current: Mutex<Current>,
}

/// Where the site keeps them.
#[derive(Clone, Debug, Default)]
struct Files {
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// What the files hold.
struct Held {
    ca: Option<Vec<u8>>,
    certificate: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
}

/// A chain and the key of its first.
type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

#[derive(Default)]
struct Current {
    /// With what the files held when it was made.
    config: Option<([u8; 32], Arc<ClientConfig>)>,
    complaint: Option<Fault>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("host", &self.0.host).field("files", &self.0.files).finish_non_exhaustive()
    }
}

impl Tls {
    /// Towards the receiver of these settings; nothing is read yet.
    pub fn new(settings: &Settings, clock: Clock) -> Tls {
        let Settings { ca, certificate, key, .. } = settings.clone();
        let files = Files { ca, certificate, key };
        Tls(Arc::new(Inner { host: settings.url.host.clone(), files, clock, current: Mutex::default() }))
    }

    /// What a connection that is made now goes by. It offers no ALPN.
    ///
    /// # Errors
    /// What is wrong with which file, when there is nothing from before to go on with.
    pub async fn config(&self) -> Result<Arc<ClientConfig>, Fault> {
        let me = self.clone();
        let read = tokio::task::spawn_blocking(move || me.read());
        read.await.unwrap_or_else(|_| Err(fault("ca", "could not be read".to_owned(), "see the log")))
    }

    /// As [`config`](Tls::config), for where a file may be waited for.
    ///
    /// # Errors
    /// As there.
    pub fn read(&self) -> Result<Arc<ClientConfig>, Fault> {
        let made = Held::read(&self.0.files).and_then(|held| {
            let digest = held.digest();
            match &self.current().config {
                Some((before, config)) if *before == digest => return Ok((digest, config.clone())),
                _ => {}
            }
            Ok((digest, Arc::new(self.make(&held)?)))
        });
        let mut current = self.current();
        match (made, &current.config) {
            (Ok((digest, config)), _) => {
                *current = Current { config: Some((digest, config.clone())), complaint: None };
                Ok(config)
            }
            (Err(fault), Some((_, before))) => {
                let before = before.clone();
                if current.complaint.as_ref() != Some(&fault) {
                    tracing::warn!(host = self.0.host, "{fault}; what was read before goes on");
                    current.complaint = Some(fault);
                }
                Ok(before)
            }
            (Err(fault), None) => Err(fault),
        }
    }

    /// What is wrong with the files of now, while what was read before goes on.
    pub fn complaint(&self) -> Option<Fault> {
        self.current().complaint.clone()
    }

    /// Whether somebody vouches for the time. A connection that was made while nobody did is made anew when somebody does.
    pub fn is_clock_known(&self) -> bool {
        judge::is_known(&self.0.clock)
    }

    /// The TLS fault inside `error`, if there is one, as a sentence with its cure: [`Trouble::Refused`] where the receiver
    /// does not take our certificate, else [`Trouble::Unreachable`].
    pub fn explain(&self, error: &(dyn std::error::Error + 'static)) -> Option<Trouble> {
        let files = &self.0.files;
        let situation =
            trouble::Situation { host: &self.0.host, has_ca: files.ca.is_some(), has_certificate: files.certificate.is_some() };
        trouble::find(error).map(|error| situation.explain(error))
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, held: &Held) -> Result<ClientConfig, Fault> {
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(held.roots()?);
        let strict = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|error| fault("ca", error.to_string(), CURE_CA))?;
        let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| fault("ca", error.to_string(), CURE_CA))?;
        let builder =
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Judge { strict, clock: self.0.clock.clone() }));
        let mut config = match held.identity(&provider)? {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| misfit(&error))?,
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

fn fault(key: &'static str, what: String, cure: &'static str) -> Fault {
    Fault { key, what, cure }
}

const CURE_CA: &str = "give a file with the authority's -----BEGIN CERTIFICATE-----";
const CURE_CERTIFICATE: &str = "give a file that begins with -----BEGIN CERTIFICATE-----, the vehicle's own first";
const CURE_KEY: &str = "give a file that has -----BEGIN PRIVATE KEY-----, without a passphrase";
const CURE_FILE: &str = "let the daemon read a file of at most 1 MiB there";
const CURE_SYSTEM: &str =
    "install the system's (ca-certificates), say where they are by SSL_CERT_FILE, or give the receiver's own as ca";

/// What a certificate and a key may have against each other.
fn misfit(error: &rustls::Error) -> Fault {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            fault("key", "is the key of another certificate".to_owned(), "give the key with which the certificate was asked for")
        }
        rustls::Error::InvalidCertificate(_) => fault("certificate", "is no certificate of X.509".to_owned(), CURE_CERTIFICATE),
        _ => fault(
            "key",
            "is of a kind that is not known".to_owned(),
            "make one of ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits or more",
        ),
    }
}

fn read(key: &'static str, path: Option<&Path>) -> Result<Option<Vec<u8>>, Fault> {
    let Some(path) = path else { return Ok(None) };
    let unreadable = |what: String| fault(key, format!("{}: {what}", path.display()), CURE_FILE);
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    match bytes.len() as u64 > LONGEST_FILE {
        true => Err(unreadable("is longer than 1 MiB".to_owned())),
        false => Ok(Some(bytes)),
    }
}

fn certificates(key: &'static str, pem: &[u8], cure: &'static str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let none = || fault(key, "holds no certificate in PEM (RFC 7468)".to_owned(), cure);
    found.ok().filter(|found| !found.is_empty()).ok_or_else(none)
}

impl Held {
    fn read(files: &Files) -> Result<Held, Fault> {
        let Files { ca, certificate, key } = files;
        Ok(Held {
            ca: read("ca", ca.as_deref())?,
            certificate: read("certificate", certificate.as_deref())?,
            key: read("key", key.as_deref())?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for held in [&self.ca, &self.certificate, &self.key] {
            digest.update(held.as_ref().map_or(0, Vec::len).to_be_bytes());
            digest.update(held.as_deref().unwrap_or_default());
        }
        digest.finalize().into()
    }

    /// The authorities that count.
    fn roots(&self) -> Result<RootCertStore, Fault> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            Some(pem) => {
                for authority in certificates("ca", pem, CURE_CA)? {
                    let added = roots.add(authority);
                    added.map_err(|_| fault("ca", "holds what is no certificate of X.509".to_owned(), CURE_CA))?;
                }
            }
            None => {
                // What of the system's is odd is no fault of the site's.
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
                    return Err(fault("ca", format!("is not set, and the system has no authorities{why}"), CURE_SYSTEM));
                }
            }
        }
        Ok(roots)
    }

    /// The vehicle's own certificate, with those between it and its authority, and its key.
    fn identity(&self, provider: &CryptoProvider) -> Result<Option<Identity>, Fault> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else { return Ok(None) };
        let chain = certificates("certificate", certificate, CURE_CERTIFICATE)?;
        let none = |_| fault("key", "holds no private key in PEM (RFC 7468)".to_owned(), CURE_KEY);
        let key = PrivateKeyDer::from_pem_slice(key).map_err(none)?;
        // Asked first, so that a key of an unknown kind is not told as a certificate's fault.
        provider.key_provider.load_private_key(key.clone_key()).map_err(|error| misfit(&error))?;
        Ok(Some((chain, key)))
    }
}
