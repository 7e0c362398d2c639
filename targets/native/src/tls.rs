//! TLS for both sides, with one cryptography provider, named explicitly.
//!
//! rustls picks a provider by crate features when none is named, and panics when two are compiled in;
//! here it is always `ring`.

use std::sync::Arc;

use edgeway_core::error::{Error, ErrorKind, Result};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Environment variables that say where the system's trust roots are; when one is set, those are trusted too.
const NATIVE_ROOT_VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// How providers are called: Mozilla's roots, and the system's where `SSL_CERT_FILE` or `SSL_CERT_DIR` name
/// them (a private certificate authority, a TLS-inspecting proxy). Offers HTTP/2 and HTTP/1.1.
pub fn client_config() -> Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if NATIVE_ROOT_VARIABLES.iter().any(|name| std::env::var_os(name).is_some()) {
        let native = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(native.certs);
        if added == 0 {
            return Err(Error::new(ErrorKind::Misconfigured, "The gateway's trust roots cannot be read.")
                .source("SSL_CERT_FILE or SSL_CERT_DIR is set, but no certificate could be read from there"));
        }
    }
    client_config_with(roots)
}

/// The same with roots of your own.
pub fn client_config_with(roots: rustls::RootCertStore) -> Result<rustls::ClientConfig> {
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Internal, "The gateway cannot set up TLS.").source(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// How clients are served: the certificate chain and key of two PEM files.
pub fn server_config(certificate: &str, key: &str) -> Result<rustls::ServerConfig, String> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| format!("cannot read the certificate chain {certificate}: {error}"))?;
    if chain.is_empty() {
        return Err(format!("{certificate} holds no certificate"));
    }
    let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("cannot read the private key {key}: {error}"))?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key_der)
        .map_err(|error| format!("{certificate} and {key} do not belong together: {error}"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
