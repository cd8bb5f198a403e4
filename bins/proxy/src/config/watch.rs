//! Noticing that the configuration has changed.
//!
//! A ConfigMap is changed by swapping the `..data` link that its files hang under, so what is
//! compared is what each path leads to now (device, inode, size, time of change), not a watch on
//! an inode that the swap leaves behind.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::Source;

type Mark = Option<(u64, u64, u64, i64, i64)>;

/// What the files of the configuration were when they were read.
pub struct Watch {
    marks: Vec<(PathBuf, Mark)>,
}

fn mark(path: &PathBuf) -> Mark {
    let meta = fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
}

impl Watch {
    /// The files of a configuration, and the folders they are in: a file may come or go.
    pub fn new(sources: &[Source]) -> Watch {
        let files = sources.iter().filter(|source| !source.built_in);
        let mut paths: Vec<PathBuf> = Vec::new();
        for source in files {
            paths.push(source.path.clone());
            if let Some(folder) = source.path.parent() {
                paths.push(folder.join("..data"));
            }
        }
        paths.sort();
        paths.dedup();
        let marks = paths.into_iter().map(|path| (path.clone(), mark(&path))).collect();
        let mut watch = Watch { marks };
        // A file that changed between being read and being marked counts as changed.
        for source in sources.iter().filter(|source| !source.built_in) {
            if fs::read(&source.path).ok().as_ref() != Some(&source.text) {
                watch.marks.push((source.path.clone(), None));
            }
        }
        watch
    }

    /// Whether any of them is another one now.
    pub fn has_changed(&self) -> bool {
        self.marks.iter().any(|(path, before)| mark(path) != *before)
    }

    /// A change was refused: it is not tried again until there is another.
    pub fn note_refused(&mut self) {
        for (path, before) in &mut self.marks {
            *before = mark(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_data_link_is_a_change() {
        let folder = std::env::temp_dir().join(format!("watch-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for version in ["v1", "v2"] {
            fs::create_dir_all(folder.join(version)).unwrap();
            fs::write(folder.join(version).join("nginx.conf"), "events {}").unwrap();
        }
        let data = folder.join("..data");
        std::os::unix::fs::symlink("v1", &data).unwrap();
        let file = folder.join("nginx.conf");
        std::os::unix::fs::symlink("..data/nginx.conf", &file).unwrap();
        let source = Source { path: file, text: b"events {}".to_vec(), built_in: false };
        let mut watch = Watch::new(&[source]);
        assert!(!watch.has_changed());
        std::os::unix::fs::symlink("v2", folder.join("..tmp")).unwrap();
        fs::rename(folder.join("..tmp"), &data).unwrap();
        assert!(watch.has_changed());
        watch.note_refused();
        assert!(!watch.has_changed());
        fs::remove_dir_all(&folder).unwrap();
    }
}
