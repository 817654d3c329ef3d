//! What the proofs of the session's entities share.

use proptest::sample::Index;

use crate::entity::{DecodeError, Entity};
use crate::time::Timestamp;

/// Decides and applies a command; answers how many events it led to.
pub fn run<E: Entity>(
    state: &mut E::State,
    command: E::Command,
    now: Timestamp,
) -> Result<usize, E::Rejection> {
    let decision = E::decide(state, command, now)?;
    assert!(decision.effects.is_empty());
    let count = decision.events.len();
    decision.events.into_iter().for_each(|event| E::apply(state, event));
    Ok(count)
}

/// A state reads back as it was; its blob cut short, with a tail, of a later version or of noise
/// is an error or a state, never a panic.
pub fn check_codec<E: Entity>(state: &E::State, noise: &[u8], cut: Index)
where
    E::State: PartialEq + std::fmt::Debug,
{
    let mut blob = Vec::new();
    E::encode(state, &mut blob);
    assert_eq!(E::decode(0, &blob).as_ref(), Ok(state));
    assert!(E::decode(0, &blob[..cut.index(blob.len())]).is_err());
    let longer = [&blob[..], &[0]].concat();
    assert!(matches!(E::decode(0, &longer), Err(DecodeError::Damaged(_))));
    let mut future = blob.clone();
    future[0] = 2;
    let refused = Err(DecodeError::FutureVersion { found: 2, supported: 1 });
    assert_eq!(E::decode(0, &future).map(|_| ()), refused);
    let _ = E::decode(0, noise);
    let mut noisy = blob;
    for (byte, noise) in noisy[1..].iter_mut().zip(noise) {
        *byte ^= noise;
    }
    let _ = E::decode(0, &noisy);
}

/// A blob that was stored once is read for ever, and written the same way by this version.
pub fn check_golden<E: Entity>(hex: &str, check: impl Fn(&E::State)) {
    let blob = from_hex(hex);
    let state = E::decode(0, &blob).unwrap();
    check(&state);
    let mut again = Vec::new();
    E::encode(&state, &mut again);
    assert_eq!(again, blob);
}

/// The bytes of a golden file: pairs of hexadecimal digits; white space means nothing.
pub fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}
