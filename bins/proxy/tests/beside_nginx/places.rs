//! Where a directive may stand: where nginx itself lets it stand, whatever its page says.

use std::collections::BTreeSet;
use std::process::Command;

use nginx_conf::Context;
use nginx_conf::table::{self, Class, Lookup, Row};

use crate::common::Folder;
use crate::program::Nginx;

/// A file of one line too many, with its context.
const PLACES: [(Context, &str, &str); 9] = [
    (Context::Main, "", "events {} http { server {} }"),
    (Context::Events, "events {", "} http { server {} }"),
    (Context::Http, "events {} http {", "server {} }"),
    (Context::Upstream, "events {} http { upstream u {", "server 127.0.0.1:1; } server {} }"),
    (Context::Server, "events {} http { server {", "} }"),
    (Context::ServerIf, "events {} http { server { if ($host) {", "} } }"),
    (Context::Location, "events {} http { server { location / {", "} } }"),
    (Context::If, "events {} http { server { location / { if ($host) {", "} } } }"),
    (Context::LimitExcept, "events {} http { server { location / { limit_except GET {", "} } } }"),
];
/// What newer nginx lets stand where the peer does not.
const SINCE: [(&str, Context); 2] =
    [("resolver", Context::Upstream), ("resolver_timeout", Context::Upstream)];

/// The directives and contexts in which the table and nginx are of two minds.
pub fn differences(nginx: &Nginx) -> Vec<String> {
    // What is refused wherever it stands is asked nothing.
    let is_taken = |row: &&Row| !row.is_family() && !matches!(row.class, Class::Refused(_));
    // A name has a row for each kind of context.
    let names: BTreeSet<&str> = table::rows().filter(is_taken).map(|row| row.name).collect();
    let folder = Folder::new();
    let mut found = Vec::new();
    for name in names {
        for (context, before, after) in PLACES {
            let Some(expected) = may_stand(nginx, &folder, name, (before, after)) else { continue };
            let ours = matches!(table::find(name, context), Lookup::Here(_));
            if ours != expected && !(ours && SINCE.contains(&(name, context))) {
                found.push(format!("{name} in {context:?}: nginx says {expected}"));
            }
        }
    }
    found
}

/// `None` where nginx does not know the directive.
fn may_stand(
    nginx: &Nginx,
    folder: &Folder,
    name: &str,
    (before, after): (&str, &str),
) -> Option<bool> {
    let path = folder.write("nginx.conf", format!("{before}\n{name} x;\n{after}\n"));
    let output = Command::new(&nginx.path).arg("-t").arg("-c").arg(path).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    // The place is looked at before the arguments, and before whether it is a block.
    let is_known = !told.contains(&format!("unknown directive \"{name}\""));
    is_known.then(|| !told.contains(&format!("\"{name}\" directive is not allowed here")))
}
