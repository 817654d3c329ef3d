//! How many event streams are open, in all and of each cart.

use std::collections::HashMap;
use std::sync::Arc;

use barrow_engine::ids::CartId;
use parking_lot::Mutex;

/// The open streams. Clones count the same ones.
#[derive(Debug, Clone)]
pub struct Streams {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    by_cart: Mutex<Open>,
    per_cart_max: usize,
    max: usize,
}

#[derive(Debug, Default)]
struct Open {
    by_cart: HashMap<CartId, usize>,
    total: usize,
}

/// Why there is no room for another stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    Cart,
    Server,
}

impl Streams {
    pub fn new(per_cart_max: usize, max: usize) -> Streams {
        Streams { inner: Arc::new(Inner { by_cart: Mutex::default(), per_cart_max, max }) }
    }

    /// Takes a place, which is given back when it is dropped.
    pub fn open(&self, cart: CartId) -> Result<Place, NoRoom> {
        let mut open = self.inner.by_cart.lock();
        if open.total >= self.inner.max {
            return Err(NoRoom::Server);
        }
        let of_cart = open.by_cart.get(&cart).copied().unwrap_or(0);
        if of_cart >= self.inner.per_cart_max {
            return Err(NoRoom::Cart);
        }
        open.by_cart.insert(cart, of_cart + 1);
        open.total += 1;
        Ok(Place { streams: self.clone(), cart })
    }
}

/// A place among the open streams.
#[derive(Debug)]
pub struct Place {
    streams: Streams,
    cart: CartId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.inner.by_cart.lock();
        open.total -= 1;
        let left = open.by_cart.get(&self.cart).map_or(0, |count| count - 1);
        match left {
            0 => open.by_cart.remove(&self.cart),
            left => open.by_cart.insert(self.cart, left),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_given_back() {
        let streams = Streams::new(2, 3);
        let [one, other] = [CartId(1), CartId(2)];
        let first = streams.open(one).unwrap();
        let _second = streams.open(one).unwrap();
        assert_eq!(streams.open(one).err(), Some(NoRoom::Cart));
        let _third = streams.open(other).unwrap();
        assert_eq!(streams.open(other).err(), Some(NoRoom::Server));
        drop(first);
        let _fourth = streams.open(one).unwrap();
        assert_eq!(streams.inner.by_cart.lock().total, 3);
    }

    #[test]
    fn nothing_is_kept_of_closed_streams() {
        let streams = Streams::new(8, 8);
        drop((streams.open(CartId(1)).unwrap(), streams.open(CartId(1)).unwrap()));
        let open = streams.inner.by_cart.lock();
        assert!(open.by_cart.is_empty() && open.total == 0);
    }
}
