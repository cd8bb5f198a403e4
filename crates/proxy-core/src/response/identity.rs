//! `Server` and `Date`: each once, this proxy's unless the upstream's is let through.

use crate::config::model::Handler;

use super::{Context, Response, Source};

/// Product name in `Server` and on error pages.
pub const PRODUCT: &str = "sidecar-kit";

pub(super) fn filter(response: &mut Response, context: &Context<'_>) {
    if response.count("server") == 0 && !passes_server(response, context) {
        let tokens = context.request.at.location(context.request.place).server_tokens;
        response.push_own(b"Server", |out| push_product(tokens, out));
    }
    if response.count("date") == 0 {
        let date = context.request.at.generation().date(context.now.unix_ms / 1_000);
        response.push_own(b"Date", |out| out.extend_from_slice(&date));
    }
    debug_assert!(response.count("date") >= 1, "an answer has its date");
}

/// nginx: an upstream whose Server is let through speaks for itself, even if it says nothing.
fn passes_server(response: &Response, context: &Context<'_>) -> bool {
    if response.source != Source::Upstream {
        return false;
    }
    match &context.request.at.location(context.request.place).handler {
        Handler::Proxy(pass) if pass.fastcgi().is_some() => false,
        Handler::Proxy(pass) => !pass.hidden.iter().any(|name| name == b"server"),
        _ => false,
    }
}

/// nginx: `server_tokens off` leaves the version out.
pub fn push_product(tokens: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(PRODUCT.as_bytes());
    if tokens {
        out.push(b'/');
        out.extend_from_slice(env!("CARGO_PKG_VERSION").as_bytes());
    }
}
