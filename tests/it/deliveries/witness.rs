//! A consumer that remembers what it was told, and fails as it is bidden.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use barrow_actors::deliveries::{Consumer, ConsumerError};
use barrow_engine::events::{Event, EventKind};
use parking_lot::Mutex;

/// What becomes of one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Handles,
    Fails,
    Refuses,
    Panics,
    /// Has its effect, and tells nobody.
    FailsAfterwards,
    /// Never comes back, before its effect or after it.
    HangsBefore,
    HangsAfter,
}

type Bid = Box<dyn Fn(&Event, u32) -> Fate + Send + Sync>;

/// One for all nodes, as whoever is told elsewhere would be.
pub struct Witness {
    name: &'static str,
    /// By the event and which try it is, from 0.
    bid: Mutex<Bid>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    tries: BTreeMap<String, u32>,
    busy: BTreeSet<String>,
    /// The versions of each aggregate in the order in which they had their effect.
    effects: BTreeMap<String, Vec<u64>>,
    keys: BTreeSet<String>,
    repeats: u32,
    overlaps: u32,
}

impl Witness {
    pub fn new(
        name: &'static str,
        bid: impl Fn(&Event, u32) -> Fate + Send + Sync + 'static,
    ) -> Witness {
        Witness { name, bid: Mutex::new(Box::new(bid)), memory: Mutex::default() }
    }

    pub fn mend(&self) {
        *self.bid.lock() = Box::new(|_, _| Fate::Handles);
    }

    pub fn effects(&self) -> BTreeMap<String, Vec<u64>> {
        self.memory.lock().effects.clone()
    }

    /// How often the key of an event kept it from having a second effect.
    pub fn repeats(&self) -> u32 {
        self.memory.lock().repeats
    }

    /// How often two handled events of one aggregate at once.
    pub fn overlaps(&self) -> u32 {
        self.memory.lock().overlaps
    }

    pub fn tries(&self) -> u32 {
        self.memory.lock().tries.values().sum()
    }

    /// One effect for each key; told by the key alone.
    fn have_effect(&self, event: &Event) {
        let mut memory = self.memory.lock();
        if memory.keys.insert(event.id().to_string()) {
            let version = event.position.version();
            memory.effects.entry(event.aggregate.id.clone()).or_default().push(version);
        } else {
            memory.repeats += 1;
        }
    }

    fn begin(&self, event: &Event) -> Fate {
        let mut memory = self.memory.lock();
        let tries = memory.tries.entry(event.id().to_string()).or_default();
        *tries += 1;
        let fate = (self.bid.lock())(event, *tries - 1);
        // Who hangs has died: nobody waits for the dead.
        if !matches!(fate, Fate::HangsBefore | Fate::HangsAfter) {
            let is_alone = memory.busy.insert(event.aggregate.id.clone());
            memory.overlaps += u32::from(!is_alone);
        }
        fate
    }
}

/// Takes it back also when the handling is given up.
struct Busy<'a>(&'a Witness, &'a Event);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.memory.lock().busy.remove(&self.1.aggregate.id);
    }
}

#[async_trait]
impl Consumer for Witness {
    fn name(&self) -> &'static str {
        self.name
    }

    fn handles(&self, _kind: EventKind) -> bool {
        true
    }

    async fn handle(&self, event: &Event) -> Result<(), ConsumerError> {
        let fate = self.begin(event);
        if fate == Fate::HangsAfter {
            self.have_effect(event);
        }
        if matches!(fate, Fate::HangsBefore | Fate::HangsAfter) {
            std::future::pending::<()>().await;
        }
        let _busy = Busy(self, event);
        tokio::time::sleep(Duration::from_millis(1)).await;
        match fate {
            Fate::Handles => {
                self.have_effect(event);
                Ok(())
            }
            Fate::FailsAfterwards => {
                self.have_effect(event);
                Err(ConsumerError::Later("the answer was lost".to_owned()))
            }
            Fate::Refuses => Err(ConsumerError::Never("410 Gone".to_owned())),
            Fate::Panics => panic!("as it was bidden"),
            _ => Err(ConsumerError::Later("503".to_owned())),
        }
    }
}
