//! The unit's own key and certificate.
//!
//! The key (ECDSA P-256) is made once and stays: what phones pin is its hash, so it outlives certificates, updates and
//! restarts. It is written before it is used, by a rename, so that a power cut leaves a whole file or none; and never over
//! one that is there: a file that cannot be read now may be readable tomorrow, and one that holds no key is moved aside.
//! Where it cannot be written, the unit has a key for this run only, and says so.
//!
//! The certificate is signed by that key itself. While nobody knows the time it is good from 2020 to 2049, since a phone,
//! which does, has to find it good; once the time is known, for 397 days (what browsers take at most for one of an
//! authority), from a day ago, for phones that are slow. It is made anew at two thirds of that, when a name or an address
//! of the unit's is not in it, and when its time is not now.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType, SerialNumber};
use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;

use super::der::Facts;
use crate::clock::Wall;

/// By what the unit may be called: names, and addresses as they are written.
pub(super) type Callings = Vec<String>;

/// 2020-01-01T00:00:00Z.
const FIRST: i64 = 1_577_836_800;
/// 2049-12-31T23:59:59Z, the last that every client can read (UTCTime; RFC 5280, 4.1.2.5).
const LAST: i64 = 2_524_607_999;
const DAY: i64 = 86_400;
/// What browsers take at most (CA/Browser Forum, Baseline Requirements, 6.3.2).
const GOOD_FOR: i64 = 397 * DAY;
/// More names would make a certificate that does not fit a first flight any more.
const MOST_NAMES: usize = 32;

/// The unit's own key, and where it and its certificate are kept.
pub(super) struct Own {
    folder: Option<PathBuf>,
    key: KeyPair,
    signing: Arc<dyn rustls::sign::SigningKey>,
    /// The certificate in force.
    current: Option<(CertificateDer<'static>, Facts)>,
}

/// What a person should know, in a sentence; the daemon goes on.
pub(super) type Complaint = String;

impl Own {
    /// What `folder` holds, else a new key, which stays there if it can. `None` is for this run only.
    ///
    /// # Errors
    /// When the system has no randomness to make a key of.
    pub(super) fn open(folder: Option<PathBuf>) -> io::Result<(Own, Option<Complaint>)> {
        let (key, complaint) = match &folder {
            Some(folder) => keep_key(folder)?,
            None => (new_key()?, None),
        };
        let der = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
        let signing = ring::default_provider().key_provider.load_private_key(der).map_err(io::Error::other)?;
        let mut own = Own { folder, key, signing, current: None };
        own.current = own.kept_certificate();
        Ok((own, complaint))
    }

    /// The certificate to show now, by which the unit may be called `callings`; a new one where the one from before will
    /// not do, which is kept if it can be.
    ///
    /// # Errors
    /// When none can be made.
    pub(super) fn renew(&mut self, now: Option<Wall>, callings: &Callings) -> io::Result<Option<Arc<CertifiedKey>>> {
        let now = now.map(|now| now.micros().div_euclid(1_000_000));
        if self.current.as_ref().is_some_and(|(certificate, facts)| will_do(certificate, facts, now, callings)) {
            return Ok(None);
        }
        let certificate = issue(&self.key, now, callings).map_err(io::Error::other)?;
        let facts = Facts::of(certificate.der()).ok_or_else(|| io::Error::other("a certificate that cannot be read"))?;
        if let Some(folder) = &self.folder {
            if let Err(error) = write(folder, CERTIFICATE, certificate.pem().as_bytes()) {
                tracing::warn!(%error, "the unit's certificate could not be kept; the next start makes another one");
            }
        }
        self.current = Some((certificate.der().clone(), facts));
        Ok(self.certified())
    }

    /// What is shown, once there is a certificate.
    pub(super) fn certified(&self) -> Option<Arc<CertifiedKey>> {
        let (certificate, _) = self.current.as_ref()?;
        Some(Arc::new(CertifiedKey::new(vec![certificate.clone()], self.signing.clone())))
    }

    /// SubjectPublicKeyInfo of the key.
    pub(super) fn public_key(&self) -> Vec<u8> {
        rcgen::PublicKeyData::subject_public_key_info(&self.key)
    }

    /// The one that was kept, if it is of this key.
    fn kept_certificate(&self) -> Option<(CertificateDer<'static>, Facts)> {
        let pem = fs::read(self.folder.as_ref()?.join(CERTIFICATE)).ok()?;
        let certificate = CertificateDer::from_pem_slice(&pem).ok()?;
        let facts = Facts::of(&certificate)?;
        (facts.public_key == self.public_key()).then_some((certificate, facts))
    }
}

/// Whether this certificate can be shown on.
fn will_do(certificate: &CertificateDer<'_>, facts: &Facts, now: Option<i64>, callings: &Callings) -> bool {
    let Facts { not_before, not_after, .. } = *facts;
    let is_timely = now.is_none_or(|now| {
        let length = not_after - not_before;
        length <= GOOD_FOR && now >= not_before && now < not_before + length / 3 * 2
    });
    let Ok(parsed) = ParsedCertificate::try_from(certificate) else { return false };
    let mut names = callings.iter().filter_map(|calling| ServerName::try_from(calling.as_str()).ok()).take(MOST_NAMES);
    is_timely && names.all(|name| verify_server_name(&parsed, &name).is_ok())
}

fn issue(
    key: &KeyPair,
    now: Option<i64>,
    callings: &Callings,
) -> Result<rcgen::Certificate, Box<dyn std::error::Error + Send + Sync>> {
    let mut params = CertificateParams::default();
    let moment = |second: i64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(second).unwrap_or(0));
    let (from, to) = now.map_or((FIRST, LAST), |now| (now - DAY, now - DAY + GOOD_FOR));
    (params.not_before, params.not_after) = (moment(from), moment(to));
    // Firefox refuses a second certificate of the same issuer and number.
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|error| error.to_string())?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, "Telltale unit");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let known = callings.iter().filter(|calling| ServerName::try_from(calling.as_str()).is_ok()).take(MOST_NAMES);
    for calling in known {
        params.subject_alt_names.push(match calling.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(calling.as_str().try_into()?),
        });
    }
    Ok(params.self_signed(key)?)
}

const KEY: &str = "key.pem";
const CERTIFICATE: &str = "certificate.pem";

fn new_key() -> io::Result<KeyPair> {
    KeyPair::generate().map_err(io::Error::other)
}

/// The key in `folder`, else a new one that is put there.
fn keep_key(folder: &Path) -> io::Result<(KeyPair, Option<Complaint>)> {
    let path = folder.join(KEY);
    let shown = path.display();
    let moved = match fs::read(&path) {
        Ok(bytes) => {
            if let Some(key) = std::str::from_utf8(&bytes).ok().and_then(|pem| KeyPair::from_pem(pem).ok()) {
                return Ok((key, None));
            }
            let aside = folder.join("key.pem.damaged");
            let complaint =
                format!("{shown} held no key and was moved to {}: phones that pin have to pair anew", aside.display());
            fs::rename(&path, &aside).map(|()| Some(complaint))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let key = new_key()?;
    let kept = moved.and_then(|complaint| write(folder, KEY, key.serialize_pem().as_bytes()).map(|()| complaint));
    let complaint = kept.unwrap_or_else(|error| {
        Some(format!(
            "{shown}: {error}; the key is another one at each start, and phones that pin stay away, until this is mended"
        ))
    });
    Ok((key, complaint))
}

/// Puts a file into `folder` so that a power cut leaves all of it or what was there before.
pub(in crate::http) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let new = folder.join(format!("{name}.new"));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, folder.join(name))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// 2026-02-20.
    const NOW: i64 = 1_771_546_007;

    fn wall(second: i64) -> Option<Wall> {
        Some(Wall::from_micros(second * 1_000_000))
    }

    fn callings(names: &[&str]) -> Callings {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn facts(own: &Own) -> Facts {
        own.current.as_ref().unwrap().1.clone()
    }

    #[test]
    fn the_key_is_made_once_for_its_owners_eyes_only_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("http");
        let names = callings(&["car.local", "192.168.4.1", "fd00::1", "no name at all"]);
        let (mut own, complaint) = Own::open(Some(inside.clone())).unwrap();
        assert_eq!(complaint, None);
        assert!(own.renew(None, &names).unwrap().is_some());
        for (path, mode) in [(inside.clone(), 0o700), (inside.join(KEY), 0o600), (inside.join(CERTIFICATE), 0o600)] {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
        let (mut again, complaint) = Own::open(Some(inside)).unwrap();
        assert_eq!((again.public_key(), complaint), (own.public_key(), None));
        assert!(again.renew(None, &names).unwrap().is_none(), "the certificate from before will do");
        assert_eq!(again.current, own.current);
    }

    #[test]
    fn a_certificate_lasts_as_long_as_it_should() {
        let names = callings(&["car.local"]);
        let (mut own, _) = Own::open(None).unwrap();
        own.renew(None, &names).unwrap();
        assert_eq!((facts(&own).not_before, facts(&own).not_after), (FIRST, LAST), "nobody knows the time");
        let of_the_key = own.public_key();
        own.renew(wall(NOW), &names).unwrap();
        assert_eq!(facts(&own).not_after - facts(&own).not_before, 397 * DAY);
        assert_eq!(facts(&own).not_before, NOW - DAY, "for phones that are slow");
        for (at, is_renewed) in [
            (None, false),
            (wall(NOW + 263 * DAY), false),
            (wall(NOW + 264 * DAY), true),
            (wall(NOW + 264 * DAY), false),
            (wall(NOW), true),
            (wall(NOW + 3 * 397 * DAY), true),
        ] {
            assert_eq!(own.renew(at, &names).unwrap().is_some(), is_renewed, "{at:?}");
        }
        let serial = |own: &Own| own.current.as_ref().unwrap().0.as_ref()[..40].to_vec();
        let before = serial(&own);
        assert!(own.renew(wall(NOW), &callings(&["car.local", "10.0.0.7"])).unwrap().is_some(), "a new address");
        assert_ne!(serial(&own), before, "another number");
        assert!(own.renew(wall(NOW), &names).unwrap().is_none(), "one that is gone is no reason");
        assert_eq!(facts(&own).public_key, of_the_key);
    }

    #[test]
    fn what_is_damaged_is_moved_aside_and_what_cannot_be_read_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join(KEY);
        fs::write(&key, "-----BEGIN").unwrap();
        fs::write(folder.path().join(CERTIFICATE), "-----BEGIN").unwrap();
        let (own, complaint) = Own::open(Some(folder.path().to_owned())).unwrap();
        assert!(complaint.unwrap().contains("key.pem.damaged: phones that pin"), "it is told");
        assert_eq!(fs::read(folder.path().join("key.pem.damaged")).unwrap(), b"-----BEGIN");
        assert_eq!(Own::open(Some(folder.path().to_owned())).unwrap().0.public_key(), own.public_key(), "the new one stays");

        fs::remove_file(&key).unwrap();
        fs::create_dir(&key).unwrap();
        let (_, complaint) = Own::open(Some(folder.path().to_owned())).unwrap();
        assert!(complaint.unwrap().contains("until this is mended"));
        assert!(key.is_dir(), "nothing is written over it");

        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let (mut own, complaint) = Own::open(Some(file.join("below"))).unwrap();
        assert!(complaint.is_some());
        assert!(own.renew(wall(NOW), &callings(&["car.local"])).unwrap().is_some(), "it goes on without a place for it");
    }

    #[test]
    fn a_certificate_of_another_key_is_not_shown() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        for folder in [&one, &other] {
            Own::open(Some(folder.path().to_owned())).unwrap().0.renew(wall(NOW), &callings(&["car.local"])).unwrap();
        }
        fs::copy(one.path().join(CERTIFICATE), other.path().join(CERTIFICATE)).unwrap();
        assert!(Own::open(Some(other.path().to_owned())).unwrap().0.certified().is_none());
    }
}
