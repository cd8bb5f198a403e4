//! A thread that writes to a stdout which makes its writer wait.
//!
//! Owns one piece at a time: it is taken, written, and only then acknowledged. The caller never
//! waits longer than [`PATIENCE`]; when the process ends, a write that waits ends with it.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::{Errno, retry_on_intr};
use sys::wake::Waker;

/// Most that is handed over at once, and so what may come out twice if the process ends while
/// it is being written.
const PIECE_BYTES_MAX: usize = 16 << 10;
/// How long an answer is waited for on the spot; one that comes later wakes the main loop.
const PATIENCE: Duration = Duration::from_millis(2);

/// The caller's side.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    done: Waker,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    piece: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    /// The piece is to be written, or is being written.
    Asked,
    /// This became of it.
    Done(Result<usize, Errno>),
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Starts the thread, which lives as long as the process.
    ///
    /// # Errors
    /// When the system has no thread or descriptor left.
    pub(crate) fn start() -> io::Result<Writer> {
        Writer::with(|piece| retry_on_intr(|| rustix::io::write(sys::stdout::fd(), piece)))
    }

    fn with(write: impl Fn(&[u8]) -> Result<usize, Errno> + Send + 'static) -> io::Result<Writer> {
        let state = State { phase: Phase::Idle, piece: Vec::new() };
        let state = Mutex::new(state);
        let shared = Arc::new(Shared { state, changed: Condvar::new(), done: Waker::new()? });
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("stdout".to_owned())
            .spawn(move || serve(&theirs, write))?;
        Ok(Writer { shared })
    }

    /// Readable once the piece that was handed over is written.
    pub(crate) fn done(&self) -> BorrowedFd<'_> {
        self.shared.done.fd()
    }

    /// Hands over a first part of `bytes`, and says how much of it was written if that is known
    /// soon. After [`Errno::AGAIN`] the call is to be repeated with the same bytes.
    ///
    /// # Errors
    /// What became of the write, or [`Errno::AGAIN`] as long as nothing did.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        let mut state = self.shared.lock();
        if let Phase::Done(outcome) = state.phase {
            state.phase = Phase::Idle;
            self.shared.done.clear();
            // Of other bytes the caller has lost interest; they are out all the same.
            if bytes.starts_with(&state.piece) {
                return outcome;
            }
        }
        if state.phase == Phase::Idle {
            state.piece.clear();
            state.piece.extend_from_slice(&bytes[..bytes.len().min(PIECE_BYTES_MAX)]);
            state.phase = Phase::Asked;
            self.shared.changed.notify_all();
            let waiting = |state: &mut State| state.phase == Phase::Asked;
            let waited = self.shared.changed.wait_timeout_while(state, PATIENCE, waiting);
            state = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
        let Phase::Done(outcome) = state.phase else { return Err(Errno::AGAIN) };
        state.phase = Phase::Idle;
        self.shared.done.clear();
        outcome
    }
}

fn serve(shared: &Shared, write: impl Fn(&[u8]) -> Result<usize, Errno>) {
    let mut state = shared.lock();
    loop {
        if state.phase != Phase::Asked {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let piece = std::mem::take(&mut state.piece);
        drop(state);
        let outcome = write(&piece);
        state = shared.lock();
        state.piece = piece;
        state.phase = Phase::Done(outcome);
        shared.done.wake();
        shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Instant;

    /// A writer whose every write waits for what it is to come to.
    fn writer() -> (Writer, mpsc::Sender<Result<usize, Errno>>, mpsc::Receiver<Vec<u8>>) {
        let (answer, answers) = mpsc::channel();
        let (ask, asked) = mpsc::channel();
        let writer = Writer::with(move |piece| {
            ask.send(piece.to_vec()).unwrap();
            answers.recv().unwrap_or(Err(Errno::IO))
        });
        (writer.unwrap(), answer, asked)
    }

    fn wait_for_answer(writer: &Writer, bytes: &[u8]) -> Result<usize, Errno> {
        let start = Instant::now();
        loop {
            match writer.write(bytes) {
                Err(Errno::AGAIN) if start.elapsed() < Duration::from_secs(10) => {}
                outcome => return outcome,
            }
        }
    }

    #[test]
    fn what_is_written_at_once_is_acknowledged_at_once() {
        let (writer, answer, asked) = writer();
        answer.send(Ok(3)).unwrap();
        assert_eq!(wait_for_answer(&writer, b"abc"), Ok(3));
        assert_eq!(asked.try_iter().collect::<Vec<_>>(), [b"abc"]);
    }

    #[test]
    fn a_write_that_waits_makes_nobody_else_wait_and_is_not_acknowledged() {
        let (writer, answer, asked) = writer();
        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(writer.write(b"abc"), Err(Errno::AGAIN));
        }
        assert!(start.elapsed() < Duration::from_secs(1));
        answer.send(Ok(2)).unwrap();
        assert_eq!(wait_for_answer(&writer, b"abc"), Ok(2));
        assert_eq!(asked.try_iter().count(), 1, "and it was handed over once");
    }

    #[test]
    fn errors_come_back_and_large_pieces_are_cut() {
        let (writer, answer, asked) = writer();
        answer.send(Err(Errno::PIPE)).unwrap();
        assert_eq!(wait_for_answer(&writer, &[b'x'; PIECE_BYTES_MAX + 1]), Err(Errno::PIPE));
        assert_eq!(asked.recv().unwrap().len(), PIECE_BYTES_MAX);
    }

    #[test]
    fn the_answer_for_other_bytes_is_not_taken_for_theirs() {
        let (writer, answer, asked) = writer();
        assert_eq!(writer.write(b"abc"), Err(Errno::AGAIN));
        answer.send(Ok(3)).unwrap();
        answer.send(Ok(1)).unwrap();
        assert_eq!(wait_for_answer(&writer, b"xyz"), Ok(1));
        assert_eq!(asked.try_iter().collect::<Vec<_>>(), [b"abc", b"xyz"]);
    }
}
