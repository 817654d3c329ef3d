//! Announcements by the publish and subscribe of Redis, which forgets what nobody hears.
//!
//! One connection listens for the whole node. A heartbeat that we send ourselves, through
//! whatever server takes it, must come back on it: else the line is dead however healthy it
//! looks, and another one is made, to another server. Whenever a line begins, all that listen are
//! told that they may have missed something.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use barrow_engine::ports::{
    ANNOUNCEMENT_KEY_BYTES_MAX, AnnounceError, Announcement, Announcements, Entropy, Heard,
    Listener,
};
use bytes::Bytes;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::{ClusterHash, ConnectHandle, CustomCommand, Message, Value};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::AbortHandle;

use super::client::{Address, RedisError, RedisServers, check_prefix};
use super::link::{CallError, Link};
use super::nodes::Nodes;
use crate::host::SystemEntropy;

/// News that wait for the slowest listener here.
const BEHIND_MAX: usize = 4_096;

const PUBLISH_TIMEOUT: Duration = Duration::from_millis(500);

/// How often the line is tried, and after how long a silence it is given up. What is held in
/// memory is stale for so long at worst.
const BEAT: Duration = Duration::from_secs(1);
/// Until the first has come back.
const BEAT_FIRST: Duration = Duration::from_millis(50);
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// The wait before another line is made.
const RETRY: Duration = Duration::from_millis(200);

const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(1);

/// A channel to all nodes that listen on the same Redis.
pub struct RedisAnnouncements {
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    nodes: Nodes<Link>,
    seeds: Vec<Address>,
    servers: Arc<RedisServers>,
    channel: String,
    heard: broadcast::Sender<Heard>,
    /// Whether a line stands.
    stands: watch::Sender<bool>,
    /// Tells our own heartbeats from those of others.
    node: u64,
}

impl RedisAnnouncements {
    /// A channel whose name begins with the prefix. It connects in the background, to be called
    /// within a runtime.
    pub fn new(servers: &RedisServers, prefix: &str) -> Result<RedisAnnouncements, RedisError> {
        check_prefix(prefix)?;
        let servers = Arc::new(servers.clone());
        let connect = {
            let servers = Arc::clone(&servers);
            move |address| Link::start(Arc::clone(&servers), address)
        };
        let shared = Arc::new(Shared {
            nodes: Nodes::start(Arc::clone(&servers), Arc::new(Notify::new()), connect),
            seeds: servers.addresses.clone(),
            servers,
            channel: format!("{prefix}:announcements"),
            heard: broadcast::Sender::new(BEHIND_MAX),
            stands: watch::Sender::new(false),
            node: SystemEntropy.next_u64(),
        });
        let task = tokio::spawn(keep_listening(Arc::clone(&shared))).abort_handle();
        Ok(RedisAnnouncements { shared, task })
    }
}

impl Drop for RedisAnnouncements {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RedisAnnouncements {
    /// Waits until all servers are connected, for those that want to know.
    pub async fn connected(&self, within: Duration) -> Result<(), RedisError> {
        self.shared.nodes.up(within).await
    }
}

#[async_trait]
impl Announcements for RedisAnnouncements {
    async fn announce(&self, news: Announcement) -> Result<(), AnnounceError> {
        let (bytes, limit) = (news.key.len(), ANNOUNCEMENT_KEY_BYTES_MAX);
        if bytes > limit {
            let reason = format!("its key of {bytes} bytes is longer than {limit}");
            return Err(AnnounceError(reason));
        }
        self.shared.publish(encode(&news)).await
    }

    fn listen(&self) -> Box<dyn Listener> {
        Box::new(RedisListener {
            receiver: self.shared.heard.subscribe(),
            stands: self.shared.stands.subscribe(),
            is_new: true,
        })
    }
}

struct RedisListener {
    receiver: broadcast::Receiver<Heard>,
    stands: watch::Receiver<bool>,
    is_new: bool,
}

#[async_trait]
impl Listener for RedisListener {
    async fn next(&mut self) -> Option<Heard> {
        if self.is_new {
            self.stands.wait_for(|stands| *stands).await.ok()?;
            self.is_new = false;
            // What lies there already is of the time that counts as missed.
            self.receiver = self.receiver.resubscribe();
            return Some(Heard::Missed);
        }
        match self.receiver.recv().await {
            Ok(heard) => Some(heard),
            Err(RecvError::Lagged(_)) => Some(Heard::Missed),
            Err(RecvError::Closed) => None,
        }
    }
}

/// What is said on the channel: a letter, eight bytes, and the rest.
enum Said {
    News(Announcement),
    Beat { node: u64 },
}

fn encode(news: &Announcement) -> Bytes {
    let mut bytes = vec![b'n'];
    bytes.extend_from_slice(&news.version.to_be_bytes());
    bytes.extend_from_slice(news.key.as_bytes());
    bytes.into()
}

/// `None` for what a newer build may say.
fn decode(bytes: &[u8]) -> Option<Said> {
    let (kind, rest) = bytes.split_first()?;
    let (number, key) = rest.split_first_chunk::<8>()?;
    let number = u64::from_be_bytes(*number);
    match kind {
        b'n' => {
            let key = std::str::from_utf8(key).ok()?.to_owned();
            Some(Said::News(Announcement { key, version: number }))
        }
        b'b' => Some(Said::Beat { node: number }),
        _ => None,
    }
}

impl Shared {
    /// Hands it to one server; a cluster passes it on to all of its nodes.
    async fn publish(&self, message: Bytes) -> Result<(), AnnounceError> {
        let mut last = CallError::Away("no server is known".to_owned());
        for node in self.nodes.all() {
            let answer = async {
                let connection = node.connection()?;
                let args = vec![Value::from(self.channel.as_str()), Value::Bytes(message.clone())];
                let publish = CustomCommand::new_static("PUBLISH", ClusterHash::FirstKey, false);
                let client = connection.client();
                let said = async { client.custom::<Value, _>(publish, args).await };
                connection.call(PUBLISH_TIMEOUT, said).await.map(drop)
            };
            match answer.await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    self.nodes.note(&error);
                    last = error;
                }
            }
        }
        Err(AnnounceError(last.to_string()))
    }

    /// The servers to listen to: those that hold keys now, then those of the configuration.
    fn places(&self) -> Vec<Address> {
        let mut places: Vec<Address> =
            self.nodes.all().iter().map(|link| link.address().clone()).collect();
        let more = self.seeds.iter().filter(|seed| !places.contains(seed)).cloned();
        let more: Vec<Address> = more.collect();
        places.extend(more);
        places
    }

    /// Listens on one server for as long as the line is good. The error says why it ended.
    async fn listen_to(&self, address: &Address) -> Result<(), String> {
        let (client, task) =
            self.servers.connect(address).await.map_err(|error| error.to_string())?;
        // The connection ends with this function, however that ends.
        let _end = AbortOnDrop(task.abort_handle());
        let messages = client.message_rx();
        tokio::time::timeout(SUBSCRIBE_TIMEOUT, client.subscribe(self.channel.as_str()))
            .await
            .map_err(|_| "it did not let us listen in time".to_owned())?
            .map_err(|error| error.details().to_owned())?;
        self.hear(messages, task).await
    }

    async fn hear(
        &self,
        mut messages: broadcast::Receiver<Message>,
        mut task: ConnectHandle,
    ) -> Result<(), String> {
        let mut next_beat = tokio::time::Instant::now();
        let mut own_beat_heard = Instant::now();
        let mut has_begun = false;
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Ok(message) => {
                        let is_own_beat = self.take(&message, has_begun);
                        if is_own_beat {
                            own_beat_heard = Instant::now();
                            if !has_begun {
                                // It goes all the way: from here on nothing is missed unseen.
                                has_begun = true;
                                self.begin();
                            }
                        }
                    }
                    Err(RecvError::Lagged(_)) => self.tell(Heard::Missed),
                    Err(RecvError::Closed) => return Err("the connection broke".to_owned()),
                },
                () = tokio::time::sleep_until(next_beat) => {
                    if own_beat_heard.elapsed() > SILENCE_MAX {
                        return Err("what we say does not come back".to_owned());
                    }
                    // Where it fails, it does not come back either.
                    let _ = self.publish(beat_of(self.node)).await;
                    let pause = if has_begun { BEAT } else { BEAT_FIRST };
                    next_beat = tokio::time::Instant::now() + pause;
                }
                _ = &mut task => return Err("the connection broke".to_owned()),
            }
        }
    }

    fn begin(&self) {
        tracing::info!("listening to announcements");
        self.tell(Heard::Missed);
        self.stands.send_replace(true);
    }

    /// Passes news on; whether it was a heartbeat of our own.
    fn take(&self, message: &Message, has_begun: bool) -> bool {
        match message.value.as_bytes().and_then(decode) {
            Some(Said::News(news)) => {
                // Before the beginning all of it counts as missed.
                if has_begun {
                    self.tell(Heard::Announced(news));
                }
                false
            }
            Some(Said::Beat { node }) => node == self.node,
            None => false,
        }
    }

    fn tell(&self, heard: Heard) {
        // Nobody may be listening.
        let _ = self.heard.send(heard);
    }
}

fn beat_of(node: u64) -> Bytes {
    let mut bytes = vec![b'b'];
    bytes.extend_from_slice(&node.to_be_bytes());
    bytes.into()
}

async fn keep_listening(shared: Arc<Shared>) {
    loop {
        for address in shared.places() {
            let Err(reason) = shared.listen_to(&address).await else { continue };
            let stood = shared.stands.send_replace(false);
            if stood {
                // Whoever listens learns of it at once: it may take long until a line stands.
                shared.tell(Heard::Missed);
                tracing::warn!(redis.address = %address, reason, "lost the line of announcements");
            }
            tokio::time::sleep(RETRY).await;
        }
        tokio::time::sleep(RETRY).await;
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_read_as_they_were_said() {
        let news = Announcement { key: "product/1".to_owned(), version: u64::MAX };
        assert!(matches!(decode(&encode(&news)), Some(Said::News(read)) if read == news));
        assert!(matches!(decode(&beat_of(7)), Some(Said::Beat { node: 7 })));
        for strange in [&b""[..], b"n", b"n1234567", b"x12345678", b"n12345678\xff"] {
            assert!(decode(strange).is_none(), "{strange:?}");
        }
    }
}
