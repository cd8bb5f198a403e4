//! Owns the configuration files of the proxy cases. Both proxies load the very same file, written
//! for nginx; it names no path outside the run's folder but `/dev/null`.

use std::path::Path;
use std::{fs, io};

/// Where nginx keeps what it spools. Debian's build would use `/var/lib/nginx`, which only root may
/// write. Without effect in ours, which spools nothing.
const SPOOLS: &str = "client_body_temp_path spool/body; proxy_temp_path spool/proxy; \
                      fastcgi_temp_path spool/fastcgi; uwsgi_temp_path spool/uwsgi; \
                      scgi_temp_path spool/scgi;";

/// Given on both command lines with `-g`: foreground, and its files in `folder`.
pub(crate) fn directives(folder: &Path) -> String {
    let folder = folder.display();
    format!("daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;")
}

/// nginx at its best: one worker, connections to the upstream kept open, no access log, nothing
/// written to a disk.
pub(crate) fn tuned(listen: u16, upstream: u16, connections: usize) -> String {
    format!(
        "worker_processes 1;
events {{ worker_connections {connections}; }}
http {{
    {SPOOLS}
    access_log off; proxy_max_temp_file_size 0;
    upstream app {{ server 127.0.0.1:{upstream}; keepalive 256; }}
    server {{
        listen 127.0.0.1:{listen};
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
        }}
    }}
}}
"
    )
}

/// The `http` part of a file that is tuned but for what `server` says, and `http` before it.
fn serving(http: &str, listen: u16, upstream: u16, server: &str) -> String {
    format!(
        "worker_processes 1;
events {{ worker_connections 4096; }}
http {{
    {SPOOLS}
    proxy_max_temp_file_size 0; proxy_http_version 1.1; proxy_set_header Connection \"\";
    upstream app {{ server 127.0.0.1:{upstream}; keepalive 256; }}
    {http}
    server {{
        listen 127.0.0.1:{listen};
        {server}
    }}
}}
"
    )
}

/// Answers are compressed at the least level.
pub(crate) fn packed(listen: u16, upstream: u16) -> String {
    let http = "access_log off; gzip on; gzip_comp_level 1; gzip_types application/json;";
    serving(http, listen, upstream, "location / { proxy_pass http://app; }")
}

/// Each key has a rate of its own, which no run reaches.
pub(crate) fn limited(listen: u16, upstream: u16) -> String {
    let http = "access_log off; limit_req_zone $arg_k zone=clients:16m rate=10000r/s;";
    let server =
        "location / { limit_req zone=clients burst=10000 nodelay; proxy_pass http://app; }";
    serving(http, listen, upstream, server)
}

/// For the first answer, which is asked for at the root.
const FIRST: &str = "location = / { proxy_pass http://app; }";

/// Where the one location is that all files with many have.
pub(crate) const PLACE: &str = "/place/05000/x";

/// So many locations by prefix, of which [`PLACE`]'s is one.
pub(crate) fn places(listen: u16, upstream: u16, count: usize) -> String {
    let numbers = (0..count).map(|number| if count == 1 { 5_000 } else { number });
    let place =
        |number| format!("location /place/{number:05}/ {{ proxy_pass http://app; }}\n        ");
    let places = numbers.map(place).collect::<String>() + FIRST;
    serving("access_log off;", listen, upstream, &places)
}

/// What the last of the locations by pattern takes.
pub(crate) const LAST_PATTERN: &str = "/part20/page-7.html";

/// Twenty locations by pattern, and a line for each request.
pub(crate) fn patterns(listen: u16, upstream: u16) -> String {
    let pattern = |number: usize| {
        format!(
            "location ~ ^/part{number:02}/([a-z]+)-(\\d+)\\.(html|json)$ {{ proxy_pass http://app; }}\n        "
        )
    };
    let patterns = (1..=20).map(pattern).collect::<String>() + FIRST;
    serving("access_log /dev/null;", listen, upstream, &patterns)
}

/// Where the file of 4 KiB is.
pub(crate) const SMALL_FILE: &str = "/four.txt";
/// Where that of 1 MiB is.
pub(crate) const LARGE_FILE: &str = "/mebibyte.bin";

/// nginx at its best with files, which are in the folder that it is told of.
pub(crate) fn files(listen: u16) -> String {
    format!(
        "worker_processes 1;
events {{ worker_connections 4096; }}
http {{
    {SPOOLS}
    access_log off; sendfile on; tcp_nopush on;
    server {{ listen 127.0.0.1:{listen}; root www; }}
}}
"
    )
}

/// Writes those files.
pub(crate) fn plant(folder: &Path) -> io::Result<()> {
    let www = folder.join("www");
    fs::create_dir_all(&www)?;
    fs::write(www.join("index.html"), "Hello, World!")?;
    fs::write(www.join(&SMALL_FILE[1..]), vec![b'x'; 4 << 10])?;
    fs::write(www.join(&LARGE_FILE[1..]), vec![b'x'; 1 << 20])
}

/// The file that the guide to this pod shows, six lines, with its ports replaced. It logs each
/// request, as a container does to stdout; here the log's end is `/dev/null`.
pub(crate) fn six_lines(listen: u16, upstream: u16) -> String {
    format!(
        "events {{}}
http {{
    {SPOOLS} access_log /dev/null;
    server {{ listen {listen}; location / {{ proxy_pass http://localhost:{upstream}; }} }}
}}
"
    )
}
