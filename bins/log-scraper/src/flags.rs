//! The command line and its environment variables, and what they mean to the engine.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use sidecar::check::Check;
use sidecar::cli::{self, ListenAddress};
use tail::engine::Options;
use tail::format::{Format, JsonLines};
use tail::multiline::Multiline;

/// Follows log files to stdout from their beginning, through every kind of rotation.
///
/// Waits for files that are not there yet. stdout carries the files' bytes and nothing else; the
/// program's own messages go to stderr. SIGTERM and SIGINT: everything there is to read is read,
/// then it ends. Exit codes: 0 ended by a signal or at the end of all files, 1 check failed,
/// 2 runtime error, 64 wrong command line.
#[derive(Debug, Parser)]
#[command(
    name = "log-scraper",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Files to follow; *, ? and [...] within a name are patterns, looked up again and again
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Remember here how far each file was read; without it every start reads from the beginning
    #[arg(long, env = "LOG_SCRAPER_CHECKPOINT_FILE", value_name = "FILE")]
    pub(crate) checkpoint_file: Option<PathBuf>,
    /// Longest time between something written out and the checkpoint that says so
    #[arg(
        long,
        env = "LOG_SCRAPER_CHECKPOINT_INTERVAL",
        value_name = "TIME",
        default_value = "1s",
        value_parser = cli::duration
    )]
    pub(crate) checkpoint_interval: Duration,
    /// Most that is written out between two checkpoints
    #[arg(
        long,
        env = "LOG_SCRAPER_CHECKPOINT_BYTES",
        value_name = "SIZE",
        default_value = "1MiB",
        value_parser = cli::bytes
    )]
    pub(crate) checkpoint_bytes: u64,
    /// Names that rotated files get; {path} is the followed path; may be repeated
    #[arg(
        long,
        env = "LOG_SCRAPER_ROTATED_GLOB",
        value_name = "PATTERN",
        default_value = "{path}.*",
        value_delimiter = ','
    )]
    pub(crate) rotated_glob: Vec<String>,
    /// Write the name of its file, a colon and a blank before each line
    #[arg(long, env = "LOG_SCRAPER_PREFIX")]
    pub(crate) prefix: bool,
    /// How lines are written: raw, as they are, or json, an object each with time, file and line
    #[arg(
        long,
        env = "LOG_SCRAPER_FORMAT",
        value_name = "FORMAT",
        default_value = "raw",
        value_parser = format_name
    )]
    pub(crate) format: FormatName,
    /// With --format json, lines that are JSON objects: nest, as the value of line (the default);
    /// merge, their keys beside time and file; text, as other lines
    #[arg(
        long,
        env = "LOG_SCRAPER_JSON_LINES",
        value_name = "HOW",
        value_parser = json_lines
    )]
    pub(crate) json_lines: Option<JsonLines>,
    /// With --format json, lines that belong together: off, none (the default); auto, stack traces
    /// of Java, Python, Go, .NET and Node; indent, lines that begin with a blank or with "Caused
    /// by:"; start=REGEX, all lines up to the next one that matches (a build with that feature)
    #[arg(
        long,
        env = "LOG_SCRAPER_MULTILINE",
        value_name = "HOW",
        value_parser = multiline
    )]
    pub(crate) multiline: Option<Multiline>,
    /// With several files, --prefix or --format json: wait this long for the end of a line, or of
    /// lines that belong together, counted from the beginning
    #[arg(
        long,
        env = "LOG_SCRAPER_PARTIAL_LINE_TIMEOUT",
        value_name = "TIME",
        default_value = "1s",
        value_parser = cli::duration
    )]
    pub(crate) partial_line_timeout: Duration,
    /// Look at everything this often, in case the system did not tell of a change
    #[arg(
        long,
        env = "LOG_SCRAPER_POLL_INTERVAL",
        value_name = "TIME",
        default_value = "1s",
        value_parser = poll_interval
    )]
    pub(crate) poll_interval: Duration,
    /// Longest time to go on reading after SIGTERM
    #[arg(
        long,
        env = "LOG_SCRAPER_SHUTDOWN_TIMEOUT",
        value_name = "TIME",
        default_value = "25s",
        value_parser = cli::duration
    )]
    pub(crate) shutdown_timeout: Duration,
    /// End when all files were read to their end; exit code 2 if one could not be read
    #[arg(long, env = "LOG_SCRAPER_EXIT_ON_EOF")]
    pub(crate) exit_on_eof: bool,
    /// Serve /livez, /readyz and /metrics at HOST:PORT, [IPV6]:PORT, or :PORT for every address
    #[arg(long, env = "LOG_SCRAPER_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub(crate) admin_listen: Option<ListenAddress>,
    /// Least important messages to show: off, error, warn, info, debug
    #[arg(long, env = "LOG_SCRAPER_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: log::LevelFilter,
}

/// What else it can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check something from within the container, for probes and tests
    Check {
        #[command(subcommand)]
        check: Check,
    },
}

impl Arguments {
    /// Why flags that are right alone are wrong together, and what would be right.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        match self.format {
            FormatName::Json if self.prefix => {
                Some("--prefix is for --format raw: json names the file of each line anyway")
            }
            FormatName::Raw if self.json_lines.is_some() => {
                Some("--json-lines needs --format json: raw lines stay as they are")
            }
            FormatName::Raw if self.multiline.is_some() => {
                Some("--multiline needs --format json: raw lines stay as they are")
            }
            _ => None,
        }
    }

    fn output_format(&self) -> Format {
        match self.format {
            FormatName::Raw if self.prefix => Format::Prefixed,
            FormatName::Raw => Format::Raw,
            FormatName::Json => Format::Json {
                json_lines: self.json_lines.unwrap_or_default(),
                multiline: self.multiline.clone().unwrap_or_default(),
            },
        }
    }

    /// What the engine is to do.
    pub(crate) fn options(&self) -> Options {
        Options {
            paths: self.paths.clone(),
            rotated: self.rotated_glob.clone(),
            checkpoint: self.checkpoint_file.is_some(),
            checkpoint_interval_ms: millis(self.checkpoint_interval),
            checkpoint_bytes: self.checkpoint_bytes,
            partial_line_ms: millis(self.partial_line_timeout),
            format: self.output_format(),
            poll_ms: millis(self.poll_interval),
            exit_on_eof: self.exit_on_eof,
        }
    }
}

/// What `--format` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FormatName {
    /// Lines as they are.
    Raw,
    /// An object for each line.
    Json,
}

fn format_name(text: &str) -> Result<FormatName, String> {
    match text {
        "raw" => Ok(FormatName::Raw),
        "json" => Ok(FormatName::Json),
        _ => Err(format!("{text:?} is not raw or json")),
    }
}

fn json_lines(text: &str) -> Result<JsonLines, String> {
    match text {
        "nest" => Ok(JsonLines::Nest),
        "merge" => Ok(JsonLines::Merge),
        "text" => Ok(JsonLines::Text),
        _ => Err(format!("{text:?} is not nest, merge or text")),
    }
}

fn multiline(text: &str) -> Result<Multiline, String> {
    match text {
        "off" => Ok(Multiline::Off),
        "auto" => Ok(Multiline::Auto),
        "indent" => Ok(Multiline::Indent),
        _ => match text.strip_prefix("start=") {
            Some(pattern) => multiline_start(pattern),
            None => Err(format!("{text:?} is not off, auto, indent or start=REGEX")),
        },
    }
}

#[cfg(feature = "regex")]
fn multiline_start(pattern: &str) -> Result<Multiline, String> {
    if pattern.is_empty() {
        return Err("start= needs a pattern, like start=^[0-9]{4}-".to_owned());
    }
    tail::pattern_start::Start::new(pattern).map(Multiline::Start)
}

#[cfg(not(feature = "regex"))]
fn multiline_start(_: &str) -> Result<Multiline, String> {
    Err("start=REGEX is not in this program: it was built without the feature regex".to_owned())
}

/// A duration as the engine counts time.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Below 10 ms it would be a busy loop, above a minute no backstop.
fn poll_interval(text: &str) -> Result<Duration, String> {
    let interval = cli::duration(text)?;
    match (Duration::from_millis(10)..=Duration::from_secs(60)).contains(&interval) {
        true => Ok(interval),
        false => Err(format!("{text:?} is not between 10ms and 60s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_variable() {
        for argument in Arguments::command().get_arguments() {
            let name = argument.get_id().as_str();
            if matches!(name, "help" | "paths" | "version") {
                continue;
            }
            let expected = format!("LOG_SCRAPER_{}", name.to_uppercase());
            assert_eq!(argument.get_env().and_then(|env| env.to_str()), Some(expected.as_str()));
        }
    }

    #[test]
    fn a_path_is_needed_unless_something_is_checked() {
        let parse = |words: &[&str]| {
            Arguments::try_parse_from([&["log-scraper"], words].concat()).map_err(|e| e.kind())
        };
        assert!(parse(&[]).is_err());
        assert_eq!(parse(&["a", "b"]).unwrap().paths.len(), 2);
        assert!(parse(&["check", "http", "http://127.0.0.1:1/"]).unwrap().command.is_some());
        assert!(parse(&["a", "--poll-interval", "1ms"]).is_err());
        assert!(parse(&["a", "--nonsense"]).is_err());
    }

    #[test]
    fn the_format_is_what_the_flags_say_and_contradictions_are_named() {
        let parse = |words: &[&str]| {
            Arguments::try_parse_from([&["log-scraper", "a"], words].concat()).unwrap()
        };
        let raw = parse(&[]);
        assert!(matches!(raw.output_format(), Format::Raw) && raw.contradiction().is_none());
        assert!(matches!(parse(&["--prefix"]).output_format(), Format::Prefixed));
        let json = parse(&["--format", "json", "--multiline", "auto", "--json-lines", "merge"]);
        assert!(json.contradiction().is_none());
        let Format::Json { json_lines, multiline } = json.output_format() else { panic!("json") };
        assert_eq!(json_lines, JsonLines::Merge);
        assert!(matches!(multiline, Multiline::Auto));
        for words in [
            &["--prefix", "--format", "json"][..],
            &["--json-lines", "nest"],
            &["--multiline", "off"],
        ] {
            assert!(parse(words).contradiction().is_some(), "{words:?}");
        }
        for words in [
            ["--format", "xml"],
            ["--json-lines", "no"],
            ["--multiline", "yes"],
            ["--multiline", "start="],
            ["--multiline", "start=("],
        ] {
            let words = [&["log-scraper", "a"], &words[..]].concat();
            assert!(Arguments::try_parse_from(&words).is_err(), "{words:?}");
        }
    }
}
