//! Header fields of every request, among them the secret ones, which come from files.
//!
//! Owns when a file is read again: whenever it, or where a link leads to, is another one or was
//! written to. A secret is never logged, nor is a part of one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ureq::http::{HeaderName, HeaderValue};

use crate::store::stamp::Stamp;

/// More than this is no credential.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A token for `Authorization: Bearer`.
    Bearer,
    /// `user:password` for `Authorization: Basic`.
    Basic,
    /// The field's value as it is.
    Value,
}

/// A field whose value is in a file.
#[derive(Debug)]
struct Secret {
    name: HeaderName,
    kind: Kind,
    path: PathBuf,
    /// Which file it was, and when it was written to.
    seen: Option<Stamp>,
    value: Option<HeaderValue>,
}

/// The fields.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    fixed: Vec<(HeaderName, HeaderValue)>,
    secrets: Vec<Secret>,
}

impl Credentials {
    /// Adds a field.
    pub(crate) fn add(&mut self, name: HeaderName, value: HeaderValue) {
        self.fixed.push((name, value));
    }

    /// Adds a field whose value is in a file.
    pub(crate) fn add_file(&mut self, name: HeaderName, kind: Kind, path: &Path) {
        let path = path.to_owned();
        self.secrets.push(Secret { name, kind, path, seen: None, value: None });
    }

    /// All fields as they are now.
    ///
    /// # Errors
    /// Which file cannot be read, or cannot be what it should be.
    pub(crate) fn fields(&mut self) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let mut fields = self.fixed.clone();
        for secret in &mut self.secrets {
            let value = secret.value();
            let value = value.map_err(|error| format!("{}: {error}", secret.path.display()))?;
            fields.push((secret.name.clone(), value));
        }
        Ok(fields)
    }
}

impl Secret {
    fn value(&mut self) -> io::Result<HeaderValue> {
        let status = fs::metadata(&self.path)?;
        let seen = Stamp::of(&status);
        if let Some(value) = self.value.as_ref().filter(|_| self.seen == Some(seen)) {
            return Ok(value.clone());
        }
        if status.len() > FILE_BYTES_MAX {
            return Err(io::Error::other("too large for a credential"));
        }
        let text = fs::read_to_string(&self.path)?;
        let text = text.trim_end_matches(['\n', '\r']);
        if text.trim().is_empty() {
            // Whoever writes it is not done, or never was: a request without it would be refused.
            return Err(io::Error::other("it is empty"));
        }
        let text = match self.kind {
            Kind::Bearer => format!("Bearer {}", text.trim()),
            Kind::Basic if !text.contains(':') => {
                return Err(io::Error::other("it does not hold user:password"));
            }
            Kind::Basic => format!("Basic {}", base64(text.as_bytes())),
            Kind::Value => text.to_owned(),
        };
        let value = HeaderValue::from_str(&text).ok().filter(|_| text.is_ascii());
        let mut value = value.ok_or_else(|| io::Error::other("no value of a header field"))?;
        value.set_sensitive(true);
        (self.seen, self.value) = (Some(seen), Some(value.clone()));
        Ok(value)
    }
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        let number = number << (8 * (3 - chunk.len()));
        for place in 0..4 {
            match place <= chunk.len() {
                true => text.push(char::from(DIGITS[(number >> (18 - 6 * place) & 63) as usize])),
                false => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::header::AUTHORIZATION;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let check = |text: &str, expected: &str| assert_eq!(base64(text.as_bytes()), expected);
        check("", "");
        check("f", "Zg==");
        check("fo", "Zm8=");
        check("foo", "Zm9v");
        check("foobar", "Zm9vYmFy");
        check("\u{ff}\u{3fe}~?", "w7/Pvn4/");
    }

    /// The value that a file gives, or what is wrong with it.
    fn value(kind: Kind, text: &str) -> Result<String, String> {
        let folder = std::env::temp_dir().join(format!("credentials-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{kind:?}-{}", text.len()));
        fs::write(&path, text).unwrap();
        let mut credentials = Credentials::default();
        credentials.add_file(AUTHORIZATION, kind, &path);
        let fields = credentials.fields()?;
        Ok(fields[0].1.to_str().unwrap().to_owned())
    }

    #[test]
    fn an_empty_file_is_told_and_so_is_one_that_no_field_can_hold() {
        for (kind, text) in [(Kind::Bearer, ""), (Kind::Value, "\n\n"), (Kind::Basic, " \r\n\r")] {
            assert!(value(kind, text).unwrap_err().ends_with("it is empty"), "{text:?}");
        }
        let told = value(Kind::Bearer, "\u{feff}token").unwrap_err();
        assert!(told.ends_with("no value of a header field"), "{told}");
    }

    #[test]
    fn a_mount_that_kubernetes_swaps_is_read_again() {
        let folder = std::env::temp_dir().join(format!("mounted-{}", std::process::id()));
        let write = |name: &str, token: &str| {
            fs::create_dir_all(folder.join(name)).unwrap();
            fs::write(folder.join(name).join("token"), token).unwrap();
            std::os::unix::fs::symlink(name, folder.join("..data_tmp")).unwrap();
            fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
        };
        write("..1", "one");
        std::os::unix::fs::symlink("..data/token", folder.join("token")).unwrap();
        let mut credentials = Credentials::default();
        credentials.add_file(AUTHORIZATION, Kind::Bearer, &folder.join("token"));
        let mut token = || credentials.fields().unwrap()[0].1.clone();
        assert_eq!(token(), "Bearer one");
        write("..2", "two");
        fs::remove_dir_all(folder.join("..1")).unwrap();
        assert_eq!(token(), "Bearer two");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn each_kind_of_file_gives_its_field() {
        let check = |kind: Kind, text: &str, expected: &str| {
            assert_eq!(value(kind, text), Ok(expected.to_owned()));
        };
        check(Kind::Bearer, "token\n", "Bearer token");
        check(Kind::Basic, "Aladdin:open sesame\r\n", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        check(Kind::Value, "ApiKey x \n", "ApiKey x ");
        for (kind, text) in [(Kind::Basic, "nobody"), (Kind::Bearer, "a\nb"), (Kind::Value, "\0")] {
            let told = value(kind, text).unwrap_err();
            assert!(told.contains("credentials-") && !told.contains(text), "{told}");
        }
        assert!(value(Kind::Value, &"x".repeat(70_000)).unwrap_err().contains("too large"));
    }

    #[test]
    fn a_file_that_changes_is_read_again() {
        let folder = std::env::temp_dir().join(format!("rotated-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("token");
        let mut credentials = Credentials::default();
        credentials.add_file(AUTHORIZATION, Kind::Bearer, &path);
        let mut token = || credentials.fields().map(|fields| fields[0].1.clone());
        assert!(token().unwrap_err().contains("token: "));
        fs::write(&path, "one").unwrap();
        assert_eq!(token().unwrap(), "Bearer one");
        fs::write(folder.join("next"), "two").unwrap();
        fs::rename(folder.join("next"), &path).unwrap();
        assert_eq!(token().unwrap(), "Bearer two");
        fs::remove_dir_all(&folder).unwrap();
    }
}
