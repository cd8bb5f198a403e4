//! nginx's gzip_static: a file that is packed already, in the place of the one that is asked for.

use super::file::{Found, Location, is_missing, note, note_failure, shown};
use crate::config::model::{Packed, PackedRule};
use crate::files::Kind;
use crate::response::{Response, takes_gzip};
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
    // nginx: nothing of the answer is known yet.
    let now_s = view.now.unix_ms / 1_000;
    let is_taken = is_always || takes_gzip(view.request, &Response::default(), now_s);
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
