//! The flags by which disk space is given back, what they mean together, and what cannot be meant.

use tail::reclaim::{Reclaim, Steps};

use crate::flags::{Arguments, CheckpointSync};

/// When rotated files are removed: once they are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered;

/// How the space of what was read is given back: by holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PunchHole;

/// The value of `--remove-rotated`.
///
/// # Errors
/// With what would be right.
pub(crate) fn delivered(text: &str) -> Result<Delivered, String> {
    if text == "delivered" { Ok(Delivered) } else { Err(format!("{text:?} is not delivered")) }
}

/// The value of `--reclaim`.
///
/// # Errors
/// With what would be right.
pub(crate) fn punch_hole(text: &str) -> Result<PunchHole, String> {
    if text == "punch-hole" { Ok(PunchHole) } else { Err(format!("{text:?} is not punch-hole")) }
}

impl Arguments {
    /// What about these flags cannot be meant, and what would be right.
    pub(crate) fn reclaim_contradiction(&self) -> Option<String> {
        if self.keep_rotated.is_some() && self.remove_rotated.is_none() {
            return Some("--keep-rotated needs --remove-rotated delivered".to_owned());
        }
        let flag = self.reclaiming()?;
        let why = match self.checkpoint_sync {
            _ if self.checkpoint_file.is_none() => {
                "needs a --checkpoint-file: only what it says is delivered goes"
            }
            Some(CheckpointSync::None) => {
                "needs --checkpoint-sync data, which is what it has if you leave that out"
            }
            _ if self.exit_on_eof => {
                "is for files that are followed, --exit-on-eof ends before one is over: leave one of \
                 them out"
            }
            _ => return None,
        };
        Some(format!("{flag} {why}"))
    }

    /// What of a checkpoint has to reach the disk: what is given back is gone for good.
    pub(crate) fn sync(&self) -> CheckpointSync {
        self.checkpoint_sync.unwrap_or(match self.reclaiming() {
            Some(_) => CheckpointSync::Data,
            None => CheckpointSync::None,
        })
    }

    /// What the engine is to give back.
    pub(crate) fn what_to_reclaim(&self) -> Reclaim {
        Reclaim {
            keep_rotated: self.remove_rotated.map(|_| self.keep_rotated.unwrap_or(0)),
            freeing: self.reclaim.map(|_| Steps::default()),
        }
    }

    /// The flag by which disk space is given back, if there is one.
    fn reclaiming(&self) -> Option<&'static str> {
        let removes = self.remove_rotated.map(|_| "--remove-rotated");
        removes.or(self.reclaim.map(|_| "--reclaim"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::tests::arguments;

    const CHECKPOINT: [&str; 3] = ["/a", "--checkpoint-file", "/c"];
    const REMOVE: [&str; 2] = ["--remove-rotated", "delivered"];
    const PUNCH: [&str; 2] = ["--reclaim", "punch-hole"];

    #[test]
    fn what_they_need_is_said_and_nothing_if_they_have_it() {
        let check = |words: &[&[&str]], expected: Option<&str>| {
            let why = arguments(&words.concat()).contradiction();
            let is_it = match (&why, expected) {
                (Some(why), Some(part)) => why.contains(part),
                (why, expected) => why.is_none() && expected.is_none(),
            };
            assert!(is_it, "{words:?}: {why:?}, expected {expected:?}");
        };
        let (keep, eof) = (&["--keep-rotated", "3"][..], &["--exit-on-eof"][..]);
        let (data, none) = (&["--checkpoint-sync=data"][..], &["--checkpoint-sync=none"][..]);
        for one in [&REMOVE[..], &PUNCH] {
            check(&[&CHECKPOINT, one], None);
            check(&[&CHECKPOINT, one, data], None);
            check(&[&["/a"], one], Some(&format!("{} needs a --checkpoint-file", one[0])));
            check(&[&CHECKPOINT, one, none], Some("needs --checkpoint-sync data"));
            check(&[&CHECKPOINT, one, eof], Some("--exit-on-eof ends before"));
        }
        check(&[&CHECKPOINT, &REMOVE, &PUNCH, keep], None);
        check(&[&CHECKPOINT, &PUNCH, keep], Some("needs --remove-rotated"));
    }

    #[test]
    fn they_have_checkpoints_reach_the_disk_and_nothing_else_does_unasked() {
        let check = |words: &[&[&str]], sync, keep_rotated, frees: bool| {
            let arguments = arguments(&words.concat());
            assert_eq!(arguments.sync(), sync, "{words:?}");
            let reclaim = arguments.what_to_reclaim();
            assert_eq!((reclaim.keep_rotated, reclaim.freeing.is_some()), (keep_rotated, frees));
        };
        check(&[&CHECKPOINT], CheckpointSync::None, None, false);
        check(&[&CHECKPOINT, &["--checkpoint-sync=data"]], CheckpointSync::Data, None, false);
        check(&[&CHECKPOINT, &REMOVE], CheckpointSync::Data, Some(0), false);
        check(&[&CHECKPOINT, &PUNCH], CheckpointSync::Data, None, true);
        let keep = &["--keep-rotated", "3"][..];
        check(&[&CHECKPOINT, &REMOVE, keep, &PUNCH], CheckpointSync::Data, Some(3), true);
    }
}
