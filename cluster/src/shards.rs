//! Where each shard is, as this node knows it: what the control side learns, and what every
//! request asks.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use crate::{Grant, Lease, MemberId, Ownership, Peer, View};

/// Where a shard is.
#[derive(Debug, Clone)]
pub enum Place {
    Here(Grant),
    There(Arc<Peer>),
    /// It is about to leave this node, is with nobody, or its owner is not known yet: whoever
    /// wants it waits for the next view.
    Moving,
}

/// The view as this node last read it, and what it does with its own shards.
#[derive(Debug)]
pub struct Shards {
    me: MemberId,
    lease: Lease,
    state: ArcSwap<State>,
    /// A view, or how somebody is reached. It wakes those who wait in their order.
    learned: Notify,
    /// Somebody heard of a view that is newer than ours.
    wanted: Notify,
}

#[derive(Debug, Clone)]
struct State {
    view: Arc<View>,
    peers: HashMap<MemberId, Arc<Peer>>,
    /// Shards of ours that nothing is let into any more.
    leaving: Vec<bool>,
}

impl Shards {
    /// `lease` is what every grant of this node rests on.
    pub fn new(me: MemberId, lease: Lease) -> Shards {
        let view = Arc::new(View::default());
        let leaving = vec![false; view.terms.len()];
        Shards {
            me,
            lease,
            state: ArcSwap::from_pointee(State { view, peers: HashMap::new(), leaving }),
            learned: Notify::new(),
            wanted: Notify::new(),
        }
    }

    pub fn me(&self) -> MemberId {
        self.me
    }

    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    pub fn view(&self) -> Arc<View> {
        self.state.load().view.clone()
    }

    /// The other members that said how they are reached.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        self.state.load().peers.values().cloned().collect()
    }

    /// Where a shard is now.
    pub fn place(&self, shard: u16) -> Place {
        let state = self.state.load();
        let term = state.view.terms[usize::from(shard)];
        match term.owner {
            Some(owner) if owner == self.me => match state.leaving[usize::from(shard)] {
                true => Place::Moving,
                false => Place::Here(Grant { epoch: term.epoch, lease: self.lease.clone() }),
            },
            Some(owner) => match state.peers.get(&owner) {
                Some(peer) => Place::There(peer.clone()),
                None => Place::Moving,
            },
            None => Place::Moving,
        }
    }

    /// Takes a view that is in the table, and how the members are reached. An older one than that
    /// which is known is left aside.
    pub fn install(&self, view: Arc<View>, peers: impl IntoIterator<Item = Peer>) {
        let peers: HashMap<_, _> =
            peers.into_iter().map(|peer| (peer.id, Arc::new(peer))).collect();
        self.state.rcu(|state| {
            let mut next = State::clone(state);
            next.peers.clone_from(&peers);
            if view.version >= state.view.version {
                for (shard, term) in view.terms.iter().enumerate() {
                    // A term that is not ours, or a later one of ours, begins open. That its
                    // moves are counted anew makes it no other one.
                    let known = state.view.terms[shard];
                    next.leaving[shard] &= (term.owner, term.epoch) == (known.owner, known.epoch);
                }
                next.view = view.clone();
            }
            next
        });
        // Whoever waits may wait for a peer as well as for a view.
        self.learned.notify_waiters();
    }

    /// Lets nothing new into these shards. What was let in before has to be drained.
    pub fn close(&self, shards: &[u16]) {
        self.set_leaving(shards, true);
    }

    /// Takes these shards up again, after a handoff that did not come to be.
    pub fn reopen(&self, shards: &[u16]) {
        self.set_leaving(shards, false);
        self.learned.notify_waiters();
    }

    fn set_leaving(&self, shards: &[u16], leaving: bool) {
        self.state.rcu(|state| {
            let mut next = State::clone(state);
            shards.iter().for_each(|shard| next.leaving[usize::from(*shard)] = leaving);
            next
        });
    }

    /// Waits until `look` finds something, for as long as `patience` lasts; it looks again whenever
    /// anything was learned.
    async fn until<T>(&self, patience: Duration, look: impl Fn() -> Option<T>) -> Option<T> {
        let found = async {
            loop {
                let mut learned = pin!(self.learned.notified());
                // From here on nothing is missed: what is learned after the look wakes it.
                learned.as_mut().enable();
                if let Some(found) = look() {
                    return found;
                }
                learned.await;
            }
        };
        tokio::time::timeout(patience, found).await.ok()
    }

    /// Asks the control side to read the view at once, and waits until one of at least that
    /// version is known, for as long as `patience` lasts.
    pub async fn catch_up(&self, version: u64, patience: Duration) -> bool {
        let is_known = || (self.view().version >= version).then_some(());
        if is_known().is_some() {
            return true;
        }
        self.want();
        self.until(patience, is_known).await.is_some()
    }

    /// Where a shard is once it is anywhere, or `None` if that takes longer than `patience`.
    pub async fn settled(&self, shard: u16, patience: Duration) -> Option<Place> {
        let settled = || match self.place(shard) {
            Place::Moving => {
                self.want();
                None
            }
            place => Some(place),
        };
        self.until(patience, settled).await
    }

    /// Returns once this node is a member of the view that it knows; `false` after `patience`.
    pub async fn joined(&self, patience: Duration) -> bool {
        let joined = || self.view().member(self.me).map(drop);
        self.until(patience, joined).await.is_some()
    }

    /// Asks the control side to read view and rows at once.
    pub fn want(&self) {
        self.wanted.notify_one();
    }

    /// For the control side: returns when somebody wants the view to be read at once.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }
}

impl Ownership for Shards {
    fn grant(&self, shard: u16) -> Option<Grant> {
        match self.place(shard) {
            Place::Here(grant) => Some(grant),
            _ => None,
        }
    }

    /// That of the view that this node knows. If it is an old one the form is too early, which
    /// harms nobody.
    fn form(&self) -> Option<u8> {
        Some(self.state.load().view.form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Member;

    const ME: MemberId = MemberId(1);
    const OTHER: MemberId = MemberId(2);
    const SOON: Duration = Duration::from_secs(1);

    fn member(id: MemberId) -> Member {
        Member {
            id,
            name: String::new(),
            weight: 1,
            build: String::new(),
            reads: 1,
            draining: false,
        }
    }

    fn peer(id: MemberId) -> Peer {
        let (address, unreachable) = ("h:1".to_owned(), Vec::new());
        Peer { id, name: String::new(), address, certificate: Vec::new(), unreachable }
    }

    fn view(version: u64, owner: MemberId) -> Arc<View> {
        let mut view =
            View { version, members: vec![member(ME), member(OTHER)], ..View::default() };
        view.give(7, Some(owner));
        view.terms[7].epoch = version;
        Arc::new(view)
    }

    #[tokio::test(start_paused = true)]
    async fn a_shard_is_found_where_the_newest_view_has_it() {
        let shards = Shards::new(ME, Lease::endless());
        assert!(matches!(shards.place(7), Place::Moving));
        shards.install(view(1, ME), [peer(OTHER)]);
        assert!(matches!(shards.place(7), Place::Here(Grant { epoch: 1, .. })));
        shards.install(view(3, OTHER), [peer(OTHER)]);
        assert!(matches!(shards.place(7), Place::There(peer) if peer.id == OTHER));
        shards.install(view(2, ME), [peer(OTHER)]);
        assert!(shards.grant(7).is_none(), "an older view is left aside");
        shards.install(view(4, OTHER), []);
        assert!(matches!(shards.place(7), Place::Moving), "nobody knows how to reach it");
        assert!(shards.settled(7, SOON).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_shard_stays_so_until_its_term_ends_or_it_is_taken_up_again() {
        let shards = Shards::new(ME, Lease::endless());
        shards.install(view(1, ME), []);
        shards.close(&[7]);
        assert!(shards.grant(7).is_none());
        let mut again = View { version: 2, ..(*view(1, ME)).clone() };
        again.terms[7].moves += 1;
        shards.install(Arc::new(again), []);
        assert!(shards.grant(7).is_none(), "another view of the same term");
        let reopened = async {
            shards.wanted().await;
            shards.reopen(&[7]);
        };
        let (found, ()) = tokio::join!(shards.settled(7, SOON), reopened);
        assert!(matches!(found, Some(Place::Here(_))));
        shards.close(&[7]);
        shards.install(view(3, ME), []);
        assert!(shards.grant(7).is_some(), "a later term of ours begins open");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_hears_of_a_newer_view_has_it_read_at_once() {
        let shards = Shards::new(ME, Lease::endless());
        let read = async {
            shards.wanted().await;
            shards.install(view(2, ME), []);
        };
        let (caught_up, ()) = tokio::join!(shards.catch_up(2, SOON), read);
        assert!(caught_up);
        assert!(!shards.catch_up(3, SOON).await);
    }
}
