//! News for all nodes at once: that something they may hold in memory has a newer version.
//!
//! News may be lost, doubled or overtaken by newer ones, but never lost unseen: whoever listens
//! is told that some may have been missed, and forgets all that it holds. A version lets it tell
//! old news from new ones.

use async_trait::async_trait;

/// Something has this version now; older ones are not to be served any more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Announcement {
    pub key: String,
    pub version: u64,
}

/// The longest key of an announcement, in bytes: every adapter takes it.
pub const ANNOUNCEMENT_KEY_BYTES_MAX: usize = 512;

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Announced(Announcement),
    /// News may have been missed before this: what is held may be old, all of it.
    Missed,
}

/// Nobody was told, or perhaps not all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the announcement was not made: {0}")]
pub struct AnnounceError(pub String);

/// A channel to all nodes, this one too.
#[async_trait]
pub trait Announcements: Send + Sync + 'static {
    /// Tells all that listen. After an error it may be repeated: hearing it twice is harmless.
    async fn announce(&self, news: Announcement) -> Result<(), AnnounceError>;

    /// Listens from now on. The first thing heard is [`Heard::Missed`], once the line stands: from
    /// then on nothing is missed without being told.
    fn listen(&self) -> Box<dyn Listener>;
}

/// One who listens.
#[async_trait]
pub trait Listener: Send {
    /// Waits for the next thing to hear; `None` when nothing will ever be. A future that is
    /// dropped has taken nothing.
    async fn next(&mut self) -> Option<Heard>;
}
