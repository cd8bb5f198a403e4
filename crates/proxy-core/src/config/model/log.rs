//! Where access lines go and how they look.

use std::path::{Path, PathBuf};

use super::Template;

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFile {
    /// Standard output; also nginx's image path `/var/log/nginx/access.log`.
    Stdout,
    /// Standard error; also nginx's image path `/var/log/nginx/error.log`.
    Stderr,
    /// A file, opened for appending, reopened on USR1.
    Path(PathBuf),
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
    /// Of the main level: about the program, and about requests where `http` has none.
    pub main: Vec<ErrorLog>,
    /// Of `http`: about requests.
    pub http: Vec<ErrorLog>,
}

/// nginx: `error_log FILE [LEVEL]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorLog {
    /// Where to.
    pub file: LogFile,
    /// What is told there: this and what is graver.
    pub level: ErrorLevel,
}

/// nginx: levels of `error_log`, gravest first. `crit`, `alert` and `emerg` are one with `error`:
/// nothing here is told at a level of theirs, and who asks for less noise still wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorLevel {
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

/// nginx: `access_log FILE FORMAT`.
#[derive(Debug, Clone, Copy)]
pub struct AccessLog {
    /// Index into `Config::log_files`.
    pub file: usize,
    /// Index into `Config::log_formats`.
    pub format: usize,
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
