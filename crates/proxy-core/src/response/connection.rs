//! What the client is told about its connection.

use super::{Context, Response};

pub(super) fn filter(response: &mut Response, context: &Context<'_>) {
    debug_assert!(response.count("connection") == 0, "nobody else speaks of this connection");
    if context.is_tunnel {
        let upgrade = response.upstream_field(b"upgrade").unwrap_or(b"websocket").to_vec();
        response.push(b"Connection", b"upgrade");
        return response.push(b"Upgrade", &upgrade);
    }
    if !context.is_persistent {
        return push_close(response);
    }
    response.push_own(b"Connection", |out| out.extend_from_slice(b"keep-alive"));
    let location = context.request.at.location(context.request.place);
    if let Some(seconds) = location.client.keepalive.field_s {
        response.push_own(b"Keep-Alive", |out| {
            out.extend_from_slice(b"timeout=");
            http1::push_decimal(out, seconds);
        });
    }
}

pub(super) fn push_close(response: &mut Response) {
    response.push(b"Connection", b"close");
}
