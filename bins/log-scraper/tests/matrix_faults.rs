//! The fault matrix, surroundings: volumes that are full, read-only or broken, bad checkpoints, any
//! bytes in any amount, a stdout nobody reads, the end while lines come, no change events, many
//! files, links and folders exchanged. A closed stdout, a backlog at the end and a file that may
//! not be read are in `faults.rs` and `follow.rs`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod common;
#[path = "common/ledger.rs"]
mod ledger;
#[path = "common/volume.rs"]
mod volume;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use common::{Scraper, append, binary, free_address, metric, wait_until};
use ledger::{Ledger, texts};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;
use volume::{Volume, as_root, cannot};

fn written_at(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// While a checkpoint cannot be written lines go on, it is said once and counted, and a restart
/// loses nothing. `mend` makes it possible again: then it is written again.
fn check_checkpoint_on_bad_volume(volume: &Volume, checkpoint: &Path, mend: impl FnOnce()) {
    let (address, log) = (free_address(), volume.argument("app.log"));
    let path = volume.path("app.log");
    let checkpoint_argument = checkpoint.to_str().unwrap();
    let arguments =
        ["--checkpoint-file", checkpoint_argument, "--admin-listen", &address, log.as_str()];
    append(&path, texts(0, 0..100).as_bytes());
    let mut ledger = Ledger::default();
    let scraper = Scraper::start(&arguments);
    wait_until("the first lines", || scraper.output_len() >= texts(0, 0..100).len());
    append(&path, texts(0, 100..200).as_bytes());
    wait_until("more lines", || scraper.output_len() >= texts(0, 0..200).len());
    wait_until("a failure that is counted", || {
        metric(&address, "log_scraper_checkpoint_failures_total") > 0
    });
    let is_warning = |line: &&str| line.contains("WARN") && line.contains("checkpoint");
    let warnings = || scraper.messages().lines().filter(is_warning).count();
    wait_until("a failure that is said", || warnings() > 0);
    assert_eq!(warnings(), 1, "{}", scraper.messages());
    ledger.life(&scraper.kill(), true);

    append(&path, texts(0, 200..300).as_bytes());
    let scraper = Scraper::start(&arguments);
    let last = texts(0, 299..300);
    wait_until("lines after a restart", || scraper.output().ends_with(last.as_bytes()));
    let before = written_at(checkpoint);
    mend();
    append(&path, texts(0, 300..400).as_bytes());
    wait_until("the checkpoint to be written", || written_at(checkpoint) != before);
    // One that began before the last lines were out may have been the first.
    let before = written_at(checkpoint);
    append(&path, texts(0, 400..401).as_bytes());
    wait_until("another one", || written_at(checkpoint) != before);
    ledger.life(&scraper.kill(), true);
    append(&path, texts(0, 401..402).as_bytes());
    let again = ledger.life(&Scraper::start(&arguments).terminate(), false);
    assert!(again <= texts(0, 300..401).len(), "the checkpoint is of use again: {again}");
    ledger.assert_nothing_lost(0, 402);
}

#[test]
fn a_full_volume_for_the_checkpoint_holds_up_no_line() {
    let Some(small) = Volume::small(256 << 10) else { return };
    let filler = small.fill();
    check_checkpoint_on_bad_volume(&Volume::usual(), &small.path("checkpoint"), || {
        fs::remove_file(filler).unwrap();
    });
}

#[test]
fn a_read_only_volume_for_the_checkpoint_holds_up_no_line() {
    let Some(small) = Volume::small(256 << 10) else { return };
    small.set_read_only(true);
    check_checkpoint_on_bad_volume(&Volume::usual(), &small.path("checkpoint"), || {
        small.set_read_only(false);
    });
}

#[test]
fn a_broken_disk_under_the_checkpoint_holds_up_no_line() {
    let volume = Volume::usual();
    let (address, path) = (free_address(), volume.path("app.log"));
    append(&path, texts(0, 0..100).as_bytes());
    // Nothing is mapped at its own address 0: reads and writes there are errors of input and output.
    let arguments = ["--checkpoint-file", "/proc/self/mem", "--admin-listen", &address];
    let scraper = Scraper::spawn(binary().args(arguments).arg(&path));
    wait_until("the first lines", || scraper.output_len() >= texts(0, 0..100).len());
    append(&path, texts(0, 100..200).as_bytes());
    wait_until("more lines", || scraper.output_len() >= texts(0, 0..200).len());
    wait_until("a failure that is counted", || {
        metric(&address, "log_scraper_checkpoint_failures_total") > 0
    });
    let mut ledger = Ledger::default();
    ledger.life(&scraper.terminate(), false);
    ledger.assert_nothing_lost(0, 200);
}

/// A first life reads a part, then its file is rotated and the checkpoint damaged: everything that
/// was not read comes, and the damage is said once.
fn check_damaged(damage: impl FnOnce(&mut Vec<u8>)) {
    let volume = Volume::usual();
    let (path, checkpoint) = (volume.path("app.log"), volume.path("checkpoint"));
    let (checkpoint_argument, log) = (volume.argument("checkpoint"), volume.argument("app.log"));
    let arguments = ["--checkpoint-file", &checkpoint_argument, log.as_str()];
    append(&path, texts(0, 0..100).as_bytes());
    let mut ledger = Ledger::default();
    let scraper = Scraper::start(&arguments);
    wait_until("the first lines", || scraper.output_len() >= texts(0, 0..100).len());
    ledger.life(&scraper.terminate(), false);
    append(&path, texts(0, 100..200).as_bytes());
    fs::rename(&path, volume.path("app.log.1")).unwrap();
    append(&path, texts(0, 200..300).as_bytes());
    let mut bytes = fs::read(&checkpoint).unwrap();
    damage(&mut bytes);
    fs::write(&checkpoint, bytes).unwrap();
    let scraper = Scraper::start(&arguments);
    let last = texts(0, 299..300);
    wait_until("the last line", || scraper.output().ends_with(last.as_bytes()));
    scraper.wait_for_message("reading from the beginning");
    let said = scraper.messages();
    assert_eq!(said.matches("reading from the beginning").count(), 1, "{said}");
    ledger.life(&scraper.terminate(), false);
    ledger.assert_nothing_lost(0, 300);
}

#[test]
fn a_checkpoint_that_was_cut_short_loses_nothing() {
    check_damaged(|bytes| bytes.truncate(50));
}

#[test]
fn a_checkpoint_with_changed_bytes_loses_nothing() {
    check_damaged(|bytes| {
        let changed = bytes.iter_mut().skip(40).filter(|byte| **byte != 0).step_by(5);
        changed.for_each(|byte| *byte = !*byte);
    });
}

#[test]
fn a_checkpoint_that_became_zeros_loses_nothing() {
    check_damaged(|bytes| bytes.fill(0));
}

#[test]
fn a_checkpoint_of_a_later_version_loses_nothing() {
    check_damaged(|bytes| {
        // Where the parts of it begin, in all versions there were.
        for start in [0, 2 << 20, 64 << 20] {
            bytes.get_mut(start + 8).into_iter().for_each(|version| *version = 99);
        }
    });
}

/// Reads all of stdout while `pieces` are appended, and compares. Memory may not grow with it.
fn check_bytes(volume: &Volume, pieces: impl Iterator<Item = Vec<u8>> + Send + 'static) {
    const GROWTH_KIB: u64 = 1024;
    let path = volume.path("app.log");
    append(&path, b"");
    let mut scraper = Scraper::spawn_unread(binary().arg(&path));
    let mut stdout = scraper.child.stdout.take().unwrap();
    scraper.wait_for_message("following");
    let before_kib = scraper.memory_kib("VmHWM");
    let mut file = File::options().append(true).open(&path).unwrap();
    let writer = std::thread::spawn(move || {
        pieces.map(|piece| file.write_all(&piece).map(|()| piece.len()).unwrap()).sum::<usize>()
    });
    let mut original = File::open(&path).unwrap();
    let (mut seen, mut expected) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let (mut read, mut written) = (0, None);
    let mut writer = Some(writer);
    while written != Some(read) {
        if has_bytes(&stdout) {
            let count = stdout.read(&mut seen).unwrap();
            assert!(count > 0, "it ended near {read}");
            original.read_exact(&mut expected[..count]).unwrap();
            assert!(seen[..count] == expected[..count], "other bytes near {read}");
            read += count;
        }
        if writer.as_ref().is_some_and(std::thread::JoinHandle::is_finished) {
            written = writer.take().map(|writer| writer.join().unwrap());
        }
    }
    let growth_kib = scraper.memory_kib("VmHWM") - before_kib;
    assert!(growth_kib <= GROWTH_KIB, "{growth_kib} KiB more in use");
    drop(scraper.terminate());
}

/// Whether there is something to read, within a short wait.
fn has_bytes(pipe: &ChildStdout) -> bool {
    let mut fds = [PollFd::new(pipe, PollFlags::IN)];
    let wait = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    rustix::event::poll(&mut fds, Some(&wait)).is_ok_and(|ready| ready > 0)
}

fn random(bytes: usize) -> Vec<u8> {
    let mut random = vec![0; bytes];
    File::open("/dev/urandom").unwrap().read_exact(&mut random).unwrap();
    random
}

#[test]
fn any_bytes_and_a_hundred_megabytes_of_noise_come_out_as_they_are() {
    let odd =
        b"\xef\xbb\xbfbyte order mark\r\n\r\n\n\n\0\0\0nul\0 \xff\xfe\x80 not text\n".to_vec();
    let line = vec![b'x'; 10 << 20];
    let end = b"\nthe end\n".to_vec();
    let noise = (0..100).map(|_| random(1 << 20));
    check_bytes(&Volume::memory(), [odd, line].into_iter().chain(noise).chain([end]));
}

#[test]
fn a_gigabyte_without_a_line_end_comes_out_as_it_is() {
    let mut piece = random(1 << 20);
    piece.iter_mut().filter(|byte| matches!(byte, b'\n' | 0)).for_each(|byte| *byte = b'x');
    let pieces = (0..1024_u64).map(move |number| {
        piece[..8].copy_from_slice(format!("{number:08}").as_bytes());
        piece.clone()
    });
    check_bytes(&Volume::memory(), pieces);
}

#[test]
fn a_stdout_that_stalls_costs_no_line_and_no_memory_and_the_lag_is_told() {
    let volume = Volume::usual();
    let path = volume.path("app.log");
    let address = free_address();
    append(&path, texts(0, 0..10_000).as_bytes());
    let arguments = ["--admin-listen", &address, &volume.argument("app.log")];
    let mut scraper = Scraper::spawn_unread(binary().args(arguments));
    wait_until("a full pipe", || {
        let pipe = scraper.child.stdout.as_ref().unwrap();
        rustix::io::ioctl_fionread(pipe).is_ok_and(|count| count >= 60_000)
    });
    // Pages of the program's own file, which the first look at the metrics brings in, are no cost.
    let before_kib = scraper.memory_kib("RssAnon");
    let start = Instant::now();
    let mut written = 10_000;
    while start.elapsed() < Duration::from_secs(3) {
        append(&path, texts(0, written..written + 100).as_bytes());
        written += 100;
        std::thread::sleep(Duration::from_millis(2));
    }
    let all = texts(0, 0..written);
    let pipe = scraper.child.stdout.as_ref().unwrap();
    let lying = rustix::io::ioctl_fionread(pipe).unwrap();
    wait_until("the lag", || {
        let lag = metric(&address, "log_scraper_lag_bytes");
        let rest = all.len() as u64 - lying;
        // What is in its buffer may count as read or not.
        (rest.saturating_sub(256 << 10)..=rest).contains(&lag)
    });
    let growth_kib = scraper.memory_kib("RssAnon").saturating_sub(before_kib);
    assert!(growth_kib <= 512, "{growth_kib} KiB more in use");
    let mut stdout = scraper.child.stdout.take().unwrap();
    let mut output = vec![0; all.len()];
    stdout.read_exact(&mut output).unwrap();
    assert!(output == all.as_bytes());
    scraper.terminate();
}

#[test]
fn the_end_while_lines_come_loses_and_doubles_nothing_over_two_lives() {
    let volume = Volume::usual();
    let path = volume.path("app.log");
    let (checkpoint, log) = (volume.argument("checkpoint"), volume.argument("app.log"));
    let arguments = ["--checkpoint-file", &checkpoint, &log];
    let done = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (path, done) = (path.clone(), Arc::clone(&done));
        move || {
            let mut written = 0;
            while !done.load(Ordering::Relaxed) {
                append(&path, texts(0, written..written + 100).as_bytes());
                written += 100;
                std::thread::sleep(Duration::from_millis(2));
            }
            written
        }
    });
    let mut output = Vec::new();
    for _ in 0..10 {
        let scraper = Scraper::start(&arguments);
        wait_until("lines", || scraper.output_len() > 0);
        let size = fs::metadata(&path).unwrap().len();
        let start = Instant::now();
        output.extend(scraper.terminate());
        assert!(start.elapsed() < Duration::from_secs(15), "it ends though lines come");
        assert!(output.len() as u64 >= size, "what was there at the signal is out");
    }
    done.store(true, Ordering::Relaxed);
    let written = writer.join().unwrap();
    output.extend(Scraper::start(&arguments).terminate());
    let mut ledger = Ledger::default();
    assert_eq!(ledger.life(&output, false), 0);
    ledger.assert_nothing_lost(0, written);
}

/// How long a line may take on a busy machine, if it waits for no poll, which is a minute away.
const SOON: Duration = Duration::from_secs(15);

/// Lines written one after the other, with a rotation among them, come soon, each.
fn check_lines_come_soon(scraper: &Scraper, volume: &Volume, count: u64) {
    let path = volume.path("app.log");
    for number in 0..count {
        if number == count / 2 {
            fs::rename(&path, volume.path("app.log.1")).unwrap();
        }
        append(&path, texts(0, number..number + 1).as_bytes());
        let start = Instant::now();
        wait_until("the line", || scraper.output_len() >= texts(0, 0..number + 1).len());
        assert!(start.elapsed() < SOON, "line {number} took {:?}", start.elapsed());
    }
}

#[test]
fn with_change_events_no_line_waits_for_the_poll() {
    let volume = Volume::usual();
    append(&volume.path("app.log"), b"");
    let scraper = Scraper::start(&["--poll-interval", "60s", &volume.argument("app.log")]);
    scraper.wait_for_message("following");
    check_lines_come_soon(&scraper, &volume, 20);
    Ledger::default().life(&scraper.terminate(), false);
}

/// In a user namespace that has none of this resource, lines come at a pace of its own.
fn without(resource: &str, message: &str) {
    let volume = Volume::usual();
    append(&volume.path("app.log"), b"");
    let forbid = format!("echo 0 > /proc/sys/user/{resource}");
    let namespace = ["-U", "-r", "sh", "-c"];
    let tried = Command::new("unshare").args(namespace).arg(&forbid).output();
    let mut command = Command::new("unshare");
    if !tried.is_ok_and(|output| output.status.success()) {
        let arguments = [&namespace[..], &[&forbid]].concat();
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.as_ref()).collect();
        if !as_root("unshare", &arguments) {
            return cannot("a user namespace");
        }
        command = Command::new("sudo");
        command.args(["-n", "unshare"]);
    }
    let program = env!("CARGO_BIN_EXE_log-scraper");
    let path = volume.argument("app.log");
    let script = format!("{forbid} && exec {program} --poll-interval 60s {path}");
    let scraper = Scraper::spawn(command.args(namespace).arg(script).stdin(Stdio::null()));
    scraper.wait_for_message("following");
    scraper.wait_for_message(message);
    check_lines_come_soon(&scraper, &volume, 6);
    assert_eq!(scraper.messages().matches("WARN").count(), 1, "it is said once");
    if command.get_program() == "sudo" {
        let id = scraper.child.id().to_string();
        assert!(as_root("kill", &["-TERM".as_ref(), id.as_ref()]));
    } else {
        scraper.signal(Signal::TERM);
    }
    let (status, output) = scraper.wait();
    assert_eq!(status.code(), Some(0));
    assert_eq!(String::from_utf8(output).unwrap(), texts(0, 0..6));
}

#[test]
fn without_change_events_it_looks_by_itself_and_says_so() {
    without("max_inotify_instances", "no change events");
}

#[test]
fn without_watches_it_looks_by_itself_and_says_so() {
    without("max_inotify_watches", "cannot be watched");
}

#[test]
fn a_thousand_files_are_followed_over_a_rotation_of_all() {
    const FILES: u32 = 1000;
    let volume = Volume::memory();
    let path = |writer: u32| volume.path(&format!("app{writer:03}.log"));
    let write = |from: u64| {
        (0..FILES)
            .for_each(|writer| append(&path(writer), texts(writer, from..from + 3).as_bytes()));
    };
    write(0);
    let (checkpoint, log) = (volume.argument("checkpoint"), volume.argument("*.log"));
    let scraper = Scraper::start(&["--checkpoint-file", &checkpoint, &log]);
    let bytes = |lines: u64| (0..FILES).map(|writer| texts(writer, 0..lines).len()).sum::<usize>();
    wait_until("the first lines of all", || scraper.output_len() >= bytes(3));
    write(3);
    for writer in 0..FILES {
        fs::rename(path(writer), volume.path(&format!("app{writer:03}.log.1"))).unwrap();
    }
    write(6);
    wait_until("all lines", || scraper.output_len() >= bytes(9));
    let mut ledger = Ledger::default();
    assert_eq!(ledger.life(&scraper.terminate(), false), 0);
    (0..FILES).for_each(|writer| ledger.assert_nothing_lost(writer, 9));
}

/// Points `link` at `target`, with no moment without a link.
fn point(link: &Path, target: &Path) {
    let fresh = link.with_extension("fresh");
    symlink(target, &fresh).unwrap();
    fs::rename(fresh, link).unwrap();
}

#[test]
fn a_link_that_is_switched_gives_the_lines_of_both_targets() {
    let volume = Volume::usual();
    let (a, b, link) = (volume.path("a"), volume.path("b"), volume.path("app.log"));
    append(&a, texts(0, 0..100).as_bytes());
    point(&link, &a);
    let scraper = Scraper::start(&["--poll-interval", "50ms", &volume.argument("app.log")]);
    wait_until("the first target", || scraper.output_len() >= texts(0, 0..100).len());
    append(&a, texts(0, 100..200).as_bytes());
    append(&b, texts(1, 0..100).as_bytes());
    point(&link, &b);
    // Its writer has the old target open and notices later.
    append(&a, texts(0, 200..300).as_bytes());
    let all = texts(0, 0..300).len() + texts(1, 0..100).len();
    wait_until("both targets", || scraper.output_len() >= all);
    append(&b, texts(1, 100..200).as_bytes());
    wait_until("the new target", || scraper.output().ends_with(texts(1, 199..200).as_bytes()));
    let mut ledger = Ledger::default();
    assert_eq!(ledger.life(&scraper.terminate(), false), 0);
    ledger.assert_nothing_lost(0, 300);
    ledger.assert_nothing_lost(1, 200);
}

#[test]
fn a_folder_that_is_replaced_is_followed_on() {
    let volume = Volume::usual();
    let (folder, path) = (volume.path("logs"), volume.path("logs/app.log"));
    fs::create_dir(&folder).unwrap();
    append(&path, texts(0, 0..100).as_bytes());
    let log = volume.argument("logs/app.log");
    let scraper = Scraper::start(&["--poll-interval", "50ms", &log]);
    wait_until("the first folder", || scraper.output_len() >= texts(0, 0..100).len());
    for round in 1..5 {
        fs::rename(&folder, volume.path(&format!("old{round}"))).unwrap();
        fs::create_dir(&folder).unwrap();
        append(&path, texts(0, round * 100..round * 100 + 100).as_bytes());
        let so_far = texts(0, 0..round * 100 + 100);
        wait_until("the next folder", || scraper.output_len() >= so_far.len());
    }
    scraper.signal(Signal::TERM);
    let (status, output) = scraper.wait();
    assert_eq!(status.code(), Some(0));
    assert_eq!(String::from_utf8(output).unwrap(), texts(0, 0..500));
}
