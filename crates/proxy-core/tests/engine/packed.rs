//! Answers that are packed on their way: they come whole, and what is there does not wait for what
//! is still to come.

use std::sync::Arc;

use crate::files::Memory;
use crate::net::Fate;
use crate::world::World;

fn asking(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
}

/// The content of a chunked, packed answer as far as it has come, and whether that is its end.
fn unpacked(heard: &[u8]) -> (Vec<u8>, bool) {
    let at = heard.windows(4).position(|part| part == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8(heard[..at].to_vec()).unwrap();
    assert!(head.contains("\r\nContent-Encoding: gzip\r\n"), "{head}");
    let mut chunks = &heard[at..];
    let (mut stream, mut is_whole) = (Vec::new(), false);
    while let Some(end) = chunks.windows(2).position(|part| part == b"\r\n") {
        let size = std::str::from_utf8(&chunks[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        is_whole = size == 0;
        stream.extend_from_slice(&chunks[end + 2..end + 2 + size]);
        chunks = &chunks[end + size + 4..];
    }
    let body = &stream[10..];
    if !is_whole {
        let going_on = miniz_oxide::inflate::decompress_to_vec(body).unwrap_err();
        let zeros = going_on.output.iter().rev().take_while(|byte| **byte == 0).count();
        let length = going_on.output.len() - zeros;
        return (going_on.output[..length].to_vec(), false);
    }
    let (body, tail) = body.split_at(body.len() - 8);
    let found = miniz_oxide::inflate::decompress_to_vec(body).unwrap();
    assert_eq!(tail[..4], crc32fast::hash(&found).to_le_bytes());
    (found, true)
}

#[test]
fn an_event_reaches_the_client_before_the_next_one_is_there() {
    let http = "server { listen 8080; gzip on; gzip_types text/event-stream; \
                location / { proxy_pass http://app; } }";
    let mut world = World::new(http);
    let client = world.ask(asking("/events"));
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    world.say(&world.server(), head);
    let mut heard = client.heard_bytes();
    assert!(heard.ends_with(b"\r\n\r\n"), "the head does not wait for content");
    for (event, expected) in [("one", "one"), ("two", "onetwo"), ("three", "onetwothree")] {
        world.say(&world.server(), format!("{:x}\r\n{event}\r\n", event.len()));
        heard.extend(client.heard_bytes());
        assert_eq!(unpacked(&heard), (expected.into(), false));
    }
    world.say(&world.server(), "0\r\n\r\n");
    heard.extend(client.heard_bytes());
    assert_eq!(unpacked(&heard), ("onetwothree".into(), true));
    assert_eq!((client.fate(), world.lines().len()), (Fate::Open, 1));
}

#[test]
fn a_large_file_is_packed_as_the_client_takes_it() {
    const BYTES: usize = 3_000_000;
    let files = Memory::holding(&[("/srv/large.html", BYTES), ("/srv/small.html", 100)]);
    let http = "server { listen 8080; send_timeout 2s; root /srv; gzip on; types {} \
                default_type text/html; }";
    let mut world = World::with_files(http, Arc::new(files));
    let client = world.client();
    world.take(&client, 2_000);
    world.say(&client, asking("/large.html"));
    let mut heard = client.heard_bytes();
    assert_eq!(heard.len(), 2_000, "the head and what there was room for");
    for _ in 0..20 {
        world.pass(1_900);
        world.take(&client, 3_000);
        heard.extend(client.heard_bytes());
    }
    world.take(&client, usize::MAX);
    heard.extend(client.heard_bytes());
    let (found, is_whole) = unpacked(&heard);
    assert!(is_whole && found.len() == BYTES);
    assert!(found.iter().enumerate().all(|(at, byte)| *byte == b'a' + (at % 23) as u8));
    world.say(&client, asking("/small.html"));
    assert_eq!(unpacked(&client.heard_bytes()).0.len(), 100);
}

#[test]
fn of_an_answer_that_breaks_off_the_client_gets_what_there_was() {
    let http = "server { listen 8080; gzip on; gzip_types *; \
                location / { proxy_pass http://app; } }";
    let mut world = World::new(http);
    let client = world.ask(asking("/"));
    world.say(&world.server(), "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na part");
    world.end(&world.server());
    assert_eq!(unpacked(&client.heard_bytes()), ("a part".into(), false));
    assert_eq!(client.fate(), Fate::Closed);
}
