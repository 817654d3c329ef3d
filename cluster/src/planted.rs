//! Rules of membership that a test build can be made to break, one at a time, to show that the
//! tests see it. Without the feature `planted` nothing can be planted and the questions cost
//! nothing.
//!
//! What is planted holds for the thread that planted it, as in the actors' runtime.

/// A bug that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A member is taken for dead after half a lease of silence (R5).
    EarlyTakeOver,
    /// A member that beat after all is killed at the version that is found there (R7).
    UnconditionalKill,
    /// The shards of a member without a row are given away when that is seen (R7).
    GoneGrantedAtOnce,
    /// Silence goes on while the table cannot be read.
    FailedPollsCounted,
    /// After a change of the view whose outcome is unknown the shards are taken up again (R8).
    UnknownChangeServed,
    /// The view is changed while the shards are still being drained (R5).
    HandoffUndrained,
    /// A beat that is found to have been written counts from when it was repeated.
    LeaseFromRepeat,
    /// A node becomes a member while a copy of each of its writes may still be on its way.
    RowRevived,
}

#[cfg(any(test, feature = "planted"))]
mod switch {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    impl Bug {
        pub const ALL: [Bug; 8] = [
            Bug::EarlyTakeOver,
            Bug::UnconditionalKill,
            Bug::GoneGrantedAtOnce,
            Bug::FailedPollsCounted,
            Bug::UnknownChangeServed,
            Bug::HandoffUndrained,
            Bug::LeaseFromRepeat,
            Bug::RowRevived,
        ];
    }

    /// Breaks a rule on this thread, or none any more.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    /// Whether this rule is broken on this thread.
    pub fn is_planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(any(test, feature = "planted"))]
pub use switch::{is_planted, plant};

#[cfg(not(any(test, feature = "planted")))]
pub(crate) const fn is_planted(_: Bug) -> bool {
    false
}
