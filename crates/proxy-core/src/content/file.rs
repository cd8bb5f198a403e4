//! Answers out of files: which path a request means, and what is there.
//!
//! It looks, opens and decides; nothing is sent here, and no field is made.

use super::listing;
use super::packed::{self, Packing};
use crate::config::model::{Alias, ErrorLevel, FileTest, Listing, PackedRule, Root, Variable};
use crate::files::{Facts, Kind, LinkRule, Links, Opened};
use crate::net::Cause;
use crate::variables::View;

/// What a request for a file comes to.
#[derive(Debug)]
pub enum Found {
    /// The file, and whether it is packed in the place of the one that was asked for.
    File(Opened, Packing),
    /// What is in a folder, and its type.
    Listing(Vec<u8>, &'static [u8]),
    /// A status with its page.
    Status(u16),
    /// The path is a folder's: the client is sent to it with a slash at its end.
    Folder,
    /// nginx: an index stands for the folder: another path of this server.
    Index(Vec<u8>),
}

/// Where the files of a request's location are.
pub struct Location {
    root: Vec<u8>,
    alias: Option<Alias>,
    upward_steps: usize,
}

impl Location {
    /// `None` where there is none: nginx has no path for an alias whose prefix was rewritten.
    pub fn of(view: &View<'_>) -> Option<Location> {
        let request = view.request;
        let location = request.at.location(request.place);
        let root: &Root = &location.files.root;
        if root.alias.is_some() && !request.course.has_prefix {
            let path = String::from_utf8_lossy(&location.path);
            let line = format!(
                "\"alias\" cannot be used in location \"{path}\" where the URI was rewritten"
            );
            request.values.borrow_mut().note(ErrorLevel::Error, line);
            return None;
        }
        let mut path = Vec::new();
        push_root(view, &mut path);
        Some(Location { root: path, alias: root.alias, upward_steps: root.upward_steps })
    }

    /// What of a request's path the root takes the place of.
    pub fn alias(&self) -> Option<Alias> {
        self.alias
    }

    /// The root with a name behind it.
    pub fn join(&self, name: &[u8]) -> Vec<u8> {
        [&self.root, name].concat()
    }

    /// The path of the file system that a request means. nginx: `ngx_http_map_uri_to_path`.
    fn path(&self, view: &View<'_>) -> Vec<u8> {
        let path = &view.request.uri.path;
        self.join(match self.alias {
            None => path,
            Some(Alias::Prefix(bytes)) => path.get(bytes..).unwrap_or_default(),
            Some(Alias::Whole) if view.request.course.follows_alias => path,
            Some(Alias::Whole) => b"",
        })
    }

    /// Looks at a path beneath the root.
    pub fn look(&self, view: &View<'_>, path: &[u8]) -> Result<Facts, Cause> {
        let links = self.check(view, path)?;
        view.request.at.generation().host().files.look(path, links)
    }

    pub(super) fn open(&self, view: &View<'_>, path: &[u8]) -> Result<Opened, Cause> {
        let links = self.check(view, path)?;
        view.request.at.generation().host().files.open(path, links)
    }

    /// No request leads upwards beyond what the file itself has written, and no name has a NUL.
    fn check(&self, view: &View<'_>, path: &[u8]) -> Result<Links, Cause> {
        match path.contains(&0) || upward_steps(path) > self.upward_steps {
            true => Err(Cause::NO_ENTRY),
            false => Ok(links(view, path)),
        }
    }
}

/// nginx: `disable_symlinks`: which links of a path are followed.
fn links(view: &View<'_>, path: &[u8]) -> Links {
    let seen = &view.request.at.location(view.request.place).files.links;
    if seen.rule == LinkRule::All {
        return Links::FOLLOWED;
    }
    let from = seen.from.as_ref().map(|from| view.text(from));
    let behind = from.as_ref().filter(|from| !from.is_empty());
    let from = match behind.and_then(|from| Some((from.len(), path.strip_prefix(&**from)?))) {
        Some((_, b"")) => return Links::FOLLOWED,
        Some((bytes, [b'/', ..])) => bytes,
        Some((bytes, _)) if path.get(bytes - 1) == Some(&b'/') => bytes - 1,
        _ => 0,
    };
    Links { rule: seen.rule, from }
}

/// How many `..` are in a path.
pub fn upward_steps(path: &[u8]) -> usize {
    match path.windows(2).any(|pair| pair == b"..") {
        true => path.split(|byte| *byte == b'/').filter(|name| *name == b"..").count(),
        false => 0,
    }
}

/// The value of a variable that speaks of files; false where there is none.
pub fn push_variable(view: &View<'_>, variable: &Variable, out: &mut Vec<u8>) -> bool {
    match variable {
        Variable::RealpathRoot => {
            let mut root = Vec::new();
            push_root(view, &mut root);
            let real = view.request.at.generation().host().files.real_path(&root);
            if let Err(cause) = real {
                note_failure(view, "realpath", &root, cause);
            }
            let is_there = real.is_ok();
            out.extend(real.unwrap_or_default());
            is_there
        }
        Variable::RequestFilename => {
            let place = Location::of(view);
            out.extend(place.iter().flat_map(|place| place.path(view)));
            place.is_some()
        }
        _ => {
            push_root(view, out);
            true
        }
    }
}

/// nginx: `$document_root`.
fn push_root(view: &View<'_>, out: &mut Vec<u8>) {
    let root = &view.request.at.location(view.request.place).files.root;
    let path = view.text(&root.path);
    if path.first() != Some(&b'/') {
        out.extend_from_slice(&root.base);
    }
    out.extend_from_slice(&path);
}

/// nginx: whether something is at a path of `if (-f …)` and its like.
pub fn stands(what: FileTest, path: &[u8], view: &View<'_>) -> bool {
    if path.contains(&0) {
        return false;
    }
    match view.request.at.generation().host().files.look(path, links(view, path)) {
        Ok(facts) => match what {
            FileTest::File => facts.kind == Kind::File,
            FileTest::Folder => facts.kind == Kind::Folder,
            FileTest::Either => facts.kind != Kind::Other,
            FileTest::Executable => facts.is_executable,
        },
        Err(cause) => {
            if !is_missing(cause) {
                note_failure(view, "stat", path, cause);
            }
            false
        }
    }
}

/// What answers a request for a file. nginx: the index, and what its static module says.
pub fn find(view: &View<'_>) -> Found {
    let is_read = matches!(view.request.method(), b"GET" | b"HEAD");
    let is_post = view.request.method() == b"POST";
    let is_folder = view.request.uri.path.last() == Some(&b'/');
    if is_folder
        && (is_read || is_post)
        && let Some(found) = index(view)
    {
        return found;
    }
    let location = view.request.at.location(view.request.place);
    if is_folder && is_read && location.files.listing.is_on {
        return list(view, &location.files.listing);
    }
    if !is_read && !is_post {
        return Found::Status(405);
    }
    let Some(place) = Location::of(view) else { return Found::Status(500) };
    let path = place.path(view);
    if is_folder {
        note(view, &format!("directory index of \"{}\" is forbidden", shown(&path)));
        return Found::Status(403);
    }
    let mut packing = Packing::default();
    if is_read && location.files.packed.rule != PackedRule::Off {
        match packed::find(view, &place, &path, &location.files.packed) {
            Ok(found) => return found,
            Err(without) => packing = without,
        }
    }
    match place.open(view, &path) {
        Err(cause) => {
            let status = status_of(cause);
            if status != 404 || logs_not_found(view) {
                note_failure(view, "open", &path, cause);
            }
            Found::Status(status)
        }
        Ok(opened) => match opened.facts.kind {
            Kind::Folder => Found::Folder,
            Kind::Other => {
                note(view, &format!("\"{}\" is not a regular file", shown(&path)));
                Found::Status(404)
            }
            Kind::File if is_post => Found::Status(405),
            Kind::File => Found::File(opened, packing),
        },
    }
}

/// nginx: `autoindex`.
fn list(view: &View<'_>, listing: &Listing) -> Found {
    let Some(place) = Location::of(view) else { return Found::Status(500) };
    let path = place.path(view);
    let bare = without_slash(&path);
    let files = &view.request.at.generation().host().files;
    match place.check(view, bare).and_then(|_| files.list(bare)) {
        Ok(entries) => {
            let body = listing::write(listing, &view.request.uri.path, entries);
            Found::Listing(body, listing::content_type(listing.format))
        }
        Err(cause) => {
            note_failure(view, "opendir", bare, cause);
            // nginx: here a link that may not be followed is as any other failure.
            let status = if cause == Cause::LINK { 500 } else { status_of(cause) };
            Found::Status(status)
        }
    }
}

/// nginx: the first name of `index` that is in the folder takes its place.
fn index(view: &View<'_>) -> Option<Found> {
    let request = view.request;
    let Some(place) = Location::of(view) else { return Some(Found::Status(500)) };
    let folder = place.path(view);
    let mut is_folder_there = false;
    let location = request.at.location(request.place);
    for name in &location.files.index {
        let name = view.text(name);
        if name.first() == Some(&b'/') {
            return Some(Found::Index(name.into_owned()));
        }
        let path = [folder.as_slice(), &name].concat();
        let Err(cause) = place.look(view, &path) else {
            return Some(Found::Index([request.uri.path.as_slice(), &name].concat()));
        };
        match (status_of(cause), cause) {
            (_, Cause::NO_ENTRY) => {}
            (404, _) => return Some(not_found(view, &path)),
            (403, _) => {
                note(view, &format!("\"{}\" is forbidden", shown(&path)));
                return Some(Found::Status(403));
            }
            _ => {
                note_failure(view, "stat", &path, cause);
                return Some(Found::Status(500));
            }
        }
        if !std::mem::replace(&mut is_folder_there, true)
            && let Some(found) = without_folder(view, &place, &folder)
        {
            return Some(found);
        }
    }
    None
}

/// nginx: what answers where an index is not there because its folder is not.
fn without_folder(view: &View<'_>, place: &Location, folder: &[u8]) -> Option<Found> {
    let bare = without_slash(folder);
    match place.look(view, bare) {
        Ok(facts) if facts.kind == Kind::Folder => None,
        Ok(_) => {
            note(view, &format!("\"{}\" is not a directory", shown(bare)));
            Some(Found::Status(500))
        }
        // What is in it was looked for, and could have been found.
        Err(Cause::NO_ACCESS) => None,
        Err(Cause::NO_ENTRY) => Some(not_found(view, bare)),
        Err(cause) => {
            note_failure(view, "stat", bare, cause);
            Some(Found::Status(if status_of(cause) == 403 { 403 } else { 500 }))
        }
    }
}

/// The path of a folder, but for the slash at its end; `/` is itself.
fn without_slash(folder: &[u8]) -> &[u8] {
    folder.strip_suffix(b"/").filter(|bare| !bare.is_empty()).unwrap_or(folder)
}

fn not_found(view: &View<'_>, path: &[u8]) -> Found {
    if logs_not_found(view) {
        note(view, &format!("\"{}\" is not found", shown(path)));
    }
    Found::Status(404)
}

fn logs_not_found(view: &View<'_>) -> bool {
    view.request.at.location(view.request.place).files.logs_not_found
}

/// nginx: the status for a file that cannot be opened.
fn status_of(cause: Cause) -> u16 {
    match cause {
        cause if is_missing(cause) => 404,
        Cause::NO_ACCESS | Cause::MANY_LINKS | Cause::LINK => 403,
        _ => 500,
    }
}

/// Whether nothing is there, and nothing is wrong.
pub fn is_missing(cause: Cause) -> bool {
    matches!(cause, Cause::NO_ENTRY | Cause::NO_FOLDER | Cause::NAME_TOO_LONG)
}

/// Tells the error log what failed.
pub fn note_failure(view: &View<'_>, what: &str, path: &[u8], cause: Cause) {
    note(view, &format!("{what}() \"{}\" failed: {cause}", shown(path)));
}

/// Tells the error log.
pub(super) fn note(view: &View<'_>, line: &str) {
    view.request.values.borrow_mut().note(ErrorLevel::Error, line.to_owned());
}

/// For the log.
pub(crate) fn shown(text: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 1_000;
    let text = text.get(..SHOWN_BYTES_MAX).unwrap_or(text);
    String::from_utf8_lossy(text).escape_debug().collect()
}
