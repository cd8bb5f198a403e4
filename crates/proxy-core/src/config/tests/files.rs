//! Where files are, and what is wrong with what is said of them.

use super::*;
use crate::config::model::{Alias, Part, TryLast};

/// The root of a location, and what of a path it takes the place of.
fn root(content: &str, path: &str) -> (String, Option<Alias>) {
    let config = server(content);
    let root = &at(&config, path).files.root;
    (shown(&root.path), root.alias)
}

#[test]
fn a_root_is_inherited_until_another_one_or_an_alias_takes_its_place() {
    let content = "root /srv/; location /a/ { alias /b/; location /a/in/ { } \
                   location ~ ^/a/x { alias /c/$1; } } location /own { root ../d; } location / { }";
    assert_eq!(root(content, "/"), ("/srv".into(), None));
    assert_eq!(root(content, "/a/y"), ("/b/".into(), Some(Alias::Prefix(3))));
    assert_eq!(root(content, "/a/in/y"), ("/b/".into(), Some(Alias::Prefix(3))));
    assert_eq!(root(content, "/a/x"), ("/c/<Group(1)>".into(), Some(Alias::Whole)));
    assert_eq!(root(content, "/own"), ("/etc/nginx/../d".into(), None));
    assert_eq!(root("location / { }", "/"), ("/etc/nginx/html".into(), None));
    assert_eq!(root("root /; location / { }", "/"), (String::new(), None));
    assert_eq!(root("root $host; location / { }", "/"), ("<Host>".into(), None));
    let config = server("location / { root /a/../b/..; }");
    assert_eq!(at(&config, "/").files.root.upward_steps, 2);
    let config = server("location / { root $host/x; }");
    assert_eq!(at(&config, "/").files.root.base, b"/etc/nginx/");
}

#[test]
fn indexes_of_a_level_are_one_list_that_takes_the_place_of_the_one_above() {
    let config = server(
        "index a b; index c$host; location /own { index d; } location / { index /e; index f; }",
    );
    let names =
        |path: &str| -> Vec<String> { at(&config, path).files.index.iter().map(shown).collect() };
    assert_eq!(names("/own"), ["d"]);
    assert_eq!(names("/"), ["/e", "f"]);
    let of_server: Vec<String> = config.servers[0].fallback.files.index.iter().map(shown).collect();
    assert_eq!(of_server, ["a", "b", "c<Host>"]);
}

#[test]
fn what_is_tried_is_of_one_level_alone() {
    let config = server(
        "try_files /s =404; location / { try_files $uri $uri/ /x/; location /in { } \
         if ($host) { set $a b; } } location /n { try_files a @n; }",
    );
    let tried = |location: &Location| {
        let tried = location.files.tried.as_ref()?;
        let names = tried.names.iter().map(|one| (shown(&one.name), one.is_folder)).collect();
        let last = match &tried.last {
            TryLast::Status(status) => status.to_string(),
            TryLast::Redirect(to) => shown(to),
        };
        Some::<(Vec<(String, bool)>, String)>((names, last))
    };
    let uri = || "<Uri>".to_owned();
    let expected = (vec![(uri(), false), (uri(), true)], "/x/".to_owned());
    assert_eq!(tried(at(&config, "/")), Some(expected));
    assert_eq!(tried(at(&config, "/n")), Some((vec![("a".into(), false)], "@n".into())));
    assert_eq!(tried(at(&config, "/in")), None);
    let fallback = &config.servers[0].fallback;
    assert_eq!(tried(fallback), Some((vec![("/s".into(), false)], "404".into())));
    let hidden = config.servers[0].locations.iter().filter(|one| tried(one).is_some()).count();
    assert_eq!(hidden, 2, "none of an if");
}

#[test]
fn what_is_wrong_with_files_is_told() {
    for (content, expected) in [
        (
            "root $document_root/x;",
            "the $document_root variable cannot be used in the \"root\" directive",
        ),
        (
            "location / { alias /a/${realpath_root}; }",
            "the $realpath_root variable cannot be used in the \"alias\" directive",
        ),
        (
            "location / { root /a; alias /b; }",
            "\"alias\" directive is duplicate, \"root\" directive was specified too",
        ),
        (
            "location @a { alias /b; }",
            "the \"alias\" directive cannot be used inside the named location",
        ),
        (
            "root /a$request_filename;",
            "the $request_filename variable cannot be used in the \"root\" directive",
        ),
        ("root $nowhere;", "unknown \"nowhere\" variable"),
        ("index \"\";", "index \"\" in \"index\" directive is invalid"),
        ("try_files a =b;", "invalid code \"b\"; expected 200 to 999"),
        ("try_files a =1000;", "invalid code \"1000\"; expected 200 to 999"),
        ("try_files a $nowhere;", "unknown \"nowhere\" variable"),
        ("expires soon;", "invalid value"),
        ("expires @25h;", "daily time value must be less than 24 hours"),
        (
            "expires since 1h;",
            "invalid parameter before the time of \"expires\"; expected \"modified\"",
        ),
        (
            "disable_symlinks maybe;",
            "invalid parameter \"maybe\"; expected \"off\", \"on\", \"if_not_owner\" or \"from=PATH\"",
        ),
    ] {
        check_server_error(content, expected);
    }
    check_warnings(
        "http { server { listen 80; index /a b; location /a { alias /b/; } location = /c { alias /b/; } } }",
        &[
            "1:34: only the last index in \"index\" directive should be absolute",
            "1:60: location \"/a\" has no slash at its end and its alias has one: a request for \
             \"/a../\" would leave \"/b/\", and is answered by 404",
        ],
    );
}

#[test]
fn values_about_files_are_inherited_one_by_one() {
    let config = server(
        "etag off; max_ranges 2; expires 1h; location / { expires off; autoindex on; } \
         location /a { log_not_found off; if_modified_since before; disable_symlinks on from=$host; }",
    );
    let (root, a) = (&at(&config, "/").files, &at(&config, "/a").files);
    assert_eq!((root.has_etag, root.parts_max, root.expires.is_some()), (false, 2, false));
    assert_eq!((a.has_etag, a.parts_max, a.expires.is_some()), (false, 2, true));
    assert!(root.listing.is_on && root.logs_not_found && !a.listing.is_on && !a.logs_not_found);
    let from = a.links.from.as_ref().map(|from| from.0.clone());
    assert_eq!(from, Some(vec![Part::Variable(crate::config::model::Variable::Host)]));
    assert!(config.uses(&crate::config::model::Variable::Host));
}
