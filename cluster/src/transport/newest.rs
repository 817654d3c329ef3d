//! A feed of which only the newest message is kept: a slot, and a task that hands over what lies
//! in it whenever the reader has room.

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::{Feed, runtime};

/// The writing end. The feed ends when it is dropped, after its last message.
#[derive(Debug)]
pub(super) struct Newest(watch::Sender<Option<Bytes>>);

impl Newest {
    /// Replaces what was not read yet.
    pub(super) fn put(&self, message: Bytes) {
        self.0.send_replace(Some(message));
    }

    /// Waits until nobody reads any more.
    pub(super) async fn unread(&self) {
        self.0.closed().await;
    }
}

/// What lies in the slot, before anybody reads it.
#[derive(Debug)]
pub(super) struct Source(watch::Receiver<Option<Bytes>>);

pub(super) fn newest() -> (Newest, Source) {
    let (slot, source) = watch::channel(None);
    (Newest(slot), Source(source))
}

impl Source {
    /// Hands the messages over. `on_unread` is called if the reader drops its end while the
    /// writer still has its own.
    pub(super) fn feed(self, on_unread: impl FnOnce() + Send + 'static) -> Feed {
        let Source(mut source) = self;
        let (sender, feed) = mpsc::channel(1);
        runtime::spawn(async move {
            loop {
                tokio::select! {
                    changed = source.changed() => if changed.is_err() { return },
                    () = sender.closed() => break,
                }
                // First the room, then the message: what came while there was none is newer.
                let Ok(room) = sender.reserve().await else { break };
                if let Some(message) = source.borrow_and_update().clone() {
                    room.send(message);
                }
            }
            on_unread();
        });
        feed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_skips_to_the_newest_and_still_gets_the_last() {
        let (slot, source) = newest();
        let mut feed = source.feed(|| {});
        for n in 0..100u8 {
            slot.put(Bytes::from(vec![n]));
            tokio::task::yield_now().await;
        }
        drop(slot);
        let mut seen = Vec::new();
        while let Some(message) = feed.recv().await {
            seen.push(message[0]);
        }
        assert_eq!(seen.last(), Some(&99));
        assert!(seen.len() <= 3, "{seen:?}");
        assert!(seen.is_sorted(), "{seen:?}");
    }

    #[tokio::test]
    async fn the_writer_learns_that_nobody_reads() {
        let (told, tells) = oneshot::channel();
        let (slot, source) = newest();
        drop(source.feed(move || told.send(()).unwrap()));
        tells.await.unwrap();
        slot.unread().await;
    }
}
