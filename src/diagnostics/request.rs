//! Everything that may be asked of an ECU by OBD-II (SAE J1979) and UDS (ISO 14229-1).
//!
//! [`Request::encode`] is the only way to the bytes of a request, and each variant asks an ECU to tell something. What
//! would change the car has no variant: not OBD-II 04 and 08, not UDS 10, 11, 14, 27, 28, 2E, 2F, 31, 34 to 38, 3D, 85.

use heapless::Vec;

/// Most bytes of a request: 22 with six identifiers.
pub const LONGEST: usize = 13;

/// The functional group of emissions (SAE J1979-2), of which [`Request::EmissionCodes`] and
/// [`Request::EmissionPermanent`] ask.
const EMISSIONS: u8 = 0x33;

/// A question to one ECU, or on a functional address to all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Mode 01: values of now, up to six PIDs at once on CAN. None asks for PID 00, which PIDs there are.
    Current(Vec<u8, 6>),
    /// Mode 02: a PID of freeze frame 0; PID 02 is the code that the frame belongs to.
    Freeze(u8),
    /// Mode 03: confirmed codes.
    Stored,
    /// Mode 07: pending codes.
    Pending,
    /// Mode 0A: permanent codes.
    Permanent,
    /// Mode 09: an info type: 02 the VIN, 04 calibration ids, 06 their check sums, 0A the ECU's name.
    Info(u8),
    /// 19 01: how many codes have a bit of the mask in their status.
    CodeCount(u8),
    /// 19 02: the codes that have a bit of the mask in their status.
    Codes(u8),
    /// 19 04: what was measured when this code was set; record FF is all.
    Snapshot {
        /// Three bytes, as the ECU told it.
        code: [u8; 3],
        /// Which record.
        record: u8,
    },
    /// 19 06: counters and the like of this code; record FF is all.
    Extended {
        /// Three bytes, as the ECU told it.
        code: [u8; 3],
        /// Which record.
        record: u8,
    },
    /// 19 0A: every code that the ECU can have, with its status.
    Supported,
    /// 19 42 of OBDonUDS: codes of the emission group by status; every severity.
    EmissionCodes(u8),
    /// 19 55 of OBDonUDS: permanent codes of the emission group.
    EmissionPermanent,
    /// 22: values by identifier, up to six at once. None asks for nothing that an ECU has, and gets a negative response.
    Data(Vec<u16, 6>),
}

impl Request {
    /// Values of now of up to six PIDs; more are left out.
    pub fn current(pids: &[u8]) -> Request {
        Request::Current(pids.iter().copied().take(6).collect())
    }

    /// Up to six identifiers; more are left out.
    pub fn data(identifiers: &[u16]) -> Request {
        Request::Data(identifiers.iter().copied().take(6).collect())
    }

    /// The bytes that go into an ISO-TP message.
    pub fn encode(&self) -> Vec<u8, LONGEST> {
        let of = |bytes: &[u8]| bytes.iter().copied().take(LONGEST).collect();
        match self {
            Request::Current(pids) if pids.is_empty() => of(&[0x01, 0x00]),
            Request::Current(pids) => [0x01].into_iter().chain(pids.iter().copied()).collect(),
            Request::Freeze(pid) => of(&[0x02, *pid, 0x00]),
            Request::Stored => of(&[0x03]),
            Request::Pending => of(&[0x07]),
            Request::Permanent => of(&[0x0A]),
            Request::Info(kind) => of(&[0x09, *kind]),
            Request::CodeCount(mask) => of(&[0x19, 0x01, *mask]),
            Request::Codes(mask) => of(&[0x19, 0x02, *mask]),
            Request::Snapshot { code: [a, b, c], record } => of(&[0x19, 0x04, *a, *b, *c, *record]),
            Request::Extended { code: [a, b, c], record } => of(&[0x19, 0x06, *a, *b, *c, *record]),
            Request::Supported => of(&[0x19, 0x0A]),
            Request::EmissionCodes(mask) => of(&[0x19, 0x42, EMISSIONS, *mask, 0xFF]),
            Request::EmissionPermanent => of(&[0x19, 0x55, EMISSIONS]),
            Request::Data(identifiers) => {
                [0x22].into_iter().chain(identifiers.iter().flat_map(|identifier| identifier.to_be_bytes())).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each variant once with each kind of content, and a match that no new variant can pass by.
    fn every() -> std::vec::Vec<Request> {
        let (code, record) = ([0x14, 0x2E, 0x31], 0xFF);
        let all = std::vec::Vec::from([
            Request::current(&[]),
            Request::current(&[0x04, 0x08, 0x14, 0x2E, 0x31, 0x85, 0x0C]),
            Request::Freeze(0x04),
            Request::Stored,
            Request::Pending,
            Request::Permanent,
            Request::Info(0x02),
            Request::CodeCount(0xFF),
            Request::Codes(0x0D),
            Request::Snapshot { code, record },
            Request::Extended { code, record },
            Request::Supported,
            Request::EmissionCodes(0x0C),
            Request::EmissionPermanent,
            Request::data(&[]),
            Request::data(&[0xF190, 1, 2, 3, 4, 5, 6]),
        ]);
        let kinds: std::collections::BTreeSet<u8> = all
            .iter()
            .map(|request| match request {
                Request::Current(_) => 0,
                Request::Freeze(_) => 1,
                Request::Stored => 2,
                Request::Pending => 3,
                Request::Permanent => 4,
                Request::Info(_) => 5,
                Request::CodeCount(_) => 6,
                Request::Codes(_) => 7,
                Request::Snapshot { .. } => 8,
                Request::Extended { .. } => 9,
                Request::Supported => 10,
                Request::EmissionCodes(_) => 11,
                Request::EmissionPermanent => 12,
                Request::Data(_) => 13,
            })
            .collect();
        assert_eq!(kinds.len(), 14, "each variant is in the list");
        all
    }

    #[test]
    fn no_request_can_change_the_car() {
        const READING: [u8; 8] = [0x01, 0x02, 0x03, 0x07, 0x09, 0x0A, 0x19, 0x22];
        const FORBIDDEN: [u8; 19] =
            [0x04, 0x08, 0x10, 0x11, 0x14, 0x27, 0x28, 0x2E, 0x2F, 0x31, 0x34, 0x35, 0x36, 0x37, 0x38, 0x3D, 0x85, 0x2C, 0x87];
        for request in every() {
            let bytes = request.encode();
            assert!(READING.contains(&bytes[0]) && !FORBIDDEN.contains(&bytes[0]), "{request:?}: {bytes:02X?}");
        }
    }

    #[test]
    fn requests_are_as_the_standards_write_them() {
        let written: std::vec::Vec<String> =
            every().iter().map(|request| request.encode().iter().map(|byte| format!("{byte:02X}")).collect()).collect();
        assert_eq!(
            written,
            [
                "0100",
                "010408142E3185",
                "020400",
                "03",
                "07",
                "0A",
                "0902",
                "1901FF",
                "19020D",
                "1904142E31FF",
                "1906142E31FF",
                "190A",
                "1942330CFF",
                "195533",
                "22",
                "22F19000010002000300040005"
            ]
        );
    }
}
