//! Whole files: good ones load, bad ones give exactly the findings written beside them.
//!
//! `UPDATE_GOLDEN=1` writes the findings anew. Beside each run stands the rule that holds for every
//! input: a cut or damaged file ends in findings, not in a panic, and soon.

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use nginx_conf::{Context, Diag, IncludeError, Included, is_fragment, load, stock};

    fn testdata(kind: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(kind)
    }

    /// Files with the given ending in a folder, by name.
    fn files(kind: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(testdata(kind)).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            entries.filter(|path| path.extension().is_some_and(|end| end == "conf")).collect();
        files.sort();
        assert!(!files.is_empty());
        files
    }

    fn resolve(pattern: &str, _from: &str) -> Result<Vec<Included>, IncludeError> {
        let file = |bytes: Vec<u8>, is_stock| Included { name: pattern.into(), bytes, is_stock };
        if pattern.contains('*') {
            return Ok(vec![]);
        }
        if let Some(text) = stock::file(pattern.rsplit('/').next().unwrap_or(pattern)) {
            return Ok(vec![file(text.into(), true)]);
        }
        fs::read(testdata("bad").join(pattern)).map(|bytes| vec![file(bytes, false)]).map_err(
            |_| IncludeError { message: format!("open() \"{pattern}\" failed (no such file)") },
        )
    }

    fn main_file(name: &str, bytes: &[u8]) -> Included {
        Included { name: name.to_owned(), bytes: bytes.to_vec(), is_stock: false }
    }

    /// Loads as a program would: a fragment's main level is that of `http`. All findings.
    fn findings(name: &str, bytes: &[u8]) -> Vec<Diag> {
        let root = if is_fragment(bytes) { Context::Http } else { Context::Main };
        match load(main_file(name, bytes), root, &mut resolve) {
            Ok((_, warnings)) => {
                assert!(!warnings.iter().any(Diag::is_error));
                warnings
            }
            Err(errors) => {
                assert!(errors.iter().any(Diag::is_error));
                assert!(errors.len() <= nginx_conf::diag::ERRORS_MAX + 200);
                errors
            }
        }
    }

    fn check(path: &Path, is_good: bool) {
        let name = path.file_name().unwrap().to_string_lossy();
        let findings = findings(&name, &fs::read(path).unwrap());
        assert_eq!(!findings.iter().any(Diag::is_error), is_good, "{name}: {findings:?}");
        let mut text = String::new();
        for diag in &findings {
            let severity = if diag.is_error() { "error" } else { "warning" };
            text.push_str(&format!("{severity}: {diag}\n"));
        }
        let golden = path.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &text).unwrap();
        }
        assert_eq!(text, fs::read_to_string(&golden).unwrap_or_default(), "{name}");
    }

    #[test]
    fn good_files_load_with_the_warnings_beside_them() {
        files("good").iter().for_each(|path| check(path, true));
    }

    #[test]
    fn bad_files_give_the_findings_beside_them() {
        files("bad").iter().for_each(|path| check(path, false));
    }

    #[test]
    fn every_truncation_of_a_file_ends_without_a_panic() {
        for path in files("good").iter().chain(&files("bad")) {
            let bytes = fs::read(path).unwrap();
            for end in 0..bytes.len() {
                findings("cut.conf", &bytes[..end]);
            }
        }
    }

    #[test]
    fn a_file_cut_inside_a_block_is_never_good() {
        let bytes = fs::read(testdata("good").join("full.conf")).unwrap();
        let http = bytes.windows(4).position(|word| word == b"http").unwrap() + 4;
        let last = bytes.iter().rposition(|byte| *byte == b'}').unwrap();
        for end in http..last {
            assert!(findings("cut.conf", &bytes[..end]).iter().any(Diag::is_error), "{end}");
        }
    }

    /// xorshift64*, so that a seed means the same bytes for ever.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound.max(1)
        }
    }

    fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
        const PIECES: [&[u8]; 12] = [
            b"{",
            b"}",
            b";",
            b"\"",
            b"'",
            b"\\",
            b"#",
            b"$",
            b"${",
            b"\r\n",
            b"\0",
            b"\xEF\xBB\xBF",
        ];
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() + 1);
            match random.below(4) {
                0 if at < bytes.len() => bytes[at] = random.below(256) as u8,
                1 => {
                    let end = (at + random.below(20)).min(bytes.len());
                    bytes.drain(at..end);
                }
                2 => {
                    let end = (at + random.below(60)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    let to = random.below(bytes.len() + 1);
                    bytes.splice(to..to, piece);
                }
                _ => {
                    bytes.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied());
                }
            }
        }
    }

    #[test]
    fn damaged_files_end_without_a_panic() {
        let originals: Vec<_> =
            files("good").iter().chain(&files("bad")).map(|path| fs::read(path).unwrap()).collect();
        for seed in 1..=4000_u64 {
            let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let mut bytes = originals[random.below(originals.len())].clone();
            mutate(&mut random, &mut bytes);
            for diag in findings("damaged.conf", &bytes) {
                assert!(diag.width >= 1 && diag.to_string().len() < 4000, "seed {seed}: {diag}");
            }
        }
    }

    #[test]
    fn a_megabyte_of_anything_ends_soon_with_few_findings() {
        let mut random = Random(7);
        let noise: Vec<u8> = (0..1 << 20).map(|_| random.below(256) as u8).collect();
        let printable: Vec<u8> = (0..1 << 20).map(|_| 32 + random.below(95) as u8).collect();
        let repeated = |piece: &str| piece.repeat((1 << 20) / piece.len()).into_bytes();
        let cases = [
            noise,
            printable,
            repeated(";"),
            repeated("{"),
            repeated("}"),
            repeated("a "),
            repeated("a;"),
            repeated("\""),
            repeated("\\"),
            repeated("listen\n"),
            repeated("http {"),
            repeated("tcp_nodelay on; "),
            repeated("http { server { "),
            repeated("include x* ;"),
            repeated("'a'"),
            repeated("$"),
            repeated("${"),
            repeated("#\n"),
        ];
        for bytes in cases {
            let start = std::time::Instant::now();
            let findings = findings("garbage.conf", &bytes);
            let begin = String::from_utf8_lossy(&bytes[..20]).into_owned();
            assert!(findings.len() <= 60, "{begin:?}: {}", findings.len());
            assert!(start.elapsed().as_secs() < 10, "{begin:?}: {:?}", start.elapsed());
        }
    }
}
