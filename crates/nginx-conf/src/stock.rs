//! What nginx's image brings beside a person's own file, as the kit brings it.
//!
//! Owns: the wrapper around fragments (`conf.d/default.conf` mounted alone) and the files that
//! configurations include by habit. They stand in only where the file does not exist.

/// The frame around configurations that are a fragment, with `@FRAGMENT@` where the fragment's
/// pattern goes. Settings are those of the image's own nginx.conf, as far as they act here; the
/// log format is there because fragments name it.
const WRAPPER: &str = r#"events {}
http {
    include mime.types;
    default_type application/octet-stream;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                    '$status $body_bytes_sent "$http_referer" '
                    '"$http_user_agent" "$http_x_forwarded_for"';
    access_log /var/log/nginx/access.log main;
    keepalive_timeout 65;
    include "@FRAGMENT@";
}
"#;

/// Name of the wrapper in messages.
pub const WRAPPER_NAME: &str = "built-in nginx.conf";

/// The main file around a fragment. `pattern` is included inside its `http` block.
pub fn wrapper(pattern: &str) -> String {
    let quoted = pattern.replace('\\', "\\\\").replace('"', "\\\"");
    WRAPPER.replace("@FRAGMENT@", &quoted)
}

/// Content of a file that nginx's image or Debian's package has in its configuration folder, by
/// the last part of its name.
pub fn file(name: &str) -> Option<&'static str> {
    Some(match name {
        "mime.types" => MIME_TYPES,
        "proxy_params" => PROXY_PARAMS,
        "fastcgi_params" => FASTCGI_PARAMS,
        "fastcgi.conf" => FASTCGI_CONF,
        "fastcgi-php.conf" => FASTCGI_PHP,
        "uwsgi_params" | "scgi_params" => UWSGI_PARAMS,
        _ => return None,
    })
}

const PROXY_PARAMS: &str = "\
proxy_set_header Host $host;
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;
";

/// The parameters of CGI (RFC 3875 §4.1) and what PHP looks for beside them; what follows is for the
/// text of such a file.
macro_rules! with_fastcgi_params {
    ($more:literal) => {
        concat!(
            $more,
            "fastcgi_param QUERY_STRING $query_string;
fastcgi_param REQUEST_METHOD $request_method;
fastcgi_param CONTENT_TYPE $content_type;
fastcgi_param CONTENT_LENGTH $content_length;
fastcgi_param SCRIPT_NAME $fastcgi_script_name;
fastcgi_param REQUEST_URI $request_uri;
fastcgi_param DOCUMENT_URI $document_uri;
fastcgi_param DOCUMENT_ROOT $document_root;
fastcgi_param SERVER_PROTOCOL $server_protocol;
fastcgi_param REQUEST_SCHEME $scheme;
fastcgi_param HTTPS $https if_not_empty;
fastcgi_param GATEWAY_INTERFACE CGI/1.1;
fastcgi_param SERVER_SOFTWARE nginx/$nginx_version;
fastcgi_param REMOTE_ADDR $remote_addr;
fastcgi_param REMOTE_PORT $remote_port;
fastcgi_param REMOTE_USER $remote_user;
fastcgi_param SERVER_ADDR $server_addr;
fastcgi_param SERVER_PORT $server_port;
fastcgi_param SERVER_NAME $server_name;
fastcgi_param REDIRECT_STATUS 200;
"
        )
    };
}

const FASTCGI_PARAMS: &str = with_fastcgi_params!("");
const FASTCGI_CONF: &str =
    with_fastcgi_params!("fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;\n");
/// As Debian's package has it in `snippets`. The variable keeps what `try_files` takes away.
const FASTCGI_PHP: &str = "\
fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
try_files $fastcgi_script_name =404;
set $path_info $fastcgi_path_info;
fastcgi_param PATH_INFO $path_info;
fastcgi_index index.php;
include fastcgi.conf;
";
const UWSGI_PARAMS: &str = "# uwsgi and SCGI are not spoken\n";

/// Media types of the registry (<https://www.iana.org/assignments/media-types>) by the endings
/// that web applications use, and those by which nginx has always known some older ones.
const MIME_TYPES: &str = "\
types {
    text/html                        html htm shtml;
    text/css                         css;
    text/xml                         xml;
    text/plain                       txt;
    text/markdown                    md;
    text/csv                         csv;
    text/calendar                    ics;
    text/vtt                         vtt;
    application/javascript           js mjs;
    application/json                 json map;
    application/ld+json              jsonld;
    application/manifest+json        webmanifest;
    application/atom+xml             atom;
    application/rss+xml              rss;
    application/xhtml+xml            xhtml;
    application/wasm                 wasm;
    application/pdf                  pdf;
    application/rtf                  rtf;
    application/msword               doc;
    application/vnd.ms-excel         xls;
    application/vnd.ms-powerpoint    ppt;
    application/vnd.openxmlformats-officedocument.wordprocessingml.document   docx;
    application/vnd.openxmlformats-officedocument.spreadsheetml.sheet         xlsx;
    application/vnd.openxmlformats-officedocument.presentationml.presentation pptx;
    application/zip                  zip;
    application/gzip                 gz;
    application/java-archive         jar war ear;
    application/x-7z-compressed      7z;
    application/octet-stream         bin exe dll deb dmg iso img msi;
    image/gif                        gif;
    image/jpeg                       jpeg jpg;
    image/png                        png;
    image/avif                       avif;
    image/webp                       webp;
    image/svg+xml                    svg svgz;
    image/tiff                       tif tiff;
    image/bmp                        bmp;
    image/x-icon                     ico;
    font/woff                        woff;
    font/woff2                       woff2;
    font/ttf                         ttf;
    font/otf                         otf;
    application/vnd.ms-fontobject    eot;
    audio/mpeg                       mp3;
    audio/ogg                        ogg;
    audio/mp4                        m4a;
    video/mp4                        mp4;
    video/mpeg                       mpeg mpg;
    video/webm                       webm;
    video/quicktime                  mov;
    video/mp2t                       ts;
    text/mathml mml;
    text/vnd.sun.j2me.app-descriptor jad;
    text/vnd.wap.wml wml;
    text/x-component htc;
    image/vnd.wap.wbmp wbmp;
    image/x-jng jng;
    application/mac-binhex40 hqx;
    application/postscript ps eps ai;
    application/vnd.apple.mpegurl m3u8;
    application/vnd.google-earth.kml+xml kml;
    application/vnd.google-earth.kmz kmz;
    application/vnd.oasis.opendocument.graphics odg;
    application/vnd.oasis.opendocument.presentation odp;
    application/vnd.oasis.opendocument.spreadsheet ods;
    application/vnd.oasis.opendocument.text odt;
    application/vnd.wap.wmlc wmlc;
    application/x-cocoa cco;
    application/x-java-archive-diff jardiff;
    application/x-java-jnlp-file jnlp;
    application/x-makeself run;
    application/x-perl pl pm;
    application/x-pilot prc pdb;
    application/x-rar-compressed rar;
    application/x-redhat-package-manager rpm;
    application/x-sea sea;
    application/x-shockwave-flash swf;
    application/x-stuffit sit;
    application/x-tcl tcl tk;
    application/x-x509-ca-cert der pem crt;
    application/x-xpinstall xpi;
    application/xspf+xml xspf;
    application/octet-stream msp msm;
    audio/midi mid midi kar;
    audio/x-realaudio ra;
    video/3gpp 3gpp 3gp;
    video/x-flv flv;
    video/x-m4v m4v;
    video/x-mng mng;
    video/x-ms-asf asx asf;
    video/x-ms-wmv wmv;
    video/x-msvideo avi;
}
";
