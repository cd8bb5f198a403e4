//! nginx: `add_header`.

use crate::variables::View;

use super::{Context, Response};

/// Adds on good statuses only, unless told `always`; an empty value adds nothing. nginx: of ETag
/// and Last-Modified an answer has one, so that these are replaced, by an empty value with nothing.
pub(super) fn filter(response: &mut Response, context: &Context<'_>) {
    let location = context.request.at.location(context.request.place);
    let is_good = super::is_good(response.status);
    if location.add_headers.is_empty() {
        return;
    }
    let mut value = Vec::new();
    for field in location.add_headers.iter().filter(|field| is_good || field.always) {
        value.clear();
        View::of_response(context, response).push_template(&field.value, &mut value);
        if is_single(&field.name) {
            response.suppress_named(&[&field.name]);
        }
        if !value.is_empty() {
            response.push(&field.name, &value);
        }
    }
}

fn is_single(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"etag") || name.eq_ignore_ascii_case(b"last-modified")
}
