//! Files, fragments, includes, and damage.

use std::fs;
use std::path::Path;

use proxy_core::config::model::{ErrorLevel, Handler, Location, Part};
use proxy_core::values::Values;

use super::{LoadOptions, Loaded, PathBuf, Templates, Watch};

fn load(options: &LoadOptions) -> Result<Loaded, Vec<String>> {
    super::load(options).outcome
}

/// What a load has looked at, after it has gone as expected.
fn watch(options: &LoadOptions, is_good: bool) -> Watch {
    let load = super::load(options);
    assert_eq!(load.outcome.is_ok(), is_good, "{:?}", load.outcome);
    load.watch
}

const BLOG: &str = "events {} http { server { listen 80; location / { \
                    proxy_pass http://localhost:5000; } } }";

/// A folder of its own with these files.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("proxy-config-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        fs::write(folder.join(name), text).unwrap();
    }
    folder
}

fn options(folder: &Path, path: Option<&str>, globals: &str) -> LoadOptions {
    let path = path.map(PathBuf::from);
    LoadOptions {
        path,
        prefix: Some(folder.to_path_buf()),
        globals: globals.to_owned(),
        ..LoadOptions::default()
    }
}

fn at<'l>(loaded: &'l Loaded, path: &str) -> &'l Location {
    let server = &loaded.config.servers[0];
    let found = server.location_index(path.as_bytes(), &mut Values::default());
    found.map_or(&server.fallback, |i| &server.locations[i])
}

fn listens(loaded: &Loaded) -> Vec<String> {
    loaded.config.listens.iter().map(|listen| listen.address.to_string()).collect()
}

#[test]
fn a_file_is_loaded_with_its_includes_and_stand_ins() {
    let main = "events {} http { include mime.types; include conf.d/*.conf; include none*; }";
    let part = "server { listen 8081; location / { include proxy_params; proxy_pass http://localhost:1; } }";
    let folder = folder("includes", &[("nginx.conf", main), ("conf.d/a.conf", part)]);
    let loaded = load(&options(&folder, None, "")).unwrap();
    assert_eq!((listens(&loaded), &loaded.warnings), (vec!["0.0.0.0:8081".to_owned()], &vec![]));
    let Handler::Proxy(pass) = &at(&loaded, "/").handler else { panic!("a pass") };
    assert_eq!(pass.set_headers.len(), 4);
    let addresses = &loaded.config.upstreams[0].servers[0].addresses;
    assert_eq!(
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["127.0.0.1:1", "[::1]:1"]
    );
    let built_in: Vec<bool> = loaded.sources.iter().map(|source| source.built_in).collect();
    assert_eq!(built_in, [false, true, false, true]);
    assert_eq!(loaded.sources[0].path, folder.join("nginx.conf"));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn includes_stand_at_every_level_with_names_and_globs_of_any_folder() {
    let main = "include main/*.conf; events { include events/*.inc; } \
                http { include conf.d/*.conf; include conf.d/*/[a-c]?.conf; }";
    let server = "upstream u { include snip/up*.inc; } \
                  server { listen 8085; include snip/srv-?.inc; \
                  location / { include snip/loc.inc; if ($arg_a) { include ./snip/if*.inc; } } }";
    let folder = folder(
        "levels",
        &[
            ("nginx.conf", main),
            ("main/log.conf", "error_log stderr warn;"),
            ("events/one.inc", "worker_connections 512;"),
            ("conf.d/one.conf", server),
            ("conf.d/.hidden.conf", "bogus;"),
            ("conf.d/x/b1.conf", "server { listen 8086; return 204; }"),
            ("conf.d/x/d1.conf", "bogus;"),
            ("snip/up1.inc", "server 127.0.0.1:5000;"),
            ("snip/up2.inc", "server 127.0.0.1:5001;"),
            ("snip/srv-a.inc", "server_name a.test;"),
            ("snip/srv-ab.inc", "bogus;"),
            ("snip/loc.inc", "proxy_pass http://u; include proxy_params;"),
            ("snip/if1.inc", "return 403;"),
        ],
    );
    let loaded = load(&options(&folder, None, "")).unwrap();
    assert_eq!(listens(&loaded), ["0.0.0.0:8085", "0.0.0.0:8086"]);
    assert_eq!(loaded.config.error_logs.main[0].level, ErrorLevel::Warn);
    assert_eq!(loaded.config.process.worker_connections, Some(512));
    assert_eq!(loaded.config.upstreams[0].servers.len(), 2);
    assert_eq!(loaded.config.servers[0].name, b"a.test");
    let Handler::Proxy(pass) = &at(&loaded, "/").handler else { panic!("a pass") };
    assert_eq!(pass.set_headers.len(), 4);
    assert!(!at(&loaded, "/").program.steps.is_empty(), "the if is there");
    fs::remove_dir_all(&folder).unwrap();
}

/// The shape of the file that distributions bring: tuning for TLS without a socket of it.
#[test]
fn a_stock_file_of_a_distribution_loads_with_a_folder_of_sites() {
    let main = "user www-data; worker_processes auto; pid nginx.pid; error_log /dev/stderr; \
                include modules-enabled/*.conf; events { worker_connections 768; } \
                http { sendfile on; tcp_nopush on; types_hash_max_size 2048; include mime.types; \
                default_type application/octet-stream; ssl_protocols TLSv1.2 TLSv1.3; \
                ssl_prefer_server_ciphers on; access_log /dev/stdout; gzip off; \
                include conf.d/*.conf; include sites-enabled/*; }";
    let site = "server { listen 8087 default_server; root /var/www/html; index index.html; \
                server_name _; location / { try_files $uri $uri/ =404; } }";
    let folder = folder("stock", &[("nginx.conf", main), ("sites-enabled/default", site)]);
    let loaded = load(&options(&folder, None, "")).unwrap();
    assert_eq!(listens(&loaded), ["0.0.0.0:8087"]);
    assert!(loaded.warnings.iter().all(|warning| warning.text.contains("has no effect here")));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn users_are_looked_for_beside_the_main_file() {
    let text = "events {} http { server { auth_basic x; auth_basic_user_file users/$host; \
                location / { proxy_pass http://127.0.0.1:1; } } }";
    let folder = folder("users", &[("conf/nginx.conf", text)]);
    let loaded = load(&options(&folder, Some("conf/nginx.conf"), "")).unwrap();
    let guard = at(&loaded, "/").access.guard.as_ref().unwrap();
    let expected = format!("{}/conf/users/", folder.display());
    let path = &guard.user_file.as_ref().unwrap().0;
    let literal: Vec<u8> = path
        .iter()
        .flat_map(|part| match part {
            Part::Literal(text) => text.clone(),
            Part::Variable(_) => Vec::new(),
        })
        .collect();
    assert_eq!(String::from_utf8(literal).unwrap(), expected);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_fragment_is_wrapped_as_nginx_image_wraps_it() {
    let text = "upstream u { server localhost:1; }\nserver { listen 8082; access_log /dev/stdout main; location / { proxy_pass http://u; } }";
    let folder = folder("fragment", &[("default.conf", text), ("conf.d/b.conf", text)]);
    let named = load(&options(&folder, Some("default.conf"), "")).unwrap();
    assert_eq!(listens(&named), ["0.0.0.0:8082"]);
    assert_eq!(at(&named, "/").client.keepalive.timeout_ms, 65_000);
    assert_eq!(at(&named, "/").files.content_types.default_type, b"application/octet-stream");
    // Nobody named a file and there is no nginx.conf: the fragments of conf.d are what there is.
    let found =
        load(&options(&folder, None, "worker_processes 2; error_log stderr debug;")).unwrap();
    assert_eq!(listens(&found), ["0.0.0.0:8082"]);
    assert_eq!(found.config.error_logs.main[0].level, ErrorLevel::Debug);
    let shown: Vec<_> = found.sources.iter().filter(|source| !source.built_in).collect();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].path, folder.join("conf.d/b.conf"));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn globals_are_directives_of_the_main_level_in_front_of_the_file() {
    let folder =
        folder("globals", &[("nginx.conf", BLOG), ("part.conf", "server { return 204; }")]);
    for path in [None, Some("part.conf")] {
        let loaded = load(&options(&folder, path, "daemon off; error_log stderr info;")).unwrap();
        assert_eq!(loaded.config.error_logs.main[0].level, ErrorLevel::Info);
        assert_eq!(loaded.config.listens.len(), 1);
    }
    for (globals, expected) in [
        ("daemon off", "command line:1:11: unexpected end of file; expected \";\" after \"off\""),
        ("demon off;", "command line:1:1: unknown directive \"demon\"; did you mean \"daemon\"?"),
        (
            "listen 80;",
            "command line:1:1: \"listen\" directive is not allowed here; this is outside all blocks, it belongs in server",
        ),
    ] {
        let errors = load(&options(&folder, None, globals)).unwrap_err();
        assert_eq!(errors[0].lines().next(), Some(expected));
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_cannot_be_read_is_told() {
    let folder = folder("unreadable", &[("x/y", ""), ("bad.conf", "http {\n  proxy_pas a;\n}")]);
    let first = |path: &str| load(&options(&folder, Some(path), "")).unwrap_err().remove(0);
    assert_eq!(
        first("x"),
        format!("\"{}\" is a folder, expected a file", folder.join("x").display())
    );
    assert_eq!(first("/no/such.conf"), "open() \"/no/such.conf\" failed (no such file)");
    let shown = folder.join("bad.conf").display().to_string();
    let expected = format!(
        "{shown}:2:3: unknown directive \"proxy_pas\"; did you mean \"proxy_pass\"?\n  2 |   proxy_pas a;\n    |   ^^^^^^^^^"
    );
    assert_eq!(first("bad.conf"), expected);
    let missing = load(&options(&folder, None, "")).unwrap_err();
    let shown = folder.join("nginx.conf").display().to_string();
    assert_eq!(missing, [format!("open() \"{shown}\" failed (no such file)")]);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_load_tells_when_anything_it_looked_at_has_changed() {
    let main = "events {} http { include conf.d/*.conf; include mime.types; }";
    let server = "server { listen 8083; return 204; }";
    let folder = folder("watched", &[("nginx.conf", main), ("conf.d/a.conf", server)]);
    let options = options(&folder, None, "");
    let mut before = watch(&options, true);
    // What is written where, and whether the load after it is good.
    for (name, text, is_good) in [
        ("conf.d/a.conf", "server { listen 8084; return 204; }", true),
        ("conf.d/b.conf", "nonsense;", false),
        ("conf.d/b.conf", server, true),
        ("mime.types", "types { a/b c; }", true),
        ("nginx.conf", "events {} http { include conf.d/*.conf; include extra; }", false),
        ("extra", "nonsense;", false),
        ("extra", "server { listen 8085; return 204; }", true),
    ] {
        assert!(!before.has_changed(), "before {name}: {text}");
        fs::write(folder.join(name), text).unwrap();
        assert!(before.has_changed(), "{name}: {text}");
        before = watch(&options, is_good);
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_main_file_that_is_not_there_is_waited_for_and_its_fragments_too() {
    let folder = folder("absent", &[("conf.d/none", "")]);
    let options = options(&folder, None, "");
    let mut nothing = watch(&options, false);
    assert!(!nothing.has_changed());
    fs::write(folder.join("conf.d/a.conf"), "server { listen 8086; return 204; }").unwrap();
    assert!(nothing.has_changed());
    let mut fragments = watch(&options, true);
    assert!(!fragments.has_changed());
    fs::write(folder.join("nginx.conf"), BLOG).unwrap();
    assert!(fragments.has_changed());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_warning_has_a_topic_that_does_not_move_with_its_line() {
    let topic = |text: &str| {
        let folder = folder("topic", &[("nginx.conf", text)]);
        let warnings = load(&options(&folder, None, "")).unwrap().warnings;
        fs::remove_dir_all(&folder).unwrap();
        (warnings[0].topic.clone(), warnings[0].text.clone())
    };
    let (first, second) =
        (topic(&format!("user a; {BLOG}")), topic(&format!("\n\nuser a; {BLOG}")));
    assert_eq!(first.0, second.0);
    assert_ne!(first.1, second.1);
}

#[test]
fn a_template_stands_for_a_file_with_the_environment_in_it() {
    let main = "events {} http { include conf.d/*.conf; }";
    let template = "server {\n  listen ${PROXY_PORT};\n  location / { return 200 \"$host\"; }\n}\n";
    let files = [
        ("nginx.conf", main),
        ("templates/default.conf.template", template),
        ("templates/other.conf", "nonsense"),
        // The template has the last word, as it is written over in nginx's image.
        ("conf.d/default.conf", "nonsense"),
    ];
    let folder = folder("templates", &files);
    let with = |port: &str| {
        let variables = [("PROXY_PORT".into(), port.into())];
        let templates = Templates::new(None, variables.into_iter()).unwrap();
        LoadOptions { templates, ..options(&folder, None, "") }
    };
    let loaded = load(&with("8081")).unwrap();
    assert_eq!(listens(&loaded), ["0.0.0.0:8081"]);
    let path = folder.join("templates/default.conf.template");
    let source = loaded.sources.iter().find(|source| source.path == path).unwrap();
    assert!(String::from_utf8_lossy(&source.text).contains("listen 8081;"));
    let problems = load(&with("none")).unwrap_err().join("");
    assert!(problems.contains("templates/default.conf.template:2:"), "{problems}");
    assert!(problems.contains("listen none;"), "{problems}");
    // A new template and a changed one are changes, a file that is none is not.
    let mut seen = watch(&with("8081"), true);
    fs::write(folder.join("templates/README"), "").unwrap();
    assert!(!seen.has_changed());
    fs::write(&path, template.replace("200", "201")).unwrap();
    assert!(seen.has_changed());
    let mut seen = watch(&with("8081"), true);
    fs::write(folder.join("templates/b.conf.template"), "").unwrap();
    assert!(seen.has_changed());
    // What is kept has the files that were made, whatever the environment is then.
    let kept = super::load(&LoadOptions { keeps: true, ..with("8081") }).taken.unwrap();
    let again = super::load_kept(&with("9999"), kept).outcome.unwrap();
    assert_eq!(listens(&again), ["0.0.0.0:8081"]);
    fs::remove_dir_all(&folder).unwrap();
}
