//! Asking a name server of the test.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// A resolver whose only server answers every question by 10.0.0.7 and 10.0.0.8, and counts them.
pub(crate) fn answering() -> (Arc<Resolver>, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((bytes, from)) = socket.recv_from(&mut buffer) {
            count.fetch_add(1, Ordering::SeqCst);
            // Whoever asks meanwhile waits.
            std::thread::sleep(Duration::from_millis(50));
            let mut answer = buffer[..bytes].to_vec();
            (answer[2], answer[3], answer[7]) = (0x81, 0x80, 2);
            for last in [8, 7] {
                answer.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0");
                answer.push(last);
            }
            let _ = socket.send_to(&answer, from);
        }
    });
    let servers = vec![("127.0.0.1".to_owned(), port)];
    let resolver = Resolver { servers, valid_ms: Some(60_000), ipv4: true, ipv6: false };
    (Arc::new(resolver), asked)
}

#[test]
fn all_who_ask_for_a_name_are_told_by_one_question_and_it_is_known_then() {
    let (resolver, asked) = answering();
    let (sender, receiver) = mpsc::channel();
    let ask_once = |resolver: &Arc<Resolver>| {
        let sender = sender.clone();
        ask(resolver, "App.test", move |outcome| sender.send(outcome).unwrap())
    };
    // The same settings of another configuration are the same resolver.
    let same = Arc::new(Resolver::clone(&resolver));
    for _ in 0..10 {
        assert!(ask_once(&resolver).is_none() && ask_once(&same).is_none());
    }
    for _ in 0..20 {
        let addresses = receiver.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!(addresses.len(), 2);
    }
    assert_eq!(ask_once(&resolver).unwrap().unwrap().len(), 2);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_server_that_cannot_be_reached_is_none_that_answers() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let nobody = socket.local_addr().unwrap().port();
    drop(socket);
    let (good, _) = answering();
    let servers = [vec![("127.0.0.1".to_owned(), nobody)], good.servers.clone()].concat();
    let resolver = Resolver { servers, ..Resolver::clone(&good) };
    let found = look_up(&resolver, "app.test").unwrap();
    assert_eq!((found.addresses.len(), found.seconds), (2, 60));
}

#[test]
fn what_is_no_name_is_told_without_a_question() {
    let (resolver, asked) = answering();
    assert_eq!(look_up(&resolver, "a..b"), Err(NameFault::Format));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}
