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
