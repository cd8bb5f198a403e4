//! `log_format`, `access_log`, `error_log` and `pid`.
//!
//! Owns: where lines go and how they look. Opens nothing.

use std::collections::HashMap;
use std::path::Component;

use nginx_conf::suggest::nearest;
use nginx_conf::{Directive, Span, units};

use super::Lower;
use crate::config::model::{
    AccessFile, AccessLog, ErrorLevel, ErrorLog, ErrorLogs, Escape, LogFile, LogFormat, Shared,
    Template,
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
        let is_parameter = |text: &str| {
            text == "gzip"
                || ["buffer=", "flush=", "gzip=", "if="].iter().any(|p| text.starts_with(p))
        };
        let format = directive.arg(1).filter(|text| !is_parameter(text));
        let mut parameters = Parameters::default();
        for index in if format.is_some() { 2 } else { 1 }..directive.args.len() {
            self.access_log_parameter(directive, index, &mut parameters);
        }
        self.check_buffer(directive, path, &parameters);
        let format = match format {
            Some(name) => self.format_index(name, directive)?,
            None => self.combined(),
        };
        let file = self.access_file(path, directive)?;
        Some(Some(AccessLog { file, format, condition: parameters.condition }))
    }

    /// What the path of an `access_log` names.
    fn access_file(&mut self, path: &str, directive: &Directive) -> Option<AccessFile> {
        if let Some(text) = path.strip_prefix("syslog:") {
            let syslog = self.syslog(text, directive)?;
            return Some(AccessFile::Known(self.known(LogFile::Syslog(Box::new(syslog)))));
        }
        if !path.contains('$') {
            let file = LogFile::named(path, self.surroundings.folder);
            return Some(AccessFile::Known(self.known(file)));
        }
        // nginx: a relative path starts at its prefix.
        let whole = self.surroundings.folder.join(path);
        let compiled = template::compile(&whole.to_string_lossy(), &self.own.names);
        let path = self.compiled(compiled, directive, 0)?;
        let leads_upwards = whole.components().any(|part| part == Component::ParentDir);
        Some(AccessFile::Made(path, leads_upwards))
    }

    fn access_log_parameter(
        &mut self,
        directive: &Directive,
        index: usize,
        parameters: &mut Parameters,
    ) {
        let text = directive.arg(index).unwrap_or_default();
        let span = directive.arg_span(index);
        let is_good = match text.split_once('=') {
            Some(("if", "")) => false,
            Some(("if", condition)) => {
                let compiled = template::compile(condition, &self.own.names);
                parameters.condition = self.compiled(compiled, directive, index);
                return;
            }
            Some(("buffer", size)) => {
                parameters.is_buffered = true;
                units::size(size).is_some_and(|size| size > 0)
            }
            Some(("flush", time)) => {
                parameters.is_flushed = true;
                units::time(time).is_some_and(|time| !time.is_zero())
            }
            Some(("gzip", level)) if !matches!(units::number(level), Some(1..=9)) => false,
            Some(("gzip", _)) => return self.no_gzip(span),
            _ if text == "gzip" => return self.no_gzip(span),
            _ => false,
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

    fn no_gzip(&mut self, span: Span) {
        let message = "\"gzip\" of \"access_log\" is refused: log files are not compressed";
        self.error_with_help(span, message, "who rotates the file can compress it");
    }

    /// nginx: what goes together with `buffer=`.
    fn check_buffer(&mut self, directive: &Directive, path: &str, parameters: &Parameters) {
        let span = directive.arg_span(0);
        if parameters.is_flushed && !parameters.is_buffered {
            self.error(span, format!("no buffer is defined for access_log \"{path}\""));
        } else if parameters.is_buffered && path.starts_with("syslog:") {
            self.error(span, "logs to syslog cannot be buffered");
        } else if parameters.is_buffered && path.contains('$') {
            self.error(span, "buffered logs cannot have variables in name");
        }
    }

    /// The combined format on standard output: what holds where no `access_log` is written.
    pub(super) fn default_access_log(&mut self) -> Shared<AccessLog> {
        if let Some(logs) = &self.default_access_log {
            return logs.clone();
        }
        let format = self.combined();
        let file = AccessFile::Known(self.known(LogFile::Stdout));
        let logs: Shared<AccessLog> = vec![AccessLog { file, format, condition: None }].into();
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
    fn known(&mut self, file: LogFile) -> usize {
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
                Some("crit") => ErrorLevel::Crit,
                Some("alert") => ErrorLevel::Alert,
                Some("emerg") => ErrorLevel::Emerg,
                _ => ErrorLevel::Error,
            };
            let Some(file) = self.error_log_file(path, directive) else { continue };
            match logs.iter_mut().find(|log| log.file == file) {
                Some(known) => known.level = known.level.max(level),
                None => logs.push(ErrorLog { file, level }),
            }
        }
        logs
    }

    fn error_log_file(&mut self, path: &str, directive: &Directive) -> Option<LogFile> {
        if let Some(text) = path.strip_prefix("syslog:") {
            return self.syslog(text, directive).map(|syslog| LogFile::Syslog(Box::new(syslog)));
        }
        if path.starts_with("memory:") {
            let message = format!("messages go to standard error, not to \"{path}\"");
            self.warn(directive.arg_span(0), message);
            return Some(LogFile::Stderr);
        }
        if path == "off" {
            let message = "\"off\" is the name of a file here, as in nginx; \
                           \"error_log /dev/null\" tells nothing";
            self.warn(directive.arg_span(0), message);
        }
        Some(LogFile::named(path, self.surroundings.folder))
    }

    /// nginx: `pid FILE`.
    pub(super) fn pid(&mut self, directives: &[Directive]) {
        let written = directives.iter().find(|directive| directive.name.text == "pid");
        let path = written.and_then(|directive| directive.arg(0));
        self.config.process.pid = path.map(|path| self.surroundings.folder.join(path));
    }
}

impl ErrorLogs {
    /// Remembers where these lines of a level below the main one go.
    pub(super) fn note(&mut self, logs: &[ErrorLog]) {
        for log in logs {
            if !self.inner.contains(&log.file) {
                self.inner.push(log.file.clone());
            }
        }
    }
}

/// What stands behind the format of an `access_log`.
#[derive(Default)]
struct Parameters {
    condition: Option<Template>,
    is_buffered: bool,
    is_flushed: bool,
}
