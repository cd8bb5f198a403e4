//! Which server is chosen. That nginx chooses the same is tested beside it.

use super::*;
use crate::response::Response;
use crate::test_case::{Case, at};
use crate::upstream::peers::Peers;

/// Requests at one group.
struct Requests {
    case: Case,
    peers: Peers,
}

impl Requests {
    fn of(lines: &str) -> Requests {
        let text = format!(
            "http {{ upstream app {{ {lines} }} server {{ listen 8080; \
             location / {{ proxy_pass http://app; }} }} }}"
        );
        let case = Case::at(at(&text), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let peers = Peers::new(case.request.at.config());
        Requests { case, peers }
    }

    /// A new one.
    fn begin(&self) -> Choice {
        let mut choice = Choice::default();
        choice.set_key(
            &self.case.request.at.config().upstreams[0].method,
            &self.case.view(&Response::default()),
        );
        choice
    }

    /// Where it goes next; it is under way there while the choice lives.
    fn next(&mut self, choice: &mut Choice) -> Option<usize> {
        let config = self.case.request.at.config();
        self.peers.pick(config, 0, choice, 0).map(|id| id.server)
    }

    /// All servers that it tries.
    fn all(&mut self) -> Vec<usize> {
        let mut choice = self.begin();
        let mut all = Vec::new();
        while let Some(server) = self.next(&mut choice) {
            all.push(server);
            choice.leave(server);
        }
        all
    }
}

#[test]
fn the_server_with_the_fewest_requests_for_its_weight_gets_the_next() {
    let mut requests =
        Requests::of("least_conn; server 10.0.0.1; server 10.0.0.2 weight=2; server 10.0.0.3;");
    let mut under_way: Vec<Choice> = (0..8).map(|_| requests.begin()).collect();
    let chosen: Vec<_> = under_way.iter_mut().filter_map(|choice| requests.next(choice)).collect();
    assert_eq!(chosen, [1, 0, 2, 1, 2, 0, 1, 1], "twice as many where the weight is two");
    // One of the third's and one of the second's are over.
    under_way.remove(2);
    under_way.remove(5);
    let mut more = [requests.begin(), requests.begin()];
    assert_eq!(more.each_mut().map(|choice| requests.next(choice)), [Some(2), Some(1)]);
}

#[test]
fn a_server_has_no_more_requests_than_it_may() {
    for method in
        ["", "least_conn;", "ip_hash;", "hash a;", "hash a consistent;", "random;", "random two;"]
    {
        let lines = format!("{method} server 10.0.0.1 max_conns=2; server 10.0.0.2 max_conns=1;");
        let mut requests = Requests::of(&lines);
        let mut under_way: Vec<Choice> = (0..3).map(|_| requests.begin()).collect();
        let mut chosen: Vec<_> =
            under_way.iter_mut().filter_map(|choice| requests.next(choice)).collect();
        chosen.sort_unstable();
        assert_eq!(chosen, [0, 0, 1], "{method}");
        let mut late = requests.begin();
        assert_eq!(requests.next(&mut late), None, "{method}");
        under_way.pop();
        assert!(requests.next(&mut late).is_some(), "{method}");
    }
}

#[test]
fn the_bound_of_the_only_server_holds_too() {
    let mut requests = Requests::of("server 10.0.0.1 max_conns=1;");
    let (mut first, mut second) = (requests.begin(), requests.begin());
    assert_eq!((requests.next(&mut first), requests.next(&mut second)), (Some(0), None));
    first.let_go();
    assert_eq!(requests.next(&mut second), Some(0));
}

#[test]
fn another_connection_to_the_same_server_counts_like_the_first() {
    let mut requests = Requests::of("server 10.0.0.1 max_conns=1;");
    let mut choice = requests.begin();
    requests.next(&mut choice);
    let server = requests.case.request.at.config().upstreams[0].servers[0].clone();
    let held = choice.take_held(&server);
    assert_eq!((held.is_some(), server.count()), (true, 1));
    drop(held);
    assert_eq!(server.count(), 0);
    let held = choice.take_held(&server);
    assert_eq!(server.count(), 1);
    drop(held);
}

#[test]
fn every_method_comes_to_every_server_in_the_end() {
    for method in
        ["", "least_conn;", "ip_hash;", "hash a;", "hash a consistent;", "random;", "random two;"]
    {
        let lines = format!(
            "{method} server 10.0.0.1 weight=9; server 10.0.0.2; server 10.0.0.3 down; \
             server 10.0.0.4;"
        );
        let mut all = Requests::of(&lines).all();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 3], "{method}");
    }
}

#[test]
fn nothing_is_counted_where_nobody_asks() {
    let requests = Requests::of("server 10.0.0.1; server 10.0.0.2 max_conns=7;");
    let servers = &requests.case.request.at.config().upstreams[0].servers;
    assert!(servers[0].load.is_none() && servers[1].load.is_some());
}

#[test]
fn chance_goes_by_weight() {
    let requests = Requests::of("random; server 10.0.0.1 weight=3; server 10.0.0.2;");
    let settings = &requests.case.request.at.config().upstreams[0];
    let mut choice = requests.begin();
    let draws = (0..1_000).map(|_| choice.draw(&settings.method) % 4);
    let first = draws.filter(|number| settings.at_weight(*number).unwrap().0 == 0).count();
    assert!((650..850).contains(&first), "{first}");
}
