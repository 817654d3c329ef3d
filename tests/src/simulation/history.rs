//! What the clients saw, and whether one cart after another could have shown it.
//!
//! Every add puts a SKU of its own at the end of a cart, so the final cart is the only order in
//! which the adds can have happened, and what a read saw is a place in it. The history is
//! linearizable if every read saw a beginning of that order, and nothing that ended before
//! something else began lies behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use barrow_actors::carts::CartReply;
use barrow_engine::cart::workload;
use barrow_engine::ids::CartId;
use parking_lot::Mutex;

use super::Outcome;
use super::node::Node;

/// When something began or ended, in the order in which it did.
type Moment = u64;

#[derive(Debug, Hash)]
enum Seen {
    /// An add that was acknowledged, or whose outcome stayed open.
    Added {
        item: u32,
        replayed: bool,
        acknowledged: bool,
    },
    List(Vec<u32>),
    /// Only how many changes there were.
    Version(u64),
}

#[derive(Debug, Hash)]
struct Event {
    cart: u128,
    began: Moment,
    /// `None` where it may still be under way.
    ended: Option<Moment>,
    seen: Seen,
}

#[derive(Default)]
pub struct History {
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    now: Moment,
    events: Vec<Event>,
}

impl Log {
    fn tick(&mut self) -> Moment {
        self.now += 1;
        self.now
    }

    fn push(&mut self, cart: CartId, began: Moment, ended: Option<Moment>, seen: Seen) {
        self.events.push(Event { cart: cart.0, began, ended, seen });
    }
}

impl History {
    pub fn begin(&self) -> Moment {
        self.log.lock().tick()
    }

    pub fn added(&self, began: Moment, cart: CartId, item: u32, reply: Option<CartReply>) {
        let mut log = self.log.lock();
        let now = log.tick();
        let acknowledged = reply.is_some();
        let replayed = reply.as_ref().is_some_and(|reply| reply.replayed.is_some());
        let ended = acknowledged.then_some(now);
        log.push(cart, began, ended, Seen::Added { item, replayed, acknowledged });
        // The answer shows the cart: that is a read too.
        if let Some(reply) = reply {
            log.push(cart, began, Some(now), Seen::List(items(&reply)));
        }
    }

    pub fn read(&self, began: Moment, cart: CartId, reply: &CartReply) {
        let mut log = self.log.lock();
        let now = log.tick();
        log.push(cart, began, Some(now), Seen::List(items(reply)));
    }

    /// By a follower, who may be shown what is no longer the newest.
    pub fn seen(&self, began: Moment, cart: CartId, reply: &CartReply) {
        self.read(began, cart, reply);
    }

    pub fn version_seen(&self, began: Moment, cart: CartId, version: u64) {
        let mut log = self.log.lock();
        let now = log.tick();
        log.push(cart, began, Some(now), Seen::Version(version));
    }

    /// Compares what was seen with the carts as they are in the end.
    pub async fn check(&self, end: &Node, carts: u128) -> Outcome {
        let mut violations = Vec::new();
        let mut finals = BTreeMap::new();
        for cart in 1..=carts {
            match end.carts.get(CartId(cart), workload::OWNER).await {
                Ok(reply) => drop(finals.insert(cart, items(&reply))),
                Err(error) if self.was_acknowledged(cart) => {
                    violations.push(format!("cart {cart} cannot be read in the end: {error}"));
                }
                Err(_) => {}
            }
        }
        let log = self.log.lock();
        for cart in 1..=carts {
            let end = finals.get(&cart).map(Vec::as_slice).unwrap_or_default();
            let events = log.events.iter().filter(|event| event.cart == cart);
            violations.extend(check_cart(cart, end, events.collect()));
        }
        let mut trace = DefaultHasher::new();
        (&log.events, &finals).hash(&mut trace);
        log.outcome(trace.finish(), violations)
    }

    fn was_acknowledged(&self, cart: u128) -> bool {
        self.log.lock().events.iter().any(|event| {
            event.cart == cart && matches!(event.seen, Seen::Added { acknowledged: true, .. })
        })
    }
}

impl Log {
    fn outcome(&self, trace: u64, violations: Vec<String>) -> Outcome {
        let count = |which: fn(&Seen) -> bool| {
            self.events.iter().filter(|event| which(&event.seen)).count()
        };
        Outcome {
            acknowledged: count(|seen| matches!(seen, Seen::Added { acknowledged: true, .. })),
            unknown: count(|seen| matches!(seen, Seen::Added { acknowledged: false, .. })),
            replays: count(|seen| matches!(seen, Seen::Added { replayed: true, .. })),
            reads: count(|seen| !matches!(seen, Seen::Added { .. })),
            crashes: 0,
            trace,
            violations,
        }
    }
}

fn items(reply: &CartReply) -> Vec<u32> {
    let chunks = reply.body.chunks_exact(4);
    chunks.map(|item| u32::from_le_bytes(item.try_into().expect("four bytes"))).collect()
}

fn check_cart(cart: u128, end: &[u32], events: Vec<&Event>) -> Vec<String> {
    let mut violations = Vec::new();
    let places: BTreeMap<u32, usize> =
        end.iter().enumerate().map(|(place, item)| (*item, place)).collect();
    if places.len() != end.len() {
        let mut seen = BTreeSet::new();
        let twice: Vec<_> = end.iter().filter(|item| !seen.insert(**item)).collect();
        violations.push(format!("cart {cart}: {twice:?} took effect twice"));
    }
    // Each event at its only possible place: adds at odd ones, reads at the even ones between.
    let mut placed: Vec<(Moment, Option<Moment>, usize)> = Vec::new();
    for event in events {
        let place = match &event.seen {
            Seen::Added { item, acknowledged, .. } => match places.get(item) {
                Some(place) => 2 * place + 1,
                None if !acknowledged => continue,
                None => {
                    violations.push(format!("cart {cart}: {item} was acknowledged and is lost"));
                    continue;
                }
            },
            Seen::List(list) if end.starts_with(list) => 2 * list.len(),
            Seen::List(list) => {
                violations.push(format!("cart {cart}: {list:?} was seen, but never was"));
                continue;
            }
            // The first change opens the cart.
            Seen::Version(version) => 2 * (*version as usize).saturating_sub(1),
        };
        placed.push((event.began, event.ended, place));
    }
    violations.extend(check_order(cart, placed));
    violations
}

/// Nothing that ended before something else began may lie behind it.
fn check_order(cart: u128, mut placed: Vec<(Moment, Option<Moment>, usize)>) -> Option<String> {
    let mut ended: Vec<(Moment, usize)> =
        placed.iter().filter_map(|(_, ended, place)| Some(((*ended)?, *place))).collect();
    ended.sort_unstable();
    placed.sort_unstable();
    let (mut next, mut furthest) = (0, 0);
    for (began, _, place) in placed {
        while next < ended.len() && ended[next].0 < began {
            furthest = furthest.max(ended[next].1);
            next += 1;
        }
        if place < furthest {
            return Some(format!(
                "cart {cart}: what began at {began} shows {} changes, after {} had been seen",
                place / 2,
                furthest / 2,
            ));
        }
    }
    None
}
