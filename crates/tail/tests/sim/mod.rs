//! The seeded simulator: the engine on a model disk, with others at work and death at any call.
//!
//! Replay one seed with `SIM_SEED=n`, run more with `SIM_SEEDS=n`. A failure names its seed.
//!
//! Longer runs, `SIM_SEEDS=100000`, are for a machine that has nothing else to do; `SIM_FIRST=n`
//! begins with another seed than 0.
//!
//! Oracle: every line of every writer is written out whole; within one life of the process each
//! writer's lines come in order, none twice; what a life writes again, the one before wrote after
//! its last checkpoint, and no more than was promised; the end comes when all is acknowledged; no
//! frontier is behind the end of its file.

mod actors;
mod disk;
mod gzip;
mod prng;
mod reclaim;
mod store;
mod world;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

use crate::engine::{Engine, FILES_MAX, Options, Outcome, ROTATED};
use crate::format::{Format, JsonLines};
use crate::multiline::Multiline;
use crate::pattern::is_pattern;
use crate::planted::Bug;
use crate::position::GUARD_BYTES_MAX;
use actors::Odd;
use disk::Disk;
use prng::Prng;
use reclaim::Given;
use store::{Output, lines_of_records};
use world::{Copying, Hands, Style, World, Writer, files_of, line, trace};

/// Turns of one life, or of the way to the end, after which something must be stuck.
const TURNS_MAX: u64 = 20_000;

/// Bytes of one turn.
const BUDGET_BYTES_MAX: u64 = 5000;

/// How long a writer goes on writing to a file that was rotated away. Beyond the time such a file
/// is kept open its lines still come, but not in order.
const LATE_MS: u64 = 5000;

struct Run {
    world: Rc<RefCell<World>>,
    options: Options,
    read_bytes: usize,
    /// How much may be out beyond the last checkpoint.
    promised_bytes: Option<usize>,
    planted: Option<Bug>,
    now_ms: u64,
    /// Lines nobody can have any more.
    forgiven: BTreeSet<(usize, u64)>,
    /// A checkpoint was damaged: what was known of old files is known no longer.
    checkpoint_lost: bool,
    /// Bytes the present life may write again.
    again_max: usize,
    line_bytes_max: u64,
}

fn simulate(seed: u64, planted: Option<Bug>) -> Result<(), String> {
    let mut rng = Prng::new(seed);
    let mut run = set_up(&mut rng, planted);
    run.tell(|run| run.all_lives(&mut rng))
}

fn set_up(rng: &mut Prng, planted: Option<Bug>) -> Run {
    let line_bytes_max = if rng.once_in(4) { 2000 } else { 100 };
    let writers = writers(rng);
    let mut disk = Disk::new(!rng.once_in(4));
    for writer in &writers {
        if rng.once_in(5) {
            let target = PathBuf::from(format!("/target/w{}.log", writer.number));
            disk.links.insert(writer.path.clone(), target);
        }
    }
    let odd = odd(rng, &writers, disk.has_births);
    let open_max = if rng.once_in(5) { rng.between(8, 10) as usize } else { usize::MAX - 8 };
    let options = options(rng, &writers, open_max);
    // A file found late comes between the parts of a record, which are told by their path alone.
    let odd = Odd { denied: odd.denied && options.format.is_raw(), ..odd };
    let read_bytes = rng.between(40, 600) as usize;
    let late_max = rng.once_in(3).then(|| rng.between(1, 8) as usize);
    let one_line = line_bytes_max as usize + 20;
    // A read is not cut short, and a restart begins at the start of a line.
    let slack = 2 * (GUARD_BYTES_MAX + read_bytes) + writers.len() * one_line;
    let promised_bytes =
        options.format.is_raw().then_some(options.checkpoint_bytes as usize + slack);
    let seed = rng.next();
    let odd = Odd { early_time: Prng::new(!seed).once_in(3), ..odd };
    let world = World {
        rng: Prng::new(seed),
        disk,
        writers,
        output: Output::new(late_max, promised_bytes),
        checkpoints: 0,
        looked_around: false,
        dead: false,
        calls_left: None,
        faults: !rng.once_in(3),
        busy: true,
        acts_left: 0,
        line_bytes_max,
        read_to: Vec::new(),
        delivered: BTreeSet::new(),
        odd,
        away: Vec::new(),
        exchanged: false,
        touched: Vec::new(),
        open_max: open_max + 6,
        calm: 0,
        given: Given::default(),
        packing: None,
        packed: BTreeMap::new(),
    };
    Run {
        world: Rc::new(RefCell::new(world)),
        options,
        read_bytes,
        promised_bytes,
        planted,
        now_ms: 0,
        forgiven: BTreeSet::new(),
        checkpoint_lost: false,
        again_max: 0,
        line_bytes_max,
    }
}

fn writers(rng: &mut Prng) -> Vec<Writer> {
    let count = if rng.once_in(3) { rng.between(2, 3) } else { 1 } as usize;
    use Style::{Copy, Date, Delete, Rename, Replace};
    let styles = [Rename, Rename, Delete, Copy, Copy, Date, Date, Replace];
    let writers = (0..count).map(|number| Writer {
        number,
        path: PathBuf::from(format!("/log/w{number}.log")),
        style: styles[rng.below(8) as usize],
        appends: !rng.once_in(4),
        file: None,
        offset: 0,
        lines: 0,
        rest: Vec::new(),
        rotations: 0,
        copying: Copying::No,
        ahead: 0,
        writing: false,
    });
    let mut writers: Vec<_> = writers.collect();
    for writer in writers.iter_mut().filter(|one| !one.appends && one.style != Replace) {
        writer.ahead = if rng.once_in(2) { rng.between(20, 400) as usize } else { 0 };
    }
    writers
}

fn odd(rng: &mut Prng, writers: &[Writer], has_births: bool) -> Odd {
    let odd = Odd {
        away: rng.once_in(3),
        clock: rng.once_in(3),
        denied: rng.once_in(4),
        early_time: false,
        exchange: rng.once_in(3),
        names: rng.once_in(3),
        packs: rng.once_in(3),
    };
    // What nobody may read is known by nothing once it is compressed.
    let odd = Odd { denied: odd.denied && !odd.packs, ..odd };
    // What is taken away or locked away while it is copied and cut may be had by nobody. Without
    // times of birth a number says too little of a file that comes back.
    match writers.iter().any(|writer| writer.style == Style::Copy) {
        true => Odd { away: false, denied: false, names: false, ..odd },
        false => Odd { away: odd.away && has_births, ..odd },
    }
}

fn options(rng: &mut Prng, writers: &[Writer], open_max: usize) -> Options {
    let paths = match rng.once_in(4) {
        true => vec![PathBuf::from("/log/*.log")],
        false => writers.iter().map(|writer| writer.path.clone()).collect(),
    };
    let json = rng.once_in(4);
    Options {
        paths,
        exclude: Vec::new(),
        from_end: false,
        ignore_older_ms: None,
        rotated: ROTATED.map(str::to_owned).to_vec(),
        files_max: FILES_MAX,
        open_files_max: open_max,
        checkpoint: true,
        checkpoint_interval_ms: rng.between(1, 1000),
        checkpoint_bytes: rng.between(100, 5000),
        // Writers finish their lines; a line that was torn by impatience is no fault, but in JSON
        // it is marked and can be put together again.
        partial_line_ms: if json { rng.below(100) } else { 1 << 40 },
        format: if json { json_format(rng) } else { Format::Raw },
        poll_ms: 1000,
        exit_on_eof: false,
        reclaim: crate::reclaim::Reclaim::default(),
    }
}

fn json_format(rng: &mut Prng) -> Format {
    let multiline = if rng.once_in(2) { Multiline::Off } else { Multiline::Indent };
    Format::Json { json_lines: JsonLines::Text, multiline }
}

impl Run {
    /// Adds to a failure what kind of a world it was in.
    fn tell(&mut self, judge: impl FnOnce(&mut Run) -> Result<(), String>) -> Result<(), String> {
        judge(self).map_err(|failure| {
            let world = self.world.borrow();
            let styles = world.writers.iter().map(|writer| (writer.style, writer.appends));
            let styles: Vec<_> = styles.collect();
            let json = !self.options.format.is_raw();
            let (late, births) = (world.output.late_max, world.disk.has_births);
            let odd = world.odd;
            format!("{failure}; births {births}, json {json}, late {late:?}, {styles:?} {odd:?}")
        })
    }

    fn engine(&self) -> Engine {
        let mut engine = Engine::with_read_bytes(self.options.clone(), self.read_bytes);
        engine.planted = self.planted;
        engine
    }

    fn all_lives(&mut self, rng: &mut Prng) -> Result<(), String> {
        for _ in 0..rng.between(1, 5) {
            self.live(rng)?;
            self.between_lives(rng)?;
        }
        self.last_life(rng)
    }

    /// One life that ends with death at some call.
    fn live(&mut self, rng: &mut Prng) -> Result<(), String> {
        let mut engine = self.engine();
        {
            let mut world = self.world.borrow_mut();
            world.dead = false;
            let calls_max = if rng.once_in(4) { 60 } else { 1500 };
            world.calls_left = Some(rng.below(calls_max));
        }
        for _ in 0..TURNS_MAX {
            self.turn(&mut engine, rng)?;
            if self.world.borrow().dead {
                return Ok(());
            }
            for _ in 0..rng.below(4) {
                self.world.borrow_mut().act();
            }
        }
        Err("a life without end".to_owned())
    }

    fn turn(&mut self, engine: &mut Engine, rng: &mut Prng) -> Result<Outcome, String> {
        self.hint(engine, rng);
        let mut hands = Hands(Rc::clone(&self.world));
        let mut sink = Hands(Rc::clone(&self.world));
        self.world.borrow_mut().acts_left = 10;
        let budget = rng.between(1, BUDGET_BYTES_MAX) as usize;
        let wake = engine.turn(&mut hands, &mut sink, self.now_ms, budget);
        let notices = engine.take_notices();
        trace(|| format!("turn at {}: {wake:?} {notices:?}", self.now_ms));
        engine.streams.iter().for_each(|stream| trace(|| files_of(stream)));
        self.check_frontiers(engine)?;
        if let Some(breach) = self.world.borrow_mut().output.breach.take() {
            return Err(breach);
        }
        self.note_read(engine);
        self.note_exchange(engine);
        self.world.borrow_mut().finish_writes();
        let next_ms = match rng.below(8) {
            0 => self.now_ms + rng.below(15_000),
            1..3 => self.now_ms + rng.below(5),
            _ => wake.at_ms.max(self.now_ms) + rng.below(2),
        };
        if next_ms / LATE_MS > self.now_ms / LATE_MS {
            // Every writer has noticed by now that its file was rotated away.
            let mut world = self.world.borrow_mut();
            (0..world.writers.len()).for_each(|at| world.reopen(at));
        }
        self.now_ms = next_ms;
        Ok(wake.outcome)
    }

    /// Whether what is at each path is what the engine has there.
    fn note_exchange(&self, engine: &Engine) {
        let mut world = self.world.borrow_mut();
        let there = |path| world.disk.lookup(path).map(|file| world.disk.probe(file).id);
        let is_seen = engine.streams.iter().all(|stream| stream.live == there(&stream.path));
        world.exchanged &= !is_seen;
    }

    /// Tells of what was touched, of everything, or of nothing.
    fn hint(&self, engine: &mut Engine, rng: &mut Prng) {
        let touched = std::mem::take(&mut self.world.borrow_mut().touched);
        match rng.below(4) {
            0 => {}
            1 => engine.hint_names(),
            2 => engine.hint_all(),
            _ => touched.iter().for_each(|path| {
                engine.hint_name(path);
                engine.hint_data(path);
            }),
        }
    }

    fn note_read(&self, engine: &Engine) {
        let mut world = self.world.borrow_mut();
        world.read_to.clear();
        if world.dead {
            return;
        }
        world.looked_around |= engine.started && engine.streams.iter().all(|one| !one.first);
        let generations = engine.streams.iter().flat_map(|stream| &stream.generations);
        for one in generations.filter(|one| one.suspect_since_ms.is_none()) {
            let file = world.disk.open[&one.file.packed().0];
            world.read_to.push((file, one.written.frontier));
        }
    }

    fn check_frontiers(&self, engine: &Engine) -> Result<(), String> {
        let world = self.world.borrow();
        if world.dead {
            return Ok(());
        }
        for one in engine.streams.iter().flat_map(|stream| &stream.generations) {
            let file = world.disk.open[&one.file.packed().0];
            let packed = world.packed.get(&file).map(|(len, _)| *len);
            let size = packed.unwrap_or(world.disk.inodes[file].data.len() as u64);
            let may_be_cut = world.writers.iter().any(|writer| writer.style == Style::Copy);
            let may_be_other = !world.disk.has_births;
            if one.written.frontier > size && !may_be_cut && !may_be_other {
                return Err(format!("frontier {} behind size {size}", one.written.frontier));
            }
        }
        Ok(())
    }

    /// The process is gone: what it wrote is judged, its files are closed, others go on.
    fn between_lives(&mut self, rng: &mut Prng) -> Result<(), String> {
        let shared = Rc::clone(&self.world);
        let mut world = shared.borrow_mut();
        let mut lost = world.unreachable_files();
        // What was compressed is there still.
        lost.retain(|file| world.packed.values().all(|(_, from)| from != file));
        for file in lost {
            let data = world.disk.inodes[file].data.clone();
            self.forgiven.extend(lines_of(&data).filter_map(numbers));
            // The writer that still has it open goes on to a file that can be found again.
            for at in 0..world.writers.len() {
                if world.writers[at].file == Some(file) {
                    let writer = &world.writers[at];
                    let begun = (!writer.rest.is_empty()).then(|| (at, writer.lines - 1));
                    self.forgiven.extend(begun);
                    world.reopen(at);
                }
            }
        }
        let open: Vec<_> = world.disk.open.keys().copied().collect();
        for handle in open {
            world.disk.close(handle);
        }
        let output = world.output.arrived(rng);
        let beyond_checkpoint = world.output.beyond_checkpoint();
        world.output = Output::new(world.output.late_max, self.promised_bytes);
        world.given.looked_to = 0;
        drop(world);
        let again = self.judge_life(&output, true)?;
        let mut world = shared.borrow_mut();
        // A restart begins at the start of a line: of each file one line may be written again.
        let one_line = self.line_bytes_max as usize + 20;
        self.again_max = self.again_max.saturating_sub(again) + beyond_checkpoint;
        self.again_max = self.again_max.saturating_add(world.writers.len() * one_line);
        if !self.options.format.is_raw() {
            // A batch of records counts when its last part is acknowledged.
            let batch = BUDGET_BYTES_MAX as usize + GUARD_BYTES_MAX + self.read_bytes;
            self.again_max = self.again_max.saturating_add(batch);
        }
        let damaged = rng.below(16);
        if damaged < 2 {
            // A machine that went down with it: the last log, or both, are not what was written.
            let newest = world.disk.last_slot;
            for slot in if damaged == 0 { 0..2 } else { newest..newest + 1 } {
                let len = world.disk.slots[slot].len().max(1) as u64;
                let at = rng.below(len) as usize;
                if let Some(byte) = world.disk.slots[slot].get_mut(at) {
                    *byte ^= 0x55;
                }
            }
            self.again_max = usize::MAX / 2;
            self.checkpoint_lost = true;
        }
        for _ in 0..rng.below(30) {
            world.act();
        }
        drop(world);
        self.now_ms += rng.below(100_000);
        Ok(())
    }

    fn last_life(&mut self, rng: &mut Prng) -> Result<(), String> {
        let mut engine = self.engine();
        {
            let mut world = self.world.borrow_mut();
            world.dead = false;
            world.calls_left = None;
        }
        let mut busy_turns = rng.below(300);
        for turn in 0..TURNS_MAX {
            let outcome = self.turn(&mut engine, rng)?;
            if outcome != Outcome::Following {
                return match outcome {
                    Outcome::Finished { incomplete: false } => self.judge(),
                    other => Err(format!("ended with {other:?}")),
                };
            }
            if busy_turns > 0 {
                busy_turns -= 1;
                (0..rng.below(4)).for_each(|_| self.world.borrow_mut().act());
            } else if self.world.borrow().busy {
                let mut world = self.world.borrow_mut();
                world.busy = false;
                world.faults = false;
                world.tidy_up();
                engine.hint_all();
            } else if turn > 200 && rng.once_in(20) {
                self.check_space(&engine)?;
                engine.end(u64::MAX);
            }
        }
        Err("it never ends".to_owned())
    }

    /// Whether a writer's lines come in order. Without times of birth the order of several unknown
    /// files is a guess, and files that are followed on their own have none.
    fn ordered(&self) -> bool {
        let world = self.world.borrow();
        let by_pattern = self.options.paths.iter().any(|path| is_pattern(path));
        let dated = world.writers.iter().any(|writer| writer.style == Style::Date);
        let copied = world.writers.iter().any(|writer| writer.style == Style::Copy);
        let by_time = self.checkpoint_lost || dated || world.odd.packs;
        let lost = copied || world.odd.clock && by_time;
        // A file that changes its path goes on among the files of another one.
        let late = world.odd.away || world.odd.denied || world.odd.exchange;
        let own = by_pattern && dated;
        !(own || late || lost) && world.disk.has_births
    }

    /// Judges one life's output, and returns how much of it was written before. The last line of a life that died may be cut anywhere.
    fn judge_life(&mut self, output: &[u8], died: bool) -> Result<usize, String> {
        let late = self.world.borrow().output.late_max.is_some();
        let json = !self.options.format.is_raw();
        let output = if json { &lines_of_records(output, died) } else { output };
        let mut last: BTreeMap<(usize, Option<usize>), u64> = BTreeMap::new();
        let packed = self.world.borrow().packed_lines();
        let mut again = 0;
        let mut seen = Vec::new();
        let mut once = BTreeSet::new();
        for one in lines_of(output) {
            let whole = one.ends_with(b"\n");
            if !whole && died {
                break;
            }
            if late && one.contains(&0) {
                // A part of it had not arrived.
                continue;
            }
            let Some((writer, number)) = numbers(one) else {
                return Err(format!("torn line {:?}", String::from_utf8_lossy(one)));
            };
            let expected = line(writer, number, self.line_bytes_max);
            let births = self.world.borrow().disk.has_births;
            let is_cut = one != expected && expected.starts_with(&one[..one.len() - 1]);
            if is_cut && !births && self.checkpoint_lost {
                // Read once more from a file that was about to be cut, which nothing could tell.
                continue;
            }
            if one != expected {
                return Err(format!("changed line {:?}", String::from_utf8_lossy(one)));
            }
            let among = (writer, packed.get(&(writer, number)).copied());
            let in_order = last.insert(among, number).is_none_or(|before| before < number);
            if !in_order && self.ordered() {
                return Err(format!("writer {writer}: line {number} out of order"));
            }
            if !once.insert((writer, number)) && births {
                return Err(format!("writer {writer}: line {number} doubled"));
            }
            if self.world.borrow().delivered.contains(&(writer, number)) {
                again += one.len();
            }
            seen.push((writer, number));
        }
        if again > self.again_max && self.world.borrow().disk.has_births {
            return Err(format!("{again} bytes written again, allowed {}", self.again_max));
        }
        self.world.borrow_mut().delivered.extend(seen);
        Ok(again)
    }

    /// Judges the last life, and all of them together.
    fn judge(&mut self) -> Result<(), String> {
        if self.world.borrow().output.under_way() > 0 {
            return Err("ended before everything was acknowledged".to_owned());
        }
        let output = self.world.borrow_mut().output.arrived(&mut Prng::new(0));
        self.judge_life(&output, false)?;
        let world = self.world.borrow();
        for writer in &world.writers {
            for number in 0..writer.lines {
                let one = (writer.number, number);
                if !world.delivered.contains(&one) && !self.forgiven.contains(&one) {
                    let begin = format!("w{} {number:06} ", writer.number);
                    return Err(format!(
                        "writer {} ({:?}): line {number} of {} lost, it was in {:?}",
                        writer.number,
                        writer.style,
                        writer.lines,
                        world.disk.files_with(begin.as_bytes()),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Lines with their ends, and what follows the last one.
fn lines_of(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

/// Writer and number of a whole line.
fn numbers(line: &[u8]) -> Option<(usize, u64)> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let mut words = text.strip_prefix('w')?.split(' ');
    let writer = words.next()?.parse().ok()?;
    let number = words.next().filter(|word| word.len() == 6)?.parse().ok()?;
    words.next()?;
    Some((writer, number))
}

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_line_is_lost_whatever_happens() {
    let seeds = match env("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = env("SIM_FIRST").unwrap_or(0);
            first..first + env("SIM_SEEDS").unwrap_or(1024)
        }
    };
    let failures = seeds.filter_map(|seed| {
        let failure = simulate(seed, None).err()?;
        Some(format!("SIM_SEED={seed}: {failure}"))
    });
    let failures: Vec<_> = failures.take(10).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn finds(bug: Bug) {
    let found = (0..2000).find(|seed| simulate(*seed, Some(bug)).is_err());
    assert!(found.is_some(), "{bug:?} was not found within 2000 seeds");
    println!("{bug:?} found by seed {}", found.unwrap_or_default());
}

#[test]
fn a_position_that_moves_before_the_bytes_are_out_is_found() {
    finds(Bug::CheckpointAhead);
}

#[test]
fn a_position_that_moves_before_the_acknowledgement_is_found() {
    finds(Bug::TakenIsSafe);
}

#[test]
fn an_acknowledgement_that_counts_for_earlier_offers_is_found() {
    finds(Bug::OutOfStep);
}

#[test]
fn a_forgotten_rotated_file_is_found() {
    finds(Bug::ForgetRotated);
}

#[test]
fn a_guard_that_is_not_checked_is_found() {
    finds(Bug::SkipGuard);
}
