//! Filters of content: bytes in, bytes out, in nginx's order.
//!
//! They know nothing of requests and heads, nor of how content is framed. Which of them an answer
//! passes is `response::packing`'s to say.

mod cut;
pub mod gunzip;
pub mod gzip;
pub mod loans;
pub mod recode;
pub mod substitute;

pub use cut::Cut;
use gunzip::Unpacker;
use gzip::Packer;
use recode::Recoder;
use substitute::Substitution;

/// What comes with a piece of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// More follows.
    More,
    /// More follows, but not now: what is there leaves.
    Pause,
    /// Nothing follows.
    End,
}

/// The filters that an answer's content passes.
#[derive(Debug, Default)]
pub struct Chain {
    steps: Vec<Step>,
    buffers: [Vec<u8>; 2],
    /// A filter may hold bytes back.
    is_holding: bool,
}

/// One of them.
#[derive(Debug)]
pub enum Step {
    /// nginx: a part that a client asks for.
    Cut(Cut),
    /// nginx: `gunzip`.
    Unpack(Unpacker),
    /// nginx: `sub_filter`.
    Substitute(Substitution),
    /// nginx: `charset_map`.
    Recode(Recoder),
    /// nginx: `gzip`.
    Pack(Packer),
}

impl Chain {
    /// Adds the next filter.
    pub fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Passes a piece of content on: what leaves the last filter now.
    pub fn pass(&mut self, data: &[u8], mode: Mode) -> &[u8] {
        self.run(data, (mode, mode))
    }

    /// Nothing follows of the content itself, though something does around it: what the filters
    /// hold back that are for the one alone. To be followed by [`Chain::leave_own`].
    pub fn end_own(&mut self) -> &[u8] {
        self.run(b"", (Mode::End, Mode::More))
    }

    /// The filters are left that are for what stands around the content too. nginx: those behind
    /// its postpone filter.
    pub fn leave_own(&mut self) {
        self.steps.retain(|step| matches!(step, Step::Pack(_)));
    }

    /// Passes a piece on that stands around the content.
    pub fn pass_added(&mut self, data: &[u8]) -> &[u8] {
        self.is_holding = true;
        let [packed, _] = &mut self.buffers;
        let packers = self.steps.iter_mut().filter_map(|step| match step {
            Step::Pack(packer) => Some(packer),
            _ => None,
        });
        packed.clear();
        match packers.last() {
            Some(packer) => packer.pass(data, Mode::More, packed),
            None => packed.extend_from_slice(data),
        }
        packed
    }

    /// What leaves now, with the mode for filters of the content alone, and that for packing.
    fn run(&mut self, data: &[u8], (mode, packing): (Mode, Mode)) -> &[u8] {
        self.is_holding = packing == Mode::More;
        let [one, other] = &mut self.buffers;
        let (mut from, mut to) = (one, other);
        from.clear();
        for (index, step) in self.steps.iter_mut().enumerate() {
            to.clear();
            let data = if index == 0 { data } else { from.as_slice() };
            match step {
                Step::Cut(cut) => to.extend_from_slice(cut.pass(data)),
                Step::Unpack(unpacker) => unpacker.pass(data, mode == Mode::End, to),
                Step::Substitute(substitution) => substitution.pass(data, mode, to),
                Step::Recode(recoder) => recoder.pass(data, to),
                Step::Pack(packer) => packer.pass(data, packing, to),
            }
            std::mem::swap(&mut from, &mut to);
        }
        if self.steps.is_empty() {
            from.extend_from_slice(data);
        }
        from
    }

    /// Whether bytes wait for more to come.
    pub fn is_holding(&self) -> bool {
        self.is_holding
    }

    /// Whether the content is not what the answer says: what leaves is not all of it.
    pub fn is_bad(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Unpack(unpacker) if unpacker.is_bad()))
    }

    /// How many bytes were packed, and what they have become; none where nothing is packed, or
    /// before its end.
    pub fn packed(&self) -> Option<(u64, u64)> {
        self.steps.iter().find_map(|step| match step {
            Step::Pack(packer) => packer.totals(),
            Step::Cut(_) | Step::Unpack(_) | Step::Substitute(_) | Step::Recode(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_a_content_passes_by_the_filters_that_are_for_it_alone() {
        let mut chain = Chain::default();
        let pairs = vec![(b"abc".to_vec(), b"x".to_vec())];
        chain.push(Step::Substitute(Substitution::new(pairs, false)));
        assert_eq!(chain.pass_added(b"abc "), b"abc ");
        assert_eq!(chain.pass(b"abc ab", Mode::More), b"x ");
        assert_eq!(chain.end_own(), b"ab");
        chain.leave_own();
        assert_eq!(chain.pass_added(b"abc"), b"abc");
        assert!(chain.is_holding());
        assert_eq!(chain.pass(b"", Mode::End), b"");
        assert!(!chain.is_holding());
    }
}
