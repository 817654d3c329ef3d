//! The calls of the house. Which there are, and what scope each needs, is said in one table
//! (`api/src/routes/admin/mod.rs`); in here is what they take, answer and refuse.

use http::Method;
use serde_json::json;
use utoipa::openapi::HttpMethod;

use super::examples;
use super::examples_orders as example;
use super::operation::{Needs, Operation, Param};
use crate::edge::Code;
use crate::routes::admin;
use crate::routes::admin::{orders, returns};
use crate::wire::cart::CartBody;
use crate::wire::order::{OrderBody, OrderList, ReturnList};
use crate::wire::stock::{BookMovement, LevelList, MovementBody, MovementList};

const STOCK: &str = "Stock of the house";
pub(super) const ORDERS: &str = "Orders of the house";
const CARTS: &str = "Carts of the house";

/// The part of a call that the table has.
pub struct Call {
    method: HttpMethod,
    path: &'static str,
}

/// A call that was described, but for who may make it.
pub struct Described(pub(super) Operation);

pub(super) fn operations() -> Vec<Operation> {
    let described = admin::table().into_iter().map(|route| {
        let call = Call { method: method_of(&route.method), path: route.path };
        let Described(operation) = (route.about)(call);
        operation.needs(Needs::Scope(route.scope))
    });
    described.collect()
}

fn method_of(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

impl Call {
    pub(super) fn is(self, tag: &str, id: &str, summary: &str) -> Operation {
        Operation::new(self.method, self.path, id, tag, summary).refuses([
            Code::UnknownParameter,
            Code::Overloaded,
            Code::Unavailable,
        ])
    }
}

pub(super) fn paging() -> [Param; 2] {
    [
        Param::number("limit", 1, 100, "How many at most; 24 if nothing is said."),
        Param::query("cursor", "Where the page begins: the `next_cursor` of the one before."),
    ]
}

pub(super) const LIST_CODES: [Code; 2] = [Code::InvalidParameter, Code::InvalidCursor];

pub fn book_movement(call: Call) -> Described {
    let operation = call
        .is(STOCK, "bookMovement", "Units came, or went")
        .about(
            "Booked once under an `Idempotency-Key`, however often it is sent. Units that carts \
             and orders hold do not go.",
        )
        .takes([Param::header("Idempotency-Key", "16 to 255 visible ASCII characters.")])
        .body::<BookMovement>(
            true,
            &[(
                "delivery",
                json!({"sku": "OAK-CHAIR-NAT", "quantity": 12, "reason": "delivery 4711"}),
            )],
        )
        .replies::<MovementBody<'_>>(201, "The movement.", examples::movement())
        .with_header(201, "Idempotent-Replayed", "`true` where it was booked before.")
        .refuses([
            Code::StockBelowZero,
            Code::IdempotencyKeyInvalid,
            Code::IdempotencyKeyReused,
            Code::OutcomeUnknown,
        ]);
    Described(operation)
}

pub fn list_movements(call: Call) -> Described {
    let operation = call
        .is(STOCK, "listMovements", "How units of a SKU came and went, newest first")
        .takes([Param::query("sku", "Whose; it is needed.")])
        .takes(paging())
        .replies::<MovementList<'_>>(
            200,
            "A page of movements.",
            json!({"items": [examples::movement()], "next_cursor": null}),
        )
        .refuses(LIST_CODES);
    Described(operation)
}

pub fn list_levels(call: Call) -> Described {
    let operation = call
        .is(STOCK, "listLevels", "How many units lie where")
        .takes([Param::query("sku", "Only of this SKU; may be repeated.")])
        .takes(paging())
        .replies::<LevelList<'_>>(
            200,
            "A page of levels, by SKU and location.",
            json!({"items": [examples::level()], "next_cursor": null}),
        )
        .refuses(LIST_CODES);
    Described(operation)
}

/// The names of a choice.
pub(super) fn names<T>(choices: &[(&'static str, T)]) -> Vec<&'static str> {
    choices.iter().map(|(name, _)| *name).collect()
}

/// What of orders is asked for.
pub(super) fn order_filters() -> [Param; 7] {
    [
        Param::choice("status", &names(&orders::STATUSES), "Where it is in its life."),
        Param::choice("payment_status", &names(&orders::PAYMENTS), "How far it is paid."),
        Param::choice(
            "fulfilment_status",
            &names(&orders::FULFILMENTS),
            "How much of it has left.",
        ),
        Param::query("q", "A number, or the beginning of an e-mail address or of a last name."),
        Param::query("placed_after", "Placed then or later.").example("2026-11-23T00:00:00Z"),
        Param::query("placed_before", "Placed earlier.").example("2026-11-24T00:00:00Z"),
        Param::choice("sort", &names(&orders::SORTS), "By when it was opened."),
    ]
}

pub fn list_orders(call: Call) -> Described {
    let operation = call
        .is(ORDERS, "listOrders", "Orders, by what they are")
        .about("All that is named holds. Those opened last come first, unless `sort` says else.")
        .takes(order_filters())
        .takes(paging())
        .replies::<OrderList<'_>>(
            200,
            "A page of orders.",
            json!({"items": [example::order()], "next_cursor": null}),
        )
        .refuses(LIST_CODES);
    Described(operation)
}

pub fn get_order(call: Call) -> Described {
    let operation = call
        .is(ORDERS, "lookAtOrder", "Any order, with all that staff know of it")
        .takes([Param::path("id", "The order's id, or its number.").example("562-398-909")])
        .replies::<OrderBody<'_>>(200, "The order.", example::order())
        .with_header(200, "ETag", "Its version.")
        .refuses([Code::NotFound]);
    Described(operation)
}

pub fn list_returns(call: Call) -> Described {
    let operation = call
        .is(ORDERS, "listReturns", "What buyers send back, those asked for last first")
        .takes([Param::choice("status", &names(&returns::STATUSES), "How far it is.")])
        .takes(paging())
        .replies::<ReturnList<'_>>(
            200,
            "A page of returns.",
            json!({"items": [example::returned()], "next_cursor": null}),
        )
        .refuses(LIST_CODES);
    Described(operation)
}

pub fn get_cart(call: Call) -> Described {
    let operation = call
        .is(CARTS, "lookAtCart", "Any cart, as its shopper sees it")
        .takes([Param::path("id", "The cart's id.").example("cart_06d3r8v2k9m5w1x7q4t0c3f8hn")])
        .replies::<CartBody<'_>>(200, "The cart.", examples::cart())
        .with_header(200, "ETag", "Its version.")
        .refuses([Code::NotFound]);
    Described(operation)
}
