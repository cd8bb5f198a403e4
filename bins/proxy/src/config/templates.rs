//! Files that are made of templates, as nginx's image makes them at its start
//! (`20-envsubst-on-templates.sh`): `templates/x.conf.template` stands for `conf.d/x.conf`, with the
//! values of environment variables in it.
//!
//! Owns what is a template, and what is put in place of what. Nothing is written: the file that is
//! made is there for the load alone. Only names that are variables of the environment are replaced,
//! so nginx's own (`$host`) stay.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nginx_conf::parse::{BYTES_MAX, FILES_MAX};
use proxy_core::config::pattern::Pattern;

/// Folders below the templates' own that are looked into.
const DEPTH_MAX: usize = 8;
/// What a template's name ends with, unless `NGINX_ENVSUBST_TEMPLATE_SUFFIX` says otherwise.
const SUFFIX: &str = ".template";

/// Where templates are, and what they are filled with.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    /// `--templates`; beside the main file if it is not given.
    pub folder: Option<PathBuf>,
    /// Where the files would be that they stand for; `conf.d` beside the main file if not given.
    pub output: Option<PathBuf>,
    suffix: String,
    variables: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Templates {
    /// With the variables of an environment, and what it says about templates itself.
    ///
    /// # Errors
    /// What is wrong with `NGINX_ENVSUBST_FILTER`.
    pub fn new(
        folder: Option<PathBuf>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Templates, String> {
        let environment = environment.map(|(name, value)| (name.into_vec(), value.into_vec()));
        let mut variables: BTreeMap<_, _> = environment.collect();
        let said = |name: &str| variables.get(name.as_bytes()).filter(|said| !said.is_empty());
        let path = |name: &str| said(name).cloned().map(|path| OsString::from_vec(path).into());
        let text = |name: &str| said(name).map(|said| String::from_utf8_lossy(said).into_owned());
        let suffix = text("NGINX_ENVSUBST_TEMPLATE_SUFFIX").unwrap_or_else(|| SUFFIX.to_owned());
        let output = path("NGINX_ENVSUBST_OUTPUT_DIR");
        let folder = folder.or_else(|| path("NGINX_ENVSUBST_TEMPLATE_DIR"));
        if let Some(filter) = text("NGINX_ENVSUBST_FILTER") {
            let filter = Pattern::new(&filter, false).map_err(|problem| {
                format!("NGINX_ENVSUBST_FILTER={filter:?} is no regular expression: {problem}")
            })?;
            variables.retain(|name, _| filter.is_match(name));
        }
        Ok(Templates { folder, output, suffix, variables })
    }

    /// The templates in a folder, and below it, with the path that each has there once its ending
    /// is gone; in the order of their names. What begins with a dot is none: a mounted ConfigMap
    /// has its files a second time under `..data`.
    pub fn find(&self, folder: &Path) -> Vec<(PathBuf, PathBuf)> {
        let mut found = Vec::new();
        self.find_below(folder, Path::new(""), DEPTH_MAX, &mut found);
        found.sort_unstable();
        found.truncate(FILES_MAX);
        found
    }

    fn find_below(
        &self,
        folder: &Path,
        below: &Path,
        depth: usize,
        found: &mut Vec<(PathBuf, PathBuf)>,
    ) {
        let Ok(entries) = fs::read_dir(folder.join(below)) else { return };
        for name in entries.flatten().map(|entry| entry.file_name()).take(FILES_MAX) {
            let Some(text) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            let (path, inner) = (folder.join(below).join(text), below.join(text));
            if path.is_dir() {
                if depth > 0 {
                    self.find_below(folder, &inner, depth - 1, found);
                }
            } else if let Some(made) = text.strip_suffix(&*self.suffix).filter(|s| !s.is_empty()) {
                found.push((path, below.join(made)));
            }
        }
    }

    /// A template with the variables' values in it, as `envsubst` puts them: for `$NAME` and
    /// `${NAME}`. It ends once it is longer than a file may be.
    pub fn fill(&self, template: &[u8]) -> Vec<u8> {
        let mut made = Vec::with_capacity(template.len());
        let mut rest = template;
        while let Some(at) = memchr::memchr(b'$', rest) {
            made.extend_from_slice(&rest[..at]);
            if made.len() > BYTES_MAX {
                return made;
            }
            let (name, len) = variable(&rest[at..]);
            match self.variables.get(name) {
                Some(value) => made.extend_from_slice(value),
                None => made.extend_from_slice(&rest[at..at + len]),
            }
            rest = &rest[at + len..];
        }
        made.extend_from_slice(rest);
        made
    }
}

/// The name of the variable that text beginning with `$` asks for, and how long that is.
fn variable(text: &[u8]) -> (&[u8], usize) {
    let is_braced = text.get(1) == Some(&b'{');
    let from = if is_braced { 2 } else { 1 };
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let len = text[from..].iter().take_while(|byte| is_of_name(byte)).count();
    let name = &text[from..from + len];
    let is_name = name.first().is_some_and(|first| !first.is_ascii_digit());
    match (is_name, is_braced, text.get(from + len)) {
        (true, true, Some(b'}')) => (name, from + len + 1),
        (true, false, _) => (name, from + len),
        _ => (&[], 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates(variables: &[(&str, &str)]) -> Result<Templates, String> {
        let pair = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
        Templates::new(None, variables.iter().map(pair))
    }

    fn check(variables: &[(&str, &str)], template: &str, expected: &str) {
        let made = templates(variables).unwrap().fill(template.as_bytes());
        assert_eq!(String::from_utf8(made).unwrap(), expected, "{template}");
    }

    #[test]
    fn variables_that_are_there_are_replaced_and_all_else_stays() {
        let one = &[("PORT", "8080"), ("A_1", "$PORT"), ("EMPTY", "")];
        check(one, "listen ${PORT}; set $host $PORT;", "listen 8080; set $host 8080;");
        check(one, "$PORTS ${PORTS} ${PORT $ ${} $$PORT $", "$PORTS ${PORTS} ${PORT $ ${} $8080 $");
        check(one, "$A_1/$A_1x [${EMPTY}] $1PORT", "$PORT/$A_1x [] $1PORT");
        check(one, "", "");
    }

    #[test]
    fn the_filter_says_which_variables_count() {
        let all = &[("APP_PORT", "1"), ("HOME", "2"), ("NGINX_ENVSUBST_FILTER", "^APP_|^X")];
        check(all, "$APP_PORT $HOME", "1 $HOME");
        let wrong = templates(&[("NGINX_ENVSUBST_FILTER", "(")]).unwrap_err();
        assert!(
            wrong.starts_with("NGINX_ENVSUBST_FILTER=\"(\" is no regular expression"),
            "{wrong}"
        );
    }

    #[test]
    fn what_is_made_is_bounded() {
        let long = "x".repeat(100_000);
        let template = "$A".repeat(300);
        let made = templates(&[("A", &*long)]).unwrap().fill(template.as_bytes());
        assert!((BYTES_MAX + 1..BYTES_MAX + 200_000).contains(&made.len()), "{}", made.len());
    }

    #[test]
    fn templates_are_found_in_folders_and_never_twice() {
        let folder = std::env::temp_dir().join(format!("templates-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for path in ["..data/a.conf.template", "b/c.conf.template", "a.conf.template", "a.conf"] {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        fs::write(folder.join(".template"), "").unwrap();
        let found = templates(&[]).unwrap().find(&folder);
        let expected = [("a.conf.template", "a.conf"), ("b/c.conf.template", "b/c.conf")];
        let expected = expected.map(|(path, made)| (folder.join(path), made.into()));
        assert_eq!(found, expected);
        let other = templates(&[("NGINX_ENVSUBST_TEMPLATE_SUFFIX", ".conf")]).unwrap();
        assert_eq!(other.find(&folder), [(folder.join("a.conf"), "a".into())]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
