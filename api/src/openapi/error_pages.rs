//! The pages that the `type` of a refusal leads to: those of `docs/errors`, carried in the
//! binary, so that they are at hand wherever it runs.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html};

use crate::edge::Code;

/// Each code with its page.
macro_rules! pages {
    ($($code:ident: $file:literal,)*) => {
        fn source(code: Code) -> &'static str {
            match code {
                $(Code::$code => include_str!(concat!("../../../docs/errors/", $file, ".md")),)*
            }
        }
    };
}

pages! {
    MalformedJson: "malformed_json",
    InvalidParameter: "invalid_parameter",
    UnknownParameter: "unknown_parameter",
    InvalidCursor: "invalid_cursor",
    IdempotencyKeyRequired: "idempotency_key_required",
    IdempotencyKeyInvalid: "idempotency_key_invalid",
    Unauthenticated: "unauthenticated",
    TokenExpired: "token_expired",
    PaymentDeclined: "payment_declined",
    SignatureInvalid: "signature_invalid",
    SignatureExpired: "signature_expired",
    Forbidden: "forbidden",
    NotFound: "not_found",
    MethodNotAllowed: "method_not_allowed",
    CartExpired: "cart_expired",
    CartNotReady: "cart_not_ready",
    CartChanged: "cart_changed",
    InsufficientStock: "insufficient_stock",
    CheckoutInProgress: "checkout_in_progress",
    CartOrdered: "cart_ordered",
    AlreadyFulfilled: "already_fulfilled",
    OrderState: "order_state",
    StockBelowZero: "stock_below_zero",
    VersionMismatch: "version_mismatch",
    BodyTooLarge: "body_too_large",
    UnsupportedMediaType: "unsupported_media_type",
    ValidationFailed: "validation_failed",
    IdempotencyKeyReused: "idempotency_key_reused",
    NoPrice: "no_price",
    VariantUnavailable: "variant_unavailable",
    QuantityLimit: "quantity_limit",
    LineLimit: "line_limit",
    CaptureExceedsAuthorized: "capture_exceeds_authorized",
    RefundExceedsCaptured: "refund_exceeds_captured",
    ReturnExceedsFulfilled: "return_exceeds_fulfilled",
    UploadMismatch: "upload_mismatch",
    Overloaded: "overloaded",
    IdempotencyMemoryFull: "idempotency_memory_full",
    Unavailable: "unavailable",
    OutcomeUnknown: "outcome_unknown",
}

const INDEX: &str = include_str!("../../../docs/errors/README.md");

/// Plain and readable, in the dark too.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.6 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}\
code,pre{font:14px/1.5 ui-monospace,monospace}h1 code{font-size:inherit}\
pre{padding:1rem;overflow-x:auto;border:1px solid #8885;border-radius:6px;background:#8881}\
table{border-collapse:collapse}td,th{padding:.3rem .8rem;border:1px solid #8885;text-align:left}\
nav{font-size:14px}";

/// The page of a code; `None` where there is no such code.
pub fn page(code: &str) -> Option<String> {
    let code = Code::ALL.iter().find(|one| one.as_str() == code)?;
    Some(html_of(code.as_str(), source(*code)))
}

/// All codes.
pub fn index() -> String {
    html_of("Problem codes", INDEX)
}

fn html_of(title: &str, markdown: &str) -> String {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).map(|event| match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: address(dest_url), title, id })
        }
        other => other,
    });
    let mut body = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut body, events);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\
         <nav><a href=\"/docs\">API</a> · <a href=\"/docs/errors\">Problem codes</a></nav>\n\
         {body}</body></html>"
    )
}

/// A page beside this one is served without its ending.
fn address(link: CowStr<'_>) -> CowStr<'_> {
    match link.strip_suffix(".md") {
        Some(name) if !name.contains('/') => format!("/docs/errors/{name}").into(),
        _ => link,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::problem_example;

    /// The first block of JSON in a page.
    fn example(page: &str) -> serde_json::Value {
        let (_, rest) = page.split_once("```json\n").expect("a page has an example");
        let (json, _) = rest.split_once("```").expect("the example ends");
        serde_json::from_str(json).expect("the example is JSON")
    }

    #[test]
    fn each_page_is_of_its_code_and_shows_what_the_code_sends() {
        for code in Code::ALL {
            let page = source(*code);
            assert!(page.starts_with(&format!("# `{}`\n", code.as_str())), "{}", code.as_str());
            let status = format!("**{} ", code.status().as_u16());
            assert!(page.contains(&status), "{} does not tell its status", code.as_str());
            assert!(page.contains(code.title()), "{} does not tell its title", code.as_str());
            let shown = example(page);
            let sent = problem_example(*code);
            for field in ["type", "title", "status", "code", "request_id"] {
                assert_eq!(shown[field], sent[field], "{field} of {}", code.as_str());
            }
            let names = |value: &serde_json::Value| {
                value
                    .as_object()
                    .unwrap()
                    .keys()
                    .cloned()
                    .collect::<std::collections::BTreeSet<_>>()
            };
            assert_eq!(names(&shown), names(&sent), "fields of {}", code.as_str());
        }
    }

    #[test]
    fn links_lead_to_pages_that_are_there() {
        let pages = Code::ALL.iter().map(|code| page(code.as_str()).unwrap());
        for page in pages.chain([index()]) {
            for link in page.split("href=\"").skip(1) {
                let link = link.split('"').next().unwrap();
                match link.strip_prefix("/docs/errors/") {
                    Some(code) => assert!(super::page(code).is_some(), "{link} leads nowhere"),
                    None => assert!(["/docs", "/docs/errors"].contains(&link), "{link}"),
                }
            }
        }
    }

    #[test]
    fn unknown_codes_have_no_page() {
        for code in ["", "README", "../README", "no_such_code"] {
            assert!(page(code).is_none(), "{code}");
        }
    }
}
