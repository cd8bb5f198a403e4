//! Owns the copy of the sources in which faults are planted. The work tree itself is only read.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::list::Mutant;

/// What of the repository is needed to build and test the packages.
const PARTS: [&str; 5] = ["Cargo.lock", "Cargo.toml", "README.md", "bins", "crates"];

/// A copy of the sources.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
}

/// A fault that is planted; dropped, the sources are as they were.
#[derive(Debug)]
pub(crate) struct Planted {
    originals: Vec<(PathBuf, String)>,
}

impl Tree {
    /// Makes the copy at `root` the same as the sources at `repository`. A file that is the same
    /// already is not touched, so that it is not compiled again.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub(crate) fn copy(repository: &Path, root: &Path) -> io::Result<Self> {
        let mut wanted = BTreeSet::new();
        for part in PARTS {
            files(repository, Path::new(part), &mut wanted)?;
        }
        let mut there = BTreeSet::new();
        for part in PARTS.iter().filter(|part| root.join(part).exists()) {
            files(root, Path::new(part), &mut there)?;
        }
        for gone in there.difference(&wanted) {
            fs::remove_file(root.join(gone))?;
        }
        for path in &wanted {
            let (content, to) = (fs::read(repository.join(path))?, root.join(path));
            if fs::read(&to).is_ok_and(|former| former == content) {
                continue;
            }
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(to, content)?;
        }
        Ok(Self { root: root.to_owned() })
    }

    /// Where it is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Plants a fault.
    ///
    /// # Errors
    /// If a text of the fault is not in the sources exactly once: the list is out of date.
    pub(crate) fn plant(&self, mutant: &Mutant) -> Result<Planted, String> {
        let mut planted = Planted { originals: Vec::new() };
        for edit in &mutant.edits {
            let mut changed = None;
            for path in self.sources(&mutant.place)? {
                let source = fs::read_to_string(&path).map_err(|error| say(&path, &error))?;
                let Some(new) = edit.apply(&source)? else { continue };
                if changed.replace((path, source, new)).is_some() {
                    return Err(format!("the text is in several files: {:?}", edit.find));
                }
            }
            let (path, source, new) =
                changed.ok_or_else(|| format!("the text is not there: {:?}", edit.find))?;
            fs::write(&path, new).map_err(|error| say(&path, &error))?;
            planted.originals.push((path, source));
        }
        Ok(planted)
    }

    fn sources(&self, place: &Path) -> Result<Vec<PathBuf>, String> {
        let mut found = BTreeSet::new();
        files(&self.root, place, &mut found).map_err(|error| say(place, &error))?;
        let rust = found.into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
        Ok(rust.map(|path| self.root.join(path)).collect())
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        // The last change first: two may be to one file.
        for (path, original) in self.originals.iter().rev() {
            if let Err(error) = fs::write(path, original) {
                eprintln!("mutants: {}", say(path, &error));
            }
        }
    }
}

fn say(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Adds all files at and beneath `path`, seen from `root`, without what was built.
fn files(root: &Path, path: &Path, found: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let full = root.join(path);
    if !full.is_dir() {
        fs::metadata(&full)?;
        found.insert(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(&full)? {
        let name = entry?.file_name();
        if name != "target" {
            files(root, &path.join(name), found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::Edit;

    /// A repository and the place of its copy, in a fresh folder that is removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("mutants-{}-{name}", std::process::id()));
            for part in ["from/bins", "from/crates/a/target"] {
                fs::create_dir_all(path.join(part)).unwrap();
            }
            for file in
                ["Cargo.toml", "Cargo.lock", "README.md", "crates/a/lib.rs", "crates/a/target/x"]
            {
                fs::write(path.join("from").join(file), "let a = b;\n").unwrap();
            }
            Folder(path)
        }

        fn copy(&self) -> Tree {
            Tree::copy(&self.0.join("from"), &self.0.join("to")).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn mutant(edits: &[(&str, &str)]) -> Mutant {
        let edit = |(find, put): &(&str, &str)| Edit { find: (*find).into(), put: (*put).into() };
        Mutant {
            name: "name".to_owned(),
            place: "crates".into(),
            wrong: String::new(),
            package: String::new(),
            edits: edits.iter().map(edit).collect(),
        }
    }

    #[test]
    fn the_copy_follows_its_source_and_has_nothing_that_was_built() {
        let folder = Folder::new("copy");
        let tree = folder.copy();
        assert!(!tree.root().join("crates/a/target").exists());
        fs::rename(folder.0.join("from/crates/a/lib.rs"), folder.0.join("from/crates/a/b.rs"))
            .unwrap();
        folder.copy();
        assert!(!tree.root().join("crates/a/lib.rs").exists());
        assert!(tree.root().join("crates/a/b.rs").exists());
    }

    #[test]
    fn a_fault_is_there_until_it_is_dropped() {
        let folder = Folder::new("plant");
        let tree = folder.copy();
        let read = || fs::read_to_string(tree.root().join("crates/a/lib.rs")).unwrap();
        let planted = tree.plant(&mutant(&[("a", "c"), ("b", "d")])).unwrap();
        assert_eq!(read(), "let c = d;\n");
        drop(planted);
        assert_eq!(read(), "let a = b;\n");
    }

    #[test]
    fn a_fault_whose_text_is_gone_is_refused_and_leaves_nothing_behind() {
        let folder = Folder::new("gone");
        let tree = folder.copy();
        let refused = tree.plant(&mutant(&[("a", "c"), ("gone", "d")]));
        assert!(refused.unwrap_err().contains("not there"));
        let source = fs::read_to_string(tree.root().join("crates/a/lib.rs")).unwrap();
        assert_eq!(source, "let a = b;\n");
    }
}
