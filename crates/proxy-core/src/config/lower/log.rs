//! `log_format`, `access_log`, `error_log` and `pid`.
//!
//! Owns: where lines go and how they look. Opens nothing.

use std::collections::HashMap;

use nginx_conf::suggest::nearest;
use nginx_conf::{Directive, units};

use super::Lower;
use crate::config::model::{
    AccessLog, ErrorLevel, ErrorLog, Escape, LogFile, LogFormat, Shared, Template,
};
use crate::config::template;

/// nginx: the format that needs no `log_format`.
const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status \
                        $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";

/// Formats by name, and which of them are in use.
#[derive(Default)]
pub(super) struct Formats {
    written: HashMap<String, (Escape, Template)>,
    used: HashMap<String, usize>,
}

impl Lower<'_> {
    /// nginx: `log_format NAME [escape=…] TEXT…`.
    pub(super) fn log_format(&mut self, directive: &Directive) {
        let name = directive.arg(0).unwrap_or_default().to_owned();
        if name == "combined" || self.formats.written.contains_key(&name) {
            let message = format!("duplicate \"log_format\" name \"{name}\"");
            self.error(directive.arg_span(0), message);
            return;
        }
        let mut escape = Escape::Default;
        let mut first = 1;
        if let Some(how) = directive.arg(1).and_then(|text| text.strip_prefix("escape=")) {
            first = 2;
            escape = match how {
                "default" => Escape::Default,
                "json" => Escape::Json,
                "none" => Escape::None,
                _ => {
                    let message = format!("unknown log format escaping \"{how}\"");
                    let help = "expected \"default\", \"json\" or \"none\"";
                    return self.error_with_help(directive.arg_span(1), message, help);
                }
            };
        }
        let mut parts = Template::default();
        for index in first..directive.args.len() {
            let text = directive.arg(index).unwrap_or_default();
            let compiled = template::compile_log(text, &self.own.names);
            match self.compiled(compiled, directive, index) {
                Some(template) => parts.0.extend(template.0),
                // Known all the same, so that its use is not told too.
                None => break,
            }
        }
        self.formats.written.insert(name, (escape, parts));
    }

    /// nginx: `access_log off` gives `Some(None)`; nothing where it is wrong, which is told.
    pub(super) fn access_log(&mut self, directive: &Directive) -> Option<Option<AccessLog>> {
        let path = directive.arg(0)?;
        if path == "off" {
            if directive.args.len() > 1 {
                self.error(directive.arg_span(1), "invalid parameter after \"off\"");
            }
            return Some(None);
        }
        if path.starts_with("syslog:") {
            self.error(directive.arg_span(0), "logging to syslog is not supported yet");
            return None;
        }
        if path.contains('$') {
            let message = "variables in the path of \"access_log\" are not supported yet";
            self.error(directive.arg_span(0), message);
            return None;
        }
        let is_parameter = |text: &str| {
            text == "gzip"
                || ["buffer=", "flush=", "gzip=", "if="].iter().any(|p| text.starts_with(p))
        };
        let format = directive.arg(1).filter(|text| !is_parameter(text));
        let first = if format.is_some() { 2 } else { 1 };
        for index in first..directive.args.len() {
            self.access_log_parameter(directive, index);
        }
        let format = match format {
            Some(name) => self.format_index(name, directive)?,
            None => self.combined(),
        };
        let file = self.log_file(path);
        Some(Some(AccessLog { file, format }))
    }

    fn access_log_parameter(&mut self, directive: &Directive, index: usize) {
        let text = directive.arg(index).unwrap_or_default();
        let span = directive.arg_span(index);
        let is_good = match text.split_once('=') {
            Some(("if", _)) => {
                return self.error(span, "\"if=\" of \"access_log\" is not supported yet");
            }
            Some(("buffer", size)) => units::size(size).is_some(),
            Some(("flush", time)) => units::time(time).is_some(),
            Some(("gzip", level)) => matches!(units::number(level), Some(1..=9)),
            _ => text == "gzip",
        };
        if !is_good {
            return self.error(span, format!("invalid parameter \"{text}\""));
        }
        let name = text.split('=').next().unwrap_or(text);
        let message = format!(
            "\"{name}\" of \"access_log\" has no effect here: lines are written in batches, at once"
        );
        self.warn(span, message);
    }

    /// The combined format on standard output: what holds where no `access_log` is written.
    pub(super) fn default_access_log(&mut self) -> Shared<AccessLog> {
        if let Some(logs) = &self.default_access_log {
            return logs.clone();
        }
        let format = self.combined();
        let file = self.log_file("/dev/stdout");
        let logs: Shared<AccessLog> = vec![AccessLog { file, format }].into();
        self.default_access_log = Some(logs.clone());
        logs
    }

    fn combined(&mut self) -> usize {
        if let Some(index) = self.formats.used.get("combined") {
            return *index;
        }
        let template = template::compile(COMBINED, &self.own.names).unwrap_or_default();
        self.use_format("combined", Escape::Default, template)
    }

    fn format_index(&mut self, name: &str, directive: &Directive) -> Option<usize> {
        if name == "combined" {
            return Some(self.combined());
        }
        if let Some(index) = self.formats.used.get(name) {
            return Some(*index);
        }
        let Some((escape, template)) = self.formats.written.get(name).cloned() else {
            let message = format!("unknown log format \"{name}\"");
            let near = nearest(name, self.formats.written.keys().map(String::as_str));
            let help = near.map_or("no log_format of that name is written".to_owned(), |near| {
                format!("did you mean \"{near}\"?")
            });
            self.error_with_help(directive.arg_span(1), message, help);
            return None;
        };
        Some(self.use_format(name, escape, template))
    }

    fn use_format(&mut self, name: &str, escape: Escape, template: Template) -> usize {
        let index = self.config.log_formats.len();
        self.config.log_formats.push(LogFormat { escape, template });
        self.formats.used.insert(name.to_owned(), index);
        index
    }

    /// The index of a destination.
    fn log_file(&mut self, path: &str) -> usize {
        let file = LogFile::named(path, self.surroundings.folder);
        let files = &mut self.config.log_files;
        files.iter().position(|known| *known == file).unwrap_or_else(|| {
            files.push(file);
            files.len() - 1
        })
    }

    /// nginx: `error_log FILE [LEVEL]` of one level; `error` where none is written.
    pub(super) fn error_logs(&mut self, directives: &[Directive]) -> Vec<ErrorLog> {
        let mut logs: Vec<ErrorLog> = Vec::new();
        for directive in directives.iter().filter(|d| d.name.text == "error_log") {
            let path = directive.arg(0).unwrap_or_default();
            let level = match directive.arg(1).map(str::to_ascii_lowercase).as_deref() {
                Some("debug") => ErrorLevel::Debug,
                Some("info") => ErrorLevel::Info,
                Some("notice") => ErrorLevel::Notice,
                Some("warn") => ErrorLevel::Warn,
                _ => ErrorLevel::Error,
            };
            let file = self.error_log_file(path, directive);
            match logs.iter_mut().find(|log| log.file == file) {
                Some(known) => known.level = known.level.max(level),
                None => logs.push(ErrorLog { file, level }),
            }
        }
        logs
    }

    fn error_log_file(&mut self, path: &str, directive: &Directive) -> LogFile {
        if path.starts_with("syslog:") || path.starts_with("memory:") {
            let message = format!("messages go to standard error, not to \"{path}\"");
            self.warn(directive.arg_span(0), message);
            return LogFile::Stderr;
        }
        if path == "off" {
            let message = "\"off\" is the name of a file here, as in nginx; \
                           \"error_log /dev/null\" tells nothing";
            self.warn(directive.arg_span(0), message);
        }
        LogFile::named(path, self.surroundings.folder)
    }

    /// nginx: `pid FILE`.
    pub(super) fn pid(&mut self, directives: &[Directive]) {
        let written = directives.iter().find(|directive| directive.name.text == "pid");
        let path = written.and_then(|directive| directive.arg(0));
        self.config.process.pid = path.map(|path| self.surroundings.folder.join(path));
    }

    /// One warning for all `error_log` lines below `http`: requests share one log.
    pub(super) fn inner_error_log(&mut self, block: &[Directive]) {
        let line = block.iter().find(|directive| directive.name.text == "error_log");
        if let (Some(line), false) = (line, self.has_told_inner_error_log) {
            self.has_told_inner_error_log = true;
            let message = "\"error_log\" of a server or location has no effect here: \
                           those of the main level and of http hold for all";
            self.warn(line.name.span, message);
        }
    }
}
