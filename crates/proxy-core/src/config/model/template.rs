//! Text with variables, and the variables.

/// Text with variables.
#[derive(Debug, Clone, Default)]
pub struct Template(pub Vec<Part>);

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Bytes as they are.
    Literal(Vec<u8>),
    /// A variable's value at that time.
    Variable(Variable),
}

/// Variables of nginx that the kit knows, by their names there.
#[allow(missing_docs, reason = "the names are nginx's")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// One that nginx leaves unset where there is no TLS, cache or compression.
    Absent,
    Args,
    BinaryRemoteAddr,
    BodyBytesSent,
    BytesSent,
    Connection,
    ConnectionRequests,
    ContentLength,
    ContentType,
    Host,
    Hostname,
    HttpHost,
    IsArgs,
    Msec,
    NginxVersion,
    Pid,
    Pipe,
    ProxyAddXForwardedFor,
    ProxyHost,
    ProxyPort,
    QueryString,
    RemoteAddr,
    RemotePort,
    RemoteUser,
    Request,
    RequestCompletion,
    RequestId,
    RequestLength,
    RequestMethod,
    RequestTime,
    RequestUri,
    Scheme,
    ServerAddr,
    ServerName,
    ServerPort,
    ServerProtocol,
    Status,
    TimeIso8601,
    TimeLocal,
    UpstreamAddr,
    UpstreamBytesReceived,
    UpstreamBytesSent,
    UpstreamConnectTime,
    UpstreamHeaderTime,
    UpstreamResponseLength,
    UpstreamResponseTime,
    UpstreamStatus,
    Uri,
    /// `$http_NAME`: the name in lower case with dashes.
    Http(Vec<u8>),
    /// `$sent_http_NAME`.
    SentHttp(Vec<u8>),
    /// `$upstream_http_NAME`.
    UpstreamHttp(Vec<u8>),
    /// `$arg_NAME`.
    Arg(Vec<u8>),
    /// `$cookie_NAME`.
    Cookie(Vec<u8>),
}
