//! Whether a template can be meant: what rotated files are called, made of the followed path.
//!
//! Owns what is wrong with one and what would be right. What it stands for is decided by
//! [`crate::pattern::RotatedNames`].

use std::path::Path;

use crate::pattern::{RotatedNames, is_pattern};

const WORDS: [&str; 4] = ["path", "dir", "stem", "ext"];
/// What a template might be.
const EXAMPLES: &str = "{path}.* or {dir}/{stem}-[0-9]*{ext}";

/// Checks a template of names that rotated files get.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn check(template: &str) -> Result<(), String> {
    let said = |what: String| Err(format!("{template:?} {what}, as in {EXAMPLES}"));
    for word in words(template) {
        if !word.is_some_and(|word| WORDS.contains(&word)) {
            let word =
                word.map_or("a brace without its end".to_owned(), |word| format!("{{{word}}}"));
            return said(format!(
                "has {word}: it may have {{path}}, {{dir}}, {{stem}} and {{ext}}"
            ));
        }
    }
    if !["{path}", "{dir}/", "/"].iter().any(|start| template.starts_with(start)) {
        return said("is in no folder: it begins with {path}, {dir}/ or a slash".to_owned());
    }
    let (folder, name) = template.rsplit_once('/').unwrap_or(("", template));
    if name.is_empty() {
        return said("ends with a slash: it names folders, not files".to_owned());
    }
    if folder.contains("{path}") {
        return said("has a slash behind {path}, which is a file: {dir} is its folder".to_owned());
    }
    if is_pattern(Path::new(folder)) {
        return said("has a wildcard in its folder: only names may have one".to_owned());
    }
    if !name.contains("{path}") && !name.contains("{stem}") {
        return said("does not say whose file it is: its name has {path} or {stem}".to_owned());
    }
    if name.contains("{path}") && template.find("{path}") != Some(0) || name.contains("{dir}") {
        return said(
            "has a folder within a name: {path} comes first, {dir} before a slash".to_owned(),
        );
    }
    let of = Path::new("/folder/name.log");
    let is_itself = !is_pattern(Path::new(template))
        && RotatedNames::new(template, of).is_some_and(|names| names.contains_path(of));
    match is_itself {
        true => said("is the followed file itself".to_owned()),
        false => Ok(()),
    }
}

/// What is in braces; `None` where they are not closed.
fn words(template: &str) -> impl Iterator<Item = Option<&str>> {
    template.split('{').skip(1).map(|rest| rest.split_once('}').map(|(word, _)| word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ROTATED;

    #[test]
    fn what_cannot_be_meant_is_told_with_what_would_be_right() {
        let wrong = |template: &str, expected: &str| {
            let told = check(template).expect_err(template);
            assert!(told.contains(expected) && told.contains("{path}.* or"), "{told}");
        };
        wrong("{base}.*", "{base}");
        wrong("{path.*", "a brace without its end");
        wrong("{}.1", "{}");
        wrong("", "is in no folder");
        wrong("*.old", "is in no folder");
        wrong("{stem}.*", "is in no folder");
        wrong("{dir}{stem}.*", "is in no folder");
        wrong("{dir}/{stem}.d/", "ends with a slash");
        wrong("{path}/*", "slash behind {path}");
        wrong("{dir}/*/{stem}.*", "wildcard in its folder");
        wrong("{dir}/*", "whose file");
        wrong("/archive/*{ext}", "whose file");
        wrong("/archive/{path}.*", "folder within a name");
        wrong("{dir}/x{dir}{stem}", "folder within a name");
        wrong("{path}", "the followed file itself");
        wrong("{dir}/{stem}{ext}", "the followed file itself");
    }

    #[test]
    fn what_can_be_meant_is_taken() {
        for template in ROTATED {
            assert_eq!(check(template), Ok(()), "{template}");
        }
        for template in [
            "{path}*",
            "{path}.old",
            "{path}[.-]?",
            "{dir}/old/{stem}-*{ext}",
            "{dir}/{stem}/{stem}.*",
            "/archive/{stem}.*{ext}",
            "{dir}/{stem}.*",
        ] {
            assert_eq!(check(template), Ok(()), "{template}");
        }
    }
}
