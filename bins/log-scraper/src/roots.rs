//! How far symbolic links may lead.
//!
//! Owns which folder a path's links have to stay beneath. The proof is [`sys::beneath`]'s.

use std::path::{Component, Path, PathBuf};

use tail::pattern;

/// Where links may lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Anywhere.
    All,
    /// Beneath one folder.
    One(PathBuf),
    /// Beneath a folder for each path that was named.
    Each(Vec<PathBuf>),
}

impl Roots {
    /// Beneath `root` if there is one, else beneath a folder that goes with each of `paths`.
    pub(crate) fn new(root: Option<&Path>, paths: &[PathBuf]) -> Roots {
        match root {
            Some(root) => Roots::One(absolute(root)),
            None => Roots::Each(paths.iter().map(|path| root_of(&absolute(path))).collect()),
        }
    }

    /// The folder a path's links must stay beneath, and the path from there; nothing if they may
    /// lead anywhere.
    ///
    /// # Errors
    /// `None` if the path itself is outside.
    pub(crate) fn split(&self, path: &Path) -> Result<Option<(PathBuf, PathBuf)>, Outside> {
        let path = absolute(path);
        let root = match self {
            Roots::All => return Ok(None),
            Roots::One(root) => root.clone(),
            Roots::Each(_) if has_parent_dir(&path) => root_of(&path),
            // A rotated file may be in a folder of its own.
            Roots::Each(roots) => {
                let roots = roots.iter().filter(|root| path.starts_with(root));
                let longest = roots.max_by_key(|root| root.as_os_str().len());
                longest.cloned().unwrap_or_else(|| root_of(&path))
            }
        };
        let rest = path.strip_prefix(&root).map_err(|_| Outside)?.to_owned();
        Ok(Some((root, rest)))
    }
}

/// The path is not beneath the folder that was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outside;

/// The folder above the one the path is in, so that `current/app.log` may go through a link and
/// `containers/a.log` may lead to `pods/a.log`; but never the top of all folders, and none that a
/// pattern found.
fn root_of(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(path);
    if has_parent_dir(path) {
        return folder.to_owned();
    }
    let above = folder.parent().filter(|above| above.parent().is_some());
    let mut root = above.unwrap_or(folder);
    while let (true, Some(parent)) = (pattern::is_pattern(root), root.parent()) {
        root = parent;
    }
    root.to_owned()
}

fn has_parent_dir(path: &Path) -> bool {
    path.components().any(|component| component == Component::ParentDir)
}

/// With the current folder before it; the path as it is if there is none.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(roots: &Roots, path: &str, expected: Option<(&str, &str)>) {
        let split = roots.split(Path::new(path));
        let split = split.ok().flatten();
        let split = split.as_ref().map(|(root, path)| (root.to_str(), path.to_str()));
        assert_eq!(split, expected.map(|(root, path)| (Some(root), Some(path))), "{path}");
    }

    fn each(paths: &[&str]) -> Roots {
        Roots::new(None, &paths.iter().map(PathBuf::from).collect::<Vec<_>>())
    }

    #[test]
    fn without_a_root_it_is_the_folder_above_the_file_s() {
        let path = "/srv/app/current/app.log";
        check(&each(&[path]), path, Some(("/srv/app", "current/app.log")));
        check(
            &each(&[path]),
            "/srv/app/current/app.log.1",
            Some(("/srv/app", "current/app.log.1")),
        );
        check(&each(&[path]), "/archive/web/app.log.1", Some(("/archive", "web/app.log.1")));
        let path = "/logs/app.log";
        check(&each(&[path]), path, Some(("/logs", "app.log")));
        check(&each(&["/app.log"]), "/app.log", Some(("/", "app.log")));
        let path = "/srv/x/../app.log";
        check(&each(&[path]), path, Some(("/srv/x/..", "app.log")));
    }

    #[test]
    fn a_folder_that_a_pattern_found_is_no_root() {
        check(&each(&["/a/b/*.log"]), "/a/b/x.log", Some(("/a", "b/x.log")));
        check(&each(&["/a/*/b/*.log"]), "/a/x/b/y.log", Some(("/a", "x/b/y.log")));
        check(&each(&["/a/*/c/b/*.log"]), "/a/x/c/b/y.log", Some(("/a", "x/c/b/y.log")));
    }

    #[test]
    fn a_root_holds_for_every_path_and_all_is_no_root() {
        let one = Roots::new(Some(Path::new("/var/log")), &["/var/log/a/b/c.log".into()]);
        check(&one, "/var/log/a/b/c.log", Some(("/var/log", "a/b/c.log")));
        assert_eq!(one.split(Path::new("/var/lib/x.log")), Err(Outside));
        assert_eq!(Roots::All.split(Path::new("/a")), Ok(None));
    }
}
