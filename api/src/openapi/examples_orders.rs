//! What orders look like, for the document.

use serde_json::{Value, json};

use super::examples::{address, eur};

const ORDER: &str = "ord_06d3r8v2k9m5w1x7q4t0c3f8hn";
const PAYMENT: &str = "pay_06d3r8v2k9m5w1x7q4t0c3f8hn";
const PLACED: &str = "2026-11-22T09:30:01.250Z";

/// One that was placed just now.
pub fn order() -> Value {
    let happened = |actor: &str, kind: &str, data: Value| {
        json!({
            "at": PLACED,
            "actor": {"type": actor, "id": null, "name": null},
            "type": kind,
            "data": data,
        })
    };
    let started = json!({"payment": PAYMENT, "gateway": "test", "method": "ok"});
    json!({
        "id": ORDER,
        "number": "7301-4826-0",
        "cart_id": "cart_06d3r8v2k9m5w1x7q4t0c3f8hn",
        "customer_id": null,
        "status": "placed",
        "payment_status": "authorized",
        "fulfilment_status": "unfulfilled",
        "on_hold": false,
        "next_action": null,
        "contact": {"email": "ada@example.com", "phone": null},
        "addresses": {"shipping": address(), "billing": null},
        "shipping_method": {"id": "standard", "name": "Standard", "price": eur(0)},
        "lines": [line()],
        "totals": {
            "subtotal": eur(64_500),
            "discount": eur(0),
            "shipping": eur(0),
            "tax": eur(10_298),
            "total": eur(64_500),
            "tax_included": true,
            "gift_cards": eur(0),
            "due": eur(64_500),
        },
        "payments": [payment("ok", "authorized", 64_500)],
        "fulfilments": [],
        "refunds": [],
        "returns": [],
        "timeline": [
            happened("customer", "payment.started", started),
            happened("system", "order.placed", json!({"number": "7301-4826-0"})),
        ],
        "version": 4,
        "created_at": PLACED,
        "placed_at": PLACED,
    })
}

/// One that its buyer did not want any more.
pub fn cancelled_order() -> Value {
    let mut order = order();
    order["status"] = json!("cancelled");
    order["payment_status"] = json!("voided");
    order["payments"] = json!([payment("ok", "voided", 64_500)]);
    order["version"] = json!(6);
    order
}

pub fn return_of_order() -> Value {
    json!({
        "id": "ret_06d3r8v2k9m5w1x7q4t0c3f8hn",
        "order_id": ORDER,
        "status": "requested",
        "lines": [
            {"line_id": "line_1", "quantity": 1, "reason": "it wobbles", "received": 0},
        ],
        "refund_id": null,
        "version": 1,
        "created_at": PLACED,
    })
}

/// One whose buyer has to pay elsewhere first.
pub fn pending_order() -> Value {
    let mut order = order();
    order["number"] = Value::Null;
    order["status"] = json!("pending");
    order["payment_status"] = json!("pending");
    order["next_action"] = json!({
        "type": "redirect",
        "url": format!("https://shop.example/v1/payments/test/pay/{ORDER}/1/1"),
    });
    order["payments"] = json!([payment("redirect", "requires_action", 0)]);
    order["timeline"] = json!([]);
    order["version"] = json!(3);
    order["placed_at"] = Value::Null;
    order
}

fn payment(method: &str, status: &str, authorized: i64) -> Value {
    json!({
        "id": PAYMENT,
        "gateway": "test",
        "method": method,
        "status": status,
        "authorized": eur(authorized),
        "captured": eur(0),
        "refunded": eur(0),
    })
}

fn line() -> Value {
    json!({
        "id": "line_1",
        "sku": "OAK-CHAIR-NAT",
        "product_id": "prod_06d3r8v2k9m5w1x7q4t0c3f8hn",
        "title": "Oak chair",
        "options": [{"name": "Finish", "value": "Natural"}],
        "image": "/media/sample/oak-chair-1.png",
        "quantity": 5,
        "unit_price": eur(12_900),
        "discount": eur(0),
        "tax": eur(10_298),
        "line_total": eur(64_500),
        "fulfilled": 0,
        "returned": 0,
    })
}

pub fn returned() -> Value {
    json!({
        "id": "ret_06d3r8v2k9m5w1x7q4t0c3f8hn",
        "order_id": "ord_06d3r8v2k9m5w1x7q4t0c3f8hn",
        "status": "requested",
        "lines": [{"line_id": "line_1", "quantity": 1, "reason": "too small", "received": 0}],
        "refund_id": null,
        "version": 1,
        "created_at": "2026-11-22T10:15:30.000Z",
    })
}
