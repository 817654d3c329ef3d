//! `/v1/carts`: what a shopper does to a cart.

mod actions;
mod create;
mod details;
mod events;
mod holds;
mod idempotency;
mod lines;
mod prices;
mod totals;
mod versions;

use serde_json::Value;

use crate::support::client::{list, number, text};

/// The codes of a cart's problems.
pub fn problems(cart: &Value) -> Vec<&str> {
    list(&cart["problems"]).iter().map(|problem| text(&problem["code"])).collect()
}

/// The problem of a code; `null` where there is none.
pub fn problem(cart: &Value, code: &str) -> Value {
    let mut problems = list(&cart["problems"]).iter();
    problems.find(|problem| problem["code"] == code).cloned().unwrap_or_default()
}

/// SKUs and quantities of a cart's lines, in their order.
pub fn lines(cart: &Value) -> Vec<(&str, i64)> {
    let lines = list(&cart["lines"]).iter();
    lines.map(|line| (text(&line["sku"]), number(&line["quantity"]))).collect()
}

/// An amount of the totals.
pub fn total(cart: &Value, name: &str) -> i64 {
    number(&cart["totals"][name]["amount"])
}

/// Sums up a cart as the contract words it, and compares.
pub fn adds_up(cart: &Value) {
    let mut subtotal = 0;
    let mut adjusted = 0;
    for line in list(&cart["lines"]) {
        let total = number(&line["line_total"]["amount"]);
        let unit = number(&line["unit_price"]["amount"]);
        assert_eq!(total, unit * number(&line["quantity"]), "{line:#}");
        assert_eq!(line["unit_price"]["currency"], cart["currency"], "one currency a cart");
        subtotal += total;
        let adjustments = list(&line["adjustments"]).iter();
        adjusted += adjustments.map(|a| number(&a["amount"]["amount"])).sum::<i64>();
    }
    let of = |name: &str| total(cart, name);
    assert_eq!(of("subtotal"), subtotal, "{cart:#}");
    assert_eq!(of("discount"), -adjusted, "{cart:#}");
    let on_top = if cart["totals"]["tax_included"] == true { 0 } else { of("tax") };
    assert_eq!(of("total"), of("subtotal") - of("discount") + of("shipping") + on_top, "{cart:#}");
    assert_eq!(of("due"), of("total") - of("gift_cards"), "{cart:#}");
    for (name, amount) in cart["totals"].as_object().unwrap() {
        assert!(name == "tax_included" || amount["currency"] == cart["currency"], "{name}");
    }
}
