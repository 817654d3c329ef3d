//! Where API keys are kept.

use async_trait::async_trait;

use super::CommerceError;
use crate::access::{ApiKey, ApiKeyDraft, KeyHash};
use crate::ids::ApiKeyId;
use crate::time::Timestamp;

/// The most keys that are not revoked. All of them are held in memory by every node.
pub const API_KEYS_MAX: usize = 1_000;

/// What came of making a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMade {
    Done,
    /// There are [`API_KEYS_MAX`] already: one has to be revoked first.
    Full,
}

/// API keys. The secret is never stored, only its hash. Each call is one transaction, durable
/// when it returns, and has one effect however often it is made. Several processes share them.
#[async_trait]
pub trait ApiKeyStore: Send + Sync + 'static {
    /// Makes a key. The same one again is done already.
    async fn create(&self, draft: &ApiKeyDraft) -> Result<KeyMade, CommerceError>;

    /// All keys that were not revoked, with their hashes; never from a replica. What was made or
    /// revoked before the call is seen by it.
    async fn unrevoked(&self) -> Result<Vec<(KeyHash, ApiKey)>, CommerceError>;

    /// Keys of all kinds, those made last first, after `after`, at most `limit`.
    async fn list(
        &self,
        after: Option<(Timestamp, ApiKeyId)>,
        limit: usize,
    ) -> Result<Vec<ApiKey>, CommerceError>;

    /// Revokes a key, for ever; `None` where there is none. Revoked again it stays revoked as it
    /// was at first.
    async fn revoke(&self, id: ApiKeyId, at: Timestamp) -> Result<Option<ApiKey>, CommerceError>;

    /// Tells when keys were used last. An earlier use than the one that is known changes nothing,
    /// and so does that of a key which is not there.
    async fn touch(&self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), CommerceError>;
}
