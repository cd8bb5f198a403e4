//! `server`, `listen` and `server_name`.
//!
//! Owns: which addresses there are and which server each name means on each of them. Binds
//! nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nginx_conf::{Directive, Span, units};

use super::Lower;
use super::scope::Scope;
use crate::config::address::{ListenAt, is_localhost, listen_at};
use crate::config::model::{Expression, Handler, Listen, Server};

/// One address of one `listen` of one server.
pub(super) struct SocketLine {
    address: SocketAddr,
    server: usize,
    is_default: bool,
    options: Options,
    span: Span,
}

/// All that is written for one address.
#[derive(Default)]
pub(super) struct AddressLines {
    /// Indexes of the lines; those of one server follow each other.
    lines: Vec<usize>,
    has_default: bool,
    has_options: bool,
}

/// Addresses of one configuration; each is a socket of every worker's event loop.
const LISTENS_MAX: usize = 1024;

/// What `listen` says beside the address.
#[derive(Clone, Default)]
struct Options {
    ipv6_only: Option<bool>,
    backlog: Option<i32>,
    proxy_protocol: bool,
    /// Any that nginx takes only once for an address.
    is_set: bool,
}

/// The names of one server, in file order.
pub(super) struct ServerNames(Vec<(Name, Span)>);

/// A name of `server_name`, lower case.
enum Name {
    /// `example.com`, `_`, and the empty name of a request without Host.
    Exact(String),
    /// `*.example.com`, kept as `.example.com`.
    Suffix(String),
    /// `www.*`, kept as `www.`.
    Prefix(String),
    /// `~expression`.
    Expression(Expression),
}

/// nginx: default of `backlog` on Linux.
const BACKLOG: i32 = 511;

impl Lower<'_> {
    /// nginx: `server { … }` of `http`.
    pub(super) fn server(&mut self, directive: &Directive, http: &Scope) {
        let block = directive.block.as_deref().unwrap_or_default();
        let index = self.config.servers.len();
        let scope = http.with(self, block);
        let mut names = Vec::new();
        let mut shown = None;
        for line in block.iter().filter(|line| line.name.text == "server_name") {
            for (word, text) in line.args.iter().zip(line.args.iter().map(|word| &word.text)) {
                // nginx: `$server_name` is the first one, `.name` without its dot.
                shown.get_or_insert_with(|| text.strip_prefix('.').unwrap_or(text).to_owned());
                names.extend(self.server_name(text, word.span).into_iter().map(|n| (n, word.span)));
            }
        }
        if names.is_empty() {
            names.push((Name::Exact(String::new()), directive.name.span));
        }
        self.names.push(ServerNames(names));
        let before = self.sockets.len();
        for line in block.iter().filter(|line| line.name.text == "listen") {
            self.listen(line, index);
        }
        if self.sockets.len() == before && !block.iter().any(|line| line.name.text == "listen") {
            let port = if self.surroundings.is_root { 80 } else { 8000 };
            let at = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
            self.add_socket(at, index, false, &Options::default(), directive.name.span);
        }
        let (mut locations, mut named) = (Vec::new(), HashMap::new());
        let program = self.program(block, &scope, None);
        let top = self.locations(block, &scope, None, (&mut locations, &mut named));
        let has_status = block.iter().any(|line| line.name.text == "stub_status");
        let handler = if has_status { Handler::StubStatus } else { Handler::Files };
        let mut fallback = scope.location(self, "", handler);
        self.try_files(block, &mut fallback);
        let client = scope.client_limits();
        let name = shown.unwrap_or_default().into_bytes();
        let server = Server { name, program, top, named, locations, fallback, client };
        self.config.servers.push(server);
    }

    /// nginx: <https://nginx.org/en/docs/http/server_names.html>; `.name` is two names.
    fn server_name(&mut self, text: &str, span: Span) -> Vec<Name> {
        if let Some(expression) = text.strip_prefix('~') {
            if expression.is_empty() {
                self.error(span, format!("empty regex in server name \"{text}\""));
                return Vec::new();
            }
            // nginx: hosts are in lower case, so that what is written otherwise means either.
            let is_caseless = expression.bytes().any(|byte| byte.is_ascii_uppercase());
            let expression = self.expression(expression, is_caseless, span);
            return expression.into_iter().map(Name::Expression).collect();
        }
        let hostname = self.surroundings.hostname.trim();
        let name = if text == "$hostname" { hostname } else { text }.to_lowercase();
        if name.contains('$') {
            let message =
                format!("\"{text}\" is a name as it is written: nothing is put in for \"$\"");
            self.warn(span, message);
        }
        let is_plain = |part: &str| !part.is_empty() && !part.contains('*') && !part.contains("..");
        if let Some(rest) = name.strip_prefix("*.").filter(|rest| is_plain(rest)) {
            return vec![Name::Suffix(format!(".{rest}"))];
        }
        if let Some(rest) = name.strip_suffix(".*").filter(|rest| is_plain(rest)) {
            return vec![Name::Prefix(format!("{rest}."))];
        }
        if let Some(rest) = name.strip_prefix('.').filter(|rest| is_plain(rest)) {
            return vec![Name::Exact(rest.to_owned()), Name::Suffix(name.clone())];
        }
        if name.starts_with('.') || name.contains('*') || name.contains("..") {
            self.error(span, format!("invalid server name or wildcard \"{text}\""));
            return Vec::new();
        }
        if name.contains('/') {
            self.warn(span, format!("server name \"{text}\" has suspicious symbols"));
        }
        vec![Name::Exact(name)]
    }

    fn listen(&mut self, line: &Directive, server: usize) {
        let text = line.arg(0).unwrap_or_default();
        let span = line.arg_span(0);
        if text.starts_with("unix:") {
            return self.error(span, "unix sockets in \"listen\" are not supported yet");
        }
        let addresses = match listen_at(text) {
            Err(problem) => {
                let message = format!("{problem} in \"{text}\" of the \"listen\" directive");
                let help = "expected PORT, ADDRESS:PORT or [ADDRESS]:PORT, a port from 1 to 65535";
                return self.error_with_help(span, message, help);
            }
            Ok(ListenAt::AnyV4(port)) => {
                vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)]
            }
            Ok(ListenAt::Ip(ip, port)) => vec![SocketAddr::new(ip, port)],
            Ok(ListenAt::Name(name, port)) if is_localhost(name) => {
                let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
                both.map(|ip| SocketAddr::new(ip, port)).to_vec()
            }
            Ok(ListenAt::Name(name, port)) => (self.surroundings.resolve)(name, port),
        };
        if addresses.is_empty() {
            let message = format!("host not found in \"{text}\" of the \"listen\" directive");
            return self.error(span, message);
        }
        let mut options = Options::default();
        let mut is_default = false;
        for index in 1..line.args.len() {
            match line.arg(index) {
                Some("default_server" | "default") => is_default = true,
                Some(option) => {
                    if let Err(problem) = take_option(&mut options, option) {
                        self.error(line.arg_span(index), problem);
                    }
                }
                None => {}
            }
        }
        if options.ipv6_only.is_some() && addresses.iter().any(SocketAddr::is_ipv4) {
            self.warn(span, "ipv6only means nothing on an IPv4 address, ignored");
        }
        for address in addresses {
            self.add_socket(address, server, is_default, &options, span);
        }
    }

    fn add_socket(
        &mut self,
        address: SocketAddr,
        server: usize,
        is_default: bool,
        options: &Options,
        span: Span,
    ) {
        if self.socket_lines.len() >= LISTENS_MAX && !self.socket_lines.contains_key(&address) {
            return self.error(span, format!("more than {LISTENS_MAX} addresses to listen on"));
        }
        let known = self.socket_lines.entry(address).or_default();
        let last = known.lines.last().and_then(|last| self.sockets.get(*last));
        let problem = if last.is_some_and(|last| last.server == server) {
            Some("a duplicate listen")
        } else if is_default && known.has_default {
            Some("a duplicate default server for")
        } else if options.is_set && known.has_options {
            Some("duplicate listen options for")
        } else {
            None
        };
        if let Some(problem) = problem {
            return self.error(span, format!("{problem} {address}"));
        }
        known.has_default |= is_default;
        known.has_options |= options.is_set;
        known.lines.push(self.sockets.len());
        let options = options.clone();
        self.sockets.push(SocketLine { address, server, is_default, options, span });
    }

    /// Makes the `listen`s of all servers: one for each address, with the names on it.
    pub(super) fn bind(&mut self) {
        let lines = std::mem::take(&mut self.sockets);
        let by_address = std::mem::take(&mut self.socket_lines);
        let names = std::mem::take(&mut self.names);
        for (index, line) in lines.iter().enumerate() {
            let address = line.address;
            let indexes =
                by_address.get(&address).map(|known| known.lines.as_slice()).unwrap_or_default();
            if indexes.first() != Some(&index) {
                continue;
            }
            let here = || indexes.iter().filter_map(|index| lines.get(*index));
            let ipv6_only = here().find_map(|line| line.options.ipv6_only);
            let backlog = here().find_map(|line| line.options.backlog);
            let chosen = here().find(|line| line.is_default).unwrap_or(line);
            let mut listen = Listen {
                address,
                ipv6_only: ipv6_only.unwrap_or(true),
                backlog: backlog.unwrap_or(BACKLOG),
                proxy_protocol: here().any(|line| line.options.proxy_protocol),
                default_server: chosen.server,
                exact: HashMap::new(),
                suffixes: Vec::new(),
                prefixes: Vec::new(),
                expressions: Vec::new(),
                origin: self.place(line.span),
                bound_by: None,
            };
            let (mut suffixes, mut prefixes) = (HashMap::new(), HashMap::new());
            for line in here() {
                if let Some(names) = names.get(line.server) {
                    let maps = [&mut listen.exact, &mut suffixes, &mut prefixes];
                    self.add_names(maps, address, line.server, names);
                    let written = names.0.iter().filter_map(|(name, _)| match name {
                        Name::Expression(expression) => Some((expression.clone(), line.server)),
                        _ => None,
                    });
                    listen.expressions.extend(written);
                }
            }
            listen.suffixes = longest_first(suffixes);
            listen.prefixes = longest_first(prefixes);
            self.config.listens.push(listen);
        }
        self.bind_by_wildcards();
    }

    /// The first server that has a name keeps it; nginx says so and goes on.
    fn add_names(
        &mut self,
        maps: [&mut HashMap<Vec<u8>, usize>; 3],
        address: SocketAddr,
        server: usize,
        ServerNames(names): &ServerNames,
    ) {
        let [exact, suffixes, prefixes] = maps;
        for (name, span) in names {
            let (map, name, shown) = match name {
                Name::Exact(name) => (&mut *exact, name, name.clone()),
                Name::Suffix(name) => (&mut *suffixes, name, format!("*{name}")),
                Name::Prefix(name) => (&mut *prefixes, name, format!("{name}*")),
                // nginx: the first that matches holds, and none is the same as another.
                Name::Expression(_) => continue,
            };
            if *map.entry(name.as_bytes().to_vec()).or_insert(server) != server {
                let message = format!("conflicting server name \"{shown}\" on {address}, ignored");
                self.warn(*span, message);
            }
        }
    }

    /// A specific address on a port that a wildcard of its family listens on has no socket of its
    /// own.
    fn bind_by_wildcards(&mut self) {
        let wildcards: Vec<(usize, SocketAddr)> = self
            .config
            .listens
            .iter()
            .enumerate()
            .filter(|(_, listen)| listen.address.ip().is_unspecified())
            .map(|(index, listen)| (index, listen.address))
            .collect();
        for listen in &mut self.config.listens {
            let address = listen.address;
            if address.ip().is_unspecified() {
                continue;
            }
            let takes = |wildcard: &SocketAddr| {
                wildcard.port() == address.port() && wildcard.is_ipv4() == address.is_ipv4()
            };
            listen.bound_by = wildcards.iter().find(|(_, at)| takes(at)).map(|(index, _)| *index);
        }
    }
}

pub(super) fn longest_first(names: HashMap<Vec<u8>, usize>) -> Vec<(Vec<u8>, usize)> {
    let mut names: Vec<(Vec<u8>, usize)> = names.into_iter().collect();
    names.sort_unstable_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    names
}

/// Options of `listen`; those that tune sockets are the event loop's own business here.
fn take_option(options: &mut Options, option: &str) -> Result<(), String> {
    let invalid = || format!("invalid parameter \"{option}\"");
    match option.split_once('=') {
        Some(("ipv6only", value)) => {
            options.ipv6_only = Some(match value {
                "on" => true,
                "off" => false,
                _ => return Err(format!("invalid ipv6only flags \"{value}\"")),
            });
        }
        Some(("backlog", value)) => {
            let count = units::number(value).and_then(|count| i32::try_from(count).ok());
            options.backlog = Some(count.filter(|count| *count > 0).ok_or_else(invalid)?);
        }
        Some(("rcvbuf" | "sndbuf", value)) => {
            units::size(value).ok_or_else(invalid)?;
        }
        Some(("fastopen", value)) => {
            units::number(value).ok_or_else(invalid)?;
        }
        Some(("accept_filter" | "so_keepalive", _)) => {}
        None if matches!(option, "deferred" | "reuseport" | "bind" | "multipath") => {}
        None if option == "proxy_protocol" => {
            // nginx: it is no option of the socket, and holds for all servers of the address.
            options.proxy_protocol = true;
            return Ok(());
        }
        None if matches!(option, "ssl" | "http2" | "http3" | "quic") => {
            return Err(format!("\"{option}\" of \"listen\" is not supported yet"));
        }
        _ => return Err(invalid()),
    }
    options.is_set = true;
    Ok(())
}
