//! The form: one number for all that a build stores in the rows of entities. It is the first byte
//! of each row.
//!
//! A build reads every form up to its newest and refuses later ones. It writes a form that whoever
//! may read the row reads: in a cluster that of the view
//! ([`Ownership::form`](barrow_cluster::Ownership::form)), alone its newest.
//!
//! Tests know one form more, of a build that is still to come: so two builds can be run together.

/// The newest form that this build writes and reads.
pub(super) const FORM: u8 = 1;

/// The newest form that this build writes and reads.
#[cfg(not(feature = "planted"))]
pub const fn newest_form() -> u8 {
    FORM
}

#[cfg(any(test, feature = "planted"))]
pub use next::NEXT_FORM;
#[cfg(feature = "planted")]
pub use next::{know_next_form, newest_form};

#[cfg(any(test, feature = "planted"))]
mod next {
    #[cfg(feature = "planted")]
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::FORM;

    /// That of the build to come.
    pub const NEXT_FORM: u8 = FORM + 1;

    #[cfg(feature = "planted")]
    static NEWEST: AtomicU8 = AtomicU8::new(FORM);

    /// Makes this process one of the build to come.
    #[cfg(feature = "planted")]
    pub fn know_next_form() {
        NEWEST.store(NEXT_FORM, Ordering::Relaxed);
    }

    /// The newest form that this process writes and reads.
    #[cfg(feature = "planted")]
    pub fn newest_form() -> u8 {
        NEWEST.load(Ordering::Relaxed)
    }
}
