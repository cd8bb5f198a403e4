//! Rules of this repository that no other tool checks: how long files and functions may be, what
//! each file begins with, words and paths that may not be in it, what the pure crates may not
//! touch, one version everywhere, and workflows pinned by commit. Reads the work tree and changes
//! nothing; each test lists every place that breaks its rule.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
/// Scripts are glue: what needs more lines than this belongs into a Rust test.
const SCRIPT_LINES_MAX: usize = 200;

/// Crates that may touch no socket, file, thread or clock, so that tests can drive them.
const PURE_CRATES: [&str; 3] = ["crates/http1/src", "crates/nginx-conf/src", "crates/tail/src"];

struct File {
    /// From the repository's root, with `/`.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
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

/// The one crate that may have unsafe code, each place with its reason.
const UNSAFE_CRATE: &str = "crates/sys/";

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
fn pure_crates_touch_no_socket_file_thread_or_clock() {
    const FORBIDDEN: [&str; 7] = [
        "std::fs",
        "std::net",
        "std::thread",
        "std::env",
        "std::process",
        "Instant::now",
        "SystemTime::now",
    ];
    check("not for a pure crate", |file| {
        if !PURE_CRATES.iter().any(|folder| file.path.starts_with(folder)) {
            return vec![];
        }
        let end = file.text.find("#[cfg(test)]").unwrap_or(file.text.len());
        let code = File { path: file.path.clone(), text: file.text[..end].to_owned() };
        lines_where(&code, |line| {
            !line.trim_start().starts_with("//") && contains_any(line, &FORBIDDEN)
        })
    });
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
