//! A configuration of one's own on the cluster: files out of volumes, passwords, rewriting, limits.

use super::{PAGE, Stop, ensure, nginx_conf};
use crate::site::Site;

/// What the proxy serves beside the application.
const LOCATIONS: &str = "
    rewrite ^/old/(.*)$ /site/$1;
    location /logs/ { alias /logs/; default_type text/plain; }
    location /site/ { alias /site/; }
    location /private/ {
      auth_basic kit; auth_basic_user_file /site/users;
      proxy_pass http://127.0.0.1:5000/;
    }
    location = /once { limit_req zone=once; try_files /once =204; }";

/// A volume of one's own, and the one that the application logs to.
const VALUES: &str = "
extraVolumes:
  - {name: site, secret: {secretName: site}}
proxy:
  extraVolumeMounts:
    - {name: site, mountPath: /site, readOnly: true}
    - {name: logs, mountPath: /logs, readOnly: true}
";

/// `user:word`, as a client tells it.
const CREDENTIALS: &str = "Authorization: Basic dXNlcjp3b3Jk";

/// Files of a Secret and of the volume that the application writes to, a path that was another
/// once, a place for those who have a password, and one request a minute.
pub(super) fn own_config(site: &Site<'_>) -> Result<String, Stop> {
    let text = nginx_conf(LOCATIONS)
        .replace("http {", "http { limit_req_zone $binary_remote_addr zone=once:1m rate=1r/m;");
    let (config, values) = (site.file("own.conf", &text)?, site.file("own.yaml", VALUES)?);
    let page = "--from-literal=page.html=<p>static</p>";
    let users = "--from-literal=users=user:{PLAIN}word";
    site.kubectl(&["create", "secret", "generic", "site", page, users])?;
    site.install(&["--set-file", &format!("proxy.config={config}"), "--values", &values])?;
    let ask = |path: &str, flags: &[&str]| site.cluster.get_with(&site.url(path)?, flags);
    for (path, flags, status, body) in [
        ("/", &[][..], 200, Some(PAGE)),
        ("/site/page.html", &[], 200, Some("<p>static</p>")),
        ("/old/page.html", &[], 200, Some("<p>static</p>")),
        ("/site../logs/logs.txt", &[], 404, None),
        ("/site/missing.html", &[], 404, None),
        ("/private/", &[], 401, None),
        ("/private/", &["--header", CREDENTIALS], 200, Some(PAGE)),
        ("/once", &[], 204, None),
        ("/once", &[], 503, None),
    ] {
        let answer = ask(path, flags)?;
        let is_it = answer.status == status && body.is_none_or(|body| answer.body == body);
        ensure(is_it, || format!("GET {path} {flags:?} is {}: {:?}", answer.status, answer.body))?;
    }
    let log = ask("/logs/logs.txt", &[])?;
    ensure(log.status == 200 && log.body.contains("GET /"), || format!("the log is {log:?}"))?;
    Ok(format!("the application's log came as a file of {} bytes", log.body.len()))
}
