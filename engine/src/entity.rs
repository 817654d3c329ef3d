//! Entities: things with an identity and a state that changes by commands, one at a time.
//!
//! An entity decides purely: a state, a command and the time go in, events and effects come
//! out. Who runs it, where its row is stored and when a reply may leave are the runtime's
//! affair (crate `barrow-actors`), which knows nothing of commerce.

use std::fmt;

use crate::time::Timestamp;

/// How many shards the entities are spread over. Fixed for ever: it is part of stored keys.
pub const SHARDS: u16 = 1024;

/// Which kind of entity a key names. The numbers are stored; never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum EntityKind {
    Cart = 1,
    Session = 2,
    /// Tokens that were revoked before their time, in a few rows.
    Revocations = 3,
    /// The keys that sign shop tokens: one row.
    SigningKeys = 4,
    /// No row of its own: what drives the checkout of a cart, named by its order.
    Checkout = 5,
    /// Used by tests of the runtime and of the stores only.
    Probe = 255,
}

impl EntityKind {
    pub fn from_u8(kind: u8) -> Option<EntityKind> {
        match kind {
            1 => Some(EntityKind::Cart),
            2 => Some(EntityKind::Session),
            3 => Some(EntityKind::Revocations),
            4 => Some(EntityKind::SigningKeys),
            5 => Some(EntityKind::Checkout),
            255 => Some(EntityKind::Probe),
            _ => None,
        }
    }
}

/// The name of one entity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityKey {
    pub kind: EntityKind,
    pub id: u128,
}

impl EntityKey {
    pub const LEN: usize = 17;

    pub fn new(kind: EntityKind, id: u128) -> EntityKey {
        EntityKey { kind, id }
    }

    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0] = self.kind as u8;
        bytes[1..].copy_from_slice(&self.id.to_be_bytes());
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<EntityKey> {
        let (kind, id) = bytes.split_first()?;
        Some(EntityKey {
            kind: EntityKind::from_u8(*kind)?,
            id: u128::from_be_bytes(id.try_into().ok()?),
        })
    }

    /// The shard that holds this entity, for ever.
    pub fn shard(self) -> Shard {
        let hash = xxhash_rust::xxh3::xxh3_64(&self.to_bytes());
        Shard((hash % u64::from(SHARDS)) as u16)
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = crate::ids::encode_base32(self.id);
        let digits = std::str::from_utf8(&digits).expect("the alphabet is ASCII");
        write!(f, "{:?}/{digits}", self.kind)
    }
}

impl fmt::Debug for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A slice of the key space: what a node owns, and what moves between nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shard(u16);

impl Shard {
    pub fn new(index: u16) -> Option<Shard> {
        (index < SHARDS).then_some(Shard(index))
    }

    pub fn all() -> impl Iterator<Item = Shard> {
        (0..SHARDS).map(Shard)
    }

    pub fn index(self) -> u16 {
        self.0
    }
}

/// Something that must reach another entity, at least once, and is applied there once. It is
/// part of the row until it was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub target: EntityKey,
    /// What the target reads with [`Entity::receive`].
    pub body: Vec<u8>,
}

/// What a command leads to.
#[derive(Debug)]
pub struct Decision<E: Entity> {
    pub events: Vec<E::Event>,
    pub effects: Vec<Effect>,
}

impl<E: Entity> Decision<E> {
    /// Accepted, and nothing changes.
    pub fn nothing() -> Self {
        Decision { events: Vec::new(), effects: Vec::new() }
    }

    pub fn event(event: E::Event) -> Self {
        Decision { events: vec![event], effects: Vec::new() }
    }
}

/// A stored blob that this build cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer build. It must never be overwritten by this one.
    #[error("format version {found} is newer than {supported}, the newest this build reads")]
    FutureVersion { found: u8, supported: u8 },
    #[error("the blob is damaged: {0}")]
    Damaged(&'static str),
}

/// A thing with an identity whose state changes by commands, one at a time.
pub trait Entity: Sized + Send + Sync + 'static {
    const KIND: EntityKind;

    /// The hot state: what the row holds, and what is derived from it.
    type State: Send + 'static;
    type Command: Send + 'static;
    type Event: Send + 'static;
    /// An expected refusal, with a stable code.
    type Rejection: Send + Clone + fmt::Debug + 'static;

    /// The state of an entity that was never written.
    fn initial(id: u128) -> Self::State;

    /// Decides what a command leads to. Pure: all it may look at are its arguments.
    fn decide(
        state: &Self::State,
        command: Self::Command,
        now: Timestamp,
    ) -> Result<Decision<Self>, Self::Rejection>;

    /// Makes an event part of the state. It cannot fail: what may not happen is refused before.
    fn apply(state: &mut Self::State, event: Self::Event);

    /// The earliest time at which [`Entity::timer`] wants to be asked; `None` for never.
    fn due(state: &Self::State) -> Option<Timestamp>;

    /// What has become due. It may find that it is too early, and answer nothing.
    fn timer(state: &Self::State, now: Timestamp) -> Option<Self::Command>;

    /// From when on nobody needs the entity's row, so that its store may remove it: later than
    /// any due of the same state. `None` for never, which is right wherever the row still says
    /// something that its absence would not.
    fn expires(_state: &Self::State) -> Option<Timestamp> {
        None
    }

    /// The command that an effect of another entity stands for.
    ///
    /// # Errors
    /// `FutureVersion` for one of a newer build, which comes again until such a build takes it;
    /// `Damaged` for one that nobody will ever understand.
    fn receive(source: EntityKey, body: &[u8]) -> Result<Self::Command, DecodeError>;

    /// Appends the newest stored form of the state.
    fn encode(state: &Self::State, out: &mut Vec<u8>);

    /// Reads any stored form up to the newest this build knows.
    fn decode(id: u128, blob: &[u8]) -> Result<Self::State, DecodeError>;
}

/// An entity whose commands and refusals travel between nodes, as they are.
pub trait Portable: Entity {
    /// Appends a command in the newest form that the build before this one reads as well.
    fn encode_command(command: &Self::Command, out: &mut Vec<u8>);

    /// # Errors
    /// As [`Entity::decode`].
    fn decode_command(bytes: &[u8]) -> Result<Self::Command, DecodeError>;

    fn encode_rejection(rejection: &Self::Rejection, out: &mut Vec<u8>);

    /// # Errors
    /// As [`Entity::decode`].
    fn decode_rejection(bytes: &[u8]) -> Result<Self::Rejection, DecodeError>;
}
