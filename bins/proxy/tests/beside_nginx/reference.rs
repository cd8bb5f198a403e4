//! The reference page beside the table that it is made from, and the cases: what is committed is
//! what they give.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::case::Versions;
use crate::plan::Suite;

/// The one place of the page.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/nginx-conf/directives.md");

#[test]
fn the_reference_page_is_what_the_table_and_the_cases_give() {
    let page = nginx_conf::reference::page(&differences(&crate::suites()));
    if std::env::var_os("UPDATE_DIRECTIVES").is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    let committed = fs::read_to_string(Path::new(PAGE)).unwrap_or_default();
    let behind = page.lines().zip(committed.lines()).find(|(made, written)| made != written);
    assert!(
        page == committed,
        "crates/nginx-conf/directives.md is not what the table gives; write it anew by\n\
         UPDATE_DIRECTIVES=1 cargo test -p proxy --test beside_nginx the_reference_page\n{behind:?}"
    );
}

/// One item for each reason that a case gives, in the order of the cases.
fn differences(suites: &[Suite]) -> String {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for suite in suites {
        for case in &suite.cases {
            let mut last = "";
            for differs in &case.differs {
                // "because of that" is the reason of the line above it.
                let why = if differs.why == "of that" { last } else { differs.why.as_str() };
                assert!(!why.is_empty(), "{}: of what?", case.title);
                last = why;
                // What only an older nginx does otherwise is no difference.
                if matches!(differs.nginx, Versions::Before(_)) {
                    continue;
                }
                let place = format!("{}: {}", suite.name, case.title);
                match reasons.iter_mut().find(|(known, _)| *known == why) {
                    Some((_, places)) if places.contains(&place) => {}
                    Some((_, places)) => places.push(place),
                    None => reasons.push((why, vec![place])),
                }
            }
        }
    }
    let mut out = String::new();
    for (why, places) in reasons {
        let _ = writeln!(out, "- Because {why} ({})", places.join("; "));
    }
    out
}
