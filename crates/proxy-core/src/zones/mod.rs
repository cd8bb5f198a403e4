//! nginx: the zones of `limit_req` and `limit_conn`: what all workers know together of who asks.
//!
//! Each zone has a lock of its own, held for one look-up. A configuration brings its zones along;
//! one that takes another's place goes on with those that are still the same.

mod holders;
mod rates;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use holders::{Hold, Holders, Taken};
pub use rates::{Found, Rates, delay_ms};

use crate::config::model::Template;

/// nginx: `limit_req_zone` or `limit_conn_zone`.
#[derive(Debug)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// Who is told apart.
    pub key: Template,
    /// The same as it is written.
    pub key_text: String,
    /// What it may take of memory, in bytes.
    pub bytes_max: u64,
    /// What it counts.
    pub kind: ZoneKind,
}

/// What a zone counts.
#[derive(Debug)]
pub enum ZoneKind {
    /// nginx: `limit_req_zone`.
    Requests {
        /// Thousandths of a request in a second.
        rate: u64,
        /// How each has asked of late.
        rates: Arc<Mutex<Rates>>,
    },
    /// nginx: `limit_conn_zone`.
    Connections(Arc<Mutex<Holders>>),
}

impl Zone {
    /// Goes on with what another zone knows, if it is the same: its name, key, size and kind.
    pub fn go_on_with(&mut self, old: &Zone) {
        let is_same = |one: &Zone| {
            (&one.name, &one.key_text, one.bytes_max) == (&old.name, &old.key_text, old.bytes_max)
        };
        if !is_same(self) {
            return;
        }
        match (&mut self.kind, &old.kind) {
            (ZoneKind::Requests { rates, .. }, ZoneKind::Requests { rates: old, .. }) => {
                *rates = Arc::clone(old);
            }
            (ZoneKind::Connections(new), ZoneKind::Connections(old)) => *new = Arc::clone(old),
            _ => {}
        }
    }
}

/// What a worker that has panicked left behind is still good: each change is a whole one.
pub fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What bounds have come to for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// It is within them.
    Passed,
    /// It has to wait.
    Delayed,
    /// It is refused.
    Rejected,
    /// It would have to wait.
    DelayedDryRun,
    /// It would be refused.
    RejectedDryRun,
}

impl Limited {
    /// nginx: `$limit_req_status` and `$limit_conn_status`.
    pub fn name(self) -> &'static str {
        match self {
            Limited::Passed => "PASSED",
            Limited::Delayed => "DELAYED",
            Limited::Rejected => "REJECTED",
            Limited::DelayedDryRun => "DELAYED_DRY_RUN",
            Limited::RejectedDryRun => "REJECTED_DRY_RUN",
        }
    }
}
