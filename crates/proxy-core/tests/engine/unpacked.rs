//! Answers that are unpacked on their way: they leave as they come, what is none is cut off, and
//! what becomes a thousand times as much waits for its client.

use std::rc::Rc;

use proxy_core::body::Mode;
use proxy_core::body::gzip::Pool;

use crate::net::Fate;
use crate::world::{World, get, passing, statuses};

/// A gzip stream in the pieces in which its packer lets it go.
fn packed(events: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut packer = Rc::new(Pool::default()).lend(6, None).unwrap();
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    for event in events {
        let mut out = Vec::new();
        packer.pass(event, Mode::More, &mut out);
        packer.pass(b"", Mode::Pause, &mut out);
        pieces.push(out);
    }
    let mut end = Vec::new();
    packer.pass(b"", Mode::End, &mut end);
    pieces.push(end);
    pieces
}

const HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunk(data: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

#[test]
fn an_event_reaches_the_client_before_the_next_one_is_there() {
    let mut world = World::new(&passing("gunzip on;"));
    let client = world.ask(get("/events"));
    let server = world.server();
    world.say(&server, HEAD);
    assert!(!client.heard().contains("Content-Encoding"));
    let pieces = packed(&[b"one", b"two", b"three"]);
    for (piece, event) in pieces.iter().zip(["one", "two", "three"]) {
        world.say(&server, chunk(piece));
        assert!(client.heard().contains(&format!("{:x}\r\n{event}\r\n", event.len())), "{event}");
    }
    world.say(&server, [chunk(&pieces[3]), b"0\r\n\r\n".to_vec()].concat());
    assert_eq!(client.heard(), "0\r\n\r\n");
    assert_eq!((client.fate(), world.lines().len()), (Fate::Open, 1));
    world.say(&client, get("/again"));
    assert!(server.heard().contains("GET /again "));
}

#[test]
fn what_is_no_gzip_stream_or_a_part_of_one_is_cut_off_and_told() {
    let whole = packed(&[b"hello"]).concat();
    for content in [b"hello".to_vec(), whole[..whole.len() - 3].to_vec()] {
        let mut world = World::new(&passing("gunzip on;"));
        let client = world.ask(get("/"));
        world.say(&world.server(), [HEAD.as_bytes(), &chunk(&content), b"0\r\n\r\n"].concat());
        let heard = client.heard();
        assert!(statuses(&heard) == [200] && !heard.ends_with("0\r\n\r\n"), "{heard}");
        assert_eq!((client.fate(), world.engine.links()), (Fate::Closed, 0));
        assert_eq!(world.lines(), ["GET / HTTP/1.1|200|10.0.0.5:5000|200|"]);
        assert!(world.notices().join("\n").contains("content that says it is gzip is not"));
    }
}

#[test]
fn what_becomes_a_thousand_times_as_much_waits_for_its_client() {
    let stream = packed(&[&vec![0; 64 << 20]]).concat();
    let mut world = World::new(&passing("gunzip on;"));
    let client = world.client();
    client.take(0);
    world.say(&client, get("/"));
    let server = world.server();
    world.say(&server, [HEAD.as_bytes(), &chunk(&stream), b"0\r\n\r\n"].concat());
    // A piece of what has come is unpacked, and the rest is left as it is.
    let mut heard = client.heard_bytes().len();
    assert!(heard <= 5 << 20, "{heard}");
    while world.lines().is_empty() {
        world.take(&client, 4 << 20);
        heard += client.heard_bytes().len();
    }
    assert!(heard > 64 << 20 && heard < 65 << 20, "{heard}");
}
