//! The command line and its environment variables, and what they mean to the engine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use log::info;
use sidecar::check::Check;
use sidecar::cli::{self, ListenAddress};
use tail::engine::{FILES_MAX, OPEN_FILES_MIN, Options};
use tail::format::{Format, JsonLines};
use tail::multiline::Multiline;
use tail::pattern::is_pattern;

use crate::flag_values::{
    FormatName, OutputName, format_name, json_lines, max_files, max_open_files, multiline,
    output_name, poll_interval, rotated_glob,
};
use crate::reclaim::{Delivered, PunchHole, delivered, punch_hole};
use crate::roots::Roots;
#[cfg(feature = "stores")]
use crate::store_flags::StoreArguments;

/// Descriptors that are not for followed files.
const RESERVED_FILES: usize = 24;

/// Follows log files to stdout, or to a log store, from their beginning, through every kind of rotation.
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
    /// Where lines go: stdout; or, in a build with the feature stores, to a log store by otlp, loki,
    /// ndjson or elasticsearch
    #[arg(
        long,
        env = "LOG_SCRAPER_OUTPUT",
        value_name = "WHERE",
        default_value = "stdout",
        value_parser = output_name
    )]
    pub(crate) output: OutputName,
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
    /// With --format json or a store, lines that belong together: off, none (the default); auto, stack traces
    /// of Java, Python, Go, .NET and Node; indent, lines that begin with a blank or with "Caused
    /// by:"; start=REGEX, all lines up to the next one that matches (a build with that feature)
    #[arg(
        long,
        env = "LOG_SCRAPER_MULTILINE",
        value_name = "HOW",
        value_parser = multiline
    )]
    pub(crate) multiline: Option<Multiline>,
    /// With several files, --prefix, --format json or a store: wait this long for the end of a line, or of
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
    #[cfg(feature = "stores")]
    #[command(flatten)]
    pub(crate) store: StoreArguments,
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
    /// Bytes that may be out beyond the last checkpoint. What is on its way to a store is none of it
    /// before the store has it, and then a checkpoint follows at once.
    fn checkpoint_bytes(&self) -> u64 {
        match self.output {
            OutputName::Stdout => self.checkpoint_bytes,
            #[cfg(feature = "stores")]
            _ => self.checkpoint_bytes.max(crate::store::setup::bytes_on_the_way(&self.store)),
        }
    }

    fn output_format(&self) -> Format {
        let multiline = self.multiline.clone().unwrap_or_default();
        match self.format {
            _ if self.output != OutputName::Stdout => Format::Enveloped { multiline },
            FormatName::Raw if self.prefix => Format::Prefixed,
            FormatName::Raw => Format::Raw,
            FormatName::Json => {
                Format::Json { json_lines: self.json_lines.unwrap_or_default(), multiline }
            }
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

    /// Says which paths are folders: one may be in the place of a file that is missing.
    pub(crate) fn say_folders(&self) {
        for folder in self.paths.iter().filter(|path| path.is_dir()) {
            let path = folder.display();
            info!("{path}: a folder, not a regular file: the files in it are followed");
        }
    }

    /// The paths and patterns to follow, a folder being all files in it.
    pub(crate) fn followed(&self) -> Vec<PathBuf> {
        self.paths.iter().flat_map(|path| whole(path)).collect()
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
            checkpoint_bytes: self.checkpoint_bytes(),
            partial_line_ms: millis(self.partial_line_timeout),
            format: self.output_format(),
            poll_ms: millis(self.poll_interval),
            exit_on_eof: self.exit_on_eof,
            reclaim: self.what_to_reclaim(),
        }
    }
}

/// A folder, with a slash behind it or as it is there, stands for the files in it, and ** at the
/// end for those in all folders below as well. One without a slash may be in a file's place: should
/// there be a file later, that is followed, too.
fn whole(path: &Path) -> impl Iterator<Item = PathBuf> {
    let is_marked = path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.ends_with("**");
    let is_folder = is_marked || path.is_dir();
    let files = is_folder.then(|| path.join("*"));
    let file = match is_folder {
        true => Some(path).filter(|_| !is_marked).and_then(once_a_file),
        false => Some(path.to_owned()),
    };
    files.into_iter().chain(file)
}

/// A pattern that only this path fits: it is followed when there is a file, and nothing is said as
/// long as there is none.
fn once_a_file(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let (first, rest) = name.split_at_checked(1)?;
    let is_plain = !is_pattern(path) && first != "\\" && first != "]";
    is_plain.then(|| path.with_file_name(format!("[{first}]{rest}")))
}

/// A path as the engine names it, whichever way it was written: no `./`, no doubled slashes.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let path: PathBuf = path.components().collect();
    path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)
}

/// A duration as the engine counts time.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
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

    /// Expects that these words contradict each other, told with this text, or that they do not.
    pub(crate) fn check_contradiction(words: &[&str], expected: Option<&str>) {
        let told = arguments(words).contradiction();
        let right = match (&told, expected) {
            (Some(told), Some(expected)) => told.contains(expected),
            (told, expected) => told.is_none() && expected.is_none(),
        };
        assert!(right, "{words:?}: {told:?}");
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
        check("/not/there/yet/", "/not/there/yet/*");
        check("/not/there/yet", "/not/there/yet");
        check("/logs/**", "/logs/**/*");
        check("/logs/*/", "/logs/*/*");
        check("./src/", "src/*");
        let here = env!("CARGO_MANIFEST_DIR");
        let once_a_file = here.replace("/log-scraper", "/[l]og-scraper");
        let expected = [format!("{here}/*"), once_a_file].map(PathBuf::from);
        assert_eq!(arguments(&[here]).options().paths, expected);
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
