//! The tree of directives to the typed configuration.
//!
//! Owns: the walk over main and `http`, and what the levels share. What the table can check alone
//! is checked before; what is told here is about meaning. Reads no file and asks no name server.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use nginx_conf::diag::Diags;
use nginx_conf::{Diag, Directive, Severity, Sources, Span, Tree};

use super::lower_log::Formats;
use super::lower_server::{AddressLines, ServerNames, SocketLine};
use super::lower_upstream::Upstreams;
use super::model::{AccessLog, Config, Shared, Template};
use super::scope::{Scope, Types};
use super::template;

/// What is known outside of the file.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    /// Where relative paths of log files start.
    pub(super) folder: PathBuf,
    /// Whether ports below 1024 are anyone's: nginx's default port is 80 for root, else 8000.
    pub(super) is_root: bool,
    /// nginx: what `server_name $hostname` means.
    pub(super) hostname: String,
}

/// A configuration being made.
pub(super) struct Lower<'t> {
    pub(super) sources: &'t Sources,
    pub(super) surroundings: &'t Surroundings,
    pub(super) diags: Diags,
    pub(super) config: Config,
    pub(super) upstreams: Upstreams,
    pub(super) formats: Formats,
    pub(super) sockets: Vec<SocketLine>,
    pub(super) socket_lines: HashMap<SocketAddr, AddressLines>,
    pub(super) names: Vec<ServerNames>,
    pub(super) default_access_log: Option<Shared<AccessLog>>,
    pub(super) has_told_inner_error_log: bool,
}

/// Makes the configuration of a checked tree, or tells all that is wrong with it. Upstreams have
/// no addresses yet. The findings beside a configuration are warnings.
pub(super) fn lower(
    tree: &Tree,
    surroundings: &Surroundings,
) -> Result<(Config, Vec<Diag>), Vec<Diag>> {
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
        default_access_log: None,
        has_told_inner_error_log: false,
    };
    lower.main(&tree.directives);
    let Lower { diags, config, .. } = lower;
    let is_bad = diags.has_errors();
    let list = diags.into_list();
    if is_bad { Err(list) } else { Ok((config, list)) }
}

impl Lower<'_> {
    fn main(&mut self, directives: &[Directive]) {
        self.error_level(directives);
        let http = directives.iter().find(|directive| directive.name.text == "http");
        if let Some(http) = http.and_then(|directive| directive.block.as_deref()) {
            self.http(http);
        }
        if self.config.servers.is_empty() && !self.diags.has_errors() {
            // The main file, not the frame around it, is where the block is missed.
            let main = self.sources.files().iter().find(|source| !source.is_stock);
            let name = main.map_or("", |source| source.name.as_str());
            let message = "no \"server\" block in the configuration, nothing would be served";
            self.diags.push(Diag::without_place(Severity::Error, name, message));
        }
    }

    fn http(&mut self, block: &[Directive]) {
        self.error_level(block);
        let named = |name: &'static str| block.iter().filter(move |d| d.name.text == name);
        // Formats and upstreams may be used before they are written.
        named("log_format").for_each(|directive| self.log_format(directive));
        named("upstream").for_each(|directive| self.upstream(directive));
        let scope = Scope::root().with(self, block);
        named("server").for_each(|directive| self.server(directive, &scope));
        self.bind();
    }

    // A finding is made only if it is kept: to make one costs a walk through its file.
    pub(super) fn error(&mut self, span: Span, message: impl Into<String>) {
        if !self.diags.is_full() {
            self.diags.push(self.sources.error(span, message));
        }
    }

    pub(super) fn error_with_help(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if !self.diags.is_full() {
            self.diags.push(self.sources.error(span, message).with_help(help));
        }
    }

    pub(super) fn warn(&mut self, span: Span, message: impl Into<String>) {
        if self.diags.takes_warnings() {
            self.diags.push(self.sources.warning(span, message));
        }
    }

    /// `file:line:column` of a place.
    pub(super) fn place(&self, span: Span) -> String {
        let (line, column) = self.sources.line_and_column(span);
        let file = self.sources.file(span.file).map_or("", |source| source.name.as_str());
        format!("{file}:{line}:{column}")
    }

    /// An argument with its variables compiled; what is wrong with them is told.
    pub(super) fn template(&mut self, directive: &Directive, index: usize) -> Option<Template> {
        match template::compile(directive.arg(index)?) {
            Ok(template) => Some(template),
            Err(message) => {
                self.error(directive.arg_span(index), message);
                None
            }
        }
    }

    /// Name and value of `proxy_set_header` and `add_header`. Nothing that would end the field's
    /// line may stand in them (RFC 9110 §5.5); nginx sends it as it is.
    pub(super) fn field(&mut self, directive: &Directive) -> Option<(Vec<u8>, Template)> {
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
    pub(super) fn types(&mut self, directive: &Directive, types: &mut Types) {
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
