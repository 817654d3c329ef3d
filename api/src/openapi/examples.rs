//! What replies look like. A test holds each to the shape it is an example of.

use serde_json::{Value, json};

const PRODUCT: &str = "prod_06d3r8v2k9m5w1x7q4t0c3f8hn";
const CART: &str = "cart_06d3r8v2k9m5w1x7q4t0c3f8hn";
const SESSION: &str = "sess_06d3r8v2k9m5w1x7q4t0c3f8hn";
const SOME_TIME: &str = "2026-11-22T10:15:30.000Z";

pub fn shop() -> Value {
    json!({
        "name": "Barrow",
        "default_channel": "web",
        "channels": [{
            "id": "web",
            "currencies": ["EUR", "USD", "GBP"],
            "locales": ["en", "de"],
            "countries": ["DE", "AT", "US", "GB"],
            "tax_included": true,
        }],
    })
}

pub fn collection() -> Value {
    json!({
        "id": "coll_06d3r8v2k9m5w1x7q4t0c3f8hn",
        "slug": "chairs",
        "title": "Chairs",
        "parent_id": "coll_06d3r8v2k9m5w1x7q4t0c3f8hm",
        "image": null,
        "product_count": 18,
    })
}

pub fn collections() -> Value {
    json!({"items": [collection()], "next_cursor": null})
}

pub(super) fn eur(amount: i64) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}

fn media() -> Value {
    json!({
        "id": "media_06d3r8v2k9m5w1x7q4t0c3f8hn",
        "type": "image",
        "url": "/media/sample/oak-chair-1.png",
        "alt": "Oak chair, front",
        "mime": "image/png",
        "width": 1200,
        "height": 1200,
        "bytes": 48_211,
    })
}

fn item() -> Value {
    json!({
        "id": PRODUCT,
        "slug": "oak-chair",
        "title": "Oak chair",
        "brand": "Hollow & Pine",
        "image": media(),
        "price": {"from": eur(12_900), "to": eur(14_900), "compare_at": eur(15_900)},
        "availability": {"status": "in_stock", "purchasable": true},
        "rating": {"average": 4.35, "count": 20},
        "sku": null,
    })
}

pub fn products() -> Value {
    json!({
        "items": [item()],
        "next_cursor": "c2VhbGVkLXBvc2l0aW9uLWluLXRoZS1saXN0",
        "total": {"count": 18, "exact": true},
        "facets": [{
            "code": "material",
            "label": "Material",
            "values": [{"value": "oak", "label": "oak", "count": 7, "selected": false}],
        }],
    })
}

fn variant() -> Value {
    json!({
        "id": "var_06d3r8v2k9m5w1x7q4t0c3f8hn",
        "sku": "OAK-CHAIR-NAT",
        "title": "Natural",
        "options": [{"name": "Finish", "value": "Natural"}],
        "price": {
            "unit": eur(12_900),
            "compare_at": eur(15_900),
            "lowest_30d": eur(13_900),
            "tiers": [{"min_quantity": 4, "unit": eur(11_900)}],
        },
        "availability":
            {"status": "low_stock", "purchasable": true, "quantity": 3, "expected_at": null},
        "media_ids": ["media_06d3r8v2k9m5w1x7q4t0c3f8hn"],
        "attributes": [],
    })
}

pub fn page() -> Value {
    json!({
        "id": PRODUCT,
        "slug": "oak-chair",
        "version": 4,
        "title": "Oak chair",
        "description": "A chair for a long evening.",
        "brand": "Hollow & Pine",
        "collections": [{
            "id": "coll_06d3r8v2k9m5w1x7q4t0c3f8hn",
            "slug": "chairs",
            "title": "Chairs",
        }],
        "options": [{"name": "Finish", "values": ["Natural", "Smoked"]}],
        "attributes": [{
            "key": "seat_height",
            "label": "Seat Height",
            "type": "number",
            "value": 46,
            "unit": "cm",
        }],
        "facets": {"material": ["oak"]},
        "media": [media()],
        "variants": [variant()],
        "price": {"from": eur(12_900), "to": eur(14_900), "compare_at": eur(15_900)},
        "availability":
            {"status": "in_stock", "purchasable": true, "quantity": null, "expected_at": null},
        "reviews": {"average": 4.35, "count": 20, "histogram": [1, 0, 2, 5, 12]},
        "similar": [item()],
        "seo": {"title": "Oak chair", "description": "A chair for a long evening."},
        "sections":
            {"price": "ok", "availability": "ok", "reviews": "ok", "similar": "ok"},
        "updated_at": SOME_TIME,
    })
}

pub fn reviews() -> Value {
    json!({
        "items": [{
            "id": "rev_06d3r8v2k9m5w1x7q4t0c3f8hn",
            "product_id": PRODUCT,
            "rating": 5,
            "title": "Sits well",
            "body": "Two winters on it, and not a creak.",
            "author": "Ada L.",
            "verified": true,
            "status": "published",
            "created_at": SOME_TIME,
        }],
        "next_cursor": null,
    })
}

pub fn token() -> Value {
    json!({
        "token": "shop_AQEAAAGjGcUYAQEAAAAAAAAAAAAAAAEjRWeJq83v",
        "session_id": SESSION,
        "expires_at": SOME_TIME,
    })
}

pub fn session() -> Value {
    json!({
        "session_id": SESSION,
        "expires_at": SOME_TIME,
        "customer": null,
        "cart_id": CART,
        "recently_viewed": [item()],
    })
}

pub fn address() -> Value {
    json!({
        "first_name": "Ada",
        "last_name": "Lovelace",
        "company": null,
        "line1": "Unter den Linden 1",
        "line2": null,
        "city": "Berlin",
        "region": null,
        "postal_code": "10117",
        "country": "DE",
        "phone": null,
    })
}

pub fn empty_cart() -> Value {
    json!({
        "id": CART,
        "version": 1,
        "status": "open",
        "currency": "EUR",
        "channel": "web",
        "locale": "en",
        "customer_id": null,
        "lines": [],
        "coupons": [],
        "gift_cards": [],
        "contact": null,
        "addresses": null,
        "shipping_method": null,
        "totals": totals(0, 0),
        "problems": [{"code": "cart_empty", "line_id": null, "detail": "The cart is empty."}],
        "order_id": null,
        "next_cart_id": null,
        "created_at": SOME_TIME,
        "updated_at": SOME_TIME,
    })
}

fn totals(subtotal: i64, tax: i64) -> Value {
    json!({
        "subtotal": eur(subtotal),
        "discount": eur(0),
        "shipping": eur(0),
        "tax": eur(tax),
        "total": eur(subtotal),
        "tax_included": true,
        "gift_cards": eur(0),
        "due": eur(subtotal),
    })
}

pub fn cart() -> Value {
    let mut cart = empty_cart();
    cart["version"] = json!(3);
    cart["lines"] = json!([{
        "id": "line_1",
        "sku": "OAK-CHAIR-NAT",
        "product_id": PRODUCT,
        "slug": "oak-chair",
        "title": "Oak chair",
        "options": [{"name": "Finish", "value": "Natural"}],
        "image": "/media/sample/oak-chair-1.png",
        "quantity": 5,
        "unit_price": eur(12_900),
        "line_total": eur(64_500),
        "adjustments": [],
    }]);
    cart["contact"] = json!({"email": "ada@example.com", "phone": null});
    cart["addresses"] = json!({"shipping": address(), "billing": null});
    cart["shipping_method"] = json!({"id": "standard", "name": "Standard", "price": eur(0)});
    cart["totals"] = totals(64_500, 10_298);
    cart["problems"] = shortages();
    cart
}

pub fn shortages() -> Value {
    json!([{
        "code": "insufficient_stock",
        "line_id": "line_1",
        "detail": "Only 3 of 5 are available.",
        "requested": 5,
        "available": 3,
    }])
}

pub fn problems() -> Value {
    json!([{
        "code": "shipping_method_missing",
        "line_id": null,
        "detail": "A shipping method has to be chosen.",
    }])
}

/// The answer to a change where `Prefer: return=minimal` was sent.
pub fn minimal_cart() -> Value {
    let cart = cart();
    json!({
        "id": cart["id"],
        "version": cart["version"],
        "totals": cart["totals"],
        "problems": cart["problems"],
    })
}

pub fn shipping_methods() -> Value {
    json!({
        "items": [{
            "id": "standard",
            "name": "Standard",
            "price": eur(490),
            "estimate": "2 to 4 working days",
        }],
        "next_cursor": null,
    })
}

pub fn movement() -> Value {
    json!({
        "id": "mov_06d3r8v2k9m5w1x7q4t0c3f8hn",
        "sku": "OAK-CHAIR-NAT",
        "location": "default",
        "quantity": 12,
        "reason": "delivery 4711",
        "actor": "warehouse (key_06d3r8v2k9m5w1x7q4t0c3f8hn)",
        "at": SOME_TIME,
        "level": 57,
    })
}

pub fn level() -> Value {
    json!({
        "sku": "OAK-CHAIR-NAT",
        "location": "default",
        "on_hand": 57,
        "reserved": 2,
        "allocated": 5,
        "available": 50,
    })
}
