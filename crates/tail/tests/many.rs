//! Many files: what they cost is told by the calls that are made, not by a clock.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tail::engine::{Engine, Options, Outcome, ROTATED};
use tail::format::Format;
use tail::fs::{Fault, FileId, Fs, Handle, Probe, Sink, SinkFault, Taken};
use tail::report::Notice;

/// More than one turn looks at, and than one poll.
const MANY: usize = 3000;

/// How often the engine asked the file system for something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Calls {
    lists: usize,
    looks: usize,
    opens: usize,
    reads: usize,
}

#[derive(Debug, Default)]
struct Disk {
    names: BTreeMap<PathBuf, usize>,
    folders: HashMap<PathBuf, BTreeSet<OsString>>,
    files: Vec<Vec<u8>>,
    deleted: BTreeSet<usize>,
    open: HashMap<u64, usize>,
    calls: Calls,
    /// Most files that were open at a time.
    open_most: usize,
    /// More files than these cannot be opened.
    descriptors: usize,
    checkpoints: Vec<usize>,
}

impl Disk {
    fn append(&mut self, path: &str, text: &str) {
        let path = PathBuf::from(path);
        if !self.names.contains_key(&path) {
            for part in path.ancestors().filter(|part| part.parent().is_some()) {
                let folder = part.parent().unwrap().to_owned();
                self.folders.entry(folder).or_default().insert(part.file_name().unwrap().into());
            }
            self.names.insert(path.clone(), self.files.len());
            self.files.push(Vec::new());
        }
        self.files[self.names[&path]].extend_from_slice(text.as_bytes());
    }

    fn delete(&mut self, path: &str) {
        let path = Path::new(path);
        self.deleted.extend(self.names.remove(path));
        self.folders.get_mut(path.parent().unwrap()).unwrap().remove(path.file_name().unwrap());
    }

    fn look(&self, file: usize) -> Probe {
        let number = file as u64 + 1;
        let id = FileId { dev: 1, ino: number, born_ns: number };
        let size = self.files[file].len() as u64;
        let linked = !self.deleted.contains(&file);
        Probe { id, size, written_ns: size + 1, changed_ns: 1, linked }
    }
}

impl Fs for Disk {
    fn resolve(&mut self, path: &Path) -> Result<PathBuf, Fault> {
        self.calls.looks += 1;
        Ok(path.to_owned())
    }
    fn is_link(&mut self, _: &Path) -> bool {
        self.calls.looks += 1;
        false
    }
    fn data_from(&mut self, _: Handle, offset: u64) -> Result<Option<u64>, Fault> {
        Ok(Some(offset))
    }
    fn list(&mut self, dir: &Path) -> Result<Vec<OsString>, Fault> {
        self.calls.lists += 1;
        let names = self.folders.get(dir).ok_or(Fault::Missing)?;
        Ok(names.iter().cloned().collect())
    }
    fn probe_path(&mut self, path: &Path) -> Result<Probe, Fault> {
        self.calls.looks += 1;
        if self.folders.contains_key(path) {
            return Err(Fault::NotAFile);
        }
        self.names.get(path).map(|file| self.look(*file)).ok_or(Fault::Missing)
    }
    fn open(&mut self, path: &Path) -> Result<Handle, Fault> {
        self.calls.opens += 1;
        if self.open.len() >= self.descriptors {
            return Err(Fault::TooManyOpen);
        }
        let file = *self.names.get(path).ok_or(Fault::Missing)?;
        let handle = self.calls.opens as u64;
        self.open.insert(handle, file);
        self.open_most = self.open_most.max(self.open.len());
        Ok(Handle(handle))
    }
    fn probe(&mut self, file: Handle) -> Result<Probe, Fault> {
        self.calls.looks += 1;
        Ok(self.look(self.open[&file.0]))
    }
    fn read_at(&mut self, file: Handle, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        self.calls.reads += 1;
        let rest = self.files[self.open[&file.0]].get(offset as usize..).unwrap_or_default();
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
    fn close(&mut self, file: Handle) {
        self.open.remove(&file.0);
    }
    fn read_checkpoint(&mut self, _: u64, _: &mut [u8]) -> Result<usize, Fault> {
        Err(Fault::Missing)
    }
    fn write_checkpoint(&mut self, _: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.checkpoints.push(bytes.len());
        Ok(())
    }
}

#[derive(Default)]
struct Output(String);

impl Sink for Output {
    fn offer(&mut self, _: u64, bytes: &[u8]) -> Result<Taken, SinkFault> {
        self.0.push_str(std::str::from_utf8(bytes).unwrap());
        Ok(Taken { bytes: bytes.len(), safe: true })
    }
}

struct Scene {
    disk: Disk,
    output: Output,
    engine: Engine,
    now_ms: u64,
    notices: Vec<Notice>,
}

fn options() -> Options {
    Options {
        reclaim: tail::reclaim::Reclaim::default(),
        files_max: 1 << 20,
        open_files_max: 1 << 20,
        exclude: Vec::new(),
        from_end: false,
        ignore_older_ms: None,
        paths: vec!["/l/*.log".into()],
        rotated: ROTATED.map(str::to_owned).to_vec(),
        checkpoint: true,
        checkpoint_interval_ms: 1000,
        checkpoint_bytes: 1 << 20,
        partial_line_ms: 1000,
        format: Format::Raw,
        poll_ms: 1000,
        exit_on_eof: false,
    }
}

fn name(number: usize) -> String {
    format!("/l/{number:05}.log")
}

impl Scene {
    /// This many files of one line each, at rest.
    fn new(count: usize, options: Options) -> Scene {
        let disk = Disk { descriptors: 1 << 20, ..Disk::default() };
        let (output, engine) = (Output::default(), Engine::new(options));
        let mut scene = Scene { disk, output, engine, now_ms: 0, notices: Vec::new() };
        (0..count).for_each(|number| scene.disk.append(&name(number), "line\n"));
        scene.rest();
        scene
    }

    fn turn(&mut self) -> tail::engine::Wake {
        let wake = self.engine.turn(&mut self.disk, &mut self.output, self.now_ms, 4 << 20);
        self.notices.extend(self.engine.take_notices());
        wake
    }

    /// Turns as long as they follow on one another at once.
    fn rest(&mut self) -> Outcome {
        for _ in 0..10_000 {
            let wake = self.turn();
            if wake.outcome != Outcome::Following || wake.at_ms > self.now_ms + 500 {
                return wake.outcome;
            }
            self.now_ms = wake.at_ms;
        }
        panic!("it finds no rest");
    }

    /// What the turns up to the next rest ask for.
    fn calls(&mut self, act: impl FnOnce(&mut Scene)) -> Calls {
        self.disk.calls = Calls { opens: self.disk.calls.opens, ..Calls::default() };
        let opens = self.disk.calls.opens;
        act(self);
        self.rest();
        Calls { opens: self.disk.calls.opens - opens, ..self.disk.calls }
    }

    fn lines(&self) -> usize {
        self.output.0.lines().count()
    }

    fn count_said(&self, is_it: fn(&Notice) -> bool) -> usize {
        self.notices.iter().filter(|notice| is_it(notice)).count()
    }
}

#[test]
fn a_file_that_nobody_follows_is_one_look_however_many_are_followed() {
    for count in [1, MANY] {
        let mut scene = Scene::new(count, options());
        let calls = scene.calls(|scene| {
            scene.disk.append("/l/unrelated.tmp", "");
            scene.engine.hint_name(Path::new("/l/unrelated.tmp"));
        });
        assert_eq!(calls, Calls { looks: 1, ..Calls::default() }, "{count} files");
    }
}

#[test]
fn a_line_and_a_new_file_cost_the_same_however_many_are_followed() {
    let costs = [10, MANY].map(|count| {
        let mut scene = Scene::new(count, options());
        let line = scene.calls(|scene| {
            scene.disk.append(&name(7), "more\n");
            scene.engine.hint_data(Path::new(&name(7)));
        });
        let file = scene.calls(|scene| {
            scene.disk.append("/l/new.log", "new\n");
            scene.engine.hint_name(Path::new("/l/new.log"));
        });
        assert!(scene.output.0.ends_with("more\nnew\n"));
        (line, file)
    });
    assert_eq!(costs[0], costs[1]);
    assert!(costs[0].1.lists <= 2 && costs[0].1.looks < 20, "{costs:?}");
}

#[test]
fn a_poll_looks_once_at_each_of_a_part_of_the_files_and_reads_what_grew() {
    let mut scene = Scene::new(MANY, options());
    for poll in 1..5 {
        scene.now_ms += 1000;
        let calls = scene.calls(|_| ());
        assert!(calls.looks <= 1000, "poll {poll}: {calls:?}");
        assert_eq!(Calls { looks: 0, ..calls }, Calls::default(), "poll {poll}");
    }
    for number in [0, MANY / 2, MANY - 1] {
        scene.disk.append(&name(number), "grown\n");
    }
    for _ in 0..MANY.div_ceil(1000) {
        scene.now_ms += 1000;
        scene.rest();
    }
    assert_eq!(scene.lines(), MANY + 3, "without a hint");
}

#[test]
fn of_many_files_a_checkpoint_has_those_that_changed() {
    let mut scene = Scene::new(MANY, options());
    scene.now_ms += 1000;
    scene.rest();
    assert!(scene.disk.checkpoints.iter().any(|bytes| *bytes > 50 * MANY), "all of them once");
    scene.disk.checkpoints.clear();
    for number in [5, 2000] {
        scene.disk.append(&name(number), "more\n");
        scene.engine.hint_data(Path::new(&name(number)));
        scene.rest();
    }
    scene.now_ms += 1000;
    scene.rest();
    let written: usize = scene.disk.checkpoints.iter().sum();
    assert!((100..400).contains(&written), "{:?}", scene.disk.checkpoints);
}

#[test]
fn lines_of_files_that_are_open_come_while_others_are_being_opened() {
    let mut scene = Scene::new(0, options());
    (0..MANY).for_each(|number| scene.disk.append(&name(number), "line\n"));
    let mut told_at = None;
    scene.now_ms += 100;
    scene.engine.hint_names();
    while scene.disk.open.len() < MANY {
        // A slow disk: a millisecond for each look.
        scene.disk.calls.looks = 0;
        scene.turn();
        scene.now_ms += scene.disk.calls.looks as u64 + 1;
        if scene.lines() > 0 && told_at.is_none() {
            scene.disk.append(&name(0), "told meanwhile\n");
            scene.engine.hint_data(Path::new(&name(0)));
            told_at = Some(scene.disk.open.len());
        }
    }
    assert!(told_at.is_some_and(|open| open < MANY / 2), "{told_at:?}");
    let told = scene.output.0.find("told meanwhile").unwrap();
    assert!(told < scene.output.0.len() / 2, "{told} of {}", scene.output.0.len());
}

/// Files far beyond the descriptors: as many are open as may be, and all are read.
fn check_few_descriptors(options: Options, descriptors: usize, open_most: usize) {
    const COUNT: usize = 1000;
    let mut scene = Scene::new(0, options);
    scene.disk.descriptors = descriptors;
    (0..COUNT).for_each(|number| scene.disk.append(&name(number), "line\n"));
    scene.engine.hint_names();
    let calls = scene.calls(|_| ());
    assert_eq!(scene.lines(), COUNT);
    assert!(calls.looks < 20 * COUNT && calls.reads < 5 * COUNT, "{calls:?}");
    for round in 1..3 {
        for number in 0..COUNT {
            scene.disk.append(&name(number), "more\n");
            scene.engine.hint_data(Path::new(&name(number)));
        }
        scene.rest();
        assert_eq!(scene.lines(), COUNT * (round + 1), "round {round}");
    }
    assert!(scene.disk.open_most <= open_most, "{} open", scene.disk.open_most);
    let before = scene.disk.checkpoints.len();
    scene.engine.end(u64::MAX);
    assert_eq!(scene.rest(), Outcome::Finished { incomplete: false });
    assert!(scene.disk.checkpoints.len() > before, "the last word is in the checkpoint");
    assert_eq!(scene.lines(), COUNT * 3);
}

#[test]
fn more_files_than_may_be_open_are_read_in_turn() {
    check_few_descriptors(Options { open_files_max: 40, ..options() }, 1 << 20, 40);
}

#[test]
fn more_files_than_the_system_has_descriptors_for_are_read_in_turn() {
    check_few_descriptors(options(), 30, 30);
}

#[test]
fn files_beyond_the_limit_are_left_out_said_once_counted_and_taken_in_when_there_is_room() {
    let is_it = |notice: &Notice| matches!(notice, Notice::LeftOut(..));
    let mut scene = Scene::new(3, Options { files_max: 3, ..options() });
    assert_eq!((scene.lines(), scene.engine.stats().left_out, scene.count_said(is_it)), (3, 0, 0));
    scene.disk.append(&name(3), "fourth\n");
    for _ in 0..5 {
        scene.engine.hint_name(Path::new(&name(3)));
        scene.engine.hint_names();
        scene.now_ms += 1000;
        scene.rest();
    }
    assert_eq!((scene.lines(), scene.engine.stats().left_out, scene.count_said(is_it)), (3, 1, 1));
    // One that is gone counts no more once its file is given up.
    scene.disk.delete(&name(1));
    scene.engine.hint_name(Path::new(&name(1)));
    for _ in 0..70 {
        scene.now_ms += 1000;
        scene.rest();
    }
    assert!(scene.output.0.ends_with("fourth\n"), "{}", scene.output.0);
    assert_eq!((scene.engine.stats().left_out, scene.count_said(is_it)), (0, 1));
}

#[test]
fn what_is_left_out_and_deleted_is_counted_no_more() {
    let mut scene = Scene::new(5, Options { files_max: 3, ..options() });
    assert_eq!(scene.engine.stats().left_out, 2);
    scene.disk.delete(&name(4));
    scene.engine.hint_name(Path::new(&name(4)));
    scene.rest();
    assert_eq!(scene.engine.stats().left_out, 1);
}

#[test]
fn folders_beyond_the_limit_are_left_out_said_once_and_counted() {
    let is_it = |notice: &Notice| matches!(notice, Notice::FoldersLeftOut(..));
    // The folder of folders is one, too.
    for (count, expected) in [(4095, 0), (4096, 1)] {
        let options = Options { paths: vec!["/l/*/*.log".into()], files_max: 3, ..options() };
        let mut scene = Scene::new(0, options);
        (0..count).for_each(|number| scene.disk.append(&format!("/l/{number}/a.log"), ""));
        for _ in 0..2 {
            scene.engine.hint_names();
            scene.now_ms += 1000;
            scene.rest();
        }
        assert_eq!(scene.engine.stats().folders_left_out, expected, "{count} folders");
        assert_eq!(scene.count_said(is_it), expected as usize, "{count} folders");
    }
}
