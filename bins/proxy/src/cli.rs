//! The command line: nginx's own flags, and those that a sidecar needs beside them.

use std::path::PathBuf;
use std::time::Duration;

use sidecar::check::Check;
use sidecar::cli::{ListenAddress, duration};

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
#[command(args_conflicts_with_subcommands = true)]
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
    /// Print the version
    #[arg(short = 'v', long = "version", action = clap::ArgAction::Version)]
    version: Option<bool>,
    /// Print the version and what this build has
    #[arg(short = 'V')]
    pub build_info: bool,
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
    /// Worker threads [default: the CPU quota, 1 to 8]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=64))]
    #[arg(env = "PROXY_WORKERS")]
    pub workers: Option<u16>,
    /// A check to run instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program does instead of serving.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Ask a server and judge its answer
    #[command(subcommand)]
    Check(Check),
}
