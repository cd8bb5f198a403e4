//! What a load has looked at, and whether any of it is another one now.
//!
//! Each file is marked before it is read, also one that is not there, and each pattern keeps the
//! names that it found; so a change between the mark and the read is seen with the next look, and
//! a load that was refused is tried again when what it stumbled over has changed. A ConfigMap is
//! changed by swapping the `..data` link that its files hang under: what counts is what a path
//! leads to, not an inode that the swap leaves behind.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::files;
use super::last_good::Snapshot;
use super::templates::Templates;

/// Two writes within so long may leave one time of change: clocks of file systems tick by
/// milliseconds, old ones by seconds.
const TICK_MAX: Duration = Duration::from_secs(2);

/// Device, inode, size, time of change of content and of anything; `None` where there is nothing.
type Mark = Option<[i128; 5]>;

fn mark(path: &Path) -> Mark {
    let seen = fs::metadata(path).ok()?;
    let time = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Some([
        seen.dev().into(),
        seen.ino().into(),
        seen.size().into(),
        time(seen.mtime(), seen.mtime_nsec()),
        time(seen.ctime(), seen.ctime_nsec()),
    ])
}

/// A file as it was just before it was read.
#[derive(Debug)]
struct File {
    path: PathBuf,
    mark: Mark,
    /// What it said, while it is so young that a change may leave its mark as it is.
    young: Option<u64>,
}

impl File {
    fn has_changed(&mut self, now: SystemTime) -> bool {
        if mark(&self.path) != self.mark {
            return true;
        }
        let Some(before) = self.young else { return false };
        if digest(&files::read_whole(&self.path)) != before {
            return true;
        }
        self.young = is_young(self.mark, now).then_some(before);
        false
    }
}

fn is_young(mark: Mark, now: SystemTime) -> bool {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let tick = TICK_MAX.as_nanos().cast_signed();
    mark.is_some_and(|mark| mark[4] + tick >= now.cast_signed())
}

fn digest(read: &Result<Vec<u8>, String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    read.hash(&mut hasher);
    hasher.finish()
}

/// What was looked at.
#[derive(Debug, Default)]
pub struct Watch {
    files: Vec<File>,
    /// Patterns, and the paths that matched.
    patterns: Vec<(PathBuf, Vec<PathBuf>)>,
    /// Where templates were looked for, and those that were there.
    templates: Option<(Templates, PathBuf, Vec<PathBuf>)>,
    /// Files that are made of templates: each template and the text.
    made: BTreeMap<PathBuf, (PathBuf, Vec<u8>)>,
    /// All that was read, where that is to be kept.
    pub(super) taken: Option<Snapshot>,
    /// What is read in place of the disk.
    given: Option<Snapshot>,
}

impl Watch {
    /// Takes down what it reads.
    pub(super) fn taking() -> Watch {
        Watch { taken: Some(Snapshot::default()), ..Watch::default() }
    }

    /// Looks at nothing but what was kept.
    pub(super) fn of(given: Snapshot) -> Watch {
        Watch { given: Some(given), ..Watch::default() }
    }

    /// Whether there is anything at a path.
    pub(super) fn exists(&self, path: &Path) -> bool {
        match &self.given {
            Some(given) => given.file(path).is_some(),
            None => self.made.contains_key(path) || path.exists(),
        }
    }

    /// Reads a file, with nginx's words for what goes wrong.
    pub fn read(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        if let Some(given) = &self.given {
            return given.file(path).map(<[u8]>::to_vec).ok_or_else(|| files::missing(path));
        }
        let made = self.made.get(path).map(|(_, text)| text.clone());
        let read = made.map_or_else(|| self.read_disk(path), Ok);
        if let (Some(taken), Ok(bytes)) = (&mut self.taken, &read) {
            taken.note_file(path, bytes);
        }
        read
    }

    fn read_disk(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        let now = SystemTime::now();
        let mark = mark(path);
        let read = files::read_whole(path);
        let young = is_young(mark, now).then(|| digest(&read));
        self.files.push(File { path: path.to_path_buf(), mark, young });
        read
    }

    /// The paths that match a pattern, sorted.
    pub fn glob(&mut self, pattern: &Path) -> Vec<PathBuf> {
        if let Some(given) = &self.given {
            return given.pattern(pattern);
        }
        let on_disk = files::glob(pattern);
        let made = self.made.keys().filter(|path| files::is_found(pattern, path)).cloned();
        let mut found: Vec<_> = on_disk.iter().cloned().chain(made).collect();
        found.sort_unstable();
        found.dedup();
        if let Some(taken) = &mut self.taken {
            taken.note_pattern(pattern, &found);
        }
        self.patterns.push((pattern.to_path_buf(), on_disk));
        found
    }

    /// From now on the files that the templates in `from` stand for are there, below `to`, as if
    /// nginx's image had written them. Returns what is wrong with templates that cannot be read.
    pub(super) fn make(&mut self, templates: &Templates, from: &Path, to: &Path) -> Vec<String> {
        if self.given.is_some() {
            // They are among what was kept.
            return Vec::new();
        }
        let found = templates.find(from);
        let mut problems = Vec::new();
        for (path, made) in &found {
            match self.read_disk(path) {
                Ok(text) => {
                    self.made.insert(to.join(made), (path.clone(), templates.fill(&text)));
                }
                Err(problem) => problems.push(problem),
            }
        }
        let found = found.into_iter().map(|(path, _)| path).collect();
        self.templates = Some((templates.clone(), from.to_owned(), found));
        problems
    }

    /// Where a person finds the text of a path: a file that was made has that of its template.
    pub(super) fn name_of<'p>(&'p self, path: &'p Path) -> &'p Path {
        self.made.get(path).map_or(path, |(template, _)| template)
    }

    /// Whether any of it is another one now.
    pub fn has_changed(&mut self) -> bool {
        let now = SystemTime::now();
        self.files.iter_mut().any(|file| file.has_changed(now))
            || self.patterns.iter().any(|(pattern, found)| files::glob(pattern) != *found)
            || self.templates.iter().any(|(templates, from, found)| {
                let now = templates.find(from);
                !now.iter().map(|(path, _)| path).eq(found)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("watch-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_swapped_data_link_is_a_change() {
        let folder = folder("swap");
        for version in ["v1", "v2"] {
            fs::create_dir_all(folder.join(version)).unwrap();
            fs::write(folder.join(version).join("nginx.conf"), "events {}").unwrap();
        }
        let data = folder.join("..data");
        symlink("v1", &data).unwrap();
        let file = folder.join("nginx.conf");
        symlink("..data/nginx.conf", &file).unwrap();
        let mut watch = Watch::default();
        assert_eq!(watch.read(&file), Ok(b"events {}".to_vec()));
        assert!(!watch.has_changed());
        symlink("v2", folder.join("..tmp")).unwrap();
        fs::rename(folder.join("..tmp"), &data).unwrap();
        assert!(watch.has_changed());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_that_comes_and_one_that_goes_are_changes() {
        let folder = folder("come");
        let (file, other) = (folder.join("a.conf"), folder.join("other"));
        let mut watch = Watch::default();
        assert!(watch.read(&file).is_err());
        assert!(watch.glob(&folder.join("*.conf")).is_empty());
        assert!(!watch.has_changed());
        fs::write(&other, "").unwrap();
        assert!(!watch.has_changed(), "what no pattern names is nobody's affair");
        fs::write(&file, "").unwrap();
        assert!(watch.has_changed());
        let mut watch = Watch::default();
        assert_eq!(watch.glob(&folder.join("*.conf")), std::slice::from_ref(&file));
        assert!(!watch.has_changed());
        fs::remove_file(&file).unwrap();
        assert!(watch.has_changed());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_change_that_leaves_no_mark_is_seen_while_the_file_is_young() {
        let folder = folder("young");
        let file = folder.join("a");
        fs::write(&file, "one").unwrap();
        let mut watch = Watch::default();
        watch.read(&file).unwrap();
        fs::write(&file, "two").unwrap();
        // As if both had come within one tick of the file system's clock.
        watch.files[0].mark = mark(&file);
        assert!(watch.has_changed());
        // Once it is old, any change has another time, and it is not read again and again.
        let mut watch = Watch::default();
        watch.read(&file).unwrap();
        let later = SystemTime::now() + TICK_MAX * 2;
        assert!(!watch.files[0].has_changed(later));
        assert_eq!(watch.files[0].young, None);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_change_between_mark_and_read_is_seen_next_time() {
        let folder = folder("between");
        let file = folder.join("a");
        fs::write(&file, "one").unwrap();
        let mut watch = Watch::default();
        watch.read(&file).unwrap();
        let before = watch.files[0].mark;
        fs::write(&file, "another").unwrap();
        let mut watch = Watch::default();
        watch.read(&file).unwrap();
        // The mark was made, then the file changed, then it was read.
        watch.files[0].mark = before;
        assert!(watch.has_changed());
        fs::remove_dir_all(&folder).unwrap();
    }
}
