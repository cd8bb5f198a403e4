//! Where access lines go and how they look.

use std::path::PathBuf;

use super::Template;

/// Where access lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFile {
    /// Standard output; also nginx's image path `/var/log/nginx/access.log`.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, opened for appending, reopened on USR1.
    Path(PathBuf),
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
