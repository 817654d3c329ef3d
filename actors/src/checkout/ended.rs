//! Checkouts that came to an end here a moment ago: their carts' news need not be looked into.

use std::collections::{BTreeSet, VecDeque};

use barrow_engine::ids::CartId;
use parking_lot::Mutex;

/// How many are remembered.
const ENDED_MAX: usize = 4_096;

/// Tries to buy carts of which nothing is left to do.
#[derive(Default)]
pub(super) struct Ended {
    tries: Mutex<Tries>,
}

#[derive(Default)]
struct Tries {
    known: BTreeSet<(CartId, u32)>,
    oldest_first: VecDeque<(CartId, u32)>,
}

impl Ended {
    pub fn remember(&self, cart: CartId, freeze: u32) {
        let mut tries = self.tries.lock();
        if !tries.known.insert((cart, freeze)) {
            return;
        }
        tries.oldest_first.push_back((cart, freeze));
        if tries.oldest_first.len() > ENDED_MAX
            && let Some(oldest) = tries.oldest_first.pop_front()
        {
            tries.known.remove(&oldest);
        }
    }

    pub fn has(&self, cart: CartId, freeze: u32) -> bool {
        self.tries.lock().known.contains(&(cart, freeze))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_remembered() {
        let ended = Ended::default();
        for n in 0..=ENDED_MAX as u128 {
            ended.remember(CartId(n), 1);
            ended.remember(CartId(n), 1);
        }
        assert!(!ended.has(CartId(0), 1), "the oldest is forgotten");
        assert!(ended.has(CartId(1), 1) && ended.has(CartId(ENDED_MAX as u128), 1));
        assert!(!ended.has(CartId(1), 2), "of a later try nothing is known");
    }
}
