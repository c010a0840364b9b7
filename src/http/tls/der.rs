//! What is read of a certificate: for how long it is good, and its public key (X.509, RFC 5280, 4.1, in DER, ITU-T X.690).
//!
//! Nothing is judged here: names are rustls's to compare, signatures the client's. What does not have the shape of a
//! certificate is nothing.

/// Of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The first second at which it is good, Unix time.
    pub(super) not_before: i64,
    /// The last one.
    pub(super) not_after: i64,
    /// SubjectPublicKeyInfo, whole: what a pin is the hash of (RFC 7469, 2.4).
    pub(super) public_key: Vec<u8>,
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;

impl Facts {
    /// Those of this certificate.
    pub(super) fn of(certificate: &[u8]) -> Option<Facts> {
        let mut certificate = Reader(Reader(certificate).value(SEQUENCE)?);
        let mut body = Reader(certificate.value(SEQUENCE)?);
        if body.0.first() == Some(&VERSION) {
            body.value(VERSION)?;
        }
        body.value(INTEGER)?;
        for _signature_algorithm_and_issuer in 0..2 {
            body.value(SEQUENCE)?;
        }
        let mut validity = Reader(body.value(SEQUENCE)?);
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        body.value(SEQUENCE)?;
        let public_key = body.whole(SEQUENCE)?.to_vec();
        Some(Facts { not_before, not_after, public_key })
    }
}

/// What is left of some DER.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next element, which has this tag, with its tag and length.
    fn whole(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (head, length) = self.measure(tag)?;
        let (whole, rest) = self.0.split_at_checked(head.checked_add(length)?)?;
        self.0 = rest;
        Some(whole)
    }

    /// The contents of the next element, which has this tag.
    fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (head, _) = self.measure(tag)?;
        self.whole(tag)?.get(head..)
    }

    /// How long the head and the contents of the next element are (X.690, 8.1.3). Nothing here has 16 MiB.
    fn measure(&self, tag: u8) -> Option<(usize, usize)> {
        let (&found, &first) = (self.0.first()?, self.0.get(1)?);
        if found != tag {
            return None;
        }
        match first {
            0..=0x7F => Some((2, usize::from(first))),
            0x81..=0x83 => {
                let head = 2 + usize::from(first & 0x7F);
                let digits = self.0.get(2..head)?;
                Some((head, digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit))))
            }
            _ => None,
        }
    }

    /// The next element as a time (RFC 5280, 4.1.2.5), Unix time.
    fn time(&mut self) -> Option<i64> {
        let (text, year_digits) = match self.0.first()? {
            &UTC_TIME => (self.value(UTC_TIME)?, 2),
            _ => (self.value(GENERALIZED_TIME)?, 4),
        };
        let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
        if text.len() != year_digits + 10 || !text.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let (year, rest) = text.split_at(year_digits);
        let year: i16 = year.parse().ok()?;
        let year = match year_digits {
            2 if year < 50 => 2000 + year,
            2 => 1900 + year,
            _ => year,
        };
        let two = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
        let civil = jiff::civil::DateTime::new(year, two(0)?, two(2)?, two(4)?, two(6)?, two(8)?, 0).ok()?;
        // The last hours of year 9999, which mean for ever, lie outside what jiff tells as a moment.
        let moment = civil.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp());
        Some(moment.unwrap_or(jiff::Timestamp::MAX).as_second())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(tag: u8, text: &str) -> Option<i64> {
        let mut der = vec![tag, text.len() as u8];
        der.extend(text.bytes());
        Reader(&der).time()
    }

    #[test]
    fn times_are_those_of_rfc_5280() {
        assert_eq!(time(UTC_TIME, "200101000000Z"), Some(1_577_836_800));
        assert_eq!(time(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(time(UTC_TIME, "700101000001Z"), Some(1));
        assert_eq!(time(GENERALIZED_TIME, "20500101000000Z"), Some(2_524_608_000));
        assert!(time(GENERALIZED_TIME, "99991231235959Z") > Some(250_000_000_000));
        for wrong in ["200101000000", "201301000000Z", "2001010000Z", "20010100000xZ", "+00101000000Z", ""] {
            assert_eq!(time(UTC_TIME, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_certificate_tells_its_time_and_its_key_and_no_part_of_one_does() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["car.local".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2050, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        let facts = Facts::of(certificate.der()).unwrap();
        assert_eq!((facts.not_before, facts.not_after), (1_577_836_800, 2_524_608_000));
        assert_eq!(facts.public_key, rcgen::PublicKeyData::subject_public_key_info(&key));
        for end in 0..certificate.der().len() {
            assert_eq!(Facts::of(&certificate.der()[..end]), None, "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn no_noise_panics(noise in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Facts::of(&noise);
            let wrapped: Vec<u8> = [SEQUENCE, 0x82, 0, noise.len() as u8, SEQUENCE, 0x80].into_iter().chain(noise).collect();
            let _ = Facts::of(&wrapped);
        }
    }
}
