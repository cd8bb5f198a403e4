//! nginx's command line, as tools made for nginx use it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Folder, Proxy, lossy, output, wait_until};

const GOOD: &str = "events {} http { server { listen 127.0.0.1:PORT; return 200 one; } }";

/// Exit code, standard output, standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = output(arguments);
    (output.status.code(), lossy(&output.stdout), lossy(&output.stderr))
}

#[test]
fn the_version_is_told_in_nginxs_shape_on_stderr() {
    let line = format!("nginx version: sidecar-kit/{} (", env!("CARGO_PKG_VERSION"));
    let (code, stdout, stderr) = run(&["-v"]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""));
    assert!(stderr.starts_with(&line) && stderr.lines().count() == 1, "{stderr}");
    let (code, stdout, stderr) = run(&["-V"]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""));
    let last = stderr.lines().last().unwrap();
    assert!(stderr.starts_with(&line), "{stderr}");
    assert!(last.starts_with("configure arguments: --prefix=/etc/nginx --conf-path="), "{last}");
}

#[test]
fn help_is_given_for_each_of_its_names() {
    for flag in ["-h", "-?", "--help"] {
        let (code, stdout, _) = run(&[flag]);
        assert_eq!(code, Some(0), "{flag}");
        assert!(stdout.contains("Usage: ") && stdout.contains("-c <FILE>"), "{flag}: {stdout}");
    }
}

#[test]
fn directives_are_told_one_by_one_and_all_together() {
    let (code, stdout, stderr) = run(&["--directives", "tcp_nodelay"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("context: http, server, location\nhere:    no effect\n"), "{stdout}");
    let (code, stdout, stderr) = run(&["--directives"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.lines().any(|line| line.starts_with("listen (server) implemented")), "{stdout}");
    let (code, stdout, stderr) = run(&["--directives", "lisen"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("unknown directive \"lisen\"; did you mean \"listen\"?"), "{stderr}");
}

#[test]
fn a_wrong_flag_says_what_would_be_right() {
    let (code, _, stderr) = run(&["-s", "relod"]);
    assert_eq!(code, Some(64));
    assert!(stderr.contains("reload") && stderr.lines().count() == 1, "{stderr}");
    for arguments in [&["-x"][..], &["foo"], &["-c"], &["-tx"]] {
        let (code, _, stderr) = run(arguments);
        assert_eq!((code, stderr.lines().count()), (Some(64), 1), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_file_that_listens_where_nobody_comes_is_refused() {
    let folder = Folder::new();
    let text =
        "events {}\nhttp {\n  server { listen 127.0.0.1:8080; }\n  server { listen 80; }\n}\n";
    let conf = folder.write("blog.conf", text);
    let conf = conf.to_str().unwrap();
    let check = |flags: &[&str], code: i32, said: &str| {
        let (status, _, stderr) = run(&[&["-c", conf], flags].concat());
        assert_eq!(status, Some(code), "{flags:?}: {stderr}");
        assert!(stderr.contains(said), "{flags:?}: {stderr}");
    };
    check(&["-t", "--expect-listen=80"], 0, "test is successful");
    let said = format!(
        "{conf}: nothing listens on port 8080, where clients are led to (--expect-listen); the \
         configuration listens on 127.0.0.1:8080 ({conf}:3:19), 0.0.0.0:80 ({conf}:4:19)"
    );
    check(&["-t", "--expect-listen=8080"], 1, &said);
    check(&["-t", "--expect-listen=8080"], 1, "expected \"listen 8080;\" in a server");
    check(&["--expect-listen=80", "--expect-listen=81"], 78, "nothing listens on port 81");
    check(&["-t", "--expect-listen=0"], 64, "--expect-listen");
}

#[test]
fn a_test_ends_with_nginxs_lines() {
    let folder = Folder::new();
    let good = folder.write("good.conf", GOOD.replace("PORT", "8080"));
    let good = good.to_str().unwrap();
    let verdict = format!(
        "proxy: the configuration file {good} syntax is ok\n\
         proxy: configuration file {good} test is successful\n"
    );
    assert_eq!(run(&["-t", "-c", good]), (Some(0), String::new(), verdict.clone()));
    assert_eq!(run(&["-tqc", good]), (Some(0), String::new(), String::new()));
    let text = fs::read_to_string(good).unwrap();
    let dump = format!("# configuration file {good}:\n{text}\n");
    assert_eq!(run(&["-T", "-c", good]), (Some(0), dump.clone(), verdict.clone()));
    assert_eq!(run(&["-qTc", good]), (Some(0), dump, String::new()));
    let (_, _, both) = run(&["-vt", "-c", good]);
    assert!(both.starts_with("nginx version: ") && both.ends_with(&verdict), "{both}");
    let bad = folder.write("bad.conf", "nonsense;");
    for flags in ["-tc", "-tqc"] {
        let (code, _, stderr) = run(&[flags, bad.to_str().unwrap()]);
        let failed = format!("proxy: configuration file {} test failed\n", bad.display());
        assert_eq!(code, Some(1));
        assert!(stderr.contains("bad.conf:1:1: unknown directive") && stderr.ends_with(&failed));
    }
}

#[test]
fn messages_begin_with_the_name_that_it_was_called_by() {
    let folder = Folder::new();
    let nginx = folder.path().join("nginx");
    symlink(env!("CARGO_BIN_EXE_proxy"), &nginx).unwrap();
    let conf = folder.write("nginx.conf", GOOD.replace("PORT", "8080"));
    let output = Command::new(&nginx).arg("-t").arg("-c").arg(&conf).output().unwrap();
    let shown = conf.display();
    assert!(lossy(&output.stderr).ends_with(&format!(
        "nginx: the configuration file {shown} syntax is ok\n\
         nginx: configuration file {shown} test is successful\n"
    )));
}

#[test]
fn a_relative_file_starts_at_the_prefix() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("conf")).unwrap();
    folder.write("conf/a.conf", GOOD.replace("PORT", "8080"));
    folder.write("nginx.conf", GOOD.replace("PORT", "8081"));
    let prefix = folder.path().to_str().unwrap();
    for (arguments, shown) in [
        (&["-t", "-p", prefix, "-c", "conf/a.conf"][..], "conf/a.conf"),
        (&["-t", "-p", prefix], "nginx.conf"),
    ] {
        let (code, _, stderr) = run(arguments);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stderr.contains(&format!("{prefix}/{shown} syntax is ok")), "{stderr}");
    }
    let (code, _, stderr) = run(&["-t", "-p", prefix, "-c", "a.conf"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&format!("open() \"{prefix}/a.conf\" failed")), "{stderr}");
}

fn pid_of(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[test]
fn the_pid_file_is_there_while_it_serves_and_signals_use_it() {
    let folder = Folder::new();
    let pid = folder.path().join("nginx.pid");
    // From -g, so that the order finds it by the same means and not by its configuration file.
    let global = format!("pid {};", pid.display());
    let mut proxy = Proxy::start_with(GOOD, &["-g", &global]);
    wait_until("its number is there", || pid_of(&pid) == Some(proxy.child.id()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "and nothing beside it");
    let other = folder.write("other.conf", "events {} http { server { return 204; } }");
    let other = other.to_str().unwrap();
    assert_eq!(run(&["-g", &global, "-c", other, "-s", "drain"]), (Some(0), "".into(), "".into()));
    wait_until("it has got it", || proxy.stderr().contains("draining"));
    assert_eq!(run(&["-s", "stop", "-g", &global, "-c", other]).0, Some(0));
    assert_eq!(proxy.wait().code(), Some(0));
    assert!(!pid.exists(), "removed at the end");
}

#[test]
fn the_pid_file_follows_the_configuration() {
    let folder = Folder::new();
    let (a, b) = (folder.path().join("a.pid"), folder.path().join("b.pid"));
    let proxy = Proxy::start(&format!("pid {};\n{GOOD}", a.display()));
    wait_until("its number is there", || pid_of(&a) == Some(proxy.child.id()));
    let conf = proxy.folder.path().join("nginx.conf");
    let text = fs::read_to_string(&conf).unwrap().replace("a.pid", "b.pid");
    fs::write(&conf, text).unwrap();
    wait_until("it has moved", || pid_of(&b) == Some(proxy.child.id()) && !a.exists());
}

#[test]
fn a_pid_file_that_cannot_be_written_is_a_warning() {
    let proxy = Proxy::start(&format!("pid /no/such/folder/nginx.pid;\n{GOOD}"));
    wait_until("it is told", || {
        proxy.stderr().contains("[WARN] cannot write the pid file /no/such/folder/nginx.pid: ")
    });
    assert!(proxy.get("/").ends_with("one"));
    let conf = proxy.folder.path().join("nginx.conf");
    let (code, _, stderr) = run(&["-s", "reload", "-c", conf.to_str().unwrap()]);
    assert_eq!(code, Some(0), "found without it: {stderr}");
    wait_until("it has got it", || proxy.stderr().contains("in force"));
}

#[test]
fn a_stale_pid_file_does_not_mislead_and_orders_to_nobody_fail_as_with_nginx() {
    let folder = Folder::new();
    // A process that is there, but is none of ours.
    let mut sleeper = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
    let pid = folder.write("nginx.pid", format!("{}\n", sleeper.id()));
    let shown = pid.display().to_string();
    let text = format!("pid {shown};\n{}", GOOD.replace("PORT", "1"));
    let conf = folder.write("nginx.conf", text);
    let reload = || run(&["-s", "reload", "-c", conf.to_str().unwrap()]);
    let check = |problem: &str| {
        let expected = format!("proxy: [error] {problem}\n");
        assert_eq!(reload(), (Some(1), String::new(), expected));
    };
    check(&format!("process {} of \"{shown}\" is no running proxy", sleeper.id()));
    assert_eq!(sleeper.try_wait().unwrap(), None, "it got no signal");
    folder.write("nginx.pid", "");
    check(&format!("invalid PID number \"\" in \"{shown}\""));
    fs::remove_file(&pid).unwrap();
    check(&format!("open() \"{shown}\" failed (No such file or directory (os error 2))"));
    folder.write("nginx.conf", GOOD.replace("PORT", "1"));
    check("no running proxy found");
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[test]
fn a_bad_file_is_not_reloaded_but_does_not_keep_anybody_from_ending() {
    let mut proxy = Proxy::start_with(GOOD, &["--reload-interval=0"]);
    let conf = proxy.folder.write("nginx.conf", "nonsense;");
    let conf = conf.to_str().unwrap();
    let (code, _, stderr) = run(&["-s", "reload", "-c", conf]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("unknown directive \"nonsense\""), "{stderr}");
    assert!(!proxy.stderr().contains("refused"), "no signal was sent");
    assert_eq!(run(&["-s", "quit", "-c", conf]).0, Some(0));
    assert_eq!(proxy.wait().code(), Some(0));
}
