//! The flags of log stores, and what their values may be.
//!
//! Each is an environment variable as well. What they come to is made in [`crate::store::setup`].

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ship::format::Pair;
use sidecar::cli;
use ureq::http::{HeaderName, HeaderValue};

/// Bytes of a batch, at most: a store takes no more, and two of them are in memory.
const BATCH_BYTES_MAX: u64 = 16 << 20;
/// Bytes of a batch and of a record, at least.
const BYTES_MIN: u64 = 1 << 10;

/// How records get to a store.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log stores")]
pub(crate) struct StoreArguments {
    /// Address of the store, http://HOST:PORT/PATH; without a path the usual one of the output is taken
    #[arg(long, env = "LOG_SCRAPER_URL", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Write the lines to stdout as well; the position is that of the slower of the two
    #[arg(long, env = "LOG_SCRAPER_TEE")]
    pub(crate) tee: bool,
    /// What tells these records from others': a label of the stream for loki, an attribute of the
    /// resource for otlp, else a field; may be repeated
    #[arg(
        long,
        env = "LOG_SCRAPER_LABEL",
        value_name = "NAME=VALUE",
        value_delimiter = ',',
        value_parser = pair
    )]
    pub(crate) label: Vec<Pair>,
    /// What else is said with each record: structured metadata for loki, an attribute of the resource
    /// for otlp, else a field; may be repeated
    #[arg(
        long,
        env = "LOG_SCRAPER_ATTRIBUTE",
        value_name = "NAME=VALUE",
        value_delimiter = ',',
        value_parser = pair
    )]
    pub(crate) attribute: Vec<Pair>,
    /// Field of the time at which a record was first seen, for ndjson and elasticsearch
    #[arg(long, env = "LOG_SCRAPER_TIME_FIELD", value_name = "NAME", value_parser = name, default_value = "@timestamp")]
    pub(crate) time_field: String,
    /// Field of a record's text, for the same
    #[arg(long, env = "LOG_SCRAPER_MESSAGE_FIELD", value_name = "NAME", value_parser = name, default_value = "message")]
    pub(crate) message_field: String,
    /// Field of the path of its file, for the same
    #[arg(long, env = "LOG_SCRAPER_FILE_FIELD", value_name = "NAME", value_parser = name, default_value = "file")]
    pub(crate) file_field: String,
    /// Index or data stream, for elasticsearch; leave it out where the address has it
    #[arg(long, env = "LOG_SCRAPER_INDEX", value_name = "NAME", value_parser = name)]
    pub(crate) index: Option<String>,
    /// How otlp is written: protobuf, or json
    #[arg(
        long,
        env = "LOG_SCRAPER_OTLP_ENCODING",
        value_name = "HOW",
        default_value = "protobuf",
        value_enum
    )]
    pub(crate) otlp_encoding: OtlpEncoding,
    /// Whether a severity is looked for in each line, for otlp and loki: auto, where one stands plainly
    /// at the beginning (ERROR, [warn], level=info), or off
    #[arg(
        long,
        env = "LOG_SCRAPER_SEVERITY",
        value_name = "HOW",
        default_value = "auto",
        value_enum
    )]
    pub(crate) severity: Severity,
    /// How requests are compressed: gzip, or none
    #[arg(
        long,
        env = "LOG_SCRAPER_COMPRESSION",
        value_name = "HOW",
        default_value = "gzip",
        value_enum
    )]
    pub(crate) compression: Compression,
    /// How thorough gzip is: from 1, which takes the least of the processor, to 9
    #[arg(
        long,
        env = "LOG_SCRAPER_COMPRESSION_LEVEL",
        value_name = "1-9",
        default_value = "1",
        value_parser = clap::value_parser!(u8).range(1..=9)
    )]
    pub(crate) compression_level: u8,
    /// Bytes of records in a request, before they are compressed; two such batches are in memory
    #[arg(
        long,
        env = "LOG_SCRAPER_BATCH_MAX_BYTES",
        value_name = "SIZE",
        default_value = "1MiB",
        value_parser = batch_bytes
    )]
    pub(crate) batch_max_bytes: u64,
    /// A record waits this long for others
    #[arg(
        long,
        env = "LOG_SCRAPER_BATCH_TIMEOUT",
        value_name = "TIME",
        default_value = "1s",
        value_parser = cli::duration
    )]
    pub(crate) batch_timeout: Duration,
    /// Bytes of a record's text; a line that is longer than 128 KiB comes in several records anyway
    #[arg(
        long,
        env = "LOG_SCRAPER_MAX_RECORD_BYTES",
        value_name = "SIZE",
        default_value = "256KiB",
        value_parser = record_bytes
    )]
    pub(crate) max_record_bytes: u64,
    /// What becomes of longer ones: split, into records that say what they are parts of; truncate; or
    /// drop
    #[arg(
        long,
        env = "LOG_SCRAPER_LONG_RECORD",
        value_name = "HOW",
        default_value = "split",
        value_enum
    )]
    pub(crate) long_record: LongRecord,
    /// A field of every request; may be repeated, in the environment on lines of their own
    #[arg(
        long,
        env = "LOG_SCRAPER_HEADER",
        value_name = "NAME=VALUE",
        value_delimiter = '\n',
        value_parser = header
    )]
    pub(crate) header: Vec<(HeaderName, HeaderValue)>,
    /// The same with a value from a file, which is read again when it changes
    #[arg(
        long,
        env = "LOG_SCRAPER_HEADER_FILE",
        value_name = "NAME=FILE",
        value_delimiter = '\n',
        value_parser = header_file
    )]
    pub(crate) header_file: Vec<(HeaderName, PathBuf)>,
    /// File with a token for Authorization: Bearer; read again when it changes
    #[arg(long, env = "LOG_SCRAPER_BEARER_TOKEN_FILE", value_name = "FILE")]
    pub(crate) bearer_token_file: Option<PathBuf>,
    /// File with user:password for Authorization: Basic; read again when it changes
    #[arg(long, env = "LOG_SCRAPER_BASIC_AUTH_FILE", value_name = "FILE")]
    pub(crate) basic_auth_file: Option<PathBuf>,
    /// Longest time for a request and its answer
    #[arg(
        long,
        env = "LOG_SCRAPER_REQUEST_TIMEOUT",
        value_name = "TIME",
        default_value = "30s",
        value_parser = request_timeout
    )]
    pub(crate) request_timeout: Duration,
    /// Send requests through a proxy, http://HOST:PORT, or the one that HTTP_PROXY, HTTPS_PROXY and
    /// NO_PROXY name (environment); without this flag they go straight to the store
    #[arg(long, env = "LOG_SCRAPER_HTTP_PROXY", value_name = "URL")]
    pub(crate) http_proxy: Option<String>,
    /// File with the certificates that a store's is to be signed by, in place of the system's; read
    /// again when it changes
    #[cfg(feature = "tls")]
    #[arg(long, env = "LOG_SCRAPER_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// File with the certificate by which this program shows who it is, and those that sign it, for a
    /// store that asks; read again when it changes
    #[cfg(feature = "tls")]
    #[arg(long, env = "LOG_SCRAPER_CLIENT_CERT", value_name = "FILE")]
    pub(crate) client_cert: Option<PathBuf>,
    /// File with that certificate's private key; read again when it changes
    #[cfg(feature = "tls")]
    #[arg(long, env = "LOG_SCRAPER_CLIENT_KEY", value_name = "FILE")]
    pub(crate) client_key: Option<PathBuf>,
    /// Name that the store's certificate is to be for, where it is not the one in the address
    #[cfg(feature = "tls")]
    #[arg(long, env = "LOG_SCRAPER_SERVER_NAME", value_name = "NAME", value_parser = name)]
    pub(crate) server_name: Option<String>,
}

/// How OTLP is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OtlpEncoding {
    /// As protocol buffers.
    Protobuf,
    /// As JSON.
    Json,
}

/// Whether a severity is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Severity {
    /// Where one is plain.
    Auto,
    /// Never.
    Off,
}

/// How requests are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compression {
    /// With gzip.
    Gzip,
    /// Not at all.
    None,
}

/// What becomes of long records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LongRecord {
    /// They are sent in pieces.
    Split,
    /// Their beginnings are sent.
    Truncate,
    /// They are left out.
    Drop,
}

fn name(text: &str) -> Result<String, String> {
    match text.is_empty() {
        true => Err("a name is not empty".to_owned()),
        false => Ok(text.to_owned()),
    }
}

fn split_pair(text: &str) -> Result<(&str, &str), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.ok_or_else(|| format!("{text:?} is not NAME=VALUE"))
}

fn pair(text: &str) -> Result<Pair, String> {
    split_pair(text).map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// Fields that say where a request ends, how it is coded, and what the connection is for: they are this
/// program's, and others beside them would have a store read something else.
const OWN_FIELDS: [&str; 10] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn header_name(name: &str) -> Result<HeaderName, String> {
    let name = HeaderName::from_bytes(name.trim().as_bytes());
    let name = name.map_err(|_| "that is no name of a header field".to_owned())?;
    match OWN_FIELDS.contains(&name.as_str()) {
        true => Err(format!("{name} is a field that log-scraper writes itself")),
        false => Ok(name),
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = split_pair(text)?;
    let value = HeaderValue::from_str(value.trim());
    let mut value =
        value.map_err(|_| format!("the value of {name} cannot be in a header field"))?;
    // It may be a secret all the same.
    value.set_sensitive(true);
    Ok((header_name(name)?, value))
}

fn header_file(text: &str) -> Result<(HeaderName, PathBuf), String> {
    let (name, path) = split_pair(text)?;
    Ok((header_name(name)?, PathBuf::from(path)))
}

fn batch_bytes(text: &str) -> Result<u64, String> {
    let bytes = cli::bytes(text)?;
    let is_right = (BYTES_MIN..=BATCH_BYTES_MAX).contains(&bytes);
    is_right.then_some(bytes).ok_or_else(|| format!("{text:?} is not between 1KiB and 16MiB"))
}

fn record_bytes(text: &str) -> Result<u64, String> {
    let bytes = cli::bytes(text)?;
    (bytes >= BYTES_MIN).then_some(bytes).ok_or_else(|| format!("{text:?} is less than 1KiB"))
}

fn request_timeout(text: &str) -> Result<Duration, String> {
    let timeout = cli::duration(text)?;
    match timeout >= Duration::from_millis(100) {
        true => Ok(timeout),
        false => Err(format!("{text:?} is less than 100ms")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_have_a_name_and_any_value() {
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(pair("a="), Ok(("a".into(), String::new())));
        assert!(pair("a").is_err() && pair("=b").is_err() && pair("").is_err());
        let (name, value) = header("X-Scope-OrgID=tenant 1").unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-scope-orgid", "tenant 1"));
        assert!(header("a b=c").is_err() && header("a=\u{1}").is_err());
        assert!(header("Content-Length=3").unwrap_err().contains("writes itself"));
        assert!(header_file("Transfer-Encoding=/a").is_err() && header("Host=a").is_ok());
        assert!(!header("a=secret\u{1}").unwrap_err().contains("secret"));
    }

    #[test]
    fn a_field_has_a_name() {
        assert!(name("").is_err());
        assert_eq!(name("_msg"), Ok("_msg".to_owned()));
    }

    #[test]
    fn limits_are_held_on_both_sides() {
        assert!(batch_bytes("1023").is_err() && batch_bytes("1KiB").is_ok());
        assert!(batch_bytes("16MiB").is_ok() && batch_bytes("16777217").is_err());
        assert!(record_bytes("1023").is_err() && record_bytes("1GiB").is_ok());
        assert!(request_timeout("99ms").is_err() && request_timeout("100ms").is_ok());
    }
}
