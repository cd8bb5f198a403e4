//! Stores by https: whom to trust, who this is, and under which name a store is known.
//!
//! The one file that knows the provider of cryptography.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{
    Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider, parse_pem,
};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::store::stamp::Stamp;

/// Where systems have the certificates that they trust.
const SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Whom to trust and who this is, out of files that are read again when they change.
#[derive(Debug)]
pub(crate) struct Trust {
    ca: PathBuf,
    /// The certificates by which this program shows who it is, and their key.
    client: Option<[PathBuf; 2]>,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    config: TlsConfig,
    /// Of each file.
    stamps: Vec<Option<Stamp>>,
}

impl Trust {
    /// Trusts what is in the file, or what the system trusts.
    ///
    /// # Errors
    /// Which file cannot be read, or has nothing in it of what it should have.
    pub(crate) fn read(ca_file: Option<&Path>, client: Option<[PathBuf; 2]>) -> io::Result<Trust> {
        let system = || SYSTEM.iter().map(Path::new).find(|path| path.is_file());
        let ca = ca_file.or_else(system).ok_or_else(|| {
            io::Error::other("https needs a --ca-file: there is none of the system's here")
        })?;
        let stamps = stamps(ca, client.as_ref());
        let config = config(ca, client.as_ref())?;
        let current = Mutex::new(Current { config, stamps });
        Ok(Trust { ca: ca.to_owned(), client, current })
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the files said when they were last read whole.
    pub(crate) fn config(&self) -> TlsConfig {
        self.lock().config.clone()
    }

    /// Reads the files again if one of them changed. True if it did: connections are to be made anew.
    ///
    /// # Errors
    /// What is wrong with them, perhaps because not all of them are written yet; what they said before
    /// stays in force, and they are read again when this is asked again.
    pub(crate) fn refresh(&self) -> io::Result<bool> {
        let stamps = stamps(&self.ca, self.client.as_ref());
        if self.lock().stamps == stamps {
            return Ok(false);
        }
        let config = config(&self.ca, self.client.as_ref())?;
        *self.lock() = Current { config, stamps };
        Ok(true)
    }
}

fn stamps(ca: &Path, client: Option<&[PathBuf; 2]>) -> Vec<Option<Stamp>> {
    let own = client.into_iter().flatten().map(PathBuf::as_path);
    let stamp = |path: &Path| fs::metadata(path).ok().map(|status| Stamp::of(&status));
    [ca].into_iter().chain(own).map(stamp).collect()
}

fn config(ca: &Path, client: Option<&[PathBuf; 2]>) -> io::Result<TlsConfig> {
    let (_, roots) = certificates("--ca-file", ca)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = client.map(|[certificate, key]| client_cert(certificate, key, &provider));
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::new_with_certs(&roots))
        .client_cert(client.transpose()?)
        .unversioned_rustls_crypto_provider(provider)
        .build())
}

/// What is in a file, and the certificates in that.
fn certificates(flag: &str, path: &Path) -> io::Result<(Vec<u8>, Vec<Certificate<'static>>)> {
    let pem = fs::read(path).map_err(|error| failed(flag, path, &error.to_string()))?;
    let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    match certificates.is_empty() {
        true => Err(failed(flag, path, "there is no certificate in it")),
        false => Ok((pem, certificates)),
    }
}

fn failed(flag: &str, path: &Path, why: &str) -> io::Error {
    io::Error::other(format!("{flag} {}: {why}", path.display()))
}

/// Certificates and their key. That they belong together is asked here, for who makes connections takes it
/// for granted.
fn client_cert(
    certificate: &Path,
    key: &Path,
    provider: &rustls::crypto::CryptoProvider,
) -> io::Result<ClientCert> {
    let (chain_pem, chain) = certificates("--client-cert", certificate)?;
    let flag = "--client-key";
    let pem = fs::read(key).map_err(|error| failed(flag, key, &error.to_string()))?;
    let none = |_| failed(flag, key, "there is no private key in it that is not encrypted");
    let own_key = PrivateKeyDer::from_pem_slice(&pem).map_err(none)?;
    let own_chain = CertificateDer::pem_slice_iter(&chain_pem).collect::<Result<Vec<_>, _>>();
    let own_chain =
        own_chain.map_err(|error| failed("--client-cert", certificate, &error.to_string()))?;
    CertifiedKey::from_der(own_chain, own_key, provider)
        .map_err(|error| failed(flag, key, &format!("it is not the certificate's: {error}")))?;
    let key = PrivateKey::from_pem(&pem).map_err(|error| failed(flag, key, &error.to_string()))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

/// Looks up a host that goes by another name in requests.
#[derive(Debug)]
pub(crate) struct Renamed {
    /// Where it is.
    pub(crate) real: Uri,
    pub(crate) resolver: DefaultResolver,
}

impl Resolver for Renamed {
    fn resolve(
        &self,
        _: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.resolver.resolve(&self.real, config, timeout)
    }
}

/// The address with another host in it.
pub(crate) fn renamed(url: &str, name: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let port = uri.port().map_or(String::new(), |port| format!(":{port}"));
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Some(format!("{}://{name}{port}{path}", uri.scheme_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_all_but_the_host() {
        let check = |url: &str, expected: &str| {
            assert_eq!(renamed(url, "store.example").as_deref(), Some(expected));
        };
        check("https://10.0.0.1:8443/a?b=c", "https://store.example:8443/a?b=c");
        check("https://[::1]/a", "https://store.example/a");
        assert_eq!(renamed("nothing", "x"), None);
    }

    #[test]
    fn a_file_without_a_certificate_is_told() {
        let told = Trust::read(Some(Path::new("/dev/null")), None).unwrap_err().to_string();
        assert!(told.contains("no certificate"), "{told}");
        let told = Trust::read(Some(Path::new("/nowhere")), None).unwrap_err().to_string();
        assert!(told.contains("--ca-file /nowhere"), "{told}");
    }
}
