//! Shop tokens: a session, an expiry and a seal over both.
//!
//! A token is `shop_` and the base64url of 59 bytes: a version, the id of the key, the expiry
//! in milliseconds (8 bytes, big-endian), the subject (kind and 128 bits), and a keyed BLAKE3
//! hash of all that. Whoever has the key can make and check tokens without asking anybody.
//! Tokens are secrets: they are compared in constant time and never logged.

use std::fmt;

use barrow_engine::ids::SessionId;
use barrow_engine::session::SigningKey;
use barrow_engine::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const PREFIX: &str = "shop_";
const VERSION: u8 = 1;
const CLAIMS_LEN: usize = 1 + 1 + 8 + 1 + 16;
const SEAL_LEN: usize = 32;
const TOKEN_LEN: usize = CLAIMS_LEN + SEAL_LEN;
const TEXT_LEN: usize = PREFIX.len() + (TOKEN_LEN * 4).div_ceil(3);

/// Keeps this use of a key apart from any other use of the same secret. Never change it: all
/// tokens would become invalid.
const KEY_CONTEXT: &str = "barrow 2026-11-22 shop token seal v1";

const TEST_GATEWAY_CONTEXT: &str = "barrow 2026-11-23 test gateway secret v1";

const CURSOR_CONTEXT: &str = "barrow 2026-11-22 list cursor secret v1";

/// The id of a key that comes from the configuration; those made by the shop count from 1.
const CONFIGURED_KEY: u8 = 0;

/// Whom a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Session(SessionId),
}

/// What a token says, once its seal was found good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenClaims {
    pub subject: Subject,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours: malformed, of an unknown version or key, or tampered with.
    #[error("the token is not valid")]
    Invalid,
    #[error("the token has expired")]
    Expired,
}

/// The keys of tokens: the first seals, all of them check.
#[derive(Clone)]
pub struct TokenKeys {
    /// The sealing key first.
    keys: Vec<(u8, [u8; 32])>,
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u8> = self.keys.iter().map(|(id, _)| *id).collect();
        f.debug_struct("TokenKeys").field("ids", &ids).finish_non_exhaustive()
    }
}

impl TokenKeys {
    /// Keys the shop made itself, the one that seals first; `None` where there is none.
    pub fn new(keys: &[SigningKey]) -> Option<TokenKeys> {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| (key.id.0, blake3::derive_key(KEY_CONTEXT, &key.secret)))
            .collect();
        (!keys.is_empty()).then_some(TokenKeys { keys })
    }

    /// The one key that `auth.signing_key` names.
    pub fn from_configured(secret: &str) -> TokenKeys {
        let key = blake3::derive_key(KEY_CONTEXT, secret.as_bytes());
        TokenKeys { keys: vec![(CONFIGURED_KEY, key)] }
    }

    /// What the test gateway signs its notices with.
    pub fn test_gateway_secret(&self) -> [u8; 32] {
        let (_, key) = self.keys.first().expect("there is at least one key");
        blake3::derive_key(TEST_GATEWAY_CONTEXT, key)
    }

    /// What the cursors of lists are sealed from: they live as long as the key.
    pub fn cursor_secret(&self) -> [u8; 32] {
        let (_, key) = self.keys.first().expect("there is at least one key");
        blake3::derive_key(CURSOR_CONTEXT, key)
    }

    /// A token that says so.
    pub fn seal(&self, claims: TokenClaims) -> String {
        let (key_id, key) = self.keys.first().expect("there is at least one key");
        let mut bytes = [0; TOKEN_LEN];
        let (kind, id) = match claims.subject {
            Subject::Session(id) => (1, id.0),
        };
        bytes[0] = VERSION;
        bytes[1] = *key_id;
        bytes[2..10].copy_from_slice(&claims.expires_at.as_millis().to_be_bytes());
        bytes[10] = kind;
        bytes[11..CLAIMS_LEN].copy_from_slice(&id.to_be_bytes());
        let seal = blake3::keyed_hash(key, &bytes[..CLAIMS_LEN]);
        bytes[CLAIMS_LEN..].copy_from_slice(seal.as_bytes());
        let mut token = String::with_capacity(TEXT_LEN);
        token.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(bytes, &mut token);
        token
    }

    /// What the token says, if its seal is good and its time has not come.
    pub fn open(&self, token: &str, now: Timestamp) -> Result<TokenClaims, TokenError> {
        let bytes = decode(token).ok_or(TokenError::Invalid)?;
        let (claims, seal) = bytes.split_at(CLAIMS_LEN);
        let (_, key) =
            self.keys.iter().find(|(id, _)| *id == claims[1]).ok_or(TokenError::Invalid)?;
        let seal: [u8; SEAL_LEN] = seal.try_into().expect("the rest of the token is the seal");
        // `blake3::Hash` compares in constant time.
        if blake3::keyed_hash(key, claims) != blake3::Hash::from_bytes(seal) {
            return Err(TokenError::Invalid);
        }
        let claims = read_claims(claims).ok_or(TokenError::Invalid)?;
        if claims.expires_at <= now {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }
}

fn decode(token: &str) -> Option<[u8; TOKEN_LEN]> {
    if token.len() != TEXT_LEN {
        return None;
    }
    let mut bytes = [0; TOKEN_LEN];
    let text = token.strip_prefix(PREFIX)?;
    let written = URL_SAFE_NO_PAD.decode_slice_unchecked(text, &mut bytes).ok()?;
    (written == TOKEN_LEN).then_some(bytes)
}

fn read_claims(claims: &[u8]) -> Option<TokenClaims> {
    if claims[0] != VERSION {
        return None;
    }
    let expires_at = i64::from_be_bytes(claims[2..10].try_into().ok()?);
    let id = u128::from_be_bytes(claims[11..CLAIMS_LEN].try_into().ok()?);
    let subject = match claims[10] {
        1 => Subject::Session(SessionId(id)),
        _ => return None,
    };
    Some(TokenClaims { subject, expires_at: Timestamp::from_millis(expires_at) })
}

#[cfg(test)]
mod tests {
    use barrow_engine::session::SigningKeyId;

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn of(keys: &[(u8, u8)]) -> TokenKeys {
        let keys = keys.iter().map(|(id, secret)| SigningKey {
            id: SigningKeyId(*id),
            secret: [*secret; 32],
            created_at: NOW,
        });
        TokenKeys::new(&keys.collect::<Vec<_>>()).unwrap()
    }

    fn keys() -> TokenKeys {
        of(&[(1, 1), (2, 2)])
    }

    fn claims() -> TokenClaims {
        TokenClaims {
            subject: Subject::Session(SessionId(0x0123_4567_89ab_cdef)),
            expires_at: Timestamp(NOW.0 + 1),
        }
    }

    #[test]
    fn what_was_sealed_opens_until_it_expires() {
        let token = keys().seal(claims());
        assert_eq!(token.len(), TEXT_LEN);
        assert_eq!(keys().open(&token, NOW), Ok(claims()));
        assert_eq!(keys().open(&token, Timestamp(NOW.0 + 1)), Err(TokenError::Expired));
    }

    /// Issued tokens must stay good over releases.
    #[test]
    fn the_form_is_fixed_for_ever() {
        let token = of(&[(1, 1)]).seal(claims());
        assert_eq!(
            token,
            "shop_AQEAAAGjGFxQAQEAAAAAAAAAAAEjRWeJq83vgKQmPGs3DKnk5DDPWxBZkZxFiiNgJE3j0jCLP-DOhAM"
        );
    }

    #[test]
    fn no_byte_may_be_changed() {
        let token = keys().seal(claims());
        for index in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let tampered = String::from_utf8(bytes).unwrap();
            assert_eq!(keys().open(&tampered, NOW), Err(TokenError::Invalid), "byte {index}");
        }
        for bad in ["", "shop_", "x", &token[1..], &format!("{token}A"), &"ä".repeat(42)] {
            assert_eq!(keys().open(bad, NOW), Err(TokenError::Invalid), "{bad}");
        }
    }

    #[test]
    fn old_keys_check_and_foreign_ones_do_not() {
        let old = of(&[(2, 2)]);
        assert_eq!(keys().open(&old.seal(claims()), NOW), Ok(claims()));
        let foreign = of(&[(1, 9)]);
        assert_eq!(keys().open(&foreign.seal(claims()), NOW), Err(TokenError::Invalid));
        let unknown = TokenKeys::from_configured("a secret of at least 32 characters");
        assert_eq!(keys().open(&unknown.seal(claims()), NOW), Err(TokenError::Invalid));
        assert_eq!(unknown.open(&unknown.seal(claims()), NOW), Ok(claims()));
        assert!(TokenKeys::new(&[]).is_none());
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", keys()), "TokenKeys { ids: [1, 2], .. }");
    }
}
