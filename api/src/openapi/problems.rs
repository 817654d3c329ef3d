//! What each refusal looks like, for the document and the pages that explain them: made by the
//! same code that refuses.

use barrow_engine::ids::{CartId, OrderId};
use serde_json::{Value, json};

use super::examples;
use crate::edge::{Code, FieldError, More, Problem};

/// The request id of all examples.
const REQUEST_ID: &str = "4bkz2c6q0h9w7r1m5x8t3v0ndy";

/// A body that the code comes with.
pub fn example(code: Code) -> Value {
    let bytes = problem(code).body(REQUEST_ID);
    serde_json::from_slice(&bytes).expect("a problem's body is JSON")
}

fn problem(code: Code) -> Problem {
    match code {
        Code::ValidationFailed => Problem::invalid(vec![FieldError::new(
            "/quantity",
            "out_of_range",
            "it must be a whole number from 1 to 99999",
        )]),
        Code::VersionMismatch => Problem::version_mismatch(8),
        _ => Problem::new(code, detail(code)).with(more(code)),
    }
}

/// What the code promises beyond the common fields.
fn more(code: Code) -> More {
    let more = More::default();
    match code {
        Code::CartNotReady => More { problems: Some(examples::problems()), ..more },
        Code::InsufficientStock => More { problems: Some(examples::shortages()), ..more },
        Code::CartChanged => {
            More { current_total: Some(json!({"amount": 53887, "currency": "EUR"})), ..more }
        }
        Code::CartOrdered => {
            More { order_id: Some(OrderId(7)), next_cart_id: Some(CartId(8)), ..more }
        }
        Code::PaymentDeclined => More { decline_code: Some("card_declined".to_owned()), ..more },
        _ => more,
    }
}

fn detail(code: Code) -> &'static str {
    match code {
        Code::MalformedJson => "line 1, column 14: expected a comma or a closing brace",
        Code::InvalidParameter => {
            "the parameter 'limit' is invalid: it must be a number from 1 to 100"
        }
        Code::UnknownParameter => "the parameter 'colour' is not known here",
        Code::InvalidCursor => {
            "the cursor was not made by this shop, or for other filters; start without one"
        }
        Code::IdempotencyKeyRequired => {
            "send an Idempotency-Key, new for each purchase and kept for its repeats"
        }
        Code::PaymentDeclined => "the payment was declined; the cart is open again",
        Code::InsufficientStock => "there is too little of something; the cart is open again",
        Code::AlreadyFulfilled => "a parcel of it is on its way",
        Code::CaptureExceedsAuthorized => "at most 4200 (in minor units) are left",
        Code::RefundExceedsCaptured => "at most 1300 (in minor units) are left",
        Code::ReturnExceedsFulfilled => "of line_1 at most 1 can be sent back",
        Code::OrderState => "the checkout was given up; the cart is open again",
        Code::IdempotencyKeyInvalid => "the key has 3 characters",
        Code::Unauthenticated => "this needs a shop token",
        Code::TokenExpired => "the token has expired; start a new session",
        Code::SignatureInvalid => "the address was changed since it was signed",
        Code::SignatureExpired => "the address has expired",
        Code::Forbidden => "this needs the scope 'orders:write'",
        Code::NotFound => "there is no such product",
        Code::MethodNotAllowed => "POST is not allowed here",
        Code::CartExpired => "The cart has expired; open a new one.",
        Code::CartNotReady => "The cart has problems that keep it from being bought.",
        Code::CartChanged => "The cart costs something else by now.",
        Code::CheckoutInProgress => "The cart is being bought; give that up first.",
        Code::StockBelowZero => "3 of OAK-CHAIR-M can go from default",
        Code::CartOrdered => "The cart was bought.",
        Code::BodyTooLarge => "the body is larger than 1048576 bytes",
        Code::UnsupportedMediaType => "the body is text/plain",
        Code::IdempotencyKeyReused => "the key came with another payload before",
        Code::NoPrice => "OAK-CHAIR-M has no price in GBP",
        Code::VariantUnavailable => "OAK-CHAIR-M is not for sale in this channel",
        Code::QuantityLimit => "a line holds at most 99999",
        Code::LineLimit => "a cart holds at most 1000 lines",
        Code::UploadMismatch => "the file has to have 48213 bytes",
        Code::Overloaded => "too many requests are being answered now",
        Code::IdempotencyMemoryFull => "more than 1024 keys within 5 minutes",
        Code::Unavailable => "the catalog cannot be read now",
        Code::OutcomeUnknown => "the store did not say whether it wrote; repeat with the same key",
        Code::ValidationFailed | Code::VersionMismatch => code.title(),
    }
}

/// The fields a problem always has.
#[cfg(test)]
pub(super) fn common_fields() -> Vec<&'static str> {
    vec!["type", "title", "status", "detail", "code", "request_id", "errors"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_an_example_of_its_own() {
        for code in Code::ALL {
            let body = example(*code);
            for field in common_fields() {
                assert!(body.get(field).is_some(), "{} lacks {field}", code.as_str());
            }
            assert_eq!(body["code"], json!(code.as_str()));
            assert_eq!(body["status"], json!(code.status().as_u16()));
            assert_ne!(body["detail"], json!(code.title()), "{} has no example", code.as_str());
        }
    }
}
