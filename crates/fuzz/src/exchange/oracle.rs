//! What each side got, held against what the other side said, by a reader of its own.

use std::collections::HashSet;

use http1::{
    BodyLength, BodyReader, FieldClass, Limits, Parsed, RequestHead, ResponseHead, parse_request,
    parse_response, path, target,
};

use super::world::Record;
use crate::verdict::values;

/// A request as a client, or the proxy, has said it.
struct Said {
    method: Vec<u8>,
    target: Vec<u8>,
    body: Vec<u8>,
    is_whole: bool,
    upgrades: bool,
    /// The client's number and the request's, where it was the proxy that said it.
    id: Option<(usize, usize)>,
}

/// Every request in `bytes` whose head is complete, and whether something follows that is none.
fn requests(bytes: &[u8], is_own: bool) -> (Vec<Said>, bool) {
    let (mut list, mut rest, mut head) = (Vec::new(), bytes, RequestHead::new());
    let limits = Limits { head_bytes_max: 1 << 20, ..Limits::default() };
    while !rest.is_empty() {
        let parsed = parse_request(rest, &limits, &mut head);
        let Parsed::Done { used, .. } = parsed else {
            assert!(
                !is_own || parsed == Parsed::NeedMore,
                "the proxy writes good heads: {parsed:?}"
            );
            return (list, true);
        };
        let mut said = Said {
            method: head.method.of(rest).to_vec(),
            target: head.target.of(rest).to_vec(),
            body: Vec::new(),
            is_whole: false,
            upgrades: head.upgrade.is_some(),
            id: is_own.then(|| check_own(&head, &rest[..used])),
        };
        rest = &rest[used..];
        let mut reader = BodyReader::new(head.body);
        let rejected = read_body(&mut reader, &mut rest, &mut said.body);
        assert!(!is_own || !rejected, "the proxy writes good bodies");
        said.is_whole = reader.is_done();
        let is_last = !said.is_whole || is_own && said.upgrades;
        list.push(said);
        if is_last {
            return (list, false);
        }
    }
    (list, false)
}

/// What holds for each head towards an upstream, whatever the client has sent; gives its number.
fn check_own(head: &RequestHead, bytes: &[u8]) -> (usize, usize) {
    assert!(!bytes.starts_with(b"\r") && !bytes.starts_with(b"\n"));
    for field in &head.fields {
        let name = field.name.of(bytes).to_ascii_lowercase();
        let is_framing = [&b"connection"[..], b"content-length", b"transfer-encoding", b"upgrade"]
            .contains(&name.as_slice());
        assert!(field.class != FieldClass::Hop || is_framing, "{:?}", name.escape_ascii());
    }
    let ids = values(&head.fields, bytes, "x-id");
    assert_eq!(ids.len(), 1, "the proxy's own field, and no other of that name");
    let text = String::from_utf8_lossy(ids[0]).into_owned();
    let numbers = text.split_once('-').map(|(one, two)| (one.parse(), two.parse()));
    let Some((Ok(client), Ok(request))) = numbers else { unreachable!("{text} is no number") };
    (client, request)
}

/// Takes a body's bytes from the front of `rest`; true if they break a rule.
fn read_body(reader: &mut BodyReader, rest: &mut &[u8], content: &mut Vec<u8>) -> bool {
    while !reader.is_done() && !rest.is_empty() {
        match reader.read(rest) {
            Ok(part) => {
                content.extend_from_slice(part.data);
                *rest = &rest[part.used..];
            }
            Err(_) => return true,
        }
    }
    false
}

/// How many final answers a client got.
fn answers(bytes: &[u8], requests: &[Said]) -> usize {
    let (mut count, mut rest, mut head) = (0, bytes, ResponseHead::new());
    while !rest.is_empty() {
        let to_head = requests.get(count).is_some_and(|request| request.method == b"HEAD");
        let parsed = parse_response(rest, 1 << 20, to_head, &mut head);
        let Parsed::Done { used, .. } = parsed else {
            assert_eq!(parsed, Parsed::NeedMore, "the proxy writes good heads");
            return count;
        };
        rest = &rest[used..];
        match head.status {
            101 => return count + 1,
            100..=199 => continue,
            _ => count += 1,
        }
        let mut reader = BodyReader::new(head.body);
        let rejected = read_body(&mut reader, &mut rest, &mut Vec::new());
        assert!(!rejected, "the proxy writes good bodies");
        if head.body == BodyLength::UntilClose || !head.persistent() {
            assert!(rest.is_empty(), "nothing follows the last answer");
        }
    }
    count
}

/// Holds the record against itself.
pub fn check(record: &Record) {
    let logged = logged(&record.lines);
    let is_known = |(client, _): &(usize, usize)| (1..=record.clients.len()).contains(client);
    assert!(logged.iter().all(is_known), "only what a client has begun is in the log");
    let mut clients = Vec::new();
    for (index, (said, got)) in record.clients.iter().enumerate() {
        let (requests, has_more) = requests(said, false);
        // What follows the last request, or breaks it, is answered once at the most.
        let begun = requests.len() + usize::from(has_more);
        let own = logged.iter().filter(|(client, _)| *client == index + 1);
        let numbers: HashSet<usize> = own.map(|(_, request)| *request).collect();
        assert!((1..=numbers.len()).all(|number| numbers.contains(&number)), "{numbers:?}");
        assert!(numbers.len() <= begun, "{} lines for {begun} requests", numbers.len());
        assert!(answers(got, &requests) <= numbers.len(), "each answer has its line");
        clients.push(requests);
    }
    for link in &record.links {
        check_link(link, &clients, &logged, record.has_redirects);
    }
}

/// The numbers of connection and request on each line; no two are the same.
fn logged(lines: &[u8]) -> HashSet<(usize, usize)> {
    let text = String::from_utf8_lossy(lines);
    let mut logged = HashSet::new();
    for line in text.lines() {
        let mut words = line.split(' ').map(str::parse::<usize>);
        let (Some(Ok(client)), Some(Ok(request)), Some(Ok(status))) =
            (words.next(), words.next(), words.next())
        else {
            unreachable!("{line:?} is no line of the log");
        };
        assert!((100..1000).contains(&status) || status == 0, "{line:?}");
        assert!(logged.insert((client, request)), "two lines for one exchange: {line:?}");
    }
    logged
}

/// Each request on an upstream's connection is one that a client has said, with no byte changed,
/// and is there once.
fn check_link(
    link: &[u8],
    clients: &[Vec<Said>],
    logged: &HashSet<(usize, usize)>,
    has_redirects: bool,
) {
    let mut before = HashSet::new();
    for sent in requests(link, true).0 {
        let Some(id) = sent.id else { continue };
        assert!(logged.contains(&id), "what went upstream is in the log");
        assert!(before.insert(id) || has_redirects, "said twice on one connection");
        let said = clients.get(id.0.wrapping_sub(1)).and_then(|all| all.get(id.1.wrapping_sub(1)));
        let Some(said) = said else { unreachable!("request {id:?} was never said") };
        if has_redirects {
            continue;
        }
        assert_eq!(sent.method, said.method);
        assert!(is_mapped(said) || sent.target == said.target, "the target is passed on as it is");
        assert!(said.body.starts_with(&sent.body), "the body is passed on as it is");
        if sent.is_whole {
            assert!(said.is_whole && said.body.len() == sent.body.len(), "whole on both sides");
        }
    }
}

/// Whether a location passes the request on under another path, or in another form.
fn is_mapped(said: &Said) -> bool {
    let Ok(split) = target::split(&said.method, &said.target) else { return true };
    let mut normal = Vec::new();
    split.authority.is_some()
        || path::normalize(split.path.of(&said.target), &mut normal).is_err()
        || normal.starts_with(b"/uri/")
}
