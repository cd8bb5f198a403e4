//! End-to-end tests of the chart on a real cluster.
//!
//! `e2e run` is started by `scripts/e2e` on a machine that has a kind cluster with the images in
//! it; the other commands are what it runs inside the cluster, from an image that holds nothing
//! but this program. It never creates or deletes a cluster.

mod assertions;
mod client;
mod cluster;
mod command;
mod comparison;
mod diagnose;
mod foreign;
mod load;
mod numbers;
mod run;
mod site;
mod start_up;
mod stream;

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;

/// Command line wrong, as in the kit's own programs.
const USAGE: u8 = 64;

#[derive(Parser)]
#[command(name = "e2e", version, about = "End-to-end tests of the chart on a real cluster")]
enum Cli {
    /// Runs the assertions on a kind cluster, and prints a line for each.
    Run(run::Arguments),
    /// Measures the kit beside what is written by hand, and prints a table.
    Compare(run::Place),
    /// Prints the names of the assertions, of all without any name.
    List {
        /// Assertions to list.
        names: Vec<String>,
    },
    /// Sends a steady load of GETs and prints what became of it.
    Load(LoadArguments),
    /// Keeps a stream of the foreign application open and prints what became of it.
    Stream(StreamArguments),
    /// Serves as an application that was not written for the kit.
    Serve(foreign::Arguments),
    /// Sends one GET and prints the whole response.
    Get(GetArguments),
    /// Does nothing until it is told to end: a pod to run the other commands in.
    ServeIdle,
}

#[derive(clap::Args)]
struct LoadArguments {
    /// http://HOST[:PORT][/PATH]; the name is resolved once.
    #[arg(long)]
    url: String,
    /// Clients beside each other, each with one request at a time.
    #[arg(long, default_value_t = 8)]
    clients: u32,
    /// Longest duration.
    #[arg(long)]
    seconds: u64,
    /// A new connection for each request, or one for as long as the server keeps it.
    #[arg(long, value_enum)]
    mode: load::Mode,
    /// Requests per second, of all clients together.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// Adds n=1, n=2, … to the query.
    #[arg(long)]
    numbered: bool,
    /// Counts a response with another body as failed.
    #[arg(long, value_name = "TEXT")]
    expect_body: Option<String>,
    /// Ends earlier, when standard input does.
    #[arg(long)]
    until_eof: bool,
}

#[derive(clap::Args)]
struct StreamArguments {
    /// http://HOST[:PORT][/PATH]; the name is resolved once.
    #[arg(long)]
    url: String,
    /// What is there.
    #[arg(long, value_enum)]
    kind: stream::Kind,
    /// Longest duration.
    #[arg(long)]
    seconds: u64,
}

#[derive(clap::Args)]
struct GetArguments {
    /// http://HOST[:PORT][/PATH]
    url: String,
    /// A header field to send, `Name: value`.
    #[arg(long = "header", value_name = "FIELD")]
    fields: Vec<String>,
    /// Longest wait for the response.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    timeout: u64,
    /// Asks again until the response has this status.
    #[arg(long, value_name = "STATUS", requires = "within")]
    until_status: Option<u16>,
    /// How long to ask again.
    #[arg(long, value_name = "SECONDS")]
    within: Option<u64>,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing is to be done where even the complaint cannot be written.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    let done = match cli {
        Cli::Run(arguments) => return run::run(&arguments),
        Cli::Compare(arguments) => return run::compare(&arguments),
        Cli::List { names } => return run::list(&names),
        Cli::Load(arguments) => load(&arguments),
        Cli::Stream(arguments) => stream(&arguments),
        Cli::Serve(arguments) => foreign::serve(&arguments),
        Cli::Get(arguments) => get(&arguments),
        Cli::ServeIdle => loop {
            std::thread::park();
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("e2e: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Prints to standard output. Where nobody reads it any more, the exit code still tells.
fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Exits 0 whatever became of the requests: to judge the figures is the caller's business.
fn load(arguments: &LoadArguments) -> Result<(), String> {
    let target = client::Target::parse(&arguments.url)?;
    let plan = load::Plan {
        address: target.resolve()?,
        target,
        clients: arguments.clients,
        duration: Duration::from_secs(arguments.seconds),
        mode: arguments.mode,
        rate: arguments.rate,
        numbered: arguments.numbered,
        expect_body: arguments.expect_body.clone(),
    };
    let stop = if arguments.until_eof { at_eof() } else { Arc::default() };
    print(&load::run(&plan, &stop).text());
    Ok(())
}

/// Set once standard input has ended.
fn at_eof() -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&ended);
    std::thread::spawn(move || {
        let mut nowhere = [0; 64];
        while matches!(std::io::stdin().read(&mut nowhere), Ok(1..)) {}
        set.store(true, Ordering::Relaxed);
    });
    ended
}

/// Ends earlier, when standard input does. Exits 0 whatever became of the stream.
fn stream(arguments: &StreamArguments) -> Result<(), String> {
    let target = client::Target::parse(&arguments.url)?;
    let (address, duration) = (target.resolve()?, Duration::from_secs(arguments.seconds));
    print(&stream::run(arguments.kind, &target, address, duration, &at_eof()).text());
    Ok(())
}

fn get(arguments: &GetArguments) -> Result<(), String> {
    const PAUSE: Duration = Duration::from_millis(20);
    let target = client::Target::parse(&arguments.url)?;
    let timeout = Duration::from_secs(arguments.timeout);
    let deadline = Instant::now() + Duration::from_secs(arguments.within.unwrap_or(0));
    loop {
        let answer = client::get(&target, &arguments.fields, timeout);
        let wanted = match (&answer, arguments.until_status) {
            (Ok(response), Some(status)) => response.status == status,
            (Err(_), Some(_)) => false,
            (_, None) => true,
        };
        if wanted || Instant::now() >= deadline {
            let response = answer.map_err(|fault| fault.to_string())?;
            let mut text = format!("{}\n", response.status);
            for (name, value) in &response.headers {
                text.push_str(&format!("{name}: {value}\n"));
            }
            print(&format!("{text}\n{}", String::from_utf8_lossy(&response.body)));
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
}
