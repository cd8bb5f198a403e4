//! The command line and its environment variables, and what they mean to the engine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use sidecar::check::Check;
use sidecar::cli::{self, ListenAddress};
use tail::engine::{FILES_MAX, OPEN_FILES_MIN, Options};
use tail::format::{Format, JsonLines};
use tail::multiline::Multiline;
use tail::template;

use crate::reclaim::{Delivered, PunchHole, delivered, punch_hole};
use crate::roots::Roots;

/// Descriptors that are not for followed files.
const RESERVED_FILES: usize = 24;

/// Follows log files to stdout from their beginning, through every kind of rotation.
///
/// Waits for files that are not there yet. stdout carries the files' bytes and nothing else; the
/// program's own messages go to stderr. SIGTERM and SIGINT: everything there is to read is read,
/// then it ends. Exit codes: 0 ended by a signal or at the end of all files, 1 check failed,
/// 2 runtime error, 64 wrong command line, 78 the checkpoint file is something else.
#[derive(Debug, Parser)]
#[command(
    name = "log-scraper",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Files to follow, or all files of a folder; *, ? and [...] within a name, ** for any number of
    /// folders and {a,b} are patterns, looked up again and again
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Remember here how far each file was read; without it every start reads from the beginning
    #[arg(long, env = "LOG_SCRAPER_CHECKPOINT_FILE", value_name = "FILE")]
    pub(crate) checkpoint_file: Option<PathBuf>,
    /// Longest time between something written out and the checkpoint that says so
    #[arg(
        long,
        env = "LOG_SCRAPER_CHECKPOINT_INTERVAL",
        value_name = "TIME",
        default_value = "1s",
        value_parser = cli::duration
    )]
    pub(crate) checkpoint_interval: Duration,
    /// Most that is written out between two checkpoints
    #[arg(
        long,
        env = "LOG_SCRAPER_CHECKPOINT_BYTES",
        value_name = "SIZE",
        default_value = "1MiB",
        value_parser = cli::bytes
    )]
    pub(crate) checkpoint_bytes: u64,
    /// Have each checkpoint reach the disk, which takes about 2 ms (data; with --remove-rotated and
    /// --reclaim), or let the system write it when it sees fit (none; else): the difference counts
    /// when the machine goes down
    #[arg(long, env = "LOG_SCRAPER_CHECKPOINT_SYNC", value_name = "WHAT", value_enum)]
    pub(crate) checkpoint_sync: Option<CheckpointSync>,
    /// Leave out files whose path, or name, this pattern describes; may be repeated
    #[arg(long, env = "LOG_SCRAPER_EXCLUDE", value_name = "GLOB")]
    pub(crate) exclude: Vec<PathBuf>,
    /// Where to begin with files that are there at the very first start: at their beginning, or at
    /// their end, with what is written from then on
    #[arg(
        long,
        env = "LOG_SCRAPER_READ_FROM",
        value_name = "WHERE",
        default_value = "beginning",
        value_enum
    )]
    pub(crate) read_from: ReadFrom,
    /// Leave out files that a pattern finds and nobody has written to for this long, until somebody does
    #[arg(long, env = "LOG_SCRAPER_IGNORE_OLDER", value_name = "TIME", value_parser = cli::duration)]
    pub(crate) ignore_older: Option<Duration>,
    /// Follow symbolic links as long as they stay beneath this folder; without it, beneath the folder
    /// above the one the path is in
    #[arg(long, env = "LOG_SCRAPER_ROOT", value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// How far symbolic links are followed: beneath the root, or to all places
    #[arg(
        long,
        env = "LOG_SCRAPER_FOLLOW_SYMLINKS",
        value_name = "HOW",
        default_value = "beneath",
        value_enum
    )]
    pub(crate) follow_symlinks: FollowSymlinks,
    /// Names that rotated files get, in place of these; {path} is the followed path, {dir} its folder,
    /// {stem} and {ext} are its name before and from its last dot on; may be repeated
    #[arg(
        long,
        env = "LOG_SCRAPER_ROTATED_GLOB",
        value_name = "PATTERN",
        default_value = "{path}.*,{path}-[0-9]*,{dir}/{stem}-[0-9]*{ext},{dir}/{stem}.[0-9]*{ext}",
        value_delimiter = ',',
        value_parser = rotated_glob
    )]
    pub(crate) rotated_glob: Vec<String>,
    /// Remove rotated files: delivered, once every byte is written out, a checkpoint on the disk says
    /// so, and nobody wrote to them for ten seconds. Needs --checkpoint-file
    #[arg(long, env = "LOG_SCRAPER_REMOVE_ROTATED", value_name = "delivered", value_parser = delivered)]
    pub(crate) remove_rotated: Option<Delivered>,
    /// With --remove-rotated, leave so many of the newest rotated files of each path (0)
    #[arg(long, env = "LOG_SCRAPER_KEEP_ROTATED", value_name = "COUNT")]
    pub(crate) keep_rotated: Option<usize>,
    /// Give back the disk space of what was read of the files themselves: punch-hole, once it is
    /// written out and a checkpoint on the disk says so; their size stays. Needs --checkpoint-file,
    /// and the right to write to the files
    #[arg(long, env = "LOG_SCRAPER_RECLAIM", value_name = "punch-hole", value_parser = punch_hole)]
    pub(crate) reclaim: Option<PunchHole>,
    /// Follow this many files that patterns find at most; what is left out is said and counted
    #[arg(
        long,
        env = "LOG_SCRAPER_MAX_FILES",
        value_name = "COUNT",
        default_value_t = FILES_MAX,
        value_parser = max_files
    )]
    pub(crate) max_files: usize,
    /// Hold this many files open at most: of more, the longest idle ones are closed and opened again
    /// when they grow; without it, and beyond it, what the system allows counts, less a reserve
    #[arg(
        long,
        env = "LOG_SCRAPER_MAX_OPEN_FILES",
        value_name = "COUNT",
        value_parser = max_open_files
    )]
    pub(crate) max_open_files: Option<usize>,
    /// Write the name of its file, a colon and a blank before each line
    #[arg(long, env = "LOG_SCRAPER_PREFIX")]
    pub(crate) prefix: bool,
    /// How lines are written: raw, as they are, or json, an object each with time, file and line
    #[arg(
        long,
        env = "LOG_SCRAPER_FORMAT",
        value_name = "FORMAT",
        default_value = "raw",
        value_parser = format_name
    )]
    pub(crate) format: FormatName,
    /// With --format json, lines that are JSON objects: nest, as the value of line (the default);
    /// merge, their keys beside time and file; text, as other lines
    #[arg(
        long,
        env = "LOG_SCRAPER_JSON_LINES",
        value_name = "HOW",
        value_parser = json_lines
    )]
    pub(crate) json_lines: Option<JsonLines>,
    /// With --format json, lines that belong together: off, none (the default); auto, stack traces
    /// of Java, Python, Go, .NET and Node; indent, lines that begin with a blank or with "Caused
    /// by:"; start=REGEX, all lines up to the next one that matches (a build with that feature)
    #[arg(
        long,
        env = "LOG_SCRAPER_MULTILINE",
        value_name = "HOW",
        value_parser = multiline
    )]
    pub(crate) multiline: Option<Multiline>,
    /// With several files, --prefix or --format json: wait this long for the end of a line, or of
    /// lines that belong together, counted from the beginning
    #[arg(
        long,
        env = "LOG_SCRAPER_PARTIAL_LINE_TIMEOUT",
        value_name = "TIME",
        default_value = "1s",
        value_parser = cli::duration
    )]
    pub(crate) partial_line_timeout: Duration,
    /// Look at everything this often, in case the system did not tell of a change
    #[arg(
        long,
        env = "LOG_SCRAPER_POLL_INTERVAL",
        value_name = "TIME",
        default_value = "1s",
        value_parser = poll_interval
    )]
    pub(crate) poll_interval: Duration,
    /// Longest time to go on reading after SIGTERM
    #[arg(
        long,
        env = "LOG_SCRAPER_SHUTDOWN_TIMEOUT",
        value_name = "TIME",
        default_value = "25s",
        value_parser = cli::duration
    )]
    pub(crate) shutdown_timeout: Duration,
    /// After SIGTERM go on until the files were quiet for a second, this long at most: for a plain
    /// container, which is told to end together with the application
    #[arg(
        long,
        env = "LOG_SCRAPER_SHUTDOWN_GRACE_PERIOD",
        value_name = "TIME",
        default_value = "0s",
        value_parser = cli::duration
    )]
    pub(crate) shutdown_grace_period: Duration,
    /// Read what is left and end once there is a file at this path: for Jobs with plain containers
    #[arg(long, env = "LOG_SCRAPER_EXIT_ON_FILE", value_name = "PATH")]
    pub(crate) exit_on_file: Option<PathBuf>,
    /// End when all files were read to their end; exit code 2 if one could not be read
    #[arg(long, env = "LOG_SCRAPER_EXIT_ON_EOF")]
    pub(crate) exit_on_eof: bool,
    /// Serve /livez, /readyz and /metrics at HOST:PORT, [IPV6]:PORT, or :PORT for every address
    #[arg(long, env = "LOG_SCRAPER_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub(crate) admin_listen: Option<ListenAddress>,
    /// Least important messages to show: off, error, warn, info, debug
    #[arg(long, env = "LOG_SCRAPER_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: log::LevelFilter,
}

/// What else it can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check something from within the container, for probes and tests
    Check {
        #[command(subcommand)]
        check: Check,
    },
}

/// What of a checkpoint has to reach the disk before it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckpointSync {
    /// Nothing: it survives the program, not the machine.
    None,
    /// Its bytes.
    Data,
}

/// Where to begin with a file of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReadFrom {
    /// With its first byte.
    Beginning,
    /// Behind its last whole line.
    End,
}

/// How far symbolic links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FollowSymlinks {
    /// As long as they stay beneath the root.
    Beneath,
    /// Wherever they lead.
    All,
}

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
        self.format_contradiction().map(str::to_owned)
    }

    /// The same of the flags of formats.
    fn format_contradiction(&self) -> Option<&'static str> {
        match self.format {
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

    fn output_format(&self) -> Format {
        match self.format {
            FormatName::Raw if self.prefix => Format::Prefixed,
            FormatName::Raw => Format::Raw,
            FormatName::Json => Format::Json {
                json_lines: self.json_lines.unwrap_or_default(),
                multiline: self.multiline.clone().unwrap_or_default(),
            },
        }
    }

    /// How far links may lead.
    pub(crate) fn roots(&self) -> Roots {
        match self.follow_symlinks {
            FollowSymlinks::All => Roots::All,
            FollowSymlinks::Beneath => Roots::new(self.root.as_deref(), &self.followed()),
        }
    }

    /// Files to hold open where the system allows the process so many descriptors: some of those are
    /// kept for the checkpoint, listings, stdout and the endpoint.
    fn open_files_max(&self, descriptors: usize) -> usize {
        let room = descriptors.saturating_sub(RESERVED_FILES).max(OPEN_FILES_MIN);
        self.max_open_files.map_or(room, |asked| asked.min(room))
    }

    /// The paths and patterns to follow, a folder being all files in it.
    fn followed(&self) -> Vec<PathBuf> {
        self.paths.iter().map(|path| whole(path)).collect()
    }

    /// What the engine is to do.
    pub(crate) fn options(&self) -> Options {
        Options {
            paths: self.followed().iter().map(|path| plain(path)).collect(),
            exclude: self.exclude.clone(),
            from_end: self.read_from == ReadFrom::End,
            ignore_older_ms: self.ignore_older.map(millis),
            rotated: self.rotated_glob.clone(),
            files_max: self.max_files,
            open_files_max: self.open_files_max(sys::limits::open_files()),
            checkpoint: self.checkpoint_file.is_some(),
            checkpoint_interval_ms: millis(self.checkpoint_interval),
            checkpoint_bytes: self.checkpoint_bytes,
            partial_line_ms: millis(self.partial_line_timeout),
            format: self.output_format(),
            poll_ms: millis(self.poll_interval),
            exit_on_eof: self.exit_on_eof,
            reclaim: self.what_to_reclaim(),
        }
    }
}

/// What `--format` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FormatName {
    /// Lines as they are.
    Raw,
    /// An object for each line.
    Json,
}

fn format_name(text: &str) -> Result<FormatName, String> {
    match text {
        "raw" => Ok(FormatName::Raw),
        "json" => Ok(FormatName::Json),
        _ => Err(format!("{text:?} is not raw or json")),
    }
}

fn json_lines(text: &str) -> Result<JsonLines, String> {
    match text {
        "nest" => Ok(JsonLines::Nest),
        "merge" => Ok(JsonLines::Merge),
        "text" => Ok(JsonLines::Text),
        _ => Err(format!("{text:?} is not nest, merge or text")),
    }
}

fn multiline(text: &str) -> Result<Multiline, String> {
    match text {
        "off" => Ok(Multiline::Off),
        "auto" => Ok(Multiline::Auto),
        "indent" => Ok(Multiline::Indent),
        _ => match text.strip_prefix("start=") {
            Some(pattern) => multiline_start(pattern),
            None => Err(format!("{text:?} is not off, auto, indent or start=REGEX")),
        },
    }
}

#[cfg(feature = "regex")]
fn multiline_start(pattern: &str) -> Result<Multiline, String> {
    if pattern.is_empty() {
        return Err("start= needs a pattern, like start=^[0-9]{4}-".to_owned());
    }
    tail::pattern_start::Start::new(pattern).map(Multiline::Start)
}

#[cfg(not(feature = "regex"))]
fn multiline_start(_: &str) -> Result<Multiline, String> {
    Err("start=REGEX is not in this program: it was built without the feature regex".to_owned())
}

fn rotated_glob(template: &str) -> Result<String, String> {
    template::check(template).map(|()| template.to_owned())
}

/// A folder, with a slash behind it or as it is there, stands for the files in it, and ** at the
/// end for those in all folders below as well.
fn whole(path: &Path) -> PathBuf {
    let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir();
    match is_folder || path.ends_with("**") {
        true => path.join("*"),
        false => path.to_owned(),
    }
}

/// A path as the engine names it, whichever way it was written: no `./`, no doubled slashes.
fn plain(path: &Path) -> PathBuf {
    let path: PathBuf = path.components().collect();
    path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)
}

/// A duration as the engine counts time.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn max_files(text: &str) -> Result<usize, String> {
    at_least(text, 1)
}

fn max_open_files(text: &str) -> Result<usize, String> {
    at_least(text, OPEN_FILES_MIN)
}

fn at_least(text: &str, least: usize) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| *count >= least);
    count.ok_or_else(|| format!("{text:?} is not a number of at least {least}"))
}

/// Below 10 ms it would be a busy loop, above a minute no backstop.
fn poll_interval(text: &str) -> Result<Duration, String> {
    let interval = cli::duration(text)?;
    match (Duration::from_millis(10)..=Duration::from_secs(60)).contains(&interval) {
        true => Ok(interval),
        false => Err(format!("{text:?} is not between 10ms and 60s")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_variable() {
        for argument in Arguments::command().get_arguments() {
            let name = argument.get_id().as_str();
            if matches!(name, "help" | "paths" | "version") {
                continue;
            }
            let expected = format!("LOG_SCRAPER_{}", name.to_uppercase());
            assert_eq!(argument.get_env().and_then(|env| env.to_str()), Some(expected.as_str()));
        }
    }

    pub(crate) fn arguments(words: &[&str]) -> Arguments {
        Arguments::try_parse_from([&["log-scraper"], words].concat()).unwrap()
    }

    #[test]
    fn flags_that_contradict_each_other_are_told_with_what_would_be_right() {
        let check = |words: &[&str], expected: Option<&str>| {
            let told = arguments(words).contradiction();
            let right = match (&told, expected) {
                (Some(told), Some(expected)) => told.contains(expected),
                (told, expected) => told.is_none() && expected.is_none(),
            };
            assert!(right, "{words:?}: {told:?}");
        };
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

    #[test]
    fn a_path_is_named_the_same_whichever_way_it_is_written() {
        let check = |path: &str, expected: &str| {
            assert_eq!(arguments(&[path]).options().paths, [PathBuf::from(expected)]);
        };
        check("./app.log", "app.log");
        check("././a//b/./app.log", "a/b/app.log");
        check("/logs//app.log", "/logs/app.log");
        check("../x/../app.log", "../x/../app.log");
    }

    #[test]
    fn limits_are_numbers_and_the_system_s_own_is_kept_below() {
        let parse = |words: &[&str]| {
            let words = [&["log-scraper", "a"], words].concat();
            Arguments::try_parse_from(words).map(|arguments| arguments.options().files_max).ok()
        };
        assert_eq!(parse(&[]), Some(FILES_MAX));
        assert_eq!(parse(&["--max-files", "1"]), Some(1));
        assert_eq!(parse(&["--max-files", "0"]), None);
        assert_eq!(parse(&["--max-files", "many"]), None);
        assert!(parse(&["--max-open-files", "8"]).is_some());
        assert_eq!(parse(&["--max-open-files", "7"]), None);
        let check = |words: &[&str], descriptors: usize, expected: usize| {
            assert_eq!(arguments(words).open_files_max(descriptors), expected, "{words:?}");
        };
        check(&["a"], 64, 40);
        check(&["a"], 20, OPEN_FILES_MIN);
        check(&["a", "--max-open-files", "39"], 64, 39);
        check(&["a", "--max-open-files", "41"], 64, 40);
    }

    #[test]
    fn a_folder_stands_for_the_files_in_it() {
        let check = |path: &str, expected: &str| {
            assert_eq!(arguments(&[path]).options().paths, [PathBuf::from(expected)], "{path}");
        };
        let here = env!("CARGO_MANIFEST_DIR");
        check(here, &format!("{here}/*"));
        check("/not/there/yet/", "/not/there/yet/*");
        check("/not/there/yet", "/not/there/yet");
        check("/logs/**", "/logs/**/*");
        check("/logs/*/", "/logs/*/*");
        check("./src/", "src/*");
    }

    #[test]
    fn names_of_rotated_files_are_taken_several_times_and_checked() {
        let parse = |words: &[&str]| {
            let parsed = Arguments::try_parse_from([&["log-scraper", "a"], words].concat());
            parsed.map(|arguments| arguments.options().rotated)
        };
        assert_eq!(parse(&[]).unwrap(), tail::engine::ROTATED);
        let two = ["--rotated-glob", "{path}.old", "--rotated-glob", "{dir}/old/{stem}.*"];
        assert_eq!(parse(&two).unwrap(), ["{path}.old", "{dir}/old/{stem}.*"]);
        assert_eq!(parse(&["--rotated-glob", "{path}.1,{path}.2"]).unwrap().len(), 2);
        let told = parse(&["--rotated-glob", "{path}.1,{name}.2"]).unwrap_err().to_string();
        assert!(told.contains("{name}") && told.contains("{dir}/{stem}"), "{told}");
    }

    #[test]
    fn a_path_is_needed_unless_something_is_checked() {
        let parse = |words: &[&str]| {
            Arguments::try_parse_from([&["log-scraper"], words].concat()).map_err(|e| e.kind())
        };
        assert!(parse(&[]).is_err());
        assert_eq!(parse(&["a", "b"]).unwrap().paths.len(), 2);
        assert!(parse(&["check", "http", "http://127.0.0.1:1/"]).unwrap().command.is_some());
        assert!(parse(&["a", "--poll-interval", "1ms"]).is_err());
        assert!(parse(&["a", "--nonsense"]).is_err());
    }

    #[test]
    fn the_format_is_what_the_flags_say_and_contradictions_are_named() {
        let parse = |words: &[&str]| {
            Arguments::try_parse_from([&["log-scraper", "a"], words].concat()).unwrap()
        };
        let raw = parse(&[]);
        assert!(matches!(raw.output_format(), Format::Raw) && raw.contradiction().is_none());
        assert!(matches!(parse(&["--prefix"]).output_format(), Format::Prefixed));
        let json = parse(&["--format", "json", "--multiline", "auto", "--json-lines", "merge"]);
        assert!(json.contradiction().is_none());
        let Format::Json { json_lines, multiline } = json.output_format() else { panic!("json") };
        assert_eq!(json_lines, JsonLines::Merge);
        assert!(matches!(multiline, Multiline::Auto));
        for words in [
            &["--prefix", "--format", "json"][..],
            &["--json-lines", "nest"],
            &["--multiline", "off"],
        ] {
            assert!(parse(words).contradiction().is_some(), "{words:?}");
        }
        for words in [
            ["--format", "xml"],
            ["--json-lines", "no"],
            ["--multiline", "yes"],
            ["--multiline", "start="],
            ["--multiline", "start=("],
        ] {
            let words = [&["log-scraper", "a"], &words[..]].concat();
            assert!(Arguments::try_parse_from(&words).is_err(), "{words:?}");
        }
    }
}
