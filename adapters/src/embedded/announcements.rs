//! Announcements where there is one node: within this process.

use async_trait::async_trait;
use barrow_engine::ports::{AnnounceError, Announcement, Announcements, Heard, Listener};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// News that wait for the slowest listener. One that is further behind forgets all it holds,
/// which is quicker than reading on.
const BEHIND_MAX: usize = 4_096;

/// A channel to all that listen in this process.
pub struct EmbeddedAnnouncements {
    sender: broadcast::Sender<Announcement>,
}

impl Default for EmbeddedAnnouncements {
    fn default() -> EmbeddedAnnouncements {
        EmbeddedAnnouncements { sender: broadcast::Sender::new(BEHIND_MAX) }
    }
}

#[async_trait]
impl Announcements for EmbeddedAnnouncements {
    async fn announce(&self, news: Announcement) -> Result<(), AnnounceError> {
        // Where nobody listens, all that do have heard it.
        let _ = self.sender.send(news);
        Ok(())
    }

    fn listen(&self) -> Box<dyn Listener> {
        Box::new(EmbeddedListener { receiver: self.sender.subscribe(), is_new: true })
    }
}

struct EmbeddedListener {
    receiver: broadcast::Receiver<Announcement>,
    is_new: bool,
}

#[async_trait]
impl Listener for EmbeddedListener {
    async fn next(&mut self) -> Option<Heard> {
        if std::mem::take(&mut self.is_new) {
            return Some(Heard::Missed);
        }
        match self.receiver.recv().await {
            Ok(news) => Some(Heard::Announced(news)),
            Err(RecvError::Lagged(_)) => Some(Heard::Missed),
            Err(RecvError::Closed) => None,
        }
    }
}
