//! API keys: what a program of the house shows to be let in.

use std::fmt;

use super::ScopeSet;
use crate::ids::ApiKeyId;
use crate::time::Timestamp;

/// The longest name of a key.
pub const API_KEY_NAME_CHARS_MAX: usize = 100;

/// What is stored of a key's secret, and found by it. A secret is 256 bits of randomness, so that
/// nobody can try them all, however fast the hash is: none that is slow on purpose is needed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

/// The hash is no secret, but nobody has any use for it either.
impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyDraft {
    pub id: ApiKeyId,
    pub hash: KeyHash,
    /// For people.
    pub name: String,
    pub scopes: ScopeSet,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// A key that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    pub scopes: ScopeSet,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// To within minutes: not each use is written down.
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// As it was made.
    pub fn new(draft: &ApiKeyDraft) -> ApiKey {
        ApiKey {
            id: draft.id,
            name: draft.name.clone(),
            scopes: draft.scopes,
            created_at: draft.created_at,
            expires_at: draft.expires_at,
            last_used_at: None,
            revoked_at: None,
        }
    }

    /// Whether it lets anybody in.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && !self.has_expired(now)
    }

    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// A name that cannot be a key's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {API_KEY_NAME_CHARS_MAX} characters, none of them a control character")]
pub struct InvalidApiKeyName;

/// Whether a key may be called so.
pub fn check_api_key_name(name: &str) -> Result<(), InvalidApiKeyName> {
    let length = name.chars().count();
    let is_name = (1..=API_KEY_NAME_CHARS_MAX).contains(&length)
        && name.trim() == name
        && !name.chars().any(char::is_control);
    is_name.then_some(()).ok_or(InvalidApiKeyName)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_good_until_it_is_revoked_or_expires() {
        let draft = ApiKeyDraft {
            id: ApiKeyId(1),
            hash: KeyHash([7; 32]),
            name: "till".into(),
            scopes: ScopeSet::default(),
            created_at: Timestamp(10),
            expires_at: Some(Timestamp(20)),
        };
        let key = ApiKey::new(&draft);
        assert!(key.is_good(Timestamp(19)) && !key.is_good(Timestamp(20)));
        let revoked = ApiKey { revoked_at: Some(Timestamp(11)), ..key.clone() };
        assert!(!revoked.is_good(Timestamp(12)));
        let endless = ApiKey { expires_at: None, ..key };
        assert!(endless.is_good(Timestamp::MAX));
        assert!(format!("{draft:?}").contains("KeyHash(..)"), "{draft:?} tells no hash");
    }

    #[test]
    fn names_are_for_people() {
        for name in ["till", "ERP, the new one", "Kasse Süd"] {
            assert_eq!(check_api_key_name(name), Ok(()), "{name}");
        }
        let long = "x".repeat(API_KEY_NAME_CHARS_MAX + 1);
        for name in ["", " ", " till", "two\nlines", &long] {
            assert_eq!(check_api_key_name(name), Err(InvalidApiKeyName), "{name:?}");
        }
    }
}
