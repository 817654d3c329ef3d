//! What became of the addresses that an import fetched. Catalogs share pictures by the thousand
//! products, and a server that is gone costs the whole time-out: each address is asked once,
//! however many products name it, at the same time or one after the other.

use std::sync::Arc;

use barrow_engine::ports::MediaError;
use moka::future::Cache;
use moka::policy::EvictionPolicy;

use super::media::Content;

/// How many addresses are remembered. Those that were not asked for longest are forgotten first:
/// products that share a picture mostly stand together.
const FETCHED_KNOWN_MAX: u64 = 4_096;

/// Remembers for one import, failures included; cheap to clone.
#[derive(Clone)]
pub(super) struct FetchedMedia(Cache<String, Arc<Content>>);

impl Default for FetchedMedia {
    fn default() -> FetchedMedia {
        let cache = Cache::builder().max_capacity(FETCHED_KNOWN_MAX);
        FetchedMedia(cache.eviction_policy(EvictionPolicy::lru()).build())
    }
}

impl FetchedMedia {
    /// What is known of the address, or what `fetch` finds; whoever asks meanwhile waits for it.
    ///
    /// # Errors
    /// The media store's; such an outcome is not remembered.
    pub(super) async fn once(
        &self,
        url: &str,
        fetch: impl Future<Output = Result<Content, MediaError>>,
    ) -> Result<Content, MediaError> {
        let found = self.0.try_get_with_by_ref(url, async { fetch.await.map(Arc::new) }).await;
        found.map(|content| (*content).clone()).map_err(|error| (*error).clone())
    }
}
