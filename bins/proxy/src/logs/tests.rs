//! What goes where, and that a destination that takes nothing holds up nobody.

use std::fs;
use std::path::PathBuf;

use proxy_core::config::model::{Syslog, SyslogServer};

use super::*;

fn log(file: LogFile, level: ErrorLevel) -> ErrorLog {
    ErrorLog { file, level }
}

fn path(name: &str) -> LogFile {
    LogFile::Path(PathBuf::from(name))
}

fn routes(main: &[ErrorLog]) -> Routes {
    let logs = ErrorLogs { main: main.to_vec(), inner: Vec::new() };
    Routes { logs, ..Routes::default() }
}

fn check_route(routes: &Routes, level: ErrorLevel, expected: &[LogFile]) {
    assert_eq!(routes.of(level), expected, "{level:?}");
}

#[test]
fn lines_go_to_each_destination_whose_level_takes_them() {
    use ErrorLevel::{Alert, Crit, Debug, Emerg, Error, Info, Notice};
    let main = routes(&[log(path("a"), Notice), log(path("b"), Error), log(path("c"), Alert)]);
    check_route(&main, Emerg, &[path("a"), path("b"), path("c")]);
    check_route(&main, Alert, &[path("a"), path("b"), path("c")]);
    check_route(&main, Crit, &[path("a"), path("b")]);
    check_route(&main, Error, &[path("a"), path("b")]);
    check_route(&main, Notice, &[path("a")]);
    check_route(&main, Info, &[]);
    // Where nothing is written it is standard error, or what -e names.
    let none = routes(&[]);
    check_route(&none, Info, &[LogFile::Stderr]);
    check_route(&none, Debug, &[]);
    let given = Routes { fallback: Some(path("e")), ..routes(&[]) };
    check_route(&given, Info, &[path("e")]);
}

#[test]
fn what_goes_wrong_before_it_serves_is_told_on_standard_error_too() {
    use ErrorLevel::{Error, Notice, Warn};
    let starting = Routes { is_starting: true, ..routes(&[log(path("a"), Notice)]) };
    check_route(&starting, Error, &[path("a"), LogFile::Stderr]);
    check_route(&starting, Warn, &[path("a"), LogFile::Stderr]);
    check_route(&starting, Notice, &[path("a")]);
    let stderr = Routes { is_starting: true, ..routes(&[log(LogFile::Stderr, Error)]) };
    check_route(&stderr, Error, &[LogFile::Stderr]);
}

#[test]
fn a_line_about_a_request_goes_where_its_location_says_and_else_to_the_main_log() {
    let scene = Scene::new("notice");
    let tell = |level, text: &str, logs: &[ErrorLog]| {
        let notice = Notice { level, text: text.to_owned(), logs: logs.to_vec().into() };
        scene.sink.tell_notice(&notice);
    };
    let file = |name: &str| LogFile::Path(scene.path(name));
    let logs = [log(file("warn"), ErrorLevel::Warn), log(file("crit"), ErrorLevel::Crit)];
    tell(ErrorLevel::Error, "one", &logs);
    tell(ErrorLevel::Info, "two", &logs);
    tell(ErrorLevel::Crit, "three", &logs);
    tell(ErrorLevel::Info, "four", &[]);
    tell(ErrorLevel::Debug, "five", &[]);
    scene.sink.flush(FLUSH_MAX);
    let told = |name: &str| -> Vec<String> {
        let behind = |line: &str| line.split_once(' ').map(|(_, told)| told.to_owned());
        scene.read(name).lines().filter_map(behind).collect()
    };
    assert_eq!(told("warn"), ["[ERROR] one", "[CRIT] three"]);
    assert_eq!(told("crit"), ["[CRIT] three"]);
    assert_eq!(told("error"), ["[INFO] four"]);
}

fn syslog(server: SyslogServer) -> LogFile {
    let syslog = Syslog { server, facility: 1, severity: 6, tag: "t".into(), tells_host: false };
    LogFile::Syslog(Box::new(syslog))
}

/// A datagram without its time, which stands between `>` and the tag.
fn timeless(datagram: &[u8]) -> String {
    let text = String::from_utf8_lossy(datagram);
    let (head, rest) = text.split_once('>').unwrap();
    assert_eq!((rest.get(15..16), rest.get(3..4)), (Some(" "), Some(" ")), "{text}");
    format!("{head}>{}", &rest[16..])
}

#[test]
fn each_line_is_a_datagram_with_its_head_by_udp_and_to_a_path() {
    use std::os::unix::net::UnixDatagram;
    let scene = Scene::new("syslog");
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let unix = UnixDatagram::bind(scene.path("socket")).unwrap();
    udp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    unix.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let by_udp = syslog(SyslogServer::Udp("x".into(), Some(udp.local_addr().unwrap())));
    let by_path = syslog(SyslogServer::Unix(scene.path("socket")));
    scene.sink.append(&by_udp, &mut b"one\ntwo\n".to_vec());
    scene.sink.append(&by_path, &mut b"three\n".to_vec());
    let error = Notice {
        level: ErrorLevel::Crit,
        text: "bad".into(),
        logs: vec![log(by_path, ErrorLevel::Error)].into(),
    };
    scene.sink.tell_notice(&error);
    let mut buffer = [0; 1024];
    for expected in ["<14>t: one", "<14>t: two"] {
        let size = udp.recv(&mut buffer).unwrap();
        assert_eq!(timeless(&buffer[..size]), expected);
    }
    let mut told: Vec<String> = (0..2)
        .map(|_| {
            let size = unix.recv(&mut buffer).unwrap();
            timeless(&buffer[..size])
        })
        .collect();
    told.sort();
    assert!(told[0].starts_with("<10>t: ") && told[0].ends_with(" [CRIT] bad"), "{told:?}");
    assert_eq!(told[1], "<14>t: three");
}

#[test]
fn a_collector_that_is_not_there_costs_its_lines_and_no_others() {
    let scene = Scene::new("no-syslog");
    let nobody = syslog(SyslogServer::Unix(scene.path("none")));
    let unknown = syslog(SyslogServer::Udp("none".into(), None));
    scene.sink.append(&nobody, &mut b"one\ntwo\n".to_vec());
    scene.sink.append(&unknown, &mut b"three\n".to_vec());
    scene.append("file", "passes\n");
    scene.sink.flush(FLUSH_MAX);
    assert_eq!((scene.access_dropped(), scene.read("file").as_str()), (3, "passes\n"));
    // Once it is there the next line reaches it.
    let socket = std::os::unix::net::UnixDatagram::bind(scene.path("none")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    scene.sink.append(&nobody, &mut b"four\n".to_vec());
    let mut buffer = [0; 1024];
    let size = socket.recv(&mut buffer).unwrap();
    assert_eq!(timeless(&buffer[..size]), "<14>t: four");
}

#[test]
fn a_collector_that_reads_nothing_holds_up_no_other() {
    let scene = Scene::new("slow-syslog");
    let socket = std::os::unix::net::UnixDatagram::bind(scene.path("socket")).unwrap();
    let to = syslog(SyslogServer::Unix(scene.path("socket")));
    let lines = b"x\n".repeat(10_000);
    let begun = Instant::now();
    scene.sink.append(&to, &mut lines.clone());
    scene.append("file", "passes\n");
    let end = Instant::now() + Duration::from_secs(20);
    while fs::read_to_string(scene.path("file")).unwrap_or_default() != "passes\n" {
        assert!(Instant::now() < end, "the other destination waits");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
    // What waits comes once it is read.
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut buffer = [0; 1024];
    for _ in 0..10_000 {
        let size = socket.recv(&mut buffer).unwrap();
        assert_eq!(timeless(&buffer[..size]), "<14>t: x");
    }
}

#[test]
fn any_number_of_files_that_requests_name_is_one_queue() {
    let scene = Scene::new("made");
    let made =
        |name: &str| LogFile::Made(MadeFile { path: scene.path(name), root: scene.folder.clone() });
    for number in 0..500 {
        scene.sink.append(&made(&format!("{number}.log")), &mut b"a\nb\n".to_vec());
    }
    scene.sink.append(&made("none/x"), &mut b"c\nd\n".to_vec());
    scene.sink.flush(FLUSH_MAX);
    assert_eq!(scene.access_dropped(), 2);
    assert_eq!(
        scene.sink.lock().queues.iter().filter(|queue| queue.kind == Kind::Access).count(),
        1
    );
    assert!((0..500).all(|number| scene.read(&format!("{number}.log")) == "a\nb\n"));
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
    assert!(scene.read("error").ends_with(" [ALERT] internal error: one\n"));
    // Where the thread that panics is the one that holds the lock.
    let begun = Instant::now();
    let held = scene.sink.lock();
    scene.sink.tell_panic(&"two", FLUSH_MAX);
    drop(held);
    assert!(begun.elapsed() < FLUSH_MAX, "{:?}", begun.elapsed());
    scene.sink.flush(FLUSH_MAX);
    assert!(!scene.read("error").contains("two"));
}
