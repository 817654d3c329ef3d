//! Proofs of the cart, through one bench: commands go in as the runtime would give them, and
//! after each of them the cart is compared with one read from its row and priced from scratch.

mod checkout;
mod codec;
mod cost;
mod hold;
mod merge;
mod model;
mod rules;
mod totals;

pub use cost::count_line;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::catalog::{ProductStatus, Sellable, Sku};
use crate::entity::Effect;
use crate::ids::SessionId;
use crate::money::{Currency, Money};
use crate::pricing::{Price, Shop};
use crate::quantity::Quantity;

pub const OWNER: Owner = workload::OWNER;
pub const STRANGER: Owner = Owner::Session(SessionId(8));

/// A cart, and the world around it.
pub struct Bench {
    pub cart: Cart,
    pub shop: Arc<Shop>,
    pub catalog: BTreeMap<Sku, Arc<Sellable>>,
    pub generation: u64,
    pub now: Timestamp,
    pub effects: Vec<Effect>,
}

impl Bench {
    /// An open cart in a channel of the sample shop.
    pub fn in_channel(channel: &str, currency: &str) -> Bench {
        let mut bench = Bench {
            cart: CartEntity::initial(1),
            shop: Arc::new(Shop::sample()),
            catalog: BTreeMap::new(),
            generation: 1,
            now: workload::NOW,
            effects: Vec::new(),
        };
        let action = CartAction::Create {
            currency: Currency::from_code(currency).unwrap(),
            channel: channel.parse().unwrap(),
            locale: "en".parse().unwrap(),
            shop: bench.shop.clone(),
        };
        assert_eq!(bench.give(By::Shopper(OWNER), action), Ok(1));
        bench
    }

    pub fn new() -> Bench {
        Bench::in_channel("web", "EUR")
    }

    /// Sets what the catalog says of `SKU-n`.
    pub fn stock(&mut self, n: u32, change: impl FnOnce(&mut Sellable)) {
        let mut sellable = workload::sellable(n, 1_000);
        sellable.sku = sku(n);
        sellable.prices.prices.truncate(1);
        sellable.prices.prices[0].amount.currency = self.cart.currency();
        change(&mut sellable);
        self.catalog.insert(sellable.sku.clone(), Arc::new(sellable));
        self.generation += 1;
    }

    /// Gives a command as the runtime would; answers how many events it led to.
    pub fn give(&mut self, by: By, action: CartAction) -> Result<usize, CartRejection> {
        self.freshen();
        let before = self.row();
        let decided = CartEntity::decide(&self.cart, CartCommand { by, action }, self.now);
        assert_eq!(self.row(), before, "to decide changes nothing");
        let decision = decided?;
        let count = decision.events.len();
        for event in decision.events {
            CartEntity::apply(&mut self.cart, event);
        }
        assert!(count > 0 || self.row() == before, "without an event nothing changes");
        self.effects.extend(decision.effects);
        self.check_against_scratch();
        Ok(count)
    }

    pub fn change(&mut self, steps: Vec<CartStep>) -> Result<usize, CartRejection> {
        self.give(By::Shopper(OWNER), CartAction::Change(steps))
    }

    /// One step; the refusal without its place.
    pub fn step(&mut self, step: CartStep) -> Result<usize, CartRejectionCode> {
        self.change(vec![step]).map_err(|rejection| {
            assert_eq!(rejection.step.unwrap_or(0), 0);
            rejection.code
        })
    }

    pub fn add(&self, n: u32, quantity: u32) -> CartStep {
        let sellable = self.catalog[&sku(n)].clone();
        CartStep::AddLine { sellable, quantity: Quantity::new(quantity).unwrap() }
    }

    pub fn row(&self) -> Vec<u8> {
        let mut row = Vec::new();
        CartEntity::encode(&self.cart, &mut row);
        row
    }

    /// Prices the cart anew, if the catalog has changed or a price has come or gone.
    pub fn freshen(&mut self) {
        if !self.cart.is_fresh(self.generation, self.now) {
            let (shop, sellables) = (self.shop.clone(), self.sellables(&self.cart));
            self.cart.refresh(shop, self.generation, sellables, self.now);
        }
    }

    fn sellables(&self, cart: &Cart) -> Vec<Option<Arc<Sellable>>> {
        cart.skus().iter().map(|sku| self.catalog.get(sku).cloned()).collect()
    }

    /// What was kept up to date is what a cart read from its row and priced anew would be.
    fn check_against_scratch(&self) {
        let mut scratch = CartEntity::decode(self.cart.id().0, &self.row()).unwrap();
        scratch.refresh(self.shop.clone(), 0, self.sellables(&scratch), self.now);
        assert_eq!(view(&self.cart), view(&scratch));
        self.cart.check_indexes();
    }

    pub fn totals(&self) -> [i64; 5] {
        let totals = self.cart.quote().totals();
        let all = [totals.subtotal, totals.discount, totals.shipping, totals.tax, totals.total];
        all.map(|money| money.amount)
    }

    pub fn problem_codes(&self) -> Vec<&'static str> {
        self.cart.problems().iter().map(Problem::code).collect()
    }

    /// The problems of lines only.
    pub fn line_problems(&self) -> Vec<Problem> {
        let problems = self.cart.problems().into_iter();
        problems.filter(|problem| problem.line().is_some()).collect()
    }
}

pub fn sku(n: u32) -> Sku {
    format!("SKU-{n}").parse().unwrap()
}

/// Sets the base price in minor units of the cart's currency.
pub fn at_price(unit: i64) -> impl FnOnce(&mut Sellable) {
    move |sellable| sellable.prices.prices[0].amount.amount = unit
}

/// Adds a unit price from a quantity on.
pub fn tier(sellable: &mut Sellable, min_quantity: u32, unit: i64) {
    let base = sellable.prices.prices[0].clone();
    let amount = Money::new(unit, base.amount.currency);
    let id = crate::ids::PriceId(base.id.0 + u128::from(min_quantity));
    sellable.prices.prices.push(Price { id, amount, min_quantity, ..base });
}

pub fn archived(sellable: &mut Sellable) {
    sellable.status = ProductStatus::Archived;
}

pub fn set(line: u32, quantity: u32) -> CartStep {
    CartStep::SetQuantity { line: LineId(line), quantity }
}

pub fn remove(line: u32) -> CartStep {
    CartStep::RemoveLine { line: LineId(line) }
}

pub fn method(id: &str) -> CartStep {
    CartStep::SetShippingMethod { id: id.to_owned() }
}

pub fn contact(email: &str) -> CartStep {
    CartStep::SetContact(Contact::new(email, None).unwrap())
}

pub fn address_form(country: &str, region: Option<&str>) -> AddressForm {
    AddressForm {
        first_name: "Ada".into(),
        last_name: "Lovelace".into(),
        line1: "12 St James's Square".into(),
        city: "London".into(),
        region: region.map(str::to_owned),
        postal_code: "SW1Y 4JH".into(),
        country: country.into(),
        ..AddressForm::default()
    }
}

pub fn ship_to(country: &str, region: Option<&str>) -> CartStep {
    CartStep::SetAddresses(Addresses::new(&address_form(country, region), None).unwrap())
}

/// All of a cart that anybody can see, to be compared.
pub fn view(cart: &Cart) -> String {
    let lines: Vec<_> = cart
        .lines()
        .map(|line| {
            assert_eq!(cart.line_of(line.sku().as_str()).map(Line::id), Some(line.id()));
            let prices = [line.unit_price(), line.accepted_unit_price(), line.line_total()];
            (line.id(), line.sku(), line.quantity(), prices, line.tax(), line.sellable().is_some())
        })
        .collect();
    format!(
        "{:?}\n{:?}\n{lines:?}\n{:?}\n{:?} {:?} {:?} {:?} {:?} {:?}",
        cart.quote(),
        cart.problems(),
        cart.shipping_options(),
        (cart.id(), cart.owner(), cart.status(), cart.currency(), cart.channel(), cart.locale()),
        cart.contact(),
        cart.addresses(),
        cart.shipping_method_id(),
        (cart.created_at(), cart.updated_at()),
        cart.next_line,
    )
}
