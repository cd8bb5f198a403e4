//! nginx's `try_files`: the path becomes that of the first name that is there.
//!
//! It looks and changes the request's path; it opens nothing.

use super::{Content, Seen};
use crate::config::model::{Alias, Part, Template, TryFiles, TryLast, TryName};
use crate::content::file::{Location, is_missing, note_failure};
use crate::files::Kind;
use crate::request::Request;
use crate::variables::View;

/// Looks for the names; what answers where none is there.
pub(super) fn run(request: &mut Request, seen: &Seen<'_>) -> Option<Content> {
    let at = request.at.clone();
    let files = &at.location(request.place).files;
    let tried: &TryFiles = files.tried.as_ref()?;
    let view = seen.view(request);
    let Some(place) = Location::of(&view) else { return Some(Content::Status(500)) };
    let found = tried.names.iter().find_map(|name| look(&view, &place, name));
    match (found, &tried.last) {
        (Some(found), _) => {
            go_to(request, found, files.root.alias);
            None
        }
        (None, TryLast::Status(status)) => Some(Content::Status(*status)),
        (None, TryLast::Redirect(to)) => {
            request.course.moved_to = text(&view, to, files.root.alias);
            Some(Content::Elsewhere)
        }
    }
}

/// A name that was found.
struct Found {
    name: Vec<u8>,
    is_folder: bool,
}

fn look(view: &View<'_>, place: &Location, tried: &TryName) -> Option<Found> {
    let name = text(view, &tried.name, place.alias());
    let path = place.join(&name);
    match place.look(view, &path) {
        Ok(facts) if (facts.kind == Kind::Folder) == tried.is_folder => {
            Some(Found { name, is_folder: tried.is_folder })
        }
        Ok(_) => None,
        Err(cause) => {
            if !is_missing(cause) {
                note_failure(view, "stat", &path, cause);
            }
            None
        }
    }
}

/// nginx: where an alias takes the place of a prefix, a text that variables make begins with that
/// prefix as a rule, which is taken off.
fn text(view: &View<'_>, template: &Template, alias: Option<Alias>) -> Vec<u8> {
    let text = view.text(template).into_owned();
    let has_variable = template.0.iter().any(|part| matches!(part, Part::Variable(_)));
    match alias {
        Some(Alias::Prefix(bytes)) if has_variable => {
            let prefix = view.request.uri.path.get(..bytes).unwrap_or_default();
            text.strip_prefix(prefix).map(<[u8]>::to_vec).unwrap_or(text)
        }
        _ => text,
    }
}

fn go_to(request: &mut Request, found: Found, alias: Option<Alias>) {
    let path = &mut request.uri.path;
    match alias {
        None => *path = found.name,
        Some(Alias::Prefix(bytes)) => {
            path.truncate(bytes);
            path.extend_from_slice(&found.name);
        }
        Some(Alias::Whole) if found.is_folder => {}
        Some(Alias::Whole) => {
            *path = found.name;
            request.course.follows_alias = true;
        }
    }
}
