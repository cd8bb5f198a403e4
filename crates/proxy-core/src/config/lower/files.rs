//! `root`, `alias`, `index`, `try_files`, and what else there is to say of files.
//!
//! Owns: what the directives mean, and what they inherit. Looks at no file.

use std::path::Path;
use std::sync::Arc;

use nginx_conf::{Directive, units};

use super::Lower;
use super::location::{Match, Written};
use super::scope::{Scope, flag, set};
use crate::config::expires::{Expires, Rule};
use crate::config::model::{
    Alias, Files, LinksSeen, ListingFormat, Location, ModifiedSince, PackedRule, Part, Root,
    Template, TryFiles, TryLast, TryName, Variable,
};
use crate::files::LinkRule;

/// nginx: variables that are made of `root` and `alias`.
fn made_of_root(part: &Part) -> Option<&'static str> {
    match part {
        Part::Variable(Variable::DocumentRoot) => Some("document_root"),
        Part::Variable(Variable::RealpathRoot) => Some("realpath_root"),
        Part::Variable(Variable::RequestFilename) => Some("request_filename"),
        _ => None,
    }
}

/// A folder with a slash at its end; none has none.
pub(super) fn with_slash(folder: &Path) -> Vec<u8> {
    let mut folder = folder.as_os_str().as_encoded_bytes().to_vec();
    if folder.last().is_some_and(|last| *last != b'/') {
        folder.push(b'/');
    }
    folder
}

impl Lower<'_> {
    /// Where relative paths begin, with a slash at the end.
    pub(super) fn folder(&self) -> Vec<u8> {
        with_slash(self.surroundings.folder)
    }

    /// Takes a single value about files; false where the directive is none.
    pub(super) fn take_files_value(&mut self, directive: &Directive, scope: &mut Scope) -> bool {
        let text = directive.arg(0).unwrap_or_default();
        match directive.name.text.as_str() {
            "root" => {
                let path = text.strip_suffix('/').unwrap_or(text);
                scope.set_root(self.root(directive, path, None));
            }
            "default_type" => {
                scope.files_mut().content_types.default_type = text.as_bytes().to_vec();
            }
            "max_ranges" => {
                set(&mut scope.files_mut().parts_max, units::number(text));
            }
            "expires" => self.expires(directive, scope),
            "autoindex" => scope.files_mut().listing.is_on = flag(directive),
            "autoindex_exact_size" => scope.files_mut().listing.is_exact = flag(directive),
            // Times are those of the zone that this program lives in, UTC.
            "autoindex_localtime" => {}
            "autoindex_format" => {
                scope.files_mut().listing.format = match text {
                    "json" => ListingFormat::Json,
                    "xml" => ListingFormat::Xml,
                    _ => ListingFormat::Html,
                };
            }
            "gzip_static" => {
                scope.files_mut().packed.rule = match text {
                    "on" => PackedRule::On,
                    "always" => PackedRule::Always,
                    _ => PackedRule::Off,
                };
            }
            "gzip_vary" => scope.files_mut().packed.has_vary = flag(directive),
            "disable_symlinks" => self.disable_symlinks(directive, scope),
            "etag" => scope.files_mut().has_etag = flag(directive),
            "log_not_found" => scope.files_mut().logs_not_found = flag(directive),
            "if_modified_since" => {
                scope.files_mut().modified_since = match text {
                    "off" => ModifiedSince::Off,
                    "before" => ModifiedSince::Before,
                    _ => ModifiedSince::Exact,
                };
            }
            _ => return false,
        }
        true
    }

    /// The folder that a `root` or an `alias` names.
    fn root(&mut self, directive: &Directive, path: &str, alias: Option<Alias>) -> Option<Root> {
        let Template(mut parts) = self.text(path, directive.arg_span(0))?;
        if let Some(name) = parts.iter().find_map(made_of_root) {
            let directive_name = &directive.name.text;
            let message = format!(
                "the ${name} variable cannot be used in the \"{directive_name}\" directive"
            );
            self.error(directive.arg_span(0), message);
            return None;
        }
        let mut base = Vec::new();
        match parts.first_mut() {
            Some(Part::Variable(_)) => base = self.folder(),
            Some(Part::Literal(text)) if !text.starts_with(b"/") => {
                *text = [self.folder().as_slice(), text].concat();
            }
            Some(Part::Literal(_)) => {}
            // `root /` is the file system's own.
            None if directive.arg(0) == Some("/") => {}
            None => parts.push(Part::Literal(self.folder())),
        }
        let literal = parts.iter().filter_map(|part| match part {
            Part::Literal(text) => Some(text.as_slice()),
            Part::Variable(_) => None,
        });
        let upward_steps = literal.map(crate::content::file::upward_steps).sum();
        Some(Root { path: Template(parts), alias, base, upward_steps })
    }

    /// nginx: `alias`, which is of one location: its folder, unless something is wrong with it.
    pub(super) fn alias(
        &mut self,
        block: &[Directive],
        written: Written<'_>,
    ) -> Option<Option<Root>> {
        let first = |name: &str| block.iter().find(|directive| directive.name.text == name);
        let directive = first("alias")?;
        let span = directive.name.span;
        if first("root").is_some() {
            let message = "\"alias\" directive is duplicate, \"root\" directive was specified too";
            self.error(span, message);
            return None;
        }
        let text = directive.arg(0).unwrap_or_default();
        let path = written.path;
        let alias = match written.kind {
            Match::Named => {
                let message = "the \"alias\" directive cannot be used inside the named location";
                self.error(span, message);
                return None;
            }
            Match::Expression { .. } => Alias::Whole,
            Match::Exact | Match::Prefix | Match::FinalPrefix => Alias::Prefix(path.len()),
        };
        let is_open = written.kind != Match::Exact && !path.ends_with('/') && text.ends_with('/');
        if is_open && alias != Alias::Whole {
            let message = format!(
                "location \"{path}\" has no slash at its end and its alias has one: a request for \
                 \"{path}../\" would leave \"{text}\", and is answered by 404"
            );
            self.warn(directive.arg_span(0), message);
        }
        Some(self.root(directive, text, Some(alias)))
    }

    /// nginx: `expires [modified] TIME`.
    fn expires(&mut self, directive: &Directive, scope: &mut Scope) {
        let is_modified = directive.args.len() == 2;
        if is_modified && directive.arg(0) != Some("modified") {
            let message = "invalid parameter before the time of \"expires\"";
            return self.error_with_help(directive.arg_span(0), message, "expected \"modified\"");
        }
        let index = directive.args.len() - 1;
        let Some(text) = self.template(directive, index) else { return };
        let is_fixed = text.0.iter().all(|part| matches!(part, Part::Literal(_)));
        let rule = if is_fixed {
            let value = directive.arg(index).unwrap_or_default();
            match Expires::parse(value.as_bytes(), is_modified) {
                Ok(expires) => Rule::Fixed(expires),
                Err(problem) => return self.error(directive.arg_span(index), problem),
            }
        } else {
            Rule::Text { text, is_modified }
        };
        let is_off = matches!(rule, Rule::Fixed(Expires::Off));
        scope.files_mut().expires = (!is_off).then(|| Arc::new(rule));
    }

    /// nginx: `disable_symlinks off`, `on` or `if_not_owner`, with `from=`.
    fn disable_symlinks(&mut self, directive: &Directive, scope: &mut Scope) {
        let mut links = LinksSeen::default();
        for index in 0..directive.args.len() {
            match directive.arg(index).unwrap_or_default() {
                "off" => links.rule = LinkRule::All,
                "on" => links.rule = LinkRule::Nothing,
                "if_not_owner" => links.rule = LinkRule::SameOwner,
                word => match word.strip_prefix("from=").filter(|from| !from.is_empty()) {
                    Some(from) => links.from = self.text(from, directive.arg_span(index)),
                    None => {
                        let message = format!("invalid parameter \"{word}\"");
                        let help = "expected \"off\", \"on\", \"if_not_owner\" or \"from=PATH\"";
                        return self.error_with_help(directive.arg_span(index), message, help);
                    }
                },
            }
        }
        scope.files_mut().links = links;
    }

    /// nginx: `index`; several lines of a level are one.
    pub(super) fn index(&mut self, directive: &Directive, index: &mut Vec<Template>) {
        for (at, word) in directive.args.iter().enumerate() {
            if word.text.is_empty() {
                self.error(word.span, "index \"\" in \"index\" directive is invalid");
            } else if word.text.starts_with('/') && at + 1 < directive.args.len() {
                let message = "only the last index in \"index\" directive should be absolute";
                self.warn(word.span, message);
            }
            index.extend(self.text(&word.text, word.span));
        }
    }

    /// nginx: `try_files`, which no level inherits.
    pub(super) fn try_files(&mut self, block: &[Directive], location: &mut Location) {
        let Some(directive) = block.iter().find(|line| line.name.text == "try_files") else {
            return;
        };
        let Some((last, names)) = directive.args.split_last() else { return };
        let mut tried = Vec::new();
        for word in names {
            let bare = word.text.strip_suffix('/');
            let name = self.text(bare.unwrap_or(&word.text), word.span);
            tried.extend(name.map(|name| TryName { name, is_folder: bare.is_some() }));
        }
        let last = match last.text.strip_prefix('=') {
            Some(code) => {
                let status = units::number(code).and_then(|code| u16::try_from(code).ok());
                let Some(status) = status.filter(|status| (200..=999).contains(status)) else {
                    let message = format!("invalid code \"{code}\"");
                    return self.error_with_help(last.span, message, "expected 200 to 999");
                };
                TryLast::Status(status)
            }
            None => match self.text(&last.text, last.span) {
                Some(text) => TryLast::Redirect(text),
                None => return,
            },
        };
        let files: &mut Files = Arc::make_mut(&mut Arc::make_mut(&mut location.settings).files);
        files.tried = Some(Arc::new(TryFiles { names: tried, last }));
    }
}

impl Scope {
    /// The same with another root.
    pub(super) fn rooted(&self, root: Option<Root>) -> Scope {
        let mut scope = self.own();
        scope.set_root(root);
        scope
    }

    fn set_root(&mut self, root: Option<Root>) {
        self.has_root = true;
        set(&mut self.files_mut().root, root.map(Arc::new));
    }

    /// Whether a level has said where files are.
    pub(super) fn has_root(&self) -> bool {
        self.has_root
    }
}
