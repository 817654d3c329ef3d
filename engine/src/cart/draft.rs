//! What the steps of a change would make of a cart, laid over the cart as it is.

use std::collections::BTreeMap;

use super::event::{CartChange, CartEvent};
use super::state::SkuIndex;
use super::terms::Terms;
use super::{Addresses, Cart, Contact, LINES_MAX, Line, LineId};
use crate::time::Timestamp;

/// The cart, and over it the lines the steps so far have touched. Holds nothing of the lines
/// they left alone.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    cart: &'a Cart,
    now: Timestamp,
    /// `None` for a line that was removed.
    touched: BTreeMap<LineId, Option<Line>>,
    /// The lines that the steps added, whether or not they still stand.
    added: SkuIndex<LineId>,
    next_line: Option<LineId>,
    lines: usize,
    /// The terms after a step has moved the place.
    terms: Option<Terms>,
    events: Vec<CartEvent>,
}

impl<'a> Draft<'a> {
    pub fn new(cart: &'a Cart, now: Timestamp) -> Draft<'a> {
        Draft {
            cart,
            now,
            touched: BTreeMap::new(),
            added: SkuIndex::default(),
            next_line: cart.next_line.next().map(|_| cart.next_line),
            lines: cart.lines().len(),
            terms: None,
            events: Vec::new(),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn terms(&self) -> &Terms {
        self.terms.as_ref().unwrap_or(&self.cart.terms)
    }

    pub fn line(&self, id: LineId) -> Option<&Line> {
        match self.touched.get(&id) {
            Some(line) => line.as_ref(),
            None => self.cart.line(id),
        }
    }

    pub fn line_of(&self, sku: &str) -> Option<&Line> {
        let added = self.added.get(sku).copied();
        let id = added.or_else(|| self.cart.line_of(sku).map(Line::id))?;
        self.line(id)
    }

    /// The id of the next line; `None` where the cart takes no more.
    pub fn room(&self) -> Option<LineId> {
        self.next_line.filter(|_| self.lines < LINES_MAX)
    }

    pub fn contact(&self) -> Option<&Contact> {
        let set = self.latest(|change| match change {
            CartChange::ContactSet(contact) => Some(contact),
            _ => None,
        });
        set.or(self.cart.contact())
    }

    pub fn addresses(&self) -> Option<&Addresses> {
        let set = self.latest(|change| match change {
            CartChange::AddressesSet(addresses) => Some(addresses),
            _ => None,
        });
        set.or(self.cart.addresses())
    }

    pub fn shipping_method(&self) -> Option<&str> {
        let set = self.latest(|change| match change {
            CartChange::ShippingMethodSet { id } => Some(id.as_str()),
            _ => None,
        });
        set.or(self.cart.shipping_method_id())
    }

    fn latest<T>(&self, of: impl Fn(&'_ CartChange) -> Option<&'_ T>) -> Option<&T>
    where
        T: ?Sized,
    {
        self.events.iter().rev().find_map(|event| of(&event.change))
    }

    /// The lines whose current price the shopper has yet to agree to, each with that price.
    pub fn prices_to_accept(&self) -> Vec<(LineId, i64)> {
        let untouched = |(id, _): &(LineId, i64)| !self.touched.contains_key(id);
        let touched = self.touched.values().flatten();
        let touched = touched.filter_map(|line| Some((line.id(), line.unit_to_accept()?)));
        let mut prices: Vec<_> =
            self.cart.prices_to_accept().filter(untouched).chain(touched).collect();
        prices.sort_unstable();
        prices
    }

    /// Notes what happens to the cart. For a line it comes with the line as it then is.
    pub fn note(&mut self, change: CartChange) {
        self.events.push(CartEvent { at: self.now, change });
    }

    pub fn add_line(&mut self, line: Line) {
        let id = line.id();
        self.next_line = id.next().filter(|next| next.next().is_some());
        self.lines += 1;
        self.added.insert(line.sku().clone(), id);
        self.touched.insert(id, Some(line));
    }

    pub fn set_line(&mut self, line: Line) {
        self.touched.insert(line.id(), Some(line));
    }

    pub fn remove_line(&mut self, id: LineId) {
        if self.line(id).is_some() {
            self.lines -= 1;
            self.touched.insert(id, None);
        }
    }

    /// Whether the steps so far change anything.
    pub fn has_changes(&self) -> bool {
        !self.events.is_empty()
    }

    pub fn set_terms(&mut self, terms: Terms) {
        self.terms = Some(terms);
    }

    pub fn into_events(self) -> Vec<CartEvent> {
        self.events
    }
}
