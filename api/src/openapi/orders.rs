//! The calls that buy a cart, and about what was bought.

use serde_json::{Value, json};
use utoipa::openapi::HttpMethod;

use super::admin_papers::file;
use super::examples;
use super::examples_orders as orders;
use super::operation::{Needs, Operation, Param};
use crate::edge::Code;
use crate::wire::cart::CartBody;
use crate::wire::order::{OrderBody, ReturnBody};
use crate::wire::order_requests::{BuyCart, CancelOrder, RequestReturn};

const TAG: &str = "Orders";

pub(super) fn operations() -> Vec<Operation> {
    vec![buy(), give_up(), read(), invoice(), cancel(), request_return()]
}

fn call(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Operation {
    Operation::new(method, path, id, TAG, summary).needs(Needs::Token).refuses([
        Code::UnknownParameter,
        Code::NotFound,
        Code::Overloaded,
        Code::Unavailable,
    ])
}

fn cart_id() -> Param {
    Param::path("id", "The cart's id.").example("cart_06d3r8v2k9m5w1x7q4t0c3f8hn")
}

fn with_version(operation: Operation, status: u16) -> Operation {
    operation.with_header(status, "ETag", "The order's version.")
}

fn buy() -> Operation {
    let card = json!({
        "payment": {"gateway": "test", "method": "ok"},
        "expected_total": {"amount": 64_500, "currency": "EUR"},
    });
    let elsewhere = json!({
        "payment": {
            "gateway": "test",
            "method": "redirect",
            "return_url": "https://shop.example/thanks",
        },
        "expected_total": {"amount": 64_500, "currency": "EUR"},
    });
    let operation = call(HttpMethod::Post, "/v1/carts/{id}/checkout", "buyCart", "Buy the cart")
        .about(
            "Freezes the cart, reserves its stock, has the payment authorized and places the \
             order, all of it once however often it is sent. The answer comes within 8 seconds. \
             202: the payment is not settled yet, or the buyer has to go somewhere first \
             (`next_action`); ask again with the same key, or read the order. 402: the cart is \
             open again; a new key is a new attempt, of the same order.",
        );
    let operation = operation
        .takes([
            cart_id(),
            Param::header(
                "Idempotency-Key",
                "16 to 255 visible ASCII characters, new for each attempt and kept for its \
                 repeats. It is needed.",
            )
            .example("4f1c7a52-6a3c-4b0e-9d1e-2f5b8c7d6e10"),
            Param::header("If-Match", "Only if the cart is at this version.").example("\"3\""),
        ])
        .body::<BuyCart>(true, &[("at once", card), ("elsewhere", elsewhere)])
        .replies::<OrderBody<'_>>(201, "The placed order.", orders::order())
        .replies::<OrderBody<'_>>(200, "This cart was bought before.", orders::order())
        .replies::<OrderBody<'_>>(202, "The payment is not settled.", orders::pending_order());
    let operation = operation
        .with_header(201, "Location", "Where the order is.")
        .with_header(202, "Retry-After", "Seconds until it is worth to ask again.")
        .with_header(200, "Idempotent-Replayed", "`true`: nothing changed.");
    with_version(with_version(with_version(operation, 200), 201), 202).refuses([
        Code::IdempotencyKeyRequired,
        Code::IdempotencyKeyInvalid,
        Code::IdempotencyKeyReused,
        Code::PaymentDeclined,
        Code::CartNotReady,
        Code::CartChanged,
        Code::CartExpired,
        Code::InsufficientStock,
        Code::CheckoutInProgress,
        Code::OrderState,
        Code::VersionMismatch,
        Code::OutcomeUnknown,
    ])
}

fn give_up() -> Operation {
    let mut open: Value = examples::cart();
    open["version"] = json!(5);
    call(HttpMethod::Delete, "/v1/carts/{id}/checkout", "giveCheckoutUp", "Give a checkout up")
        .about(
            "Opens a cart again that is being bought. What its payment holds goes back, what was \
             reserved is released. A cart that is open stays so.",
        )
        .takes([cart_id()])
        .replies::<CartBody<'_>>(200, "The open cart.", open)
        .with_header(200, "ETag", "The cart's version.")
        .refuses([Code::CartOrdered, Code::OutcomeUnknown])
}

fn read() -> Operation {
    let operation = call(HttpMethod::Get, "/v1/orders/{id}", "readOrder", "An order of one's own")
        .about("While it is being paid for, too: then its status is `pending`.")
        .takes([order_id()])
        .replies::<OrderBody<'_>>(200, "The order.", orders::order());
    with_version(operation, 200)
}

fn invoice() -> Operation {
    let summary = "The invoice of an order of one's own";
    let operation = call(HttpMethod::Get, "/v1/orders/{id}/invoice.pdf", "getInvoice", summary)
        .about("Once it is placed.")
        .takes([order_id()]);
    file(operation, &["application/pdf"], "The invoice.").refuses([Code::OrderState])
}

fn order_id() -> Param {
    Param::path("id", "The order's id.").example("ord_06d3r8v2k9m5w1x7q4t0c3f8hn")
}

/// A change of an order by its buyer.
fn change(path: &'static str, id: &str, summary: &str) -> Operation {
    call(HttpMethod::Post, path, id, summary)
        .takes([
            order_id(),
            Param::header(
                "Idempotency-Key",
                "16 to 255 visible ASCII characters, new for each change and kept for its repeats.",
            )
            .example("4f1c7a52-6a3c-4b0e-9d1e-2f5b8c7d6e10"),
            Param::header("If-Match", "Only if the order is at this version.").example("\"4\""),
        ])
        .refuses([
            Code::IdempotencyKeyInvalid,
            Code::IdempotencyKeyReused,
            Code::IdempotencyMemoryFull,
            Code::OrderState,
            Code::VersionMismatch,
            Code::OutcomeUnknown,
        ])
}

fn replayable(operation: Operation, status: u16) -> Operation {
    operation
        .with_header(status, "Idempotent-Replayed", "`true`: the key was known, nothing changed.")
        .with_header(status, "Idempotent-Version", "The version that the key's change made.")
}

fn cancel() -> Operation {
    let operation = change("/v1/orders/{id}/cancel", "cancelOrder", "Cancel an order")
        .about(
            "As long as nothing of it has left the house. What was authorized is let go, what \
             was captured goes back, and the stock is free again.",
        )
        .body::<CancelOrder>(false, &[("with a reason", json!({"reason": "ordered twice"}))])
        .replies::<OrderBody<'_>>(200, "The order as it is now.", orders::cancelled_order());
    with_version(replayable(operation, 200), 200).refuses([Code::AlreadyFulfilled])
}

fn request_return() -> Operation {
    let line = json!({"line_id": "line_1", "quantity": 1, "reason": "it wobbles"});
    let operation = change("/v1/orders/{id}/returns", "requestReturn", "Send something back")
        .about("Units that were sent and are not on their way back already.")
        .body::<RequestReturn>(true, &[("one chair", json!({"lines": [line]}))])
        .replies::<ReturnBody<'_>>(201, "The return, to be approved.", orders::return_of_order())
        .with_header(201, "Location", "Where the order is.");
    replayable(operation, 201).refuses([Code::ReturnExceedsFulfilled])
}
