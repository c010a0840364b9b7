//! Negative responses (ISO 14229-1, Annex A; SAE J1979 uses the same), and the names of services.

/// An ECU's no: `7F`, the service asked for, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negative {
    /// The service that was asked for.
    pub service: u8,
    /// The response code.
    pub code: u8,
}

/// What to do about a no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// 78: the answer will come, and the wait for it begins anew (P2*).
    Pending,
    /// 21 and 94: busy or short of means; ask again later.
    Busy,
    /// The ECU does not have it, ever: do not ask again.
    NotThere,
    /// Not now: the car is not in a state for it, or something is in the way.
    NotNow,
}

impl Negative {
    /// Reads `7F service code`; what follows is padding.
    pub fn decode(payload: &[u8]) -> Option<Negative> {
        match payload {
            [0x7F, service, code, ..] => Some(Negative { service: *service, code: *code }),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn meaning(self) -> Meaning {
        match self.code {
            0x78 => Meaning::Pending,
            0x21 | 0x94 => Meaning::Busy,
            0x11 | 0x12 | 0x13 | 0x31 => Meaning::NotThere,
            _ => Meaning::NotNow,
        }
    }

    /// The response code in words.
    pub fn words(self) -> &'static str {
        match self.code {
            0x00 => "no code of a negative response",
            0x10 => "refused without a reason",
            0x11 => "service not known",
            0x12 => "sub-function not known",
            0x13 => "wrong length or format",
            0x14 => "answer would be too long",
            0x21 => "busy, ask again",
            0x22 => "conditions are not right",
            0x24 => "requests in the wrong order",
            0x25 => "a part behind the ECU does not answer",
            0x26 => "a failure prevents it",
            0x31 => "not available or out of range",
            0x33 => "security access is needed",
            0x34 => "authentication is needed",
            0x35 => "wrong key",
            0x36 => "too many attempts",
            0x37 => "too soon after the last attempt",
            0x38 => "secured transmission is needed",
            0x39 => "secured transmission is not allowed",
            0x3A => "secured message did not verify",
            0x50 => "certificate: time is not valid",
            0x51 => "certificate: signature is not valid",
            0x52 => "certificate: chain of trust is not valid",
            0x53 => "certificate: wrong type",
            0x54 => "certificate: wrong format",
            0x55 => "certificate: wrong content",
            0x56 => "certificate: wrong scope",
            0x57 => "certificate: revoked",
            0x58 => "ownership was not proven",
            0x59 => "challenge could not be calculated",
            0x5A => "access rights could not be set",
            0x5B => "session key could not be made",
            0x5C => "configuration of data failed",
            0x5D => "de-authentication failed",
            0x70 => "upload or download is not accepted",
            0x71 => "transfer was broken off",
            0x72 => "programming failed",
            0x73 => "wrong block in the sequence",
            0x78 => "the answer will follow",
            0x7E => "sub-function not in this session",
            0x7F => "service not in this session",
            0x81 => "engine speed too high",
            0x82 => "engine speed too low",
            0x83 => "engine is running",
            0x84 => "engine is not running",
            0x85 => "engine has not run long enough",
            0x86 => "temperature too high",
            0x87 => "temperature too low",
            0x88 => "vehicle too fast",
            0x89 => "vehicle too slow",
            0x8A => "pedal pressed too far",
            0x8B => "pedal not pressed far enough",
            0x8C => "gear is not neutral",
            0x8D => "no gear is engaged",
            0x8F => "brake pedal is not pressed",
            0x90 => "selector is not in park",
            0x91 => "torque converter clutch is locked",
            0x92 => "voltage too high",
            0x93 => "voltage too low",
            0x94 => "short of means for now",
            0xF0..=0xFE => "conditions are not right (manufacturer's code)",
            _ => "reserved code",
        }
    }
}

/// What a service is called in plain words, by the first byte of its request; `None` for a byte that is no service.
/// Knowing what others' testers ask includes what Telltale never would.
pub fn service(request: u8) -> Option<&'static str> {
    Some(match request {
        0x01 => "current data",
        0x02 => "freeze frame",
        0x03 => "stored codes",
        0x04 => "clear codes",
        0x05 => "oxygen sensor tests",
        0x06 => "monitor test results",
        0x07 => "pending codes",
        0x08 => "control of a system",
        0x09 => "vehicle information",
        0x0A => "permanent codes",
        0x10 => "diagnostic session",
        0x11 => "reset",
        0x14 => "clear codes",
        0x19 => "trouble codes",
        0x22 => "data by identifier",
        0x23 => "memory by address",
        0x24 => "scaling by identifier",
        0x27 => "security access",
        0x28 => "communication control",
        0x29 => "authentication",
        0x2A => "periodic data",
        0x2C => "definition of identifiers",
        0x2E => "write by identifier",
        0x2F => "input and output control",
        0x31 => "routine control",
        0x34 => "request of a download",
        0x35 => "request of an upload",
        0x36 => "transfer of data",
        0x37 => "end of a transfer",
        0x38 => "request of a file",
        0x3D => "write of memory",
        0x3E => "tester present",
        0x83 => "access timing",
        0x84 => "secured data",
        0x85 => "setting of codes",
        0x86 => "response on event",
        0x87 => "link control",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_pending_is_told_from_every_other_no() {
        let meaning = |code| Negative::decode(&[0x7F, 0x19, code]).unwrap().meaning();
        assert_eq!(meaning(0x78), Meaning::Pending);
        assert!((0..=0xFF).filter(|code| *code != 0x78).all(|code| meaning(code) != Meaning::Pending));
        assert_eq!([meaning(0x21), meaning(0x11), meaning(0x22)], [Meaning::Busy, Meaning::NotThere, Meaning::NotNow]);
        assert_eq!(Negative::decode(&[0x7F, 0x19]), None);
    }
}
