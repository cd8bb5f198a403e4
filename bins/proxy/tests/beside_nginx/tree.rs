//! The files that cases ask for: one tree, the same for every case and for both sides. `$WWW` is its
//! root, `$TOP` the folder around that.

use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// All of it was written then: `Sun, 06 Nov 1994 08:49:37 GMT`.
const WRITTEN: Duration = Duration::from_secs(784_111_777);

/// Names, from `$TOP`, and contents.
const FILES: [(&[u8], &str); 48] = [
    (b"secret.txt", "secret\n"),
    (b"www-evil/x.txt", "evil\n"),
    (b"www/index.html", "<p>home</p>\n"),
    (b"www/a.txt", "alpha\n"),
    (b"www/a.txt.gz", "not really packed\n"),
    (b"www/b.css", "b {}\n"),
    (b"www/c.js", "c()\n"),
    (b"www/d.json", "{}\n"),
    (b"www/e.tar.gz", "e\n"),
    (b"www/F.HTML", "f\n"),
    (b"www/g.unknown", "g\n"),
    (b"www/noending", "h\n"),
    (b"www/dot.", "i\n"),
    (b"www/.hidden", "j\n"),
    (b"www/empty.txt", ""),
    (b"www/digits.txt", "0123456789"),
    (b"www/sp ace.txt", "space\n"),
    (b"www/per%41cent.txt", "percent\n"),
    (b"www/plus+and&.txt", "plus\n"),
    (b"www/question?.txt", "question\n"),
    (b"www/hash#.txt", "hash\n"),
    (b"www/qu\"ote<>.txt", "quote\n"),
    (b"www/um\xc3\xa4laut.txt", "umlaut\n"),
    (b"www/raw\xff.txt", "raw\n"),
    (b"www/404.html", "<p>not there</p>\n"),
    (b"www/error.txt", "an error\n"),
    (b"www/run.sh", "#!/bin/sh\n"),
    (b"www/dir/f.txt", "f in dir\n"),
    (b"www/sub/index.html", "<p>sub</p>\n"),
    (b"www/sub/deep/x.txt", "deep\n"),
    (b"www/htm/index.htm", "<p>htm</p>\n"),
    (b"www/two words/index.html", "<p>two words</p>\n"),
    (b"www/um\xc3\xa4/index.html", "<p>umlaut</p>\n"),
    (b"www/odd/index.html/inner.txt", "inner\n"),
    (b"www/list/b%c.txt", "in a list\n"),
    (b"site/index.html", "<p>site</p>\n"),
    (b"site/about.html", "<p>about</p>\n"),
    (b"site/404.html", "<p>no page</p>\n"),
    (b"site/50x.html", "<p>later</p>\n"),
    (b"site/index.php", "<?php\n"),
    (b"site/wp-login.php", "<?php\n"),
    (b"site/style.css", "p {}\n"),
    (b"site/picture.png", "picture\n"),
    (b"site/favicon.ico", "icon\n"),
    (b"site/.env", "SECRET=1\n"),
    (b"site/.htaccess", "deny\n"),
    (b"site/.well-known/a.txt", "known\n"),
    (b"site/assets/x.js", "x()\n"),
];

/// Links and where they lead.
const LINKS: [(&str, &str); 9] = [
    ("www/link.txt", "a.txt"),
    ("www/linkdir", "sub"),
    ("www/out.txt", "../secret.txt"),
    ("www/outdir", "../www-evil"),
    ("www/dangling.txt", "nowhere"),
    ("www/loop.txt", "loop.txt"),
    ("www/list/link.txt", "../a.txt"),
    ("www/foreign.txt", "a.txt"),
    ("www/foreigndir", "sub"),
];

/// Makes it in a folder.
pub fn plant(top: &Path) {
    let path = |name: &[u8]| top.join(Path::new(std::ffi::OsStr::from_bytes(name)));
    for (name, content) in FILES {
        let file = path(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
    }
    let digits: Vec<u8> = (0..300_000_u32).map(|at| b'0' + (at % 7) as u8).collect();
    fs::write(path(b"www/big.bin"), digits).unwrap();
    let rows: String =
        (0..3_000).map(|row| format!("<tr><td>{row}</td><td>{}</td></tr>\n", row * row)).collect();
    fs::write(path(b"www/rows.html"), rows).unwrap();
    fs::set_permissions(path(b"www/run.sh"), Permissions::from_mode(0o755)).unwrap();
    for (name, target) in LINKS {
        symlink(target, path(name.as_bytes())).unwrap();
    }
    // Only root can give a link away; whoever it belongs to, both programs see the same.
    for name in ["www/foreign.txt", "www/foreigndir"] {
        let _ = std::os::unix::fs::lchown(path(name.as_bytes()), Some(12_345), None);
    }
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, path(b"www/pipe"), rustix::fs::FileType::Fifo, mode, 0)
        .unwrap();
    // Old ones for both programs: none of them has made it.
    date(top);
}

/// What is inside first: to change that changes a folder.
fn date(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            date(&entry.path());
        } else if kind.is_file() {
            let file = File::options().write(true).open(entry.path()).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + WRITTEN).unwrap();
        }
    }
    File::open(folder).unwrap().set_modified(SystemTime::UNIX_EPOCH + WRITTEN).unwrap();
}
