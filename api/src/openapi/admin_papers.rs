//! The papers and files of orders, and what nobody could be told of them, as the house gets
//! them; see `admin.rs` for how its calls are declared.

use serde_json::{Value, json};

use super::admin::{Call, Described, LIST_CODES, ORDERS, names, order_filters, paging};
use super::operation::{Operation, Param};
use crate::edge::Code;
use crate::routes::admin::export::FORMATS;
use crate::wire::dead_letters::DeadLetterList;

const DELIVERIES: &str = "Deliveries";

/// A file that is kept by nobody on the way.
pub(super) fn file(operation: Operation, kinds: &[&str], what: &str) -> Operation {
    let replied = kinds.iter().fold(operation, |it, kind| it.replies_as(200, what, kind, ""));
    replied.with_header(200, "Content-Disposition", "A name for the file.")
}

fn paper(call: Call, id: &str, summary: &str, what: &str) -> Operation {
    let operation =
        call.is(ORDERS, id, summary)
            .takes([Param::path("id", "The order's id, or its number.").example("562-398-909")]);
    file(operation, &["application/pdf"], what).refuses([Code::NotFound, Code::OrderState])
}

pub fn invoice(call: Call) -> Described {
    Described(paper(call, "printInvoice", "The invoice of any placed order", "The invoice."))
}

pub fn packing_slip(call: Call) -> Described {
    let what = "The packing slip.";
    let operation = paper(call, "printPackingSlip", "What belongs into a parcel", what)
        .about("Without a parcel, all that has not left the house yet. There are no prices on it.")
        .takes([Param::query("fulfilment_id", "The parcel.")]);
    Described(operation)
}

pub fn export(call: Call) -> Described {
    let operation = call
        .is(ORDERS, "exportOrders", "Orders as one file, however many")
        .about(
            "All that is named holds, as in the list. CSV has a row for each line of an order; \
             what is the order's alone stands on its first row, so that columns can be summed. \
             JSON Lines has an order a line. A file that breaks off is not complete.",
        )
        .takes([Param::choice("format", &names(&FORMATS), "What file; `csv` if nothing is said.")])
        .takes(order_filters());
    let operation = file(operation, &["text/csv", "application/jsonl"], "The file.");
    Described(operation.refuses([Code::InvalidParameter]))
}

fn dead_letter() -> Value {
    json!({
        "id": "dead_06d3r8v2k9m5w1x7q4t0c3f8hn",
        "consumer": "log",
        "event": {
            "id": "evt_06d3r8v2k9m5w1x7q4t0c3f8hn",
            "type": "order.placed",
            "at": "2026-11-22T09:30:01.250Z",
            "aggregate": {
                "type": "order",
                "id": "ord_06d3r8v2k9m5w1x7q4t0c3f8hn",
                "version": 4,
            },
            "data": {},
        },
        "attempts": 22,
        "error": "no answer in time",
        "at": "2026-11-22T17:02:44.010Z",
        "waiting": 1,
    })
}

pub fn list_dead_letters(call: Call) -> Described {
    let operation = call
        .is(DELIVERIES, "listDeadLetters", "What nobody could be told, newest first")
        .about("What comes behind one of the same order or SKU waits until it is dealt with.")
        .takes([Param::query("consumer", "Who could not be told.")])
        .takes(paging())
        .replies::<DeadLetterList<'_>>(
            200,
            "A page of dead letters.",
            json!({"items": [dead_letter()], "next_cursor": null}),
        )
        .refuses(LIST_CODES);
    Described(operation)
}

/// The end of a dead letter. Made again it finds none.
fn end(call: Call, id: &str, summary: &str) -> Operation {
    let example = "dead_06d3r8v2k9m5w1x7q4t0c3f8hn";
    call.is(DELIVERIES, id, summary)
        .takes([Param::path("id", "The dead letter's id.").example(example)])
        .replies_empty(204, "It is none any more.")
        .refuses([Code::NotFound, Code::OutcomeUnknown])
}

pub fn replay_dead_letter(call: Call) -> Described {
    let operation = end(call, "replayDeadLetter", "Have an event told again")
        .about("And then what waits behind it. What fails again is a dead letter of another id.");
    Described(operation)
}

pub fn discard_dead_letter(call: Call) -> Described {
    let operation = end(call, "discardDeadLetter", "Give an event up")
        .about("Its consumer never hears of it; what waits behind it goes on.");
    Described(operation)
}
