//! The real binary and rotated files that were compressed, by gzip and zstd where they are.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Folder, Scraper, append, line, numbers, wait_until};

/// What a file of this text is once it is compressed, with the ending of its name.
fn compressed(text: &[u8], ending: &str) -> Vec<u8> {
    let program = if ending == ".gz" { "gzip" } else { "zstd" };
    let by_program = Command::new(program)
        .args(["-q", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok();
    let Some(mut child) = by_program else {
        return match ending {
            ".gz" => gzip(text),
            _ => {
                ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
            }
        };
    };
    let (mut stdin, text) = (child.stdin.take().unwrap(), text.to_vec());
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &text).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    bytes.extend(miniz_oxide::deflate::compress_to_vec(text, 6));
    bytes.extend(crc32fast::hash(text).to_le_bytes());
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes
}

/// Compresses a file as logrotate does: to a new one, with the old one's times, which is gone then.
fn compress(path: &Path, ending: &str) -> PathBuf {
    let to = PathBuf::from(format!("{}{ending}", path.display()));
    fs::write(&to, compressed(&fs::read(path).unwrap(), ending)).unwrap();
    let written = fs::metadata(path).unwrap().modified().unwrap();
    fs::File::options().write(true).open(&to).unwrap().set_modified(written).unwrap();
    fs::remove_file(path).unwrap();
    to
}

fn lines(range: std::ops::Range<u64>) -> String {
    range.map(line).collect()
}

#[test]
fn what_was_compressed_while_it_was_down_comes_out_once_and_in_order() {
    let names = ["app.log.1", "app.log-20261125", "app-2026-11-25.log", "app.1.log"];
    for (name, ending) in names.into_iter().flat_map(|name| [(name, ".gz"), (name, ".zst")]) {
        let folder = Folder::new();
        let path = folder.path("app.log");
        let checkpoint = folder.argument("checkpoint");
        let arguments = ["--checkpoint-file", &checkpoint, path.to_str().unwrap()];
        append(&path, lines(0..100).as_bytes());
        let older = folder.path("app.log.9.gz");
        fs::write(&older, compressed(lines(5000..5100).as_bytes(), ".gz")).unwrap();
        let scraper = Scraper::start(&arguments);
        scraper.wait_for_output(lines(0..100).as_bytes());
        scraper.terminate();
        // What is known and grown, what nobody has seen, and what belongs to others.
        append(&path, lines(100..9000).as_bytes());
        fs::rename(&path, folder.path(name)).unwrap();
        let first = compress(&folder.path(name), ending);
        append(&path, lines(9000..9010).as_bytes());
        fs::rename(&path, folder.path("app.log.0")).unwrap();
        compress(&folder.path("app.log.0"), ending);
        append(&path, lines(9010..9020).as_bytes());
        let other = folder.path("other.log.1.gz");
        fs::write(&other, compressed(lines(6000..6100).as_bytes(), ".gz")).unwrap();
        let scraper = Scraper::start(&arguments);
        wait_until("the rest", || numbers(&scraper.output()).len() >= 8920);
        let output = numbers(&scraper.terminate());
        assert!(output == (100..9020).collect::<Vec<_>>(), "{first:?}: {} lines", output.len());
        let scraper = Scraper::start(&arguments);
        append(&path, line(9020).as_bytes());
        wait_until("the last line", || !scraper.output().is_empty());
        assert_eq!(numbers(&scraper.terminate()), [9020], "nothing again: {first:?}");
    }
}

#[test]
fn rotated_and_compressed_under_a_running_scraper_nothing_is_lost_or_doubled() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let checkpoint = folder.argument("checkpoint");
    let scraper = Scraper::start(&["--checkpoint-file", &checkpoint, path.to_str().unwrap()]);
    for round in 0..20 {
        append(&path, lines(round * 500..round * 500 + 500).as_bytes());
        if round == 0 {
            // What is rotated before the first look is none of ours.
            wait_until("the first lines", || numbers(&scraper.output()).len() == 500);
        }
        let rotated = folder.path(&format!("app.log-202611{round:02}"));
        fs::rename(&path, &rotated).unwrap();
        fs::write(&path, "").unwrap();
        compress(&rotated, if round % 2 == 0 { ".gz" } else { ".zst" });
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    wait_until("all lines", || numbers(&scraper.output()).len() >= 10_000);
    let output = numbers(&scraper.terminate());
    assert!(output == (0..10_000).collect::<Vec<_>>(), "{} lines", output.len());
}

#[test]
fn killed_within_a_compressed_file_it_goes_on_where_it_was() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let checkpoint = folder.argument("checkpoint");
    let arguments =
        ["--checkpoint-file", &checkpoint, "--checkpoint-bytes", "64KiB", path.to_str().unwrap()];
    append(&path, line(0).as_bytes());
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_output(line(0).as_bytes());
    scraper.terminate();
    append(&path, lines(1..60_000).as_bytes());
    fs::rename(&path, folder.path("app.log.1")).unwrap();
    compress(&folder.path("app.log.1"), ".gz");
    append(&path, line(60_000).as_bytes());
    let (mut all, mut lives) = (Vec::new(), 0);
    while all.last() != Some(&60_000) {
        let mut scraper = Scraper::spawn_unread(common::binary().args(arguments));
        // It is killed with a pipe full of lines that nobody took.
        let mut stdout = scraper.child.stdout.take().unwrap();
        let mut some = vec![0; 300_000];
        let mut filled = 0;
        while filled < some.len() {
            match std::io::Read::read(&mut stdout, &mut some[filled..]).unwrap() {
                0 => break,
                count => filled += count,
            }
            if some[..filled].ends_with(line(60_000).as_bytes()) {
                break;
            }
        }
        scraper.child.kill().unwrap();
        some.truncate(filled);
        std::io::Read::read_to_end(&mut stdout, &mut some).unwrap();
        let whole = some.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        all.extend(numbers(&some[..whole]));
        scraper.wait();
        lives += 1;
        assert!(lives < 100, "{} of 60,000", all.len());
    }
    let doubled = all.len();
    all.sort_unstable();
    all.dedup();
    assert!(all == (1..=60_000).collect::<Vec<_>>(), "{} lines after {lives} lives", all.len());
    assert!(lives > 3, "{doubled} lines in {lives} lives");
}

#[test]
fn a_damaged_file_and_one_of_another_kind_are_said_and_hold_up_nothing() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let checkpoint = folder.argument("checkpoint");
    let arguments = ["--checkpoint-file", &checkpoint, path.to_str().unwrap()];
    append(&path, lines(0..10).as_bytes());
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_output(lines(0..10).as_bytes());
    scraper.terminate();
    append(&path, lines(10..20_000).as_bytes());
    let mut bytes = compressed(&fs::read(&path).unwrap(), ".gz");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 100].fill(0xff);
    fs::write(folder.path("app.log.2.gz"), bytes).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(folder.path("app.log.1.xz"), b"\xfd7zXZ\0 and what follows").unwrap();
    append(&path, line(20_000).as_bytes());
    let scraper = Scraper::start(&arguments);
    wait_until("the newest line", || scraper.output().ends_with(line(20_000).as_bytes()));
    scraper.wait_for_message("app.log.2.gz: its compressed data is damaged");
    scraper.wait_for_message("app.log.1.xz: was compressed while it was not followed");
    // Damage is found a little behind where it is.
    assert!(
        scraper.terminate().starts_with(lines(10..1000).as_bytes()),
        "what is before it is read"
    );
}

#[test]
fn a_bomb_takes_no_memory() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let checkpoint = folder.argument("checkpoint");
    let arguments = ["--checkpoint-file", &checkpoint, path.to_str().unwrap()];
    append(&path, line(0).as_bytes());
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_output(line(0).as_bytes());
    scraper.terminate();
    let mut bomb = line(0).into_bytes();
    bomb.resize(48 << 20, 0);
    bomb.extend_from_slice(line(1).as_bytes());
    for (number, ending) in [(2, ".gz"), (1, ".zst")] {
        let packed = compressed(&bomb, ending);
        assert!(packed.len() < 1 << 20);
        fs::write(folder.path(&format!("app.log.{number}{ending}")), packed).unwrap();
    }
    fs::remove_file(&path).unwrap();
    append(&path, line(2).as_bytes());
    let scraper = Scraper::start(&arguments);
    wait_until("the newest line", || scraper.output().ends_with(line(2).as_bytes()));
    let memory_kib = scraper.memory_kib("VmHWM");
    assert!(memory_kib < 16 << 10, "{memory_kib} KiB");
    scraper.terminate();
}

/// The program as it is built without features, which the tests of this package give it otherwise.
fn default_binary() -> Command {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("default");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--offline"])
        .args(["--package", "log-scraper", "--bin", "log-scraper", "--target-dir"])
        .arg(&target)
        .env_remove("CARGO_BUILD_TARGET")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success(), "the program builds without features");
    let mut command = Command::new(target.join("debug/log-scraper"));
    command.env_clear();
    command
}

#[test]
fn without_decoders_a_file_that_may_hold_unread_lines_is_said_once_and_counted() {
    const LOST: &str = "log_scraper_compressed_files_lost_total";
    let folder = Folder::new();
    let path = folder.path("app.log");
    let (checkpoint, address) = (folder.argument("checkpoint"), common::free_address());
    let flags = ["--checkpoint-file", &checkpoint, "--admin-listen", &address];
    let start = || Scraper::spawn(default_binary().args(flags).arg(&path));
    append(&path, lines(0..10).as_bytes());
    let scraper = start();
    scraper.wait_for_output(lines(0..10).as_bytes());
    scraper.terminate();
    // One that was read to its end, and after it two of which nobody read anything.
    fs::rename(&path, folder.path("app.log.3")).unwrap();
    compress(&folder.path("app.log.3"), ".gz");
    fs::write(folder.path("app.log.2.gz"), compressed(lines(10..30).as_bytes(), ".gz")).unwrap();
    fs::write(folder.path("app.log.1.zst"), compressed(lines(30..50).as_bytes(), ".zst")).unwrap();
    append(&path, line(50).as_bytes());
    for expected in [2, 0] {
        let scraper = start();
        append(&path, line(51).as_bytes());
        wait_until("the newest line", || scraper.output().ends_with(line(51).as_bytes()));
        wait_until("the count", || common::metric(&address, LOST) == expected);
        // A look or two later it is still so.
        std::thread::sleep(std::time::Duration::from_millis(1500));
        assert_eq!(common::metric(&address, LOST), expected);
        let messages = scraper.messages();
        for name in ["app.log.2.gz", "app.log.1.zst"] {
            let said = format!("{name}: was compressed while it was not followed");
            assert_eq!(messages.matches(&said).count() as u64, expected / 2, "{messages}");
        }
        assert!(!messages.contains("app.log.3.gz"), "its length tells: {messages}");
        let output = numbers(&scraper.terminate());
        assert!(output.iter().all(|number| *number >= 50), "{output:?}");
    }
}
