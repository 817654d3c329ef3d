//! The secrets of API keys, as their bearers have them.
//!
//! A secret is `barrow_key_` and the base64url of 36 bytes: 256 bits of randomness, and four bytes
//! by which one that was cut short or mistyped is told from one that is unknown. The prefix is for
//! whoever looks for secrets where none should lie. What is stored is a hash. It is a fast one: a
//! slow one makes up for secrets that can be guessed, and these cannot be.

use std::fmt;

use barrow_engine::access::KeyHash;
use barrow_engine::ports::Entropy;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What every secret begins with.
pub const PREFIX: &str = "barrow_key_";

const SECRET_LEN: usize = 32;
const CHECK_LEN: usize = 4;
const TEXT_LEN: usize = PREFIX.len() + (SECRET_LEN + CHECK_LEN) * 4 / 3;

/// Never change it: all keys would become unknown.
const HASH_CONTEXT: &str = "barrow 2026-11-23 api key hash v1";

const CHECK_CONTEXT: &str = "barrow 2026-11-23 api key check v1";

/// A secret. It is shown once, to whoever made the key.
pub struct KeySecret([u8; SECRET_LEN]);

impl KeySecret {
    pub fn draw(entropy: &dyn Entropy) -> KeySecret {
        let mut secret = [0; SECRET_LEN];
        entropy.fill(&mut secret);
        KeySecret(secret)
    }

    /// Reads one; `None` where it is none of ours.
    pub fn read(text: &str) -> Option<KeySecret> {
        if text.len() != TEXT_LEN {
            return None;
        }
        let mut bytes = [0; SECRET_LEN + CHECK_LEN];
        let written = URL_SAFE_NO_PAD.decode_slice(text.strip_prefix(PREFIX)?, &mut bytes).ok()?;
        let (secret, check) = bytes.split_first_chunk::<SECRET_LEN>()?;
        let secret = KeySecret(*secret);
        (written == bytes.len() && *check == secret.check()).then_some(secret)
    }

    /// What is stored, and found by.
    pub fn hash(&self) -> KeyHash {
        KeyHash(blake3::derive_key(HASH_CONTEXT, &self.0))
    }

    /// Its text: the secret itself.
    pub fn expose(&self) -> String {
        let mut text = PREFIX.to_owned();
        URL_SAFE_NO_PAD.encode_string([&self.0[..], &self.check()].concat(), &mut text);
        text
    }

    fn check(&self) -> [u8; CHECK_LEN] {
        let hash = blake3::derive_key(CHECK_CONTEXT, &self.0);
        *hash.first_chunk().expect("a hash has 32 bytes")
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;

    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            for (byte, value) in buffer.iter_mut().zip(0..) {
                *byte = value;
            }
        }
    }

    /// Keys that were given out must stay good over releases.
    #[test]
    fn the_form_of_a_secret_is_fixed_for_ever() {
        let secret = KeySecret::draw(&Counting);
        let text = secret.expose();
        assert_eq!(text, "barrow_key_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9Cnp04");
        assert_eq!(KeySecret::read(&text).unwrap().hash(), secret.hash());
        assert_eq!(secret.hash().0[..4], [210, 121, 244, 194]);
        assert_eq!(format!("{secret:?}"), "KeySecret(..)");
    }

    #[test]
    fn what_was_mistyped_is_noticed() {
        let text = KeySecret::draw(&Counting).expose();
        for index in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let mistyped = String::from_utf8(bytes).unwrap();
            assert!(KeySecret::read(&mistyped).is_none(), "byte {index}");
        }
        for bad in ["", PREFIX, &text[1..], &format!("{text}A"), &"ä".repeat(TEXT_LEN / 2)] {
            assert!(KeySecret::read(bad).is_none(), "{bad}");
        }
    }
}
