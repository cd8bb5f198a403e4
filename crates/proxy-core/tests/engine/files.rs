//! Answers out of files: what is found, and how it is sent to clients that take it slowly, leave, or
//! whose file changes under them.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use proxy_core::files::{Facts, File, Files, Kind, Links, Opened};
use proxy_core::net::Cause;

use crate::net::{Fate, Peer};
use crate::world::{World, get, statuses, with_body};

/// Files in memory, by their paths; folders are those that have something in them.
#[derive(Debug, Default)]
pub struct Memory(BTreeMap<&'static str, Content>);

#[derive(Clone, Debug)]
pub struct Content {
    bytes: Vec<u8>,
    /// So much of it is said to be there.
    told: u64,
    /// What reading behind its end comes to.
    end: Result<usize, Cause>,
}

impl Memory {
    pub fn holding(files: &[(&'static str, usize)]) -> Memory {
        let content = |bytes: usize| {
            let bytes: Vec<u8> = (0..bytes).map(|at| b'a' + (at % 23) as u8).collect();
            Content { told: bytes.len() as u64, bytes, end: Ok(0) }
        };
        Memory(files.iter().map(|(path, bytes)| (*path, content(*bytes))).collect())
    }

    fn cut(mut self, path: &'static str, bytes: usize, end: Result<usize, Cause>) -> Memory {
        let content = self.0.get_mut(path).unwrap();
        content.bytes.truncate(bytes);
        content.end = end;
        self
    }
}

impl File for Content {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Cause> {
        let rest = self.bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        if count == 0 { self.end } else { Ok(count) }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Files for Memory {
    fn open(&self, path: &[u8], links: Links) -> Result<Opened, Cause> {
        let facts = self.look(path, links)?;
        let content = std::str::from_utf8(path).ok().and_then(|path| self.0.get(path));
        let empty = Content { bytes: Vec::new(), told: 0, end: Ok(0) };
        Ok(Opened { facts, file: Box::new(content.cloned().unwrap_or(empty)) })
    }

    fn look(&self, path: &[u8], _: Links) -> Result<Facts, Cause> {
        let path = std::str::from_utf8(path).map_err(|_| Cause::NO_ENTRY)?;
        let facts = |kind, bytes| Facts { kind, bytes, modified_s: 1, is_executable: false };
        if let Some(content) = self.0.get(path) {
            return Ok(facts(Kind::File, content.told));
        }
        let inside = format!("{}/", path.trim_end_matches('/'));
        match self.0.keys().any(|known| known.starts_with(&inside)) {
            true => Ok(facts(Kind::Folder, 0)),
            false => Err(Cause::NO_ENTRY),
        }
    }

    fn list(&self, _: &[u8]) -> Result<Vec<(Vec<u8>, Facts)>, Cause> {
        Err(Cause::NO_ACCESS)
    }

    fn real_path(&self, path: &[u8]) -> Result<Vec<u8>, Cause> {
        Ok([b"/real", path].concat())
    }
}

const SMALL: usize = 20_000;
const LARGE: usize = 700_000;

fn world_of(settings: &str, files: Memory) -> World {
    let http = format!("server {{ listen 8080; send_timeout 2s; root /srv; {settings} }}");
    World::with_files(&http, Arc::new(files))
}

fn world() -> World {
    let files = [("/srv/small", SMALL), ("/srv/large", LARGE), ("/srv/sub/index.html", 3)];
    world_of("", Memory::holding(&files))
}

/// The bytes behind the head.
fn content(heard: &str) -> &str {
    heard.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn a_small_file_and_a_large_one_come_whole_and_the_connection_goes_on() {
    let mut world = world();
    let client = world.ask([get("/small"), get("/large"), get("/sub/")].concat());
    let heard = client.heard();
    assert_eq!((statuses(&heard), client.fate()), (vec![200, 200, 200], Fate::Open));
    assert!(heard.len() > SMALL + LARGE && heard.ends_with("\r\n\r\nabc"));
    let lines = world.lines();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].starts_with("GET /large HTTP/1.1|200|"), "{lines:?}");
}

#[test]
fn a_client_gets_of_a_large_file_what_it_takes_and_the_rest_when_it_takes_more() {
    let mut world = world();
    let client = world.client();
    world.take(&client, 1_000);
    world.say(&client, get("/large"));
    let mut heard = client.heard();
    assert_eq!(heard.len(), 1_000, "the head and what there was room for");
    while client.0.borrow().token.is_some() && heard.len() < LARGE {
        // It takes something all the time, though slowly.
        world.pass(1_900);
        world.take(&client, 100_000);
        heard += &client.heard();
    }
    world.take(&client, usize::MAX);
    heard += &client.heard();
    assert_eq!((content(&heard).len(), client.fate()), (LARGE, Fate::Open));
    assert!(
        content(&heard)
            .as_bytes()
            .iter()
            .enumerate()
            .all(|(at, byte)| *byte == b'a' + (at % 23) as u8)
    );
    world.say(&client, get("/sub/"));
    assert!(client.heard().ends_with("abc"));
}

#[test]
fn a_client_that_takes_nothing_is_let_go_after_its_time() {
    for path in ["/small", "/large"] {
        let mut world = world();
        let client = world.client();
        world.take(&client, 300);
        world.say(&client, get(path));
        world.pass(1_999);
        assert_eq!(client.fate(), Fate::Open, "{path}");
        world.pass(1);
        assert_ne!(client.fate(), Fate::Open, "{path}");
        assert_eq!((world.engine.clients(), world.lines().len()), (0, 1), "{path}");
        assert!(world.notices()[0].starts_with("the client timed out while its answer was sent"));
    }
}

#[test]
fn a_client_that_goes_in_the_middle_is_let_go_and_one_that_has_ended_gets_all() {
    let mut world = world();
    let gone = world.client();
    world.take(&gone, 1_000);
    world.say(&gone, get("/large"));
    world.reset(&gone);
    assert_eq!((world.engine.clients(), world.lines().len()), (0, 1));
    let ended = world.client();
    world.take(&ended, 1_000);
    world.say(&ended, get("/large"));
    world.end(&ended);
    world.take(&ended, usize::MAX);
    assert_eq!(content(&ended.heard()).len(), LARGE);
}

#[test]
fn a_file_that_is_cut_or_fails_while_it_is_sent_ends_the_connection_short() {
    for (path, told) in [("/small", "20000"), ("/large", "700000")] {
        for (end, why) in [
            (Ok(0), "a file was cut while it was sent"),
            (Err(Cause(5)), "a file cannot be read any more: Input/output error (5)"),
        ] {
            let full: &'static str = if path == "/small" { "/srv/small" } else { "/srv/large" };
            let files = Memory::holding(&[("/srv/small", SMALL), ("/srv/large", LARGE)]);
            let mut world = world_of("", files.cut(full, 15_000, end));
            let client = world.ask([get(path), get("/small")].concat());
            let heard = client.heard();
            // Nothing of the next answer is taken for the rest of this one.
            assert_eq!(heard.matches("HTTP/1.1").count(), 1, "{path}");
            assert!(heard.contains(&format!("Content-Length: {told}\r\n")));
            assert!(content(&heard).len() <= 15_000);
            // Its length is told: that it is short shows.
            assert_eq!((client.fate(), world.engine.clients()), (Fate::Closed, 0), "{path}");
            let notices = world.notices();
            assert!(notices[0].starts_with(why), "{notices:?}");
        }
    }
}

#[test]
fn a_body_that_comes_while_a_file_is_sent_is_thrown_away() {
    let mut world = world();
    let client = world.client();
    world.take(&client, 1_000);
    let body = "x".repeat(50_000);
    let request = with_body("GET", "/large", &body);
    let (first, rest) = request.split_at(1_000);
    world.say(&client, first);
    world.say(&client, rest);
    assert_eq!(client.unread(), 0, "whoever sends first and reads then is not kept waiting");
    world.take(&client, usize::MAX);
    assert_eq!((content(&client.heard()).len(), client.fate()), (LARGE, Fate::Open));
    world.say(&client, get("/sub/"));
    assert!(client.heard().ends_with("abc"));
}

#[test]
fn parts_of_a_file_are_sent_in_their_order_by_whatever_way() {
    let mut world = world();
    let ask =
        |range: &str| format!("GET /large HTTP/1.1\r\nHost: a\r\nRange: bytes={range}\r\n\r\n");
    let client = world.ask([ask("23-25"), ask("-2"), ask("0-0,46-100045,1-2")].concat());
    let heard = client.heard();
    assert_eq!((statuses(&heard), client.fate()), (vec![206, 206, 206], Fate::Open));
    assert!(heard.contains("Content-Range: bytes 23-25/700000\r\n"));
    let (_, last) = heard.split_once("multipart/byteranges").unwrap();
    let parts: Vec<&str> = last.split("/700000\r\n\r\n").skip(1).collect();
    assert_eq!((parts[0].chars().next(), parts[2].get(..2)), (Some('a'), Some("bc")));
    assert!(parts[1].starts_with("abcdef") && parts[1].len() > 100_000);
}

fn heard_of(world: &mut World, path: &str) -> (u16, Peer) {
    let client = world.ask(get(path));
    let heard = client.heard();
    (statuses(&heard)[0], client)
}

#[test]
fn what_a_path_leads_to_says_how_it_is_answered() {
    let mut world = world_of(
        "location /t/ { try_files $uri /small =410; } location /n/ { try_files /none @n; } \
         location @n { return 202 $document_root; } location /real { return 203 $realpath_root; }",
        Memory::holding(&[("/srv/small", 3), ("/srv/sub/index.html", 3), ("/srv/dir/x", 3)]),
    );
    for (path, status) in [
        ("/small", 200),
        ("/sub", 301),
        ("/sub/", 200),
        ("/dir/", 403),
        ("/none", 404),
        ("/none/", 404),
        ("/t/x", 200),
        ("/n/x", 202),
        ("/real", 203),
    ] {
        assert_eq!(heard_of(&mut world, path).0, status, "{path}");
    }
}

#[test]
fn what_is_not_there_is_told_in_the_log_unless_the_file_says_otherwise() {
    let mut world = world_of("location /q/ { log_not_found off; }", Memory::default());
    heard_of(&mut world, "/a%22%0ab");
    let notices = world.notices();
    let told = "open() \"/srv/a\\\"\\nb\" failed: No such file or directory (2)";
    assert!(notices[0].starts_with(told), "{notices:?}");
    heard_of(&mut world, "/q/a");
    assert_eq!(world.notices(), Vec::<String>::new());
}

#[test]
fn a_file_goes_out_at_its_rate_and_its_client_is_not_to_blame() {
    let files = Memory::holding(&[("/srv/large", LARGE)]);
    let mut world = world_of("location / { limit_rate 300000; send_timeout 500ms; }", files);
    let client = world.ask(get("/large"));
    let mut heard = client.heard().len();
    assert_eq!(heard, 300_000);
    world.pass(999);
    assert_eq!(client.heard(), "");
    world.pass(1);
    heard += client.heard().len();
    assert_eq!(heard, 600_000);
    world.pass(1_000);
    heard += client.heard().len();
    assert!((LARGE..LARGE + 1000).contains(&heard), "{heard}");
    assert_eq!(client.fate(), Fate::Open);
}

#[test]
fn a_file_says_who_is_let_in_and_nothing_of_it_is_sent() {
    let files = Memory::holding(&[("/srv/yes", LARGE), ("/srv/small", 10), ("/srv/no", 10)]);
    let settings = "auth_request /yes; location = /yes { auth_request off; } \
                    location = /no { auth_request /missing; } \
                    location = /missing { auth_request off; }";
    let mut world = world_of(settings, files);
    let client = world.ask(get("/small"));
    let heard = client.heard();
    assert_eq!((statuses(&heard), content(&heard).len()), (vec![200], 10));
    let client = world.ask(get("/no"));
    assert_eq!(statuses(&client.heard()), [500]);
}
