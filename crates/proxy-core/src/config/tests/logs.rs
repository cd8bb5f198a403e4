//! Access logs, error logs and the process file.

use super::super::model::{
    AccessFile, ErrorLevel, ErrorLog, Escape, LogFile, Syslog, SyslogServer,
};
use super::*;

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
