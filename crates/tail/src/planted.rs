//! Bugs that tests plant, to prove that the simulator finds them. Compiled for tests only.

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The position moves before the sink took the bytes.
    CheckpointAhead,
    /// A rotated file that was overlooked is never read.
    ForgetRotated,
    /// Space is freed up to what was not acknowledged.
    FreeAhead,
    /// A file is removed though the checkpoint does not say yet that it is delivered.
    RemoveAhead,
    /// Content before the frontier is not checked.
    SkipGuard,
    /// An acknowledgement counts for the offers before it, too.
    OutOfStep,
    /// What the sink took counts as safe before it was acknowledged.
    TakenIsSafe,
}
