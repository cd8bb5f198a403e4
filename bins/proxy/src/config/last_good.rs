//! The last configuration that was in force, kept in a folder for the next start.
//!
//! Owns what is kept, all that the load has read with the paths that it was read from, and the file
//! that it is kept in. Whether it is good is for the load to say, once more: another version of the
//! program may see it otherwise.
//!
//! ```text
//! sidecar-kit configuration 1
//! file 57 /etc/nginx/nginx.conf
//! events {} http { include conf.d/*.conf; }
//! match /etc/nginx/conf.d/*.conf
//! found /etc/nginx/conf.d/a.conf
//! file …
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nginx_conf::parse::BYTES_MAX;

/// Name of the file, and of the one that takes its place once it is whole.
const NAME: &str = "last-good";
const NEW_NAME: &str = "last-good.new";
const TITLE: &[u8] = b"sidecar-kit configuration 1\n";
/// Bytes beside the texts: a path for each file, and those that patterns found.
const PATHS_BYTES_MAX: usize = 1 << 20;

/// What a load has read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    files: BTreeMap<PathBuf, Vec<u8>>,
    patterns: BTreeMap<PathBuf, Vec<PathBuf>>,
}

impl Snapshot {
    /// A file was read.
    pub fn note_file(&mut self, path: &Path, bytes: &[u8]) {
        self.files.insert(path.to_owned(), bytes.to_vec());
    }

    /// A pattern was looked for.
    pub fn note_pattern(&mut self, pattern: &Path, found: &[PathBuf]) {
        self.patterns.insert(pattern.to_owned(), found.to_vec());
    }

    /// The text of a file; `None` if none was there.
    pub fn file(&self, path: &Path) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// The paths that a pattern found.
    pub fn pattern(&self, pattern: &Path) -> Vec<PathBuf> {
        self.patterns.get(pattern).cloned().unwrap_or_default()
    }

    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = TITLE.to_vec();
        let mut push = |word: &str, path: &Path, text: &[u8]| {
            let path = path.as_os_str().as_bytes();
            if path.contains(&b'\n') {
                return Err(io::Error::other("a path with a line end"));
            }
            bytes.extend_from_slice(word.as_bytes());
            bytes.extend_from_slice(path);
            bytes.push(b'\n');
            bytes.extend_from_slice(text);
            Ok(())
        };
        for (pattern, found) in &self.patterns {
            push("match ", pattern, b"")?;
            found.iter().try_for_each(|path| push("found ", path, b""))?;
        }
        for (path, text) in &self.files {
            push(&format!("file {} ", text.len()), path, text)?;
        }
        Ok(bytes)
    }

    fn of(bytes: &[u8]) -> Option<Snapshot> {
        let mut snapshot = Snapshot::default();
        let mut rest = bytes.strip_prefix(TITLE)?;
        let mut pattern = None;
        while !rest.is_empty() {
            let (line, behind) = split_at_byte(rest, b'\n')?;
            let (word, said) = split_at_byte(line, b' ')?;
            rest = behind;
            match word {
                b"match" => {
                    pattern = Some(path_of(said));
                    snapshot.note_pattern(&path_of(said), &[]);
                }
                b"found" => {
                    let found = snapshot.patterns.get_mut(pattern.as_ref()?)?;
                    found.push(path_of(said));
                }
                b"file" => {
                    let (len, path) = split_at_byte(said, b' ')?;
                    let len = std::str::from_utf8(len).ok()?.parse().ok()?;
                    let (text, behind) = rest.split_at_checked(len)?;
                    snapshot.note_file(&path_of(path), text);
                    rest = behind;
                }
                _ => return None,
            }
        }
        Some(snapshot)
    }
}

fn split_at_byte(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|b| *b == byte)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

fn path_of(bytes: &[u8]) -> PathBuf {
    std::ffi::OsStr::from_bytes(bytes).into()
}

/// The folder that it is kept in.
#[derive(Debug, Clone)]
pub struct LastGood {
    folder: PathBuf,
}

impl LastGood {
    /// `--last-good`: nothing is looked at yet.
    pub fn new(folder: PathBuf) -> LastGood {
        LastGood { folder }
    }

    /// The file, for messages.
    pub fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// Keeps a configuration, unless it is the one that is kept already. What was kept before is
    /// there until the new one is whole.
    ///
    /// # Errors
    /// Those of the file system; then what was kept before may be all there is.
    pub fn keep(&self, snapshot: &Snapshot) -> io::Result<()> {
        let bytes = snapshot.to_bytes()?;
        if fs::read(self.path()).is_ok_and(|kept| kept == bytes) {
            return Ok(());
        }
        let new = self.folder.join(NEW_NAME);
        let mut file = fs::File::create(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(new, self.path())
    }

    /// What is kept; `None` if nothing is.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(&self) -> Result<Option<Snapshot>, String> {
        let path = self.path();
        let shown = path.display();
        let bound = (BYTES_MAX + PATHS_BYTES_MAX) as u64;
        let len = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{shown}: {error}")),
            Ok(seen) => seen.len(),
        };
        if len > bound {
            return Err(format!("{shown}: {len} bytes, expected {bound} at most"));
        }
        let bytes = fs::read(&path).map_err(|error| format!("{shown}: {error}"))?;
        let snapshot = Snapshot::of(&bytes);
        snapshot.map(Some).ok_or_else(|| format!("{shown}: no configuration that was kept"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.note_file(Path::new("/etc/nginx/a b.conf"), b"one\nfile 3 x\n");
        snapshot.note_file(Path::new("/etc/nginx/empty"), b"");
        let pattern = Path::new("/etc/nginx/conf.d/*.conf");
        snapshot.note_pattern(pattern, &["/etc/nginx/conf.d/a.conf".into(), "/b".into()]);
        snapshot.note_pattern(Path::new("none*"), &[]);
        snapshot
    }

    #[test]
    fn what_is_kept_comes_back_whole() {
        let folder = std::env::temp_dir().join(format!("last-good-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let last_good = LastGood::new(folder.clone());
        assert_eq!(last_good.read(), Ok(None));
        for kept in [Snapshot::default(), snapshot(), snapshot()] {
            last_good.keep(&kept).unwrap();
            assert_eq!(last_good.read(), Ok(Some(kept)));
        }
        fs::write(last_good.path(), "listen 80;").unwrap();
        assert!(last_good.read().unwrap_err().ends_with("no configuration that was kept"));
        fs::remove_dir_all(&folder).unwrap();
        assert!(last_good.keep(&snapshot()).is_err());
    }

    #[test]
    fn what_was_cut_anywhere_is_refused_or_has_less_in_it() {
        let bytes = snapshot().to_bytes().unwrap();
        for cut in 0..bytes.len() {
            assert_ne!(Snapshot::of(&bytes[..cut]), Some(snapshot()), "cut at {cut}");
        }
        let mut wrong = snapshot();
        wrong.note_file(Path::new("/a\nb"), b"");
        assert!(wrong.to_bytes().is_err());
    }
}
