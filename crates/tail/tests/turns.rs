//! Whose turn it is in the output, by the clock of the test: files in memory, a sink that refuses.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tail::engine::{Engine, Options, Outcome, Wake};
use tail::format::Format;
use tail::fs::{Fault, FileId, Fs, Handle, Probe, Sink, SinkFault, Taken};

/// Files by their names; the handle of each is its place.
#[derive(Default)]
struct Files {
    all: Rc<RefCell<BTreeMap<PathBuf, Vec<u8>>>>,
    /// How often a folder was listed.
    lists: usize,
}

impl Files {
    fn place(&self, path: &Path) -> Result<u64, Fault> {
        let place = self.all.borrow().keys().position(|name| name == path);
        place.map(|place| place as u64).ok_or(Fault::Missing)
    }

    fn bytes(&self, place: u64) -> Vec<u8> {
        self.all.borrow().values().nth(place as usize).cloned().unwrap_or_default()
    }
}

impl Fs for Files {
    fn resolve(&mut self, path: &Path) -> Result<PathBuf, Fault> {
        Ok(path.to_owned())
    }
    fn is_link(&mut self, _path: &Path) -> bool {
        false
    }
    fn data_from(&mut self, _file: Handle, offset: u64) -> Result<Option<u64>, Fault> {
        Ok(Some(offset))
    }
    fn list(&mut self, _: &Path) -> Result<Vec<OsString>, Fault> {
        self.lists += 1;
        let names = self.all.borrow();
        Ok(names.keys().filter_map(|path| path.file_name()).map(OsString::from).collect())
    }
    fn probe_path(&mut self, path: &Path) -> Result<Probe, Fault> {
        let place = self.place(path)?;
        self.probe(Handle(place))
    }
    fn open(&mut self, path: &Path) -> Result<Handle, Fault> {
        self.place(path).map(Handle)
    }
    fn probe(&mut self, Handle(place): Handle) -> Result<Probe, Fault> {
        let id = FileId { dev: 1, ino: place + 1, born_ns: place + 1 };
        let size = self.bytes(place).len() as u64;
        Ok(Probe { id, size, written_ns: 1, changed_ns: 1, linked: true })
    }
    fn read_at(&mut self, file: Handle, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        let bytes = self.bytes(file.0);
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
    fn remove(&mut self, _: &Path, _: FileId, _: u64) -> Result<bool, Fault> {
        Err(Fault::Unsupported)
    }
    fn free(&mut self, _: Handle, _: u64, _: u64) -> Result<(), Fault> {
        Err(Fault::Unsupported)
    }
    fn close(&mut self, _: Handle) {}
    fn read_checkpoint(&mut self, _: u64, _: &mut [u8]) -> Result<usize, Fault> {
        Err(Fault::Missing)
    }
    fn write_checkpoint(&mut self, _: u64, _: &[u8]) -> Result<(), Fault> {
        Ok(())
    }
}

/// Keeps what it takes; tells what it was offered while it refuses.
#[derive(Default)]
struct Output {
    taken: Vec<u8>,
    refuses: bool,
    refused: Vec<Vec<u8>>,
}

impl Sink for Output {
    fn offer(&mut self, _: u64, bytes: &[u8]) -> Result<Taken, SinkFault> {
        if self.refuses {
            self.refused.push(bytes.to_vec());
            return Err(SinkFault::Blocked);
        }
        self.taken.extend_from_slice(bytes);
        Ok(Taken { bytes: bytes.len(), safe: true })
    }
}

struct Scene {
    files: Files,
    output: Output,
    engine: Engine,
}

impl Scene {
    /// Two empty files, `/a` and `/b`; a line is waited for 1000 ms.
    fn new() -> Scene {
        let options = Options {
            files_max: 10,
            open_files_max: 100,
            exclude: Vec::new(),
            from_end: false,
            ignore_older_ms: None,
            paths: vec!["/a".into(), "/b".into()],
            rotated: Vec::new(),
            checkpoint: false,
            checkpoint_interval_ms: 1000,
            checkpoint_bytes: 1 << 20,
            partial_line_ms: 1000,
            format: Format::Raw,
            poll_ms: 1000,
            exit_on_eof: false,
            reclaim: tail::reclaim::Reclaim::default(),
        };
        let files = Files::default();
        for path in ["/a", "/b"] {
            files.all.borrow_mut().insert(path.into(), Vec::new());
        }
        let mut scene = Scene { files, output: Output::default(), engine: Engine::new(options) };
        scene.turn(0, "", "");
        scene
    }

    /// Appends to both files, and turns. Returns when the next turn is due.
    fn turn(&mut self, now_ms: u64, a: &str, b: &str) -> u64 {
        for (path, text) in [("/a", a), ("/b", b)] {
            let mut files = self.files.all.borrow_mut();
            files.entry(path.into()).or_default().extend_from_slice(text.as_bytes());
        }
        self.engine.hint_all();
        self.next(now_ms).at_ms
    }

    fn next(&mut self, now_ms: u64) -> Wake {
        self.engine.turn(&mut self.files, &mut self.output, now_ms, 1 << 20)
    }

    fn check(&self, expected: &str) {
        assert_eq!(String::from_utf8_lossy(&self.output.taken), expected);
    }
}

#[test]
fn an_unfinished_line_is_waited_for_from_its_beginning_though_it_grows() {
    let mut scene = Scene::new();
    scene.turn(100, "\r1%", "");
    scene.turn(600, "\r2%", "");
    scene.check("");
    let at_ms = scene.turn(1000, "\r3%", "");
    scene.check("");
    assert!(at_ms <= 1100, "it is awake when the time is over: {at_ms}");
    scene.turn(1100, "\r4%", "");
    scene.check("\r1%\r2%\r3%\r4%");
    // The line has had its time: it goes on alone, and gives way at once.
    scene.turn(1200, "\r5%", "");
    scene.check("\r1%\r2%\r3%\r4%\r5%");
    scene.turn(1300, "\r6%", "b\n");
    assert!(scene.output.taken.ends_with(b"\nb\n"));
}

#[test]
fn the_end_of_a_line_goes_before_other_lines_and_the_line_behind_it_does_not() {
    let mut scene = Scene::new();
    let long = "x".repeat(200 << 10);
    scene.turn(100, &long, "");
    let begun = scene.output.taken.len();
    assert!(begun >= 128 << 10, "a line that is too long to be held back is begun: {begun}");
    let at_ms = scene.turn(200, "", "b\n");
    assert!(!scene.output.taken.contains(&b'b'), "the line is waited for");
    assert!(at_ms <= 1100, "until its time is over: {at_ms}");
    scene.turn(300, "\nnext", "");
    scene.check(&format!("{long}\nb\n"));
}

#[test]
fn a_line_end_that_was_refused_is_offered_again_before_anything_else() {
    let mut scene = Scene::new();
    scene.turn(100, "unfinished", "");
    scene.turn(1100, "", "");
    scene.check("unfinished");
    scene.output.refuses = true;
    scene.turn(1200, "", "b\n");
    scene.turn(1300, " still\n", "");
    scene.turn(1400, "", "c\n");
    assert_eq!(scene.output.refused, vec![b"\n".to_vec(); 3]);
    scene.output.refuses = false;
    scene.turn(1500, "", "");
    let output = String::from_utf8_lossy(&scene.output.taken).into_owned();
    assert!(output.starts_with("unfinished\nb\n"), "{output}");
    assert!(output.contains(" still\n") && output.contains("c\n"), "{output}");
}

#[test]
fn an_end_that_waits_for_the_output_has_no_turns_of_its_own() {
    let mut scene = Scene::new();
    scene.output.refuses = true;
    scene.turn(100, "a\n", "");
    scene.engine.end(25_000);
    let wake = scene.next(200);
    assert_eq!(wake.outcome, Outcome::Following);
    assert!((1000..=25_000).contains(&wake.at_ms), "{}", wake.at_ms);
    scene.output.refuses = false;
    let wake = scene.next(300);
    scene.check("a\n");
    assert!(wake.at_ms < 310, "what is left is one look around: {}", wake.at_ms);
    assert_eq!(scene.next(310).outcome, Outcome::Finished { incomplete: false });
}

#[test]
fn an_end_looks_around_at_its_beginning_and_when_all_is_read() {
    let mut scene = Scene::new();
    let long = "a line\n".repeat(1 << 20);
    scene.turn(100, &long, "");
    scene.engine.end(25_000);
    let lists_before = scene.files.lists;
    let mut turns = 0;
    while scene.next(200 + turns).outcome == Outcome::Following {
        turns += 1;
    }
    let lists = scene.files.lists - lists_before;
    assert!(turns > 5 && lists <= 2 * 2, "{lists} lists in {turns} turns");
    scene.check(&long);
}
