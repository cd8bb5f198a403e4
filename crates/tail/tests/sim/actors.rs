//! Those who write, rotate and meddle.
//!
//! Owns what may happen to files while the engine runs and while it does not. Nothing here may
//! make a line impossible to have for everybody: what is only in a file that nobody knows yet is
//! neither taken away nor written over.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::gzip::gzip;
use super::world::{Copying, Packing, Style, World, Writer, line, trace};
use super::{lines_of, numbers};
use crate::peek::PEEK_BYTES;

/// Rotations of one path in all: they are never deleted, and each is looked at again and again.
const ROTATIONS_MAX: u32 = 12;
/// A copy that replaces its original has so much of it, at least: less may be the same text.
const REPLACED_BYTES_MIN: u64 = 32;

/// What may happen beside writing and rotating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Odd {
    /// Rotated files are moved away and come back.
    pub(crate) away: bool,
    /// The clock is set.
    pub(crate) clock: bool,
    /// Files may not be read for a while.
    pub(crate) denied: bool,
    /// The time of a write is seen before its bytes are.
    pub(crate) early_time: bool,
    /// Two followed files exchange their names.
    pub(crate) exchange: bool,
    /// Second names, and links that lead nowhere.
    pub(crate) names: bool,
    /// Rotated files are compressed.
    pub(crate) packs: bool,
}

impl World {
    /// One of the others does something.
    pub(crate) fn act(&mut self) {
        let at = self.rng.below(self.writers.len() as u64) as usize;
        if self.writers[at].copying != Copying::No {
            return self.go_on_copying(at);
        }
        if self.writers[at].writing {
            return self.write(at);
        }
        match self.rng.below(14) {
            0 if self.calm == 0 || self.rng.once_in(self.calm) => self.rotate(at),
            0 => self.write(at),
            1 => self.reopen(at),
            2 => self.meddle(at),
            3 if self.odd.packs => self.pack(),
            _ => self.write(at),
        }
    }

    /// One of the things that are not the writer's doing.
    fn meddle(&mut self, at: usize) {
        match self.rng.below(6) {
            0 if self.odd.away => self.move_away_or_back(),
            1 if self.odd.clock => {
                let back = self.rng.once_in(2);
                self.disk.step_clock(back);
            }
            2 if self.odd.denied => self.deny(at),
            3 if self.odd.exchange => self.exchange(),
            4 if self.odd.names => self.give_second_name(at),
            _ => {}
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let writer = &mut self.writers[at];
        let Some(file) = writer.file.filter(|_| !bytes.is_empty()) else { return };
        self.touched.push(writer.path.clone());
        match writer.appends {
            true => self.disk.append(file, bytes),
            false => {
                let end = writer.offset + bytes.len();
                if writer.ahead > 0 && end > self.disk.inodes[file].data.len() {
                    let zeros = vec![0; writer.ahead];
                    self.disk.write_at(file, end, &zeros);
                }
                self.disk.write_at(file, writer.offset, bytes);
            }
        }
        writer.offset += bytes.len();
    }

    /// No write takes longer than a turn.
    pub(crate) fn finish_writes(&mut self) {
        for at in 0..self.writers.len() {
            if self.writers[at].writing {
                self.write(at);
            }
        }
    }

    pub(crate) fn finish_line(&mut self, at: usize) {
        let rest = std::mem::take(&mut self.writers[at].rest);
        self.put(at, &rest);
    }

    fn write(&mut self, at: usize) {
        let Some(file) = self.writers[at].file else { return self.reopen(at) };
        if self.odd.early_time && !std::mem::take(&mut self.writers[at].writing) {
            self.disk.begin_write(file);
            self.writers[at].writing = true;
            return;
        }
        if !self.writers[at].rest.is_empty() {
            return self.finish_line(at);
        }
        for _ in 0..self.rng.between(1, 6) {
            let writer = &mut self.writers[at];
            let line = line(writer.number, writer.lines, self.line_bytes_max);
            writer.lines += 1;
            self.put(at, &line);
        }
        if self.rng.once_in(4) {
            let writer = &mut self.writers[at];
            let line = line(writer.number, writer.lines, self.line_bytes_max);
            writer.lines += 1;
            let cut = self.rng.between(1, line.len() as u64 - 1) as usize;
            self.put(at, &line[..cut]);
            self.writers[at].rest = line[cut..].to_vec();
        }
    }

    /// The writer goes over to the file that is at its path now.
    pub(crate) fn reopen(&mut self, at: usize) {
        self.finish_line(at);
        trace(|| format!("  reopen {at} line {}", self.writers[at].lines));
        let path = self.writers[at].path.clone();
        let real = self.disk.resolve(&path);
        let file = match self.disk.names.get(&real) {
            Some(file) => *file,
            None => self.disk.create(&real),
        };
        self.touched.push(path);
        self.disk.open_for_writing(file);
        if let Some(old) = self.writers[at].file.replace(file) {
            self.disk.close_for_writing(old);
        }
        let data = &self.disk.inodes[file].data;
        let text = data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        self.writers[at].offset = if self.writers[at].ahead > 0 { text } else { data.len() };
        self.disk.inodes[file].sparse = self.rng.once_in(2);
    }

    fn rotate(&mut self, at: usize) {
        let path = self.writers[at].path.clone();
        trace(|| {
            format!(
                "  rotate? {} {:?} file {:?} names {:?}",
                path.display(),
                self.writers[at].style,
                self.writers[at].file,
                self.disk.names
            )
        });
        // Until the first look is over, nothing that is rotated is known to be ours.
        let often = self.writers[at].rotations >= ROTATIONS_MAX;
        let real = self.disk.resolve(&path);
        if !self.looked_around || often || !self.disk.names.contains_key(&real) {
            return;
        }
        self.finish_packing();
        self.touched.push(path);
        let path = real;
        match self.writers[at].style {
            Style::Rename => {
                self.shift(&path);
                self.move_on(at, &path, &with_suffix(&path, 1));
            }
            Style::Date => {
                let to = self.dated(at, &path);
                self.move_on(at, &path, &to);
            }
            Style::Delete => {
                let file = self.disk.names[&path];
                // What nobody holds is lost with its name, to whoever reads: it is to be open to be
                // read, not only for a moment to be compared with another file.
                let read = self.read_to.iter().any(|(read, _)| *read == file);
                let held = self.disk.is_open(file) && read;
                let kept = self.disk.inodes[file].links > 1;
                if self.dead || !held || kept {
                    return;
                }
                self.disk.unlink(&path);
                self.reopen(at);
            }
            Style::Copy => {
                self.finish_line(at);
                self.shift(&path);
                let copy = self.disk.create(&with_suffix(&path, 1));
                self.writers[at].copying = Copying::Under(copy, 0);
            }
            Style::Replace => self.replace(at, &path),
        }
        self.writers[at].rotations += 1;
    }

    fn move_on(&mut self, at: usize, path: &Path, to: &Path) {
        self.disk.rename(path, to);
        self.touched.extend([path.to_owned(), to.to_owned()]);
        // The new file may be made at once or by the writer, which may come late.
        if self.rng.once_in(2) {
            self.disk.create(path);
        }
        if self.rng.once_in(2) {
            self.reopen(at);
        }
    }

    /// A name as one of the usual rotators gives it.
    fn dated(&self, at: usize, path: &Path) -> PathBuf {
        let serial = self.writers[at].rotations;
        let stem = path.with_extension("");
        PathBuf::from(match self.writers[at].number {
            0 => format!("{}-2026{serial:04}", path.display()),
            1 => format!("{}-{serial:02}.log", stem.display()),
            _ => format!("{}.2026-11-{serial:02}.log", stem.display()),
        })
    }

    fn replace(&mut self, at: usize, path: &Path) {
        self.finish_line(at);
        let file = self.disk.names[path];
        let known =
            self.read_to.iter().any(|(read, to)| *read == file && *to >= REPLACED_BYTES_MIN);
        // What is written to the old one once the copy is made has no place in it.
        if !known && !self.dead
            || self.disk.inodes[file].links > 1
            || self.disk.inodes[file].data.len() < 100
        {
            return;
        }
        let number = self.writers[at].number;
        let new = PathBuf::from(format!("/log/.new{number}"));
        let copy = self.disk.create(&new);
        let mut data = self.disk.inodes[file].data.clone();
        let text = data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        data.truncate(text);
        let writer = &mut self.writers[at];
        data.extend(line(number, writer.lines, self.line_bytes_max));
        writer.lines += 1;
        self.disk.append(copy, &data);
        self.disk.rename(&new, path);
        self.reopen(at);
    }

    /// Another part of the copy, or the cut at its end.
    fn go_on_copying(&mut self, at: usize) {
        let Copying::Under(copy, count) = self.writers[at].copying else { return };
        let path = self.disk.resolve(&self.writers[at].path);
        self.touched.push(self.writers[at].path.clone());
        let file = self.disk.names[&path];
        let left = self.disk.inodes[file].data.len() - count;
        if left == 0 {
            self.disk.cut(file);
            self.writers[at].copying = Copying::No;
            if self.rng.once_in(3) {
                self.write(at);
            }
            return;
        }
        let part =
            if self.rng.once_in(3) { self.rng.between(1, left as u64) as usize } else { left };
        let data = self.disk.inodes[file].data[count..count + part].to_vec();
        self.disk.append(copy, &data);
        self.writers[at].copying = Copying::Under(copy, count + part);
    }

    /// A copy of a file that is under way has all of it now, and the cut is still to come.
    pub(crate) fn finish_copy(&mut self, file: usize) {
        for at in 0..self.writers.len() {
            let Copying::Under(copy, count) = self.writers[at].copying else { continue };
            if self.disk.lookup(&self.writers[at].path) == Some(file) {
                let data = self.disk.inodes[file].data[count..].to_vec();
                self.disk.append(copy, &data);
                self.writers[at].copying = Copying::Under(copy, count + data.len());
            }
        }
    }

    /// Whether all lines of a file were written out.
    fn is_delivered(&self, file: usize) -> bool {
        let out: BTreeSet<_> = lines_of(&self.output.told()).filter_map(numbers).collect();
        let data: Vec<u8> =
            self.disk.inodes[file].data.iter().copied().filter(|byte| *byte != 0).collect();
        let mut lines = lines_of(&data);
        lines.all(|line| {
            numbers(line).is_some_and(|line| out.contains(&line) || self.delivered.contains(&line))
        })
    }

    fn is_of(&self, at: usize, path: &Path) -> bool {
        let live = self.disk.resolve(&self.writers[at].path);
        path.to_string_lossy().starts_with(&*live.to_string_lossy())
    }

    /// A rotated file, with its name.
    fn rotated(&mut self) -> Option<(PathBuf, usize)> {
        let live: Vec<_> = self.writers.iter().map(|one| self.disk.resolve(&one.path)).collect();
        let names = self.disk.names.iter();
        let rotated: Vec<_> = names
            .filter(|(path, file)| {
                let copied = |copying| matches!(copying, Copying::Under(copy, _) if copy == **file);
                path.parent() != Some(Path::new("/away"))
                    && !live.contains(path)
                    && self.disk.inodes[**file].links == 1
                    && self.packing.as_ref().is_none_or(|one| ![one.file, one.to].contains(file))
                    && !self
                        .writers
                        .iter()
                        .any(|one| one.file == Some(**file) || copied(one.copying))
            })
            .map(|(path, file)| (path.clone(), *file))
            .collect();
        let count = rotated.len() as u64;
        (count > 0).then(|| rotated[self.rng.below(count) as usize].clone())
    }

    fn move_away_or_back(&mut self) {
        if let Some((at, away)) = self.away.pop() {
            let to = if self.disk.is_free(&at) { at } else { with_suffix(&at, 77) };
            self.disk.rename(&away, &to);
            self.touched.push(to);
            return;
        }
        let Some((path, file)) = self.rotated().filter(|(_, file)| self.is_delivered(*file)) else {
            return;
        };
        trace(|| format!("  away {} {file}", path.display()));
        let away = PathBuf::from(format!("/away/{file}"));
        self.disk.rename(&path, &away);
        self.touched.push(path.clone());
        self.away.push((path, away));
    }

    fn deny(&mut self, at: usize) {
        let Some(file) = self.disk.lookup(&self.writers[at].path) else { return };
        let denied = !self.disk.inodes[file].denied;
        self.disk.inodes[file].denied = denied;
        self.touched.push(self.writers[at].path.clone());
    }

    fn exchange(&mut self) {
        if self.writers.len() < 2 || self.writers.iter().any(|one| one.copying != Copying::No) {
            return;
        }
        let (a, b) = (self.writers[0].path.clone(), self.writers[1].path.clone());
        let there = |path: &PathBuf| self.disk.names.contains_key(path);
        // Whose copy or whose date it is would be anybody's guess.
        let plain = |one: &Writer| matches!(one.style, Style::Delete | Style::Rename);
        // What is written in between and undone before anybody looks leaves no trace of whose it is.
        if self.exchanged || !there(&a) || !there(&b) || !self.writers.iter().all(plain) {
            return;
        }
        self.exchanged = true;
        let between = PathBuf::from("/log/.between");
        self.disk.rename(&a, &between);
        self.disk.rename(&b, &a);
        self.disk.rename(&between, &b);
        self.touched.extend([a.clone(), b.clone()]);
        self.writers[0].path = b;
        self.writers[1].path = a;
    }

    fn give_second_name(&mut self, at: usize) {
        let name = |suffix: &str| PathBuf::from(format!("/log/w{at}.log.{suffix}"));
        let (link, second) = (name("latest"), name("second"));
        match self.rng.below(3) {
            0 if self.disk.is_free(&link) => {
                self.disk.links.insert(link.clone(), "/log/nothing".into());
                self.touched.push(link);
            }
            1 => {
                if let Some((path, _)) = self.rotated().filter(|(path, _)| self.is_of(at, path)) {
                    self.disk.links.insert(link.clone(), path);
                    self.touched.push(link);
                }
            }
            _ if self.disk.is_free(&second) => {
                if let Some((_, file)) = self.rotated().filter(|(path, _)| self.is_of(at, path)) {
                    self.disk.link(file, &second);
                    self.touched.push(second);
                }
            }
            _ => {}
        }
    }

    /// What was out of order is in order again, so that everything can be read.
    pub(crate) fn tidy_up(&mut self) {
        while self.writers.iter().any(|one| one.copying != Copying::No) {
            (0..self.writers.len()).for_each(|at| self.go_on_copying(at));
        }
        self.finish_packing();
        while !self.away.is_empty() {
            self.move_away_or_back();
        }
        self.disk.inodes.iter_mut().for_each(|inode| inode.denied = false);
        for at in 0..self.writers.len() {
            self.finish_line(at);
            self.reopen(at);
        }
    }

    fn is_packed(&self, path: &Path) -> bool {
        path.extension().is_some_and(|ending| ending == "gz")
    }

    /// Begins to compress a rotated file, or goes on with that.
    fn pack(&mut self) {
        let Some(packing) = &mut self.packing else { return self.begin_packing() };
        let left = packing.bytes.len() as u64;
        let part = if self.rng.once_in(2) { self.rng.between(1, left) } else { left };
        let part: Vec<_> = packing.bytes.drain(..part as usize).collect();
        let to = packing.to;
        self.disk.append(to, &part);
        self.touched.push(with_ending(&packing.path));
        if let Some(done) = self.packing.take_if(|packing| packing.bytes.is_empty()) {
            trace(|| {
                let n = |f: usize| self.disk.inodes[f].number;
                format!(
                    "  packed {} {} number {} to {} number {}",
                    done.path.display(),
                    done.file,
                    n(done.file),
                    to,
                    n(to)
                )
            });
            self.disk.inodes[to].written_ns = self.disk.inodes[done.file].written_ns;
            self.packed.insert(to, (self.disk.inodes[done.file].data.len() as u64, done.file));
            // Whoever removes what was delivered may have been faster.
            if self.disk.names.get(&done.path) == Some(&done.file) {
                self.disk.unlink(&done.path);
            }
            self.touched.push(done.path);
        }
    }

    fn begin_packing(&mut self) {
        let file = self.rotated().filter(|(path, _)| !self.is_packed(path));
        let Some((path, file)) = file.filter(|(path, _)| self.disk.is_free(&with_ending(path)))
        else {
            return;
        };
        let data = self.disk.inodes[file].data.clone();
        let (level, split) = (self.rng.below(7) as u8, self.rng.below(data.len() as u64 + 1));
        // The README excepts it: of several members none says how long all of them are, and a long
        // hole is no likeness.
        let is_nuls = data.len() > PEEK_BYTES && data[..PEEK_BYTES].iter().all(|byte| *byte == 0);
        let bytes = gzip(&data, level, if is_nuls { 0 } else { split });
        let to = self.disk.create(&with_ending(&path));
        self.packed.insert(to, (data.len() as u64, usize::MAX));
        self.touched.push(with_ending(&path));
        self.packing = Some(Packing { path, file, to, bytes });
    }

    pub(crate) fn finish_packing(&mut self) {
        while self.packing.is_some() {
            self.pack();
        }
    }

    fn shift(&mut self, path: &Path) {
        let there = |n: &u32| {
            let plain = with_suffix(path, *n);
            let names = [with_ending(&plain), plain];
            names.into_iter().find(|name| self.disk.names.contains_key(name))
        };
        let there: Vec<_> = (1..).map_while(|n| there(&n)).collect();
        for (n, from) in there.into_iter().enumerate().rev() {
            let to = with_suffix(path, n as u32 + 2);
            let to = if self.is_packed(&from) { with_ending(&to) } else { to };
            self.disk.rename(&from, &to);
            self.touched.extend([from, to]);
        }
    }
}

/// The name of a file once it is compressed.
fn with_ending(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.gz", path.display()))
}

fn with_suffix(path: &Path, number: u32) -> PathBuf {
    PathBuf::from(format!("{}.{number}", path.display()))
}
