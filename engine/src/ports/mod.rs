//! What the business needs from the world, each as a trait and one contract suite that every
//! adapter has to pass. A port is specified like a protocol: what is ordered, what may be
//! repeated, what "missing" means, and which failures leave the outcome open.

mod announcements;
mod api_keys;
mod cache;
mod clock;
mod commerce;
mod entity_store;
mod entropy;
mod media;
mod order_store;
mod payment_gateway;
mod product_store;
mod stock_ledger;

#[cfg(feature = "contract")]
pub mod contract;

pub use announcements::{
    ANNOUNCEMENT_KEY_BYTES_MAX, AnnounceError, Announcement, Announcements, Heard, Listener,
};
pub use api_keys::{API_KEYS_MAX, ApiKeyStore, KeyMade};
pub use cache::{Cache, CacheError};
pub use clock::Clock;
pub use commerce::CommerceError;
pub use entity_store::{
    BLOB_BYTES_MAX, CasOutcome, CasReply, CasResult, DueEntity, EntityStore, Expected, Row,
    StoreError, Work, WriteId,
};
pub use entropy::Entropy;
pub use media::{
    GateError, Incoming, MEDIA_KEY_BYTES_MAX, MediaError, MediaGate, MediaInfo, MediaStore,
    SIGNED_TTL_MAX, Seal, SignedRequest, UPLOAD_BYTES_MAX, Upload, is_media_key, is_private_media,
    media_type,
};
pub use order_store::{
    ORDER_PAGE_MAX, Opened, OrderChange, OrderQuery, OrderSort, OrderStore, ReturnQuery, Saved,
};
pub use payment_gateway::{
    GatewayAnswer, GatewayError, Notice, PaymentGateway, PaymentRequest, WebhookError,
};
pub use product_store::{ProductStore, ProductStoreError};
pub use stock_ledger::{STOCK_BATCH_MAX, StockLedger, levels_of, units_of};
