//! Configurations: drawn as a model, written as the text that the core reads, and asked what they
//! mean for a request. The model's rules are written anew here.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use nginx_conf::{Context, Included};
use proxy_core::config::lower::{Surroundings, lower_all};
use proxy_core::config::model::Config;

use crate::features::{Feature, Features};
use crate::prng::Prng;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A pass that keeps the target.
    Pass,
    /// A pass that replaces the prefix.
    Uri,
    /// `return 200 "own …"`.
    Own,
    /// `return 444`.
    Gone,
    /// `return 301`.
    Moved,
    /// Where `X-Accel-Redirect` leads.
    Accel,
    /// A file.
    File,
    /// A pass in a named location, to which an `error_page` leads at once.
    Named,
    /// A pass of which somebody else is asked first.
    Guarded,
    /// Where one waits for one's turn, to be refused then.
    Turn,
    /// No location.
    Nowhere,
}

pub const PLACES: [Place; 10] = [
    Place::Pass,
    Place::Uri,
    Place::Own,
    Place::Gone,
    Place::Moved,
    Place::Accel,
    Place::File,
    Place::Named,
    Place::Guarded,
    Place::Turn,
];

/// What is asked of a request that is guarded.
pub const QUESTION: &str = "/question";
/// Where requests are mirrored to.
pub const COPY: &str = "/copy";
/// Bytes a second of answers that are made here: their heads alone are longer.
pub const RATE: u64 = 100;
/// How long one waits whose turn it is not.
pub const TURN_MS: u64 = 20;

/// To those who take it.
const PACKING: &str = "gzip on; gzip_types *; gzip_min_length 1; gzip_http_version 1.0;";
/// What is looked for stays as it is, but the way of the content is another.
const CHANGING: &str = "sub_filter 12 12; sub_filter 7 7; sub_filter_once off; sub_filter_types *;";

impl Place {
    pub fn path(self) -> &'static str {
        match self {
            Place::Pass => "/p/",
            Place::Uri => "/u/",
            Place::Own => "/own/",
            Place::Gone => "/gone/",
            Place::Moved => "/moved/",
            Place::Accel => "/accel/",
            Place::File => "/file/",
            Place::Named => "/named/",
            Place::Guarded => "/guarded/",
            Place::Turn => "/turn/",
            Place::Nowhere => "/",
        }
    }

    pub fn is_pass(self) -> bool {
        matches!(self, Place::Pass | Place::Uri | Place::Accel | Place::Named | Place::Guarded)
    }
}

/// Settings of one server block.
#[derive(Clone, Debug)]
pub struct Settings {
    pub header_ms: u64,
    pub body_ms: u64,
    pub send_ms: u64,
    pub keepalive_ms: u64,
    pub keepalive_requests: u64,
    pub body_bytes_max: u64,
    pub lingering: &'static str,
    pub lingering_time_ms: u64,
    pub lingering_timeout_ms: u64,
    pub connect_ms: u64,
    pub upstream_send_ms: u64,
    pub upstream_read_ms: u64,
    pub next: Vec<&'static str>,
    pub tries: u64,
    pub ignore_abort: bool,
    pub replay_bytes: u64,
    pub http10: bool,
    /// Where requests go is made by variables, but at `Uri`.
    pub by_variables: bool,
    pub is_fastcgi: bool,
    /// Clients say who they are before their first request.
    pub is_proxied: bool,
    /// Whether requests of [`Place::Named`] go to [`COPY`] too.
    pub mirrors: bool,
    /// The group of `Pass` and `Accel`, and of `Uri`.
    pub groups: [usize; 2],
}

/// A `server` of an `upstream`.
#[derive(Clone, Debug)]
pub struct Member {
    pub address: SocketAddr,
    pub weight: u64,
    pub max_fails: u64,
    pub fail_s: u64,
    pub is_backup: bool,
    pub is_down: bool,
    pub has_path: bool,
    pub max_conns: u64,
}

/// An `upstream`.
#[derive(Clone, Debug)]
pub struct Group {
    pub members: Vec<Member>,
    /// Behind its servers, where it takes backups.
    pub method: &'static str,
    pub keepalive: u64,
    pub keepalive_ms: u64,
    pub keepalive_requests: u64,
}

/// A `server`.
#[derive(Clone, Debug)]
pub struct Block {
    pub name: usize,
    pub listens: Vec<SocketAddr>,
    pub settings: Settings,
}

/// One configuration.
#[derive(Clone, Debug)]
pub struct Site {
    pub blocks: Vec<Block>,
    pub groups: Vec<Group>,
    pub connections: Option<u64>,
}

/// Addresses that configurations listen on: two of their own, a wildcard, and one it covers.
pub const ADDRESSES: [&str; 4] =
    ["127.0.0.1:8080", "127.0.0.1:8081", "0.0.0.0:8082", "127.0.0.2:8082"];

pub fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// The address of an upstream server.
pub fn server_address(index: usize) -> SocketAddr {
    SocketAddr::from(([10, 9, 0, index as u8 + 1], 9000))
}

/// Where the paths of upstream servers begin; the address stands for the server at it.
const PATH: &str = "unix:/sim/";

/// The address of the upstream server at an address or path.
pub fn server_at(text: &str) -> Option<SocketAddr> {
    text.strip_prefix(PATH).unwrap_or(text).parse().ok()
}

fn draw_settings(rng: &mut Prng, has: &Features, groups: usize) -> Settings {
    let is_short = has.has(Feature::ShortTimes);
    let mut time = |short: (u64, u64)| match is_short && !rng.once_in(4) {
        true => rng.between(short.0, short.1),
        false => rng.between(20_000, 60_000),
    };
    let (header_ms, body_ms, send_ms) = (time((300, 900)), time((300, 900)), time((300, 900)));
    let (connect_ms, upstream_send_ms) = (time((200, 600)), time((300, 900)));
    let upstream_read_ms = time((300, 900));
    let mut next = vec!["error", "timeout"];
    let mut tries = 0;
    if has.has(Feature::NextUpstream) {
        let all = ["error", "timeout", "invalid_header", "http_500", "http_503", "non_idempotent"];
        next = all.into_iter().filter(|_| rng.once_in(2)).collect();
        tries = rng.pick(&[0, 0, 1, 2, 3]);
        if next.is_empty() {
            next.push("off");
        }
    }
    let keepalive_ms = match has.has(Feature::ShortKeepalive) {
        true => rng.pick(&[0, 50, 300]),
        false => rng.between(5_000, 75_000),
    };
    let is_lingering_odd = has.has(Feature::NoLingering);
    Settings {
        header_ms,
        body_ms,
        send_ms,
        keepalive_ms,
        keepalive_requests: if has.has(Feature::FewRequests) { rng.between(1, 3) } else { 1000 },
        body_bytes_max: if has.has(Feature::TooLargeBodies) { 4_000 } else { 0 },
        lingering: if is_lingering_odd { rng.pick(&["off", "on", "always"]) } else { "on" },
        lingering_time_ms: if is_lingering_odd { rng.between(500, 2_000) } else { 30_000 },
        lingering_timeout_ms: if is_lingering_odd { rng.between(200, 600) } else { 5_000 },
        connect_ms,
        upstream_send_ms,
        upstream_read_ms,
        next,
        tries,
        ignore_abort: has.has(Feature::IgnoreAbort) && rng.once_in(2),
        replay_bytes: if has.has(Feature::SmallReplay) { 500 } else { 16 << 10 },
        http10: has.has(Feature::Http10Upstream) && rng.once_in(2),
        by_variables: has.has(Feature::Methods) && header_ms.is_multiple_of(2),
        is_fastcgi: has.has(Feature::FastCgi),
        is_proxied: has.has(Feature::Proxied),
        // A mirror takes a connection that the oracle counts for nobody.
        mirrors: !has.any(&[Feature::FastCgi, Feature::FewConnections, Feature::MaxConns]),
        groups: [rng.index(groups), rng.index(groups)],
    }
}

const METHODS: [&str; 6] = [
    "least_conn;",
    "ip_hash;",
    "hash $request_uri;",
    "hash $request_uri consistent;",
    "random;",
    "random two;",
];

fn draw_group(rng: &mut Prng, has: &Features, servers: usize) -> Group {
    let mut order: Vec<usize> = (0..servers).collect();
    let kept = if servers > 1 { rng.between(1, servers as u64) } else { 1 };
    while order.len() > kept as usize {
        order.remove(rng.index(order.len()));
    }
    let has_fails = has.has(Feature::MaxFails);
    let mut members: Vec<Member> = order
        .iter()
        .map(|index| Member {
            address: server_address(*index),
            weight: rng.pick(&[1, 1, 1, 3]),
            max_fails: if has_fails { rng.between(0, 2) } else { 0 },
            fail_s: rng.between(1, 4),
            is_backup: has_fails && rng.once_in(4),
            is_down: has_fails && rng.once_in(8),
            has_path: has.has(Feature::Paths) && rng.once_in(2),
            max_conns: if has.has(Feature::MaxConns) { rng.between(0, 3) } else { 0 },
        })
        .collect();
    members[0].is_backup = false;
    let is_short = has.has(Feature::ShortKeepalive);
    let method = match has.has(Feature::Methods) {
        true => rng.pick(&METHODS),
        false => "",
    };
    Group {
        members,
        method,
        keepalive: if is_short { rng.between(0, 2) } else { 32 },
        keepalive_ms: if is_short { rng.between(50, 400) } else { rng.between(1_000, 60_000) },
        keepalive_requests: if has.has(Feature::FewRequests) { rng.between(1, 3) } else { 1000 },
    }
}

impl Site {
    pub fn draw(rng: &mut Prng, has: &Features, servers: usize) -> Site {
        let groups: Vec<Group> =
            (0..rng.between(1, 2)).map(|_| draw_group(rng, has, servers)).collect();
        let mut blocks: Vec<Block> = (0..rng.between(1, 2) as usize)
            .map(|name| Block {
                name,
                listens: Vec::new(),
                settings: draw_settings(rng, has, groups.len()),
            })
            .collect();
        for block in &mut blocks {
            let mut listens: Vec<&str> = ADDRESSES.into_iter().filter(|_| rng.once_in(2)).collect();
            if listens.is_empty() {
                listens.push(rng.pick(&ADDRESSES));
            }
            if listens.len() > 1 && rng.once_in(2) {
                listens.rotate_left(1);
            }
            block.listens = listens.into_iter().map(address).collect();
        }
        let connections = has.has(Feature::FewConnections).then(|| rng.between(5, 12));
        Site { blocks, groups, connections }
    }

    /// The same but for what may change unseen: other times and servers, listens in other order.
    pub fn varied(&self, rng: &mut Prng, has: &Features) -> Site {
        let mut site = self.clone();
        for block in &mut site.blocks {
            let groups = block.settings.groups;
            block.settings = draw_settings(rng, has, self.groups.len());
            block.settings.groups = groups;
            if rng.once_in(2) {
                block.listens.reverse();
            }
        }
        site
    }

    /// The block that answers a request to an address. nginx: by name, else the address's first.
    pub fn block_for(&self, local: SocketAddr, host: &str) -> Option<usize> {
        let exact = self.blocks.iter().any(|block| block.listens.contains(&local));
        let wildcard = SocketAddr::from(([0, 0, 0, 0], local.port()));
        let listen = if exact { local } else { wildcard };
        let mut at = self.blocks.iter().filter(|block| block.listens.contains(&listen));
        let named = at.clone().find(|block| host == format!("s{}.sim", block.name));
        named.or(at.next()).map(|block| block.name)
    }

    /// Whether a connection to this address is taken.
    pub fn listens_on(&self, local: SocketAddr) -> bool {
        self.block_for(local, "").is_some()
    }

    /// The file's text. `serial` marks everything that is answered and logged by it.
    pub fn text(&self, serial: usize) -> String {
        let mut out = String::new();
        let connections =
            self.connections.map_or(String::new(), |max| format!("worker_connections {max};"));
        let _ = writeln!(out, "events {{ {connections} }} http {{");
        let _ = writeln!(
            out,
            "log_format sim '{serial}|$remote_addr:$remote_port|$connection_requests|$status|\
             $http_x_id|$sent_http_x_answer|$sent_http_x_place|$upstream_addr|$upstream_status|\
             $body_bytes_sent|$request_completion|$sent_http_connection|$request_time|$request'; \
             access_log /sim.log sim; \
             limit_conn_zone $remote_addr zone=held:1m; \
             limit_req_zone $remote_addr:$remote_port zone=turn:1m rate={}r/s;",
            1_000 / TURN_MS
        );
        for (index, group) in self.groups.iter().enumerate() {
            let _ = writeln!(
                out,
                "upstream up{index} {{ keepalive {}; keepalive_timeout {}ms; keepalive_requests {};",
                group.keepalive, group.keepalive_ms, group.keepalive_requests
            );
            for member in &group.members {
                let backup = if member.is_backup { " backup" } else { "" };
                let down = if member.is_down { " down" } else { "" };
                let path = if member.has_path { PATH } else { "" };
                let _ = writeln!(
                    out,
                    "server {path}{} weight={} max_fails={} fail_timeout={}s max_conns={}{backup}{down};",
                    member.address,
                    member.weight,
                    member.max_fails,
                    member.fail_s,
                    member.max_conns
                );
            }
            let _ = writeln!(out, "{} }}", group.method);
        }
        for block in &self.blocks {
            block.push_text(serial, &mut out);
        }
        out.push_str("}\n");
        out
    }

    /// The configuration as the core reads it.
    pub fn config(&self, serial: usize) -> Config {
        let text = self.text(serial);
        let main = Included { name: "sim".to_owned(), bytes: text.clone().into(), is_stock: false };
        let reading = nginx_conf::read(main, Context::Main, &mut |_, _| Ok(vec![]));
        let surroundings = Surroundings {
            folder: Path::new("/"),
            conf_folder: Path::new("/"),
            is_root: true,
            hostname: "sim",
            resolve: &|_, _| Vec::new(),
        };
        let lowered = lower_all(&reading.tree, reading.findings, reading.is_sound, &surroundings);
        let (config, _) = lowered.unwrap_or_else(|errors| {
            let errors: Vec<_> = errors.iter().map(|error| error.headline()).collect();
            panic!("{errors:?} in\n{text}")
        });
        config
    }
}

impl Settings {
    /// A pass to a group, and what of the path the location's own is replaced by.
    fn pass(&self, group: usize, method: &str, base: &str) -> String {
        if !self.is_fastcgi {
            return match self.by_variables && base.is_empty() {
                true => format!("set $to up{group}; proxy_pass http://$to"),
                false => format!("proxy_pass http://up{group}{base}"),
            };
        }
        let (rest, path) = match base {
            "" => (String::new(), "$uri".to_owned()),
            _ => ("if ($uri ~ ^/u/(.*)$) { set $rest $1; }".to_owned(), format!("{base}$rest")),
        };
        format!(
            "{rest} fastcgi_keep_conn on; fastcgi_param REQUEST_METHOD {method}; \
             fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param UP up{group}; \
             fastcgi_param TARGET {path}$is_args$args; fastcgi_pass up{group}"
        )
    }

    /// Who is asked of what is guarded, and the settings that are FastCGI's own.
    fn push_question(&self, out: &mut String) {
        let pass = self.pass(self.groups[1], "GET", "");
        let _ = writeln!(out, "location = {QUESTION} {{ internal; {pass}; }}");
        let pass = self.pass(self.groups[1], "$request_method", "");
        let _ = writeln!(out, "location = {COPY} {{ internal; {pass}; }}");
        if self.is_fastcgi {
            self.push_calls("fastcgi", out);
        }
    }

    /// How a pass of that protocol calls its servers.
    fn push_calls(&self, protocol: &str, out: &mut String) {
        let _ = writeln!(
            out,
            "{protocol}_connect_timeout {}ms; {protocol}_send_timeout {}ms; \
             {protocol}_read_timeout {}ms; {protocol}_next_upstream {}; \
             {protocol}_next_upstream_tries {}; {protocol}_ignore_client_abort {};",
            self.connect_ms,
            self.upstream_send_ms,
            self.upstream_read_ms,
            self.next.join(" "),
            self.tries,
            if self.ignore_abort { "on" } else { "off" },
        );
    }
}

impl Block {
    /// What is mirrored has no body. A gateway would be told of one.
    fn mirror(&self) -> String {
        match self.settings.mirrors {
            true => format!("mirror {COPY}; mirror_request_body off;"),
            false => String::new(),
        }
    }

    fn push_text(&self, serial: usize, out: &mut String) {
        let s = &self.settings;
        let name = self.name;
        let _ = writeln!(out, "server {{ server_name s{name}.sim;");
        for listen in &self.listens {
            let options = if s.is_proxied { " proxy_protocol" } else { "" };
            let _ = writeln!(out, "listen {listen}{options};");
        }
        let _ = writeln!(
            out,
            "client_header_timeout {}ms; client_body_timeout {}ms; send_timeout {}ms; \
             keepalive_timeout {}ms; keepalive_requests {}; client_max_body_size {}; \
             lingering_close {}; lingering_time {}ms; lingering_timeout {}ms; \
             client_body_buffer_size {}; proxy_http_version {}; \
             limit_conn held 1000; {PACKING} \
             add_header X-Place \"{serial}/s{name}/-\" always;",
            s.header_ms,
            s.body_ms,
            s.send_ms,
            s.keepalive_ms,
            s.keepalive_requests,
            s.body_bytes_max,
            s.lingering,
            s.lingering_time_ms,
            s.lingering_timeout_ms,
            s.replay_bytes,
            if s.http10 { "1.0" } else { "1.1" },
        );
        s.push_calls("proxy", out);
        s.push_question(out);
        let pass = s.pass(s.groups[0], "$request_method", "");
        let uri = s.pass(s.groups[1], "$request_method", "/base/");
        for place in PLACES {
            let what = match place {
                Place::Pass | Place::Accel => pass.clone(),
                Place::Uri => format!("{CHANGING} {uri}"),
                Place::Own => {
                    format!("limit_rate {RATE}; return 200 \"own $request_uri\"")
                }
                Place::Gone => "return 444".to_owned(),
                Place::Moved => "return 301 /there$request_uri".to_owned(),
                Place::File => "root /srv".to_owned(),
                Place::Named => {
                    let _ = writeln!(
                        out,
                        "location @named {{ {pass}; {} \
                         add_header X-Place \"{serial}/s{name}/Named\" always; }}",
                        self.mirror(),
                    );
                    "error_page 418 = @named; return 418".to_owned()
                }
                Place::Guarded => {
                    format!("auth_request {QUESTION}; {pass}")
                }
                Place::Turn => "limit_req zone=turn burst=1000; deny all".to_owned(),
                Place::Nowhere => continue,
            };
            let _ = writeln!(
                out,
                "location {} {{ {what}; add_header X-Place \"{serial}/s{name}/{place:?}\" always; }}",
                place.path()
            );
        }
        out.push_str("}\n");
    }
}
