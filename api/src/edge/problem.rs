//! Refusals, as a client sees them: `application/problem+json` (RFC 9457) with a stable `code`.
//! This is the one place that knows which code is which status.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use barrow_engine::ids::{CartId, OrderId};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

/// Declares the codes in use: name, text form, status, title.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:ident, $title:literal;)*) => {
        /// Why a request was refused. The text form is public and never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All of them; each has a page in `docs/errors`.
            pub const ALL: &[Code] = &[$(Code::$name),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text),* }
            }

            pub fn status(self) -> StatusCode {
                match self { $(Code::$name => StatusCode::$status),* }
            }

            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title),* }
            }

            /// The address of the page that explains it, relative to the server.
            pub fn page(self) -> &'static str {
                match self { $(Code::$name => concat!("/docs/errors/", $text)),* }
            }
        }
    };
}

codes! {
    MalformedJson = "malformed_json", BAD_REQUEST, "The body is not well-formed JSON";
    InvalidParameter = "invalid_parameter", BAD_REQUEST, "A parameter has an invalid value";
    UnknownParameter = "unknown_parameter", BAD_REQUEST, "A parameter is not known here";
    InvalidCursor = "invalid_cursor", BAD_REQUEST, "The cursor is not one of ours";
    IdempotencyKeyRequired = "idempotency_key_required", BAD_REQUEST,
        "An idempotency key is needed";
    IdempotencyKeyInvalid = "idempotency_key_invalid", BAD_REQUEST,
        "The idempotency key is not 16 to 255 visible ASCII characters";
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "A valid token is needed";
    TokenExpired = "token_expired", UNAUTHORIZED, "The token has expired";
    /// Carries `decline_code`.
    PaymentDeclined = "payment_declined", PAYMENT_REQUIRED, "The payment was declined";
    SignatureInvalid = "signature_invalid", FORBIDDEN, "The address was not signed by this shop";
    SignatureExpired = "signature_expired", FORBIDDEN, "The signed address has expired";
    /// Names the scope in its detail.
    Forbidden = "forbidden", FORBIDDEN, "The key lacks a scope";
    NotFound = "not_found", NOT_FOUND, "There is nothing here";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed here";
    CartExpired = "cart_expired", CONFLICT, "The cart has expired";
    /// Carries `problems`.
    CartNotReady = "cart_not_ready", CONFLICT, "The cart cannot be bought as it is";
    /// Carries `current_total`.
    CartChanged = "cart_changed", CONFLICT, "The cart costs something else";
    /// Carries `problems`.
    InsufficientStock = "insufficient_stock", CONFLICT, "There is too little of something";
    CheckoutInProgress = "checkout_in_progress", CONFLICT, "The cart is being bought";
    /// Carries `order_id` and `next_cart_id`.
    CartOrdered = "cart_ordered", CONFLICT, "The cart was bought";
    AlreadyFulfilled = "already_fulfilled", CONFLICT, "Some of it has left the house";
    OrderState = "order_state", CONFLICT, "The order is not in a state for this";
    StockBelowZero = "stock_below_zero", CONFLICT, "There are not so many";
    /// Carries `current_version`.
    VersionMismatch = "version_mismatch", PRECONDITION_FAILED, "The object has changed since";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        "The body must be sent as application/json";
    /// Says where in `errors`.
    ValidationFailed = "validation_failed", UNPROCESSABLE_ENTITY, "The body is not valid";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY,
        "The idempotency key was used for another request";
    NoPrice = "no_price", UNPROCESSABLE_ENTITY, "There is no price for this";
    VariantUnavailable = "variant_unavailable", UNPROCESSABLE_ENTITY, "This is not for sale";
    QuantityLimit = "quantity_limit", UNPROCESSABLE_ENTITY, "A line may not hold so many";
    LineLimit = "line_limit", UNPROCESSABLE_ENTITY, "The cart may not have more lines";
    CaptureExceedsAuthorized = "capture_exceeds_authorized", UNPROCESSABLE_ENTITY,
        "More would be taken than was authorized";
    RefundExceedsCaptured = "refund_exceeds_captured", UNPROCESSABLE_ENTITY,
        "More would go back than was taken";
    ReturnExceedsFulfilled = "return_exceeds_fulfilled", UNPROCESSABLE_ENTITY,
        "More would come back than was sent";
    UploadMismatch = "upload_mismatch", UNPROCESSABLE_ENTITY,
        "The file is not the one that was announced";
    IfMatchRequired = "if_match_required", PRECONDITION_REQUIRED,
        "The version that is changed has to be named";
    Overloaded = "overloaded", TOO_MANY_REQUESTS, "Too much at once";
    IdempotencyMemoryFull = "idempotency_memory_full", TOO_MANY_REQUESTS,
        "Too many idempotency keys in a short time";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The service cannot answer now";
    OutcomeUnknown = "outcome_unknown", SERVICE_UNAVAILABLE,
        "Whether the change was made is not known";
}

/// How much of a pointer is repeated in the sentence about it; the longest of ours has 40.
const PLACE_CHARS_MAX: usize = 100;

/// One thing that is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where, as a JSON pointer (RFC 6901) into the body.
    pub pointer: String,
    /// What: `unknown_field`, `wrong_type`, `out_of_range`, `required`, `unknown_sku`, ...
    pub code: &'static str,
    pub detail: String,
}

impl FieldError {
    pub fn new(
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> FieldError {
        FieldError { pointer: pointer.into(), code, detail: detail.into() }
    }
}

/// A refusal on its way to the client. As a response it waits for the request's id: the
/// conventions layer writes the body (see [`Problem::render`]).
#[derive(Debug, Clone)]
pub struct Problem(Box<Refusal>);

#[derive(Debug, Clone)]
struct Refusal {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    more: More,
    retry_after: Option<Duration>,
    /// Whether the same request was refused so before.
    is_replayed: bool,
}

/// What some codes promise beyond the common fields: see [`ProblemBody`].
#[derive(Debug, Clone, Default)]
pub struct More {
    pub current_version: Option<u64>,
    pub current_total: Option<Value>,
    pub problems: Option<Value>,
    pub order_id: Option<OrderId>,
    pub next_cart_id: Option<CartId>,
    pub decline_code: Option<String>,
}

/// The body of every refusal.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ProblemDetails)]
pub struct ProblemBody<'a> {
    /// The address of the page that explains the code.
    #[serde(rename = "type")]
    pub page: &'a str,
    pub title: &'a str,
    pub status: u16,
    pub detail: &'a str,
    /// Stable, for programs.
    pub code: &'a str,
    pub request_id: &'a str,
    pub errors: &'a [FieldError],
    /// With `version_mismatch`: the version that would have fitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_version: Option<u64>,
    /// With `cart_changed`: what the cart costs now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::wire::money::MoneySchema>)]
    pub current_total: Option<&'a Value>,
    /// With `cart_not_ready` and `insufficient_stock`: what keeps the cart from being bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<crate::wire::cart::CartProblem>>)]
    pub problems: Option<&'a Value>,
    /// With `cart_ordered`: what was bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub order_id: Option<OrderId>,
    /// With `cart_ordered`: the cart to go on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub next_cart_id: Option<CartId>,
    /// With `payment_declined`: why, in the gateway's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decline_code: Option<&'a str>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem(Box::new(Refusal {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            more: More::default(),
            retry_after: None,
            is_replayed: false,
        }))
    }

    /// 404, with nothing said about whether it exists for somebody else.
    pub fn not_found(what: &'static str) -> Problem {
        Problem::new(Code::NotFound, what)
    }

    /// 503 that asks to come again.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>, retry_after: Duration) -> Problem {
        Problem::new(Code::Unavailable, detail).retry_after(retry_after)
    }

    /// 422 `validation_failed`; the first error is also the detail.
    pub fn invalid(errors: Vec<FieldError>) -> Problem {
        let detail = errors.first().map_or_else(String::new, |error| {
            let place = if error.pointer.is_empty() { "the body" } else { &error.pointer };
            // A pointer is as long as the names that were sent; the sentence need not be.
            let place: String = place.chars().take(PLACE_CHARS_MAX).collect();
            format!("{place}: {}", error.detail)
        });
        let mut problem = Problem::new(Code::ValidationFailed, detail);
        problem.0.errors = errors;
        problem
    }

    /// Says where in the body.
    pub fn at(mut self, pointer: impl Into<String>) -> Problem {
        let detail = self.0.detail.clone().into_owned();
        self.0.errors.push(FieldError::new(pointer, self.0.code.as_str(), detail));
        self
    }

    /// 412: the object is at another version than the client saw.
    pub fn version_mismatch(current: u64) -> Problem {
        let detail = format!("it is at version {current}");
        let more = More { current_version: Some(current), ..More::default() };
        Problem::new(Code::VersionMismatch, detail).with(more)
    }

    /// Adds what its code promises.
    pub fn with(mut self, more: More) -> Problem {
        self.0.more = more;
        self
    }

    /// When it is worth to come again.
    pub fn retry_after(mut self, wait: Duration) -> Problem {
        self.0.retry_after = Some(wait);
        self
    }

    /// A recorded refusal, told again.
    pub fn replayed(mut self) -> Problem {
        self.0.is_replayed = true;
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// The body, once the request's id is known.
    pub fn body(&self, request_id: &str) -> Vec<u8> {
        let code = self.0.code;
        let body = ProblemBody {
            page: code.page(),
            title: code.title(),
            status: code.status().as_u16(),
            detail: &self.0.detail,
            code: code.as_str(),
            request_id,
            errors: &self.0.errors,
            current_version: self.0.more.current_version,
            current_total: self.0.more.current_total.as_ref(),
            problems: self.0.more.problems.as_ref(),
            order_id: self.0.more.order_id,
            next_cart_id: self.0.more.next_cart_id,
            decline_code: self.0.more.decline_code.as_deref(),
        };
        serde_json::to_vec(&body).expect("texts and numbers always serialise")
    }

    /// Writes the body of a refusal into its response; any other response is left alone.
    pub fn render(response: Response, request_id: &str) -> Response {
        let (mut parts, body) = response.into_parts();
        let Some(problem) = parts.extensions.remove::<Problem>() else {
            return Response::from_parts(parts, body);
        };
        parts.headers.remove(header::CONTENT_LENGTH);
        Response::from_parts(parts, Body::from(problem.body(request_id)))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.0.code.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.0.retry_after {
            // Whole seconds, and never "at once".
            let seconds = wait.as_millis().div_ceil(1000).max(1) as u64;
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.0.is_replayed {
            headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
        if self.0.code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_their_text_form() {
        let mut seen = std::collections::HashSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{} appears twice", code.as_str());
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert!(code.status().is_client_error() || code.status().as_u16() == 503);
        }
    }

    #[test]
    fn the_body_has_every_field() {
        let problem = Problem::version_mismatch(7).at("/actions/0");
        let body: serde_json::Value = serde_json::from_slice(&problem.body("req-1")).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "/docs/errors/version_mismatch",
                "title": "The object has changed since",
                "status": 412,
                "detail": "it is at version 7",
                "code": "version_mismatch",
                "request_id": "req-1",
                "errors": [{
                    "pointer": "/actions/0",
                    "code": "version_mismatch",
                    "detail": "it is at version 7",
                }],
                "current_version": 7,
            })
        );
    }

    #[test]
    fn retry_after_is_in_whole_seconds_and_not_zero() {
        for (millis, seconds) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2")] {
            let problem = Problem::unavailable("later", Duration::from_millis(millis));
            let response = problem.into_response();
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds);
        }
    }
}
