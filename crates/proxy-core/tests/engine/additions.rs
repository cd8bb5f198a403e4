//! What other places answer stands around an answer: what a client that is slow, leaves, or waits
//! in vain means to both, and what is left of it.

use std::sync::Arc;

use crate::files::Memory;
use crate::net::{Dial, Fate, Peer, REFUSED};
use crate::world::{World, get, passing, statuses};

const BOTH: &str = "upstream app { server 10.0.0.5:5000; } upstream part { server 10.0.0.5:6000; }";
const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\npage";

fn site(settings: &str) -> String {
    let part = "location = /part { internal; proxy_pass http://part; }
                location = /text { internal; return 200 text; }";
    format!("{BOTH} {}", passing(&format!("addition_types *; {settings} {part}")))
}

/// The client, and the connection to the part's server.
fn asked(world: &mut World) -> (Peer, Peer) {
    let client = world.ask(get("/x?y"));
    let app = world.server();
    world.say(&app, PAGE);
    let part = world.server();
    assert_eq!(part.port(), 6000);
    (client, part)
}

/// The chunks of an answer, one behind the other.
fn content(heard: &str) -> String {
    let (_, mut rest) = heard.split_once("\r\n\r\n").unwrap();
    let mut content = String::new();
    while let Some((size, data)) = rest.split_once("\r\n").filter(|(size, _)| *size != "0") {
        let bytes = usize::from_str_radix(size, 16).unwrap();
        content.push_str(&data[..bytes]);
        rest = &data[bytes + 2..];
    }
    content
}

#[test]
fn a_content_waits_for_what_is_before_it_and_both_connections_are_kept() {
    let mut world = World::new(&site("add_before_body /part; add_after_body /text;"));
    let (client, part) = asked(&mut world);
    assert_eq!(part.heard(), "GET /part HTTP/1.1\r\nHost: part\r\n\r\n");
    assert_eq!(content(&client.heard()), "");
    world.say(&part, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbef");
    assert_eq!(client.heard(), "3\r\nbef\r\n");
    world.say(&part, "ore");
    assert_eq!(client.heard(), "3\r\nore\r\n4\r\npage\r\n4\r\ntext\r\n0\r\n\r\n");
    assert_eq!(world.lines(), ["GET /x?y HTTP/1.1|200|10.0.0.5:5000|200|OK"]);
    // The connections are used again.
    assert_eq!(world.dialled(), [5000, 6000]);
    world.say(&client, get("/next"));
    world.say(&world.net.links[0].clone(), PAGE);
    world.say(&part, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((content(&client.heard()), world.dialled()), ("pagetext".into(), vec![]));
    assert_eq!((world.engine.clients(), world.engine.links()), (1, 2));
}

#[test]
fn no_more_is_taken_of_a_part_than_the_client_takes() {
    for before in [true, false] {
        let which = if before { "before" } else { "after" };
        let mut world = World::new(&site(&format!("add_{which}_body /part;")));
        let (client, part) = asked(&mut world);
        client.take(0);
        let bytes = 1 << 20;
        world.say(&part, format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n"));
        world.say(&part, "#".repeat(bytes));
        assert!(part.unread() > bytes - (256 << 10), "{} are left", part.unread());
        // The client's time is its own, and the server's is none as long as it is not read from.
        for _ in 0..8 {
            world.pass(59_000);
            world.take(&client, 64 << 10);
        }
        world.take(&client, usize::MAX >> 1);
        let heard = client.heard();
        assert!(heard.ends_with("0\r\n\r\n"), "{which}");
        assert_eq!(heard.matches('#').count(), bytes);
        assert_eq!((part.unread(), part.fate()), (0, Fate::Open));
    }
}

#[test]
fn a_client_that_takes_nothing_is_cut_off_with_its_part() {
    let mut world = World::new(&site("add_after_body /part; send_timeout 5s;"));
    let (client, part) = asked(&mut world);
    client.take(0);
    world.say(
        &part,
        format!("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{}", "x".repeat(9999)),
    );
    world.pass(5_000);
    assert!(matches!(client.fate(), Fate::Closed | Fate::Reset));
    assert!(matches!(part.fate(), Fate::Closed | Fate::Reset));
    assert_eq!(world.lines(), ["GET /x?y HTTP/1.1|200|10.0.0.5:5000|200|"]);
    assert_eq!(world.engine.clients(), 0);
}

#[test]
fn a_client_that_leaves_takes_its_part_with_it() {
    for place in ["before", "after"] {
        let mut world = World::new(&site(&format!("add_{place}_body /part;")));
        let (client, part) = asked(&mut world);
        world.say(&part, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbef");
        world.reset(&client);
        assert!(matches!(part.fate(), Fate::Closed | Fate::Reset), "{place}");
        assert_eq!(world.lines(), ["GET /x?y HTTP/1.1|200|10.0.0.5:5000|200|"]);
        world.engine.finish_all(&mut world.net);
        assert!(world.engine.has_finished());
    }
}

#[test]
fn a_part_that_breaks_off_or_is_late_breaks_the_answer_off() {
    for (place, is_late) in [("before", false), ("after", false), ("before", true), ("after", true)]
    {
        let mut world =
            World::new(&site(&format!("proxy_read_timeout 3s; add_{place}_body /part;")));
        let (client, part) = asked(&mut world);
        world.say(&part, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbef");
        match is_late {
            true => world.pass(3_000),
            false => world.end(&part),
        }
        let heard = client.heard();
        assert!(heard.contains("bef") && !heard.contains("0\r\n\r\n"), "{heard}");
        assert!(matches!(client.fate(), Fate::Closed | Fate::Reset));
        let notices = world.notices().join("\n");
        assert!(notices.contains("subrequest: \"/part\""), "{notices}");
        assert_eq!((world.engine.clients(), world.lines().len()), (0, 1));
    }
}

#[test]
fn the_page_of_an_error_stands_for_a_part_that_is_out_of_reach() {
    let mut world = World::new(&site("add_before_body /part;"));
    world.rule(6000, Dial::Fails(REFUSED));
    let client = world.ask(get("/"));
    world.say(&world.net.links[0].clone(), PAGE);
    let heard = client.heard();
    assert_eq!(statuses(&heard), [200]);
    let text = content(&heard);
    assert!(text.contains("502 Bad Gateway") && text.ends_with("page"), "{text}");
    assert!(world.notices().join("\n").contains("refused"));
    assert_eq!((client.fate(), world.engine.clients()), (Fate::Open, 1));
}

#[test]
fn what_is_packed_is_one_stream_and_leaves_at_each_pause() {
    let mut world = World::new(&site("gzip on; add_before_body /part;"));
    let client = world.ask("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    world.say(&world.server(), PAGE.replace("4\r\n\r\npage", "24\r\n\r\npagepagepagepagepagepage"));
    let head = String::from_utf8_lossy(&client.heard_bytes()).into_owned();
    assert!(head.contains("Content-Encoding: gzip"), "{head}");
    let part = world.server();
    assert!(!part.heard().contains("gzip-by-us"));
    world.say(&part, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbef");
    assert!(!client.heard_bytes().is_empty(), "it has left at the pause");
    world.say(&part, "ore");
    assert!(client.heard_bytes().ends_with(b"\r\n0\r\n\r\n"));
}

#[test]
fn files_stand_around_files_however_large_and_slow() {
    let files = Memory::holding(&[("/www/page.html", 200_000), ("/www/part.html", 300_000)]);
    let http = "server { listen 8080; root /www; addition_types *; location = /part.html { }
                location / { add_before_body /part.html; add_after_body /part.html; } }";
    let mut world = World::with_files(http, Arc::new(files));
    let client = world.client();
    client.take(1_000);
    world.say(&client, get("/page.html"));
    let mut heard = client.heard();
    for _ in 0..30 {
        world.take(&client, 50_000);
        heard.push_str(&client.heard());
    }
    assert!(heard.ends_with("0\r\n\r\n"));
    let bytes: usize = content(&heard).len();
    assert_eq!(bytes, 800_000);
    assert_eq!((client.fate(), world.engine.clients()), (Fate::Open, 1));
}
