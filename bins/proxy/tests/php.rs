//! php-fpm behind the proxy: scripts that really run, the same answers as nginx gives before the
//! same pool.
//!
//! Where php-fpm is not installed nothing is tested, which fails where `CI` is set; so is nginx.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

mod common;

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{Client, Folder, Proxy, free_port, wait_until};

/// Scripts by name.
const SCRIPTS: [(&str, &str); 8] = [
    ("index.php", "<?php echo 'front ', $_SERVER['REQUEST_URI'], ' ', $_GET['a'] ?? '-';"),
    ("count.php", "<?php echo 'number ', $_GET['n'];"),
    (
        "body.php",
        "<?php $body = file_get_contents('php://input');
         echo strlen($body), ' ', substr_count($body, '0123456789'), ' ', $_SERVER['CONTENT_LENGTH'];",
    ),
    (
        "told.php",
        "<?php foreach (['SCRIPT_NAME', 'PATH_INFO', 'HTTP_X_ONE', 'HTTP_COOKIE', 'REQUEST_METHOD',
            'QUERY_STRING', 'GATEWAY_INTERFACE', 'CONTENT_TYPE', 'HTTPS'] as $name)
            echo $name, '=', $_SERVER[$name] ?? 'none', \"\\n\";",
    ),
    ("large.php", "<?php for ($i = 0; $i < 20000; $i++) echo $i, \" and so on\\n\";"),
    (
        "status.php",
        "<?php if ($_GET['s'] == 'moved') { header('Location: /x'); exit; }
         if ($_GET['s'] == 'cookies') { setcookie('a', 'b'); setcookie('c', 'd'); exit('set'); }
         if ($_GET['s'] == 'inner') { header('X-Accel-Redirect: /inner/x'); exit('lost'); }
         http_response_code((int) $_GET['s']); echo 'status ', $_GET['s'];",
    ),
    ("warns.php", "<?php error_log('something is odd'); echo 'fine';"),
    ("slow.php", "<?php echo 'a'; flush(); usleep(30000); echo 'b';"),
];

/// A pool of php-fpm, and the folder with its scripts.
struct Pool {
    child: Child,
    port: u16,
    folder: Folder,
}

impl Pool {
    /// `None` where php-fpm is not installed.
    fn start() -> Option<Pool> {
        let Some(path) = find("php-fpm") else {
            assert!(std::env::var_os("CI").is_none(), "php-fpm is not installed, and CI is set");
            let told = "NOT TESTED: php-fpm is not installed, no script was run";
            let _ = writeln!(std::io::stderr(), "{told}");
            return None;
        };
        let (folder, port) = (Folder::new(), free_port());
        let www = folder.path().join("www");
        fs::create_dir(&www).unwrap();
        for (name, text) in SCRIPTS {
            fs::write(www.join(name), text).unwrap();
        }
        let conf = format!(
            "[global]\nerror_log = {}/fpm.log\n[www]\nuser = root\nlisten = 127.0.0.1:{port}\n\
             pm = static\npm.max_children = 2\n",
            folder.path().display()
        );
        let conf = folder.write("fpm.conf", conf);
        let child = Command::new(path)
            // As root where the tests are; nobody else's settings.
            .args(["--nodaemonize", "--allow-to-run-as-root", "--no-php-ini", "--fpm-config"])
            .arg(conf)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pool = Pool { child, port, folder };
        wait_until("php-fpm listens", || {
            assert!(pool.child.try_wait().unwrap().is_none(), "php-fpm has ended");
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(pool)
    }

    /// A file for both programs, with this in its server.
    fn conf(&self, content: &str) -> String {
        let folder = self.folder.path().display();
        let port = self.port;
        format!(
            "events {{}} http {{ client_body_temp_path {folder}; fastcgi_temp_path {folder};
             proxy_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
             access_log off; server {{ listen 127.0.0.1:PORT; root {folder}/www; {} }} }}",
            content.replace("PHP", &format!("127.0.0.1:{port}"))
        )
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first program of the folders where an administrator's are whose name begins so.
fn find(name: &str) -> Option<PathBuf> {
    let is_it = |path: &Path| {
        path.file_name().is_some_and(|found| found.to_string_lossy().starts_with(name))
    };
    let folders = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"];
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    files.map(|file| file.path()).find(|path| is_it(path))
}

/// nginx, if it is there, with the same file.
struct Nginx {
    child: Child,
    port: u16,
}

impl Nginx {
    fn start(pool: &Pool, conf: &str) -> Option<Nginx> {
        let path = find("nginx")?;
        let (port, folder) = (free_port(), pool.folder.path());
        let conf = pool.folder.write("nginx.conf", conf.replace("PORT", &port.to_string()));
        let shown = folder.display();
        let child = Command::new(path)
            .arg("-c")
            .arg(conf)
            .arg("-e")
            .arg(folder.join("nginx.log"))
            .arg("-g")
            .arg(format!("daemon off; master_process off; pid {shown}/nginx.pid;"))
            .spawn()
            .unwrap();
        wait_until("nginx listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(Nginx { child, port })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer without its date, its program's name, the case of its fields' names, and where its
/// chunks are cut.
fn plain(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let is_own = |line: &&str| !line.starts_with("Date: ") && !line.starts_with("Server: ");
    let plain = |line: &str| match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
        None => line.to_owned(),
    };
    let mut head: Vec<String> = head.lines().filter(is_own).map(plain).collect();
    head.sort_unstable();
    let head = head.join("\n");
    if !head.contains("transfer-encoding: chunked") {
        return format!("{head}\n\n{body}");
    }
    let mut reader = http1::BodyReader::new(http1::BodyLength::Chunked);
    let (mut data, mut at) = (Vec::new(), 0);
    while !reader.is_done() {
        let part = reader.read(&body.as_bytes()[at..]).unwrap();
        assert!(part.used > 0, "cut short: {answer}");
        data.extend_from_slice(part.data);
        at += part.used;
    }
    format!("{head}\n\n{}", String::from_utf8(data).unwrap())
}

const USUAL: &str = "
    index index.php;
    location / { try_files $uri $uri/ /index.php?$args; }
    location /inner/ { internal; return 200 inner; }
    location ~ ^(.+\\.php)(/.*)?$ {
        fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
        fastcgi_index index.php;
        fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;
        fastcgi_param SCRIPT_NAME $fastcgi_script_name; fastcgi_param REQUEST_URI $request_uri;
        fastcgi_param PATH_INFO $fastcgi_path_info; fastcgi_param HTTPS $https if_not_empty;
        fastcgi_param GATEWAY_INTERFACE CGI/1.1; fastcgi_param REDIRECT_STATUS 200;
        fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
        fastcgi_pass PHP; KEEP
    }";

/// The answers to these requests, which are those of nginx.
fn answers(keep: &str, requests: &[String]) -> Option<Vec<String>> {
    let pool = Pool::start()?;
    let conf = pool.conf(&USUAL.replace("KEEP", keep));
    let ask = |port: u16| -> Vec<String> {
        let one = |request: &String| {
            let mut client = Client::connect(port);
            client.send(request.as_bytes());
            client.answer()
        };
        requests.iter().map(one).collect()
    };
    let proxy = Proxy::start(&conf);
    let own = ask(proxy.port);
    match Nginx::start(&pool, &conf) {
        Some(nginx) => {
            for ((request, own), theirs) in requests.iter().zip(&own).zip(ask(nginx.port)) {
                let shown: String = request.chars().take(100).collect();
                assert_eq!(plain(own), plain(&theirs), "{shown}");
            }
        }
        None => assert!(std::env::var_os("CI").is_none(), "nginx is not installed, and CI is set"),
    }
    Some(own)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a.test\r\nX-One: 1\r\nCookie: a=b\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: a.test\r\nContent-Type: a/b\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn scripts_answer_as_they_do_behind_nginx() {
    let paths = [
        "/",
        "/some/page?a=1",
        "/told.php?q=1",
        "/told.php/a/b?q",
        "/large.php",
        "/slow.php",
        "/warns.php",
        "/none.php",
        "/status.php?s=404",
        "/status.php?s=500",
        "/status.php?s=204",
        "/status.php?s=304",
        "/status.php?s=moved",
        "/status.php?s=cookies",
        "/status.php?s=inner",
    ];
    let mut requests: Vec<String> = paths.map(get).to_vec();
    requests.push(
        get("/told.php").replace("GET", "HEAD").replace("X-One", "Connection: close\r\nX-One"),
    );
    requests.push(post("/body.php", ""));
    for keep in ["", "fastcgi_keep_conn on;"] {
        let Some(answers) = answers(keep, &requests) else { return };
        let has = |index: usize, text: &str| {
            assert!(answers[index].contains(text), "{text}: {}", answers[index]);
        };
        has(1, "front /some/page?a=1 1");
        has(3, "SCRIPT_NAME=/told.php\nPATH_INFO=/a/b\nHTTP_X_ONE=1\nHTTP_COOKIE=a=b\n");
        has(4, "19999 and so on\n");
        has(7, "HTTP/1.1 404 Not Found\r\n");
        has(7, "File not found.");
        has(12, "HTTP/1.1 302 Found\r\n");
        has(14, "inner");
    }
}

#[test]
fn bodies_arrive_whole_with_their_length() {
    let body = "0123456789".repeat(30_000);
    let chunked = format!(
        "POST /body.php HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        100_000,
        &body[..100_000],
        200_000,
        &body[100_000..]
    );
    let requests = [post("/body.php", &body), chunked, post("/body.php", "short")];
    let Some(answers) = answers("", &requests) else { return };
    let told: Vec<String> = answers.iter().map(|answer| plain(answer)).collect();
    for (told, expected) in told.iter().zip(["300000 30000 300000", "300000 30000 300000", "5 0 5"])
    {
        assert!(told.ends_with(&format!("\n\n{expected}")), "{told}");
    }
}

#[test]
fn five_hundred_requests_need_few_connections_where_they_are_kept() {
    let Some(pool) = Pool::start() else { return };
    let proxy = Proxy::start(&pool.conf(&USUAL.replace("KEEP", "fastcgi_keep_conn on;")));
    let mut client = proxy.connect();
    for number in 0..500 {
        client.send(get(&format!("/count.php?n={number}")).as_bytes());
        let answer = client.answer();
        assert!(answer.contains(&format!("number {number}\r\n")), "{answer}");
    }
    let metrics = proxy.admin("/metrics");
    let count = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let new = count("sidecar_proxy_upstream_connections_total{kind=\"new\"}");
    assert!(new <= 4, "{new} connections for 500 requests");
}

#[test]
fn what_php_says_of_errors_is_in_the_error_log() {
    let Some(pool) = Pool::start() else { return };
    let proxy = Proxy::start(&pool.conf(&USUAL.replace("KEEP", "")));
    assert!(proxy.get("/warns.php").contains("fine"));
    assert!(proxy.get("/none.php").contains("File not found."));
    for text in ["PHP message: something is odd", "Primary script unknown"] {
        let line = format!("FastCGI sent in stderr: \"{text}\"");
        wait_until(text, || proxy.stderr().contains(&line));
    }
}

/// The files of nginx and of Debian's package that are built in.
#[test]
fn the_stock_files_are_enough_for_php() {
    let Some(pool) = Pool::start() else { return };
    let conf = pool.conf(
        "index index.php; location / { try_files $uri $uri/ /index.php?$args; }
         location ~ \\.php(/|$) { include snippets/fastcgi-php.conf; fastcgi_pass PHP; }",
    );
    let proxy = Proxy::start(&conf);
    assert!(proxy.get("/told.php/a/b").contains("SCRIPT_NAME=/told.php\nPATH_INFO=/a/b\n"));
    assert!(proxy.get("/some/page").contains("front /some/page"));
    let none = proxy.get("/none.php/x");
    assert!(none.starts_with("HTTP/1.1 404 ") && !none.contains("File not found."), "{none}");
    let root = pool.folder.path().display();
    let image = format!(
        "location / {{ root {root}/www; fastcgi_index index.php; include fastcgi_params;
           fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; fastcgi_pass PHP; }}"
    );
    let proxy = Proxy::start(&pool.conf(&image));
    assert!(proxy.get("/?a=7").contains("front /?a=7 7"));
    assert!(proxy.get("/told.php").contains("GATEWAY_INTERFACE=CGI/1.1\n"));
}
