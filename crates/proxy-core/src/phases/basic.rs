//! nginx: `auth_basic`: a name and a password that stand in a file.

use super::Seen;
use super::guard::Word;
use crate::config::model::{ErrorLevel, Guard};
use crate::files::{Files, Kind, Links, Opened, fill};
use crate::net::Cause;
use crate::request::Request;
use crate::variables::credentials;

/// A larger file is none of users.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Whether the client has told the name and password of somebody in the file.
pub(super) fn word(request: &mut Request, seen: &Seen<'_>, guard: &Guard) -> Word {
    let (Some(realm), Some(user_file)) = (&guard.realm, &guard.user_file) else {
        return Word::Nothing;
    };
    let realm = seen.view(request).text(realm).into_owned();
    if realm == b"off" {
        return Word::Nothing;
    }
    let challenge = [b"Basic realm=\"", realm.as_slice(), b"\""].concat();
    let told = http1::find(&request.head.fields, &request.bytes, "authorization");
    let Some((user, password)) = told.and_then(credentials) else {
        let line = "no user/password was provided for basic authentication";
        return no(request, challenge, ErrorLevel::Info, line.to_owned());
    };
    let path = seen.view(request).text(user_file).into_owned();
    let shown = |text: &[u8]| String::from_utf8_lossy(text).escape_debug().to_string();
    let file = match read(&*request.at.generation().host().files, &path) {
        Ok(file) => file,
        Err(cause) => {
            let line = format!("open() \"{}\" failed: {cause}", shown(&path));
            request.values.get_mut().note(ErrorLevel::Error, line);
            return Word::No(if cause == Cause::NO_ENTRY { 403 } else { 500 });
        }
    };
    let why = match kept(&file, &user) {
        Some(kept) => match crypt::is_right(&password, kept) {
            Ok(true) => return Word::Yes,
            Ok(false) => "password mismatch".to_owned(),
            Err(unknown) => unknown.to_string(),
        },
        None => {
            // To find out that there is nobody takes as long as to find out about a password.
            let other = passwords(&file).next().map(|(_, kept)| crypt::is_right(&password, kept));
            std::hint::black_box(other);
            format!("was not found in \"{}\"", shown(&path))
        }
    };
    let user = shown(&user);
    let colon = if why.starts_with("was") { "" } else { ":" };
    no(request, challenge, ErrorLevel::Error, format!("user \"{user}\"{colon} {why}"))
}

/// Reads a file of users whole, whenever somebody asks: what changes in it holds at once.
fn read(files: &dyn Files, path: &[u8]) -> Result<Vec<u8>, Cause> {
    if path.contains(&0) {
        return Err(Cause::NO_ENTRY);
    }
    let Opened { facts, file } = files.open(path, Links::FOLLOWED)?;
    match facts.kind {
        Kind::File if facts.bytes > FILE_BYTES_MAX => return Err(Cause::TOO_LARGE),
        Kind::File => {}
        Kind::Folder => return Err(Cause::FOLDER),
        Kind::Other => return Err(Cause::UNFIT),
    }
    let mut text = vec![0; usize::try_from(facts.bytes).unwrap_or(0)];
    let filled = fill(&*file, &mut text, 0)?;
    text.truncate(filled);
    Ok(text)
}

fn no(request: &mut Request, challenge: Vec<u8>, level: ErrorLevel, line: String) -> Word {
    let values = request.values.get_mut();
    values.note(level, line);
    values.challenges.push(challenge);
    Word::No(401)
}

/// The password of a user as it is kept. The first line of that name holds.
fn kept<'f>(file: &'f [u8], user: &[u8]) -> Option<&'f [u8]> {
    passwords(file).find(|(name, _)| *name == user).map(|(_, kept)| kept)
}

/// nginx: lines of `name:password`, with what follows another colon left out; `#` begins one that
/// is none.
fn passwords(file: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = file.split(|&byte| byte == b'\n');
    lines.filter(|line| !matches!(line.first(), Some(b'#' | b'\r'))).filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (name, rest) = line.split_at_checked(colon)?;
        let mut rest = rest.get(1..)?.split(|byte| matches!(byte, b':' | b'\r'));
        Some((name, rest.next()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_by_the_first_line_of_its_name() {
        let file = b"# a:0\n\na:1\r\nb:2:of b: more\n:none\nnobody\na:3\n c:4\nd:";
        for (user, expected) in [
            ("a", Some("1")),
            ("b", Some("2")),
            ("", Some("none")),
            ("c", None),
            (" c", Some("4")),
            ("nobody", None),
            ("# a", None),
            ("d", Some("")),
        ] {
            assert_eq!(kept(file, user.as_bytes()), expected.map(str::as_bytes), "{user}");
        }
        assert_eq!(kept(b"", b"a"), None);
    }
}
