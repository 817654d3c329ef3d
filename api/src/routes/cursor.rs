//! Cursors: where the next page of a list begins, in a form that fits into an address and that
//! nobody but us can make. A cursor is good for the question it was made for and no other.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::edge::{Code, Problem};

/// 128 bits of a keyed BLAKE3: as hard to guess as the ids it guards.
const SEAL_BYTES: usize = 16;
/// The longest text that is looked at: ours hold at most a title of 255 characters.
const TEXT_MAX: usize = 4096;

/// Makes and reads cursors.
#[derive(Clone)]
pub struct Cursors {
    key: [u8; 32],
}

impl Cursors {
    /// `secret` is what the shop signs with; cursors get a key of their own from it.
    pub fn new(secret: &[u8; 32]) -> Cursors {
        Cursors { key: blake3::derive_key("barrow list cursors v1", secret) }
    }

    /// The text of a position in the answer to `question`.
    pub fn seal(&self, question: &str, position: &[u8]) -> String {
        let mut bytes = self.mac(question, position).to_vec();
        bytes.extend_from_slice(position);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position, if the cursor was made for this question.
    pub fn open(&self, question: &str, text: &str) -> Result<Vec<u8>, Problem> {
        let bytes = (text.len() <= TEXT_MAX).then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten();
        let opened = bytes.and_then(|bytes| {
            let (seal, position) = bytes.split_first_chunk::<SEAL_BYTES>()?;
            // Compared as BLAKE3 hashes, in constant time.
            let known = blake3::hash(&self.mac(question, position));
            (known == blake3::hash(seal)).then(|| position.to_vec())
        });
        opened.ok_or_else(refused)
    }

    fn mac(&self, question: &str, position: &[u8]) -> [u8; SEAL_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        // The length keeps the two apart.
        hasher.update(&(question.len() as u64).to_le_bytes());
        hasher.update(question.as_bytes());
        hasher.update(position);
        let hash = hasher.finalize();
        *hash.as_bytes().first_chunk().expect("a hash has 32 bytes")
    }
}

/// 400 `invalid_cursor`: not ours, or made for another question.
pub fn refused() -> Problem {
    let detail = "the cursor was not made by this shop, or for other filters; start without one";
    Problem::new(Code::InvalidCursor, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_sealed() {
        let cursors = Cursors::new(&[7; 32]);
        for position in [&b""[..], b"x", &[0, 255, 62, 63]] {
            let text = cursors.seal("products?sort=price", position);
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            assert_eq!(cursors.open("products?sort=price", &text).unwrap(), position);
        }
    }

    #[test]
    fn refuses_other_questions_other_keys_and_any_change() {
        let cursors = Cursors::new(&[7; 32]);
        let text = cursors.seal("a", b"bc");
        // Moving a byte from the question to the position must not go unnoticed.
        assert!(cursors.open("ab", &cursors.seal("a", b"bc")).is_err());
        assert!(cursors.open("b", &text).is_err());
        assert!(Cursors::new(&[8; 32]).open("a", &text).is_err());
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(cursors.open("a", &changed).is_err(), "byte {at}");
        }
        for foreign in ["", "A", "=", "ä", "AAAAAAAAAAAAAAAAAAAAAA", &"A".repeat(TEXT_MAX + 1)] {
            let problem = cursors.open("a", foreign).unwrap_err();
            assert_eq!(problem.code(), Code::InvalidCursor);
        }
    }
}
