//! Folders: the names in a directory, and the file each of them leads to.
//!
//! Owns the listings. A folder is listed once per look, however many followed paths are in it,
//! and hints keep the listing up to date between looks. What a file is to whom is decided
//! elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::compressed::is_compressed;
use crate::fs::{Fault, FileId, Fs, Probe};
use crate::pattern::RotatedNames;

/// One directory.
#[derive(Debug)]
struct Folder {
    /// Names in it, or why there are none to be had.
    names: Result<BTreeSet<OsString>, Fault>,
    /// Its own path without links in it, once somebody asked.
    real: Option<Result<PathBuf, Fault>>,
    /// The names of each inode number, once somebody asked for a file by what it is.
    by_number: Option<HashMap<u64, Vec<OsString>>>,
    /// The look in which it was listed.
    listed_in: u64,
}

/// All directories that followed paths are in.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    map: BTreeMap<PathBuf, Folder>,
    /// The present look.
    look: u64,
}

/// Files are being moved: what was seen is not a state that ever was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moving;

impl Folders {
    /// Looks at paths begin, with what was read before.
    pub(crate) fn begin_look(&mut self) {
        self.look += 1;
    }

    /// Whether a directory was listed since the present look began.
    pub(crate) fn is_listed_anew(&self, dir: &Path) -> bool {
        self.map.get(dir).is_some_and(|folder| folder.listed_in == self.look)
    }

    /// Lists anew what is asked for from now on.
    pub(crate) fn forget(&mut self) {
        self.map.clear();
    }

    /// Lists these anew when they are asked for the next time.
    pub(crate) fn forget_some(&mut self, dirs: &BTreeSet<PathBuf>) {
        dirs.iter().for_each(|dir| {
            self.map.remove(dir);
        });
    }

    /// The names in a directory, from the listing that is at hand or a new one.
    pub(crate) fn names(
        &mut self,
        fs: &mut dyn Fs,
        dir: &Path,
    ) -> Result<&BTreeSet<OsString>, Fault> {
        self.folder(fs, dir).names.as_ref().map_err(|fault| *fault)
    }

    fn folder(&mut self, fs: &mut dyn Fs, dir: &Path) -> &mut Folder {
        let listed_in = self.look;
        self.map.entry(dir.to_owned()).or_insert_with(|| Folder {
            names: fs.list(dir).map(|names| names.into_iter().collect()),
            real: None,
            by_number: None,
            listed_in,
        })
    }

    /// Where a path leads to. Of one that is no link itself the folder alone is asked, once.
    pub(crate) fn resolve(&mut self, fs: &mut dyn Fs, path: &Path) -> Result<PathBuf, Fault> {
        let Some(name) = path.file_name().filter(|_| !fs.is_link(path)) else {
            return fs.resolve(path);
        };
        let dir = dir_of(path);
        let folder = self.folder(fs, dir);
        let real = folder.real.get_or_insert_with(|| fs.resolve(dir));
        real.as_ref().map(|real| real.join(name)).map_err(|fault| *fault)
    }

    /// A name came, went, or leads to another file now.
    pub(crate) fn hint(&mut self, dir: &Path, name: &OsStr, is_there: bool) {
        let Some(folder) = self.map.get_mut(dir) else { return };
        folder.by_number = None;
        match &mut folder.names {
            Ok(names) if is_there => {
                names.insert(name.to_owned());
            }
            Ok(names) => {
                names.remove(name);
            }
            Err(_) => {
                self.map.remove(dir);
            }
        }
    }

    /// The names in a directory that rotated files have, in byte order.
    pub(crate) fn rotated(
        &mut self,
        fs: &mut dyn Fs,
        names: &RotatedNames,
    ) -> Result<Vec<PathBuf>, Fault> {
        self.fitting(fs, names, |name| names.contains(name))
    }

    /// The names in a directory that rotated files have once they are compressed.
    pub(crate) fn packed(
        &mut self,
        fs: &mut dyn Fs,
        names: &RotatedNames,
    ) -> Result<Vec<PathBuf>, Fault> {
        self.fitting(fs, names, |name| names.contains_packed(name))
    }

    fn fitting(
        &mut self,
        fs: &mut dyn Fs,
        names: &RotatedNames,
        fits: impl Fn(&OsStr) -> bool,
    ) -> Result<Vec<PathBuf>, Fault> {
        let prefix = OsStr::from_bytes(names.prefix()).to_owned();
        let listed = self.names(fs, &names.dir)?;
        let from = listed.range(prefix.clone()..);
        let alike = from.take_while(|name| name.as_bytes().starts_with(prefix.as_bytes()));
        let fitting = alike.filter(|name| fits(name));
        Ok(fitting.map(|name| join(&names.dir, name)).collect())
    }

    /// Looks for a file among all of a directory, whatever its name.
    pub(crate) fn find(
        &mut self,
        fs: &mut dyn Fs,
        dir: &Path,
        wanted: impl Fn(FileId) -> bool,
        ino: u64,
    ) -> Result<Option<(PathBuf, Probe)>, Moving> {
        if self.names(fs, dir).is_err() {
            return Ok(None);
        }
        if self.folder(fs, dir).by_number.is_none() {
            let by_number = self.number(fs, dir)?;
            self.folder(fs, dir).by_number = Some(by_number);
        }
        let Some(by_number) = &self.folder(fs, dir).by_number else { return Ok(None) };
        for name in by_number.get(&ino).cloned().unwrap_or_default() {
            let path = join(dir, &name);
            match fs.probe_path(&path) {
                Ok(probe) if wanted(probe.id) && is_link_to_compressed(fs, &path) => {}
                Ok(probe) if wanted(probe.id) => return Ok(Some((path, probe))),
                Ok(probe) if probe.id.ino == ino => {}
                _ => return Err(Moving),
            }
        }
        Ok(None)
    }

    /// Looks at every file of a directory.
    fn number(
        &mut self,
        fs: &mut dyn Fs,
        dir: &Path,
    ) -> Result<HashMap<u64, Vec<OsString>>, Moving> {
        let mut by_number: HashMap<u64, Vec<OsString>> = HashMap::new();
        let mut missing = Vec::new();
        let listed = self.names(fs, dir).map_err(|_| Moving)?;
        // A number that was given away again proves little, and what is compressed is no plain file.
        for name in listed.iter().filter(|name| !is_compressed(name)) {
            match fs.probe_path(&join(dir, name)) {
                Ok(probe) => by_number.entry(probe.id.ino).or_default().push(name.clone()),
                Err(Fault::Missing) => missing.push(name),
                Err(_) => {}
            }
        }
        // A link that leads nowhere is listed and missing; so is a file that was moved meanwhile.
        let moved = missing.into_iter().any(|name| !leads_nowhere(fs, &join(dir, name)));
        // A file that was moved to a name of its own while another one took its place is missed by none.
        let mut again = fs.list(dir).map_err(|_| Moving)?.into_iter();
        let is_steady = !moved && again.all(|name| listed.contains(&name));
        if is_steady { Ok(by_number) } else { Err(Moving) }
    }
}

/// Whether a path is there and leads to nothing.
fn leads_nowhere(fs: &mut dyn Fs, path: &Path) -> bool {
    fs.is_link(path) && fs.probe_path(path) == Err(Fault::Missing)
}

/// Whether a path is a link to a compressed file.
fn is_link_to_compressed(fs: &mut dyn Fs, path: &Path) -> bool {
    fs.is_link(path)
        && fs.resolve(path).is_ok_and(|real| real.file_name().is_some_and(is_compressed))
}

/// Names in the current directory are followed without `./` before them.
pub(crate) fn join(dir: &Path, name: &OsStr) -> PathBuf {
    if dir == Path::new(".") { PathBuf::from(name) } else { dir.join(name) }
}

/// The directory a path is in.
pub(crate) fn dir_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
