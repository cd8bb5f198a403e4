//! The command line: nginx's own flags, and those that a sidecar needs beside them.
//!
//! As with nginx, letters may stand together (`-tq`), a value may follow at once (`-cFILE`), and of
//! a flag that is given twice the last one holds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sidecar::check::Check;
use sidecar::cli::{ListenAddress, duration};

use crate::config::{LoadOptions, Templates};

/// Signals that `-s` sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    /// Stop at once (SIGINT).
    Stop,
    /// Finish what has begun, then end (SIGQUIT).
    Quit,
    /// Read the configuration again (SIGHUP).
    Reload,
    /// Open the log files again (SIGUSR1).
    Reopen,
    /// Go on serving, but answer with `Connection: close` (SIGUSR2).
    Drain,
}

/// A reverse proxy for the pod's application, configured by nginx.conf
#[derive(Debug, clap::Parser)]
#[command(name = "proxy", version, disable_version_flag = true)]
#[command(args_conflicts_with_subcommands = true, args_override_self = true)]
pub struct Cli {
    /// Configuration file [default: /etc/nginx/nginx.conf, else the fragments in conf.d beside it]
    #[arg(short = 'c', value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder that relative paths of the configuration start from [default: that of the file]
    #[arg(short = 'p', value_name = "PREFIX")]
    pub prefix: Option<PathBuf>,
    /// Directives for the main context, before the file's
    #[arg(short = 'g', value_name = "DIRECTIVES", default_value = "")]
    pub globals: String,
    /// Test the configuration, then end: 0 good, 1 bad
    #[arg(short = 't')]
    pub test: bool,
    /// Test the configuration and print it
    #[arg(short = 'T')]
    pub dump: bool,
    /// Say nothing but errors while testing
    #[arg(short = 'q')]
    pub quiet: bool,
    /// Send a signal to the running proxy, then end
    #[arg(short = 's', value_name = "SIGNAL", value_enum)]
    pub signal: Option<Order>,
    /// Log file until the configuration is read, and where that names none [default: stderr]
    #[arg(short = 'e', value_name = "FILE")]
    pub error_log: Option<PathBuf>,
    /// Print the version as nginx does
    #[arg(short = 'v')]
    pub show_version: bool,
    /// Print the version and what this build has, as nginx does
    #[arg(short = 'V')]
    pub build_info: bool,
    /// Print what becomes of each directive of nginx, or of NAME alone
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    pub directives: Option<Option<String>>,
    /// Print the version
    #[arg(long = "version", action = clap::ArgAction::Version)]
    version: Option<bool>,
    #[arg(short = '?', hide = true, action = clap::ArgAction::HelpShort)]
    help_as_nginx: Option<bool>,
    /// Where /livez, /readyz and /metrics are served; nowhere unless given
    #[arg(long, value_name = "[HOST]:PORT", env = "PROXY_ADMIN_LISTEN")]
    pub admin_listen: Option<ListenAddress>,
    /// How long connections are still accepted after SIGTERM
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    #[arg(env = "PROXY_DRAIN_DELAY")]
    pub drain_delay: Duration,
    /// How long requests under way may take after that
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    #[arg(env = "PROXY_DRAIN_TIMEOUT")]
    pub drain_timeout: Duration,
    /// How often the configuration is looked at for a change; 0 never
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    #[arg(env = "PROXY_RELOAD_INTERVAL")]
    pub reload_interval: Duration,
    /// Port that clients are led to, may be given several times: a configuration that does not
    /// listen there is refused
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    #[arg(env = "PROXY_EXPECT_LISTEN", value_delimiter = ',')]
    pub expect_listen: Vec<u16>,
    /// Folder of templates: x.conf.template stands for conf.d/x.conf, with environment variables
    /// in it, as in nginx's image [default: templates beside the configuration file]
    #[arg(long, value_name = "FOLDER")]
    pub templates: Option<PathBuf>,
    /// Folder where the last configuration in force is kept: where the one that is there at the
    /// start is refused, that one is served
    #[arg(long, value_name = "FOLDER", env = "PROXY_LAST_GOOD")]
    pub last_good: Option<PathBuf>,
    /// Worker threads [default: the CPU quota, 1 to 8]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=64))]
    #[arg(env = "PROXY_WORKERS")]
    pub workers: Option<u16>,
    /// A check to run instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// What it says about the configuration; what templates are filled with is not in it.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions {
            path: self.config.clone(),
            prefix: self.prefix.clone(),
            globals: self.globals.clone(),
            expect_listen: self.expect_listen.clone(),
            keeps: self.last_good.is_some(),
            templates: Templates::default(),
        }
    }

    /// Templates, filled with this process's environment.
    ///
    /// # Errors
    /// What is wrong with what the environment says about them.
    pub fn templates(&self) -> Result<Templates, String> {
        Templates::new(self.templates.clone(), std::env::vars_os())
    }

    /// Whether a process with this command line serves.
    pub fn serves(&self) -> bool {
        let is_told = self.show_version || self.build_info || self.test || self.dump;
        let is_told = is_told || self.directives.is_some();
        !is_told && self.signal.is_none() && self.command.is_none()
    }
}

/// What the program was called by, for the messages that nginx begins with its name: a tool that
/// calls a link named `nginx` reads what it expects.
pub fn program_name() -> String {
    let called = std::env::args_os().next().map(PathBuf::from);
    let name = called.as_deref().and_then(Path::file_name);
    name.map_or_else(|| "proxy".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// What the program does instead of serving.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Ask a server and judge its answer
    #[command(subcommand)]
    Check(Check),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn check(arguments: &[&str], expected: impl Fn(&Cli) -> bool) {
        let cli = Cli::try_parse_from([&["proxy"], arguments].concat()).unwrap();
        assert!(expected(&cli), "{arguments:?}: {cli:?}");
    }

    #[test]
    fn flags_stand_together_and_alone_as_with_nginx() {
        let is = |cli: &Cli, path: &str| cli.config.as_deref() == Some(Path::new(path));
        check(&["-tq", "-c", "a"], |cli| cli.test && cli.quiet && is(cli, "a"));
        check(&["-tqc", "a"], |cli| cli.test && cli.quiet && is(cli, "a"));
        check(&["-tca"], |cli| cli.test && is(cli, "a"));
        check(&["-c", "a", "-c", "b"], |cli| is(cli, "b"));
        check(&["-t", "-t", "-T"], |cli| cli.test && cli.dump);
        check(&["-g", "pid a;", "-g", "pid b;"], |cli| cli.globals == "pid b;");
        check(&["-sreload"], |cli| cli.signal == Some(Order::Reload));
        check(&["-s", "quit", "-p/x/"], |cli| cli.signal == Some(Order::Quit));
        check(&["-e", "stderr"], |cli| cli.error_log.as_deref() == Some(Path::new("stderr")));
        check(&["-g", "daemon off;"], Cli::serves);
        check(&["-sreopen"], |cli| !cli.serves());
        check(&["--directives"], |cli| !cli.serves());
        check(&["--directives", "root"], |cli| !cli.serves() && cli.config.is_none());
        check(&["-vt"], |cli| cli.show_version && cli.test && !cli.serves());
    }

    #[test]
    fn the_main_file_is_found_as_nginx_finds_it() {
        let check = |arguments: &[&str], expected: &str| {
            let cli = Cli::try_parse_from([&["proxy"], arguments].concat()).unwrap();
            assert_eq!(cli.load_options().main_path(), Path::new(expected), "{arguments:?}");
        };
        check(&[], "/etc/nginx/nginx.conf");
        check(&["-p", "/srv"], "/srv/nginx.conf");
        check(&["-p", "/srv", "-c", "conf/a"], "/srv/conf/a");
        check(&["-p", "/srv", "-c", "/a"], "/a");
        check(&["-c", "a"], "a");
    }
}
