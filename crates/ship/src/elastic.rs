//! The bulk interface of Elasticsearch and OpenSearch: an action and a document for each record.
//!
//! The action is `create`, which data streams demand, with an `_id` that is the same whenever the
//! record is sent: what is there already is refused with 409, and so is sent for good.

use tail::json;

use crate::format::{Entry, Shape};
use crate::ndjson::Ndjson;

/// Writes actions and documents.
#[derive(Clone, Debug)]
pub(crate) struct Elastic {
    /// Up to the value of `_id`.
    action: Vec<u8>,
    pub(crate) document: Ndjson,
}

impl Elastic {
    pub(crate) fn new(shape: &Shape) -> Elastic {
        let mut action = b"{\"create\":{".to_vec();
        if let Some(index) = &shape.index {
            action.extend_from_slice(b"\"_index\":");
            json::push_str(&mut action, index);
            action.push(b',');
        }
        action.extend_from_slice(b"\"_id\":\"");
        Elastic { action, document: Ndjson::new(shape) }
    }

    pub(crate) fn push(&mut self, out: &mut Vec<u8>, entry: &Entry) {
        out.extend_from_slice(&self.action);
        entry.sender.of_record(entry.file, entry.offset, entry.text).push(out);
        out.extend_from_slice(b"\"}}\n");
        self.document.push(out, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;
    use crate::format::tests::{entry, request, shape};

    #[test]
    fn a_record_is_an_action_and_a_document() {
        let check = |index: Option<&str>, expected: &str| {
            let plain = shape(Format::Elasticsearch);
            let shape = Shape { index: index.map(str::to_owned), ..plain };
            let text = String::from_utf8(request(&shape, &[entry("x"), entry("x")])).unwrap();
            let lines: Vec<_> = text.lines().collect();
            assert_eq!(lines.len(), 4);
            assert_eq!((lines[0], lines[1]), (lines[2], lines[3]));
            let (before, id) = lines[0].split_once("\"_id\":\"").unwrap();
            assert_eq!(before, expected);
            assert!(id.len() == 35 && id.ends_with("\"}}"), "{id}");
            assert!(lines[1].starts_with("{\"@timestamp\":\"") && text.ends_with("}\n"));
        };
        check(Some("logs-a\"b"), r#"{"create":{"_index":"logs-a\"b","#);
        check(None, r#"{"create":{"#);
    }
}
