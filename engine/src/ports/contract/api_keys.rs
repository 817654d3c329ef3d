//! The promises of a store of API keys.

use super::{Names, concurrently};
use crate::access::{ApiKey, ApiKeyDraft, KeyHash, Scope};
use crate::ids::ApiKeyId;
use crate::ports::{ApiKeyStore, KeyMade};
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

struct Suite<'a> {
    store: &'a dyn ApiKeyStore,
    names: Names,
}

/// It takes few keys, and revokes them all: the store may hold others.
pub async fn api_keys(store: &dyn ApiKeyStore, seed: u64) {
    let suite = Suite { store, names: Names { seed } };
    suite.a_key_is_kept_as_it_was_made().await;
    suite.a_revoked_key_stays_revoked().await;
    suite.the_last_use_never_goes_back().await;
    suite.keys_are_listed_page_by_page().await;
    suite.one_key_is_made_once().await;
}

impl Suite<'_> {
    fn draft(&self, index: u64) -> ApiKeyDraft {
        let mut hash = [0; 32];
        hash[..16].copy_from_slice(&self.names.number(index).to_be_bytes());
        hash[31] = 1;
        ApiKeyDraft {
            id: ApiKeyId(self.names.number(index)),
            hash: KeyHash(hash),
            name: format!("Kasse {}", self.names.text(index)),
            scopes: [Scope::OrdersWrite, Scope::StockRead].into_iter().collect(),
            // Later than all that other runs have made.
            created_at: Timestamp(NOW.0 + index as i64),
            expires_at: index.is_multiple_of(2).then_some(Timestamp(NOW.0 + 1_000_000)),
        }
    }

    async fn made(&self, index: u64) -> ApiKeyDraft {
        let draft = self.draft(index);
        assert_eq!(self.store.create(&draft).await, Ok(KeyMade::Done), "a key is made");
        draft
    }

    /// What the store holds under the hash of a draft.
    async fn found(&self, draft: &ApiKeyDraft) -> Option<ApiKey> {
        let all = self.store.unrevoked().await.expect("keys are read");
        let mut found = all.into_iter().filter(|(hash, _)| *hash == draft.hash);
        let one = found.next().map(|(_, key)| key);
        assert!(found.next().is_none(), "a key is there once");
        one
    }

    async fn revoke(&self, id: ApiKeyId, at: i64) -> Option<ApiKey> {
        self.store.revoke(id, Timestamp(at)).await.expect("a key is revoked")
    }

    async fn a_key_is_kept_as_it_was_made(&self) {
        for index in [1, 2] {
            let draft = self.draft(index);
            assert_eq!(self.found(&draft).await, None, "what was not made is not there");
            self.made(index).await;
            assert_eq!(self.found(&draft).await, Some(ApiKey::new(&draft)), "it is kept");
            self.revoke(draft.id, NOW.0).await;
        }
    }

    async fn a_revoked_key_stays_revoked(&self) {
        let draft = self.made(10).await;
        let revoked = ApiKey { revoked_at: Some(Timestamp(5)), ..ApiKey::new(&draft) };
        assert_eq!(self.revoke(draft.id, 5).await.as_ref(), Some(&revoked), "it is revoked");
        assert_eq!(self.found(&draft).await, None, "then it is seen so at once");
        assert_eq!(self.revoke(draft.id, 6).await, Some(revoked), "and again as at first");
        let unknown = ApiKeyId(self.names.number(11));
        assert_eq!(self.revoke(unknown, 5).await, None, "what is not there is not revoked");
        let again = self.store.create(&draft).await;
        assert_eq!(again, Ok(KeyMade::Done), "the same key again is done already");
        assert_eq!(self.found(&draft).await, None, "which does not bring it back");
    }

    async fn the_last_use_never_goes_back(&self) {
        let draft = self.made(20).await;
        let unknown = ApiKeyId(self.names.number(21));
        let used = async |at: i64| {
            let uses = [(unknown, Timestamp(at)), (draft.id, Timestamp(at))];
            self.store.touch(&uses).await.expect("a use is told");
            self.found(&draft).await.and_then(|key| key.last_used_at)
        };
        assert_eq!(used(100).await, Some(Timestamp(100)), "a use is remembered");
        assert_eq!(used(99).await, Some(Timestamp(100)), "an earlier one changes nothing");
        assert_eq!(used(101).await, Some(Timestamp(101)), "a later one does");
        assert_eq!(self.store.touch(&[]).await, Ok(()), "no use is none");
        self.revoke(draft.id, NOW.0).await;
    }

    async fn keys_are_listed_page_by_page(&self) {
        let mut drafts = Vec::new();
        for index in 30..35 {
            let mut draft = self.draft(index);
            // Some are made in one millisecond.
            draft.created_at = Timestamp(NOW.0 + 1_000 + index as i64 / 2);
            assert_eq!(self.store.create(&draft).await, Ok(KeyMade::Done));
            self.revoke(draft.id, NOW.0).await;
            drafts.push(draft.id);
        }
        let mut seen: Vec<(Timestamp, ApiKeyId)> = Vec::new();
        loop {
            let page = self.store.list(seen.last().copied(), 2).await.expect("keys are listed");
            assert!(page.len() <= 2, "a page has its limit");
            if page.is_empty() {
                break;
            }
            seen.extend(page.iter().map(|key| (key.created_at, key.id)));
        }
        assert!(seen.windows(2).all(|two| two[0] > two[1]), "those made last first, each once");
        for id in drafts {
            assert!(seen.iter().any(|(_, seen)| *seen == id), "the revoked ones too");
        }
    }

    async fn one_key_is_made_once(&self) {
        let draft = self.draft(40);
        let made = concurrently((0..8).map(|_| self.store.create(&draft)).collect()).await;
        assert!(made.iter().all(|made| *made == Ok(KeyMade::Done)), "{made:?}");
        assert_eq!(self.found(&draft).await, Some(ApiKey::new(&draft)), "it is there once");
        self.revoke(draft.id, NOW.0).await;
    }
}
