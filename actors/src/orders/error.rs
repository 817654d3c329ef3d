//! Why the desk does not do what it is asked.

use barrow_engine::catalog::Sku;
use barrow_engine::inventory::StockRefusal;
use barrow_engine::orders::OrderRejection;
use barrow_engine::ports::CommerceError;

use super::book::BookError;
use crate::shelf::ShelfError;

/// What a caller is told.
#[derive(Debug, thiserror::Error)]
pub enum OrderDeskError {
    /// There is no such order, or it is somebody else's.
    #[error("there is no such order")]
    NotFound,
    /// Nobody of their kind may ask that.
    #[error("that may not be asked")]
    Forbidden,
    #[error("the order refuses: {0:?}")]
    Rejected(OrderRejection),
    /// The stock does not allow it.
    #[error(transparent)]
    Stock(StockRefusal),
    #[error("no product has the SKU {0}")]
    UnknownSku(Sku),
    #[error("{0} is not sold here")]
    Unavailable(Sku),
    #[error("{0} has no price here")]
    NoPrice(Sku),
    #[error(transparent)]
    Catalog(#[from] ShelfError),
    #[error("the order is at version {current}")]
    VersionMismatch { current: u64 },
    #[error("the idempotency key was used for another command")]
    KeyReused,
    #[error("the order cannot remember more keys")]
    KeyMemoryFull,
    /// Others change the order all the time; nothing was done.
    #[error("the order is being changed by others")]
    Busy,
    #[error(transparent)]
    Store(#[from] CommerceError),
}

impl OrderDeskError {
    /// The stable code of the problem reply.
    pub fn code(&self) -> &'static str {
        match self {
            OrderDeskError::NotFound => "not_found",
            OrderDeskError::Forbidden => "forbidden",
            OrderDeskError::Rejected(rejection) => rejection.code(),
            OrderDeskError::Stock(StockRefusal::BelowZero { .. }) => "stock_below_zero",
            OrderDeskError::Stock(_) => "insufficient_stock",
            OrderDeskError::UnknownSku(_) => "validation_failed",
            OrderDeskError::Unavailable(_) => "variant_unavailable",
            OrderDeskError::NoPrice(_) => "no_price",
            OrderDeskError::Catalog(_) => "unavailable",
            OrderDeskError::VersionMismatch { .. } => "version_mismatch",
            OrderDeskError::KeyReused => "idempotency_key_reused",
            OrderDeskError::KeyMemoryFull => "idempotency_memory_full",
            OrderDeskError::Busy => "overloaded",
            OrderDeskError::Store(CommerceError::OutcomeUnknown(_)) => "outcome_unknown",
            OrderDeskError::Store(_) => "unavailable",
        }
    }
}

impl From<BookError> for OrderDeskError {
    fn from(error: BookError) -> OrderDeskError {
        match error {
            BookError::Rejected(OrderRejection::EditOutdated { current }) => {
                OrderDeskError::VersionMismatch { current }
            }
            BookError::Rejected(rejection) => OrderDeskError::Rejected(rejection),
            BookError::Store(error) => OrderDeskError::Store(error),
            BookError::Busy => OrderDeskError::Busy,
        }
    }
}
