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
    Methods,
    MaxConns,
    FastCgi,
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
    // Drawn by what the others have come to.
    Proxied,
    Ranges,
}

/// Those of one world.
#[derive(Clone, Default)]
pub struct Features(u128);

impl Features {
    /// From few to about a third of them.
    pub fn draw(rng: &mut Prng) -> Features {
        let one_in = rng.pick(&[3, 5, 8, 16]);
        const APART: [Feature; 3] = [Feature::FastCgi, Feature::Proxied, Feature::Ranges];
        let drawn = ALL.iter().filter(|one| !APART.contains(one) && rng.once_in(one_in));
        let all = drawn.fold(0, |all, one| all | 1_u128 << *one as u128);
        // The others are drawn as they would be without these, which change all of a world.
        let is_drawn = |salt: u64, one_in: u64| {
            Prng::new(all as u64 ^ (all >> 64) as u64 ^ salt).once_in(one_in)
        };
        let bit = |feature, is_on| u128::from(is_on) << feature as u128;
        let is_fastcgi = is_drawn(0, 6);
        let all = all
            | bit(Feature::Proxied, is_drawn(0x50_0000, 8))
            | bit(Feature::Ranges, is_drawn(0x52_0000, 6));
        if !is_fastcgi {
            return Features(all);
        }
        // What HTTP has and FastCGI has not.
        const OF_HTTP: [Feature; 7] = [
            Feature::UntilClose,
            Feature::CloseAfterAnswer,
            Feature::Interim,
            Feature::UnaskedUpgrade,
            Feature::Http10Upstream,
            Feature::HeadWithBody,
            Feature::Tunnel,
        ];
        let of_http = OF_HTTP.iter().fold(0, |all, one| all | 1_u128 << *one as u128);
        Features(all & !of_http | 1 << Feature::FastCgi as u128)
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
    assert_eq!(ALL.len(), Feature::Ranges as usize + 1);
    assert!(ALL.len() <= 128);
}
