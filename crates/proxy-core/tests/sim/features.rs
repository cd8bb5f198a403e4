//! What a world may be drawn with. Each seed switches a few of them on, so that every one is met
//! alone, with others, and in worlds where nothing else is wrong and the checks are strict.

use crate::prng::Prng;

macro_rules! features {
    ($($name:ident,)*) => {
        /// One kind of trouble or of variety.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Feature {
            $($name,)*
        }

        const ALL: &[Feature] = &[$(Feature::$name,)*];
    };
}

features! {
    // Clients.
    Pipeline,
    SmallWrites,
    Dawdle,
    StallReading,
    HalfClose,
    ClientReset,
    Leave,
    TrailingBytes,
    BadRequests,
    LargeBodies,
    TooLargeBodies,
    Expect,
    Tunnel,
    Head,
    Http10Client,
    OtherMethods,
    Deaf,
    TakesGzip,
    // Upstream servers.
    EarlyAnswer,
    SlowAnswer,
    Interim,
    UntilClose,
    CloseMidway,
    ResetMidway,
    CloseBefore,
    ResetBefore,
    DieIdle,
    ExtraBytes,
    Malformed,
    Hang,
    Refuse,
    ConnectHangs,
    BadStatus,
    UnaskedUpgrade,
    HeadWithBody,
    AccelRedirect,
    NotReading,
    OwnShortage,
    CloseAfterAnswer,
    // The configuration.
    Http10Upstream,
    SeveralServers,
    NextUpstream,
    MaxFails,
    ShortTimes,
    ShortKeepalive,
    FewRequests,
    NoLingering,
    IgnoreAbort,
    FewConnections,
    SmallHeadBudget,
    SmallReplay,
    Paths,
    // Files.
    CutFiles,
    UnreadableFiles,
    // The world.
    Reloads,
    Drain,
    EarlyFinish,
    Silence,
    TwoWorkers,
    SmallPipes,
    FewEvents,
    Spurious,
    Late,
    Discards,
    WatchFaults,
}

/// Those of one world.
#[derive(Clone, Default)]
pub struct Features(u128);

impl Features {
    /// From few to about a third of them.
    pub fn draw(rng: &mut Prng) -> Features {
        let one_in = rng.pick(&[3, 5, 8, 16]);
        let bits = ALL.iter().filter(|_| rng.once_in(one_in)).map(|one| 1_u128 << *one as u128);
        Features(bits.fold(0, |all, bit| all | bit))
    }

    pub fn has(&self, feature: Feature) -> bool {
        self.0 & (1 << feature as u128) != 0
    }

    /// Whether there is one of these.
    pub fn any(&self, features: &[Feature]) -> bool {
        features.iter().any(|one| self.has(*one))
    }
}

impl std::fmt::Debug for Features {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(ALL.iter().filter(|one| self.has(**one))).finish()
    }
}

#[test]
fn the_list_has_every_feature_in_its_place() {
    assert!(ALL.iter().enumerate().all(|(index, one)| *one as usize == index));
    assert_eq!(ALL.len(), Feature::WatchFaults as usize + 1);
    assert!(ALL.len() <= 128);
}
