//! Who may ask what of an order.

use barrow_engine::cart::Owner;
use barrow_engine::orders::{Actor, CommandKey, Order, OrderCommand};

use crate::runtime::IdempotencyKey;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderCaller {
    /// A session or a customer; only of their own orders.
    Buyer(Owner),
    /// Somebody of the house, or a program of theirs by its key. What their scopes allow was
    /// looked at before.
    Staff { id: String, name: String },
}

impl OrderCaller {
    /// Whether an order is there for them.
    pub(super) fn may_see(&self, order: &Order) -> bool {
        match self {
            OrderCaller::Buyer(owner) => order.owner == *owner,
            OrderCaller::Staff { .. } => true,
        }
    }

    /// Buyers cancel and send back. What checkouts, gateways and exchanges do is
    /// asked by nobody.
    pub(super) fn may_ask(&self, command: &OrderCommand) -> bool {
        match command {
            OrderCommand::Reopen(_)
            | OrderCommand::StartPayment(_)
            | OrderCommand::RecordOutcome { .. }
            | OrderCommand::Place { .. }
            | OrderCommand::Abandon { .. }
            | OrderCommand::Settle
            | OrderCommand::GiveCredit { .. }
            | OrderCommand::TakeCreditBack { .. } => false,
            OrderCommand::Cancel { .. }
            | OrderCommand::RequestReturn { .. }
            | OrderCommand::CancelReturn { .. } => true,
            OrderCommand::Capture { .. }
            | OrderCommand::Refund { .. }
            | OrderCommand::Fulfil { .. }
            | OrderCommand::MarkDelivered { .. }
            | OrderCommand::CancelFulfilment { .. }
            | OrderCommand::Hold
            | OrderCommand::Release
            | OrderCommand::Note { .. }
            | OrderCommand::ProposeEdit { .. }
            | OrderCommand::CommitEdit { .. }
            | OrderCommand::ApproveReturn { .. }
            | OrderCommand::RejectReturn { .. }
            | OrderCommand::ReceiveReturn { .. } => matches!(self, OrderCaller::Staff { .. }),
        }
    }

    /// In the order's timeline.
    pub(super) fn actor(&self) -> Actor {
        match self {
            OrderCaller::Buyer(Owner::Customer(id)) => Actor::Customer { id: Some(*id) },
            OrderCaller::Buyer(Owner::Session(_)) => Actor::Customer { id: None },
            OrderCaller::Staff { id, name } => Actor::Staff { id: id.clone(), name: name.clone() },
        }
    }

    /// Their idempotency key. No two kinds of ids look alike.
    pub(super) fn key(&self, key: IdempotencyKey) -> CommandKey {
        let IdempotencyKey { key_hash, payload_hash } = key;
        let caller = match self {
            OrderCaller::Buyer(Owner::Customer(id)) => id.to_string(),
            OrderCaller::Buyer(Owner::Session(id)) => id.to_string(),
            OrderCaller::Staff { id, .. } => id.clone(),
        };
        CommandKey { caller, key_hash, payload_hash }
    }
}
