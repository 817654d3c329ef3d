//! Whether orders, stock and money are as they were told to be: the database against itself, the
//! bank's books, the carts, and what everybody was told.

use std::collections::{BTreeMap, BTreeSet};

use barrow_adapters::simulated::CommerceRows;
use barrow_engine::catalog::Sku;
use barrow_engine::ids::{CartId, OrderId};
use barrow_engine::orders::{OperationKind, Order, OrderStatus};

use super::bank::Account;
use super::purchases::{Heard, Mark, PurchaseLog};
use super::{GOODS, UNITS_EACH, good_sku};
use crate::simulation::history::History;

/// How a cart stands in the end: its status and the order that it names.
pub type CartStates = BTreeMap<CartId, (String, Option<OrderId>)>;

fn is_sold(order: &Order) -> bool {
    !matches!(order.status, OrderStatus::Draft | OrderStatus::Abandoned)
}

/// Units by SKU.
fn units(order: &Order) -> BTreeMap<String, u32> {
    let mut units = BTreeMap::new();
    for line in &order.lines {
        *units.entry(line.sku.as_str().to_owned()).or_default() += line.quantity;
    }
    units
}

/// A draft that is being paid for holds what it is about, whatever is not known.
pub fn reservations(rows: &CommerceRows, history: &History) {
    let drafts = rows.orders.iter().filter(|order| order.status == OrderStatus::Draft);
    for order in drafts.filter(|order| order.live_payment().is_some()) {
        for (sku, wanted) in units(order) {
            let held = rows.claims.iter();
            let held = held.filter(|claim| claim.order == order.id && claim.sku.as_str() == sku);
            let held: u64 = held.map(|claim| claim.quantity).sum();
            if held != u64::from(wanted) {
                let paid = "while it is being paid for";
                history.wrong(format!("{} holds {held} of {wanted} {sku} {paid}", order.id));
            }
        }
    }
}

/// All that there is at rest.
pub struct Audit<'a> {
    pub rows: &'a CommerceRows,
    pub accounts: &'a BTreeMap<String, Account>,
    pub told: &'a PurchaseLog,
    pub carts: &'a CartStates,
    pub history: &'a History,
}

impl Audit<'_> {
    pub fn check(&self) {
        self.check_orders();
        self.check_carts();
        self.check_stock();
        for order in &self.rows.orders {
            self.check_money(order);
        }
        self.check_accounts();
        self.check_commands();
    }

    fn wrong(&self, what: String) {
        self.history.wrong(what);
    }

    fn order(&self, id: OrderId) -> Option<&Order> {
        self.rows.orders.iter().find(|order| order.id == id)
    }

    /// One for each cart, nothing left to do for any, with what was frozen; what was told is there.
    fn check_orders(&self) {
        let (mut carts, mut numbers) = (BTreeSet::new(), BTreeSet::new());
        for order in &self.rows.orders {
            let id = order.id;
            if !carts.insert(order.cart) {
                self.wrong(format!("{} has two orders", order.cart));
            }
            if order.number.is_some_and(|number| !numbers.insert(number)) {
                self.wrong(format!("{id} has the number of another order"));
            }
            if !order.is_settled() {
                self.wrong(format!(
                    "{id} is {:?}, and there is something left to do",
                    order.status
                ));
            }
            let Some(bought) = self.told.carts.get(&order.cart) else {
                self.wrong(format!("{id} is of {}, which nobody bought", order.cart));
                continue;
            };
            if (units(order), order.totals().total) != (bought.units.clone(), bought.total) {
                let has = (units(order), order.totals().total);
                self.wrong(format!("{id} has {has:?}, and not what was bought: {bought:?}"));
            }
        }
        for (cart, bought) in &self.told.carts {
            let Some(told) = bought.order else { continue };
            let is_there = self.order(told).is_some_and(|it| it.cart == *cart && is_sold(it));
            if !is_there {
                self.wrong(format!("{told} of {cart} was acknowledged and is lost"));
            }
        }
    }

    /// A cart says that it is ordered if and only if its order is placed; and none is frozen.
    fn check_carts(&self) {
        let orders: BTreeMap<CartId, &Order> =
            self.rows.orders.iter().map(|order| (order.cart, order)).collect();
        for (cart, (status, named)) in self.carts {
            let order = orders.get(cart).filter(|order| is_sold(order));
            let (expected, id) = match order {
                Some(order) => ("ordered", Some(order.id)),
                None => ("open", None),
            };
            if (status.as_str(), *named) != (expected, id) {
                self.wrong(format!("{cart} is {status} as {named:?}, not {expected} as {id:?}"));
            }
        }
    }

    /// Movements sum to what is on hand, that to what was not sent, and nothing is held but what
    /// orders have allocated.
    fn check_stock(&self) {
        for good in 0..GOODS {
            let sku = good_sku(good);
            let level = self.rows.levels.iter().filter(|level| level.sku == sku);
            let sum = |part: fn(&barrow_engine::inventory::Level) -> u64| {
                level.clone().map(part).sum::<u64>()
            };
            let (on_hand, allocated) = (sum(|it| it.on_hand), sum(|it| it.allocated));
            let reserved = sum(|it| it.reserved);
            let moved = self.rows.movements.iter().filter(|moved| moved.draft.sku == sku);
            let moved: i64 = moved.map(|moved| moved.draft.quantity).sum();
            let (sent, wanted) = self.sent_and_wanted(&sku);
            let expected = (UNITS_EACH as i64 - sent, wanted, 0, UNITS_EACH as i64 - sent);
            let found = (on_hand as i64, allocated, reserved, moved);
            if found != expected {
                self.wrong(format!(
                    "{sku}: on hand, allocated, reserved and moved are {found:?}, not {expected:?}"
                ));
            }
        }
    }

    /// Units that left the house and did not come back to the shelf, and units that placed orders
    /// still wait for.
    fn sent_and_wanted(&self, sku: &Sku) -> (i64, u64) {
        let (mut sent, mut wanted) = (0, 0);
        for order in self.rows.orders.iter().filter(|order| is_sold(order)) {
            for line in order.lines.iter().filter(|line| line.sku == *sku) {
                sent += i64::from(line.fulfilled) - i64::from(line.returned);
                if order.status != OrderStatus::Cancelled {
                    wanted += u64::from(line.unfulfilled());
                }
            }
        }
        (sent, wanted)
    }

    /// No more is taken than was authorized, nor given back than was taken; whoever gets nothing
    /// has all of it back; and the bank says the same of each attempt, to the cent.
    fn check_money(&self, order: &Order) {
        for (payment, attempt) in order.payments.iter().zip(1..) {
            let (authorized, captured) = (payment.authorized(), payment.captured());
            let (refunded, voided) = (payment.refunded(), payment.is_voided());
            let own = format!("{} attempt {attempt}", order.id);
            if captured > authorized || refunded > captured {
                self.wrong(format!("{own}: {authorized}, {captured}, {refunded}"));
            }
            let is_held = authorized > 0 && !voided && captured < authorized;
            if !order.is_wanted() && (refunded != captured || is_held && captured == 0) {
                self.wrong(format!("{own} holds money for nothing"));
            }
            let accounts = self.accounts.values();
            let accounts = accounts.filter(|it| (it.order, it.attempt) == (order.id, attempt));
            let at_bank: Vec<_> =
                accounts.map(|it| (it.authorized, it.captured, it.refunded, it.voided)).collect();
            let as_here = match authorized {
                0 => Vec::new(),
                _ => vec![(authorized, captured, refunded, voided)],
            };
            if at_bank != as_here {
                self.wrong(format!("{own}: the bank has {at_bank:?}, the order {as_here:?}"));
            }
        }
        let captured: i64 = order.payments.iter().map(|payment| payment.captured()).sum();
        if captured > order.totals().total {
            self.wrong(format!("{}: {captured} were taken for it", order.id));
        }
        if order.is_wanted() && is_sold(order) {
            let holding = order.payments.iter().filter(|payment| payment.authorized() > 0);
            let holding = holding.filter(|payment| !payment.is_voided()).count();
            if holding != 1 {
                self.wrong(format!("{} was paid for {holding} times", order.id));
            }
        }
    }

    /// The bank holds nothing that no order knows of.
    fn check_accounts(&self) {
        for (name, account) in self.accounts {
            let order = self.order(account.order);
            let is_known = order.is_some_and(|it| it.payments.len() >= account.attempt as usize);
            if !is_known {
                self.wrong(format!("the bank has {name}, which no order knows"));
            }
        }
    }

    /// What was acknowledged was done once, what was refused never, what is open once at most.
    fn check_commands(&self) {
        for (id, mark, heard) in &self.told.asked {
            let Some(order) = self.order(*id) else {
                self.wrong(format!("{id} was asked something, and is gone"));
                continue;
            };
            let done = times_done(order, mark);
            let is_right = match (heard, mark) {
                (Heard::Done, _) => done == 1,
                // Somebody else may have cancelled it.
                (_, Mark::Cancellation) => done <= 1,
                (Heard::Open, _) => done <= 1,
                (Heard::Refused, _) => done == 0,
            };
            if !is_right {
                self.wrong(format!("{id}: {mark:?} was {heard:?}, and done {done} times"));
            }
        }
    }
}

fn times_done(order: &Order, mark: &Mark) -> usize {
    match mark {
        Mark::Parcel(number) => {
            let trackings = order.fulfilments.iter().filter_map(|it| it.tracking.as_ref());
            trackings.filter(|tracking| tracking.number == *number).count()
        }
        Mark::Refund(reason) => {
            order.refunds.iter().filter(|refund| refund.reason == *reason).count()
        }
        Mark::Capture(amount) => {
            let operations = order.payments.iter().flat_map(|payment| &payment.operations);
            let captures = operations.filter(|it| it.kind == OperationKind::Capture);
            captures.filter(|it| it.amount == *amount).count()
        }
        Mark::Cancellation => usize::from(order.status == OrderStatus::Cancelled),
    }
}
