//! The owner's own certificate and key, in the place of the unit's: PEM files that some authority's tool writes.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::der::Facts;
use crate::clock::Wall;

/// A certificate, with those between it and its authority, and its key. Cheap to clone.
#[derive(Clone)]
pub struct Given {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) facts: Facts,
}

/// What is wrong with a pair of files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GivenFault {
    /// The certificate is none.
    #[error("holds no certificate in PEM (RFC 7468)")]
    Certificate,
    /// The key is none.
    #[error("holds no private key in PEM (RFC 7468)")]
    Key,
    /// The key is of a kind that no client could agree on.
    #[error("holds a key of a kind that is not known")]
    KindOfKey,
    /// The two are not of one pair.
    #[error("is the key of another certificate")]
    Pair,
    /// Its time is over.
    #[error("has expired on {}", day(*.0))]
    Expired(i64),
    /// Its time has not come.
    #[error("is not good before {}", day(*.0))]
    Early(i64),
}

impl GivenFault {
    /// Whether it is the key's file rather than the certificate's.
    pub fn is_of_key(&self) -> bool {
        matches!(self, GivenFault::Key | GivenFault::KindOfKey | GivenFault::Pair)
    }

    /// What would be right.
    pub fn cure(&self) -> &'static str {
        match self {
            GivenFault::Certificate => "give a file that begins with -----BEGIN CERTIFICATE-----, the unit's own first",
            GivenFault::Key => "give a file that has -----BEGIN PRIVATE KEY-----, without a passphrase",
            GivenFault::KindOfKey => "make one of ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits or more",
            GivenFault::Pair => "give the key with which the certificate was asked for",
            GivenFault::Expired(_) => "have it renewed, or leave certificate and key out: the unit makes its own",
            GivenFault::Early(_) => "set the clock, or wait",
        }
    }
}

/// The day of a moment of Unix time.
fn day(second: i64) -> String {
    jiff::Timestamp::from_second(second).map(|moment| moment.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

impl Given {
    /// Reads both, in PEM. Their time may be over: a car whose certificate has run out still tells of a child left behind.
    ///
    /// # Errors
    /// What is wrong with which of them.
    pub fn read(certificate: &[u8], key: &[u8]) -> Result<Given, GivenFault> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(GivenFault::Certificate)?;
        let facts = chain.first().and_then(|first| Facts::of(first)).ok_or(GivenFault::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| GivenFault::Key)?;
        let key = ring::default_provider().key_provider.load_private_key(key).map_err(|_| GivenFault::KindOfKey)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => Ok(Given { certified: Arc::new(certified), facts }),
            Err(rustls::Error::InconsistentKeys(_)) => Err(GivenFault::Pair),
            Err(_) => Err(GivenFault::Certificate),
        }
    }

    /// Whether its time is not now.
    pub fn untimely(&self, now: Wall) -> Option<GivenFault> {
        let now = now.micros().div_euclid(1_000_000);
        let Facts { not_before, not_after, .. } = self.facts;
        if now > not_after {
            return Some(GivenFault::Expired(not_after));
        }
        (now < not_before).then_some(GivenFault::Early(not_before))
    }
}

impl PartialEq for Given {
    fn eq(&self, other: &Given) -> bool {
        self.certified.cert == other.certified.cert
    }
}

/// Never the key.
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").field("not_after", &self.facts.not_after).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_2026: i64 = 1_790_000_000_000_000;

    fn pair() -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["car.example".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2025, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn read(certificate: &str, key: &str) -> Result<Given, GivenFault> {
        Given::read(certificate.as_bytes(), key.as_bytes())
    }

    #[test]
    fn a_pair_is_taken_and_what_is_none_is_told_with_its_cure() {
        let ((certificate, key), (_, other)) = (pair(), pair());
        let given = read(&certificate, &key).unwrap();
        assert!(!format!("{given:?}").contains("BEGIN"));
        assert_eq!(read(&format!("{certificate}{certificate}"), &key).unwrap().certified.cert.len(), 2);
        for (certificate, key, fault, is_of_key) in [
            ("", key.as_str(), "no certificate", false),
            (&key, &key, "no certificate", false),
            (&certificate, "", "no private key", true),
            (&certificate, &certificate, "no private key", true),
            (&certificate, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "kind", true),
            (&certificate, &other, "another certificate", true),
        ] {
            let told = read(certificate, key).unwrap_err();
            assert!(told.to_string().contains(fault), "{told}");
            assert_eq!(told.is_of_key(), is_of_key, "{told}");
            assert!(!told.cure().is_empty());
        }
    }

    #[test]
    fn its_time_is_held_against_the_clock() {
        let (certificate, key) = pair();
        let given = read(&certificate, &key).unwrap();
        let told = |at| given.untimely(Wall::from_micros(at)).map(|fault| fault.to_string());
        assert_eq!(told(IN_2026), None);
        assert_eq!(told(2 * IN_2026).as_deref(), Some("has expired on 2027-01-01"));
        assert_eq!(told(IN_2026 / 2).as_deref(), Some("is not good before 2025-01-01"));
    }
}
