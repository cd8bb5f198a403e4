//! Stores by https: whom to trust, and under which name a store is known.
//!
//! The one file that knows the provider of cryptography.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Where systems have the certificates that they trust.
const SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Trusts what is in the file, or what the system trusts.
///
/// # Errors
/// When the file cannot be read, or there is no certificate in it.
pub(crate) fn config(ca_file: Option<&Path>) -> io::Result<TlsConfig> {
    let system = || SYSTEM.iter().map(Path::new).find(|path| path.is_file());
    let path = ca_file.or_else(system).ok_or_else(|| {
        io::Error::other("https needs a --ca-file: there is none of the system's here")
    })?;
    let failed = |why: &str| io::Error::other(format!("--ca-file {}: {why}", path.display()));
    let pem = fs::read(path).map_err(|error| failed(&error.to_string()))?;
    let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(failed("there is no certificate in it"));
    }
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::new_with_certs(&certificates))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build())
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
        let told = config(Some(Path::new("/dev/null"))).unwrap_err().to_string();
        assert!(told.contains("no certificate"), "{told}");
        let told = config(Some(Path::new("/nowhere"))).unwrap_err().to_string();
        assert!(told.contains("--ca-file /nowhere"), "{told}");
    }
}
