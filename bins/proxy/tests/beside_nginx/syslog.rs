//! What a collector gets of both, by UDP and at a path: the datagrams are nginx's to the letter.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::common::{Client, Folder, free_port};
use crate::program::{Nginx, Program, SIDES, Side};

const PATIENCE: Duration = Duration::from_secs(20);

/// The datagrams of one request to each of these servers, without their times.
fn datagrams(side: Side, nginx: &Nginx) -> Vec<String> {
    let folder = Folder::new();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let unix = UnixDatagram::bind(folder.path().join("socket")).unwrap();
    udp.set_read_timeout(Some(PATIENCE)).unwrap();
    unix.set_read_timeout(Some(PATIENCE)).unwrap();
    let (port, barrier) = (free_port(), free_port());
    let by_udp = format!("server={}", udp.local_addr().unwrap());
    let by_path = format!("server=unix:{}/socket", folder.path().display());
    let text = format!(
        "events {{}} http {{ log_format own \"$uri [$http_x_one]\"; \
         server {{ listen 127.0.0.1:{barrier}; access_log off; return 204; }} \
         server {{ listen 127.0.0.1:{port}; \
         location /udp {{ access_log syslog:{by_udp}; return 204; }} \
         location /tag {{ access_log syslog:{by_udp},facility=local0,tag=a_1,severity=crit own; return 204; }} \
         location /path {{ access_log syslog:{by_path},nohostname,facility=kern own; return 204; }} \
         location /if {{ access_log syslog:{by_path},nohostname own if=$arg_a; return 204; }} }} }}"
    );
    let program = Program::start(side, nginx, folder.path(), &text, barrier).unwrap();
    let mut buffer = [0; 4096];
    let mut found = Vec::new();
    for (path, is_udp) in [
        ("/udp?a=b", true),
        ("/tag/%22", true),
        ("/path", false),
        ("/if", false),
        ("/if?a=1", false),
    ] {
        let mut client = Client::connect(port);
        client.send(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes());
        let answer = client.rest();
        assert!(answer.starts_with("HTTP/1.1 204"), "{side:?} {answer}");
        if path == "/if" {
            continue;
        }
        let size = if is_udp { udp.recv(&mut buffer) } else { unix.recv(&mut buffer) };
        found.push(timeless(&String::from_utf8_lossy(&buffer[..size.unwrap()])));
    }
    program.stop().unwrap();
    found
}

/// `<190>Nov 26 14:16:56 host nginx: …` with its time, and one in brackets, taken out.
fn timeless(datagram: &str) -> String {
    let (head, rest) = datagram.split_once('>').unwrap();
    let (time, rest) = rest.split_at(15);
    let shape = time.replace(|c: char| c.is_ascii_digit(), "9");
    assert!(
        shape.get(3..) == Some(" 99 99:99:99") || shape.get(3..) == Some("  9 99:99:99"),
        "{time}"
    );
    let rest = match (rest.find('['), rest.find(" +0000]")) {
        (Some(from), Some(to)) => format!("{}{}", &rest[..from], &rest[to..]),
        _ => rest.to_owned(),
    };
    format!("{head}>{rest}")
}

#[test]
fn datagrams_of_syslog_are_those_of_nginx() {
    let Some(nginx) = Nginx::find() else {
        crate::say("NOT TESTED: nginx is not installed, no datagram was compared");
        return;
    };
    let [theirs, own] = SIDES.map(|side| datagrams(side, &nginx));
    assert_eq!(theirs, own);
    assert_eq!(own.len(), 4);
    assert!(own[1].starts_with("<130> ") && own[1].ends_with(" a_1: /tag/\\x22 [-]"), "{own:?}");
    assert_eq!(own[2], "<6> nginx: /path [-]");
}
