//! The calls by which staff change orders and returns; see `admin.rs` for how they are declared.

use serde_json::{Value, json};

use super::admin::{Call, Described};
use super::examples::eur;
use super::examples_orders as example;
use super::operation::{Operation, Param};
use crate::edge::Code;
use crate::wire::bulk::{BulkOrders, BulkReply};
use crate::wire::order::{OrderBody, ReturnBody};
use crate::wire::order_commands::{
    CancelByStaff, Capture, Exchange, Fulfil, Note, ReceiveReturn, Refund,
};
use crate::wire::order_edits::{EditBody, ProposeEdit};

const ORDERS: &str = "Orders of the house";

fn order_id() -> Param {
    Param::path("id", "The order's id.").example("ord_06d3r8v2k9m5w1x7q4t0c3f8hn")
}

fn return_id() -> Param {
    Param::path("id", "The return's id.").example("ret_06d3r8v2k9m5w1x7q4t0c3f8hn")
}

fn key() -> Param {
    Param::header(
        "Idempotency-Key",
        "16 to 255 visible ASCII characters, new for each change and kept for its repeats.",
    )
    .example("4f1c7a52-6a3c-4b0e-9d1e-2f5b8c7d6e10")
}

fn replayable(operation: Operation, status: u16) -> Operation {
    operation
        .with_header(status, "Idempotent-Replayed", "`true`: the key was known, nothing changed.")
        .with_header(status, "Idempotent-Version", "The version that the key's change made.")
        .refuses([
            Code::NotFound,
            Code::OrderState,
            Code::IdempotencyKeyInvalid,
            Code::IdempotencyKeyReused,
            Code::IdempotencyMemoryFull,
            Code::OutcomeUnknown,
        ])
}

/// A command to an order, which answers the order.
fn command(call: Call, id: &str, summary: &str) -> Operation {
    let operation = call
        .is(ORDERS, id, summary)
        .takes([
            order_id(),
            key(),
            Param::header("If-Match", "Only if the order is at this version.").example("\"4\""),
        ])
        .replies::<OrderBody<'_>>(200, "The order as it is now.", example::order())
        .with_header(200, "ETag", "Its version.")
        .refuses([Code::VersionMismatch]);
    replayable(operation, 200)
}

pub fn capture(call: Call) -> Described {
    let operation = command(call, "capturePayment", "Take authorized money")
        .about("Without an `amount` all that is authorized. It needs an `Idempotency-Key`.")
        .body::<Capture>(false, &[("all", json!({})), ("a part", json!({"amount": eur(12_900)}))])
        .refuses([
            Code::IdempotencyKeyRequired,
            Code::CaptureExceedsAuthorized,
            Code::ValidationFailed,
        ]);
    Described(operation)
}

pub fn refund(call: Call) -> Described {
    let line = json!({"line_id": "line_1", "quantity": 1});
    let operation = command(call, "refundPayment", "Give money back")
        .about(
            "For units, to the cent what they were paid, or an amount. It needs an \
             `Idempotency-Key`.",
        )
        .body::<Refund>(
            true,
            &[
                ("units", json!({"lines": [line], "reason": "arrived broken"})),
                ("an amount", json!({"amount": eur(500), "reason": "late"})),
            ],
        )
        .refuses([Code::IdempotencyKeyRequired, Code::RefundExceedsCaptured]);
    Described(operation)
}

pub fn fulfil(call: Call) -> Described {
    let parcel = json!({
        "lines": [{"line_id": "line_1", "quantity": 2}],
        "tracking": {"carrier": "DHL", "number": "00340434161094042557", "url": null},
    });
    let operation = command(call, "sendParcel", "Send units of an order")
        .about("They leave the house, and the stock.")
        .body::<Fulfil>(true, &[("two of them", parcel)])
        .refuses([Code::InsufficientStock]);
    Described(operation)
}

fn parcel_id() -> Param {
    Param::path("fulfilment_id", "The parcel's id.").example("ful_06d3r8v2k9m5w1x7q4t0c3f8hn")
}

pub fn deliver(call: Call) -> Described {
    Described(command(call, "markDelivered", "A parcel has arrived").takes([parcel_id()]))
}

pub fn take_back(call: Call) -> Described {
    let operation = command(call, "takeParcelBack", "A parcel never left after all")
        .about("Its units are unfulfilled again, and allocated as before.")
        .takes([parcel_id()]);
    Described(operation)
}

pub fn cancel(call: Call) -> Described {
    let operation = command(call, "cancelAnyOrder", "Cancel an order")
        .about("As long as nothing of it has left. Its money goes back, its stock is free again.")
        .body::<CancelByStaff>(true, &[("as asked", json!({"reason": "the buyer called"}))])
        .refuses([Code::AlreadyFulfilled]);
    Described(operation)
}

pub fn note(call: Call) -> Described {
    let operation = command(call, "noteOnOrder", "Write something down about an order")
        .about("Buyers do not see it.")
        .body::<Note>(true, &[("for the carrier", json!({"text": "Rings twice."}))]);
    Described(operation)
}

pub fn hold(call: Call) -> Described {
    let operation = command(call, "holdOrder", "Keep an order in the house");
    Described(operation.about("Nothing of it is sent meanwhile."))
}

pub fn release(call: Call) -> Described {
    Described(command(call, "releaseOrder", "Let an order go on"))
}

pub fn propose_edit(call: Call) -> Described {
    let change = json!({"type": "set_quantity", "line_id": "line_1", "quantity": 4});
    let mut preview = example::order();
    preview["lines"][0]["quantity"] = json!(4);
    let edit = json!({
        "id": "edit_06d3r8v2k9m5w1x7q4t0c3f8hn",
        "difference": eur(-12_900),
        "preview": preview,
    });
    let operation = call
        .is(ORDERS, "proposeEdit", "See what a change of an order comes to")
        .about(
            "Nothing changes before it is committed. What is added costs what it costs today; \
             an order that would cost more than was authorized is refused.",
        )
        .takes([order_id(), key()])
        .body::<ProposeEdit>(true, &[("one fewer", json!({"changes": [change]}))])
        .replies::<EditBody<'_>>(201, "What it comes to.", edit)
        .with_header(201, "Location", "Where it is committed.")
        .with_header(201, "ETag", "The order's version, for `If-Match` of the commit.")
        .refuses([
            Code::CaptureExceedsAuthorized,
            Code::AlreadyFulfilled,
            Code::VariantUnavailable,
            Code::NoPrice,
            Code::VersionMismatch,
        ]);
    Described(replayable(operation, 201))
}

pub fn commit_edit(call: Call) -> Described {
    let operation = command(call, "commitEdit", "Change an order as was proposed")
        .about("Unless it has changed since: it needs `If-Match` with the edit's `ETag`.")
        .takes(
            [Param::path("edit_id", "The edit's id.").example("edit_06d3r8v2k9m5w1x7q4t0c3f8hn")],
        )
        .refuses([
            Code::IfMatchRequired,
            Code::InsufficientStock,
            Code::CaptureExceedsAuthorized,
            Code::AlreadyFulfilled,
        ]);
    Described(operation)
}

/// A step of a return, which answers the return.
fn step(call: Call, id: &str, summary: &str) -> Operation {
    let operation = call
        .is(ORDERS, id, summary)
        .takes([return_id(), key()])
        .replies::<ReturnBody<'_>>(200, "The return as it is now.", example::returned());
    replayable(operation, 200)
}

pub fn approve_return(call: Call) -> Described {
    Described(step(call, "approveReturn", "Let something come back"))
}

pub fn reject_return(call: Call) -> Described {
    Described(step(call, "rejectReturn", "Do not take something back"))
}

pub fn receive_return(call: Call) -> Described {
    let line = json!({"line_id": "line_1", "quantity": 1, "restock": true, "location": null});
    let operation = step(call, "receiveReturn", "Something has come back")
        .about("What came is paid back to the cent, unless it will be exchanged.")
        .body::<ReceiveReturn>(true, &[("one, as new", json!({"lines": [line]}))])
        .refuses([Code::ReturnExceedsFulfilled]);
    Described(operation)
}

pub fn exchange(call: Call) -> Described {
    let line: Value = json!({"sku": "OAK-CHAIR-NAT", "quantity": 1});
    let operation = call
        .is(ORDERS, "exchangeReturn", "Send something else for what came back")
        .about(
            "Of a return that was received for that. The new order is paid with its value, and \
             may not cost more; what is left is paid back.",
        )
        .takes([return_id(), key()])
        .body::<Exchange>(true, &[("the same again", json!({"lines": [line]}))])
        .replies::<OrderBody<'_>>(201, "The new order.", example::order())
        .with_header(201, "Location", "Where the new order is.")
        .with_header(201, "ETag", "Its version.")
        .refuses([
            Code::InsufficientStock,
            Code::CaptureExceedsAuthorized,
            Code::VariantUnavailable,
            Code::NoPrice,
        ]);
    Described(replayable(operation, 201))
}

pub fn bulk(call: Call) -> Described {
    let ids = ["ord_06d3r8v2k9m5w1x7q4t0c3f8hn", "ord_nothing"];
    let reply = json!({"items": [
        {"index": 0, "id": ids[0], "status": "updated", "errors": []},
        {"index": 1, "id": ids[1], "status": "error", "errors": [
            {"pointer": "", "code": "not_found", "detail": "There is no such order."},
        ]},
    ]});
    let operation = call
        .is(ORDERS, "changeOrders", "Do the same to many orders")
        .about(
            "Each on its own, with a result for each: one that is refused leaves the others in \
             force. It needs an `Idempotency-Key`; capturing needs `payments:write` too.",
        )
        .takes([key()])
        .body::<BulkOrders>(
            true,
            &[("send them", json!({"orders": ids, "action": {"type": "fulfil"}}))],
        )
        .replies::<BulkReply>(200, "What came of each.", reply)
        .refuses([Code::IdempotencyKeyRequired, Code::IdempotencyKeyInvalid]);
    Described(operation)
}
