//! What the clients saw, in the order in which they saw it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use barrow_engine::ids::{CartId, SessionId};
use barrow_engine::time::Timestamp;
use parking_lot::Mutex;

use super::http::CartSeen;

/// When something began or ended, in the order in which it did.
pub type Moment = u64;

/// How an add ended for the client that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// With the version that it made, where the reply told.
    Acknowledged { made: Option<u64>, replayed: bool },
    /// The client gave up; it may have happened, or may yet.
    Open,
    /// Each time it was sent the reply said that nothing had changed.
    Refused,
}

#[derive(Debug, Hash)]
pub enum Seen {
    Added {
        item: u32,
        end: End,
    },
    /// The cart at that version, with its lines where they were shown.
    Cart {
        version: u64,
        items: Option<Vec<u32>>,
    },
    /// There is no such cart.
    Absent,
}

#[derive(Debug, Hash)]
pub struct Event {
    pub cart: u128,
    pub began: Moment,
    /// `None` where it may still be under way.
    pub ended: Option<Moment>,
    pub seen: Seen,
}

/// What is known of a cart beside its changes.
#[derive(Debug, Clone, Copy, Hash)]
pub struct Known {
    pub session: u128,
    pub created_at: Option<i64>,
}

#[derive(Default)]
pub struct History {
    log: Mutex<Log>,
}

#[derive(Debug, Default, Hash)]
pub struct Log {
    pub(super) now: Moment,
    pub events: Vec<Event>,
    pub carts: BTreeMap<u128, Known>,
    pub counts: Counts,
    /// Carts whose owner may still have a row that a late write of another node has replaced.
    pub(super) overtaken: BTreeSet<u128>,
    /// What no history whatever allows.
    pub wrong: BTreeSet<String>,
}

/// What happened besides.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Counts {
    pub requests: usize,
    pub unanswered: usize,
    /// 412 and 422, of commands that had to be refused.
    pub refusals: usize,
    /// 429 and 503.
    pub turned_away: usize,
    pub streamed: usize,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.requests += other.requests;
        self.unanswered += other.unanswered;
        self.refusals += other.refusals;
        self.turned_away += other.turned_away;
        self.streamed += other.streamed;
    }
}

/// What one log comes to, or several.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Changes.
    pub acknowledged: usize,
    /// Of them, those that a repeat was told of.
    pub replays: usize,
    /// Changes that their clients gave up.
    pub open: usize,
    pub reads: usize,
    pub counts: Counts,
}

impl Totals {
    /// Counts another run's as well.
    pub fn add(&mut self, other: &Totals) {
        self.acknowledged += other.acknowledged;
        self.replays += other.replays;
        self.open += other.open;
        self.reads += other.reads;
        self.counts.add(&other.counts);
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { acknowledged, replays, open, reads, counts } = self;
        let Counts { requests, unanswered, refusals, turned_away, streamed } = counts;
        write!(
            to,
            "{requests} requests; {acknowledged} changes acknowledged ({replays} of them \
             repeats), {open} left open, {reads} reads ({streamed} from streams), {refusals} \
             refused, {turned_away} turned away, {unanswered} without an answer"
        )
    }
}

impl Log {
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { counts: self.counts, ..Totals::default() };
        for event in &self.events {
            match &event.seen {
                Seen::Added { end: End::Acknowledged { replayed, .. }, .. } => {
                    totals.acknowledged += 1;
                    totals.replays += usize::from(*replayed);
                }
                Seen::Added { end: End::Open, .. } => totals.open += 1,
                Seen::Cart { .. } => totals.reads += 1,
                _ => {}
            }
        }
        totals
    }
}

impl History {
    pub fn begin(&self) -> Moment {
        let mut log = self.log.lock();
        log.now += 1;
        log.now
    }

    fn push(&self, began: Moment, cart: CartId, ends: bool, seen: Seen) {
        let mut log = self.log.lock();
        log.now += 1;
        let ended = ends.then_some(log.now);
        log.events.push(Event { cart: cart.0, began, ended, seen });
    }

    /// Whoever holds the cart learns that its row is another one when it writes next: R1.
    pub fn was_overtaken(&self, cart: CartId) {
        self.log.lock().overtaken.insert(cart.0);
    }

    /// Whether a change of that cart may still meet a row that it does not expect.
    pub fn may_be_overtaken(&self, path: &str) -> bool {
        let log = self.log.lock();
        log.overtaken.iter().any(|cart| path.contains(&CartId(*cart).to_string()))
    }

    pub fn added(&self, began: Moment, cart: CartId, item: u32, end: End) {
        if matches!(end, End::Acknowledged { .. }) {
            self.log.lock().overtaken.remove(&cart.0);
        }
        self.push(began, cart, end != End::Open, Seen::Added { item, end });
    }

    pub fn cart(&self, began: Moment, session: SessionId, seen: &CartSeen) {
        let mut log = self.log.lock();
        let unknown = Known { session: session.0, created_at: None };
        let known = log.carts.entry(seen.id.0).or_insert(unknown);
        known.created_at = known.created_at.or(seen.created_at.map(Timestamp::as_millis));
        drop(log);
        let (version, items) = (seen.version, seen.items.clone());
        self.push(began, seen.id, true, Seen::Cart { version, items });
    }

    pub fn version(&self, began: Moment, cart: CartId, version: u64) {
        self.push(began, cart, true, Seen::Cart { version, items: None });
    }

    pub fn absent(&self, began: Moment, cart: CartId) {
        self.push(began, cart, true, Seen::Absent);
    }

    pub fn wrong(&self, what: impl Into<String>) {
        self.log.lock().wrong.insert(what.into());
    }

    pub fn count(&self, which: impl FnOnce(&mut Counts)) {
        which(&mut self.log.lock().counts);
    }

    /// The carts that were opened, each with what is known of it.
    pub fn carts(&self) -> BTreeMap<u128, Known> {
        self.log.lock().carts.clone()
    }

    pub fn to_log(&self) -> Log {
        std::mem::take(&mut self.log.lock())
    }
}
