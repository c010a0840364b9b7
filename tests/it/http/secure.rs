//! A client that speaks TLS and trusts a pin, as a phone's app does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme, SupportedProtocolVersion};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Takes a certificate of this pin for these names, and remembers it.
#[derive(Debug)]
struct Pinned {
    pin: String,
    provider: Arc<CryptoProvider>,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        *self.seen.lock().unwrap() = end_entity.to_vec();
        rustls::client::verify_server_name(&certificate, name)?;
        let digest = Sha256::digest(certificate.subject_public_key_info());
        let pin: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        if pin == self.pin { Ok(ServerCertVerified::assertion()) } else { Err(CertificateError::UnknownIssuer.into()) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What a phone's app goes by.
pub struct App {
    pub pin: String,
    pub name: &'static str,
    pub versions: &'static [&'static SupportedProtocolVersion],
    pub alpn: &'static [&'static str],
}

impl App {
    pub fn new(pin: &str) -> App {
        App { pin: pin.to_owned(), name: "localhost", versions: rustls::ALL_VERSIONS, alpn: &["http/1.1"] }
    }

    /// A connection, and the certificate that it saw.
    pub async fn connect(&self, address: SocketAddr) -> std::io::Result<(TlsStream<TcpStream>, Vec<u8>)> {
        let (provider, seen) = (Arc::new(ring::default_provider()), Arc::default());
        let verifier = Pinned { pin: self.pin.clone(), provider: provider.clone(), seen: Arc::clone(&seen) };
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(self.versions).unwrap();
        let mut config = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(self.name).unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let seen = seen.lock().unwrap().clone();
        Ok((stream, seen))
    }
}
