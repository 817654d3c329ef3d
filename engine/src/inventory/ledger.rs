//! What a transaction does to stock: decided on the rows it has locked, and written by it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::level::{DEFAULT_LOCATION, UNITS_MAX, default_location};
use super::{Claim, Held, Kept, Level, Movement, MovementDraft, Standing, StockNews, Wish};
use crate::catalog::{Location, Sku};
use crate::ids::{MovementId, OrderId};
use crate::orders::{Order, OverLimit, StockChange};
use crate::time::Timestamp;

/// Why stock does not change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StockRefusal {
    /// More would go than lie there and are not promised.
    #[error("{available} of {sku} can go from {location}")]
    BelowZero { sku: Sku, location: Location, available: u64 },
    #[error("no more than {UNITS_MAX} of {sku} can lie at {location}")]
    TooMany { sku: Sku, location: Location },
    /// An order is to get more than there is.
    #[error("{available} of {sku} are available")]
    TooFew { sku: Sku, requested: u64, available: u64 },
    /// What the order reserved is not all there any more.
    #[error("the reservation of {sku} is gone")]
    ReservationGone { sku: Sku },
    /// Its customer would have more than one may have.
    #[error("no more than {} of {} for one customer", .0.maximum, .0.sku)]
    OverLimit(OverLimit),
    /// The order has fewer allocated than that.
    #[error("{allocated} of {sku} are allocated")]
    NotAllocated { sku: Sku, allocated: u64 },
}

/// The levels and claims that a transaction has locked, as they were and as they will be. It holds
/// all levels of the SKUs concerned, and all claims on them of the orders concerned.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    levels: BTreeMap<(Sku, Location), Level>,
    claims: BTreeMap<(OrderId, Sku, Location), Claim>,
    changed_levels: BTreeSet<(Sku, Location)>,
    changed_claims: BTreeSet<(OrderId, Sku, Location)>,
    movements: Vec<Movement>,
    /// What was available of each SKU, over all its locations.
    available_before: BTreeMap<Sku, i64>,
}

/// The rows that a transaction has to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerChanges {
    /// To be inserted or replaced, in the order in which rows are locked.
    pub levels: Vec<Level>,
    /// To be inserted or replaced.
    pub claims: Vec<Claim>,
    /// To be removed.
    pub released: Vec<(OrderId, Sku, Location)>,
    /// To be inserted.
    pub movements: Vec<Movement>,
    /// To be told, in the order of the SKUs.
    pub news: Vec<StockNews>,
}

impl LedgerChanges {
    /// Whether there is something to tell.
    pub fn has_news(&self) -> bool {
        !self.news.is_empty()
    }
}

impl Ledger {
    pub fn new(
        levels: impl IntoIterator<Item = Level>,
        claims: impl IntoIterator<Item = Claim>,
    ) -> Ledger {
        let levels: BTreeMap<_, _> =
            levels.into_iter().map(|level| (key_of(&level), level)).collect();
        let claims = claims.into_iter().map(|claim| (claim_key(&claim), claim)).collect();
        let available_before = available(levels.values());
        Ledger { levels, claims, available_before, ..Ledger::default() }
    }

    pub fn levels(&self) -> impl Iterator<Item = &Level> {
        self.levels.values()
    }

    /// Reserves units of one SKU for one order after another, where `allowance` more may be
    /// promised than are on hand (`None`: without end). What an order has allocated stays.
    pub fn reserve(&mut self, sku: &Sku, allowance: Option<u64>, wishes: &[Wish]) -> Vec<Held> {
        let allowance = allowance.unwrap_or(UNITS_MAX).min(UNITS_MAX);
        wishes.iter().map(|wish| self.reserve_one(sku, allowance, wish)).collect()
    }

    fn reserve_one(&mut self, sku: &Sku, allowance: u64, wish: &Wish) -> Held {
        let before = self.clone_of(sku, wish.order);
        if before.iter().any(Claim::is_allocated) {
            return Held::All;
        }
        before.iter().for_each(|claim| self.drop_claim(claim));
        let left = self.left(sku, allowance);
        if u64::from(wish.quantity) > left {
            before.into_iter().for_each(|claim| self.put_claim(claim));
            return Held::Short { available: left };
        }
        let mut missing = u64::from(wish.quantity);
        for location in self.locations(sku) {
            let level = self.level_mut(sku, &location);
            let part = missing.min(u64::try_from(level.available()).unwrap_or(0));
            missing -= part;
            self.hold(sku, location, part, wish, allowance);
        }
        // What is sold before it comes will come to where stock comes by itself.
        self.hold(sku, default_location(), missing, wish, allowance);
        Held::All
    }

    fn hold(&mut self, sku: &Sku, location: Location, units: u64, wish: &Wish, allowance: u64) {
        if units == 0 {
            return;
        }
        let key = (wish.order, sku.clone(), location.clone());
        let held = self.claims.get(&key).map_or(0, |claim| claim.quantity);
        if let Some(claim) = self.claims.get(&key).cloned() {
            self.drop_claim(&claim);
        }
        let level = self.level_mut(sku, &location);
        let beyond = (level.promised() + held + units).saturating_sub(level.on_hand);
        let is_default = location.as_str() == DEFAULT_LOCATION;
        level.allowance = if is_default { allowance.max(beyond) } else { beyond };
        self.put_claim(Claim {
            order: wish.order,
            sku: sku.clone(),
            location,
            quantity: held + units,
            expires_at: Some(wish.expires_at),
        });
    }

    /// How many can still be promised, over all locations.
    fn left(&self, sku: &Sku, allowance: u64) -> u64 {
        let levels = self.levels.values().filter(|level| level.sku == *sku);
        let available: i64 = levels.map(Level::available).sum();
        u64::try_from(available.saturating_add(allowance as i64)).unwrap_or(0)
    }

    /// The default one first, the others by name.
    fn locations(&self, sku: &Sku) -> Vec<Location> {
        let own = self.levels.keys().filter(|(own, _)| own == sku);
        let mut locations: Vec<Location> = own.map(|(_, location)| location.clone()).collect();
        locations.sort_by_key(|location| location.as_str() != DEFAULT_LOCATION);
        locations
    }

    /// Lets go what the order has reserved. What it has allocated stays.
    pub fn release(&mut self, order: OrderId) {
        let own = self.claims.values().filter(|claim| claim.order == order);
        let reserved: Vec<Claim> = own.filter(|claim| !claim.is_allocated()).cloned().collect();
        reserved.iter().for_each(|claim| self.drop_claim(claim));
    }

    /// Renews what the order has reserved, of each SKU no more units than are to be kept: the rest
    /// is let go. What it has allocated stays.
    pub fn keep(&mut self, order: OrderId, keep: &BTreeMap<Sku, u64>, until: Timestamp) -> Kept {
        let own = self.claims.values().filter(|claim| claim.order == order);
        let reserved: Vec<Claim> = own.filter(|claim| !claim.is_allocated()).cloned().collect();
        let mut kept = Kept::default();
        for claim in reserved {
            let held = kept.held.get(&claim.sku).copied().unwrap_or(0);
            let wanted = keep.get(&claim.sku).map_or(0, |wanted| wanted - held.min(*wanted));
            let part = claim.quantity.min(wanted);
            if part < claim.quantity {
                self.drop_claim(&claim);
                kept.freed.insert(claim.sku.clone());
            }
            if part == 0 {
                continue;
            }
            *kept.held.entry(claim.sku.clone()).or_default() += part;
            let claim = Claim { quantity: part, expires_at: Some(until), ..claim };
            match self.claims.entry(claim_key(&claim)) {
                // Its level is as it was.
                Entry::Occupied(mut same) => {
                    self.changed_claims.insert(claim_key(&claim));
                    same.insert(claim);
                }
                Entry::Vacant(_) => self.put_claim(claim),
            }
        }
        kept
    }

    /// Lets go whatever reservation has run out.
    pub fn expire(&mut self, now: Timestamp) {
        let over = self.claims.values().filter(|claim| claim.has_expired(now));
        let over: Vec<Claim> = over.cloned().collect();
        over.iter().for_each(|claim| self.drop_claim(claim));
    }

    /// Books units that came or went. One of no units is no line of the ledger, but its level is
    /// known from then on: it was counted, and nothing lies there.
    ///
    /// # Errors
    /// Where more would go than are there and not promised; nothing has changed then.
    pub fn book(&mut self, draft: MovementDraft) -> Result<Movement, StockRefusal> {
        let (sku, location) = (draft.sku.clone(), draft.location.clone());
        let level = self.level_mut(&sku, &location);
        let on_hand = i128::from(level.on_hand) + i128::from(draft.quantity);
        let free = (level.on_hand + level.allowance).saturating_sub(level.promised());
        if on_hand < 0 || draft.quantity < 0 && draft.quantity.unsigned_abs() > free {
            let available = free.min(level.on_hand);
            return Err(StockRefusal::BelowZero { sku, location, available });
        }
        let on_hand = u64::try_from(on_hand).unwrap_or(u64::MAX);
        if on_hand > UNITS_MAX {
            return Err(StockRefusal::TooMany { sku, location });
        }
        level.on_hand = on_hand;
        self.changed_levels.insert((sku, location));
        let movement = Movement { draft, level: on_hand };
        if movement.draft.quantity != 0 {
            self.movements.push(movement.clone());
        }
        Ok(movement)
    }

    /// What a change of an order does to its units, by whom and when.
    ///
    /// # Errors
    /// Where the order does not hold what it takes for its own; the transaction has to end.
    pub fn change(
        &mut self,
        order: &Order,
        changes: &[StockChange],
        by: (&str, Timestamp),
    ) -> Result<(), StockRefusal> {
        for change in changes {
            match change {
                StockChange::Allocate => self.allocate(order, by.1)?,
                StockChange::AllocateMore { sku, quantity, allowance } => {
                    self.allocate_more(order.id, sku, u64::from(*quantity), *allowance)?;
                }
                StockChange::Release { sku, quantity } => {
                    self.take_allocated(order.id, sku, *quantity)?;
                }
                StockChange::Ship { sku, quantity } => {
                    for (location, units) in self.take_allocated(order.id, sku, *quantity)? {
                        let gone = -(units as i64);
                        self.move_units(order, sku, location, gone, "shipped", by)?;
                    }
                }
                StockChange::Unship { sku, quantity } => {
                    let (location, back) = (default_location(), i64::from(*quantity));
                    let at = location.clone();
                    self.move_units(order, sku, at, back, "not shipped", by)?;
                    self.add_allocated(order.id, sku, location, u64::from(*quantity));
                }
                StockChange::Restock { sku, location, quantity } => {
                    let location = location.clone().unwrap_or_else(default_location);
                    let back = i64::from(*quantity);
                    self.move_units(order, sku, location, back, "returned", by)?;
                }
            }
        }
        Ok(())
    }

    /// A reservation that has run out is nobody's, even while it still stands there: somebody else
    /// may be told so at any moment.
    fn allocate(&mut self, order: &Order, now: Timestamp) -> Result<(), StockRefusal> {
        let mut wanted: BTreeMap<&Sku, u64> = BTreeMap::new();
        for line in order.tracked_lines() {
            *wanted.entry(&line.sku).or_default() += u64::from(line.quantity);
        }
        for (sku, quantity) in wanted {
            let mut held = self.clone_of(sku, order.id);
            held.retain(|claim| !claim.has_expired(now));
            if held.iter().map(|claim| claim.quantity).sum::<u64>() != quantity {
                return Err(StockRefusal::ReservationGone { sku: sku.clone() });
            }
            for claim in held {
                self.drop_claim(&claim);
                self.put_claim(Claim { expires_at: None, ..claim });
            }
        }
        Ok(())
    }

    fn allocate_more(
        &mut self,
        order: OrderId,
        sku: &Sku,
        quantity: u64,
        allowance: u64,
    ) -> Result<(), StockRefusal> {
        let allowance = allowance.min(UNITS_MAX);
        let available = self.left(sku, allowance);
        if quantity > available {
            return Err(StockRefusal::TooFew { sku: sku.clone(), requested: quantity, available });
        }
        let mut missing = quantity;
        for location in self.locations(sku) {
            let level = self.level_mut(sku, &location);
            let part = missing.min(u64::try_from(level.available()).unwrap_or(0));
            missing -= part;
            if part > 0 {
                self.add_allocated(order, sku, location, part);
            }
        }
        if missing > 0 {
            // As what is reserved before it comes.
            let location = default_location();
            let level = self.level_mut(sku, &location);
            let beyond = (level.promised() + missing).saturating_sub(level.on_hand);
            level.allowance = allowance.max(beyond);
            self.add_allocated(order, sku, location, missing);
        }
        Ok(())
    }

    /// Takes units off what the order has allocated; where from.
    fn take_allocated(
        &mut self,
        order: OrderId,
        sku: &Sku,
        quantity: u32,
    ) -> Result<Vec<(Location, u64)>, StockRefusal> {
        let mut missing = u64::from(quantity);
        let mut taken = Vec::new();
        let held = self.clone_of(sku, order);
        let allocated = held.iter().filter(|one| one.is_allocated()).map(|one| one.quantity).sum();
        if missing > allocated {
            return Err(StockRefusal::NotAllocated { sku: sku.clone(), allocated });
        }
        for claim in held.into_iter().filter(Claim::is_allocated) {
            let part = claim.quantity.min(missing);
            if part == 0 {
                continue;
            }
            missing -= part;
            taken.push((claim.location.clone(), part));
            self.drop_claim(&claim);
            if claim.quantity > part {
                self.put_claim(Claim { quantity: claim.quantity - part, ..claim });
            }
        }
        Ok(taken)
    }

    fn add_allocated(&mut self, order: OrderId, sku: &Sku, location: Location, units: u64) {
        let key = (order, sku.clone(), location.clone());
        let before = self.claims.get(&key).cloned();
        if let Some(before) = &before {
            self.drop_claim(before);
        }
        let quantity = before.map_or(0, |before| before.quantity) + units;
        self.put_claim(Claim { order, sku: sku.clone(), location, quantity, expires_at: None });
    }

    fn clone_of(&self, sku: &Sku, order: OrderId) -> Vec<Claim> {
        // Of thousands of orders that want one SKU each looks at its own claims only.
        let from = (order, sku.clone(), first_location());
        let own = self.claims.range(from..).map(|(_, claim)| claim);
        own.take_while(|claim| claim.order == order && claim.sku == *sku).cloned().collect()
    }

    fn put_claim(&mut self, claim: Claim) {
        let level = self.level_mut(&claim.sku, &claim.location);
        match claim.is_allocated() {
            true => level.allocated += claim.quantity,
            false => level.reserved += claim.quantity,
        }
        debug_assert!(level.is_sound(), "I7: {level:?}");
        self.changed_levels.insert((claim.sku.clone(), claim.location.clone()));
        let key = claim_key(&claim);
        self.changed_claims.insert(key.clone());
        self.claims.insert(key, claim);
    }

    fn drop_claim(&mut self, claim: &Claim) {
        let level = self.level_mut(&claim.sku, &claim.location);
        match claim.is_allocated() {
            true => level.allocated -= claim.quantity,
            false => level.reserved -= claim.quantity,
        }
        self.changed_levels.insert((claim.sku.clone(), claim.location.clone()));
        let key = claim_key(claim);
        self.claims.remove(&key);
        self.changed_claims.insert(key);
    }

    fn level_mut(&mut self, sku: &Sku, location: &Location) -> &mut Level {
        match self.levels.entry((sku.clone(), location.clone())) {
            Entry::Occupied(level) => level.into_mut(),
            Entry::Vacant(none) => none.insert(Level::empty(sku.clone(), location.clone())),
        }
    }

    /// Its id tells which version of the order moved them, so that a repeated write is the same.
    fn move_units(
        &mut self,
        order: &Order,
        sku: &Sku,
        location: Location,
        quantity: i64,
        reason: &str,
        (actor, at): (&str, Timestamp),
    ) -> Result<(), StockRefusal> {
        let name = format!("{}/{}/{}", order.id, order.version, self.movements.len());
        self.book(MovementDraft {
            id: MovementId::derived(&name),
            sku: sku.clone(),
            location,
            quantity,
            reason: reason.to_owned(),
            actor: actor.to_owned(),
            order: Some(order.id),
            at,
        })?;
        Ok(())
    }

    pub fn into_changes(self) -> LedgerChanges {
        let news = self.news();
        let Ledger { levels, claims, changed_levels, changed_claims, movements, .. } = self;
        let (kept, gone): (Vec<_>, Vec<_>) =
            changed_claims.into_iter().partition(|key| claims.contains_key(key));
        LedgerChanges {
            levels: changed_levels.iter().map(|key| levels[key].clone()).collect(),
            claims: kept.iter().map(|key| claims[key].clone()).collect(),
            released: gone,
            movements,
            news,
        }
    }

    fn news(&self) -> Vec<StockNews> {
        let after = available(self.levels.values());
        let crossed = after.into_iter().filter_map(|(sku, available)| {
            let before = self.available_before.get(&sku).copied().unwrap_or(0);
            Standing::news(before, available).map(|kind| StockNews { sku, kind, available })
        });
        crossed.collect()
    }
}

fn available<'a>(levels: impl Iterator<Item = &'a Level>) -> BTreeMap<Sku, i64> {
    let mut sums = BTreeMap::new();
    for level in levels {
        *sums.entry(level.sku.clone()).or_default() += level.available();
    }
    sums
}

fn key_of(level: &Level) -> (Sku, Location) {
    (level.sku.clone(), level.location.clone())
}

fn claim_key(claim: &Claim) -> (OrderId, Sku, Location) {
    (claim.order, claim.sku.clone(), claim.location.clone())
}

/// No location comes before it: what is less than this sign is a space or controls something.
fn first_location() -> Location {
    Location::new("!").expect("the text is a location")
}
