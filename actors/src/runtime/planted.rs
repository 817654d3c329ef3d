//! Rules that a test build can be made to break, one at a time, to show that the simulation
//! sees it. Without the feature `planted` nothing can be planted and the questions cost nothing.
//!
//! What is planted holds for the thread that planted it: a simulated node runs on one, and
//! whatever else is tested in the same process keeps all the rules.

/// A bug that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "planted"),
    expect(dead_code, reason = "some are broken by the simulated store, which is not there")
)]
pub enum Bug {
    /// The reply to an accepted command leaves when it is decided (R3).
    ReplyBeforeDurable,
    /// A refusal or a repeat is answered when it is decided (R3).
    RejectionBeforeDurable,
    /// A read is answered from what is not durable yet (R4).
    ReadBeforeDurable,
    /// The store writes whatever lies there (R1).
    NoVersionCheck,
    /// Versions are compared without the ids of the writes that made them (R1, R2).
    VersionWithoutWriteId,
    /// A busy entity is put away, and the next activation waits for nothing (R2).
    NextActivationEarly,
    /// A key is never found (R6).
    NoDedupe,
    /// Keys are not part of what is put away (R6).
    DedupeForgotten,
    /// Effects leave when they are decided.
    EffectsBeforeCommit,
    /// A busy entity is put away, and what waits in its mailbox is dropped.
    MailboxDropped,
    /// The warm tier keeps a row that was taken from it.
    WarmTierKept,
    /// A write of unknown outcome is said to have changed nothing (R2).
    UnknownTakenForFailure,
    /// A write of unknown outcome is said to be durable (R2).
    UnknownTakenForSuccess,
    /// Entities answer whether or not the lease is valid (R3, R4).
    LeaseIgnored,
    /// A command without a key is sent to its owner again where no answer came (R6).
    ForwardedAgain,
    /// A row is written in the newest form that its writer knows, whatever the others read.
    NewestFormWritten,
    /// An order is written whatever version it is at.
    OrderOverwritten,
    /// What is reserved runs out while nobody knows whether it was paid for.
    ReservationNotKept,
    /// A gateway that did not answer is asked again under another key.
    AskedUnderNewKey,
    /// A cart is open again before its draft is surely given up.
    UnfrozenWhileDraft,
}

#[cfg(feature = "planted")]
mod switch {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    impl Bug {
        /// Those that one node alone can show.
        pub const ALL: [Bug; 13] = [
            Bug::ReplyBeforeDurable,
            Bug::RejectionBeforeDurable,
            Bug::ReadBeforeDurable,
            Bug::NoVersionCheck,
            Bug::VersionWithoutWriteId,
            Bug::NextActivationEarly,
            Bug::NoDedupe,
            Bug::DedupeForgotten,
            Bug::EffectsBeforeCommit,
            Bug::MailboxDropped,
            Bug::WarmTierKept,
            Bug::UnknownTakenForFailure,
            Bug::UnknownTakenForSuccess,
        ];

        /// Those that only show where there are several nodes.
        pub const OF_CLUSTERS: [Bug; 3] =
            [Bug::LeaseIgnored, Bug::ForwardedAgain, Bug::NewestFormWritten];

        /// Those that only show where something is sold.
        pub const OF_SALES: [Bug; 4] = [
            Bug::OrderOverwritten,
            Bug::ReservationNotKept,
            Bug::AskedUnderNewKey,
            Bug::UnfrozenWhileDraft,
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

#[cfg(feature = "planted")]
pub use switch::{is_planted, plant};

#[cfg(not(feature = "planted"))]
pub(crate) const fn is_planted(_: Bug) -> bool {
    false
}
