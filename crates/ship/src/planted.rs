//! Bugs that tests plant, to prove that the simulator finds them. Compiled for tests only.

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A batch counts as acknowledged when it is sent.
    AcknowledgedWhenSent,
    /// Every success is an acknowledgement, whoever says it.
    AnySuccessIsTaken,
    /// An item that is to be sent again counts as refused.
    BusyIsRefused,
    /// Of a batch that is split only the first half is sent.
    LostHalf,
    /// Two records that are refused together are left out together.
    PoisonTakesNeighbour,
}
