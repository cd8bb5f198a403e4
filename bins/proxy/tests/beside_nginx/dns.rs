//! A name server of the tests, `$DNS`: what it says goes by the first part of the name.
//!
//! `one` is 127.0.0.1, `six` is ::1 alone, `alias` stands for `one` and `far` does so without an
//! address; `none`, `fail`, `refuse` and `empty` have none; `cut` is told by TCP alone, `late` after
//! a while, `twice` twice, `wrong` after answers to other questions, and `never` not at all.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

const LATE: Duration = Duration::from_millis(300);
const V4: u16 = 1;
const ALIAS: u16 = 5;
const V6: u16 = 28;

/// The port of the one server of the process.
pub fn port() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(start)
}

fn start() -> u16 {
    // By TCP and by UDP the same port.
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            break (udp, tcp);
        }
    };
    let port = udp.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((bytes, from)) = udp.recv_from(&mut buffer) {
            let (udp, question) = (udp.try_clone().unwrap(), buffer[..bytes].to_vec());
            thread::spawn(move || {
                for packet in packets(&question) {
                    let _ = udp.send_to(&packet, from);
                }
            });
        }
    });
    thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut length = [0; 2];
            if stream.read_exact(&mut length).is_err() {
                continue;
            }
            let mut question = vec![0; u16::from_be_bytes(length).into()];
            if stream.read_exact(&mut question).is_ok() {
                let packet = answer(&question, 0, &[("", V4)]);
                let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
                let _ = stream.write_all(&[&length[..], &packet].concat());
            }
        }
    });
    port
}

/// What is sent to a question.
fn packets(question: &[u8]) -> Vec<Vec<u8>> {
    let length = usize::from(question[12]);
    let first = String::from_utf8_lossy(&question[13..13 + length]).to_ascii_lowercase();
    let one = answer(question, 0, &[("", V4)]);
    match first.as_str() {
        "one" => vec![one],
        "six" => vec![answer(question, 0, &[("", V6)])],
        "alias" => vec![answer(question, 0, &[("", ALIAS), ("one", V4)])],
        "far" => vec![answer(question, 0, &[("", ALIAS)])],
        "fail" => vec![answer(question, 2, &[])],
        "none" => vec![answer(question, 3, &[])],
        "refuse" => vec![answer(question, 5, &[])],
        "cut" => {
            let mut cut = answer(question, 0, &[]);
            cut[2] |= 2;
            vec![cut]
        }
        "late" => {
            thread::sleep(LATE);
            vec![one]
        }
        "twice" => vec![one.clone(), one],
        "wrong" => {
            let [mut number, mut name] = [one.clone(), one.clone()];
            number[1] ^= 0x55;
            name[13] ^= 1;
            vec![number, name, vec![0; 12], one]
        }
        "never" => Vec::new(),
        _ => vec![answer(question, 0, &[])],
    }
}

/// The question with a code, and records of the kind asked for: whose, the asked name's where it is
/// empty, and which.
fn answer(question: &[u8], code: u8, records: &[(&str, u16)]) -> Vec<u8> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let asked = u16::from_be_bytes([question[end - 4], question[end - 3]]);
    let mut out = question[..end].to_vec();
    out[2..12].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0]);
    for (owner, kind) in records.iter().filter(|(_, kind)| [asked, ALIAS].contains(kind)) {
        out[7] += 1;
        match owner {
            &"" => out.extend_from_slice(&[0xc0, 12]),
            label => out.extend(name(label)),
        }
        let data = match *kind {
            V4 => vec![127, 0, 0, 1],
            V6 => std::net::Ipv6Addr::LOCALHOST.octets().to_vec(),
            _ => name("one"),
        };
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 60]);
        out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        out.extend(data);
    }
    out
}

/// `LABEL.test` as a packet has it.
fn name(label: &str) -> Vec<u8> {
    let mut out = vec![u8::try_from(label.len()).unwrap()];
    out.extend_from_slice(label.as_bytes());
    out.extend_from_slice(b"\x04test\0");
    out
}
