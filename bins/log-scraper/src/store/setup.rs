//! A store out of flags, and what about them cannot be meant.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ship::courier::{Courier, Settings};
use ship::format::{Format, Names as FieldNames, Pair, Shape, label_name};
use ship::long::Long;
use sidecar::cli;
#[cfg(feature = "tls")]
use sidecar::logging::Throttle;
use sidecar::logging::Throttles;
use ureq::http::Uri;
use ureq::http::header::AUTHORIZATION;
#[cfg(feature = "tls")]
use ureq::http::{HeaderValue, header::HOST};

use crate::flag_values::OutputName;
use crate::flags::millis;
use crate::stdout::Stdout;
use crate::store::Store;
use crate::store::connect::connect;
#[cfg(feature = "tls")]
use crate::store::connect::trust;
use crate::store::credentials::{Credentials, Kind};
use crate::store::early::Kept;
use crate::store::names::Found;
use crate::store::proxy::proxy;
use crate::store::sender::{Route, Sender};
use crate::store::tee::Tee;
#[cfg(feature = "tls")]
use crate::store::tls;
use crate::store_flags::{Compression, LongRecord, OtlpEncoding, Severity, StoreArguments};

/// The longest wait of a change for its turn.
const PATIENCE_US_MAX: u64 = 100_000;

/// The format of an output; `None` for stdout.
fn format(output: OutputName, arguments: &StoreArguments) -> Option<Format> {
    Some(match (output, arguments.otlp_encoding) {
        (OutputName::Stdout, _) => return None,
        (OutputName::Otlp, OtlpEncoding::Protobuf) => Format::Otlp,
        (OutputName::Otlp, OtlpEncoding::Json) => Format::OtlpJson,
        (OutputName::Loki, _) => Format::Loki,
        (OutputName::Ndjson, _) => Format::Ndjson,
        (OutputName::Elasticsearch, _) => Format::Elasticsearch,
    })
}

/// What about the flags cannot be meant, and what would be right.
pub(crate) fn contradiction(output: OutputName, arguments: &StoreArguments) -> Option<String> {
    let Some(format) = format(output, arguments) else {
        let flags = [("--url", arguments.url.is_some()), ("--tee", arguments.tee)];
        let flag = flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)?;
        return Some(format!("{flag} is for log stores: give an --output beside stdout"));
    };
    let Some(url) = &arguments.url else {
        return Some("--output needs the --url of the store, like http://loki:3100".to_owned());
    };
    let uri = match uri(url) {
        Ok(uri) => uri,
        Err(why) => return Some(why),
    };
    let fields = arguments.header.iter().map(|(name, _)| name);
    let fields = fields.chain(arguments.header_file.iter().map(|(name, _)| name));
    let given = usize::from(arguments.bearer_token_file.is_some())
        + usize::from(arguments.basic_auth_file.is_some())
        + fields.filter(|name| *name == AUTHORIZATION).count();
    if given > 1 {
        let flags = "--bearer-token-file, --basic-auth-file, --header Authorization=";
        return Some(format!("{flags}: give one of them"));
    }
    if let Some(name) = given_twice(format, arguments) {
        return Some(format!("{name}: a record has but one place for it, and it is given twice"));
    }
    #[cfg(feature = "tls")]
    if arguments.client_cert.is_some() != arguments.client_key.is_some() {
        return Some("--client-cert and --client-key belong together: give both".to_owned());
    }
    #[cfg(feature = "tls")]
    if arguments.client_cert.is_some() && !url.starts_with("https:") {
        return Some("--client-cert is for a --url that begins with https://".to_owned());
    }
    #[cfg(feature = "tls")]
    if arguments.server_name.is_some() && arguments.http_proxy.is_some() {
        // The proxy is told a name, and looks that up.
        return Some("--server-name and --http-proxy: give one of them".to_owned());
    }
    if arguments.index.is_some() && format != Format::Elasticsearch {
        return Some("--index is for --output elasticsearch".to_owned());
    }
    proxy(arguments.http_proxy.as_deref(), &uri).err()
}

/// The address of a store.
fn uri(url: &str) -> Result<Uri, String> {
    // What stands before an @ may be a password, so the address is not repeated.
    let uri: Uri = url.parse().map_err(|error| format!("--url is no address: {error}"))?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") if cfg!(feature = "tls") => {}
        Some("https") => {
            return Err(
                "--url: https is not in this program: it was built without the feature tls"
                    .to_owned(),
            );
        }
        _ => return Err("--url begins with http:// or https://".to_owned()),
    }
    if authority.contains('@') {
        return Err("--url has a password in it: use --basic-auth-file".to_owned());
    }
    cli::check_authority(authority).map_err(|why| format!("--url: {why}"))?;
    Ok(uri)
}

/// Where requests go: the address, with the usual path if it has none.
fn address(url: &str, format: Format) -> Result<String, String> {
    let uri = uri(url)?;
    if uri.path() != "/" {
        return Ok(url.to_owned());
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
    let scheme = uri.scheme_str().unwrap_or_default();
    Ok(format!("{scheme}://{authority}{}{query}", format.usual_path()))
}

/// A name that two of the flags give, where a record has but one place for it.
fn given_twice(format: Format, arguments: &StoreArguments) -> Option<&str> {
    let name = |pair: &Pair| match format {
        Format::Loki => label_name(&pair.0),
        _ => pair.0.clone(),
    };
    let StoreArguments { time_field, message_field, file_field, label, attribute, .. } = arguments;
    let mut seen = match format {
        Format::Ndjson | Format::Elasticsearch => {
            vec![time_field.clone(), message_field.clone(), file_field.clone()]
        }
        Format::Otlp | Format::OtlpJson | Format::Loki => Vec::new(),
    };
    let fields = seen.clone();
    for (place, field) in fields.iter().enumerate() {
        if fields[..place].contains(field) {
            return [time_field, message_field, file_field].get(place).map(|name| name.as_str());
        }
    }
    let mut seen_attributes = seen.clone();
    // An attribute may have a label's name: it gives way.
    for (pairs, seen) in [(label, &mut seen), (attribute, &mut seen_attributes)] {
        for pair in pairs {
            if seen.contains(&name(pair)) {
                return Some(&pair.0);
            }
            seen.push(name(pair));
        }
    }
    None
}

/// Header fields of every request.
fn credentials(arguments: &StoreArguments) -> Credentials {
    let mut credentials = Credentials::default();
    for (name, value) in &arguments.header {
        credentials.add(name.clone(), value.clone());
    }
    for (name, path) in &arguments.header_file {
        credentials.add_file(name.clone(), Kind::Value, path);
    }
    for (kind, path) in
        [(Kind::Bearer, &arguments.bearer_token_file), (Kind::Basic, &arguments.basic_auth_file)]
    {
        path.iter().for_each(|path| credentials.add_file(AUTHORIZATION, kind, path));
    }
    credentials
}

/// The address as requests name it, and the field that says whom they are really for.
#[cfg(feature = "tls")]
fn rename(url: String, arguments: &StoreArguments, credentials: &mut Credentials) -> String {
    let name = arguments.server_name.as_deref().filter(|_| url.starts_with("https:"));
    let Some(renamed) = name.and_then(|name| tls::renamed(&url, name)) else { return url };
    let authority = url.parse::<Uri>().ok().and_then(|uri| uri.authority().cloned());
    let host = authority.and_then(|name| HeaderValue::from_str(name.as_str()).ok());
    host.into_iter().for_each(|host| credentials.add(HOST, host));
    renamed
}

/// What is said beside labels. Where both have one place, a label of that name goes over it.
fn attributes(format: Format, arguments: &StoreArguments) -> Vec<Pair> {
    let is_label = |pair: &&Pair| arguments.label.iter().any(|label| label.0 == pair.0);
    let is_kept = |pair: &&Pair| format == Format::Loki || !is_label(pair);
    arguments.attribute.iter().filter(is_kept).cloned().collect()
}

fn settings(format: Format, arguments: &StoreArguments) -> Settings {
    let usize_of = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Settings {
        shape: Shape {
            format,
            labels: arguments.label.clone(),
            attributes: attributes(format, arguments),
            names: FieldNames {
                time: arguments.time_field.clone(),
                message: arguments.message_field.clone(),
                file: arguments.file_field.clone(),
            },
            index: arguments.index.clone(),
            severity: arguments.severity == Severity::Auto,
        },
        batch_bytes: usize_of(arguments.batch_max_bytes),
        batch_ms: millis(arguments.batch_timeout),
        record_bytes: usize_of(arguments.max_record_bytes),
        long: match arguments.long_record {
            LongRecord::Split => Long::Split,
            LongRecord::Truncate => Long::Truncate,
            LongRecord::Drop => Long::Drop,
        },
        sender: host_name(),
        seed: seed(),
    }
}

/// The name of this host, which in a pod is the pod's.
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Another one for each process.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) << 32 ^ u64::from(std::process::id()) ^ now.as_secs()
}

/// A tenth of the time that a line waits for others, and not so long that anybody would notice.
pub(crate) fn patience_us(arguments: &StoreArguments) -> u64 {
    let tenth_us = arguments.batch_timeout.as_micros() / 10;
    u64::try_from(tenth_us).unwrap_or(u64::MAX).min(PATIENCE_US_MAX)
}

/// Bytes of files that may be on their way to the store: two batches, however little of a request is
/// not the files' own.
pub(crate) fn bytes_on_the_way(arguments: &StoreArguments) -> u64 {
    arguments.batch_max_bytes.saturating_mul(2)
}

/// The store that flags without a contradiction name; `None` for stdout alone.
///
/// # Errors
/// When the system has no thread or descriptor left, stdout is closed, or a file cannot be read.
pub(crate) fn store(output: OutputName, arguments: &StoreArguments) -> io::Result<Option<Store>> {
    let Some(format) = format(output, arguments) else { return Ok(None) };
    let url = arguments.url.as_deref().unwrap_or_default();
    let url = address(url, format).map_err(io::Error::other)?;
    #[cfg(feature = "tls")]
    let trust = trust(arguments, &url)?;
    #[allow(unused_mut, reason = "only a name for TLS adds to them")]
    let mut credentials = credentials(arguments);
    #[cfg(feature = "tls")]
    let url = rename(url, arguments, &mut credentials);
    let route = Route {
        url,
        format,
        credentials,
        level: (arguments.compression == Compression::Gzip).then_some(arguments.compression_level),
        found: Found::default(),
        kept: Kept::default(),
        #[cfg(feature = "tls")]
        trust,
        #[cfg(feature = "tls")]
        told: Throttle::per_minute(),
    };
    let connect = connect(arguments, &route)?;
    let tee = arguments.tee.then(Stdout::new).transpose()?.map(Tee::new);
    Ok(Some(Store {
        courier: Courier::new(settings(format, arguments)),
        sender: Sender::start(route, connect)?,
        tee,
        now_ms: 0,
        at_ms: u64::MAX,
        unsaved: false,
        held: None,
        throttles: Throttles::new(Duration::from_secs(60)),
        stale_ms: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::tests::check_contradiction as check;

    #[test]
    fn an_address_without_a_path_gets_the_usual_one() {
        let check = |url: &str, format: Format, expected: Result<&str, &str>| match (
            address(url, format),
            expected,
        ) {
            (Ok(seen), Ok(expected)) => assert_eq!(seen, expected),
            (Err(told), Err(part)) => assert!(told.contains(part), "{told}"),
            (seen, expected) => panic!("{url}: {seen:?}, not {expected:?}"),
        };
        check("http://loki:3100", Format::Loki, Ok("http://loki:3100/loki/api/v1/push"));
        check("http://x:1/", Format::Otlp, Ok("http://x:1/v1/logs"));
        check("http://x/a?b=c", Format::Ndjson, Ok("http://x/a?b=c"));
        check("http://x?b=c", Format::Loki, Ok("http://x/loki/api/v1/push?b=c"));
        check("http://[::1]:9/?b=/c/", Format::Otlp, Ok("http://[::1]:9/v1/logs?b=/c/"));
        check("http://x", Format::Elasticsearch, Ok("http://x/_bulk"));
        check("x:3100", Format::Loki, Err("http://"));
        check("ftp://x/", Format::Loki, Err("http://"));
        check("http://user:secret@x/", Format::Loki, Err("--basic-auth-file"));
        check("http://a b/", Format::Loki, Err("no address"));
        check("http://x:65535", Format::Ndjson, Ok("http://x:65535/"));
        check("http://x:65536/", Format::Loki, Err("--url: port 65536 is not within 1 to 65535"));
        check("http://x:0/", Format::Loki, Err("port 0"));
    }

    #[test]
    fn flags_that_contradict_each_other_are_told_with_what_would_be_right() {
        let url = ["--url", "http://x"];
        let with = |words: &[&'static str]| [&["/a"][..], words, &url].concat();
        check(&["/a", "--output", "loki"], Some("needs the --url"));
        check(&with(&["--output", "loki"]), None);
        check(&with(&[]), Some("give an --output"));
        check(&["/a", "--tee"], Some("give an --output"));
        check(&with(&["--output", "otlp", "--index", "a"]), Some("for --output elasticsearch"));
        check(&with(&["--output", "elasticsearch", "--index", "a"]), None);
        let both = ["--output", "loki", "--bearer-token-file", "a", "--basic-auth-file", "b"];
        check(&with(&both), Some("give one of them"));
        let token = ["--output", "loki", "--bearer-token-file", "a"];
        check(&with(&[&token[..], &["--header", "AUTHORIZATION=b"]].concat()), Some("one of them"));
        check(&with(&[&token[..], &["--header", "X-Key=b"]].concat()), None);
        #[cfg(feature = "tls")]
        {
            let https = ["/a", "--output", "loki", "--url", "https://x", "--client-cert", "c"];
            check(&https, Some("belong together"));
            check(&[&https[..], &["--client-key", "k"]].concat(), None);
            let both = ["--output", "loki", "--client-cert", "c", "--client-key", "k"];
            check(&with(&both), Some("begins with https"));
        }
        check(&with(&["--output", "loki", "--http-proxy", "a b"]), Some("--http-proxy"));
        check(&with(&["--output", "loki", "--http-proxy", "http://p:3128"]), None);
        check(&with(&["--output", "loki", "--http-proxy", "socks5://p:1080"]), Some("http://HOST"));
        check(&with(&["--output", "loki", "--format", "json"]), Some("--format is for stdout"));
        check(&with(&["--output", "loki", "--multiline", "auto"]), None);
    }

    #[test]
    fn a_record_has_one_place_for_a_name() {
        let check = |output: &'static str, words: &[&'static str], expected: Option<&str>| {
            check(
                &[&["/a", "--url", "http://x", "--output", output][..], words].concat(),
                expected,
            );
        };
        let (label, attribute) = ("--label", "--attribute");
        check("loki", &[label, "a=1", label, "a=2"], Some("a: a record has but one place"));
        check("loki", &[label, "a.b=1", label, "a_b=2"], Some("a_b: "));
        check("loki", &[label, "a=1", attribute, "a=2"], None);
        check("otlp", &[label, "a=1", attribute, "a=2"], None);
        check("otlp", &[attribute, "a=1", attribute, "a=2"], Some("a: "));
        check("otlp", &[label, "a.b=1", label, "a_b=2", label, "message=3"], None);
        check("ndjson", &[label, "message=1"], Some("message: "));
        check("ndjson", &[label, "message=1", "--message-field", "_msg"], None);
        check("elasticsearch", &["--time-field", "file"], Some("file: "));
    }
}
