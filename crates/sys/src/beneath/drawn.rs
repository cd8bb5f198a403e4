//! Drawn folders full of links, and paths through them: what is opened step by step is what the
//! system opens, or the error is the same, and nothing is outside.
//!
//! `BENEATH_SEEDS=100000 cargo test -p sys drawn` looks for longer.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use super::*;

const SEEDS: u64 = 150;
/// Paths that are tried in each.
const PATHS: usize = 40;
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", ".."];

/// A linear congruential generator (Knuth's MMIX constants), of which the high bits are used.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    /// A relative path, with all that may stand between and behind its names.
    fn path(&mut self) -> String {
        let names: Vec<_> = (0..=self.below(3)).map(|_| NAMES[self.below(6)]).collect();
        let between = ["/", "/", "/", "//", "/./"][self.below(5)];
        let ends = ["", "", "", "", "/", "/."][self.below(6)];
        names.join(between) + ends
    }

    /// Folders, files and links, some of them absolute.
    fn fill(&mut self, root: &Path) {
        for _ in 0..24 {
            let at = root.join(self.path());
            // What is in the way stays; nothing is made outside.
            let folder = at.parent().and_then(|folder| fs::canonicalize(folder).ok());
            let Some(folder) = folder.filter(|folder| folder.starts_with(root)) else { continue };
            let at = folder.join(NAMES[self.below(5)]);
            let target = self.path();
            let _ = match self.below(8) {
                0 | 1 => fs::create_dir(at),
                2..=4 if !at.exists() => fs::write(at, "ours"),
                5 => symlink(root.join(target), at),
                6 => symlink(format!("{}/../{target}", root.display()), at),
                _ => symlink(target, at),
            };
        }
    }
}

/// The file's number, or the error.
fn told(opened: Result<OwnedFd, Errno>) -> Result<u64, Errno> {
    let file = fs::File::from(opened?);
    let facts = file.metadata().unwrap();
    // Who wants a file looks at what was opened.
    if facts.is_dir() { Err(Errno::ISDIR) } else { Ok(facts.ino()) }
}

#[test]
fn drawn_paths_lead_where_the_system_leads_and_never_out() {
    let seeds = std::env::var("BENEATH_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let top = std::env::temp_dir().join(format!("sys-drawn-{}", std::process::id()));
    let (mut opened, mut refused) = (0, 0);
    for seed in 0..seeds {
        let root = top.join("root");
        fs::create_dir_all(&root).unwrap();
        let root = fs::canonicalize(root).unwrap();
        fs::write(top.join("a"), "theirs").unwrap();
        let mut draw = Draw(seed);
        draw.fill(&root);
        for _ in 0..PATHS {
            let path = draw.path();
            let base = crate::file::open_folder(&root).unwrap();
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            let by_call = rustix::fs::openat2(&base, &path, READING, Mode::empty(), resolve);
            let by_step = told(walk(base, &root, Path::new(&path), Wanted::File));
            match told(by_call) {
                // That call takes no absolute link: where those lead, the file's real name says.
                Err(Errno::XDEV) if by_step != Err(Errno::XDEV) => {
                    let Ok(real) = fs::canonicalize(root.join(&path)) else { continue };
                    assert!(real.starts_with(&root), "seed {seed}: {path} leads to {real:?}");
                    let expected = fs::metadata(real).unwrap().ino();
                    assert!(by_step.is_err() || by_step == Ok(expected), "seed {seed}: {path}");
                }
                by_call => assert_eq!(by_step, by_call, "seed {seed}: {path}"),
            }
            opened += u64::from(by_step.is_ok());
            refused += u64::from(by_step == Err(Errno::XDEV));
        }
        fs::remove_dir_all(&top).unwrap();
    }
    assert!(opened > seeds && refused > seeds, "{opened} were opened, {refused} lead out");
}
