//! The variables: the one list of their names, from which the enum is made.
//!
//! Owns: nginx's names, and which of them are not known here yet. Knows no value: who computes
//! them matches on [`Variable`], so a name without a value does not compile.

use std::collections::HashMap;

use nginx_conf::suggest::nearest;

/// The variables that the file makes: names in lower case, with their index.
pub(super) type OwnNames = HashMap<String, usize>;

/// Makes the enum, and the two lists that a name is looked up in.
macro_rules! variables {
    (
        names { $($(#[$doc:meta])* $variant:ident = $($name:literal)|+,)* }
        families { $($(#[$about:meta])* $family:ident = $prefix:literal $spelling:ident,)* }
    ) => {
        /// Variables of nginx that the kit knows, by their names there.
        #[allow(missing_docs, reason = "the names are nginx's")]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Variable {
            $($(#[$doc])* $variant,)*
            $($(#[$about])* $family(Vec<u8>),)*
            /// `$1` to `$9`: a group of the last match.
            Group(usize),
            /// One that the file makes: its index in `Config::own_variables`.
            Own(usize),
        }

        const NAMES: &[(&str, Variable)] = &[$($(($name, Variable::$variant),)+)*];

        const FAMILIES: &[(&str, fn(&str) -> Variable)] =
            &[$(($prefix, |rest| Variable::$family($spelling(rest))),)*];
    };
}

// nginx: <https://nginx.org/en/docs/varindex.html>
variables! {
    names {
        /// One that nginx leaves unset where there is no cache or other thing of the kind.
        Absent = "upstream_cache_status" | "upstream_cache_etag"
            | "upstream_cache_last_modified" | "request_body_file" | "slice_range" | "uid_got"
            | "uid_set",
        /// One that is empty where there is no TLS.
        Empty = "http2" | "http3" | "https",
        Args = "args",
        BinaryRemoteAddr = "binary_remote_addr",
        BodyBytesSent = "body_bytes_sent",
        BytesSent = "bytes_sent",
        Connection = "connection",
        ConnectionRequests = "connection_requests",
        ConnectionTime = "connection_time",
        ConnectionsActive = "connections_active",
        ConnectionsReading = "connections_reading",
        ConnectionsWaiting = "connections_waiting",
        ConnectionsWriting = "connections_writing",
        ContentLength = "content_length",
        ContentType = "content_type",
        DateGmt = "date_gmt",
        DateLocal = "date_local",
        DocumentRoot = "document_root",
        FastcgiPathInfo = "fastcgi_path_info",
        FastcgiScriptName = "fastcgi_script_name",
        GzipRatio = "gzip_ratio",
        Host = "host",
        Hostname = "hostname",
        HttpHost = "http_host",
        InvalidReferer = "invalid_referer",
        IsArgs = "is_args",
        IsRequestPort = "is_request_port",
        LimitConnStatus = "limit_conn_status",
        LimitRate = "limit_rate",
        LimitReqStatus = "limit_req_status",
        Msec = "msec",
        NginxVersion = "nginx_version",
        Pid = "pid",
        Pipe = "pipe",
        ProxyAddXForwardedFor = "proxy_add_x_forwarded_for",
        ProxyHost = "proxy_host",
        ProxyPort = "proxy_port",
        ProxyProtocolAddr = "proxy_protocol_addr",
        ProxyProtocolPort = "proxy_protocol_port",
        ProxyProtocolServerAddr = "proxy_protocol_server_addr",
        ProxyProtocolServerPort = "proxy_protocol_server_port",
        QueryString = "query_string",
        RealpathRoot = "realpath_root",
        RealipRemoteAddr = "realip_remote_addr",
        RealipRemotePort = "realip_remote_port",
        RemoteAddr = "remote_addr",
        RemotePort = "remote_port",
        RemoteUser = "remote_user",
        Request = "request",
        RequestBody = "request_body",
        RequestCompletion = "request_completion",
        RequestFilename = "request_filename",
        RequestId = "request_id",
        RequestLength = "request_length",
        RequestMethod = "request_method",
        RequestPort = "request_port",
        RequestTime = "request_time",
        RequestUri = "request_uri",
        Scheme = "scheme",
        SecureLink = "secure_link",
        SecureLinkExpires = "secure_link_expires",
        ServerAddr = "server_addr",
        ServerName = "server_name",
        ServerPort = "server_port",
        ServerProtocol = "server_protocol",
        Status = "status",
        TcpinfoRcvSpace = "tcpinfo_rcv_space",
        TcpinfoRtt = "tcpinfo_rtt",
        TcpinfoRttvar = "tcpinfo_rttvar",
        TcpinfoSndCwnd = "tcpinfo_snd_cwnd",
        TimeIso8601 = "time_iso8601",
        TimeLocal = "time_local",
        UpstreamAddr = "upstream_addr",
        UpstreamBytesReceived = "upstream_bytes_received",
        UpstreamBytesSent = "upstream_bytes_sent",
        UpstreamConnectTime = "upstream_connect_time",
        UpstreamHeaderTime = "upstream_header_time",
        UpstreamResponseLength = "upstream_response_length",
        UpstreamResponseTime = "upstream_response_time",
        UpstreamStatus = "upstream_status",
        Uri = "uri" | "document_uri",
    }
    families {
        /// `$http_NAME`: the name in lower case with dashes.
        Http = "http_" dashed,
        /// `$sent_http_NAME`, likewise.
        SentHttp = "sent_http_" dashed,
        /// `$upstream_http_NAME`, likewise.
        UpstreamHttp = "upstream_http_" dashed,
        /// `$upstream_trailer_NAME`, likewise.
        UpstreamTrailer = "upstream_trailer_" dashed,
        /// `$upstream_cookie_NAME`: the name in lower case.
        UpstreamCookie = "upstream_cookie_" plain,
        /// `$proxy_protocol_tlv_NAME`: the name in lower case.
        ProxyProtocolTlv = "proxy_protocol_tlv_" plain,
        /// `$arg_NAME`: the name in lower case.
        Arg = "arg_" plain,
        /// `$cookie_NAME`: the name in lower case.
        Cookie = "cookie_" plain,
    }
}

fn dashed(rest: &str) -> Vec<u8> {
    rest.replace('_', "-").into_bytes()
}

fn plain(rest: &str) -> Vec<u8> {
    rest.as_bytes().to_vec()
}

/// Whether a name is nginx's own, in lower case, so that no file can make a variable of it.
pub(super) fn is_built_in(name: &str) -> bool {
    NAMES.iter().any(|(known, _)| *known == name) || REFUSED.iter().any(|(known, _)| *known == name)
}

/// The variable of a name; nginx takes names in either case. The error is nginx's message.
pub(super) fn variable(name: &str, own: &OwnNames) -> Result<Variable, String> {
    let lower = name.to_ascii_lowercase();
    if let Some(index) = own.get(&lower) {
        return Ok(Variable::Own(*index));
    }
    if let Some((_, variable)) = NAMES.iter().find(|(known, _)| *known == lower) {
        return Ok(variable.clone());
    }
    let in_family =
        |(prefix, make): &(&str, fn(&str) -> Variable)| lower.strip_prefix(prefix).map(make);
    if let Some(variable) = FAMILIES.iter().find_map(in_family) {
        return Ok(variable);
    }
    let starts = |prefix: &&str| lower.starts_with(*prefix);
    if ABSENT_FAMILIES.iter().any(starts) {
        return Ok(Variable::Absent);
    }
    let found = REFUSED.iter().find(|(known, _)| match known.strip_suffix('*') {
        Some(prefix) => lower.starts_with(prefix),
        None => *known == lower,
    });
    if let Some((_, why)) = found {
        return Err(format!("the \"{name}\" variable is refused: {why}"));
    }
    Err(format!("unknown \"{name}\" variable{}", help(&lower, own)))
}

fn help(name: &str, own: &OwnNames) -> String {
    if name == "connection_upgrade" {
        // The variable of the recipe that is in nginx's own manual.
        return "; WebSocket passes without configuration: leave this line out, and the \"map\" \
                that makes the variable"
            .to_owned();
    }
    let known = NAMES.iter().map(|(known, _)| *known);
    let near = nearest(name, own.keys().map(String::as_str).chain(known));
    near.map_or(String::new(), |near| format!("; did you mean \"${near}\"?"))
}

/// Families that nginx leaves unset where there is no TLS and no trailer.
const ABSENT_FAMILIES: &[&str] = &["ssl_", "sent_trailer_"];

/// Names of nginx that have no value here, a `*` standing for any ending, and what does without.
const REFUSED: &[(&str, &str)] = &[
    ("ancient_browser", BROWSER),
    ("geoip_*", "addresses are not looked up in data of places; `geo` makes such a variable"),
    ("jwt_*", PLUS),
    ("memcached_key", "memcached is not spoken"),
    ("modern_browser", BROWSER),
    ("msie", BROWSER),
    ("otel_*", "spans are not sent"),
    ("session_log_*", PLUS),
    ("upstream_last_server_name", PLUS),
    ("upstream_queue_time", PLUS),
];
const PLUS: &str = "it is one of the commercial NGINX Plus";
const BROWSER: &str = "browsers are not told apart; a `map` of `$http_user_agent` can";

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Result<Variable, String> {
        variable(name, &OwnNames::new())
    }

    #[test]
    fn the_files_own_names_go_before_families_and_are_known_in_either_case() {
        let own = OwnNames::from([("mine".to_owned(), 0), ("http_x".to_owned(), 1)]);
        assert_eq!(variable("Mine", &own), Ok(Variable::Own(0)));
        assert_eq!(variable("http_x", &own), Ok(Variable::Own(1)));
        assert_eq!(variable("http_y", &own), Ok(Variable::Http(b"y".to_vec())));
        let told = "unknown \"min\" variable; did you mean \"$mine\"?";
        assert_eq!(variable("min", &own), Err(told.to_owned()));
    }

    #[test]
    fn every_name_of_the_list_is_its_variable_in_either_case() {
        for (name, expected) in NAMES {
            assert_eq!(known(name).as_ref(), Ok(expected), "{name}");
            assert_eq!(known(&name.to_ascii_uppercase()).as_ref(), Ok(expected), "{name}");
        }
    }

    #[test]
    fn no_name_stands_twice_or_is_refused_too() {
        let mut names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for (refused, _) in REFUSED {
            let prefix = refused.strip_suffix('*');
            let is_it = |name: &&str| match prefix {
                Some(prefix) => name.starts_with(prefix),
                None => name == refused,
            };
            assert_eq!(names.iter().find(|name| is_it(name)), None, "{refused}");
        }
    }

    /// nginx: <https://nginx.org/en/docs/varindex.html>, and those of its sources beside it.
    const INDEX: &str = "ancient_browser arg_ args binary_remote_addr body_bytes_sent bytes_sent \
        connection connection_requests connection_time connections_active connections_reading \
        connections_waiting connections_writing content_length content_type cookie_ date_gmt \
        date_local document_root document_uri fastcgi_path_info fastcgi_script_name geoip_area_code \
        geoip_city geoip_city_continent_code geoip_country_code gzip_ratio host hostname http2 http3 \
        http_ https invalid_referer is_args is_request_port jwt_claim_ jwt_header_ jwt_payload \
        limit_conn_status limit_rate limit_req_status memcached_key modern_browser msec msie \
        nginx_version otel_parent_id otel_parent_sampled otel_span_id otel_trace_id pid pipe \
        proxy_add_x_forwarded_for proxy_host proxy_port proxy_protocol_addr proxy_protocol_port \
        proxy_protocol_server_addr proxy_protocol_server_port proxy_protocol_tlv_ query_string \
        realip_remote_addr realip_remote_port realpath_root remote_addr remote_port remote_user \
        request request_body request_body_file request_completion request_filename request_id \
        request_length request_method request_port request_time request_uri scheme secure_link \
        secure_link_expires sent_http_ sent_trailer_ server_addr server_name server_port \
        server_protocol session_log_binary_id session_log_id slice_range ssl_cipher ssl_client_cert \
        ssl_protocol ssl_server_name status tcpinfo_rcv_space tcpinfo_rtt tcpinfo_rttvar \
        tcpinfo_snd_cwnd time_iso8601 time_local uid_got uid_set upstream_addr \
        upstream_bytes_received upstream_bytes_sent upstream_cache_etag \
        upstream_cache_last_modified upstream_cache_status upstream_connect_time upstream_cookie_ \
        upstream_header_time upstream_http_ upstream_last_server_name upstream_queue_time \
        upstream_response_length upstream_response_time upstream_status upstream_trailer_ uri";

    #[test]
    fn every_name_of_nginx_has_a_value_or_a_reason() {
        for name in INDEX.split_whitespace() {
            // Of a family, one.
            let name = if name.ends_with('_') { format!("{name}x") } else { name.to_owned() };
            let told = known(&name).err().unwrap_or_default();
            assert!(!told.starts_with("unknown"), "{told}");
        }
        let told = "the \"memcached_key\" variable is refused: memcached is not spoken";
        assert_eq!(known("memcached_key"), Err(told.to_owned()));
    }

    #[test]
    fn each_name_is_said_to_be_what_it_is_called() {
        // The variants are nginx's names in another spelling, so that a row cannot be mistaken.
        let is_named = |(_, variable): &&(&str, Variable)| {
            !matches!(variable, Variable::Absent | Variable::Empty)
        };
        for (name, variable) in NAMES.iter().filter(is_named) {
            let variant = format!("{variable:?}").to_ascii_lowercase();
            let plain = name.replace('_', "");
            let is_alias = plain == "documenturi";
            assert!(is_alias || plain == variant, "{name}: {variable:?}");
        }
    }

    #[test]
    fn families_take_the_rest_of_the_name() {
        for (name, expected) in [
            ("http_x_real_ip", Variable::Http(b"x-real-ip".to_vec())),
            ("sent_http_etag", Variable::SentHttp(b"etag".to_vec())),
            ("upstream_http_a_b", Variable::UpstreamHttp(b"a-b".to_vec())),
            ("arg_A_b", Variable::Arg(b"a_b".to_vec())),
            ("cookie_s_t", Variable::Cookie(b"s_t".to_vec())),
            ("upstream_cookie_A", Variable::UpstreamCookie(b"a".to_vec())),
            ("ssl_protocol", Variable::Absent),
            ("sent_trailer_x", Variable::Absent),
            ("upstream_trailer_A_b", Variable::UpstreamTrailer(b"a-b".to_vec())),
        ] {
            assert_eq!(known(name), Ok(expected), "{name}");
        }
    }

    #[test]
    fn a_recipe_that_is_not_needed_says_so() {
        let told = "unknown \"connection_upgrade\" variable; WebSocket passes without configuration: \
                    leave this line out, and the \"map\" that makes the variable";
        assert_eq!(known("connection_upgrade"), Err(told.to_owned()));
    }
}
