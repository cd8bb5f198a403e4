//! Where the store's name leads, looked up once for many requests.
//!
//! A connection's maker asks before each request, though most go by a connection that is there: every
//! time that would take a thread, and with the search domains of a cluster ten questions to its name
//! server. Owns what was found, and when it is asked again: after a failure, for the name may lead
//! elsewhere now, and when it is old. A name server that is away is no failure of the store.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// So long a name is not asked for again: what a cluster's name server allows as well.
const FRESH: Duration = Duration::from_secs(30);

/// What was found, for whoever makes connections and whoever sees them fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found(Arc<Mutex<Option<Addresses>>>);

#[derive(Clone, Debug)]
struct Addresses {
    /// The address that they are of, without its path.
    of: String,
    all: Vec<SocketAddr>,
    at: Instant,
}

impl Found {
    /// A request failed: what was found may be why.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The addresses of a name: what is known, unless that is old, or what is found now.
    ///
    /// # Errors
    /// Why none were found, where none are known.
    fn or_find<E>(
        &self,
        of: &str,
        now: Instant,
        find: impl FnOnce() -> Result<Vec<SocketAddr>, E>,
    ) -> Result<Vec<SocketAddr>, E> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = known.filter(|known| known.of == of);
        if let Some(known) = &known
            && now.saturating_duration_since(known.at) < FRESH
        {
            return Ok(known.all.clone());
        }
        let all = match (find(), known) {
            (Ok(all), _) => all,
            (Err(_), Some(known)) => known.all,
            (Err(error), None) => return Err(error),
        };
        let found = Addresses { of: of.to_owned(), all: all.clone(), at: now };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        Ok(all)
    }
}

/// A resolver that remembers.
#[derive(Debug)]
pub(crate) struct Names<R> {
    pub(crate) resolver: R,
    pub(crate) found: Found,
}

impl<R: Resolver> Resolver for Names<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let of = format!("{}://{authority}", uri.scheme_str().unwrap_or_default());
        let find = || self.resolver.resolve(uri, config, timeout).map(|all| all.to_vec());
        let mut all = self.empty();
        self.found.or_find(&of, Instant::now(), find)?.into_iter().for_each(|one| all.push(one));
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for a name so many seconds after the first time; a port is what is found then, and the
    /// answer is the port of what is used.
    fn ask(found: &Found, of: &str, now: Instant, port: Option<u16>) -> Option<u16> {
        let find = || port.map(|port| vec![SocketAddr::from(([127, 0, 0, 1], port))]).ok_or(());
        found.or_find(of, now, find).ok().map(|all| all[0].port())
    }

    #[test]
    fn a_name_is_asked_for_once_until_that_is_old_or_a_request_failed() {
        let (found, start) = (Found::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(ask(&found, "http://a", start, None), None);
        assert_eq!(ask(&found, "http://a", start, Some(1)), Some(1));
        assert_eq!(ask(&found, "http://a", after(29), Some(2)), Some(1));
        assert_eq!(ask(&found, "http://a", after(30), Some(3)), Some(3));
        found.forget();
        assert_eq!(ask(&found, "http://a", after(31), Some(4)), Some(4));
        assert_eq!(ask(&found, "http://b", after(32), Some(5)), Some(5), "another name");
    }

    #[test]
    fn where_nobody_answers_what_was_known_is_used_on() {
        let (found, start) = (Found::default(), Instant::now());
        assert_eq!(ask(&found, "http://a", start, Some(1)), Some(1));
        assert_eq!(ask(&found, "http://a", start + FRESH, None), Some(1));
        found.forget();
        assert_eq!(ask(&found, "http://a", start + FRESH, None), None);
    }
}
