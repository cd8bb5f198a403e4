//! nginx's gzip_static: a file that is packed already, in the place of the one that is asked for.

use super::file::{Found, Location, is_missing, note, note_failure, shown};
use crate::config::model::{Packed, PackedRule};
use crate::files::Kind;
use crate::variables::View;

/// How a file that was found is told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packing {
    /// It is packed.
    pub is_gzip: bool,
    /// nginx: `gzip_vary`: another client could get another one.
    pub varies: bool,
}

/// nginx: `gzip_static`: the file with `.gz` at its end; how the other one is told of where it is
/// not sent.
pub(super) fn find(
    view: &View<'_>,
    place: &Location,
    path: &[u8],
    config: &Packed,
) -> Result<Found, Packing> {
    let is_always = config.rule == PackedRule::Always;
    let is_taken = is_always || takes_gzip(view);
    if !is_taken && !config.has_vary {
        return Err(Packing::default());
    }
    let path = [path, b".gz"].concat();
    let opened = match place.open(view, &path) {
        Ok(opened) => opened,
        Err(cause) => {
            if !is_missing(cause) {
                note_failure(view, "open", &path, cause);
            }
            return Err(Packing::default());
        }
    };
    let varies = !is_always && config.has_vary;
    match opened.facts.kind {
        Kind::File if is_taken => Ok(Found::File(opened, Packing { is_gzip: true, varies })),
        Kind::Other if is_taken => {
            note(view, &format!("\"{}\" is not a regular file", shown(&path)));
            Ok(Found::Status(404))
        }
        _ => Err(Packing { is_gzip: false, varies }),
    }
}

/// nginx: `ngx_http_gzip_ok` with its defaults: who asks by HTTP/1.1, and through nobody else.
fn takes_gzip(view: &View<'_>) -> bool {
    let request = view.request;
    let field = |name: &str| http1::find(&request.head.fields, &request.bytes, name);
    request.head.version == http1::Version::Http11
        && field("via").is_none()
        && field("accept-encoding").is_some_and(|field| field.len() >= 4 && accepts_gzip(field))
}

/// nginx: `ngx_http_gzip_accept_encoding`: it is named, or `*` is, and not with a weight of 0.
fn accepts_gzip(field: &[u8]) -> bool {
    let mut all = None;
    for coding in field.split(|byte| *byte == b',') {
        let mut parts = coding.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_at_checked(2)?;
            name.eq_ignore_ascii_case(b"q=").then_some(value)
        });
        let is_wanted = weight.is_none_or(|weight| weight.iter().any(|b| matches!(b, b'1'..=b'9')));
        if name.eq_ignore_ascii_case(b"gzip") {
            return is_wanted;
        }
        if name == b"*" {
            all.get_or_insert(is_wanted);
        }
    }
    all.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_where_it_is_named_and_weighs_something() {
        for (field, expected) in [
            ("gzip", true),
            ("GZIP", true),
            ("deflate, gzip", true),
            ("br,gzip;q=0.5", true),
            ("gzip;q=0.001", true),
            ("gzip; Q=1", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("xgzip, gzipx", false),
            ("*;q=1", true),
            ("*;q=0", false),
            ("*, gzip;q=0", false),
            ("identity", false),
            ("", false),
        ] {
            assert_eq!(accepts_gzip(field.as_bytes()), expected, "{field}");
        }
    }
}
