//! Signed notices, in the form that Stripe made common: `t=SECONDS,v1=HEX`, an HMAC of SHA-256 over
//! the seconds, a dot and the body.

use std::time::Duration;

use barrow_engine::ports::WebhookError;
use barrow_engine::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How old a signature may be, or how far ahead of our clock.
const AGE_MAX: Duration = Duration::from_secs(5 * 60);

fn mac(secret: &[u8], seconds: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(seconds.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// Signs a body.
pub(super) fn sign(secret: &[u8], body: &[u8], now: Timestamp) -> String {
    let seconds = (now.as_millis() / 1_000).to_string();
    let bytes = mac(secret, &seconds, body).finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

/// Whether one of the signatures of the header is of the holder of the secret, and not too old.
pub(super) fn check(
    secret: &[u8],
    header: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<(), WebhookError> {
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let seconds = parts().find_map(|(name, value)| (name == "t").then_some(value));
    let seconds = seconds.ok_or(WebhookError::NotSigned)?;
    let is_signed = parts().filter(|(name, _)| *name == "v1").any(|(_, hex)| {
        // Compared in the same time wherever they differ.
        from_hex(hex).is_some_and(|bytes| mac(secret, seconds, body).verify_slice(&bytes).is_ok())
    });
    if !is_signed {
        return Err(WebhookError::NotSigned);
    }
    let at: i64 = seconds.parse().map_err(|_| WebhookError::NotSigned)?;
    let at = Timestamp(at.saturating_mul(1_000));
    match now.since(at).max(at.since(now)) <= AGE_MAX {
        true => Ok(()),
        false => Err(WebhookError::TooOld),
    }
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let is_even = hex.len().is_multiple_of(2) && hex.is_ascii();
    let pairs =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok());
    is_even.then(|| pairs.collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_123);
    const SECRET: &[u8] = b"whsec_test";

    #[test]
    fn only_the_holder_of_the_secret_is_believed() {
        let signed = sign(SECRET, b"{}", NOW);
        let check = |secret: &[u8], header: &str, body: &[u8], expected| {
            assert_eq!(super::check(secret, header, body, NOW), expected, "{header}");
        };
        check(SECRET, &signed, b"{}", Ok(()));
        check(SECRET, &format!("v0=00,v1=00,{signed}"), b"{}", Ok(()));
        check(SECRET, &signed, b"{ }", Err(WebhookError::NotSigned));
        check(b"other", &signed, b"{}", Err(WebhookError::NotSigned));
        let moved = signed.replace("t=179", "t=180");
        for header in [moved.as_str(), "", "t=1", "v1=00", "t=x,v1=zz", "t=1790000000,v1=\u{e9}a"] {
            check(SECRET, header, b"{}", Err(WebhookError::NotSigned));
        }
    }

    #[test]
    fn a_recording_is_not_believed() {
        let check = |age_seconds: i64, expected| {
            let signed = sign(SECRET, b"{}", Timestamp(NOW.0 - age_seconds * 1_000));
            assert_eq!(super::check(SECRET, &signed, b"{}", NOW), expected, "{age_seconds}");
        };
        check(299, Ok(()));
        check(301, Err(WebhookError::TooOld));
        check(-302, Err(WebhookError::TooOld));
    }
}
