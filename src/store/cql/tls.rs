//! TLS towards the database: ring, and the roots of the web or those of a file.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::store::StoreError;

/// What the driver encrypts with. `authorities` is a file of certificates in PEM that are trusted alone.
pub(super) fn context(authorities: Option<&Path>) -> Result<Arc<ClientConfig>, StoreError> {
    let roots = match authorities {
        Some(path) => from_file(path)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::NotApplied(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn from_file(path: &Path) -> Result<RootCertStore, StoreError> {
    let failed =
        |why: &dyn std::fmt::Display| StoreError::NotApplied(format!("certificates in {}: {why}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))? {
        let certificate = certificate.map_err(|error| failed(&error))?;
        roots.add(certificate).map_err(|error| failed(&error))?;
    }
    if roots.is_empty() { Err(failed(&"there are none")) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused_with_its_name() {
        let file = tempfile::NamedTempFile::new().expect("makes a file");
        let refused = context(Some(file.path())).expect_err("is refused").to_string();
        assert!(refused.contains(&file.path().display().to_string()), "{refused}");
        assert!(context(Some(Path::new("/nowhere"))).is_err());
        assert!(context(None).is_ok());
    }
}
