//! What about the flags cannot be meant, although each of them is right by itself.

use std::path::Path;

use crate::flag_values::{FormatName, OutputName};
use crate::flags::{Arguments, CheckpointSync, FollowSymlinks, ReadFrom, plain};

impl Arguments {
    /// What about the flags cannot be meant, and what would be right.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let root = self.root.as_deref().filter(|_| self.follow_symlinks == FollowSymlinks::All);
        if let Some(root) = root {
            return Some(format!(
                "--follow-symlinks all leads beyond --root {}: give one of them",
                root.display()
            ));
        }
        let roots = self.roots();
        if let Some(path) = self.followed().iter().find(|path| roots.split(path).is_err()) {
            let root = self.root.as_deref().unwrap_or(Path::new("")).display();
            return Some(format!(
                "{} is not beneath --root {root}: give a folder that all paths are in",
                path.display()
            ));
        }
        if let Some(why) = self.reclaim_contradiction() {
            return Some(why);
        }
        if self.checkpoint_file.is_none() && self.sync() == CheckpointSync::Data {
            return Some("--checkpoint-sync data needs a --checkpoint-file".to_owned());
        }
        let checkpoint = self.checkpoint_file.as_ref().filter(|path| !path.exists());
        if let Some(path) =
            checkpoint.filter(|path| self.paths.iter().any(|one| plain(one) == plain(path)))
        {
            return Some(format!(
                "--checkpoint-file {} is a path to follow: give the checkpoint another name",
                path.display()
            ));
        }
        if self.exit_on_eof && self.read_from == ReadFrom::End {
            return Some(
                "--exit-on-eof with --read-from end reads nothing: leave one of them out"
                    .to_owned(),
            );
        }
        if self.exit_on_eof && self.exit_on_file.is_some() {
            return Some(
                "--exit-on-eof does not wait for --exit-on-file: leave one of them out".to_owned(),
            );
        }
        #[cfg(feature = "stores")]
        if let Some(why) = crate::store::setup::contradiction(self.output, &self.store) {
            return Some(why);
        }
        self.format_contradiction().map(str::to_owned)
    }

    /// The same of the flags of formats.
    fn format_contradiction(&self) -> Option<&'static str> {
        let is_raw = self.format == FormatName::Raw;
        match self.format {
            _ if self.output != OutputName::Stdout => match is_raw && !self.prefix {
                true => None,
                false => Some("--format is for stdout, and so is --prefix: a store gets records"),
            },
            FormatName::Json if self.prefix => {
                Some("--prefix is for --format raw: json names the file of each line anyway")
            }
            FormatName::Raw if self.json_lines.is_some() => {
                Some("--json-lines needs --format json: raw lines stay as they are")
            }
            FormatName::Raw if self.multiline.is_some() => {
                Some("--multiline needs --format json: raw lines stay as they are")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::flags::tests::check_contradiction as check;

    #[test]
    fn flags_that_contradict_each_other_are_told_with_what_would_be_right() {
        check(&["/a/b/c.log"], None);
        check(&["/a/b/c.log", "--root", "/a"], None);
        check(&["/a/b/c.log", "--root", "/a/x"], Some("not beneath --root /a/x"));
        check(&["/a", "--root", "/", "--follow-symlinks", "all"], Some("give one of them"));
        check(&["/a", "--follow-symlinks", "all"], None);
        check(&["/a", "--checkpoint-sync", "data"], Some("needs a --checkpoint-file"));
        check(&["/a", "--checkpoint-sync", "data", "--checkpoint-file", "/c"], None);
        check(&["/nowhere", "--checkpoint-file", "/nowhere"], Some("another name"));
        check(&["/a", "--exit-on-eof", "--read-from", "end"], Some("reads nothing"));
        check(&["/a", "--exit-on-file", "/x", "--read-from", "end"], None);
        check(&["/a", "--exit-on-eof", "--exit-on-file", "/x"], Some("leave one of them out"));
    }
}
