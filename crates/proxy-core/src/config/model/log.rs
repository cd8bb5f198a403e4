//! Where access lines go and how they look.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{Shared, Template};

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFile {
    /// Standard output; also nginx's image path `/var/log/nginx/access.log`.
    Stdout,
    /// Standard error; also nginx's image path `/var/log/nginx/error.log`.
    Stderr,
    /// A file, opened for appending, reopened on USR1.
    Path(PathBuf),
    /// A file whose name a request had a part in.
    Made(MadeFile),
    /// A collector that is sent a datagram for each line.
    Syslog(Box<Syslog>),
}

/// A file whose name a request had a part in, opened for each batch of lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MadeFile {
    /// The file.
    pub path: PathBuf,
    /// nginx: the request's root, without which no line is written.
    pub root: PathBuf,
}

/// nginx: `syslog:server=…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syslog {
    /// Who takes the lines.
    pub server: SyslogServer,
    /// Number of the facility (RFC 3164 §4.1.1).
    pub facility: u8,
    /// Number of the severity of what has none of its own.
    pub severity: u8,
    /// Name of the program.
    pub tag: String,
    /// Whether lines say the host's name.
    pub tells_host: bool,
}

/// Who takes syslog's lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogServer {
    /// By UDP; without an address where the name had none at the load.
    Udp(String, Option<SocketAddr>),
    /// By datagrams to a path.
    Unix(PathBuf),
}

impl LogFile {
    /// What a path means; nginx's image links its two log files to the streams. Relative paths
    /// start at `folder`.
    pub fn named(path: &str, folder: &Path) -> LogFile {
        match path {
            "/dev/stdout" | "/proc/self/fd/1" | "/var/log/nginx/access.log" => LogFile::Stdout,
            "/dev/stderr" | "/proc/self/fd/2" | "/var/log/nginx/error.log" | "stderr" => {
                LogFile::Stderr
            }
            _ => LogFile::Path(folder.join(path)),
        }
    }
}

/// nginx: `error_log` lines, by what they are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorLogs {
    /// Of the main level: about the program, and about requests where no level below has any.
    pub main: Vec<ErrorLog>,
    /// Where those of `http` and of levels below go, each once.
    pub inner: Vec<LogFile>,
}

/// The logs of a location.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    /// nginx: `access_log`; empty when off.
    pub access: Shared<AccessLog>,
    /// nginx: `error_log` of `http` and below; empty where none is written there.
    pub errors: Shared<ErrorLog>,
}

/// A line of the error log about a request.
#[derive(Debug)]
pub struct Notice {
    /// How grave it is.
    pub level: ErrorLevel,
    /// The line, without time and level.
    pub text: String,
    /// Where the request's location tells it; that of the main level where it is empty.
    pub logs: Shared<ErrorLog>,
}

/// nginx: `error_log FILE [LEVEL]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorLog {
    /// Where to.
    pub file: LogFile,
    /// What is told there: this and what is graver.
    pub level: ErrorLevel,
}

/// nginx: levels of `error_log`, gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorLevel {
    /// It cannot go on, or not with what it was given.
    Emerg,
    /// A fault of the program itself.
    Alert,
    /// Something that everybody needs is short.
    Crit,
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// A step in the life of the program.
    Notice,
    /// What a client did wrong, and other small things.
    Info,
    /// For who looks for a fault in the program.
    Debug,
}

/// nginx: `access_log FILE FORMAT if=TEXT`.
#[derive(Debug, Clone)]
pub struct AccessLog {
    /// Where to.
    pub file: AccessFile,
    /// Index into `Config::log_formats`.
    pub format: usize,
    /// A request whose text here is empty or `0` has no line.
    pub condition: Option<Template>,
}

impl AccessLog {
    /// The texts that it makes of a request, beside its format.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let path = match &self.file {
            AccessFile::Known(_) => None,
            AccessFile::Made(path, _) => Some(path),
        };
        path.into_iter().chain(&self.condition)
    }
}

/// Where a line of an access log goes.
#[derive(Debug, Clone)]
pub enum AccessFile {
    /// Index into `Config::log_files`.
    Known(usize),
    /// A path with variables, and whether the file itself leads upwards in it.
    Made(Template, bool),
}

/// nginx: `log_format`.
#[derive(Debug)]
pub struct LogFormat {
    /// How values are escaped.
    pub escape: Escape,
    /// The line, without its end.
    pub template: Template,
}

/// nginx: `log_format … escape=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// `"`, `\` and bytes outside 0x20-0x7e as `\xHH`.
    Default,
    /// JSON string escapes.
    Json,
    /// None.
    None,
}
