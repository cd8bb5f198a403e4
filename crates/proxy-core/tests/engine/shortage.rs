//! Errors of our own: no descriptor, no port, no memory.

use proxy_core::net::{Cause, DialFault};

use crate::net::{Dial, NO_DESCRIPTOR};
use crate::world::{World, answer, get, last_answer, passing, statuses};

const TWO: &str = "upstream app { server 10.0.0.5:5001; server 10.0.0.5:5002; }";

#[test]
fn a_shortage_here_is_a_503_blames_no_server_and_is_well_again_at_once() {
    for cause in [NO_DESCRIPTOR, Cause(99)] {
        let mut world = World::new(&format!("{TWO} {}", passing("")));
        for port in [5001, 5002] {
            world.rule(port, Dial::Cannot(DialFault::Own(cause)));
        }
        let client = world.client();
        for _ in 0..5 {
            world.say(&client, get("/"));
            assert_eq!(statuses(&client.heard()), [503]);
        }
        assert_eq!(world.engine.links(), 0);
        let lines = world.lines();
        assert_eq!(lines[0], "GET / HTTP/1.1|503|10.0.0.5:5001|503|OK");
        world.net.rules.clear();
        for _ in 0..4 {
            world.say(&client, get("/"));
            world.say(&world.server(), last_answer("good"));
            assert_eq!(statuses(&client.heard()), [200]);
        }
        let told = world.notices();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("no connection to the upstream can be made here: "));
        assert!(told[0].contains(&format!("({})", cause.0)), "{told:?}");
    }
}

#[test]
fn a_shortage_does_not_end_what_is_under_way() {
    let mut world = World::new(&passing(""));
    let before = world.ask(get("/"));
    let server = world.server();
    world.rule(5000, Dial::Cannot(DialFault::Own(NO_DESCRIPTOR)));
    let refused = world.ask(get("/"));
    assert_eq!(statuses(&refused.heard()), [503]);
    world.say(&server, answer("good"));
    assert_eq!(statuses(&before.heard()), [200]);
    // And a kept connection needs no descriptor.
    world.say(&refused, get("/"));
    world.say(&server, answer("good"));
    assert_eq!(statuses(&refused.heard()), [200]);
}

#[test]
fn an_address_that_cannot_be_used_here_is_passed_over_without_blame() {
    let mut world = World::new(&format!("{TWO} {}", passing("")));
    world.rule(5001, Dial::Cannot(DialFault::Unusable(Cause(99))));
    let client = world.ask(get("/"));
    world.say(&world.server(), last_answer("good"));
    assert_eq!((statuses(&client.heard()), world.dialled()), (vec![200], vec![5002]));
    // Where no other is left it is a 503, and well again at once.
    world.rule(5002, Dial::Cannot(DialFault::Unusable(Cause(99))));
    world.say(&client, get("/"));
    assert_eq!(statuses(&client.heard()), [503]);
    world.net.rules.clear();
    for _ in 0..2 {
        world.say(&client, get("/"));
        world.say(&world.server(), last_answer("good"));
        assert_eq!(statuses(&client.heard()), [200]);
    }
    let mut asked = world.dialled();
    asked.sort_unstable();
    assert_eq!(asked, [5001, 5002], "neither is left alone");
}
