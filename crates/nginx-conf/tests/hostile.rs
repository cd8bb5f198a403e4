//! Files made to hurt: each ends in an error that says why, soon, and with a bounded tree.
//!
//! Each limit is tried on both sides.

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use nginx_conf::diag::ERRORS_MAX;
    use nginx_conf::parse::{BYTES_MAX, DEPTH_MAX, FILES_MAX, INCLUDE_DEPTH_MAX, WORDS_MAX};
    use nginx_conf::{Context, Directive, IncludeError, Included, Reading, read};

    /// A test on a busy machine, without optimization.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn file(name: &str, text: impl Into<Vec<u8>>) -> Included {
        Included { name: name.to_owned(), bytes: text.into(), is_stock: false }
    }

    fn reading(
        text: impl Into<Vec<u8>>,
        resolve: &mut dyn FnMut(&str) -> Vec<Included>,
    ) -> Reading {
        let began = Instant::now();
        let reading = read(file("main.conf", text), Context::Main, &mut |pattern, _| {
            let found = resolve(pattern);
            let message = format!("open() \"{pattern}\" failed");
            if found.is_empty() { Err(IncludeError { message }) } else { Ok(found) }
        });
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        assert!(reading.findings.len() <= ERRORS_MAX + 200);
        assert!(words(&reading.tree.directives) <= WORDS_MAX);
        reading
    }

    fn words(directives: &[Directive]) -> usize {
        let of = |directive: &Directive| {
            1 + directive.args.len() + directive.block.as_deref().map_or(0, words)
        };
        directives.iter().map(of).sum()
    }

    /// The messages of errors, told with their places.
    fn errors(reading: &Reading) -> Vec<String> {
        let errors = reading.findings.iter().filter(|finding| finding.is_error());
        errors.map(|finding| finding.headline()).collect()
    }

    fn check(text: impl Into<Vec<u8>>, expected: Option<&str>) {
        let errors = errors(&reading(text, &mut |_| vec![]));
        match expected {
            None => assert_eq!(errors, [] as [String; 0]),
            Some(told) => assert!(errors.iter().any(|error| error.contains(told)), "{errors:?}"),
        }
    }

    /// Locations in a server, in one line, `count` of them.
    fn locations(count: usize) -> String {
        let all: String = (0..count).map(|number| format!("location {number} {{}}")).collect();
        format!("http {{ server {{ {all} }} }}")
    }

    #[test]
    fn words_have_a_limit() {
        // Beside the locations' own there are `http` and `server`.
        let most = (WORDS_MAX - 2) / 2;
        check(locations(most), None);
        let told = format!("the configuration is too large, the limit is {WORDS_MAX} words");
        check(locations(most + 1), Some(&told));
        let arguments =
            |count: usize| format!("http {{ server {{ server_name{}; }} }}", " a".repeat(count));
        check(arguments(WORDS_MAX - 3), None);
        check(arguments(WORDS_MAX - 2), Some(&told));
    }

    #[test]
    fn a_million_locations_are_an_error_that_is_told_once() {
        let errors = errors(&reading(locations(1_000_000), &mut |_| vec![]));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains("the configuration is too large"), "{errors:?}");
    }

    #[test]
    fn blocks_nest_as_deep_as_the_limit_and_no_deeper() {
        let nested = |depth: usize| {
            // Two of the levels are `http` and `server`.
            let inner = depth - 2;
            format!(
                "http {{ server {{ {} {} }} }}",
                "location /a {".repeat(inner),
                "}".repeat(inner)
            )
        };
        let told = format!("blocks are nested more than {DEPTH_MAX} deep");
        check(nested(DEPTH_MAX), None);
        check(nested(DEPTH_MAX + 1), Some(&told));
        check(nested(1_000_000), Some(&told));
    }

    /// Files that each include the next one, `depth` of them with the main file.
    fn chain(depth: usize) -> Vec<String> {
        let mut next = |pattern: &str| {
            let number: usize = pattern.parse().unwrap();
            let text = if number < depth { format!("include {};", number + 1) } else { "".into() };
            vec![file(pattern, text)]
        };
        errors(&reading("include 2;", &mut next))
    }

    #[test]
    fn includes_nest_as_deep_as_the_limit_and_no_deeper() {
        assert_eq!(chain(INCLUDE_DEPTH_MAX), [] as [String; 0]);
        let told = format!("includes are nested more than {INCLUDE_DEPTH_MAX} deep");
        let errors = chain(INCLUDE_DEPTH_MAX + 1);
        assert!(errors.len() == 1 && errors[0].contains(&told), "{errors:?}");
    }

    #[test]
    fn files_have_a_limit() {
        let with = |count: usize| {
            let mut all =
                |_: &str| (1..count).map(|number| file(&format!("{number}.conf"), "")).collect();
            errors(&reading("include *;", &mut all))
        };
        assert_eq!(with(FILES_MAX), [] as [String; 0]);
        let errors = with(FILES_MAX + 1);
        assert!(errors[0].contains("the configuration is too large, limits are"), "{errors:?}");
    }

    #[test]
    fn cycles_of_any_length_are_told_where_they_close() {
        let mut circle = |pattern: &str| match pattern {
            "a" => vec![file("a", "include b;")],
            "b" => vec![file("b", "\ninclude c*;")],
            "c*" => vec![file("c1", ""), file("c2", "include a;")],
            _ => vec![file("main.conf", "")],
        };
        let found = errors(&reading("include a;", &mut circle));
        assert_eq!(found, ["c2:1:9: \"a\" includes itself"]);
        let found = errors(&reading("include main.conf;", &mut circle));
        assert_eq!(found, ["main.conf:1:9: \"main.conf\" includes itself"]);
    }

    #[test]
    fn includes_that_grow_with_each_level_end() {
        // Each file has a hundred of the next: a hundred to the fifteenth without the limits.
        let mut count = 0_u64;
        let mut doubling = |_: &str| {
            count += 1;
            vec![file(&count.to_string(), "include x;\n".repeat(100))]
        };
        let errors = errors(&reading("include x;\n", &mut doubling));
        assert!(!errors.is_empty() && errors.len() <= ERRORS_MAX, "{errors:?}");
        assert!(count < 10_000, "{count}");
    }

    #[test]
    fn bytes_have_a_limit() {
        check(vec![b'\n'; BYTES_MAX], None);
        check(vec![b'\n'; BYTES_MAX + 1], Some("the configuration is too large, limits are"));
    }

    #[test]
    fn ten_megabytes_of_anything_end_in_an_error() {
        let repeated = |piece: &str| piece.repeat((10 << 20) / piece.len());
        for piece in [
            "a ",
            "a;",
            "a{}\n",
            "{",
            "}\n",
            ";\n",
            "\"",
            "'a' ",
            "a\n",
            "listen 80;\n",
            "http{server{",
            "$x ",
            "\\",
            "include x;\n",
            "root a;root b;\n",
            "tcp_nodelay on;\n",
            "server {}\n",
            "\u{0}",
            "location /{",
            "é ",
            "http {}\n",
            "events {}\n",
        ] {
            let errors = errors(&reading(repeated(piece), &mut |_| vec![]));
            assert!(!errors.is_empty() && errors.len() <= ERRORS_MAX, "{piece:?}: {errors:?}");
        }
        // One word, and one comment, which is a file of nothing.
        check(repeated("a"), Some("too long parameter"));
        check(format!("#{}", repeated("a")), None);
    }

    #[test]
    fn what_is_no_text_ends_in_an_error() {
        let bytes: Vec<u8> = (0..10 << 20).map(|index: u32| (index % 251) as u8).collect();
        check(bytes, Some("unexpected zero byte"));
        check([0xff, 0xfe].repeat(5 << 20), Some("UTF-16"));
        check(b"root \xc3;\n".repeat(1 << 20), Some("text that is not UTF-8"));
    }
}
