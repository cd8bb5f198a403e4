//! nginx and the proxy, both started with the same file, each with applications of its own to
//! pass to: a lane for each thread that tests.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::lane::Lane;

/// How long a program may take to listen.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// `LISTEN` and `LANE` stand for a lane's own.
const SERVER: &str = "
    upstream LANE { server APPLICATION max_fails=0; keepalive 4; }
    server {
        listen LISTEN;
        location / { proxy_pass http://LANE; }
        location /mapped/ { proxy_pass http://LANE/base/; }
        location /own/ { return 200 own; }
        location /any/ { client_max_body_size 0; proxy_pass http://LANE; }
        location /small/ { client_max_body_size 100; proxy_pass http://LANE; }
    }";

const HTTP: &str = "
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    client_max_body_size 1m;
    proxy_buffer_size 64k;
    proxy_buffers 4 64k;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_set_header Connection \"\";
    proxy_set_header Host $http_host;
    proxy_set_header X-Host $host;";

/// A program that runs, and ends with this value.
pub struct Program {
    child: Child,
    folder: PathBuf,
    /// One for each thread.
    pub lanes: Vec<Lane>,
}

/// nginx on this machine, or None after saying loudly that there is none. In continuous
/// integration that is a failure.
pub fn find_nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join("nginx")).find(|file| file.is_file());
    if found.is_none() {
        let missing = "nginx is not installed (apt-get install nginx-light)";
        assert!(std::env::var_os("CI").is_none(), "{missing}: nothing was compared with it");
        // Straight to the terminal: the test harness keeps what a passing test prints.
        let _ = writeln!(std::io::stderr(), "\nNOT TESTED: {missing}\n");
    }
    found
}

/// Whether it is the nginx that the lists were made with. Lines that are not true of another one
/// are no mistake.
pub fn is_the_listed(nginx: &Path) -> bool {
    let output = Command::new(nginx).arg("-v").output().unwrap();
    String::from_utf8_lossy(&output.stderr).contains("nginx/1.22.1")
}

impl Program {
    pub fn ours(lanes: usize) -> Program {
        Program::start(lanes, |folder| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_proxy"));
            command.arg("-c").arg(folder.join("nginx.conf")).arg("--workers=1");
            command
        })
    }

    pub fn nginx(nginx: &Path, lanes: usize) -> Program {
        Program::start(lanes, |folder| {
            let mut command = Command::new(nginx);
            command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
            command.args(["-e", "early.log", "-g"]);
            command.arg("daemon off; master_process off; pid nginx.pid; error_log error.log crit;");
            command
        })
    }

    /// Ports are free when they are chosen; should somebody be quicker, others are.
    fn start(lanes: usize, command: impl Fn(&Path) -> Command) -> Program {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        for _ in 0..5 {
            let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
            let name = format!("proxy-differential-{}-{serial}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir_all(&folder).unwrap();
            let (conf, lanes) = configure(lanes);
            fs::write(folder.join("nginx.conf"), conf).unwrap();
            let child = spawn(&mut command(&folder), &folder);
            let mut program = Program { child, folder, lanes };
            if program.listens() {
                return program;
            }
        }
        panic!("it did not start five times");
    }

    /// What it said, to be read where it goes wrong, but for what it always says of the file.
    pub fn stderr(&self) -> String {
        let log = fs::read_to_string(self.folder.join("stderr.log")).unwrap_or_default();
        let lines: Vec<&str> =
            log.lines().filter(|line| !line.contains("no effect here")).collect();
        lines.join("\n")
    }

    fn listens(&mut self) -> bool {
        let end = Instant::now() + STARTS_WITHIN;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                eprintln!("ended with {status}: {}", self.stderr());
                return false;
            }
            if self.lanes.iter().all(|lane| TcpStream::connect(lane.proxy()).is_ok()) {
                return true;
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(command: &mut Command, folder: &Path) -> Child {
    let log = fs::File::create(folder.join("stderr.log")).unwrap();
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().unwrap()
}

/// A file with so many servers, and what stands on both sides of each.
fn configure(lanes: usize) -> (String, Vec<Lane>) {
    let any = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (fronts, backs): (Vec<_>, Vec<_>) = (0..lanes).map(|_| (any(), any())).unzip();
    let address = |listener: &TcpListener| listener.local_addr().unwrap();
    let servers: String = (0..lanes)
        .map(|n| {
            SERVER
                .replace("LISTEN", &address(&fronts[n]).to_string())
                .replace("APPLICATION", &address(&backs[n]).to_string())
                .replace("LANE", &format!("lane{n}"))
        })
        .collect();
    let proxies: Vec<SocketAddr> = fronts.iter().map(address).collect();
    let lanes = proxies.into_iter().zip(backs).map(|(proxy, back)| Lane::new(proxy, back));
    (format!("events {{}}\nhttp {{{HTTP}{servers}\n}}\n"), lanes.collect())
}
