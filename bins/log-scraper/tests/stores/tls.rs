//! A store by https: whom the scraper trusts, and under which name.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::{Folder, Scraper, append, free_address, line};
use crate::real::find;
use crate::{arguments, folder_with};

/// Answers each request with 204, and prints its body's length.
const SERVER: &str = r#"
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        certificate = self.connection.getpeercert() or {}
        names = [value for part in certificate.get("subject", ()) for _, value in part]
        print(*names or [self.headers["Host"]], body.count(b"line 0"), flush=True)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *words):
        pass
host, port = sys.argv[1].split(":")
server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
if len(sys.argv) > 4:
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(sys.argv[4])
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
"#;

struct Server {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Server {
    /// One that asks for certificates of that authority, if there is one.
    fn start(python: &Path, address: &str, folder: &Folder, asks: Option<&str>) -> Server {
        let (certificate, key) = (folder.argument("store.crt"), folder.argument("store.key"));
        let mut command = Command::new(python);
        command.args(["-c", SERVER, address, &certificate, &key]).args(asks);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut server = Server { child, lines };
        assert_eq!(server.line(), "ready");
        server
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A key of its own, without a password.
const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// Runs openssl in the folder.
fn run(openssl: &Path, folder: &Folder, words: &str) {
    let words = words.replace("DIR", &folder.argument(""));
    let mut command = Command::new(openssl);
    command.args(words.split(' ')).stdin(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success(), "{words}");
}

/// A certificate of the authority, its name being that of the files.
fn certificate(openssl: &Path, folder: &Folder, name: &str) {
    run(
        openssl,
        folder,
        &format!("req {KEY} -keyout DIR{name}.key -out DIR{name}.csr -subj /CN={name}"),
    );
    let signed = "-CA DIRca.crt -CAkey DIRca.key -CAcreateserial -days 2 -extfile DIRnames";
    run(openssl, folder, &format!("x509 -req -in DIR{name}.csr {signed} -out DIR{name}.crt"));
}

/// An authority, and a certificate of it for one name.
fn certificates(openssl: &Path, folder: &Folder) {
    let authority =
        format!("req -x509 {KEY} -keyout DIRca.key -out DIRca.crt -days 2 -subj /CN=ca");
    run(openssl, folder, &authority);
    fs::write(folder.path("names"), "subjectAltName=DNS:store.example").unwrap();
    certificate(openssl, folder, "store");
}

#[test]
fn a_store_is_trusted_by_its_authority_and_its_name_only() {
    let (Some(python), Some(openssl)) = (find("python3"), find("openssl")) else { return };
    let folder = folder_with(100);
    certificates(&openssl, &folder);
    let address = free_address();
    let mut server = Server::start(&python, &address, &folder, None);
    let (url, log) = (format!("https://{address}/"), folder.argument("app.log"));
    let ca = folder.argument("ca.crt");
    let with_name = ["--ca-file", &ca, "--server-name", "store.example", &log];
    let scraper = Scraper::start(&arguments("ndjson", &url, &with_name));
    assert_eq!(server.line(), format!("{address} 100"));
    scraper.terminate();
    let scraper = Scraper::start(&arguments("ndjson", &url, &["--ca-file", &ca, &log]));
    scraper.wait_for_message("not valid for name");
    let other = folder.argument("store.crt");
    let with_other = ["--ca-file", &other, "--server-name", "store.example", &log];
    let scraper = Scraper::start(&arguments("ndjson", &url, &with_other));
    scraper.wait_for_message("invalid peer certificate");
}

#[test]
fn a_store_that_asks_who_it_is_is_shown_a_certificate_and_another_one_when_the_files_change() {
    let (Some(python), Some(openssl)) = (find("python3"), find("openssl")) else { return };
    let folder = folder_with(100);
    certificates(&openssl, &folder);
    ["one", "two"].iter().for_each(|name| certificate(&openssl, &folder, name));
    let put = |name: &str, end: &str| {
        fs::copy(folder.path(&format!("{name}.{end}")), folder.path("next")).unwrap();
        fs::rename(folder.path("next"), folder.path(&format!("own.{end}"))).unwrap();
    };
    put("one", "crt");
    put("two", "key");
    let address = free_address();
    let ca = folder.argument("ca.crt");
    let mut server = Server::start(&python, &address, &folder, Some(&ca));
    let (url, log) = (format!("https://{address}/"), folder.argument("app.log"));
    let named = ["--ca-file", &ca, "--server-name", "store.example", &log];
    let (own, key) = (folder.argument("own.crt"), folder.argument("own.key"));
    let with_own = [&["--client-cert", &own, "--client-key", &key][..], &named].concat();
    let scraper = Scraper::start(&arguments("ndjson", &url, &with_own));
    scraper.wait_for_message("it is not the certificate's");
    assert_eq!(scraper.wait().0.code(), Some(2));
    put("one", "key");
    let scraper = Scraper::start(&arguments("ndjson", &url, &with_own));
    assert_eq!(server.line(), "one 100");
    // Between the two nothing fits, and what was read before goes on.
    put("two", "crt");
    append(&folder.path("app.log"), line(100).as_bytes());
    assert_eq!(server.line(), "one 1");
    scraper.wait_for_message("stays in force");
    put("two", "key");
    append(&folder.path("app.log"), line(101).as_bytes());
    assert_eq!(server.line(), "two 1");
    scraper.terminate();
    let scraper = Scraper::start(&arguments("ndjson", &url, &named));
    scraper.wait_for_message("store: ");
}

#[test]
fn a_file_without_certificates_ends_it_at_the_start() {
    let folder = folder_with(1);
    let log = folder.argument("app.log");
    let more = ["--ca-file", &log, &log];
    let scraper = Scraper::start(&arguments("ndjson", "https://127.0.0.1:1/", &more));
    scraper.wait_for_message("there is no certificate in it");
    assert_eq!(scraper.wait().0.code(), Some(2));
}
