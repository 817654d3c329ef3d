//! The cart against a model that knows no snapshots, no sums that are kept and no rows: a list of
//! lines, and a catalog that changes under it.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::cart::CartRejectionCode as Code;
use crate::quantity::QUANTITY_MAX;

/// One of a handful of SKUs, so that they meet often.
const SKUS: u32 = 5;
const PLACES: [(&str, Option<&str>); 5] =
    [("DE", None), ("FR", None), ("US", Some("NY")), ("US", Some("CA")), ("JP", None)];
const METHODS: [&str; 5] = ["standard", "express", "overseas", "us-ground", "balloon"];

#[derive(Debug, Clone)]
enum Op {
    Add(u32, u32),
    Set(u32, u32),
    Remove(u32),
    Accept,
    Place(usize),
    Method(usize),
}

#[derive(Debug, Clone)]
enum Turn {
    Change(Vec<Op>),
    Catalog(u32, Spec),
    Advance(u64),
}

/// What the catalog says of a SKU.
#[derive(Debug, Clone)]
struct Spec {
    gone: bool,
    archived: bool,
    unit: i64,
    tier: Option<(u32, i64)>,
    on_hand: u32,
    max_per_customer: Option<u32>,
    /// When its prices end, in milliseconds from the start.
    ends: Option<i64>,
}

impl Spec {
    /// The unit price of that many; the refusal of an add where there is none.
    fn unit(&self, quantity: u32, now: i64) -> Result<i64, Code> {
        if self.gone || self.archived {
            return Err(Code::VariantUnavailable);
        }
        if self.ends.is_some_and(|ends| ends <= now) {
            return Err(Code::NoPrice);
        }
        let tier = self.tier.filter(|(from, _)| *from <= quantity);
        let unit = tier.map_or(self.unit, |(_, unit)| unit);
        if unit * i64::from(quantity) > LINE_TOTAL_MAX {
            Err(Code::QuantityLimit)
        } else {
            Ok(unit)
        }
    }

    fn put_into(&self, bench: &mut Bench, n: u32) {
        bench.stock(n, |sellable| {
            at_price(self.unit)(sellable);
            if let Some((from, unit)) = self.tier {
                tier(sellable, from, unit);
            }
            let ends = self.ends.map(|ends| Timestamp(workload::NOW.0 + ends));
            sellable.prices.prices.iter_mut().for_each(|price| price.valid_until = ends);
            sellable.units = Some(i64::from(self.on_hand));
            sellable.stock.max_per_customer = self.max_per_customer;
            if self.archived {
                archived(sellable);
            }
        });
        if self.gone {
            bench.catalog.remove(&sku(n));
        }
    }
}

#[derive(Debug, Clone)]
struct ModelLine {
    n: u32,
    quantity: u32,
    accepted: i64,
}

#[derive(Debug, Clone)]
struct Model {
    channel: &'static str,
    lines: BTreeMap<u32, ModelLine>,
    next: u32,
    place: (&'static str, Option<&'static str>),
    method: Option<&'static str>,
}

impl Model {
    fn step(&mut self, op: &Op, specs: &BTreeMap<u32, Spec>, now: i64) -> Result<(), Code> {
        match *op {
            Op::Add(n, more) => {
                let old = self.lines.iter().find(|(_, line)| line.n == n).map(|(id, _)| *id);
                let quantity = old.map_or(0, |id| self.lines[&id].quantity) + more;
                if quantity > QUANTITY_MAX {
                    return Err(Code::QuantityLimit);
                }
                let accepted = specs[&n].unit(quantity, now)?;
                match old {
                    Some(id) => return self.set(id, quantity, specs, now),
                    None => self.lines.insert(self.next, ModelLine { n, quantity, accepted }),
                };
                self.next += 1;
                Ok(())
            }
            Op::Set(id, quantity) => {
                if !self.lines.contains_key(&id) {
                    return Err(Code::UnknownLine);
                }
                if quantity > QUANTITY_MAX {
                    return Err(Code::QuantityLimit);
                }
                self.set(id, quantity, specs, now)
            }
            Op::Remove(id) => self.lines.remove(&id).map(|_| ()).ok_or(Code::UnknownLine),
            Op::Accept => {
                for line in self.lines.values_mut() {
                    line.accepted =
                        specs[&line.n].unit(line.quantity, now).unwrap_or(line.accepted);
                }
                Ok(())
            }
            Op::Place(at) => {
                let known = PLACES[at].0 != "JP" && (self.channel == "web" || PLACES[at].0 == "US");
                self.place = if known { PLACES[at] } else { return Err(Code::UnknownCountry) };
                Ok(())
            }
            Op::Method(at) => {
                let country = self.place.0;
                let known = match METHODS[at] {
                    "standard" | "express" => self.channel == "web" && country != "US",
                    "overseas" => self.channel == "web" && country == "US",
                    "us-ground" => self.channel == "us",
                    _ => false,
                };
                self.method =
                    Some(known.then_some(METHODS[at]).ok_or(Code::UnknownShippingMethod)?);
                Ok(())
            }
        }
    }

    fn set(
        &mut self,
        id: u32,
        quantity: u32,
        specs: &BTreeMap<u32, Spec>,
        now: i64,
    ) -> Result<(), Code> {
        let line = self.lines.get_mut(&id).unwrap();
        if quantity == 0 {
            self.lines.remove(&id);
            return Ok(());
        }
        let before = specs[&line.n].unit(line.quantity, now);
        let after = specs[&line.n].unit(quantity, now);
        let nothing_open = before == Ok(line.accepted);
        let accepted = after.ok().filter(|_| nothing_open).unwrap_or(line.accepted);
        let grows = quantity > line.quantity;
        let too_much = accepted * i64::from(quantity) > LINE_TOTAL_MAX;
        if (grows && after == Err(Code::QuantityLimit)) || too_much {
            return Err(Code::QuantityLimit);
        }
        *line = ModelLine { n: line.n, quantity, accepted };
        Ok(())
    }

    fn change(
        &mut self,
        ops: &[Op],
        specs: &BTreeMap<u32, Spec>,
        now: i64,
    ) -> Result<(), CartRejection> {
        let mut draft = self.clone();
        for (index, op) in ops.iter().enumerate() {
            draft.step(op, specs, now).map_err(|code| code.at_step(index))?;
        }
        *self = draft;
        Ok(())
    }

    /// Lines as (id, SKU, quantity, accepted, current), and the codes of their problems.
    fn expected(&self, specs: &BTreeMap<u32, Spec>, now: i64) -> (Vec<Seen>, Vec<(u32, &str)>) {
        let mut problems = Vec::new();
        let lines = self.lines.iter().map(|(id, line)| {
            let spec = &specs[&line.n];
            let unit = spec.unit(line.quantity, now);
            match unit {
                Err(Code::QuantityLimit) => {}
                Err(_) => problems.push((*id, "variant_unavailable")),
                Ok(unit) if unit != line.accepted => problems.push((*id, "price_changed")),
                Ok(_) => {}
            }
            if matches!(unit, Ok(_) | Err(Code::QuantityLimit)) {
                if spec.on_hand < line.quantity {
                    problems.push((*id, "insufficient_stock"));
                }
                let too_many = spec.max_per_customer.is_some_and(|max| max < line.quantity);
                if unit.is_err() || too_many {
                    problems.push((*id, "quantity_limit"));
                }
            }
            let unit = unit.unwrap_or(line.accepted);
            (*id, sku(line.n), line.quantity, line.accepted, unit)
        });
        (lines.collect(), problems)
    }
}

/// A line as it is seen: id, SKU, quantity, accepted and current unit price.
type Seen = (u32, Sku, u32, i64, i64);

fn seen(cart: &Cart) -> (Vec<Seen>, Vec<(u32, &'static str)>) {
    let lines = cart.lines().map(|line| {
        let (accepted, unit) = (line.accepted_unit_price().amount, line.unit_price().amount);
        (line.id().0, line.sku().clone(), line.quantity().get(), accepted, unit)
    });
    let problems = cart.problems();
    let problems = problems.iter().filter_map(|it| Some((it.line()?.0, it.code())));
    (lines.collect(), problems.collect())
}

fn to_step(op: &Op, bench: &Bench) -> CartStep {
    match *op {
        Op::Add(n, quantity) => bench.add(n, quantity),
        Op::Set(id, quantity) => set(id, quantity),
        Op::Remove(id) => remove(id),
        Op::Accept => CartStep::AcceptPrices,
        Op::Place(at) => ship_to(PLACES[at].0, PLACES[at].1),
        Op::Method(at) => method(METHODS[at]),
    }
}

fn quantity() -> impl Strategy<Value = u32> {
    prop_oneof![6 => 1..15u32, 1 => 40_000..70_000u32, 1 => Just(QUANTITY_MAX)]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (0..SKUS, quantity()).prop_map(|(n, quantity)| Op::Add(n, quantity)),
        3 => (1..12u32, quantity()).prop_map(|(id, quantity)| Op::Set(id, quantity)),
        1 => (1..12u32, prop_oneof![Just(0), Just(QUANTITY_MAX + 1), Just(u32::MAX)])
            .prop_map(|(id, quantity)| Op::Set(id, quantity)),
        1 => (1..12u32).prop_map(Op::Remove),
        1 => Just(Op::Accept),
        1 => (0..PLACES.len()).prop_map(Op::Place),
        1 => (0..METHODS.len()).prop_map(Op::Method),
    ]
}

fn spec() -> impl Strategy<Value = Spec> {
    let unit = || prop::sample::select(vec![0i64, 1, 333, 999, 1_000, 1_000, 25_000_000]);
    let tier = prop::option::of((2..12u32, unit()));
    let max_per_customer = prop::option::weighted(0.3, 1..20u32);
    let ends = prop::option::weighted(0.3, 0..40i64);
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    (flags, unit(), tier, 0..100_000u32, max_per_customer, ends).prop_map(
        |((gone, archived), unit, tier, on_hand, max_per_customer, ends)| Spec {
            gone,
            archived,
            unit,
            tier,
            on_hand,
            max_per_customer,
            ends,
        },
    )
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        6 => prop::collection::vec(op(), 1..5).prop_map(Turn::Change),
        2 => (0..SKUS, spec()).prop_map(|(n, spec)| Turn::Catalog(n, spec)),
        1 => (1..10u64).prop_map(Turn::Advance),
    ]
}

fn run(
    is_us: bool,
    first: Vec<Spec>,
    turns: Vec<Turn>,
) -> Result<(), proptest::test_runner::TestCaseError> {
    let (channel, currency) = if is_us { ("us", "USD") } else { ("web", "EUR") };
    let mut bench = Bench::in_channel(channel, currency);
    let mut specs: BTreeMap<u32, Spec> = BTreeMap::new();
    let place = (if is_us { "US" } else { "DE" }, None);
    let mut model = Model { channel, lines: BTreeMap::new(), next: 1, place, method: None };
    let first = (0..).zip(first).map(|(n, spec)| Turn::Catalog(n, spec));
    for turn in first.chain(turns) {
        match turn {
            Turn::Catalog(n, spec) => {
                spec.put_into(&mut bench, n);
                specs.insert(n, spec);
            }
            Turn::Advance(millis) => bench.now = bench.now.plus(Duration::from_millis(millis)),
            Turn::Change(mut ops) => {
                // What the catalog does not know never reaches a cart.
                ops.retain(|op| !matches!(op, Op::Add(n, _) if specs[n].gone));
                let now = bench.now.0 - workload::NOW.0;
                let steps = ops.iter().map(|op| to_step(op, &bench)).collect();
                let found = bench.change(steps).map(|_| ());
                prop_assert_eq!(found, model.change(&ops, &specs, now));
                prop_assert_eq!(bench.cart.shipping_method_id(), model.method);
            }
        }
        bench.freshen();
        let now = bench.now.0 - workload::NOW.0;
        let (lines, problems) = model.expected(&specs, now);
        let subtotal: i64 = lines.iter().map(|line| i64::from(line.2) * line.4).sum();
        prop_assert_eq!(seen(&bench.cart), (lines, problems));
        prop_assert_eq!(bench.totals()[0], subtotal);
        prop_assert_eq!(bench.cart.next_line.0, model.next);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_cart_does_what_the_model_does(
        is_us: bool,
        first in prop::collection::vec(spec(), SKUS as usize),
        turns in prop::collection::vec(turn(), 1..40),
    ) {
        run(is_us, first, turns)?;
    }
}
