//! The application's log file: one line per request, one write(2) per line, rotated by rename, so
//! that whoever follows it by inode misses nothing. A file that cannot be written is no reason to
//! stop serving: it is said at most once a minute, lost lines are counted, each line tries again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use log::{info, warn};
use sidecar::logging::{Throttle, rfc3339_millis};

/// Bytes of a field of the line that are written, so that it stays under PIPE_BUF's 4 KiB.
const FIELD_BYTES_MAX: usize = 1024;

/// The log file and its state.
#[derive(Debug, Default)]
pub(crate) struct AppLog {
    path: PathBuf,
    /// A line that would pass this size goes to a new file. 0: no rotation.
    file_bytes_max: u64,
    rotated_count_max: u32,
    file: Option<File>,
    /// A line was cut short by a full disk: the next one must not be glued to it.
    is_torn: bool,
    lost_line_count: u64,
    throttle: Throttle,
}

impl AppLog {
    /// Opens `path` for appending.
    pub(crate) fn open(path: PathBuf, file_bytes_max: u64, rotated_count_max: u32) -> AppLog {
        let mut log = AppLog { path, file_bytes_max, rotated_count_max, ..AppLog::default() };
        log.reopen();
        log
    }

    /// Opens the path, anew for whoever has renamed the file. If it fails all stays as it was.
    pub(crate) fn reopen(&mut self) {
        match self.open_file() {
            Ok(()) => info!("opened {}", self.path.display()),
            Err(error) => self.complain("open", &error),
        }
    }

    /// Appends a line of time, level and `message`.
    pub(crate) fn append(&mut self, level: &str, message: &str) {
        self.append_line(&format!("{} {level} {message}\n", rfc3339_millis(SystemTime::now())));
    }

    fn append_line(&mut self, line: &str) {
        if let Err(error) = self.write(line) {
            self.lost_line_count += 1;
            self.complain("write to", &error);
        } else if self.lost_line_count > 0 {
            let lost = std::mem::take(&mut self.lost_line_count);
            info!("writing to {} again, {lost} lines were lost", self.path.display());
        }
    }

    fn complain(&mut self, what: &str, error: &io::Error) {
        if self.throttle.allow(Instant::now()).is_some() {
            let (path, lost) = (self.path.display(), self.lost_line_count);
            warn!("cannot {what} {path}: {error}; serving goes on, {lost} lines lost so far");
        }
    }

    fn open_file(&mut self) -> io::Result<()> {
        self.path.parent().map_or(Ok(()), fs::create_dir_all)?;
        self.file = Some(OpenOptions::new().append(true).create(true).open(&self.path)?);
        self.is_torn = false;
        Ok(())
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        if let Err(error) = self.make_room(line.len() as u64) {
            self.complain("open or rotate", &error);
        }
        // Without room it is the old file: too large a one is better than lost lines.
        let Some(file) = &mut self.file else { return Err(ErrorKind::NotFound.into()) };
        let text = format!("{}{line}", if self.is_torn { "\n" } else { "" });
        self.is_torn = file.write(text.as_bytes())? < text.len();
        if self.is_torn { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// If need be, renames FILE.n to FILE.n+1 (the last is overwritten), FILE to FILE.1, and opens
    /// a new FILE. Never a device or pipe, nor an empty file, which takes a line of any length.
    fn make_room(&mut self, line_bytes: u64) -> io::Result<()> {
        let Some(file) = &self.file else { return self.open_file() };
        let (found, max) = (file.metadata()?, self.file_bytes_max);
        let bytes = if found.is_file() { found.len() } else { 0 };
        if max == 0 || bytes == 0 || bytes + line_bytes <= max {
            return Ok(());
        }
        let name = |number: u32| match number {
            0 => self.path.clone(),
            _ => format!("{}.{number}", self.path.display()).into(),
        };
        // Without a FILE an earlier try got as far as renaming: once more would lose the oldest.
        let count = if self.path.try_exists()? { self.rotated_count_max } else { 0 };
        for number in (0..count).rev() {
            if name(number).try_exists()? {
                fs::rename(name(number), name(number + 1))?;
            }
        }
        self.open_file()
    }
}

/// `METHOD TARGET STATUS CLIENT` of a request, separated by single spaces.
pub(crate) fn message_of(method: &str, target: &str, status: u16, client: &str) -> String {
    let [method, target, client] = [method, target, client].map(escaped);
    format!("{method} {target} {status} {client}")
}

/// What could end the line or the field, move a terminal's cursor or be taken for an escape
/// becomes `\xNN`; an empty text becomes `-`, and one that is cut ends in `...`.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'!'..=b'[' | b']'..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02X}"),
    };
    let field: String = text.bytes().take(FIELD_BYTES_MAX).map(escape).collect();
    match text.len() {
        0 => "-".to_owned(),
        1..=FIELD_BYTES_MAX => field,
        _ => field + "...",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn log_in(folder: &Folder, file_bytes_max: u64, rotated_count_max: u32) -> AppLog {
        AppLog::open(folder.0.join("logs.txt"), file_bytes_max, rotated_count_max)
    }

    #[track_caller]
    fn check(method: &str, target: &str, status: u16, client: &str, expected: &str) {
        assert_eq!(message_of(method, target, status, client), expected);
    }

    #[test]
    fn a_message_has_method_path_status_and_client() {
        check("GET", "/", 200, "10.1.2.3", "GET / 200 10.1.2.3");
        check("GET", "/x?a=b", 404, "::1", "GET /x?a=b 404 ::1");
        check("POST", "/", 405, "", "POST / 405 -");
    }

    #[test]
    fn bytes_that_could_forge_a_line_or_field_are_escaped() {
        check(
            "GET",
            "/\x1b[2J\r\n\\",
            200,
            "a b\t",
            "GET /\\x1B[2J\\x0D\\x0A\\x5C 200 a\\x20b\\x09",
        );
        check("GET", "/é\u{7f}\0", 200, "c", "GET /\\xC3\\xA9\\x7F\\x00 200 c");
    }

    #[test]
    fn a_line_stays_short_however_long_the_request() {
        let (target, client) = ("a".repeat(1 << 20), "9".repeat(9999));
        let line = message_of("GET", &target, 404, &client);
        assert!(line.len() < 4096 && line.ends_with("999..."), "{}", line.len());
    }

    #[test]
    fn the_folder_is_made_and_lines_are_appended() {
        let folder = Folder::new("made");
        let path = folder.0.join("a/b/logs.txt");
        for _ in 0..2 {
            AppLog::open(path.clone(), 0, 1).append_line("line\n");
        }
        assert_eq!(folder.read("a/b/logs.txt"), "line\nline\n");
    }

    #[test]
    fn rotation_renames_and_keeps_the_asked_number() {
        let folder = Folder::new("rotate");
        let mut log = log_in(&folder, 10, 2);
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
        log_in(&folder, 13, 1).append_line("new\n");
        assert_eq!(folder.read("logs.txt"), "new\n");
        assert_eq!(folder.read("logs.txt.1"), "from before\n");
    }

    #[test]
    fn a_rotation_that_stops_halfway_loses_no_line_and_pushes_no_file_out() {
        let folder = Folder::new("halfway");
        let mut log = log_in(&folder, 10, 2);
        log.append_line("one one\n");
        // The name for the oldest file is taken by a folder: the renames fail half way.
        fs::create_dir_all(folder.0.join("logs.txt.2/x")).unwrap();
        fs::write(folder.0.join("logs.txt.1"), "older\n").unwrap();
        log.append_line("two two\n");
        assert_eq!(folder.read("logs.txt"), "one one\ntwo two\n");
        assert_eq!(folder.read("logs.txt.1"), "older\n");
        fs::remove_dir_all(folder.0.join("logs.txt.2")).unwrap();
        log.append_line("three\n");
        assert_eq!(folder.read("logs.txt"), "three\n");
        assert_eq!(folder.read("logs.txt.2"), "older\n");
    }

    #[test]
    fn reopening_follows_a_file_that_was_renamed() {
        let folder = Folder::new("reopen");
        let mut log = log_in(&folder, 0, 1);
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
        let mut log = log_in(&folder, 0, 1);
        log.append_line("lost\n");
        assert_eq!(log.lost_line_count, 1);
        fs::remove_dir(folder.0.join("logs.txt")).unwrap();
        log.append_line("kept\n");
        assert_eq!((folder.read("logs.txt").as_str(), log.lost_line_count), ("kept\n", 0));
    }

    #[test]
    fn a_torn_line_does_not_spoil_the_next() {
        let folder = Folder::new("torn");
        let mut log = log_in(&folder, 0, 1);
        log.append_line("half");
        log.is_torn = true;
        log.append_line("whole\n");
        log.append_line("next\n");
        assert_eq!(folder.read("logs.txt"), "half\nwhole\nnext\n");
    }

    #[test]
    fn a_full_disk_loses_lines_and_nothing_else() {
        let mut log = AppLog::open("/dev/full".into(), 1, 1);
        log.append_line("lost\n");
        log.append_line("lost\n");
        assert_eq!(log.lost_line_count, 2);
        assert!(!PathBuf::from("/dev/full.1").exists());
    }
}
