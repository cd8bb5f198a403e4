//! nginx's autoindex: a folder's content as a page, as JSON or as XML.
//!
//! It writes; which folder it is and whether it may be shown is decided elsewhere.

use std::collections::BinaryHeap;

use crate::clock;
use crate::config::model::{Listing, ListingFormat};
use crate::files::{Facts, Kind};

/// Whether it is no folder, its name, and what it leads to: in the order in which they are shown.
type Entry = (bool, Vec<u8>, Facts);

/// The type of a listing.
pub fn content_type(format: ListingFormat) -> &'static [u8] {
    match format {
        ListingFormat::Html => b"text/html",
        ListingFormat::Json => b"application/json",
        ListingFormat::Xml => b"text/xml; charset=utf-8",
    }
}

/// Writes the listing of a folder of that path; nginx leaves out what begins with a dot, and tells
/// of folders first.
pub fn write(listing: &Listing, path: &[u8], entries: Vec<(Vec<u8>, Facts)>) -> Vec<u8> {
    let shown = entries.into_iter().filter(|(name, _)| name.first() != Some(&b'.'));
    let entries = shown.map(|(name, facts)| (facts.kind != Kind::Folder, name, facts));
    // A heap puts them in order with less code than a sort.
    let entries: Vec<Entry> = entries.collect::<BinaryHeap<_>>().into_sorted_vec();
    let mut out = Vec::new();
    match listing.format {
        ListingFormat::Html => push_html(listing.is_exact, path, &entries, &mut out),
        ListingFormat::Json => push_json(&entries, &mut out),
        ListingFormat::Xml => push_xml(&entries, &mut out),
    }
    out
}

/// Names are shown as far as this.
const NAME_BYTES_MAX: usize = 50;

fn push_html(is_exact: bool, path: &[u8], entries: &[Entry], out: &mut Vec<u8>) {
    out.extend_from_slice(b"<html>\r\n<head><title>Index of ");
    push_escaped(path, out);
    out.extend_from_slice(b"</title></head>\r\n<body>\r\n<h1>Index of ");
    push_escaped(path, out);
    out.extend_from_slice(b"</h1><hr><pre><a href=\"../\">../</a>\r\n");
    for (_, name, facts) in entries {
        let slash: &[u8] = if facts.kind == Kind::Folder { b"/" } else { b"" };
        out.extend_from_slice(b"<a href=\"");
        push_component(name, out);
        out.extend_from_slice(slash);
        out.extend_from_slice(b"\">");
        if name.len() > NAME_BYTES_MAX {
            push_escaped(name.get(..NAME_BYTES_MAX - 3).unwrap_or(name), out);
            out.extend_from_slice(b"..&gt;</a>");
        } else {
            push_escaped(name, out);
            let slash = if name.len() < NAME_BYTES_MAX { slash } else { b"" };
            out.extend_from_slice(slash);
            out.extend_from_slice(b"</a>");
            out.resize(out.len() + NAME_BYTES_MAX - name.len() - slash.len(), b' ');
        }
        out.push(b' ');
        push_minute(facts.told_modified_s(), out);
        out.push(b' ');
        let size = match (facts.kind, is_exact) {
            (Kind::Folder, true) => format!("{:>19}", "-"),
            (_, true) => format!("{:>19}", facts.bytes),
            (Kind::Folder, false) => format!("{:>7}", "-"),
            (_, false) => rounded(facts.bytes),
        };
        out.extend_from_slice(size.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"</pre><hr></body>\r\n</html>\r\n");
}

/// nginx: `autoindex_exact_size off`.
fn rounded(bytes: u64) -> String {
    let (scale, unit, is_up) = match bytes {
        ..=9_999 => return format!("{bytes:>7}"),
        10_000..=1_048_575 => (1 << 10, 'K', bytes % (1 << 10) > 511),
        1_048_576..=1_073_741_823 => (1 << 20, 'M', bytes % (1 << 20) > (1 << 19) - 1),
        _ => (1 << 30, 'G', bytes % (1 << 30) > (1 << 29) - 1),
    };
    format!("{:>6}{unit}", bytes / scale + u64::from(is_up))
}

/// `06-Nov-1994 08:49`
fn push_minute(unix_s: u64, out: &mut Vec<u8>) {
    let date = http1::imf_fixdate(unix_s);
    // `Sun, 06 Nov 1994 08:49:37 GMT`
    for (from, to, behind) in [(5, 7, b'-'), (8, 11, b'-'), (12, 16, b' ')] {
        out.extend_from_slice(date.get(from..to).unwrap_or_default());
        out.push(behind);
    }
    out.extend_from_slice(date.get(17..22).unwrap_or_default());
}

fn push_json(entries: &[Entry], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, (_, name, facts)) in entries.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",\r\n" } else { b"\r\n" });
        out.extend_from_slice(b"{ \"name\":\"");
        crate::log::push_json(name, out);
        out.extend_from_slice(b"\", \"type\":\"");
        out.extend_from_slice(kind(facts));
        out.extend_from_slice(b"\", \"mtime\":\"");
        out.extend_from_slice(&http1::imf_fixdate(facts.told_modified_s()));
        out.push(b'"');
        if facts.kind == Kind::File {
            out.extend_from_slice(b", \"size\":");
            http1::push_decimal(out, facts.bytes);
        }
        out.extend_from_slice(b" }");
    }
    out.extend_from_slice(b"\r\n]");
}

fn push_xml(entries: &[Entry], out: &mut Vec<u8>) {
    out.extend_from_slice(b"<?xml version=\"1.0\"?>\r\n<list>\r\n");
    for (_, name, facts) in entries {
        out.push(b'<');
        out.extend_from_slice(kind(facts));
        out.extend_from_slice(b" mtime=\"");
        let start = out.len();
        clock::push_time_iso8601(facts.told_modified_s().saturating_mul(1_000), out);
        // `1994-11-06T08:49:37`, without the zone.
        out.truncate(start + 19);
        out.extend_from_slice(b"Z\"");
        if facts.kind == Kind::File {
            out.extend_from_slice(b" size=\"");
            http1::push_decimal(out, facts.bytes);
            out.push(b'"');
        }
        out.push(b'>');
        push_escaped(name, out);
        out.extend_from_slice(b"</");
        out.extend_from_slice(kind(facts));
        out.extend_from_slice(b">\r\n");
    }
    out.extend_from_slice(b"</list>\r\n");
}

fn kind(facts: &Facts) -> &'static [u8] {
    match facts.kind {
        Kind::File => b"file",
        Kind::Folder => b"directory",
        Kind::Other => b"other",
    }
}

/// nginx: `ngx_escape_html`.
fn push_escaped(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            byte => out.push(byte),
        }
    }
}

/// nginx: `NGX_ESCAPE_URI_COMPONENT`.
fn push_component(name: &[u8], out: &mut Vec<u8>) {
    for &byte in name {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(format: ListingFormat, is_exact: bool, entries: &[(&str, Kind, u64)]) -> String {
        let entry = |&(name, kind, bytes): &(&str, Kind, u64)| {
            let facts = Facts { kind, bytes, modified_s: 784_111_777, is_executable: false };
            (name.as_bytes().to_vec(), facts)
        };
        let listing = Listing { is_on: true, format, is_exact };
        let entries = entries.iter().map(entry).collect();
        String::from_utf8(write(&listing, b"/a<b>/", entries)).unwrap()
    }

    #[test]
    fn folders_come_first_and_hidden_names_not_at_all() {
        let entries = [
            ("b.txt", Kind::File, 7),
            (".hidden", Kind::File, 7),
            ("pipe", Kind::Other, 0),
            ("z", Kind::Folder, 4_096),
            ("a&\".txt", Kind::File, 10_240),
        ];
        let page = listed(ListingFormat::Html, true, &entries);
        let lines: Vec<&str> = page.split("\r\n").collect();
        assert_eq!(lines[1], "<head><title>Index of /a&lt;b&gt;/</title></head>");
        assert_eq!(lines[3], "<h1>Index of /a&lt;b&gt;/</h1><hr><pre><a href=\"../\">../</a>");
        let line = |text: &str, pad: usize, size: &str| {
            format!("{text}{} 06-Nov-1994 08:49 {size:>19}", " ".repeat(pad))
        };
        assert_eq!(lines[4], line("<a href=\"z/\">z/</a>", 48, "-"));
        let name = "<a href=\"a%26%22.txt\">a&amp;&quot;.txt</a>";
        assert_eq!(lines[5], line(name, 43, "10240"));
        assert_eq!(lines[6], line("<a href=\"b.txt\">b.txt</a>", 45, "7"));
        assert_eq!(lines[7], line("<a href=\"pipe\">pipe</a>", 46, "0"));
        assert_eq!(lines[8..], ["</pre><hr></body>", "</html>", ""]);
        let json = listed(ListingFormat::Json, true, &entries[..1]);
        let told = "[\r\n{ \"name\":\"b.txt\", \"type\":\"file\", \
                    \"mtime\":\"Sun, 06 Nov 1994 08:49:37 GMT\", \"size\":7 }\r\n]";
        assert_eq!(json, told);
        assert_eq!(listed(ListingFormat::Json, true, &[]), "[\r\n]");
        let xml = listed(ListingFormat::Xml, true, &entries[2..4]);
        let told = "<?xml version=\"1.0\"?>\r\n<list>\r\n\
                    <directory mtime=\"1994-11-06T08:49:37Z\">z</directory>\r\n\
                    <other mtime=\"1994-11-06T08:49:37Z\">pipe</other>\r\n</list>\r\n";
        assert_eq!(xml, told);
    }

    #[test]
    fn long_names_are_cut_in_what_is_shown() {
        for (bytes, shown, pad) in [
            (49, format!("{}/</a>", "x".repeat(49)), 0),
            (50, format!("{}</a>", "x".repeat(50)), 0),
            (51, format!("{}..&gt;</a>", "x".repeat(47)), 0),
        ] {
            let name = "x".repeat(bytes);
            let page = listed(ListingFormat::Html, false, &[(&name, Kind::Folder, 0)]);
            let expected = format!(
                "<a href=\"{name}/\">{shown}{} 06-Nov-1994 08:49       -\r\n",
                " ".repeat(pad)
            );
            assert!(page.contains(&expected), "{page}");
        }
    }

    #[test]
    fn sizes_are_rounded_where_the_file_says_so() {
        for (bytes, expected) in [
            (0, "      0"),
            (9_999, "   9999"),
            (10_000, "    10K"),
            (10_752, "    11K"),
            (1_048_575, "  1024K"),
            (1_048_576, "     1M"),
            (1_572_864, "     2M"),
            (1_073_741_824, "     1G"),
            (5_000_000_000, "     5G"),
        ] {
            assert_eq!(rounded(bytes), expected, "{bytes}");
        }
    }
}
