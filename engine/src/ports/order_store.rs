//! Where orders are kept.

use async_trait::async_trait;

use super::CommerceError;
use crate::ids::{CartId, OrderId, ReturnId};
use crate::inventory::StockRefusal;
use crate::orders::{
    FulfilmentProgress, Order, OrderNumber, OrderStatus, OverLimit, PaymentProgress, ReturnStatus,
    StockChange,
};
use crate::time::Timestamp;

/// The most orders of one page.
pub const ORDER_PAGE_MAX: usize = 100;

/// What came of opening a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    New,
    /// The cart has an order already: it has one for ever.
    Existing(Box<Order>),
    /// Its customer would have more of something than one may have: nothing was written.
    OverLimit(OverLimit),
}

/// What came of writing an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    Done,
    /// Somebody else has changed it: nothing was written. What was never opened is at version 0.
    Stale {
        current: u64,
    },
    /// The stock does not allow it: nothing was written.
    Refused(StockRefusal),
}

/// An order as a command leaves it, with what the same transaction does to the stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderChange {
    /// Its version is one more than the stored one's.
    pub order: Order,
    /// How many lines its timeline had before: what came since is told to others.
    pub known: usize,
    pub stock: Vec<StockChange>,
    /// Who changed it, for the movements of its stock.
    pub actor: String,
    pub at: Timestamp,
}

/// Which orders are listed: all that is named holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderQuery {
    /// Any of these; where none is named, all. Each is looked for on its own.
    pub statuses: Vec<OrderStatus>,
    pub payment: Option<PaymentProgress>,
    pub fulfilment: Option<FulfilmentProgress>,
    /// A number, or the beginning of an e-mail address or of the last name of who is billed, in
    /// any case.
    pub text: Option<String>,
    /// From then on.
    pub placed_after: Option<Timestamp>,
    /// Until then, and not at that moment.
    pub placed_before: Option<Timestamp>,
    pub sort: OrderSort,
    /// Where the last page ended: when its last order was opened, and its id.
    pub after: Option<(Timestamp, OrderId)>,
    /// At most [`ORDER_PAGE_MAX`].
    pub limit: usize,
}

/// In which order a list goes, by when its orders were opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OrderSort {
    #[default]
    Newest,
    Oldest,
}

/// Which returns are listed, those asked for last first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReturnQuery {
    pub status: Option<ReturnStatus>,
    /// Where the last page ended: when its last return was asked for, and its id.
    pub after: Option<(Timestamp, ReturnId)>,
    /// At most [`ORDER_PAGE_MAX`].
    pub limit: usize,
}

/// Orders, one for each cart that was ever bought. What guards a write is never read from a
/// replica. Every write has one effect however often it is made.
///
/// The store stands behind what the business decides: two orders of one number, a payment of two
/// orders, more captured than was authorized or refunded than was captured are refused as damage.
#[async_trait]
pub trait OrderStore: Send + Sync + 'static {
    /// Opens the draft of a cart, at version 1, unless the cart has an order. Opened again it is
    /// an existing one.
    ///
    /// Of SKUs that have a limit for each customer it counts what is in that customer's other
    /// orders: those of the same owner, and those of the same e-mail address, unless they were
    /// given up or cancelled, and without what came back. Of two that are opened at once only one
    /// may come up to a limit. A draft that is opened again by [`OrderStore::save`] is counted
    /// anew, and refused as [`StockRefusal::OverLimit`].
    async fn open(&self, draft: &Order) -> Result<Opened, CommerceError>;

    async fn get(&self, id: OrderId) -> Result<Option<Order>, CommerceError>;

    async fn of_cart(&self, cart: CartId) -> Result<Option<Order>, CommerceError>;

    async fn of_number(&self, number: OrderNumber) -> Result<Option<Order>, CommerceError>;

    /// A number that no order has, and that is never given again.
    async fn next_number(&self) -> Result<OrderNumber, CommerceError>;

    /// Writes a changed order, its payments and its stock in one transaction, if it is at the
    /// version before. The same change again is done already, as long as nobody has made another.
    async fn save(&self, change: &OrderChange) -> Result<Saved, CommerceError>;

    /// Orders of a query, in the order of its sort.
    async fn list(&self, query: &OrderQuery) -> Result<Vec<Order>, CommerceError>;

    /// The order that a return is of.
    async fn of_return(&self, id: ReturnId) -> Result<Option<Order>, CommerceError>;

    /// Returns of a query, each with its order.
    async fn returns(&self, query: &ReturnQuery) -> Result<Vec<(ReturnId, Order)>, CommerceError>;

    /// Drafts, and orders with operations that were not answered, that nobody has changed since
    /// `before`, the oldest first: what a reconciler looks at.
    async fn unsettled(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<OrderId>, CommerceError>;
}
