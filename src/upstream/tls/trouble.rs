//! What rustls says, as a sentence for who has to mend it.

use std::error::Error as StdError;
use std::io;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error};

use super::Trouble;

/// The fault of TLS that is the cause of `error`, however it is wrapped.
pub(super) fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<Error>() {
            return Some(found);
        }
        // The source of an `io::Error` is that of the error inside it, which would be passed over.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    None
}

/// In which a handshake failed.
pub(super) struct Situation<'a> {
    pub(super) host: &'a str,
    pub(super) has_ca: bool,
    pub(super) has_certificate: bool,
}

/// A moment to the minute.
fn minute(moment: UnixTime) -> String {
    let second = i64::try_from(moment.as_secs()).unwrap_or(i64::MAX);
    let told = jiff::Timestamp::from_second(second).map(|moment| moment.strftime("%Y-%m-%d %H:%MZ").to_string());
    told.unwrap_or_else(|_| "a time far away".to_owned())
}

/// Names as webpki shows them: `DnsName("broker.example")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).chars().filter(|c| c.is_ascii_graphic()).collect();
    let mut names: Vec<String> = presented.iter().take(4).map(bare).collect();
    if presented.len() > names.len() {
        names.push("others".to_owned());
    }
    match names.is_empty() {
        true => "no name".to_owned(),
        false => names.join(", "),
    }
}

impl Situation<'_> {
    pub(super) fn explain(&self, error: &Error) -> Trouble {
        let host = self.host;
        match error {
            Error::InvalidCertificate(error) => Trouble::Unreachable(self.of_its_certificate(error)),
            Error::AlertReceived(alert) => self.of_alert(*alert),
            Error::InvalidMessage(_) => Trouble::Unreachable(format!(
                "{host} does not speak TLS on this port, or something on the way answers in its place (a captive portal?); \
                 look at the port in url"
            )),
            Error::PeerIncompatible(_) => Trouble::Unreachable(format!(
                "{host} has no version or cipher of TLS in common with the vehicle; let it speak TLS 1.2 or 1.3"
            )),
            error => Trouble::Unreachable(format!("TLS with {host} failed: {error}")),
        }
    }

    /// What the receiver shows us is not taken.
    fn of_its_certificate(&self, error: &CertificateError) -> String {
        let host = self.host;
        match error {
            CertificateError::ExpiredContext { time, not_after } => format!(
                "the certificate of {host}, or one above it, expired on {} (here it is {}); renew it there",
                minute(*not_after),
                minute(*time)
            ),
            CertificateError::NotValidYetContext { time, not_before } => format!(
                "the certificate of {host}, or one above it, is not good before {} (here it is {}); set the clock that is wrong",
                minute(*not_before),
                minute(*time)
            ),
            CertificateError::NotValidForNameContext { presented, .. } => format!(
                "the certificate is for {}, not for {host}; give it this name or the url that one, unless the network \
                 leads elsewhere (a captive portal, a name server that lies)",
                names(presented)
            ),
            CertificateError::UnknownIssuer if self.has_ca => format!(
                "the certificate of {host} is signed by an authority that is not in ca; put that authority's into it, unless \
                 the network leads elsewhere (a captive portal, a name server that lies)"
            ),
            CertificateError::UnknownIssuer => format!(
                "the certificate of {host} is signed by an authority that this system does not trust; give that authority's \
                 as ca, unless the network leads elsewhere (a captive portal, a name server that lies)"
            ),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                format!("the certificate of {host} is not one for a server; have one made with the usage serverAuth")
            }
            CertificateError::BadSignature => format!(
                "the certificate of {host} is not signed by the authority that it names; look whether ca holds that \
                 authority's certificate of now"
            ),
            error => format!("the certificate of {host} is not taken: {error}; have another one made there"),
        }
    }

    /// What the receiver says against us.
    fn of_alert(&self, alert: AlertDescription) -> Trouble {
        use AlertDescription as Alert;
        let host = self.host;
        match alert {
            Alert::CertificateRequired => {
                Trouble::Refused(format!("{host} asks for a certificate of the vehicle's own; set certificate and key"))
            }
            Alert::HandshakeFailure | Alert::BadCertificate | Alert::NoCertificate if !self.has_certificate => {
                Trouble::Refused(format!(
                    "{host} ended the handshake ({alert:?}): most likely it asks for a certificate of the vehicle's own; set \
                     certificate and key"
                ))
            }
            Alert::CertificateExpired => {
                Trouble::Refused(format!("{host} says that the vehicle's certificate has expired; renew it"))
            }
            Alert::UnknownCA => Trouble::Refused(format!(
                "{host} does not know the authority of the vehicle's certificate; let it trust that one, or get a certificate \
                 of the one it trusts"
            )),
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::AccessDenied
            | Alert::DecryptError => {
                Trouble::Refused(format!("{host} does not take the vehicle's certificate ({alert:?}); get one that it takes"))
            }
            Alert::ProtocolVersion | Alert::InsufficientSecurity | Alert::HandshakeFailure => Trouble::Unreachable(format!(
                "{host} has no version or cipher of TLS in common with the vehicle; let it speak TLS 1.2 or 1.3"
            )),
            Alert::UnrecognisedName => {
                Trouble::Unreachable(format!("{host} does not go by that name there; look at the host in url"))
            }
            alert => Trouble::Unreachable(format!("{host} ended TLS: {alert:?}")),
        }
    }
}
