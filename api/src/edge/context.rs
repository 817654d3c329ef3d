//! What is known of a request before any route sees it: its id and its trace.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

/// The id by which a client and the log name a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The longest request id that is taken up: two UUIDs and a separator fit.
const REQUEST_ID_LENGTH_MAX: usize = 128;

/// The id and trace of a request, as they go back with the reply.
#[derive(Debug, Clone)]
pub struct RequestContext {
    pub request_id: HeaderValue,
    pub traceparent: HeaderValue,
}

impl RequestContext {
    /// Takes up what the client sent, if it is well-formed, and makes the rest.
    pub fn read(headers: &HeaderMap, names: &Names) -> RequestContext {
        let request_id = headers.get(REQUEST_ID).filter(|value| is_request_id(value.as_bytes()));
        let traceparent = headers.get(TRACEPARENT).filter(|value| is_traceparent(value.as_bytes()));
        RequestContext {
            request_id: request_id.cloned().unwrap_or_else(|| names.request_id()),
            traceparent: traceparent.cloned().unwrap_or_else(|| names.traceparent()),
        }
    }
}

fn is_request_id(value: &[u8]) -> bool {
    (1..=REQUEST_ID_LENGTH_MAX).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic)
}

/// `00-{32 hex}-{16 hex}-{2 hex}` in lower case, neither id all zeros. A later version may go
/// on after a dash; version `ff` is forbidden.
fn is_traceparent(value: &[u8]) -> bool {
    let is_hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_set = |part: &[u8]| is_hex(part) && part.iter().any(|b| *b != b'0');
    if value.len() < 55 || value.len() > REQUEST_ID_LENGTH_MAX {
        return false;
    }
    let dashes = value[2] == b'-' && value[35] == b'-' && value[52] == b'-';
    let ends = match &value[..2] {
        b"00" => value.len() == 55,
        b"ff" => false,
        _ => value.len() == 55 || value[55] == b'-' && value[56..].iter().all(u8::is_ascii_graphic),
    };
    dashes
        && ends
        && is_hex(&value[..2])
        && is_set(&value[3..35])
        && is_set(&value[36..52])
        && is_hex(&value[53..55])
}

/// Makes names for requests: unlike for as long as the process lives, and unlike those of any
/// other process by its random seed. They are not secrets, so a counter that is well mixed
/// serves, and costs no call for randomness.
#[derive(Debug)]
pub struct Names {
    seed: u128,
    counter: AtomicU64,
}

impl Names {
    pub fn new(seed: u128) -> Names {
        Names { seed, counter: AtomicU64::new(0) }
    }

    fn next(&self) -> u128 {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let low = mix((self.seed as u64).wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let high = mix((self.seed >> 64) as u64 ^ low);
        u128::from(high) << 64 | u128::from(low)
    }

    fn request_id(&self) -> HeaderValue {
        let digits = barrow_engine::ids::encode_base32(self.next());
        HeaderValue::from_bytes(&digits).expect("base 32 is visible ASCII")
    }

    fn traceparent(&self) -> HeaderValue {
        let trace = self.next().max(1);
        let span = (trace as u64).max(1);
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        put_hex(&mut text[3..35], trace);
        put_hex(&mut text[36..52], span.into());
        HeaderValue::from_bytes(&text).expect("hexadecimal digits are visible ASCII")
    }
}

/// Writes the low digits of a number, as many as there is room for.
fn put_hex(room: &mut [u8], mut number: u128) {
    for digit in room.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

/// The finaliser of SplitMix64: a bijection, so that different counts stay different.
fn mix(mut z: u64) -> u64 {
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn read(id: Option<&str>, trace: Option<&str>) -> RequestContext {
        let mut headers = HeaderMap::new();
        if let Some(id) = id {
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(id.as_bytes()).unwrap());
        }
        if let Some(trace) = trace {
            headers.insert(TRACEPARENT, trace.parse().unwrap());
        }
        RequestContext::read(&headers, &Names::new(42))
    }

    #[test]
    fn good_names_are_taken_up() {
        let context = read(Some("abc-123"), Some(TRACE));
        assert_eq!(context.request_id, "abc-123");
        assert_eq!(context.traceparent, TRACE);
        let future = format!("01{}-more", &TRACE[2..]);
        assert_eq!(read(None, Some(&future)).traceparent, future);
    }

    #[test]
    fn bad_names_are_replaced() {
        for id in ["", "a b", "ä", &"x".repeat(129)] {
            assert_eq!(read(Some(id), None).request_id.len(), 26, "{id}");
        }
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let upper = TRACE.to_uppercase();
        let forbidden = format!("ff{}", &TRACE[2..]);
        let longer = format!("{TRACE}-x");
        for trace in ["", "00", zero, &upper, &forbidden, &longer] {
            let made = read(None, Some(trace)).traceparent;
            assert!(made != trace && is_traceparent(made.as_bytes()), "{trace}");
        }
    }

    #[test]
    fn made_names_differ() {
        let names = Names::new(7);
        let made: std::collections::HashSet<u128> = (0..10_000).map(|_| names.next()).collect();
        assert_eq!(made.len(), 10_000);
        assert!(!made.contains(&Names::new(8).next()));
    }
}
