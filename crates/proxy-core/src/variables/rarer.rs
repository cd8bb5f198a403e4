//! Variables that few files have: limits, the request's body and port, cookies that are set, dates,
//! what was said before the first request.

use super::{View, parts, push_found, push_number};
use crate::clock;
use crate::config::model::Variable;

impl View<'_> {
    /// Appends the value of one of them. False where there is none.
    pub(super) fn push_rarer_variable(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        use Variable as V;
        let request = self.request;
        match variable {
            V::DateGmt | V::DateLocal => {
                clock::push_date(self.now.unix_ms, out);
                // Names of the zone as strftime(3) has them.
                out.extend_from_slice(if *variable == V::DateGmt { b"GMT" } else { b"UTC" });
            }
            V::LimitRate => {
                let values = request.values.borrow();
                push_number(values.rate.or(values.pace.map(|pace| pace.rate)).unwrap_or(0), out);
            }
            V::LimitConnStatus | V::LimitReqStatus => {
                let values = request.values.borrow();
                let is_rate = *variable == V::LimitReqStatus;
                let limited = if is_rate { values.requests } else { values.connections };
                return push_found(limited.map(|limited| limited.name().as_bytes()), out);
            }
            V::ProxyProtocolAddr
            | V::ProxyProtocolPort
            | V::ProxyProtocolServerAddr
            | V::ProxyProtocolServerPort
            | V::ProxyProtocolTlv(_) => return self.push_proxied_variable(variable, out),
            V::RequestBody => {
                let values = request.values.borrow();
                let is_told = || {
                    http1::find(&request.head.fields, &request.bytes, "content-length").is_some()
                };
                return match &values.body {
                    Some(body) => push_found(body.whole(), out),
                    // nginx: one of no bytes was read too, where somebody wanted it.
                    None => self.attempts.iter().next().is_some() && is_told(),
                };
            }
            V::RequestPort => out.extend_from_slice(request.told_port()),
            V::IsRequestPort if request.told_port().is_empty() => {}
            V::IsRequestPort => out.push(b':'),
            V::UpstreamCookie(name) => {
                let is_cookie = |field: &[u8]| field.eq_ignore_ascii_case(b"set-cookie");
                let fields = self.response.from_upstream().filter(|(field, _)| is_cookie(field));
                return push_found(parts::set_cookie(fields.map(|(_, value)| value), name), out);
            }
            _ => return false,
        }
        true
    }
}
