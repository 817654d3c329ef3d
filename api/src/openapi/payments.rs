//! The calls of payment gateways, and of the test gateway's page.

use utoipa::openapi::HttpMethod;

use super::operation::{Needs, Operation, Param};
use crate::edge::Code;

const TAG: &str = "Payments";

pub(super) fn operations() -> Vec<Operation> {
    vec![webhook(), page(), pay()]
}

fn call(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Operation {
    Operation::new(method, path, id, TAG, summary).needs(Needs::MaybeToken).refuses([
        Code::UnknownParameter,
        Code::NotFound,
        Code::Overloaded,
        Code::Unavailable,
    ])
}

fn webhook() -> Operation {
    call(
        HttpMethod::Post,
        "/v1/payments/{gateway}/webhook",
        "tellOfPayment",
        "What a gateway tells on its own",
    )
    .about(
        "Its signature is what lets it in; each gateway has its own form and header. Told twice \
         it has one effect.",
    )
    .takes([Param::path("gateway", "The gateway's name.").example("test")])
    .body_of_bytes("As the gateway writes it.")
    .replies_empty(204, "It is written down.")
    .refuses([Code::Unauthenticated, Code::ValidationFailed, Code::BodyTooLarge])
}

fn operation_params() -> [Param; 3] {
    [
        Param::path("order", "The order's id.").example("ord_06d3r8v2k9m5w1x7q4t0c3f8hn"),
        Param::path("attempt", "Which payment of the order.").example("1"),
        Param::path("operation", "Which operation of the payment.").example("1"),
    ]
}

const PAGE: &str = "/v1/payments/test/pay/{order}/{attempt}/{operation}";

fn page() -> Operation {
    call(HttpMethod::Get, PAGE, "showTestPayment", "The page of the test gateway")
        .about("Where the method `redirect` of the gateway `test` sends a buyer.")
        .takes(operation_params())
        .replies_as(200, "A page.", "text/html", "")
        .replies_empty(303, "It is settled: back to the shop.")
}

fn pay() -> Operation {
    call(HttpMethod::Post, PAGE, "settleTestPayment", "Pay on that page, or refuse")
        .takes(operation_params())
        .takes([Param::choice("paid", &["true", "false"], "What the buyer did.")])
        .replies_as(200, "A page.", "text/html", "")
        .replies_empty(303, "Back to the shop.")
        .refuses([Code::InvalidParameter])
}
