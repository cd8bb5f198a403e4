//! The application's log file: one line per request, one write(2) per line.
//!
//! Owns the file: opening (and opening anew), rotation by rename, and what happens when it cannot
//! be written, which is never a reason to stop serving: it is said on stderr at most once a
//! minute, lines are counted as lost, and each further line tries again.
//! Whoever follows the file by inode misses nothing: a renamed file is never written again once
//! its successor is there, and stays on disk until `rotated_count_max` newer ones exist.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use log::{info, warn};
use sidecar::logging::{self, Throttle};

/// Bytes of a request's target that are written, so that a line stays under PIPE_BUF's 4 KiB.
const TARGET_BYTES_MAX: usize = 2048;
/// Bytes of the client's name that are written: an IPv6 address with a zone and port, and room.
const CLIENT_BYTES_MAX: usize = 64;
/// How long a file that could not be opened or renamed is left alone.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// When to rotate and how much to keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// A line that would pass this size goes to a new file. `None`: no rotation.
    pub(crate) file_bytes_max: Option<u64>,
    /// Renamed files to keep, at least 1.
    pub(crate) rotated_count_max: u32,
}

/// One request, for its line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) status: u16,
    pub(crate) client: &'a str,
}

/// The log file and its state.
#[derive(Debug)]
pub(crate) struct AppLog {
    path: PathBuf,
    limits: Limits,
    file: Option<File>,
    /// Size of `file`; meaningless without one.
    file_bytes: u64,
    /// Whether the file may be renamed: a device or pipe may not.
    is_regular: bool,
    /// A line was cut short by a full disk: the next one must not be glued to it.
    is_torn: bool,
    /// No line may follow the last one.
    is_closed: bool,
    /// Before this, opening and renaming are not tried again.
    retry_at: Option<Instant>,
    lost_line_count: u64,
    throttle: Throttle,
}

impl AppLog {
    /// Opens `path` for appending. If that fails it is said, and tried again later.
    pub(crate) fn open(path: PathBuf, limits: Limits) -> AppLog {
        let mut log = AppLog {
            path,
            limits,
            file: None,
            file_bytes: 0,
            is_regular: false,
            is_torn: false,
            is_closed: false,
            retry_at: None,
            lost_line_count: 0,
            throttle: Throttle::per_minute(),
        };
        if let Err(error) = log.open_file() {
            log.complain("open", &error);
        }
        log
    }

    /// Appends the line of one request.
    pub(crate) fn append(&mut self, entry: &Entry<'_>) {
        self.append_line(&line_of(SystemTime::now(), entry));
    }

    /// Opens the path anew, for whoever has renamed the file (SIGHUP). Keeps the old one if that
    /// fails.
    pub(crate) fn reopen(&mut self) {
        self.retry_at = None;
        match self.open_file() {
            Ok(()) => info!("opened {} anew", self.path.display()),
            Err(error) => self.complain("open", &error),
        }
    }

    /// Writes a last line; nothing is written after it.
    pub(crate) fn close(&mut self, message: &str) {
        let time = logging::rfc3339_millis(SystemTime::now());
        self.append_line(&format!("{time} INFO {message}\n"));
        self.is_closed = true;
    }

    fn append_line(&mut self, line: &str) {
        if self.is_closed {
            return;
        }
        let now = Instant::now();
        let may_retry = self.retry_at.is_none_or(|at| now >= at);
        if self.file.is_none() && may_retry {
            if let Err(error) = self.open_file() {
                self.complain("open", &error);
            }
        } else if self.must_rotate(line) && may_retry {
            // Failing leaves the old file in place: too large a file is better than lost lines.
            if let Err(error) = self.rotate() {
                self.complain("rotate", &error);
            }
        }
        match self.write(line) {
            Some(Ok(())) => self.recovered(),
            Some(Err(error)) => {
                self.lost_line_count += 1;
                self.complain("write to", &error);
            }
            None => self.lost_line_count += 1,
        }
    }

    /// `None` if there is no file to write to.
    fn write(&mut self, line: &str) -> Option<io::Result<()>> {
        let file = self.file.as_mut()?;
        let whole;
        let mut rest = if self.is_torn {
            whole = format!("\n{line}");
            whole.as_bytes()
        } else {
            line.as_bytes()
        };
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => return Some(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    self.file_bytes += count as u64;
                    rest = &rest[count..];
                    self.is_torn = !rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(()))
    }

    fn open_file(&mut self) -> io::Result<()> {
        let open = |path: &Path| OpenOptions::new().append(true).create(true).open(path);
        let file = match open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // The folder is missing; of the two errors the one about it says more.
                self.path.parent().map_or(Ok(()), fs::create_dir_all)?;
                open(&self.path)?
            }
            other => other?,
        };
        let metadata = file.metadata()?;
        self.is_regular = metadata.is_file();
        self.file_bytes = metadata.len();
        self.is_torn = false;
        self.file = Some(file);
        self.retry_at = None;
        Ok(())
    }

    fn must_rotate(&self, line: &str) -> bool {
        let Some(file_bytes_max) = self.limits.file_bytes_max else {
            return false;
        };
        // An empty file takes any line, or one longer than the limit would rotate for ever.
        self.is_regular
            && self.file_bytes > 0
            && self.file_bytes + line.len() as u64 > file_bytes_max
    }

    /// Renames FILE.n to FILE.n+1 (the last is overwritten), FILE to FILE.1, and opens a new FILE.
    fn rotate(&mut self) -> io::Result<()> {
        // Without a FILE an earlier try got as far as renaming; once more would push the oldest
        // rotated file out for nothing.
        if self.path.try_exists()? {
            for number in (1..self.limits.rotated_count_max).rev() {
                match fs::rename(self.rotated(number), self.rotated(number + 1)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            fs::rename(&self.path, self.rotated(1))?;
        }
        self.open_file()
    }

    fn rotated(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }

    /// Says that `what` failed, at most once a minute, and puts off the next try to open.
    fn complain(&mut self, what: &str, error: &io::Error) {
        let now = Instant::now();
        if what != "write to" {
            self.retry_at = Some(now + RETRY_PAUSE);
        }
        if self.throttle.allow(now).is_some() {
            let (path, lost) = (self.path.display(), self.lost_line_count);
            warn!("cannot {what} {path}: {error}; serving goes on, {lost} lines lost so far");
        }
    }

    /// Says so when lines had been lost. The throttle stays as it is: a disk that is full and
    /// not full by turns is still one complaint a minute.
    fn recovered(&mut self) {
        if self.lost_line_count > 0 {
            let (path, lost) = (self.path.display(), self.lost_line_count);
            info!("writing to {path} again, {lost} lines were lost");
            self.lost_line_count = 0;
        }
    }
}

/// `TIME LEVEL METHOD TARGET STATUS CLIENT`, separated by single spaces, with a newline.
fn line_of(time: SystemTime, entry: &Entry<'_>) -> String {
    let level = match entry.status {
        ..400 => "INFO",
        400..500 => "WARN",
        500.. => "ERROR",
    };
    let mut line = logging::rfc3339_millis(time);
    let _ = write!(line, " {level} ");
    push_escaped(&mut line, entry.method, CLIENT_BYTES_MAX);
    line.push(' ');
    push_escaped(&mut line, entry.target, TARGET_BYTES_MAX);
    let _ = write!(line, " {} ", entry.status);
    push_escaped(&mut line, entry.client, CLIENT_BYTES_MAX);
    line.push('\n');
    line
}

/// Appends at most `bytes_max` bytes of `text` as one field: what could end the line or the field,
/// move a terminal's cursor or be taken for an escape becomes `\xNN`; an empty text becomes `-`.
fn push_escaped(line: &mut String, text: &str, bytes_max: usize) {
    for byte in text.bytes().take(bytes_max) {
        if byte.is_ascii_graphic() && byte != b'\\' {
            line.push(char::from(byte));
        } else {
            let _ = write!(line, "\\x{byte:02X}");
        }
    }
    match text.len() {
        0 => line.push('-'),
        length if length > bytes_max => line.push_str("..."),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    /// A folder of the test's own, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path =
                std::env::temp_dir().join(format!("hello-app-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| error.kind().to_string())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn log_in(folder: &Folder, file_bytes_max: Option<u64>, rotated_count_max: u32) -> AppLog {
        AppLog::open(folder.0.join("logs.txt"), Limits { file_bytes_max, rotated_count_max })
    }

    #[track_caller]
    fn check(method: &str, target: &str, status: u16, client: &str, expected: &str) {
        let line = line_of(UNIX_EPOCH, &Entry { method, target, status, client });
        assert_eq!(line, format!("1970-01-01T00:00:00.000Z {expected}\n"));
    }

    #[test]
    fn a_line_has_time_level_method_path_status_and_client() {
        check("GET", "/", 200, "10.1.2.3", "INFO GET / 200 10.1.2.3");
        check("GET", "/x?a=b", 404, "::1", "WARN GET /x?a=b 404 ::1");
        check("POST", "/", 503, "", "ERROR POST / 503 -");
    }

    #[test]
    fn bytes_that_could_forge_a_line_or_field_are_escaped() {
        check(
            "GET",
            "/\x1b[2J\r\n\\",
            200,
            "a b\t",
            "INFO GET /\\x1B[2J\\x0D\\x0A\\x5C 200 a\\x20b\\x09",
        );
        check("GET", "/é\u{7f}\0", 200, "c", "INFO GET /\\xC3\\xA9\\x7F\\x00 200 c");
    }

    #[test]
    fn a_line_stays_short_however_long_the_request() {
        let entry = Entry {
            method: "GET",
            target: &"a".repeat(1 << 20),
            status: 404,
            client: &"9".repeat(9999),
        };
        let line = line_of(UNIX_EPOCH, &entry);
        assert!(line.len() < 4096 && line.ends_with("999...\n"), "{}", line.len());
    }

    #[test]
    fn the_folder_is_made_and_lines_are_appended() {
        let folder = Folder::new("made");
        let path = folder.0.join("a/b/logs.txt");
        for _ in 0..2 {
            let limits = Limits { file_bytes_max: None, rotated_count_max: 1 };
            AppLog::open(path.clone(), limits).append_line("line\n");
        }
        assert_eq!(folder.read("a/b/logs.txt"), "line\nline\n");
    }

    #[test]
    fn rotation_renames_and_keeps_the_asked_number() {
        let folder = Folder::new("rotate");
        let mut log = log_in(&folder, Some(10), 2);
        for line in ["one.\n", "two.\n", "three\n", "four.\n", "longer than ten bytes\n", "six\n"] {
            log.append_line(line);
        }
        assert_eq!(folder.read("logs.txt"), "six\n");
        assert_eq!(folder.read("logs.txt.1"), "longer than ten bytes\n");
        assert_eq!(folder.read("logs.txt.2"), "four.\n");
        assert_eq!(folder.read("logs.txt.3"), "entity not found");
    }

    #[test]
    fn rotation_goes_by_the_size_found_at_the_start() {
        let folder = Folder::new("size");
        fs::write(folder.0.join("logs.txt"), "from before\n").unwrap();
        log_in(&folder, Some(13), 1).append_line("new\n");
        assert_eq!(folder.read("logs.txt"), "new\n");
        assert_eq!(folder.read("logs.txt.1"), "from before\n");
    }

    #[test]
    fn a_rotation_that_stops_halfway_loses_no_line_and_pushes_no_file_out() {
        let folder = Folder::new("halfway");
        let mut log = log_in(&folder, Some(10), 2);
        log.append_line("one one\n");
        // The name for the oldest file is taken by a folder: the renames fail half way.
        fs::create_dir_all(folder.0.join("logs.txt.2/x")).unwrap();
        fs::write(folder.0.join("logs.txt.1"), "older\n").unwrap();
        log.append_line("two two\n");
        assert_eq!(folder.read("logs.txt"), "one one\ntwo two\n");
        assert_eq!(folder.read("logs.txt.1"), "older\n");
        fs::remove_dir_all(folder.0.join("logs.txt.2")).unwrap();
        log.retry_at = None;
        log.append_line("three\n");
        assert_eq!(folder.read("logs.txt"), "three\n");
        assert_eq!(folder.read("logs.txt.2"), "older\n");
    }

    #[test]
    fn reopening_follows_a_file_that_was_renamed() {
        let folder = Folder::new("reopen");
        let mut log = log_in(&folder, None, 1);
        log.append_line("one\n");
        fs::rename(folder.0.join("logs.txt"), folder.0.join("old")).unwrap();
        log.append_line("two\n");
        log.reopen();
        log.append_line("three\n");
        assert_eq!(folder.read("old"), "one\ntwo\n");
        assert_eq!(folder.read("logs.txt"), "three\n");
    }

    #[test]
    fn a_path_that_cannot_be_opened_is_tried_again() {
        let folder = Folder::new("retry");
        fs::create_dir_all(folder.0.join("logs.txt")).unwrap();
        let mut log = log_in(&folder, None, 1);
        log.append_line("lost\n");
        assert_eq!(log.lost_line_count, 1);
        fs::remove_dir(folder.0.join("logs.txt")).unwrap();
        log.retry_at = None;
        log.append_line("kept\n");
        assert_eq!((folder.read("logs.txt").as_str(), log.lost_line_count), ("kept\n", 0));
    }

    #[test]
    fn a_torn_line_does_not_spoil_the_next() {
        let folder = Folder::new("torn");
        let mut log = log_in(&folder, None, 1);
        log.append_line("half");
        log.is_torn = true;
        log.append_line("whole\n");
        log.append_line("next\n");
        assert_eq!(folder.read("logs.txt"), "half\nwhole\nnext\n");
    }

    #[test]
    fn a_full_disk_loses_lines_and_nothing_else() {
        let mut log = AppLog::open(
            "/dev/full".into(),
            Limits { file_bytes_max: Some(1), rotated_count_max: 1 },
        );
        log.append_line("lost\n");
        log.append_line("lost\n");
        assert_eq!(log.lost_line_count, 2);
        assert!(!Path::new("/dev/full.1").exists());
    }

    #[test]
    fn nothing_follows_the_last_line() {
        let folder = Folder::new("close");
        let mut log = log_in(&folder, None, 1);
        log.close("shutting down");
        log.append_line("too late\n");
        let text = folder.read("logs.txt");
        assert!(text.ends_with(" INFO shutting down\n") && text.lines().count() == 1, "{text}");
    }
}
