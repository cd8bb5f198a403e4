//! Every row of the directive table is exercised: what it accepts, what it refuses, where.

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nginx_conf::table::{ANY, Block, Class, Context, Kind, Row, find, rows};
    use nginx_conf::{Diag, Included, load};

    /// Every finding about `directive` put into a context.
    fn findings(directive: &str, context: Context) -> Vec<Diag> {
        let text = match context {
            Context::Main => directive.to_owned(),
            Context::Events => format!("events {{ {directive} }}"),
            Context::Http => format!("http {{ {directive} }}"),
            Context::Server => format!("http {{ server {{ {directive} }} }}"),
            Context::Location => format!("http {{ server {{ location / {{ {directive} }} }} }}"),
            Context::Upstream => format!("http {{ upstream u {{ {directive} }} }}"),
            Context::If => {
                format!("http {{ server {{ location / {{ if ($host) {{ {directive} }} }} }} }}")
            }
            Context::ServerIf => format!("http {{ server {{ if ($host) {{ {directive} }} }} }}"),
            Context::LimitExcept => {
                format!(
                    "http {{ server {{ location / {{ limit_except GET {{ {directive} }} }} }} }}"
                )
            }
        };
        let main = Included { name: "t".to_owned(), bytes: text.into(), is_stock: false };
        match load(main, Context::Main, &mut |_, _| Ok(vec![])) {
            Ok((_, warnings)) => warnings,
            Err(errors) => errors,
        }
    }

    fn sample(kind: Kind) -> &'static str {
        match kind {
            Kind::Word => "x",
            Kind::Flag => "on",
            Kind::Size | Kind::Offset | Kind::SizeOrOff => "4k",
            Kind::Time | Kind::Seconds => "7s",
            Kind::Number | Kind::NumberOrAuto => "3",
            Kind::OneOf(words) => words[0],
        }
    }

    /// The directive with `count` arguments of the right kind.
    fn written(row: &Row, count: usize) -> String {
        let mut text = row.name.replace('*', "x");
        for index in 0..count {
            let kind = row.shape.kinds.get(index).or(row.shape.kinds.last()).copied();
            text.push(' ');
            text.push_str(sample(kind.unwrap_or(Kind::Word)));
        }
        text.push_str(if row.shape.block == Block::Absent { ";" } else { " {}" });
        text
    }

    fn check(row: &Row, context: Context) {
        let most = if row.shape.max == ANY { row.shape.min + 3 } else { row.shape.max };
        for count in row.shape.min..=most {
            let text = written(row, usize::from(count));
            let found = findings(&text, context);
            match row.class {
                Class::Implemented => assert_eq!(found, [], "{text}"),
                Class::NoEffect(reason) | Class::Inert(reason) => {
                    let args: Vec<&str> = text.trim_end_matches(';').split(' ').skip(1).collect();
                    if row.is_already_so(args.into_iter()) {
                        assert_eq!(found, [], "{text}");
                        continue;
                    }
                    assert_eq!(found.len(), 1, "{text}: {found:?}");
                    assert!(!found[0].is_error() && found[0].message.contains(reason), "{text}");
                }
                Class::Refused(reason) => {
                    let args: Vec<&str> = text.trim_end_matches(';').split(' ').skip(1).collect();
                    if !row.is_already_so(args.into_iter()) {
                        assert_eq!(found.len(), 1, "{text}: {found:?}");
                        assert!(found[0].is_error() && found[0].message.contains(reason), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_row_does_in_each_of_its_contexts_what_its_class_says() {
        for row in rows() {
            assert!(row.contexts.iter().next().is_some(), "{}", row.name);
            let contexts = row.contexts.iter().filter(|context| is_inside_checked(*context));
            contexts.for_each(|context| check(row, context));
        }
    }

    #[test]
    fn wrong_numbers_of_arguments_are_errors() {
        for row in rows().filter(|row| !matches!(row.class, Class::Refused(_))) {
            let (min, max) = (usize::from(row.shape.min), usize::from(row.shape.max));
            let above = if row.shape.max == ANY { None } else { Some(max + 1) };
            for count in min.checked_sub(1).into_iter().chain(above) {
                // With the arguments of `server` of an upstream, `server { }` is another directive.
                for context in row.contexts.iter().filter(|c| is_inside_checked(*c)) {
                    let text = written(row, count);
                    let errors = findings(&text, context);
                    let wanted = format!("invalid number of arguments in \"{}\"", row.name);
                    assert!(errors.iter().any(|e| e.message.starts_with(&wanted)), "{text}");
                }
            }
        }
    }

    fn is_inside_checked(context: Context) -> bool {
        context != Context::LimitExcept
    }

    #[test]
    fn arguments_of_the_wrong_kind_are_errors() {
        for row in rows().filter(|row| !matches!(row.class, Class::Refused(_))) {
            let Some(wrong) = row.shape.kinds.iter().position(|kind| *kind != Kind::Word) else {
                continue;
            };
            let count = wrong + 1;
            let right = written(row, count.max(usize::from(row.shape.min)));
            let mut words: Vec<&str> = right.trim_end_matches(';').split(' ').collect();
            words[count] = "wrong!";
            let text = format!("{};", words.join(" "));
            for context in row.contexts.iter().filter(|c| is_inside_checked(*c)) {
                let errors = findings(&text, context);
                let wanted = format!("invalid value \"wrong!\" in \"{}\"", row.name);
                assert!(
                    errors.iter().any(|e| e.message.starts_with(&wanted)),
                    "{text}: {errors:?}"
                );
            }
        }
    }

    #[test]
    fn a_directive_outside_its_contexts_is_not_allowed_there() {
        let everywhere = [
            Context::Main,
            Context::Events,
            Context::Http,
            Context::Server,
            Context::Location,
            Context::Upstream,
            Context::If,
            Context::ServerIf,
        ];
        for row in rows().filter(|row| !row.is_family()) {
            let named =
                |context| rows().any(|r| r.matches(row.name) && r.contexts.contains(context));
            for context in everywhere.into_iter().filter(|context| !named(*context)) {
                let text = written(row, usize::from(row.shape.min));
                let errors = findings(&text, context);
                let wanted = format!("\"{}\" directive is not allowed here", row.name);
                assert_eq!(errors[0].message, wanted, "{text}");
                let help = errors[0].help.clone().unwrap_or_default();
                assert!(help.contains("it belongs in "), "{help}");
            }
        }
    }

    #[test]
    fn a_second_one_in_the_same_block_is_an_error_where_nginx_has_it_so() {
        for row in rows().filter(|row| row.class == Class::Implemented) {
            let text = written(row, usize::from(row.shape.min));
            for context in row.contexts.iter().filter(|c| is_inside_checked(*c)) {
                let errors = findings(&format!("{text} {text}"), context);
                let duplicate =
                    errors.iter().any(|e| e.message.ends_with("directive is duplicate"));
                assert_eq!(duplicate, !row.is_repeatable, "{text}: {errors:?}");
            }
        }
    }

    #[test]
    fn no_two_rows_claim_the_same_name_in_the_same_context() {
        let mut seen = BTreeSet::new();
        for row in rows() {
            for context in row.contexts.iter() {
                assert!(seen.insert((row.name, context.to_string())), "{} {context}", row.name);
            }
        }
    }

    #[test]
    fn every_row_that_is_not_carried_out_has_a_reason_and_every_own_one_a_reference() {
        for row in rows() {
            assert_eq!(
                row.class.reason().is_empty(),
                row.class == Class::Implemented,
                "{}",
                row.name
            );
            if !matches!(row.class, Class::Refused(_)) {
                assert!(row.url().is_some_and(|url| url.ends_with(row.name)), "{}", row.name);
            }
        }
    }

    /// What is not on its way here leaves whoever used it with the question what to do.
    #[test]
    fn a_reason_of_what_never_comes_says_what_does_it_instead() {
        let never = |row: &&Row| {
            let reason = row.class.reason();
            let is_foreign = row.module.is_empty() || reason.contains("NGINX Plus");
            matches!(row.class, Class::Refused(_)) && is_foreign
        };
        let rows: Vec<&Row> = rows().filter(never).collect();
        assert!(rows.len() > 50);
        for row in rows {
            let instead = row.class.reason().split_once("; ").map_or("", |(_, instead)| instead);
            assert!(instead.len() > 10, "{}: {}", row.name, row.class.reason());
        }
    }

    #[test]
    fn every_directive_of_stock_nginx_is_known() {
        let names = include_str!("../testdata/nginx-directives.txt");
        let contexts = [
            Context::Main,
            Context::Events,
            Context::Http,
            Context::Server,
            Context::Location,
            Context::Upstream,
        ];
        let known = |name: &str| {
            contexts.iter().any(|c| matches!(find(name, *c), nginx_conf::table::Lookup::Here(_)))
        };
        let missing: Vec<&str> = names.lines().filter(|name| !known(name)).collect();
        assert_eq!(missing, Vec::<&str>::new());
    }
}
