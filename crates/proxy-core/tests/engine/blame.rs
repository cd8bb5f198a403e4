//! What counts against a server, how long it is left alone, and what is told of it.

use proxy_core::net::Cause;
use proxy_core::upstream::address::Address;

use crate::failover::{bad, servers, two};
use crate::net::{Dial, Peer, REFUSED};
use crate::world::{World, answer, get, last_answer, passing, statuses};

/// Asks so many times in a row, and answers well where a server is there; the servers asked.
fn asked(world: &mut World, times: usize) -> Vec<u16> {
    world.dialled();
    for _ in 0..times {
        let client = world.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let server = world.server();
        world.say(&server, last_answer("good"));
        assert_eq!(statuses(&client.heard()), [200]);
        world.end(&client);
    }
    world.dialled()
}

#[test]
fn a_server_that_failed_is_left_alone_for_its_time() {
    let mut world = two("");
    let client = world.ask(get("/"));
    world.end(&world.server());
    world.say(&world.server(), last_answer("good"));
    assert_eq!(statuses(&client.heard()), [200]);
    assert_eq!(asked(&mut world, 4), [5002; 4]);
    world.pass(10_001);
    assert!(asked(&mut world, 4).contains(&5001), "its time is over");
}

#[test]
fn every_kind_of_failure_counts_but_403_404_and_what_was_no_failure() {
    let all = "proxy_read_timeout 2s; proxy_next_upstream error timeout invalid_header http_500 \
               http_403 http_404;";
    type First = fn(&mut World, &Peer);
    let cases: [(&str, First, bool); 7] = [
        ("closes", |world, server| world.end(server), true),
        ("resets", |world, server| world.reset(server), true),
        ("hangs", |world, _| world.pass(2_000), true),
        ("nonsense", |world, server| world.say(server, "nonsense\r\n"), true),
        ("500", |world, server| world.say(server, bad(500)), true),
        ("403", |world, server| world.say(server, bad(403)), false),
        ("404", |world, server| world.say(server, bad(404)), false),
    ];
    for (name, first, counts) in cases {
        let mut world = two(all);
        world.ask(get("/"));
        let server = world.server();
        first(&mut world, &server);
        world.say(&world.server(), last_answer("good"));
        assert_eq!(!asked(&mut world, 2).contains(&5001), counts, "{name}");
    }
}

#[test]
fn failures_are_counted_up_to_the_most_that_the_file_allows() {
    let mut world = servers(&["max_fails=2", "backup"], "");
    for _ in 0..2 {
        let client = world.ask(get("/"));
        assert_eq!(world.server().port(), 5001);
        world.end(&world.server());
        world.say(&world.server(), last_answer("good"));
        assert_eq!(statuses(&client.heard()), [200]);
    }
    assert_eq!(asked(&mut world, 2), [5002; 2]);
    let mut world = servers(&["max_fails=0", "backup"], "");
    for _ in 0..3 {
        world.ask(get("/"));
        assert_eq!(world.server().port(), 5001, "it is never left alone");
        world.end(&world.server());
        world.say(&world.server(), last_answer("good"));
    }
}

#[test]
fn where_every_server_is_left_alone_the_group_answers_for_them() {
    let mut world = two("");
    world.rule(5001, Dial::Fails(REFUSED));
    world.rule(5002, Dial::Fails(REFUSED));
    let client = world.ask(get("/1"));
    assert_eq!((statuses(&client.heard()), world.dialled()), (vec![502], vec![5001, 5002]));
    world.notices();
    world.say(&client, get("/2"));
    assert_eq!((statuses(&client.heard()), world.dialled()), (vec![502], vec![]));
    assert_eq!(
        world.lines(),
        [
            "GET /1 HTTP/1.1|502|10.0.0.5:5001, 10.0.0.5:5002|502, 502|OK",
            "GET /2 HTTP/1.1|502|app|502|OK",
        ]
    );
    assert!(world.notices()[0].starts_with("no live servers in the upstream, client: "));
}

#[test]
fn a_name_without_an_address_is_asked_for_and_served_when_it_has_one() {
    let mut world =
        World::new(&format!("upstream app {{ server no.such.name:5001; }} {}", passing("")));
    let client = world.ask(get("/"));
    assert_eq!(statuses(&client.heard()), [502]);
    assert_eq!(world.lines(), ["GET / HTTP/1.1|502|app|502|OK"]);
    let wanted = world.engine.take_wanted();
    assert_eq!(wanted.len(), 1);
    assert_eq!(world.engine.take_wanted(), []);
    let address = Address::literal("10.0.0.6", 5001).unwrap();
    world.engine.set_addresses(&[(wanted[0], vec![address])]);
    world.say(&client, get("/"));
    world.say(&world.server(), answer("good"));
    assert_eq!((statuses(&client.heard()), world.dialled()), (vec![200], vec![5001]));
}

#[test]
fn all_addresses_of_a_server_are_tried_before_it_counts_as_failed() {
    let mut world = two("");
    let id = proxy_core::upstream::link::ServerId { upstream: 0, server: 0 };
    let address = |port| Address::literal("10.0.0.6", port).unwrap();
    let addresses = (6001..=6003).map(address).collect();
    world.engine.set_addresses(&[(id, addresses)]);
    world.rule(6001, Dial::Fails(REFUSED));
    world.rule(6002, Dial::Cannot(proxy_core::net::DialFault::Peer(Cause(101))));
    let client = world.ask(get("/"));
    world.say(&world.server(), last_answer("good"));
    assert_eq!((statuses(&client.heard()), world.dialled()), (vec![200], vec![6001, 6003]));
    assert_eq!((world.notices(), world.engine.links()), (vec![], 0));
    // What answered comes first the next time.
    assert_eq!(asked(&mut world, 2), [5002, 6003]);
}

#[test]
fn each_server_that_was_passed_over_is_told_of() {
    let mut world = servers(&["", "", ""], "");
    world.rule(5001, Dial::Fails(REFUSED));
    world.rule(5002, Dial::Fails(Cause(113)));
    let client = world.ask(get("/a"));
    world.say(&world.server(), answer("good"));
    assert_eq!(statuses(&client.heard()), [200]);
    let told = world.notices();
    // Both are connects that failed: one a second of a kind.
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("cannot connect to the upstream: Connection refused (111)"));
    assert!(told[0].ends_with("status: 200, upstream: 10.0.0.5:5001"), "{told:?}");
    assert_eq!(world.counters().retries, 2);
}

#[test]
fn a_client_that_leaves_takes_no_other_server_along() {
    let mut world = two("");
    let client = world.ask(get("/"));
    client.reset();
    world.server().end();
    world.settle();
    assert_eq!((world.dialled(), world.engine.links()), (vec![5001], 0));
    // And blames none.
    assert!(asked(&mut world, 2).contains(&5001));
}
