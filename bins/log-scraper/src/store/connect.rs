//! How connections to a store are made.
//!
//! Owns what about them is the same for every store: sizes, times, what is kept, and that whatever wraps
//! them does.

use std::io;
#[cfg(feature = "tls")]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ureq::config::{Config, ConfigBuilder};
use ureq::http::Uri;
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::{DefaultResolver, Resolver};
use ureq::unversioned::transport::{Connector, DefaultConnector};
use ureq::{Agent, Proxy};

use crate::store::early::EarlyAnswers;
use crate::store::names::Names;
use crate::store::proxy::proxy;
use crate::store::sender::{Connect, Route};
#[cfg(feature = "tls")]
use crate::store::tls;
use crate::store_flags::StoreArguments;

/// Memory for what is read of a connection.
const BUFFER_BYTES: usize = 32 << 10;
/// And for what is written: each write wakes whoever reads.
const OUTPUT_BYTES: usize = 256 << 10;
/// A header of an answer is no longer.
const HEADER_BYTES_MAX: usize = 32 << 10;
/// A connection that was not used for so long is not used again: whoever is in between may have
/// forgotten it.
const IDLE: Duration = Duration::from_secs(50);
/// Whoever does not take a connection for so long is asked again.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// How requests are made, but for https.
fn config(request_timeout: Duration, proxy: Option<Proxy>) -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .proxy(proxy)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_global(Some(request_timeout))
        .timeout_connect(Some(request_timeout.min(CONNECT_TIME_MAX)))
        .user_agent(concat!("log-scraper/", env!("CARGO_PKG_VERSION")))
        .accept("*/*")
        .accept_encoding("")
        .input_buffer_size(BUFFER_BYTES)
        .output_buffer_size(OUTPUT_BYTES)
        .max_response_header_size(HEADER_BYTES_MAX)
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        .max_idle_age(IDLE)
}

/// What makes connections to the store, to where its name leads.
///
/// # Errors
/// When the address or that of a proxy is none.
pub(crate) fn connect(arguments: &StoreArguments, route: &Route) -> io::Result<Connect> {
    let url: Uri =
        arguments.url.as_deref().unwrap_or_default().parse().map_err(io::Error::other)?;
    let proxy = proxy(arguments.http_proxy.as_deref(), &url).map_err(io::Error::other)?;
    let timeout = arguments.request_timeout;
    #[cfg(feature = "tls")]
    if let Some(trust) = route.trust.clone() {
        let config = move || config(timeout, proxy.clone()).tls_config(trust.config()).build();
        return Ok(match arguments.server_name.is_some() {
            true => maker(config, route, move || tls::Renamed {
                real: url.clone(),
                resolver: DefaultResolver::default(),
            }),
            false => maker(config, route, DefaultResolver::default),
        });
    }
    let config = move || config(timeout, proxy.clone()).build();
    Ok(maker(config, route, DefaultResolver::default))
}

/// Makes connections whose names are looked up so, and whose answers may come early.
fn maker<R: Resolver>(
    config: impl Fn() -> Config + Send + Sync + 'static,
    route: &Route,
    resolver: impl Fn() -> R + Send + Sync + 'static,
) -> Connect {
    let (found, kept) = (route.found.clone(), route.kept.clone());
    Arc::new(move || {
        let names = Names { resolver: resolver(), found: found.clone() };
        let connector = DefaultConnector::new().chain(EarlyAnswers(kept.clone()));
        Agent::with_parts(config(), connector, names)
    })
}

/// What the flags say about https, where the address asks for it.
///
/// # Errors
/// Which file cannot be read, or is not what it should be.
#[cfg(feature = "tls")]
pub(crate) fn trust(arguments: &StoreArguments, url: &str) -> io::Result<Option<Arc<tls::Trust>>> {
    if !url.starts_with("https:") {
        return Ok(None);
    }
    let client = arguments.client_cert.clone().zip(arguments.client_key.clone());
    let trust = tls::Trust::read(arguments.ca_file.as_deref(), client.map(<[PathBuf; 2]>::from))?;
    Ok(Some(Arc::new(trust)))
}
