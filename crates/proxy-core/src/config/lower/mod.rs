//! The tree of directives to the typed configuration.
//!
//! Owns: the walk over main and `http`, and what the levels share. What the table can check alone
//! is checked before; what is told here is about meaning. Reads no file and asks no name server.

mod access;
mod balance;
mod bodies;
mod changes;
mod charset;
mod error_page;
mod fastcgi;
mod files;
mod guard;
mod location;
mod log;
mod map;
mod own;
mod pass;
mod proxy;
mod referer;
mod resolver;
mod rewrite;
mod rules;
mod scope;
mod server;
mod syslog;
mod told_names;
mod upstream;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use nginx_conf::diag::Diags;
use nginx_conf::{Diag, Directive, Severity, Sources, Span, Tree, units};

use crate::config::model::{AccessLog, Config, Resolving, Shared, Template, Types};
use crate::config::template;
use log::Formats;
use own::Own;
#[cfg(test)]
pub(super) use proxy::{IGNORED_FIELDS, NEXT_CONDITIONS};
use scope::Scope;
use server::{AddressLines, ServerNames, SocketLine};
use upstream::Upstreams;

/// What is known outside of the file.
#[derive(Clone, Copy)]
pub struct Surroundings<'s> {
    /// Where relative paths of log files start.
    pub folder: &'s Path,
    /// nginx: where relative paths of what belongs to the configuration start.
    pub conf_folder: &'s Path,
    /// Whether ports below 1024 are anyone's: nginx's default port is 80 for root, else 8000.
    pub is_root: bool,
    /// nginx: what `server_name $hostname` means.
    pub hostname: &'s str,
    /// The addresses of a name that a `listen` has.
    pub resolve: &'s dyn Fn(&str, u16) -> Vec<SocketAddr>,
}

/// A configuration being made.
struct Lower<'t> {
    sources: &'t Sources,
    surroundings: &'t Surroundings<'t>,
    diags: Diags,
    config: Config,
    upstreams: Upstreams,
    formats: Formats,
    sockets: Vec<SocketLine>,
    socket_lines: HashMap<SocketAddr, AddressLines>,
    names: Vec<ServerNames>,
    own: Own,
    default_access_log: Option<Shared<AccessLog>>,
    /// Of `http`, for its groups.
    resolving: Resolving,
}

/// Lowers what was read. Where the table has found something wrong already, more is looked for, so
/// that all is told at once, but for names that may be unknown because of it.
pub fn lower_all(
    tree: &Tree,
    mut findings: Vec<Diag>,
    is_sound: bool,
    surroundings: &Surroundings<'_>,
) -> Result<(Config, Vec<Diag>), Vec<Diag>> {
    let is_good = !findings.iter().any(Diag::is_error);
    if !is_sound {
        return Err(findings);
    }
    let result = lower(tree, surroundings);
    match result {
        Ok((config, more)) if is_good => {
            findings.extend(more);
            nginx_conf::sort(&tree.sources, &mut findings);
            Ok((config, findings))
        }
        Ok(_) => Err(findings),
        Err(more) => {
            let follows = |diag: &Diag| {
                ["unknown ", "no servers ", "no \"server\""]
                    .iter()
                    .any(|m| diag.message.starts_with(m))
            };
            let is_new = |diag: &Diag| is_good || !follows(diag);
            findings.extend(more.into_iter().filter(|diag| diag.is_error() && is_new(diag)));
            nginx_conf::sort(&tree.sources, &mut findings);
            Err(findings)
        }
    }
}

/// Makes the configuration of a checked tree, or tells all that is wrong with it. Upstreams have
/// no addresses yet. The findings beside a configuration are warnings.
fn lower(tree: &Tree, surroundings: &Surroundings<'_>) -> Result<(Config, Vec<Diag>), Vec<Diag>> {
    let mut lower = Lower {
        sources: &tree.sources,
        surroundings,
        diags: Diags::default(),
        config: Config::default(),
        upstreams: Upstreams::default(),
        formats: Formats::default(),
        sockets: Vec::new(),
        socket_lines: HashMap::new(),
        names: Vec::new(),
        own: Own::default(),
        default_access_log: None,
        resolving: Resolving::default(),
    };
    lower.main(&tree.directives);
    let Lower { diags, config, .. } = lower;
    let is_bad = diags.has_errors();
    let list = diags.into_list();
    if is_bad { Err(list) } else { Ok((config, list)) }
}

impl Lower<'_> {
    fn main(&mut self, directives: &[Directive]) {
        self.config.error_logs.main = self.error_logs(directives);
        self.pid(directives);
        let http = directives.iter().find(|directive| directive.name.text == "http");
        if let Some(http) = http.and_then(|directive| directive.block.as_deref()) {
            self.http(http);
        }
        self.worker_connections(directives);
        if self.config.servers.is_empty() && !self.diags.has_errors() {
            // The main file, not the frame around it, is where the block is missed.
            let main = self.sources.files().iter().find(|source| !source.is_stock);
            let name = main.map_or("", |source| source.name.as_str());
            let message = "no \"server\" block in the configuration, nothing would be served";
            self.diags.push(Diag::without_place(Severity::Error, name, message));
        }
    }

    /// nginx: `worker_connections`, at least one more than there are sockets to listen on.
    fn worker_connections(&mut self, directives: &[Directive]) {
        let events = directives.iter().find(|directive| directive.name.text == "events");
        let block = events.and_then(|directive| directive.block.as_deref()).unwrap_or_default();
        let line = block.iter().find(|directive| directive.name.text == "worker_connections");
        let Some((line, number)) = line.and_then(|l| Some((l, units::number(l.arg(0)?)?))) else {
            return;
        };
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let sockets = self.config.listens.iter().filter(|listen| listen.bound_by.is_none()).count();
        if number <= sockets {
            let message = format!(
                "{number} worker_connections are not enough for {sockets} listening sockets"
            );
            self.error(line.arg_span(0), message);
        }
        self.config.process.worker_connections = Some(number);
    }

    fn http(&mut self, block: &[Directive]) {
        let named = |name: &'static str| block.iter().filter(move |d| d.name.text == name);
        // Variables, formats and upstreams may be used before they are written.
        self.own_names(block);
        named("map").enumerate().for_each(|(index, directive)| self.map(directive, index));
        named("geo").enumerate().for_each(|(index, directive)| self.geo(directive, index));
        named("split_clients").enumerate().for_each(|(index, line)| self.split(line, index));
        named("log_format").for_each(|directive| self.log_format(directive));
        let zones = block
            .iter()
            .filter(|d| matches!(d.name.text.as_str(), "limit_req_zone" | "limit_conn_zone"));
        zones.for_each(|directive| self.zone(directive));
        let folder = self.folder();
        let mut scope = Scope::root(&folder).with(self, block).into_owned();
        let charset = self.charsets(block, &mut scope);
        self.resolving = scope.proxy.resolving.clone();
        named("upstream").for_each(|directive| self.upstream(directive));
        named("server").for_each(|directive| self.server(directive, &scope));
        self.check_http_charsets(block, &charset);
        self.bind();
    }

    // A finding is made only if it is kept: to make one costs a walk through its file.
    fn error(&mut self, span: Span, message: impl Into<String>) {
        if !self.diags.is_full() {
            self.diags.push(self.sources.error(span, message));
        }
    }

    fn error_with_help(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        if !self.diags.is_full() {
            self.diags.push(self.sources.error(span, message).with_help(help));
        }
    }

    fn warn(&mut self, span: Span, message: impl Into<String>) {
        if self.diags.takes_warnings() {
            self.diags.push(self.sources.warning(span, message));
        }
    }

    /// `file:line:column` of a place.
    fn place(&self, span: Span) -> String {
        let (line, column) = self.sources.line_and_column(span);
        let file = self.sources.file(span.file).map_or("", |source| source.name.as_str());
        format!("{file}:{line}:{column}")
    }

    /// An argument with its variables compiled; what is wrong with them is told.
    fn template(&mut self, directive: &Directive, index: usize) -> Option<Template> {
        self.compiled(template::compile(directive.arg(index)?, &self.own.names), directive, index)
    }

    fn compiled(
        &mut self,
        compiled: Result<Template, String>,
        directive: &Directive,
        index: usize,
    ) -> Option<Template> {
        match compiled {
            Ok(template) => Some(template),
            Err(message) => {
                self.error(directive.arg_span(index), message);
                None
            }
        }
    }

    /// Name and value of `proxy_set_header` and `add_header`. Nothing that would end the field's
    /// line may stand in them (RFC 9110 §5.5); nginx sends it as it is.
    fn field(&mut self, directive: &Directive) -> Option<(Vec<u8>, Template)> {
        let name = directive.arg(0)?;
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            let message = format!("invalid field name \"{}\"", nginx_conf::parse::shorten(name));
            self.error(directive.arg_span(0), message);
            return None;
        }
        let value = directive.arg(1)?;
        if value.bytes().any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
            let message =
                format!("the value of field \"{name}\" has a line end or control character");
            self.error_with_help(directive.arg_span(1), message, "write it on one line");
            return None;
        }
        Some((name.as_bytes().to_vec(), self.template(directive, 1)?))
    }

    /// The lines of `types { name ending...; }`.
    fn types(&mut self, directive: &Directive, types: &mut Types) {
        for line in directive.block.iter().flatten() {
            if line.block.is_some() {
                let message = "invalid line in \"types\"";
                self.error_with_help(line.name.span, message, "expected a type and its endings");
            }
            for ending in &line.args {
                let ending = ending.text.to_ascii_lowercase().into_bytes();
                types.insert(ending, line.name.text.as_bytes().to_vec());
            }
        }
    }
}
