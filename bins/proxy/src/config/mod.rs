//! From nginx.conf to the configuration that the proxy runs.
//!
//! Owns: where the configuration is, reading it with its includes, and what the process does with
//! a file that is only a fragment. The language is `nginx-conf`'s, the meaning that of `lower`;
//! choosing by Host and path is `lookup`'s.

mod expect;
mod files;
mod last_good;
mod resolve;
mod templates;
#[cfg(test)]
mod tests;
mod watch;

use std::path::{Path, PathBuf};

use nginx_conf::{Context, Diag, IncludeError, Included, Reading, Severity, stock};

pub use last_good::{LastGood, Snapshot};
pub use resolve::resolve;
pub use templates::Templates;
pub use watch::Watch;

use proxy_core::config::lower::{Surroundings, lower_all};
use proxy_core::config::model::Config;

/// The folder of templates beside the main file, and that of what they stand for.
const TEMPLATES: &str = "templates";
const MADE: &str = "conf.d";
/// Name of the directives given by `-g` in messages, as nginx has it.
const COMMAND_LINE: &str = "command line";
/// The main file of nginx's image, and its folder of fragments.
const MAIN_FILE: &str = "nginx.conf";
const FRAGMENTS: &str = "conf.d/*.conf";

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// `-c`
    pub path: Option<PathBuf>,
    /// `-p`: where relative paths start.
    pub prefix: Option<PathBuf>,
    /// `-g`: directives of the main level.
    pub globals: String,
    /// `--expect-listen`: ports that clients are led to.
    pub expect_listen: Vec<u16>,
    /// Whether what was read is wanted afterwards.
    pub keeps: bool,
    /// What makes files of templates.
    pub templates: Templates,
}

/// A file of the configuration with its text.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it was read from; built-in files have a path too.
    pub path: PathBuf,
    /// What it said.
    pub text: Vec<u8>,
    /// Whether the kit itself brought it.
    pub built_in: bool,
}

/// Something worth saying about a configuration that may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The whole line, with its place.
    pub text: String,
    /// The same without its place, which changes with every line written above it.
    pub topic: String,
}

/// What a load has come to, and all that it looked at for it, good or bad.
#[derive(Debug)]
pub struct Load {
    /// The configuration, or all that is wrong with it, each finding with its place, line and caret.
    pub outcome: Result<Loaded, Vec<String>>,
    /// Tells when it is worth to load again.
    pub watch: Watch,
    /// All that was read of the disk, if it is wanted.
    pub taken: Option<Snapshot>,
}

/// A configuration that may run.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Files that it was read from, the main file first, for reload and `-T`.
    pub sources: Vec<Source>,
    /// What is worth saying about it.
    pub warnings: Vec<Warning>,
}

impl LoadOptions {
    /// The main file, for messages.
    pub fn display_path(&self) -> String {
        self.main_path().display().to_string()
    }

    /// nginx: a relative `-c` starts at `-p`; without `-p` it starts at the working directory
    /// (nginx: at the folder that it was built for). Without either it is the folder of nginx's
    /// image.
    pub fn main_path(&self) -> PathBuf {
        let prefix = self.prefix.as_deref();
        match &self.path {
            Some(path) => prefix.map_or_else(|| path.clone(), |prefix| prefix.join(path)),
            None => prefix.unwrap_or(Path::new(files::FOLDER)).join(MAIN_FILE),
        }
    }

    /// Where relative paths of logs and the like start.
    pub fn folder(&self) -> PathBuf {
        match &self.prefix {
            Some(prefix) => prefix.clone(),
            None => self.main_path().parent().unwrap_or(Path::new("")).to_path_buf(),
        }
    }
}

/// Reads and checks the configuration and looks its upstreams' names up. All that is wrong is told
/// at once. Takes at most the resolver's two seconds where names are slow; reads files, opens no
/// socket.
pub fn load(options: &LoadOptions) -> Load {
    with_names(load_without_names(options))
}

/// The same of what was kept in place of the disk.
pub fn load_kept(options: &LoadOptions, kept: Snapshot) -> Load {
    with_names(load_through(options, Watch::of(kept)))
}

fn with_names(mut load: Load) -> Load {
    if let Ok(loaded) = &mut load.outcome {
        let missing = resolve::fill(&mut loaded.config);
        loaded.warnings.extend(missing.into_iter().map(|t| Warning { topic: t.clone(), text: t }));
    }
    load
}

/// The same, but for names of upstreams: they have no addresses then.
pub fn load_without_names(options: &LoadOptions) -> Load {
    load_through(options, if options.keeps { Watch::taking() } else { Watch::default() })
}

fn load_through(options: &LoadOptions, mut watch: Watch) -> Load {
    let is_root = rustix::process::geteuid().is_root();
    let outcome = lower(options, is_root, &mut watch).map_err(|diags| {
        diags.iter().filter(|diag| diag.is_error()).map(Diag::to_string).collect::<Vec<_>>()
    });
    let taken = watch.taken.take();
    Load { outcome, watch, taken }
}

/// The name of this host, perhaps with a line end (nginx: `$hostname`).
pub fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default()
}

fn lower(options: &LoadOptions, is_root: bool, watch: &mut Watch) -> Result<Loaded, Vec<Diag>> {
    check_globals(&options.globals)?;
    let path = options.main_path();
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    make_files(&options.templates, &folder, watch)?;
    let main = find_main(&path, options.path.is_none(), watch)?;
    let Reading { tree, findings, is_sound } = read(main, &path, &folder, &options.globals, watch);
    let hostname = hostname();
    let surroundings = Surroundings {
        folder: &options.folder(),
        conf_folder: &folder,
        is_root,
        hostname: &hostname,
        resolve: &resolve::by_tcp,
    };
    let (config, warnings) = lower_all(&tree, findings, is_sound, &surroundings)?;
    expect::check(&config, &options.expect_listen, &path.display().to_string())?;
    let sources = tree.sources.files().iter().map(|source| Source {
        path: PathBuf::from(&source.name),
        text: source.bytes.to_vec(),
        built_in: source.is_stock || source.name == COMMAND_LINE,
    });
    let warnings = warnings.iter().map(|diag| Warning {
        text: diag.headline(),
        topic: format!("{}: {}", diag.file, diag.message),
    });
    Ok(Loaded { config, sources: sources.collect(), warnings: warnings.collect() })
}

/// `-g` is judged by itself, so that what is wrong in it does not spill into the file.
fn check_globals(globals: &str) -> Result<(), Vec<Diag>> {
    if globals.trim().is_empty() {
        return Ok(());
    }
    let text = included(COMMAND_LINE, globals.into(), false);
    nginx_conf::load(text, Context::Main, &mut |_, _| Ok(Vec::new())).map(|_| ())
}

/// nginx's image: a file that a template stands for is there before the configuration is read.
fn make_files(templates: &Templates, folder: &Path, watch: &mut Watch) -> Result<(), Vec<Diag>> {
    let within = |given: &Option<PathBuf>, name: &str| {
        folder.join(given.as_deref().unwrap_or(Path::new(name)))
    };
    let (from, to) = (within(&templates.folder, TEMPLATES), within(&templates.output, MADE));
    let problems = watch.make(templates, &from, &to);
    let diags: Vec<_> =
        problems.into_iter().map(|p| Diag::without_place(Severity::Error, "", p)).collect();
    if diags.is_empty() { Ok(()) } else { Err(diags) }
}

/// What the configuration starts from.
enum Main {
    /// A whole file.
    File(Vec<u8>),
    /// A file that is the inside of an `http` block.
    Fragment(Vec<u8>),
    /// No file, but fragments in the folder beside it.
    Folder,
}

/// The main file, or what stands for it where nobody named one.
fn find_main(path: &Path, is_default: bool, watch: &mut Watch) -> Result<Main, Vec<Diag>> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let bytes = match watch.read(path) {
        Ok(bytes) => bytes,
        Err(_)
            if is_default
                && !watch.exists(path)
                && !watch.glob(&folder.join(FRAGMENTS)).is_empty() =>
        {
            return Ok(Main::Folder);
        }
        Err(problem) => return Err(vec![Diag::without_place(Severity::Error, "", problem)]),
    };
    Ok(if nginx_conf::is_fragment(&bytes) { Main::Fragment(bytes) } else { Main::File(bytes) })
}

/// Reads the main file with all that it includes; a fragment by way of the built-in frame.
fn read(main: Main, path: &Path, folder: &Path, globals: &str, watch: &mut Watch) -> Reading {
    let name = path.display().to_string();
    let (entry, given) = match main {
        Main::File(bytes) => (included(&name, bytes, false), None),
        Main::Fragment(bytes) => {
            let frame = stock::wrapper(&name).into_bytes();
            let fragment = included(&name, bytes, false);
            (included(stock::WRAPPER_NAME, frame, true), Some(fragment))
        }
        Main::Folder => {
            let frame = stock::wrapper(FRAGMENTS).into_bytes();
            (included(stock::WRAPPER_NAME, frame, true), None)
        }
    };
    // Files read already are handed out once more under their names.
    let mut known: Vec<Included> = given.into_iter().collect();
    let entry = if globals.trim().is_empty() {
        entry
    } else {
        let text = format!("{globals}\ninclude \"{}\";\n", entry.name.replace('"', "\\\""));
        known.push(entry);
        included(COMMAND_LINE, text.into_bytes(), false)
    };
    let mut resolve = |pattern: &str, _: &str| -> Result<Vec<Included>, IncludeError> {
        match known.iter().find(|file| file.name == pattern) {
            Some(file) => Ok(vec![file.clone()]),
            None => files::include(pattern, folder, watch),
        }
    };
    nginx_conf::read(entry, Context::Main, &mut resolve)
}

fn included(name: &str, bytes: Vec<u8>, is_stock: bool) -> Included {
    Included { name: name.to_owned(), bytes, is_stock }
}
