//! How many of what takes memory a worker uses at a time: compressors, unpackers.
//!
//! Owns the count, and that it is told once where one more was wanted. What is lent is another's.

use std::cell::Cell;
use std::rc::Rc;

/// A bound on what is in use at a time.
#[derive(Debug)]
pub struct Loans {
    most: usize,
    count: Cell<usize>,
    is_told: Cell<bool>,
}

/// One that is in use, until it is dropped.
#[derive(Debug)]
pub struct Loan(Rc<Loans>);

impl Loans {
    /// No more than `most` at a time.
    pub fn new(most: usize) -> Loans {
        Loans { most, count: Cell::new(0), is_told: Cell::new(false) }
    }

    /// One more; nothing where there are as many as there may be.
    pub fn take(self: &Rc<Loans>) -> Option<Loan> {
        let count = self.count.get();
        if count >= self.most {
            return None;
        }
        self.count.set(count + 1);
        Some(Loan(Rc::clone(self)))
    }

    /// Whether it was told before that too many are wanted: from now on it is.
    pub fn is_told(&self) -> bool {
        self.is_told.replace(true)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let count = &self.0.count;
        debug_assert!(count.get() > 0, "taken before");
        count.set(count.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_than_the_bound_and_what_is_given_back_is_lent_again() {
        let loans = Rc::new(Loans::new(2));
        let (one, other) = (loans.take(), loans.take());
        assert!(one.is_some() && other.is_some() && loans.take().is_none());
        drop(one);
        assert!(loans.take().is_some(), "and dropped at once");
        assert!(loans.take().is_some());
    }

    #[test]
    fn it_is_told_once() {
        let loans = Loans::new(0);
        assert_eq!((loans.is_told(), loans.is_told()), (false, true));
    }
}
