//! The calls about carts.

use serde_json::json;
use utoipa::openapi::HttpMethod;

use super::examples;
use super::operation::{Needs, Operation, Param};
use crate::edge::Code;
use crate::wire::cart::{CartBody, MinimalCart, ShippingMethodList};
use crate::wire::cart_requests::{
    Actions, AddLine, OpenCart, SetAddresses, SetContact, SetQuantity, SetShippingMethod,
};

const TAG: &str = "Carts";

pub(super) fn operations() -> Vec<Operation> {
    vec![
        open(),
        read(),
        add_line(),
        set_quantity(),
        remove_line(),
        actions(),
        contact(),
        addresses(),
        shipping_methods(),
        shipping_method(),
        events(),
    ]
}

fn call(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Operation {
    Operation::new(method, path, id, TAG, summary).needs(Needs::Token).refuses([
        Code::UnknownParameter,
        Code::Overloaded,
        Code::Unavailable,
    ])
}

fn cart_id() -> Param {
    Param::path("id", "The cart's id.").example("cart_06d3r8v2k9m5w1x7q4t0c3f8hn")
}

fn key() -> Param {
    Param::header(
        "Idempotency-Key",
        "16 to 255 visible ASCII characters, new for each change and kept for its repeats. At \
         least the last 16 keys and all of the last 5 minutes are remembered.",
    )
    .example("4f1c7a52-6a3c-4b0e-9d1e-2f5b8c7d6e10")
}

/// Headers of the replies to changes.
fn versioned(operation: Operation, status: u16) -> Operation {
    operation
        .with_header(status, "ETag", "The cart's version.")
        .with_header(status, "Idempotent-Replayed", "`true`: the key was known, nothing changed.")
        .with_header(status, "Idempotent-Version", "The version that the key's change made.")
}

/// A change of a cart: 200 with the whole cart, or a part of it where that is preferred.
fn change(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Operation {
    let operation = call(method, path, id, summary)
        .takes([
            cart_id(),
            key(),
            Param::header("If-Match", "Only if the cart is at this version.").example("\"3\""),
            Param::header(
                "Prefer",
                "`return=minimal` answers only `id`, `version`, `totals` and `problems`.",
            ),
        ])
        .replies_either::<CartBody<'_>, MinimalCart>(
            200,
            "The cart as it is now.",
            &[("the whole", examples::cart()), ("minimal", examples::minimal_cart())],
        );
    versioned(operation, 200).refuses([
        Code::NotFound,
        Code::CartExpired,
        Code::InsufficientStock,
        Code::CheckoutInProgress,
        Code::CartOrdered,
        Code::IdempotencyKeyInvalid,
        Code::IdempotencyKeyReused,
        Code::IdempotencyMemoryFull,
        Code::VersionMismatch,
        Code::OutcomeUnknown,
    ])
}

fn open() -> Operation {
    let operation = call(HttpMethod::Post, "/v1/carts", "openCart", "Open a cart")
        .about(
            "What is left out is the shop's default. With an `Idempotency-Key` the id follows \
             from caller and key, so that a repeat finds the same cart at any time.",
        )
        .takes([
            key(),
            Param::header("Prefer", "`return=minimal` answers less."),
            Param::header("Accept-Language", "The languages the shopper prefers."),
        ])
        .body::<OpenCart>(
            false,
            &[("defaults", json!({})), ("in dollars", json!({"currency": "USD", "locale": "en"}))],
        )
        .replies_either::<CartBody<'_>, MinimalCart>(
            201,
            "The new cart.",
            &[("the whole", examples::empty_cart()), ("minimal", examples::minimal_cart())],
        )
        .with_header(201, "Location", "Where the cart is.");
    versioned(operation, 201).refuses([
        Code::IdempotencyKeyInvalid,
        Code::IdempotencyKeyReused,
        Code::IdempotencyMemoryFull,
        Code::OutcomeUnknown,
    ])
}

fn read() -> Operation {
    call(HttpMethod::Get, "/v1/carts/{id}", "getCart", "A cart")
        .about("Anybody else's cart is 404.")
        .takes([cart_id()])
        .replies::<CartBody<'_>>(200, "The cart.", examples::cart())
        .with_header(200, "ETag", "The cart's version.")
        .refuses([Code::NotFound])
}

fn add_line() -> Operation {
    change(HttpMethod::Post, "/v1/carts/{id}/lines", "addLine", "Add units of a SKU")
        .about(
            "They sum with the line that already holds the SKU. Too little stock never refuses: \
             it is one of the cart's `problems`.",
        )
        .body::<AddLine>(true, &[("one", json!({"sku": "OAK-CHAIR-NAT", "quantity": 1}))])
        .refuses([Code::NoPrice, Code::VariantUnavailable, Code::QuantityLimit, Code::LineLimit])
}

fn set_quantity() -> Operation {
    change(
        HttpMethod::Patch,
        "/v1/carts/{id}/lines/{line_id}",
        "setQuantity",
        "Set a line's quantity",
    )
    .about("0 removes the line.")
    .takes([line_id()])
    .body::<SetQuantity>(true, &[("two", json!({"quantity": 2}))])
    .refuses([Code::QuantityLimit, Code::VariantUnavailable, Code::NoPrice])
}

fn line_id() -> Param {
    Param::path("line_id", "The line's id.").example("line_1")
}

fn remove_line() -> Operation {
    change(HttpMethod::Delete, "/v1/carts/{id}/lines/{line_id}", "removeLine", "Remove a line")
        .takes([line_id()])
}

fn actions() -> Operation {
    let batch = json!({"actions": [
        {"type": "add_line", "sku": "OAK-CHAIR-NAT", "quantity": 4},
        {"type": "set_contact", "email": "ada@example.com"},
        {"type": "set_shipping_method", "id": "standard"},
    ]});
    change(HttpMethod::Post, "/v1/carts/{id}/actions", "changeCart", "Several changes at once")
        .about(
            "Up to 100, in order, all or none, in one write. A refusal's `errors` point at \
             `/actions/N/...`. `accept_prices` accepts the prices as they are now.",
        )
        .body::<Actions>(true, &[("checkout details", batch)])
        .refuses([Code::NoPrice, Code::VariantUnavailable, Code::QuantityLimit, Code::LineLimit])
}

fn contact() -> Operation {
    change(HttpMethod::Put, "/v1/carts/{id}/contact", "setContact", "How the shopper is reached")
        .body::<SetContact>(
        true,
        &[("e-mail and phone", json!({"email": "ada@example.com", "phone": "+49 30 1234567"}))],
    )
}

fn addresses() -> Operation {
    change(HttpMethod::Put, "/v1/carts/{id}/addresses", "setAddresses", "Where it goes")
        .about("The country decides taxes and ways to ship.")
        .body::<SetAddresses>(true, &[("one for both", json!({"shipping": examples::address()}))])
}

fn shipping_methods() -> Operation {
    call(
        HttpMethod::Get,
        "/v1/carts/{id}/shipping_methods",
        "listShippingMethods",
        "The ways to ship the cart",
    )
    .about("With their prices for the cart as it is now.")
    .takes([cart_id()])
    .replies::<ShippingMethodList>(200, "All of them.", examples::shipping_methods())
    .refuses([Code::NotFound])
}

fn shipping_method() -> Operation {
    change(
        HttpMethod::Put,
        "/v1/carts/{id}/shipping_method",
        "setShippingMethod",
        "Choose how to ship",
    )
    .body::<SetShippingMethod>(true, &[("standard", json!({"id": "standard"}))])
}

fn events() -> Operation {
    let sample = "retry: 1000\n\nid: 3\nevent: cart\ndata: {\"id\": \"cart_...\", ...}\n\n\
                  event: price_changed\ndata: {\"sku\": ..., \"old_price\": ..., ...}\n\n\
                  event: hold\ndata: {\"state\": \"held\", \"expires_at\": ...}\n\n\
                  : ping\n\n";
    call(HttpMethod::Get, "/v1/carts/{id}/events", "watchCart", "The cart as it changes")
        .about(
            "Server-sent events, read with `fetch` so that the token can go into its header. \
             `cart` with the version as id: first on connect unless `Last-Event-ID` is it, then \
             after changes; a slow or resuming reader gets only the newest. Without an id: \
             `price_changed`, `low_stock`, and `end {reason}` before the stream is closed. \
             Where the shop reserves what is in a cart: `hold {state, expires_at}`, `held` on \
             connect and after each renewal, `expiring` when little time is left, `expired` when \
             the units are not the cart's any more. `: ping` every 15 s.",
        )
        .takes([
            cart_id(),
            Param::header("Last-Event-ID", "The version the client has.").example("3"),
        ])
        .replies_as(200, "The stream.", "text/event-stream", sample)
        .refuses([Code::NotFound])
}
