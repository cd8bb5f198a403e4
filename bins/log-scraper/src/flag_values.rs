//! The values that flags take, each with what would be right where one is wrong.

use std::time::Duration;

use sidecar::cli;
use tail::engine::OPEN_FILES_MIN;
use tail::format::JsonLines;
use tail::multiline::Multiline;
use tail::template;

/// What `--output` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputName {
    Stdout,
    #[cfg(feature = "stores")]
    Otlp,
    #[cfg(feature = "stores")]
    Loki,
    #[cfg(feature = "stores")]
    Ndjson,
    #[cfg(feature = "stores")]
    Elasticsearch,
}

pub(crate) fn output_name(text: &str) -> Result<OutputName, String> {
    match text {
        "stdout" => Ok(OutputName::Stdout),
        #[cfg(feature = "stores")]
        "otlp" => Ok(OutputName::Otlp),
        #[cfg(feature = "stores")]
        "loki" => Ok(OutputName::Loki),
        #[cfg(feature = "stores")]
        "ndjson" => Ok(OutputName::Ndjson),
        #[cfg(feature = "stores")]
        "elasticsearch" => Ok(OutputName::Elasticsearch),
        #[cfg(not(feature = "stores"))]
        "otlp" | "loki" | "ndjson" | "elasticsearch" => {
            Err(format!("{text} is not in this program: it was built without the feature stores"))
        }
        _ => Err(format!("{text:?} is not stdout, otlp, loki, ndjson or elasticsearch")),
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

pub(crate) fn format_name(text: &str) -> Result<FormatName, String> {
    match text {
        "raw" => Ok(FormatName::Raw),
        "json" => Ok(FormatName::Json),
        _ => Err(format!("{text:?} is not raw or json")),
    }
}

pub(crate) fn json_lines(text: &str) -> Result<JsonLines, String> {
    match text {
        "nest" => Ok(JsonLines::Nest),
        "merge" => Ok(JsonLines::Merge),
        "text" => Ok(JsonLines::Text),
        _ => Err(format!("{text:?} is not nest, merge or text")),
    }
}

pub(crate) fn multiline(text: &str) -> Result<Multiline, String> {
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

pub(crate) fn rotated_glob(template: &str) -> Result<String, String> {
    template::check(template).map(|()| template.to_owned())
}

pub(crate) fn max_files(text: &str) -> Result<usize, String> {
    at_least(text, 1)
}

pub(crate) fn max_open_files(text: &str) -> Result<usize, String> {
    at_least(text, OPEN_FILES_MIN)
}

fn at_least(text: &str, least: usize) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| *count >= least);
    count.ok_or_else(|| format!("{text:?} is not a number of at least {least}"))
}

/// Below 10 ms it would be a busy loop, above a minute no backstop.
pub(crate) fn poll_interval(text: &str) -> Result<Duration, String> {
    let interval = cli::duration(text)?;
    match (Duration::from_millis(10)..=Duration::from_secs(60)).contains(&interval) {
        true => Ok(interval),
        false => Err(format!("{text:?} is not between 10ms and 60s")),
    }
}
