//! A cart as it lies in memory: what its row holds, and the prices and sums that follow from
//! that and from the catalog.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use super::event::{CartChange, CartEvent};
use super::line::KeptLine;
use super::problems::Problem;
use super::quote::{Quote, ShippingOption};
use super::terms::Terms;
use super::{Addresses, Contact, Hold, Line, LineId, Owner, order_of};
use crate::catalog::{ChannelId, Locale, Sellable, Sku};
use crate::entity::DecodeError;
use crate::ids::{CartId, OrderId};
use crate::money::{Currency, Money};
use crate::pricing::Shop;
use crate::time::Timestamp;

/// An index by SKU. Its hasher has no random seed, so that a run can be repeated exactly;
/// shoppers cannot choose colliding keys, for only the catalog's own SKUs come in.
pub(crate) type SkuIndex<V> = HashMap<Sku, V, BuildHasherDefault<DefaultHasher>>;

/// Whether a cart still takes changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CartStatus {
    Open,
    /// Frozen, while its order is paid for.
    CheckingOut,
    /// Bought; the shopper has another one.
    Ordered,
    /// Nobody touched it for so long that it was given up.
    Expired,
}

impl CartStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            CartStatus::Open => "open",
            CartStatus::CheckingOut => "checking_out",
            CartStatus::Ordered => "ordered",
            CartStatus::Expired => "expired",
        }
    }
}

/// Until when the prices in memory are those of the catalog.
#[derive(Debug, Clone, Copy)]
struct Freshness {
    generation: u64,
    /// When the first price or sale starts or ends; `None` for never.
    until: Option<Timestamp>,
}

/// A cart. One that was never created has no owner; its other fields then mean nothing.
///
/// Prices, problems and the quote are those of the last [`Cart::refresh`] and of the changes
/// since. After decoding there has to be one before they are looked at.
#[derive(Debug, Clone)]
pub struct Cart {
    pub(super) id: CartId,
    pub(super) owner: Option<Owner>,
    pub(super) status: CartStatus,
    pub(super) locale: Locale,
    pub(super) terms: Terms,
    pub(super) contact: Option<Contact>,
    /// Boxed: half a kilobyte that most carts do not have.
    pub(super) addresses: Option<Box<Addresses>>,
    pub(super) shipping_method: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) next_line: LineId,
    /// How often it was frozen.
    pub(super) freezes: u32,
    /// What the shopper agreed to pay, in minor units, when it was frozen last.
    pub(super) expected_total: i64,
    /// Boxed: most carts of most shops have none.
    pub(super) hold: Option<Box<Hold>>,
    /// Whether it had not run out when the cart was looked at last.
    pub(super) hold_lasts: bool,
    /// In the order of their ids: a list is smaller than a tree, and a cart has few.
    lines: Vec<Line>,
    by_sku: SkuIndex<LineId>,
    /// The lines that have a problem.
    troubled: BTreeSet<LineId>,
    quote: Quote,
    freshness: Option<Freshness>,
}

impl Cart {
    /// The cart that was never created.
    pub(super) fn absent(id: CartId) -> Cart {
        let currency = Currency::from_code("XXX").expect("ISO 4217 has a code for no currency");
        let channel = ChannelId::new("none").expect("the text is a channel id");
        Cart {
            id,
            owner: None,
            status: CartStatus::Open,
            locale: Locale::new("und").expect("ISO 639 has a code for no language"),
            terms: Terms::new(currency, channel, None, None),
            contact: None,
            addresses: None,
            shipping_method: None,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            next_line: LineId::FIRST,
            freezes: 0,
            expected_total: 0,
            hold: None,
            hold_lasts: false,
            lines: Vec::new(),
            by_sku: SkuIndex::default(),
            troubled: BTreeSet::new(),
            quote: Quote::empty(currency),
            freshness: None,
        }
    }

    pub fn id(&self) -> CartId {
        self.id
    }

    pub fn exists(&self) -> bool {
        self.owner.is_some()
    }

    pub fn owner(&self) -> Option<Owner> {
        self.owner
    }

    /// Whether this owner may read and change it; nobody may for a cart that does not exist.
    pub fn belongs_to(&self, owner: Owner) -> bool {
        self.owner == Some(owner)
    }

    pub fn status(&self) -> CartStatus {
        self.status
    }

    pub fn currency(&self) -> Currency {
        self.terms.currency
    }

    pub fn channel(&self) -> &ChannelId {
        &self.terms.channel
    }

    pub fn locale(&self) -> &Locale {
        &self.locale
    }

    pub fn contact(&self) -> Option<&Contact> {
        self.contact.as_ref()
    }

    pub fn addresses(&self) -> Option<&Addresses> {
        self.addresses.as_deref()
    }

    /// The method the shopper chose, whether or not it is still available.
    pub fn shipping_method_id(&self) -> Option<&str> {
        self.shipping_method.as_deref()
    }

    /// The chosen method with its price; `None` where none is chosen or it is not available.
    pub fn shipping_method(&self) -> Option<ShippingOption<'_>> {
        let id = self.shipping_method_id()?;
        self.shipping_options().into_iter().find(|option| option.id == id)
    }

    /// The methods that reach the shipping address, or the channel's default country while
    /// there is none, each with its price for this cart.
    pub fn shipping_options(&self) -> Vec<ShippingOption<'_>> {
        self.terms.shipping_options(self.quote.totals().subtotal.amount).collect()
    }

    /// Which of its tries to be bought this is, from 1.
    pub fn freeze(&self) -> u32 {
        self.freezes
    }

    /// What the shopper agreed to pay when it was frozen last.
    pub fn expected_total(&self) -> Money {
        Money::new(self.expected_total, self.terms.currency)
    }

    /// The order that it becomes: one for ever.
    pub fn order_id(&self) -> OrderId {
        order_of(self.id)
    }

    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    pub fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// The lines in the order in which they were added.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &Line> {
        self.lines.iter()
    }

    pub fn line(&self, id: LineId) -> Option<&Line> {
        self.place_of(id).ok().map(|place| &self.lines[place])
    }

    /// Where the line is, or would be.
    fn place_of(&self, id: LineId) -> Result<usize, usize> {
        self.lines.binary_search_by_key(&id, Line::id)
    }

    pub fn line_of(&self, sku: &str) -> Option<&Line> {
        self.by_sku.get(sku).and_then(|id| self.line(*id))
    }

    /// The SKUs in line order: what [`Cart::refresh`] wants the snapshots of.
    pub fn skus(&self) -> Vec<Sku> {
        self.lines.iter().map(|line| line.sku().clone()).collect()
    }

    /// Whether the prices in memory are still those of the catalog.
    pub fn is_fresh(&self, generation: u64, now: Timestamp) -> bool {
        self.freshness.is_some_and(|fresh| {
            fresh.generation == generation && fresh.until.is_none_or(|until| now < until)
        })
    }

    /// Prices every line anew from the catalog's snapshots, which come in the order of
    /// [`Cart::skus`]; `None` for a SKU that has gone. Nothing durable changes.
    pub fn refresh(
        &mut self,
        shop: Arc<Shop>,
        generation: u64,
        sellables: Vec<Option<Arc<Sellable>>>,
        now: Timestamp,
    ) {
        debug_assert_eq!(sellables.len(), self.lines.len(), "a snapshot for each line");
        self.terms = Terms::new(
            self.terms.currency,
            self.terms.channel.clone(),
            Some(shop),
            self.addresses.as_deref(),
        );
        self.freshness = Some(Freshness { generation, until: None });
        let kept: Vec<_> = self.lines.iter().map(Line::kept).collect();
        let sellables = sellables.into_iter().chain(std::iter::repeat(None));
        for (line, sellable) in kept.into_iter().zip(sellables) {
            self.put_line(line, sellable, now);
        }
        self.look_at_hold(now);
        self.settle();
    }

    /// Totals, kept up to date with each change.
    pub fn quote(&self) -> &Quote {
        &self.quote
    }

    /// What keeps the cart from being bought as it is: first the lines', in line order, then
    /// the cart's own. Costs what there are of them.
    pub fn problems(&self) -> Vec<Problem> {
        let troubled = self.troubled.iter().filter_map(|id| self.line(*id));
        let mut problems: Vec<_> = troubled.flat_map(Line::problems).collect();
        // What is reserved in its name is missing from what is left for others.
        problems.retain(|problem| !self.has_reserved(problem));
        if self.lines.is_empty() {
            problems.push(Problem::CartEmpty);
        }
        if self.contact.is_none() {
            problems.push(Problem::ContactMissing);
        }
        if self.addresses.is_none() {
            problems.push(Problem::ShippingAddressMissing);
        }
        match (&self.shipping_method, self.quote.shipping_price()) {
            (None, _) => problems.push(Problem::ShippingMethodMissing),
            (Some(_), None) => problems.push(Problem::ShippingMethodUnavailable),
            (Some(_), Some(_)) => {}
        }
        problems
    }

    /// Takes over lines that were read from a row, under their terms. Until the first refresh
    /// they count at their accepted prices.
    pub(super) fn adopt(&mut self, terms: Terms, lines: Vec<KeptLine>) -> Result<(), DecodeError> {
        self.quote = Quote::empty(terms.currency);
        self.terms = terms;
        let count = lines.len();
        self.lines.reserve_exact(count);
        for line in lines {
            self.put_line(line, None, self.updated_at);
        }
        self.settle();
        if self.by_sku.len() == count {
            Ok(())
        } else {
            Err(DecodeError::Damaged("two lines hold the same SKU"))
        }
    }

    /// The lines whose current price the shopper has yet to agree to, each with that price.
    pub(super) fn prices_to_accept(&self) -> impl Iterator<Item = (LineId, i64)> {
        let troubled = self.troubled.iter().filter_map(|id| self.line(*id));
        troubled.filter_map(|line| Some((line.id(), line.unit_to_accept()?)))
    }

    /// Adds a line or replaces it, and keeps index, problems and sums in step; the totals are
    /// for [`Cart::settle`].
    pub(super) fn put_line(
        &mut self,
        line: KeptLine,
        sellable: Option<Arc<Sellable>>,
        now: Timestamp,
    ) {
        if let Some(boundary) = sellable.as_ref().and_then(|it| it.next_boundary(now)) {
            self.stay_fresh_until(boundary);
        }
        self.store_line(line.priced(sellable, &self.terms, now));
    }

    fn stay_fresh_until(&mut self, boundary: Timestamp) {
        if let Some(fresh) = &mut self.freshness {
            fresh.until = Some(fresh.until.map_or(boundary, |until| until.min(boundary)));
        }
    }

    /// When a hold runs out its units may be missing: the problems are others then.
    fn look_at_hold(&mut self, now: Timestamp) {
        let until = self.hold().map(|hold| hold.until).filter(|until| now < *until);
        self.hold_lasts = until.is_some();
        if let Some(until) = until {
            self.stay_fresh_until(until);
        }
    }

    fn store_line(&mut self, line: Line) {
        let id = line.id();
        self.quote.add(line.priced());
        if line.problems().is_empty() {
            self.troubled.remove(&id);
        } else {
            self.troubled.insert(id);
        }
        match self.place_of(id) {
            Ok(place) => {
                self.quote.take(self.lines[place].priced());
                self.lines[place] = line;
            }
            Err(place) => {
                self.by_sku.insert(line.sku().clone(), id);
                self.lines.insert(place, line);
            }
        }
    }

    fn remove_line(&mut self, id: LineId) {
        if let Ok(place) = self.place_of(id) {
            let line = self.lines.remove(place);
            self.quote.take(line.priced());
            self.by_sku.remove(line.sku());
            self.troubled.remove(&id);
        }
    }

    /// What is kept beside the lines to find them is exactly what belongs to them.
    #[cfg(test)]
    pub(super) fn check_indexes(&self) {
        let by_sku: SkuIndex<_> =
            self.lines.iter().map(|line| (line.sku().clone(), line.id())).collect();
        assert_eq!(self.by_sku, by_sku);
        let troubled = self.lines.iter().filter(|line| !line.problems().is_empty());
        assert_eq!(self.troubled, troubled.map(Line::id).collect());
    }

    pub(super) fn settle(&mut self) {
        self.quote.settle(&self.terms, self.shipping_method.as_deref());
    }

    pub(super) fn apply(&mut self, event: CartEvent) {
        let at = event.at;
        match event.change {
            CartChange::Created { owner, currency, channel, locale, shop } => {
                self.owner = Some(owner);
                self.terms = Terms::new(currency, channel, Some(shop), None);
                self.locale = locale;
                self.created_at = at;
                self.updated_at = at;
                self.quote = Quote::empty(currency);
            }
            CartChange::LineAdded { line, sellable, quantity, accepted_unit } => {
                let kept =
                    KeptLine { id: line, sku: sellable.sku.clone(), quantity, accepted_unit };
                self.next_line = line.next().unwrap_or(line);
                self.hold.iter_mut().for_each(|hold| hold.leave_out(line));
                self.put_line(kept, Some(sellable), at);
            }
            CartChange::QuantityChanged { line, sellable, quantity, accepted_unit } => {
                let grows = self.line(line).is_some_and(|before| before.quantity() < quantity);
                self.hold.iter_mut().filter(|_| grows).for_each(|hold| hold.leave_out(line));
                self.change_line(line, sellable, at, |kept| {
                    kept.quantity = quantity;
                    kept.accepted_unit = accepted_unit;
                });
            }
            CartChange::LineRemoved { line } => self.remove_line(line),
            CartChange::Held(hold) => {
                self.hold = hold;
                self.look_at_hold(at);
            }
            CartChange::ContactSet(contact) => self.contact = Some(contact),
            CartChange::AddressesSet(addresses) => self.set_addresses(addresses),
            CartChange::ShippingMethodSet { id } => self.shipping_method = Some(id),
            CartChange::PricesAccepted { lines } => {
                for (line, unit) in lines {
                    self.change_line(line, None, at, |kept| kept.accepted_unit = unit);
                }
            }
            CartChange::Frozen { expected_total } => {
                self.status = CartStatus::CheckingOut;
                self.freezes += 1;
                self.expected_total = expected_total;
            }
            // What its order had reserved is let go, and was the cart's own before.
            CartChange::Unfrozen => self.end_hold(CartStatus::Open),
            CartChange::Ordered => self.end_hold(CartStatus::Ordered),
            CartChange::Expired => self.end_hold(CartStatus::Expired),
        }
        self.updated_at = self.updated_at.max(at);
        self.settle();
    }

    fn end_hold(&mut self, status: CartStatus) {
        self.status = status;
        self.hold = None;
    }

    /// Changes what is kept of a line; a newer snapshot replaces the one it has.
    fn change_line(
        &mut self,
        id: LineId,
        newer: Option<Arc<Sellable>>,
        at: Timestamp,
        change: impl FnOnce(&mut KeptLine),
    ) {
        let Some(line) = self.line(id) else { return };
        let sellable = newer.or_else(|| line.sellable().cloned());
        let mut kept = line.kept();
        change(&mut kept);
        self.put_line(kept, sellable, at);
    }

    /// The place decides the tax of every line, so this touches them all.
    fn set_addresses(&mut self, addresses: Addresses) {
        self.terms = self.terms.at(Some(&addresses));
        self.addresses = Some(Box::new(addresses));
        let retaxed: Vec<_> = self.lines.iter().map(|line| line.retaxed(&self.terms)).collect();
        for line in retaxed {
            self.store_line(line);
        }
    }
}
