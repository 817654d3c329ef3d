//! What the routes share: the shop's parts, handed in once at start by the wiring.

use std::sync::Arc;

use barrow_actors::catalog::Catalog;
use barrow_engine::ports::{Clock, Entropy, MediaStore};
use barrow_engine::pricing::Shop;
use tokio_util::sync::CancellationToken;

use crate::auth::TokenKeys;
use crate::edge::metrics::Metrics;
use crate::edge::{EdgeSettings, Names};
use crate::routes::Cursors;
use crate::wire::media::MediaUrls;

/// The state of the router: every route gets it.
pub type SharedApp = Arc<App>;

/// What the wiring hands in.
pub struct AppParts {
    pub shop: Arc<Shop>,
    pub catalog: Catalog,
    pub media: Arc<dyn MediaStore>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub token_keys: TokenKeys,
    pub settings: EdgeSettings,
}

/// A running shop, as its routes see it.
pub struct App {
    pub shop: Arc<Shop>,
    pub catalog: Catalog,
    pub media: Arc<dyn MediaStore>,
    pub media_urls: MediaUrls,
    pub cursors: Cursors,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub token_keys: TokenKeys,
    pub settings: EdgeSettings,
    pub metrics: Arc<Metrics>,
    /// Cancelled when the process is told to end: it is not ready any more, and event streams
    /// say goodbye, while open requests are still answered.
    pub draining: CancellationToken,
    pub(crate) names: Names,
}

impl App {
    pub fn new(parts: AppParts) -> App {
        let AppParts { shop, catalog, media, clock, entropy, token_keys, settings } = parts;
        App {
            media_urls: MediaUrls::new(&settings.media_base_url),
            cursors: Cursors::new(&token_keys.cursor_secret()),
            names: Names::new(entropy.next_u128()),
            metrics: Arc::new(Metrics::default()),
            draining: CancellationToken::new(),
            shop,
            catalog,
            media,
            clock,
            entropy,
            token_keys,
            settings,
        }
    }
}
