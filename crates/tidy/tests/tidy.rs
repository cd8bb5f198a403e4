//! Rules of this repository that no other tool checks: how long files and functions may be, what
//! each file begins with, words and paths that may not be in it, what the pure crates may not
//! touch, one version everywhere, and workflows pinned by commit. Reads the work tree and changes
//! nothing; each test lists every place that breaks its rule.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 600;
/// The core and the sockets under it are read by whoever changes anything: they are held to less.
const NARROW_FILE_LINES_MAX: usize = 400;
const NARROW_FIELDS_MAX: usize = 12;
const NARROW_FOLDERS: [&str; 2] = ["crates/proxy-core/src/", "bins/proxy/src/net/"];
const FUNCTION_LINES_MAX: usize = 70;
/// Scripts are glue: what needs more lines than this belongs into a Rust test.
const SCRIPT_LINES_MAX: usize = 200;

/// Crates that may touch no socket, file, thread or clock, so that tests can drive them.
const PURE_CRATES: [&str; 6] = [
    "crates/crypt/src",
    "crates/http1/src",
    "crates/nginx-conf/src",
    "crates/proxy-core/src",
    "crates/ship/src",
    "crates/tail/src",
];
/// The one crate that may have unsafe code, place by place.
const UNSAFE_CRATE: &str = "crates/sys/";
/// All that the core is built on: each of them is pure, or knows no system to reach.
const CORE_DEPENDENCIES: [&str; 5] = ["crypt", "http1", "nginx-conf", "regex-automata", "zlib-rs"];

struct File {
    /// From the repository's root, with `/`.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is held to the narrower bounds.
    fn is_narrow(&self) -> bool {
        NARROW_FOLDERS.iter().any(|folder| self.path.starts_with(folder))
    }

    fn is_script(&self) -> bool {
        self.text.starts_with("#!")
    }

    /// This file names what it forbids.
    fn is_this(&self) -> bool {
        self.path == "crates/tidy/tests/tidy.rs"
    }

    fn numbered_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every text file of the project, without what is built or fetched.
fn files() -> Vec<File> {
    let mut files = Vec::new();
    for top in [".ci", ".github", "bins", "charts", "crates", "scripts"] {
        collect(&root(), Path::new(top), &mut files);
    }
    for entry in fs::read_dir(root()).unwrap() {
        let name = PathBuf::from(entry.unwrap().file_name());
        if name.extension().is_some_and(|extension| extension == "md" || extension == "toml") {
            collect(&root(), &name, &mut files);
        }
    }
    assert!(files.len() > 20, "the work tree was not found");
    files
}

fn collect(root: &Path, path: &Path, files: &mut Vec<File>) {
    let full = root.join(path);
    if full.is_dir() {
        for entry in fs::read_dir(&full).unwrap() {
            let name = entry.unwrap().file_name();
            if name != "target" {
                collect(root, &path.join(name), files);
            }
        }
    } else if let Ok(text) = fs::read_to_string(&full) {
        let path = path.to_string_lossy().replace('\\', "/");
        files.push(File { path, text });
    }
}

/// Fails with one line per place that `find` returns for a file.
fn check(rule: &str, find: impl Fn(&File) -> Vec<String>) {
    let broken: Vec<String> = files().iter().flat_map(find).collect();
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

fn lines_where(file: &File, broken: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = file.numbered_lines().filter(|(_, line)| broken(line));
    lines.map(|(number, line)| format!("{}:{number}: {}", file.path, line.trim())).collect()
}

fn contains_any(line: &str, words: &[&str]) -> bool {
    words.iter().any(|word| line.contains(word))
}

#[test]
fn every_rust_file_begins_by_saying_what_it_owns() {
    check("files that do not begin with //!", |file| {
        let ok = !file.is_rust() || file.text.starts_with("//! ");
        if ok { vec![] } else { vec![file.path.clone()] }
    });
}

#[test]
fn no_file_is_too_long() {
    check("files that are too long", |file| {
        let max = match file {
            file if file.is_rust() && file.is_narrow() => NARROW_FILE_LINES_MAX,
            file if file.is_rust() => FILE_LINES_MAX,
            file if file.is_script() => SCRIPT_LINES_MAX,
            _ => return vec![],
        };
        let lines = file.text.lines().count();
        if lines <= max { vec![] } else { vec![format!("{}: {lines} lines of {max}", file.path)] }
    });
}

#[test]
fn no_function_is_too_long() {
    check("functions that are too long", |file| {
        if !file.is_rust() {
            return vec![];
        }
        let long = function_lengths(&file.text)
            .into_iter()
            .filter(|(_, length)| *length > FUNCTION_LINES_MAX)
            .map(|(line, length)| format!("{}:{line}: {length} lines", file.path));
        long.collect()
    });
}

/// First line and number of lines of each function. Leans on rustfmt: a body ends at the first
/// line that starts with a brace as deep as the `fn` is.
fn function_lengths(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut lengths = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let body = line.trim_start();
        let depth = line.len() - body.len();
        if !starts_a_function(body) || line.ends_with([';', '}']) {
            continue;
        }
        let indent = " ".repeat(depth);
        let rest = lines[index + 1..].iter().position(|line| {
            line.strip_prefix(indent.as_str()).is_some_and(|rest| {
                rest.starts_with('}') || rest.starts_with(')') && rest.ends_with(';')
            })
        });
        lengths.push((index + 1, rest.map_or(0, |rest| rest + 2)));
    }
    lengths
}

fn starts_a_function(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| {
        word.starts_with("pub")
            || matches!(*word, "const" | "async" | "unsafe" | "extern" | "\"C\"")
    });
    words.next() == Some("fn")
}

#[test]
fn a_function_is_measured_from_its_name_to_its_brace() {
    let text = "fn a() {}\ntrait X {\n    pub(crate) const fn b(\n        x: u8,\n    ) -> u8 {\n        x\n    }\n    fn c();\n    fn d(\n    );\n}\n";
    assert_eq!(function_lengths(text), [(3, 5), (9, 2)]);
}

#[test]
fn nothing_is_left_for_later_in_comments() {
    check("open an issue instead", |file| {
        if file.is_this() {
            return vec![];
        }
        lines_where(file, |line| contains_any(line, &["TODO", "FIXME", "XXX:", "HACK:"]))
    });
}

#[test]
fn no_path_of_one_machine_is_named() {
    check("paths of one machine", |file| {
        if file.is_this() {
            return vec![];
        }
        lines_where(file, |line| {
            ["/work/", "/root/", "/home/"].iter().any(|path| names_path(line, path))
        })
    });
}

/// Whether the line has the path from its root, not `/proc/1/root/` or `example/work/`.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || "}.$*_-".contains(before))
    })
}

#[test]
fn unsafe_code_is_in_one_crate_with_its_reason_and_every_other_has_the_workspace_lints() {
    check("unsafe code without its place or its reason", |file| {
        if !file.is_rust() || file.is_this() {
            return vec![];
        }
        let is_allowed = file.path.starts_with(UNSAFE_CRATE);
        let mut before = "";
        let mut broken = Vec::new();
        for (number, line) in file.numbered_lines() {
            let is_unsafe = contains_any(line, &["unsafe {", "unsafe fn", "unsafe impl"]);
            if is_unsafe && !(is_allowed && before.trim_start().starts_with("// SAFETY: ")) {
                broken.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
            before = line;
        }
        broken
    });
    check("without the workspace's lints", |file| {
        let package = file.path.ends_with("Cargo.toml") && file.text.starts_with("[package]");
        let is_excluded =
            file.text.contains("\n[workspace]\n") || file.path.starts_with(UNSAFE_CRATE);
        let ok = !package || is_excluded || file.text.contains("\n[lints]\nworkspace = true\n");
        if ok { vec![] } else { vec![file.path.clone()] }
    });
}

#[test]
fn the_crate_with_unsafe_code_has_the_workspace_lints_but_for_that_one() {
    let lints = |path: &str, section: &str| {
        let text = fs::read_to_string(root().join(path)).unwrap();
        let (_, rest) = text.split_once(section).unwrap();
        let lines = rest.lines().skip(1).take_while(|line| !line.is_empty());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    for section in ["lints.rust]", "lints.clippy]"] {
        let own = lints("crates/sys/Cargo.toml", section);
        for line in lints("Cargo.toml", section) {
            let expected = line.replace("unsafe_code = \"forbid\"", "unsafe_code = \"deny\"");
            assert!(own.contains(&expected), "crates/sys does not say {expected}");
        }
    }
}

#[test]
fn no_struct_of_the_core_holds_too_much() {
    check("structs with too many fields", |file| {
        if !file.is_rust() || !file.is_narrow() {
            return vec![];
        }
        let large = struct_fields(&file.text)
            .into_iter()
            .filter(|(_, fields)| *fields > NARROW_FIELDS_MAX)
            .map(|(line, fields)| format!("{}:{line}: {fields} fields", file.path));
        large.collect()
    });
}

/// First line of each struct with named fields, and how many they are. Leans on rustfmt, as above.
fn struct_fields(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let is_struct = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
        words.next() == Some("struct") && line.ends_with('{')
    };
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| is_struct(line)) {
        let indent = " ".repeat(line.len() - line.trim_start().len());
        let end = format!("{indent}}}");
        let body = lines[index + 1..].iter().take_while(|line| **line != end);
        let fields = body.filter(|line| {
            let Some(field) = line.strip_prefix(&format!("{indent}    ")) else { return false };
            let name = field.trim_start_matches("pub").split(':').next().unwrap_or_default();
            let is_name =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || " _()".contains(c);
            field.contains(": ") && !field.starts_with(' ') && name.chars().all(is_name)
        });
        found.push((index + 1, fields.count()));
    }
    found
}

#[test]
fn fields_are_counted_and_nothing_else() {
    let text = "struct A(u8);\npub(crate) struct B<T> {\n    /// It: is.\n    pub a: u8,\n    \
                #[cfg(test)]\n    pub(super) b_2: Vec<\n        u8: u8,\n    >,\n}\nfn f() {\n    \
                struct C {\n        a: u8,\n    }\n}\n";
    assert_eq!(struct_fields(text), [(2, 2), (11, 1)]);
}

#[test]
fn pure_crates_touch_no_socket_file_thread_or_clock() {
    check("not for a pure crate", |file| {
        if !file.is_rust() || !PURE_CRATES.iter().any(|folder| file.path.starts_with(folder)) {
            return vec![];
        }
        lines_where(file, reaches_the_system)
    });
}

/// Whether a line of code names what only the system has. Tests are held to it as well: what they
/// need of the system is a sign that the code does. Addresses are plain data.
fn reaches_the_system(line: &str) -> bool {
    const FORBIDDEN: [&str; 23] = [
        "Instant",
        "SystemTime",
        "TcpListener",
        "TcpStream",
        "ToSocketAddrs",
        "UdpSocket",
        "UnixDatagram",
        "UnixListener",
        "UnixStream",
        "extern crate",
        "std::env",
        "std::fs",
        "std::os::fd",
        "std::os::linux",
        "std::os::unix::fs",
        "std::os::unix::io",
        "std::os::unix::net",
        "std::os::unix::process",
        "std::process",
        "std::thread",
        "std::{",
        "use std as",
        "use std::net::*",
    ];
    let code = line.trim_start();
    // The one crate of the standard library that is always there.
    !code.starts_with("//") && code != "extern crate alloc;" && contains_any(code, &FORBIDDEN)
}

#[test]
fn reaching_for_the_system_is_seen_in_any_form_and_addresses_are_not_it() {
    for line in [
        "use std::net::{SocketAddr, TcpStream};",
        "    let now = std::time::Instant::now();",
        "use std::{fs, thread};",
        "use std::os::fd::OwnedFd;",
        "    std::env::var(\"X\")",
    ] {
        assert!(reaches_the_system(line), "{line}");
    }
    for line in [
        "use std::net::{IpAddr, SocketAddr};",
        "    env!(\"CARGO_PKG_VERSION\")",
        "extern crate alloc;",
        "/// It is no TcpStream.",
        "use std::io::Write;",
        "use std::os::unix::ffi::OsStrExt;",
    ] {
        assert!(!reaches_the_system(line), "{line}");
    }
}

#[test]
fn the_core_is_built_on_a_fixed_list() {
    let text = fs::read_to_string(root().join("crates/proxy-core/Cargo.toml")).unwrap();
    let sections: Vec<(&str, Vec<&str>)> = text
        .split("\n[")
        .filter_map(|section| section.split_once("]\n"))
        .map(|(name, lines)| {
            let names = lines.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
            (name, names.filter(|name| !name.is_empty()).collect())
        })
        .collect();
    let built_on = |section: &&(&str, Vec<&str>)| {
        section.0.contains("dependencies") && section.0 != "dev-dependencies"
    };
    let built_on: Vec<_> = sections.iter().filter(built_on).collect();
    assert_eq!(built_on, [&("dependencies", CORE_DEPENDENCIES.to_vec())]);
}

#[test]
fn tests_are_named_as_sentences_and_none_is_switched_off() {
    check("name tests as sentences, and run them all", |file| {
        if !file.is_rust() || file.is_this() {
            return vec![];
        }
        lines_where(file, |line| contains_any(line, &["fn test_", "#[ignore"]))
    });
}

#[test]
fn the_chart_has_the_version_of_the_programs() {
    let chart = fs::read_to_string(root().join("charts/sidecar/Chart.yaml")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    for line in [format!("version: {version}"), format!("appVersion: \"{version}\"")] {
        assert!(chart.lines().any(|found| found == line), "Chart.yaml does not say {line}");
    }
}

#[test]
fn workflows_name_every_action_by_its_commit() {
    check("not pinned by a commit with its version beside it", |file| {
        if !file.path.starts_with(".github/workflows/") {
            return vec![];
        }
        lines_where(file, |line| match line.split_once("uses: ") {
            Some((_, action)) => !is_pinned(action),
            None => false,
        })
    });
}

fn is_pinned(action: &str) -> bool {
    let Some((_, rest)) = action.split_once('@') else {
        return action.starts_with("./");
    };
    let (commit, version) = rest.split_once(' ').unwrap_or((rest, ""));
    commit.len() == 40
        && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
        && version.trim_start().starts_with("# v")
}
