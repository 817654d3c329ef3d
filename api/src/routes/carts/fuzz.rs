//! Fuzz targets: the actions of a batch, and where an event stream goes on.

use barrow_fuzz::{INPUTS, Verdict, fuzz};
use http::{HeaderMap, HeaderValue};

use super::events::last_event_id;
use super::steps::draft;
use crate::edge::Code;
use crate::edge::fuzz::check_problem;
use crate::edge::json::parse;

#[test]
fn fuzz_actions() {
    let samples: [&[u8]; 7] = [
        br#"{"type": "add_line", "sku": "A", "quantity": 2.0}"#,
        br#"{"type": "set_quantity", "line_id": "line_1", "quantity": 0}"#,
        br#"{"type": "remove_line", "line_id": "line_4294967295"}"#,
        br#"{"type": "set_contact", "email": "ada@example.com", "phone": "+49 30 1234567"}"#,
        br#"{"type": "set_addresses", "shipping": {"first_name": "Ada", "last_name": "L",
            "line1": "Linden 1", "city": "Berlin", "postal_code": "10117", "country": "DE"}}"#,
        br#"{"type": "set_shipping_method", "id": "standard"}"#,
        br#"{"type": "accept_prices"}"#,
    ];
    fuzz("batch_actions", INPUTS, &samples, |bytes| {
        let Ok(action) = parse(bytes) else { return Verdict::Refused };
        let read = draft(&action, 4);
        if let Err(problem) = &read {
            check_problem(problem, &[Code::ValidationFailed]);
            let mut places = problem.errors().iter().map(|error| &error.pointer);
            assert!(places.all(|place| place.starts_with("/actions/4")));
        }
        Verdict::of(&read)
    });
}

#[test]
fn fuzz_last_event_ids() {
    fuzz("last_event_ids", INPUTS, &[b"3", b"18446744073709551615"], |bytes| {
        let Ok(value) = HeaderValue::from_bytes(bytes) else { return Verdict::Refused };
        let seen =
            last_event_id(&HeaderMap::from_iter([("last-event-id".parse().unwrap(), value)]));
        if let Some(seen) = seen {
            let text = str::from_utf8(bytes).unwrap();
            assert_eq!(
                text.trim_start_matches('+').trim_start_matches('0').parse().unwrap_or(0),
                seen
            );
        }
        seen.is_some().into()
    });
}
