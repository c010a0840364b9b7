//! Authorities, certificates and servers of tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// From the first day of one year to that of another.
pub(in crate::upstream) type Years = (i32, i32);

/// Long before, and long after, any build.
pub(in crate::upstream) const ALWAYS: Years = (2000, 2100);

/// One that signs certificates.
pub(in crate::upstream) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(in crate::upstream) struct Pair {
    pub(in crate::upstream) certificate: rcgen::Certificate,
    pub(in crate::upstream) key: KeyPair,
}

fn params(names: &[&str], years: Years) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    params
}

fn of_authority(name: &str, years: Years) -> CertificateParams {
    let mut params = params(&[], years);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Authority {
    pub(in crate::upstream) fn new(name: &str) -> Authority {
        Authority(CertifiedIssuer::self_signed(of_authority(name, ALWAYS), KeyPair::generate().unwrap()).unwrap())
    }

    /// One below this one.
    pub(in crate::upstream) fn below(&self, name: &str, years: Years) -> Authority {
        Authority(CertifiedIssuer::signed_by(of_authority(name, years), KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    pub(in crate::upstream) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(in crate::upstream) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub(in crate::upstream) fn issue(&self, names: &[&str], years: Years, usage: ExtendedKeyUsagePurpose) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = params(names, years);
        params.extended_key_usages = vec![usage];
        Pair { certificate: params.signed_by(&key, &self.0).unwrap(), key }
    }

    /// One for a server.
    pub(in crate::upstream) fn server(&self, name: &str, years: Years) -> Pair {
        self.issue(&[name], years, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// One for a vehicle.
    pub(in crate::upstream) fn client(&self, years: Years) -> Pair {
        self.issue(&["vehicle"], years, ExtendedKeyUsagePurpose::ClientAuth)
    }
}

impl Pair {
    /// A server that shows it, with those above it, and asks for a certificate of `clients` where it has one.
    pub(in crate::upstream) fn serve(&self, above: &[&Authority], clients: Option<&Authority>) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain = std::iter::once(self.certificate.der().clone()).chain(above.iter().map(|authority| authority.der()));
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        Arc::new(builder.with_single_cert(chain.collect(), key).unwrap())
    }
}

/// A file in `folder`.
pub(in crate::upstream) fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}
