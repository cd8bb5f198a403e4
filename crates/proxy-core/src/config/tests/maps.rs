//! `map`, `geo` and `split_clients`: what their blocks hold, and what is wrong with bad ones.

use super::*;

fn check(block: &str, expected: &str) {
    let text = format!("http {{ {block} server {{ }} }}");
    let errors = lowered(&text).map(|(_, warnings)| warnings).expect_err(block);
    let (_, message) = errors[0].split_once(": ").unwrap_or(("", &errors[0]));
    assert_eq!((message, errors.len()), (expected, 1), "{block}");
}

#[test]
fn texts_are_sorted_by_how_they_are_looked_up() {
    let config = good(
        "http { map $host $m { hostnames; volatile; default D; A.test a; *.b.test b; www.* w; .c.test \
         c; ~^x(?<rest>.*) \"$rest\"; *.b.b.test bb; } server { return 200 $m$rest; } }",
    );
    let map = &config.maps[0];
    assert!(map.has_hostnames && map.is_volatile);
    assert_eq!((shown(&map.subject), shown(&map.default)), ("<Host>".into(), "D".into()));
    let mut exact: Vec<_> = map.exact.keys().map(|name| String::from_utf8_lossy(name)).collect();
    exact.sort();
    assert_eq!(exact, ["a.test", "c.test"]);
    let names = |list: &[(Vec<u8>, usize)]| -> Vec<String> {
        list.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
    };
    assert_eq!(names(&map.suffixes), [".b.b.test", ".b.test", ".c.test"]);
    assert_eq!(names(&map.prefixes), ["www."]);
    let (expression, value) = &map.expressions[0];
    assert_eq!(
        (expression.pattern.text(), shown(&map.values[*value])),
        ("^x(?<rest>.*)", "<Own(1)>".into())
    );
    assert_eq!(expression.named, [(1, 1)]);
}

#[test]
fn a_variable_may_be_used_before_the_block_that_makes_it() {
    let config = good(
        "http { log_format a \"$late\"; map $two $one { default 1; } map $host $two { default 2; } \
         server { return 200 $one; } geo $late { default x; } }",
    );
    let names: Vec<&str> = config.own_variables.iter().map(|own| own.name.as_str()).collect();
    assert_eq!(names, ["one", "two", "late"]);
    assert_eq!(shown(&config.maps[0].subject), "<Own(1)>");
}

#[test]
fn bad_maps_are_told() {
    for (lines, expected) in [
        ("a;", "invalid number of the map parameters"),
        ("a b c;", "invalid number of the map parameters"),
        ("default 1; default 2;", "duplicate default map parameter"),
        ("a 1; A 2;", "conflicting parameter \"A\""),
        ("~( 1;", "invalid regular expression \"(\": unclosed group"),
        ("a $nowhere;", "unknown \"nowhere\" variable"),
        ("hostnames; *.*.a 1;", "invalid hostname or wildcard \"*.*.a\""),
        ("hostnames; a 1; .a 2;", "conflicting parameter \".a\""),
    ] {
        check(&format!("map $host $m {{ {lines} }}"), expected);
    }
    check("map $host m { }", "invalid variable name \"m\"");
    check("map $host $uri { }", "the duplicate \"uri\" variable");
    check("map $hots $m { }", "unknown \"hots\" variable; did you mean \"$host\"?");
}

#[test]
fn parts_of_all_hashes_are_hundredths_of_a_percent() {
    let config = good(
        "http { split_clients $host $s { 0.01% a; 50% b; 25.5% c; * d; } server { return 200 $s; } }",
    );
    let ends: Vec<Option<u32>> = config.splits[0].parts.iter().map(|(end, _)| *end).collect();
    let hundredth = u32::MAX / 10_000;
    let all = [hundredth, hundredth + u32::MAX / 2, hundredth + u32::MAX / 2 + 1_095_216_660];
    assert_eq!(ends, [Some(all[0]), Some(all[1]), Some(all[2]), None]);
    for (lines, expected) in [
        ("0% a;", "invalid percent value \"0%\"; expected 0.01% to 100%, or \"*\""),
        ("1 a;", "invalid percent value \"1\"; expected 0.01% to 100%, or \"*\""),
        ("1.234% a;", "invalid percent value \"1.234%\"; expected 0.01% to 100%, or \"*\""),
        ("60% a; 40.01% b;", "percent total is greater than 100%"),
        ("* a; 1% b;", "percent total is greater than 100%"),
        ("1%;", "invalid number of the split_clients parameters"),
    ] {
        check(&format!("split_clients $host $s {{ {lines} }}"), expected);
    }
    good("http { split_clients $host $s { 60% a; 40% b; } server { return 200 $s; } }");
}

#[test]
fn bad_geos_are_told() {
    for (lines, expected) in [
        (
            "10.0.0.0/33 a;",
            "invalid network \"10.0.0.0/33\"; expected an address, or an address and the number of its bits, as in 10.0.0.0/8",
        ),
        (
            "proxy a;",
            "invalid network \"a\"; expected an address, or an address and the number of its bits, as in 10.0.0.0/8",
        ),
        ("10.0.0.0/8;", "invalid number of the geo parameters"),
        (
            "10.0.0.1 a; ranges;",
            "the \"ranges\" directive must be the first directive inside \"geo\" block",
        ),
        ("ranges; 10.0.0.2-10.0.0.1 a;", "invalid range \"10.0.0.2-10.0.0.1\""),
        ("ranges; 10.0.0.0/8 a;", "invalid range \"10.0.0.0/8\""),
        (
            "ranges; 10.0.0.1-10.0.0.5 a; 10.0.0.4-10.0.0.9 b;",
            "range \"10.0.0.4-10.0.0.9\" overlaps \"10.0.0.1-10.0.0.5\"",
        ),
    ] {
        check(&format!("geo $g {{ {lines} }}"), expected);
    }
    check("geo g { }", "invalid variable name \"g\"");
    check("geo a $g { }", "invalid variable name \"a\"");
    check_warnings(
        "http { geo $g { 10.0.0.1/8 a; 10.0.0.0/8 b; delete 11.0.0.0/8; default x; default y; } server { return 200 $g; } }",
        &[
            "1:17: low address bits of 10.0.0.1/8 are meaningless",
            "1:31: duplicate network \"10.0.0.0/8\", value: \"b\", old value: \"a\"",
            "1:52: no network \"11.0.0.0/8\" to delete",
            "1:75: duplicate default geo value: \"y\"",
        ],
    );
}

#[test]
fn lines_may_stand_in_other_files() {
    let main = "http { map $host $m { include one; default d; } geo $g { include two; } \
                server { return 200 $m$g; } }";
    let included = |name: &str, text: &str| Included {
        name: name.to_owned(),
        bytes: text.into(),
        is_stock: false,
    };
    let mut resolve = |pattern: &str, _: &str| {
        let text = if pattern == "one" { "a 1; ~^b 2;" } else { "10.0.0.0/8 ten;" };
        Ok(vec![included(pattern, text)])
    };
    let reading = nginx_conf::read(included("t", main), Context::Main, &mut resolve);
    let Reading { tree, findings, is_sound } = reading;
    let (config, warnings) = lower_all(&tree, findings, is_sound, &surroundings()).unwrap();
    assert_eq!(warnings, []);
    let map = &config.maps[0];
    assert_eq!((map.exact.len(), map.expressions.len(), shown(&map.default)), (1, 1, "d".into()));
    assert_eq!(config.geos[0].networks.find("10.1.1.1".parse().unwrap()), Some(0));
}
