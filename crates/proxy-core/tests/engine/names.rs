//! Names that requests bring: who waits for one, what it comes to, and what comes too late, twice, or
//! for somebody else.

use std::net::IpAddr;

use proxy_core::engine::NameWanted;
use proxy_core::resolver::wire::NameFault;

use crate::net::{Dial, Peer, REFUSED};
use crate::world::{World, answer, get, statuses};

/// A world whose location goes to the name that a request has.
fn world(settings: &str) -> World {
    World::new(&format!(
        "resolver 10.9.9.9; server {{ listen 8080; {settings} location / {{ proxy_pass \
         http://$arg_to:7000; }} }}"
    ))
}

/// The names that are wanted since this was last asked.
fn wanted(world: &mut World) -> Vec<NameWanted> {
    std::mem::take(&mut world.engine.output().lookups)
}

fn only(world: &mut World) -> NameWanted {
    let mut all = wanted(world);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn found(addresses: &[&str]) -> Result<Vec<IpAddr>, NameFault> {
    Ok(addresses.iter().map(|ip| ip.parse().unwrap()).collect())
}

fn tell(world: &mut World, who: &NameWanted, outcome: Result<Vec<IpAddr>, NameFault>) {
    world.engine.begin_turn(world.moment());
    world.engine.resolved((who.client, &who.name), outcome, &mut world.net);
    world.settle();
}

/// What the client has got, and what the log says.
fn told(world: &mut World, client: &Peer) -> (Vec<u16>, Vec<String>) {
    (statuses(&client.heard()), world.lines())
}

#[test]
fn a_request_waits_for_its_name_and_goes_where_that_leads() {
    let mut world = world("");
    let client = world.ask(get("/?to=app.test"));
    let name = only(&mut world);
    assert_eq!((name.name.as_str(), name.resolver.servers.len()), ("app.test", 1));
    world.pass(29_999);
    assert!(client.heard().is_empty() && world.dialled().is_empty());
    tell(&mut world, &name, found(&["10.0.0.7"]));
    world.say(&world.server(), answer("good"));
    let line = "GET /?to=app.test HTTP/1.1|200|10.0.0.7:7000|200|OK".to_owned();
    assert_eq!(told(&mut world, &client), (vec![200], vec![line]));
}

#[test]
fn what_is_not_found_or_not_told_in_time_is_a_502_with_the_name_in_the_log() {
    for (name, fault, expected) in [
        ("app.test", NameFault::NotFound, "app.test could not be resolved (3: Host not found)"),
        (
            "app",
            NameFault::Refused,
            "app could not be resolved (5: Operation refused); name servers know",
        ),
    ] {
        let mut world = world("");
        let client = world.ask(get(&format!("/?to={name}")));
        let who = only(&mut world);
        tell(&mut world, &who, Err(fault));
        assert_eq!(statuses(&client.heard()), [502]);
        let notices = world.notices();
        assert!(notices[0].contains(expected), "{notices:?}");
    }
    let mut world = world("resolver_timeout 5s;");
    let client = world.ask(get("/?to=app.test"));
    let who = only(&mut world);
    world.pass(5_000);
    assert_eq!(statuses(&client.heard()), [502]);
    assert!(world.notices()[0].contains("(110: Operation timed out)"));
    tell(&mut world, &who, found(&["10.0.0.7"]));
    assert!(world.dialled().is_empty(), "it comes too late");
}

#[test]
fn each_address_is_a_server_of_its_own() {
    let mut world = world("");
    world.rule(7000, Dial::Fails(REFUSED));
    let client = world.ask(get("/?to=app.test"));
    let who = only(&mut world);
    tell(&mut world, &who, found(&["10.0.0.7", "10.0.0.8"]));
    let line = "GET /?to=app.test HTTP/1.1|502|10.0.0.7:7000, 10.0.0.8:7000|502, 502|OK".to_owned();
    assert_eq!(told(&mut world, &client), (vec![502], vec![line]));
    let mut world = self::world("proxy_next_upstream_tries 1;");
    world.rule(7000, Dial::Fails(REFUSED));
    let client = world.ask(get("/?to=app.test"));
    let who = only(&mut world);
    tell(&mut world, &who, found(&["10.0.0.7", "10.0.0.8"]));
    assert_eq!(statuses(&client.heard()), [502]);
    assert_eq!(world.dialled(), [7000], "one try");
}

#[test]
fn what_is_told_twice_or_of_another_name_changes_nothing() {
    let mut world = world("");
    let client = world.ask(get("/?to=one.test"));
    let one = only(&mut world);
    let other = NameWanted { name: "two.test".into(), resolver: one.resolver.clone(), ..one };
    tell(&mut world, &other, found(&["10.0.0.9"]));
    assert!(world.dialled().is_empty());
    tell(&mut world, &one, found(&["10.0.0.7"]));
    tell(&mut world, &one, Err(NameFault::NotFound));
    world.say(&world.server(), answer("good"));
    tell(&mut world, &one, Err(NameFault::NotFound));
    // The next request on the connection waits for its own.
    world.say(&client, get("/?to=two.test"));
    let two = only(&mut world);
    tell(&mut world, &one, found(&["10.0.0.7"]));
    tell(&mut world, &two, Err(NameFault::NotFound));
    assert_eq!(statuses(&client.heard()), [200, 502]);
}

#[test]
fn a_client_that_leaves_waits_no_more() {
    let mut world = world("");
    let client = world.ask(get("/?to=app.test"));
    let who = only(&mut world);
    world.reset(&client);
    assert_eq!((world.engine.clients(), world.lines().len()), (0, 1));
    tell(&mut world, &who, found(&["10.0.0.7"]));
    assert!(world.dialled().is_empty());
}

#[test]
fn without_a_resolver_nobody_is_asked() {
    let mut world = World::new(
        "server { listen 8080; location / { proxy_pass http://$arg_to; error_page 502 = @other; } \
         location @other { return 203; } }",
    );
    let client = world.ask(get("/?to=app.test"));
    assert!(wanted(&mut world).is_empty());
    assert_eq!(statuses(&client.heard()), [203]);
}
