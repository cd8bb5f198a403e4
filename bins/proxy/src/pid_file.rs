//! nginx: `pid FILE`: the number of the serving process, for `-s` and for tools.
//!
//! Owns the file while the process serves. A folder that cannot be written is no reason not to
//! serve: a read-only root is the normal case, and `-s` finds the process without a file.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file that this process has written, if it has.
#[derive(Debug, Default)]
pub struct PidFile {
    written: Option<PathBuf>,
}

impl PidFile {
    /// Takes up what a configuration says. A file of another name is removed.
    pub fn take_up(&mut self, wanted: Option<&Path>) {
        if self.written.as_deref() == wanted {
            return;
        }
        self.remove();
        let Some(path) = wanted else { return };
        match write(path) {
            Ok(()) => self.written = Some(path.to_path_buf()),
            Err(error) => log::warn!("cannot write the pid file {}: {error}", path.display()),
        }
    }

    /// Removes the file, if it is still this process's.
    pub fn remove(&mut self) {
        if let Some(path) = self.written.take()
            && read(&path) == Ok(own_number())
        {
            let _ = fs::remove_file(path);
        }
    }
}

fn own_number() -> i32 {
    std::process::id().cast_signed()
}

/// Whoever reads it sees all of it: it is made under another name first.
fn write(path: &Path) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let new = path.with_file_name(name);
    // One left by a process of the same number, as every first process of a container has.
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).open(&new)?;
    let done = writeln!(file, "{}", std::process::id()).and_then(|()| fs::rename(&new, path));
    if done.is_err() {
        let _ = fs::remove_file(&new);
    }
    done
}

/// The number in a file; what is wrong with it is told in nginx's words.
///
/// # Errors
/// A sentence: the file cannot be read, or holds no number.
pub fn read(path: &Path) -> Result<i32, String> {
    let shown = path.display();
    let text =
        fs::read_to_string(path).map_err(|error| format!("open() \"{shown}\" failed ({error})"))?;
    let number = text.trim();
    match number.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("invalid PID number \"{number}\" in \"{shown}\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("pid-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn it_is_written_moved_and_removed() {
        let folder = folder("moved");
        let (a, b) = (folder.join("a"), folder.join("b"));
        let mut file = PidFile::default();
        file.take_up(None);
        assert_eq!(names(&folder), [""; 0]);
        file.take_up(Some(&a));
        assert_eq!((names(&folder), read(&a)), (vec!["a".to_owned()], Ok(own_number())));
        fs::write(&a, "somebody else's\n").unwrap();
        file.take_up(Some(&a));
        assert_eq!(fs::read_to_string(&a).unwrap(), "somebody else's\n", "not written again");
        file.take_up(Some(&b));
        assert_eq!(read(&b), Ok(own_number()));
        assert!(a.exists(), "what has become another's is left alone");
        file.remove();
        file.remove();
        assert_eq!(names(&folder), ["a"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let folder = folder("refused");
        let mut file = PidFile::default();
        file.take_up(Some(&folder.join("none/pid")));
        fs::create_dir(folder.join("pid")).unwrap();
        file.take_up(Some(&folder.join("pid")));
        assert_eq!(names(&folder), ["pid"]);
        file.remove();
        assert_eq!(names(&folder), ["pid"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_no_number_is_told_as_nginx_does() {
        let folder = folder("number");
        let path = folder.join("pid");
        let shown = path.display().to_string();
        for text in ["", "abc", "-1", "0", "99999999999"] {
            fs::write(&path, text).unwrap();
            let expected = format!("invalid PID number \"{text}\" in \"{shown}\"");
            assert_eq!(read(&path), Err(expected));
        }
        fs::write(&path, " 12\n").unwrap();
        assert_eq!(read(&path), Ok(12));
        fs::remove_dir_all(folder).unwrap();
    }
}
