//! What a call sends as a request's body more than once.

/// What was sent of a request's body, in case that it is to be sent once more.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    bytes: Vec<u8>,
    is_incomplete: bool,
    is_own: bool,
    is_ahead: bool,
}

impl Replay {
    /// Nothing is sent yet. `is_wanted` says whether anything is worth keeping.
    pub fn begin(&mut self, is_wanted: bool) {
        self.bytes.clear();
        self.is_incomplete = !is_wanted;
        (self.is_own, self.is_ahead) = (false, false);
    }

    /// The body is read before anything is sent.
    pub fn begin_ahead(&mut self) {
        if !self.is_ahead {
            self.begin(true);
        }
        self.is_ahead = true;
    }

    /// All of the body, read before anything is sent.
    pub fn hold(&mut self, body: Vec<u8>) {
        *self = Replay { bytes: body, is_ahead: true, ..Replay::default() };
    }

    /// All of a body of so many bytes is at hand, and is to be sent once more: it counts as read
    /// before anything was sent. False where it is not.
    pub fn hold_again(&mut self, length: u64) -> bool {
        let is_whole = !self.is_own && !self.is_incomplete && self.bytes.len() as u64 == length;
        self.is_ahead |= is_whole;
        is_whole
    }

    /// Whether the body, or its beginning, was read before anything was sent.
    pub fn is_ahead(&self) -> bool {
        self.is_ahead
    }

    /// nginx: `proxy_set_body`: this is sent in the place of the request's body.
    pub fn begin_own(&mut self, body: Vec<u8>) {
        *self = Replay { bytes: body, is_own: true, ..Replay::default() };
    }

    /// What is sent in the place of the request's body.
    pub fn own(&self) -> Option<&[u8]> {
        self.is_own.then_some(&self.bytes)
    }

    /// Keeps what is sent, up to `bytes_max`.
    pub fn push(&mut self, data: &[u8], bytes_max: usize) {
        if self.is_incomplete || self.is_own || data.is_empty() {
            return;
        }
        debug_assert!(self.is_ahead || self.bytes.len() <= bytes_max, "what is kept has its bound");
        if self.bytes.len() + data.len() > bytes_max {
            self.is_incomplete = true;
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(data);
        }
    }

    /// All that was sent, if it is at hand.
    pub fn whole(&self) -> Option<&[u8]> {
        (!self.is_incomplete).then_some(&self.bytes)
    }

    /// The room that it takes, in bytes.
    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether what passes is to be kept.
    pub fn is_keeping(&self) -> bool {
        !self.is_incomplete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_at_hand_up_to_its_bound() {
        let mut replay = Replay::default();
        replay.begin(true);
        replay.push(b"abc", 5);
        replay.push(b"", 5);
        replay.push(b"de", 5);
        assert_eq!((replay.whole(), replay.is_keeping()), (Some(&b"abcde"[..]), true));
        replay.push(b"f", 5);
        assert_eq!((replay.whole(), replay.is_keeping()), (None, false));
        assert_eq!(replay.bytes.capacity(), 0, "what is of no use takes no room");
        replay.push(b"g", 5);
        assert_eq!(replay.whole(), None);
        replay.begin(true);
        assert_eq!(replay.whole(), Some(&b""[..]));
        replay.begin(false);
        replay.push(b"a", 5);
        assert_eq!(replay.whole(), None);
    }

    #[test]
    fn a_body_of_ones_own_is_never_mixed_with_the_requests() {
        let mut replay = Replay::default();
        replay.begin_own(b"own".to_vec());
        replay.push(b"abc", 5);
        assert_eq!((replay.own(), replay.whole()), (Some(&b"own"[..]), Some(&b"own"[..])));
        replay.begin(true);
        assert_eq!((replay.own(), replay.whole()), (None, Some(&b""[..])));
    }
}
