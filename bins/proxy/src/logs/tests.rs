//! What goes where, and that a destination that takes nothing holds up nobody.

use std::fs;
use std::path::PathBuf;

use super::*;

fn log(file: LogFile, level: ErrorLevel) -> ErrorLog {
    ErrorLog { file, level }
}

fn path(name: &str) -> LogFile {
    LogFile::Path(PathBuf::from(name))
}

fn routes(main: &[ErrorLog], http: &[ErrorLog]) -> Routes {
    let logs = ErrorLogs { main: main.to_vec(), http: http.to_vec() };
    Routes { logs, ..Routes::default() }
}

fn check_route(routes: &Routes, level: ErrorLevel, target: &str, expected: &[LogFile]) {
    assert_eq!(routes.of(level, target), expected, "{level:?} {target:?}");
}

#[test]
fn lines_go_to_each_destination_whose_level_takes_them() {
    use ErrorLevel::{Debug, Error, Info, Notice, Warn};
    let main = [log(path("a"), Notice), log(path("b"), Error)];
    let both = routes(&main, &[log(path("c"), Warn)]);
    check_route(&both, Error, "", &[path("a"), path("b")]);
    check_route(&both, Notice, NOTICE, &[path("a")]);
    check_route(&both, Info, "", &[]);
    check_route(&both, Error, REQUEST, &[path("c")]);
    check_route(&both, Info, REQUEST, &[]);
    let main_only = routes(&main, &[]);
    check_route(&main_only, Warn, REQUEST, &[path("a")]);
    // Where nothing is written it is standard error, or what -e names.
    let none = routes(&[], &[]);
    check_route(&none, Info, "", &[LogFile::Stderr]);
    check_route(&none, Debug, "", &[]);
    let given = Routes { fallback: Some(path("e")), ..routes(&[], &[]) };
    check_route(&given, Info, REQUEST, &[path("e")]);
}

#[test]
fn what_goes_wrong_before_it_serves_is_told_on_standard_error_too() {
    use ErrorLevel::{Error, Notice, Warn};
    let starting = Routes { is_starting: true, ..routes(&[log(path("a"), Notice)], &[]) };
    check_route(&starting, Error, "", &[path("a"), LogFile::Stderr]);
    check_route(&starting, Warn, "", &[path("a"), LogFile::Stderr]);
    check_route(&starting, Notice, NOTICE, &[path("a")]);
    let stderr = Routes { is_starting: true, ..routes(&[log(LogFile::Stderr, Error)], &[]) };
    check_route(&stderr, Error, "", &[LogFile::Stderr]);
}

struct Scene {
    folder: PathBuf,
    sink: Arc<LogSink>,
    counters: Arc<ProcessCounters>,
}

impl Scene {
    fn new(name: &str) -> Scene {
        let folder = std::env::temp_dir().join(format!("logs-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let counters = Arc::new(ProcessCounters::default());
        // The program's own lines, so that what the writer says is seen.
        let errors = LogFile::Path(folder.join("error"));
        let sink = LogSink::start(Arc::clone(&counters), Some(errors)).unwrap();
        Scene { folder, sink, counters }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn append(&self, name: &str, text: &str) {
        self.sink.append(&LogFile::Path(self.path(name)), &mut text.as_bytes().to_vec());
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn access_dropped(&self) -> u64 {
        self.counters.access_lines_dropped.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn fifo(&self, name: &str) -> fs::File {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let path = self.path(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        // Both ends, so that it has a reader, which reads nothing until it is asked to.
        fs::OpenOptions::new().read(true).write(true).open(path).unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn lines_are_written_in_order_and_files_opened_anew_on_demand() {
    let scene = Scene::new("order");
    scene.append("a", "one\n");
    scene.append("b", "other\n");
    scene.append("a", "two\n");
    scene.sink.flush(FLUSH_MAX);
    assert_eq!((scene.read("a").as_str(), scene.read("b").as_str()), ("one\ntwo\n", "other\n"));
    fs::rename(scene.path("a"), scene.path("a.1")).unwrap();
    scene.append("a", "three\n");
    scene.sink.flush(FLUSH_MAX);
    scene.sink.reopen();
    scene.append("a", "four\n");
    scene.sink.flush(FLUSH_MAX);
    assert_eq!(
        (scene.read("a.1").as_str(), scene.read("a").as_str()),
        ("one\ntwo\nthree\n", "four\n")
    );
}

#[test]
fn files_of_a_configuration_are_there_at_once_and_again_after_a_rotation() {
    let scene = Scene::new("named");
    let file = LogFile::Path(scene.path("access"));
    let config = Config { log_files: vec![file], ..Config::default() };
    scene.sink.configure(&config);
    let appears = |name: &str| {
        let end = Instant::now() + Duration::from_secs(20);
        while !scene.path(name).exists() {
            assert!(Instant::now() < end, "{name} is not there");
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    appears("access");
    fs::rename(scene.path("access"), scene.path("access.1")).unwrap();
    scene.sink.reopen();
    appears("access");
    // A later configuration has another: the first is not made again.
    let file = LogFile::Path(scene.path("second"));
    scene.sink.configure(&Config { log_files: vec![file], ..Config::default() });
    appears("second");
    fs::remove_file(scene.path("access")).unwrap();
    fs::remove_file(scene.path("second")).unwrap();
    scene.sink.reopen();
    appears("second");
    assert!(!scene.path("access").exists());
}

#[test]
fn a_destination_that_takes_nothing_holds_up_no_other_and_loses_only_what_does_not_fit() {
    use std::io::Read;
    let scene = Scene::new("blocked");
    let mut reader = scene.fifo("fifo");
    let block = format!("{}\n", "x".repeat(1023)).repeat(1024);
    let begun = Instant::now();
    for _ in 0..6 {
        scene.append("fifo", &block);
    }
    scene.append("file", "passes\n");
    assert!(begun.elapsed() < Duration::from_secs(10), "nobody waited");
    let end = Instant::now() + Duration::from_secs(20);
    while fs::read_to_string(scene.path("file")).unwrap_or_default() != "passes\n" {
        assert!(Instant::now() < end, "the other destination waits");
        std::thread::sleep(Duration::from_millis(2));
    }
    let begun = Instant::now();
    scene.sink.flush(Duration::from_millis(50));
    assert!(begun.elapsed() < Duration::from_secs(10), "the end is not held up");
    let dropped = scene.access_dropped();
    assert!(dropped > 0 && dropped.is_multiple_of(1024), "whole batches: {dropped}");
    // What was kept comes whole, once it is read.
    let kept = (6 * 1024 - usize::try_from(dropped).unwrap()) * 1024;
    let mut read = vec![0; kept];
    reader.read_exact(&mut read).unwrap();
    assert!(read.chunks(1024).all(|line| line[1023] == b'\n'));
    scene.sink.flush(FLUSH_MAX);
    assert_eq!(scene.access_dropped(), dropped);
}

#[test]
fn an_access_log_that_cannot_be_opened_is_counted_line_by_line() {
    let scene = Scene::new("missing");
    scene.append("no/such", "one\ntwo\n");
    scene.sink.flush(FLUSH_MAX);
    assert_eq!(scene.access_dropped(), 2);
    // A FIFO that nobody reads is as good as none, and is not waited for.
    drop(scene.fifo("fifo"));
    scene.append("fifo", "three\n");
    scene.sink.flush(FLUSH_MAX);
    assert_eq!(scene.access_dropped(), 3);
}

#[test]
fn a_panic_is_told_but_waits_for_nobody() {
    let scene = Scene::new("panic");
    scene.sink.tell_panic(&"one", FLUSH_MAX);
    assert!(scene.read("error").ends_with(" [ERROR] internal error: one\n"));
    // Where the thread that panics is the one that holds the lock.
    let begun = Instant::now();
    let held = scene.sink.lock();
    scene.sink.tell_panic(&"two", FLUSH_MAX);
    drop(held);
    assert!(begun.elapsed() < FLUSH_MAX, "{:?}", begun.elapsed());
    scene.sink.flush(FLUSH_MAX);
    assert!(!scene.read("error").contains("two"));
}
