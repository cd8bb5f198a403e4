//! Planted faults: they prove that the simulator sees what it is there for.
//!
//! Without the feature `canaries`, which only tests have, nothing can be planted and nothing of
//! this is left in the program.

macro_rules! canaries {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A fault that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Canary {
            $($(#[$doc])* $name,)*
        }

        /// All of them.
        pub const ALL: &[Canary] = &[$(Canary::$name,)*];
    };
}

canaries! {
    /// A new request gets the configuration that its connection began with.
    OldGeneration,
    /// Idle upstream connections outlive their configuration.
    PoolOutlivesReload,
    /// A socket's number is given to another one.
    ListenerNumberReused,
    /// A server's reset counts as the end of its answer.
    ResetEndsAnswer,
    /// The server's time runs while the client owes a part of its body.
    ServerTimedForClient,
    /// A tunnel is over when one side has ended.
    TunnelEndsWithOneSide,
    /// A request that met a dead connection is not sent again.
    DeadLinkIsFinal,
    /// A request that cannot be repeated is sent again.
    PostSentAgain,
    /// Of a body that is sent again a part is left out.
    ReplayCut,
    /// The end of an application's connection counts as the end of its answer in any case.
    ApplicationCutIsWhole,
    /// A connection is kept with bytes on it that nobody asked for.
    LinkKeptWithBytes,
    /// A connection is kept after an answer to HEAD.
    LinkKeptAfterHead,
    /// A client that was told `keep-alive` is cut off because the proxy has begun to drain.
    PromiseBroken,
    /// An exchange is told twice in the log.
    LoggedTwice,
    /// What a client sent behind its request is forgotten.
    PipelineForgotten,
    /// The deadline of an exchange is not watched.
    DeadlineForgotten,
    /// A failed exchange has no line in the log.
    FailureUnlogged,
    /// A connection is closed at once, though the client may still be sending.
    NoLinger,
    /// A want of descriptors counts against the server.
    ShortageBlamesServer,
    /// An idle connection whose server has ended it stays among the good ones.
    EndedLinkKept,
    /// What a peer does not take at once is lost.
    BacklogLost,
    /// A file that is cut while it is sent counts as sent.
    CutFileIsWhole,
    /// What was sent of a file is sent again.
    FileSentTwice,
    /// Whoever is asked whether a request is let in is not listened to.
    RefusalLetsIn,
    /// What a request holds of a zone is not given back.
    HoldForgotten,
    /// A request goes on counting at its server after its connection is kept.
    LoadForgotten,
    /// A server gets more requests than it may have.
    OverMaxConns,
    /// A request that is to wait for its turn goes on at once.
    NoPause,
    /// An answer goes out as fast as it is taken.
    NoPace,
    /// A compressor goes on where the answer before has ended.
    PackerNotReset,
    /// What a filter of content holds back does not leave with its end.
    EndNotPassed,
    /// A request goes to nobody but its own place.
    MirrorForgotten,
    /// The length of content is told though a filter changes it.
    LengthKept,
    /// A client that leaves out who it is is served all the same.
    PrefaceSkipped,
    /// Parts of a file stand behind each other's heads.
    PartsSwapped,
}

#[cfg(feature = "canaries")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Canary>> = const { std::cell::Cell::new(None) };
}

/// Plants a fault for this thread, or none.
#[cfg(feature = "canaries")]
pub fn plant(canary: Option<Canary>) {
    PLANTED.set(canary);
}

/// Whether this fault is planted.
#[inline(always)]
pub(crate) fn is_planted(canary: Canary) -> bool {
    #[cfg(feature = "canaries")]
    return PLANTED.get() == Some(canary);
    #[cfg(not(feature = "canaries"))]
    {
        let _ = canary;
        false
    }
}
