//! Judges a receiver's certificate: strictly, and for as long as nobody knows the date without the date.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use crate::clock::{Clock, TimeSource, Wall};

/// A moment inside the validity of a whole chain is found in two steps for each certificate of it at most, and chains have
/// up to six above the receiver's own.
const MOST_STEPS: usize = 16;

/// Judges by our clock, not by the system's.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) strict: Arc<WebPkiServerVerifier>,
    pub(super) clock: Clock,
}

/// Whether somebody vouches for the time of `clock`.
pub(super) fn is_known(clock: &Clock) -> bool {
    clock.stamp(clock.now()).source != TimeSource::Unset
}

fn unix(wall: Wall) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_micros(u64::try_from(wall.micros()).unwrap_or(0)))
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _systems_now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let stamp = self.clock.stamp(self.clock.now());
        let at = |moment| self.strict.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, moment);
        match stamp.source {
            TimeSource::Unset => at_some_moment(unix(stamp.wall), unix(Wall::build()), at),
            TimeSource::Rtc | TimeSource::Gnss => at(unix(stamp.wall)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}

/// The verdict at a moment, not before `earliest`, at which every certificate of the chain is valid, if there is one.
fn at_some_moment<T>(start: UnixTime, earliest: UnixTime, verdict: impl Fn(UnixTime) -> Result<T, Error>) -> Result<T, Error> {
    let (mut low, mut high, mut moment) = (earliest.as_secs(), u64::MAX, start.as_secs());
    for _ in 0..MOST_STEPS {
        let error = match verdict(UnixTime::since_unix_epoch(Duration::from_secs(moment))) {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        match &error {
            Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }) => {
                low = low.max(not_before.as_secs());
                moment = low;
            }
            Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
                high = high.min(not_after.as_secs());
                moment = high;
            }
            _ => return Err(error),
        }
        if low > high {
            return Err(error);
        }
    }
    verdict(start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn second(second: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(second))
    }

    /// As a chain with these validities is judged.
    fn chain(validities: &[(u64, u64)], time: UnixTime) -> Result<u64, Error> {
        for (not_before, not_after) in validities {
            if time < second(*not_before) {
                return Err(CertificateError::NotValidYetContext { time, not_before: second(*not_before) }.into());
            }
            if time > second(*not_after) {
                return Err(CertificateError::ExpiredContext { time, not_after: second(*not_after) }.into());
            }
        }
        Ok(time.as_secs())
    }

    proptest! {
        #[test]
        fn a_moment_is_found_exactly_when_there_is_one_and_never_one_before_the_build(
            validities in prop::collection::vec((0_u64..100, 0_u64..100), 1..7),
            (build, up) in (0_u64..100, 0_u64..100),
        ) {
            let validities: Vec<_> = validities.into_iter().map(|(one, other)| (one.min(other), one.max(other))).collect();
            let low = validities.iter().map(|(low, _)| *low).max().unwrap().max(build);
            let high = validities.iter().map(|(_, high)| *high).min().unwrap();
            let found = at_some_moment(second(build + up), second(build), |moment| chain(&validities, moment));
            match found {
                Ok(moment) => prop_assert!((low..=high).contains(&moment)),
                Err(error) => prop_assert!(low > high, "{:?} {}", validities, error),
            }
        }
    }

    #[test]
    fn another_fault_is_told_at_once() {
        let judged = at_some_moment(second(5), second(5), |_| Err::<(), _>(CertificateError::UnknownIssuer.into()));
        assert_eq!(judged, Err(CertificateError::UnknownIssuer.into()));
    }
}
