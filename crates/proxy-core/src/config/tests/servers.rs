//! Listens, names, upstreams and logs.

use super::super::model::{
    AccessFile, ErrorLevel, ErrorLog, Escape, LogFile, Syslog, SyslogServer,
};
use super::*;

#[test]
fn no_listen_is_port_80_for_root_and_8000_for_others() {
    let text = "http { server { return 204; } }";
    let main = Included { name: "t".to_owned(), bytes: text.into(), is_stock: false };
    let (tree, _) = nginx_conf::load(main, Context::Main, &mut |_, _| Ok(vec![])).unwrap();
    for (is_root, port) in [(true, 80), (false, 8000)] {
        let surroundings = Surroundings { is_root, ..surroundings() };
        let (config, _) = lower_all(&tree, Vec::new(), true, &surroundings).unwrap();
        assert_eq!(config.listens[0].address.port(), port);
    }
}

#[test]
fn listen_takes_all_its_forms_and_options() {
    let config = server(
        "listen 8080 default_server reuseport; listen [::]:8080 default_server ipv6only=off; \
         listen 127.0.0.1:81 backlog=64 deferred; listen localhost:82; listen *:83; return 204;",
    );
    let shown: Vec<String> = config.listens.iter().map(|l| l.address.to_string()).collect();
    let expected =
        ["0.0.0.0:8080", "[::]:8080", "127.0.0.1:81", "127.0.0.1:82", "[::1]:82", "0.0.0.0:83"];
    assert_eq!(shown, expected);
    assert!(config.listens[0].ipv6_only && !config.listens[1].ipv6_only);
    assert_eq!(config.listens[2].backlog, 64);
}

#[test]
fn bad_listens_are_told() {
    let expected = "expected PORT, ADDRESS:PORT or [ADDRESS]:PORT, a port from 1 to 65535";
    for (listen, problem) in [
        ("0", "invalid port in \"0\" of the \"listen\" directive"),
        ("65536", "invalid port in \"65536\" of the \"listen\" directive"),
        ("a:b", "invalid port in \"a:b\" of the \"listen\" directive"),
        ("[::1", "invalid host in \"[::1\" of the \"listen\" directive"),
    ] {
        let told = format!("{problem}; {expected}");
        check_server_error(&format!("listen {listen}; return 204;"), &told);
    }
    let ssl = "\"ssl\" of \"listen\" is not supported yet";
    check_server_error("listen 443 ssl;", ssl);
    check_server_error("listen unix:/x;", "unix sockets in \"listen\" are not supported yet");
    check_server_error("listen 80 backlog=x;", "invalid parameter \"backlog=x\"");
    check_server_error("listen 80 nonsense;", "invalid parameter \"nonsense\"");
    check_server_error("listen 80; listen *:80;", "a duplicate listen 0.0.0.0:80");
    let missing = "host not found in \"no.such.invalid:80\" of the \"listen\" directive";
    check_server_error("listen no.such.invalid:80;", missing);
}

#[test]
fn a_second_default_server_or_second_options_are_errors() {
    check_errors(
        "http { server { listen 80 default_server; } server { listen 80 default_server; } }",
        &["1:61: a duplicate default server for 0.0.0.0:80"],
    );
    check_errors(
        "http { server { listen 80 backlog=1; } server { listen 80 backlog=2; } }",
        &["1:56: duplicate listen options for 0.0.0.0:80"],
    );
}

/// Which of several servers answers for a Host; each returns its number.
fn check_choice(servers: &[&str], choices: &[(&str, usize)]) {
    let blocks: Vec<String> =
        servers.iter().map(|s| format!("server {{ {s} return 204; }}")).collect();
    let config = good(&format!("http {{ {} }}", blocks.concat()));
    for (host, expected) in choices {
        let found = config.listens[0].server(host.as_bytes(), &mut Values::default());
        assert_eq!(found, *expected, "{host} of {servers:?}");
    }
}

#[test]
fn a_server_is_chosen_by_exact_name_then_longest_wildcards_then_default() {
    check_choice(
        &[
            "listen 80; server_name example.com;",
            "listen 80; server_name *.example.com;",
            "listen 80; server_name *.a.example.com;",
            "listen 80; server_name www.*;",
            "listen 80; server_name .other.org \"\";",
            "listen 80 default_server; server_name _;",
            "listen 80; server_name www.a.*;",
        ],
        &[
            ("example.com", 0),
            ("b.example.com", 1),
            ("x.b.example.com", 1),
            ("b.a.example.com", 2),
            ("a.example.com", 1),
            ("www.elsewhere.net", 3),
            ("www.example.com", 1),
            ("www.a.net", 6),
            ("other.org", 4),
            ("x.other.org", 4),
            ("", 4),
            ("_", 5),
            ("nobody", 5),
            (".example.com", 1),
            ("www.", 5),
            ("notexample.com", 5),
        ],
    );
    check_choice(
        &["listen 80; server_name a;", "listen 80; server_name b $hostname;"],
        &[("a", 0), ("b", 1), ("c", 0), ("", 0), ("pod-1", 1)],
    );
}

#[test]
fn a_conflicting_name_goes_to_the_first_with_a_warning() {
    check_warnings(
        "http { server { listen 80; server_name a; return 204; } \
         server { listen 80; server_name A *.b; return 204; } \
         server { listen 80; server_name *.b; return 204; } }",
        &[
            "1:89: conflicting server name \"a\" on 0.0.0.0:80, ignored",
            "1:142: conflicting server name \"*.b\" on 0.0.0.0:80, ignored",
        ],
    );
}

#[test]
fn bad_server_names_are_told() {
    for name in ["a*b", "*", "*.*", "www.*.com", ".", "a..b"] {
        let told = format!("invalid server name or wildcard \"{name}\"");
        check_server_error(&format!("server_name {name};"), &told);
    }
}

#[test]
fn a_specific_address_goes_before_the_wildcard_that_bound_its_port() {
    let config = good(
        "http { server { listen 80; return 200; } server { listen 127.0.0.1:80; return 201; } \
         server { listen [::]:80; return 202; } server { listen 127.0.0.1:81; return 203; } }",
    );
    let bound: Vec<_> = config.listens.iter().map(|listen| listen.bound_by).collect();
    assert_eq!(bound, [None, Some(0), None, None]);
    assert_eq!(config.listen_for(0, "127.0.0.1:80".parse().unwrap()), 1);
    assert_eq!(config.listen_for(0, "10.0.0.1:80".parse().unwrap()), 0);
    assert_eq!(config.listen_for(2, "[::1]:80".parse().unwrap()), 2);
}

#[test]
fn upstreams_have_servers_weights_and_keepalive() {
    let config = good(
        "http { server { location / { proxy_pass http://APP/x; } } upstream app { \
         server 127.0.0.1:1 weight=3 max_fails=0 fail_timeout=1m; server b backup; server [::1]:2 down; \
         keepalive 8; keepalive_timeout 30s; keepalive_requests 7; keepalive_time 1h; } }",
    );
    let upstream = &config.upstreams[pass(&config, "/").upstream];
    assert_eq!((upstream.name.as_slice(), upstream.servers.len()), (&b"app"[..], 3));
    assert_eq!((upstream.keepalive, upstream.keepalive_timeout_ms), (8, 30_000));
    assert_eq!(upstream.keepalive_requests, 7);
    let [one, two, three] = upstream.servers.as_slice() else { panic!() };
    assert_eq!((one.weight, one.max_fails, one.fail_timeout_ms), (3, 0, 60_000));
    assert_eq!((two.port, two.backup, two.max_fails, two.fail_timeout_ms), (80, true, 1, 10_000));
    assert_eq!((three.host.as_str(), three.port, three.down), ("[::1]", 2, true));
    // $proxy_host is the name as written in the URL.
    assert_eq!(pass(&config, "/").url.host, b"APP");
}

#[test]
fn bad_upstreams_are_told() {
    let end = "server { listen 80; return 204; }";
    for (upstream, expected) in [
        ("upstream u { }", "1:8: no servers are inside upstream \"u\""),
        ("upstream u { server a; } upstream U { server b; }", "1:42: duplicate upstream \"U\""),
        ("upstream u { server a:b; }", "1:28: invalid port in upstream \"a:b\""),
        ("upstream u { server a:0; }", "1:28: invalid port in upstream \"a:0\""),
        (
            "upstream u { server unix:; }",
            "1:28: no path in the unix domain socket in upstream \"unix:\"",
        ),
        ("upstream u { server a weight=0; }", "1:30: invalid parameter \"weight=0\""),
        ("upstream u { server a wieght=1; }", "1:30: invalid parameter \"wieght=1\""),
        (
            "upstream u { server a resolve; }",
            "1:30: parameter \"resolve\" is not needed, leave it out: names are looked up again by \
             themselves when a connection fails",
        ),
        ("upstream u { server a drain; }", "1:30: parameter \"drain\" is not supported yet"),
        (
            "upstream u { server a backup; }",
            "1:8: all servers inside upstream \"u\" are \"backup\"",
        ),
    ] {
        check_errors(&format!("http {{ {upstream} {end} }}"), &[expected]);
    }
    check_errors(
        "http { upstream u { server a; } server { location / { proxy_pass http://u:81; } } }",
        &["1:66: upstream \"u\" may not have port 81"],
    );
}

#[test]
fn access_logs_go_to_streams_and_files_in_their_formats() {
    let config = good(
        "http { log_format j escape=json '{\"a\":\"$status\",' '\"b\":\"$host\"}'; \
         access_log /var/log/nginx/access.log j; access_log logs/a.log; \
         server { location / { return 200; } location /off { access_log off; return 200; } \
         location /own { access_log /dev/stderr combined buffer=4k flush=1s; return 200; } } }",
    );
    let folder = std::path::PathBuf::from("/etc/nginx/logs/a.log");
    assert_eq!(config.log_files, [LogFile::Stdout, LogFile::Path(folder), LogFile::Stderr]);
    let logs = |path: &str| -> Vec<(usize, usize)> {
        let known = |file: &AccessFile| match file {
            AccessFile::Known(index) => *index,
            AccessFile::Made(..) => usize::MAX,
        };
        at(&config, path).logs.access.iter().map(|log| (known(&log.file), log.format)).collect()
    };
    assert_eq!(logs("/"), [(0, 0), (1, 1)]);
    assert_eq!((logs("/off"), logs("/own")), (vec![], vec![(2, 1)]));
    assert_eq!(shown(&config.log_formats[0].template), "{\"a\":\"<Status>\",\"b\":\"<Host>\"}");
    assert_eq!(config.log_formats[0].escape, Escape::Json);
}

#[test]
fn bad_logs_are_told() {
    let server = "server { listen 80; return 204; }";
    for (line, expected) in [
        (
            "access_log a nope;",
            "1:21: unknown log format \"nope\"; no log_format of that name is written",
        ),
        (
            "log_format main x; access_log a mian;",
            "1:40: unknown log format \"mian\"; did you mean \"main\"?",
        ),
        ("access_log a combined if=$x;", "1:30: unknown \"x\" variable"),
        ("access_log a combined if=;", "1:30: invalid parameter \"if=\""),
        ("access_log a combined buffer=x;", "1:30: invalid parameter \"buffer=x\""),
        ("access_log a combined buffer=0;", "1:30: invalid parameter \"buffer=0\""),
        ("access_log a combined flush=1s;", "1:19: no buffer is defined for access_log \"a\""),
        (
            "access_log a$host combined buffer=1k;",
            "1:19: buffered logs cannot have variables in name",
        ),
        (
            "access_log syslog:server=a combined buffer=1k;",
            "1:19: logs to syslog cannot be buffered",
        ),
        ("access_log a$nope;", "1:19: unknown \"nope\" variable; did you mean \"$pipe\"?"),
        (
            "access_log a combined gzip;",
            "1:30: \"gzip\" of \"access_log\" is refused: log files are not compressed; who rotates \
             the file can compress it",
        ),
        ("access_log syslog:tag=a;", "1:19: no syslog server specified"),
        ("access_log syslog:server=a,server=b;", "1:19: duplicate syslog \"server\""),
        (
            "access_log syslog:server=a,tag=b-c;",
            "1:19: syslog \"tag\" only allows alphanumeric characters and underscore",
        ),
        ("access_log syslog:server=a,facility=x;", "1:19: unknown syslog facility \"x\""),
        (
            "access_log syslog:server=a,severity=warning;",
            "1:19: unknown syslog severity \"warning\"",
        ),
        ("access_log syslog:server=a,port=1;", "1:19: unknown syslog parameter \"port=1\""),
        ("access_log syslog:server=a:0;", "1:19: invalid port in \"a:0\""),
        ("error_log syslog:server=unix:;", "1:18: no path in the unix domain socket"),
        ("access_log off x;", "1:23: invalid parameter after \"off\""),
        ("log_format combined x;", "1:19: duplicate \"log_format\" name \"combined\""),
        ("log_format a x; log_format a y;", "1:35: duplicate \"log_format\" name \"a\""),
        ("log_format a $nope;", "1:21: unknown \"nope\" variable; did you mean \"$pipe\"?"),
        (
            "log_format a escape=xml x;",
            "1:21: unknown log format escaping \"xml\"; expected \"default\", \"json\" or \"none\"",
        ),
    ] {
        check_errors(&format!("http {{ {line} {server} }}"), &[expected]);
    }
}

#[test]
fn error_log_says_where_messages_go_and_from_which_level() {
    let http = "server { listen 80; return 204; }";
    let log = |file: LogFile, level| ErrorLog { file, level };
    let check = |main: &str, inner: &str, expected: [&[ErrorLog]; 2]| {
        let logs = good(&format!("{main} http {{ {inner} {http} }}")).error_logs;
        let config = good(&format!("{main} http {{ {inner} {http} }}"));
        assert_eq!([&logs.main[..], &*at(&config, "/").logs.errors], expected, "{main} {inner}");
    };
    let stderr = |level| log(LogFile::Stderr, level);
    let path = |path: &str, level| log(LogFile::Path(path.into()), level);
    check("", "", [&[], &[]]);
    check("error_log stderr;", "", [&[stderr(ErrorLevel::Error)], &[]]);
    check("error_log /var/log/nginx/error.log warn;", "", [&[stderr(ErrorLevel::Warn)], &[]]);
    check("error_log /dev/stdout notice;", "", [&[log(LogFile::Stdout, ErrorLevel::Notice)], &[]]);
    check(
        "error_log /x info; error_log logs/y crit;",
        "error_log /z debug;",
        [
            &[path("/x", ErrorLevel::Info), path("/etc/nginx/logs/y", ErrorLevel::Crit)],
            &[path("/z", ErrorLevel::Debug)],
        ],
    );
    check("error_log /x; error_log /x INFO;", "", [&[path("/x", ErrorLevel::Info)], &[]]);
    check_warnings(
        &format!("error_log memory:32m; http {{ {http} }}"),
        &["1:11: messages go to standard error, not to \"memory:32m\""],
    );
    check_warnings(
        &format!("error_log off; http {{ {http} }}"),
        &["1:11: \"off\" is the name of a file here, as in nginx; \"error_log /dev/null\" tells \
           nothing"],
    );
}

#[test]
fn error_log_of_a_level_holds_below_it_until_another_is_written() {
    let config = good(
        "error_log /main; http { error_log /http warn; server { listen 80; return 204; \
         location /own { error_log /own alert; error_log /too; return 204; \
         location /own/inner { return 204; } } location /http { return 204; } } \
         server { listen 81; error_log /server emerg; return 204; } }",
    );
    let log = |path: &str, level| ErrorLog { file: LogFile::Path(path.into()), level };
    let check = |path: &str, expected: &[ErrorLog]| {
        assert_eq!(&*at(&config, path).logs.errors, expected, "{path}");
    };
    let own = [log("/own", ErrorLevel::Alert), log("/too", ErrorLevel::Error)];
    check("/own", &own);
    check("/own/inner", &own);
    check("/http", &[log("/http", ErrorLevel::Warn)]);
    assert_eq!(*config.servers[1].fallback.logs.errors, [log("/server", ErrorLevel::Emerg)]);
    let files = ["/http", "/own", "/too", "/server"].map(|path| LogFile::Path(path.into()));
    let mut known = config.error_logs.inner.clone();
    known.sort_by_key(|file| files.iter().position(|one| one == file));
    assert_eq!(known, files);
}

#[test]
fn syslog_is_said_with_all_that_it_takes() {
    let check = |text: &str, expected: Syslog| {
        let config = lowered(&format!(
            "http {{ access_log syslog:{text}; server {{ listen 80; return 204; }} }}"
        ));
        assert_eq!(config.unwrap().0.log_files, [LogFile::Syslog(Box::new(expected))], "{text}");
    };
    let default = Syslog {
        server: SyslogServer::Unix("/dev/log".into()),
        facility: 23,
        severity: 6,
        tag: "nginx".to_owned(),
        tells_host: true,
    };
    check("server=unix:/dev/log", default.clone());
    check(
        "server=unix:log",
        Syslog { server: SyslogServer::Unix("/etc/nginx/log".into()), ..default.clone() },
    );
    let udp = |name: &str, address: Option<&str>| Syslog {
        server: SyslogServer::Udp(name.to_owned(), address.map(|text| text.parse().unwrap())),
        ..default.clone()
    };
    check("server=10.0.0.1", udp("10.0.0.1", Some("10.0.0.1:514")));
    check("server=[::1]:12", udp("[::1]:12", Some("[::1]:12")));
    check("server=logs", udp("logs", None));
    let all = Syslog {
        facility: 0,
        severity: 7,
        tag: "a_1".to_owned(),
        tells_host: false,
        ..udp("[::1]", Some("[::1]:514"))
    };
    check("server=[::1],facility=kern,tag=a_1,severity=debug,nohostname", all);
    check_warnings(
        "http { access_log syslog:server=logs; server { listen 80; return 204; } }",
        &[
            "1:19: host not found in syslog server \"logs\": lines for it are dropped until a reload \
           finds it",
        ],
    );
}

#[test]
fn pid_names_a_file_and_there_is_none_without_it() {
    let pid = |text: &str| good(&format!("{text} http {{ server {{ return 204; }} }}")).process.pid;
    assert_eq!(pid(""), None);
    assert_eq!(pid("pid /run/nginx.pid;"), Some("/run/nginx.pid".into()));
    assert_eq!(pid("pid logs/nginx.pid;"), Some("/etc/nginx/logs/nginx.pid".into()));
}
