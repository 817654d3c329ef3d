//! What may be asked of an order, and who asks.

use serde::{Deserialize, Serialize};

use super::{EditChange, LineUnits, NewOrder, OperationKey, OrderNumber, RequestKey, Tracking};
use crate::cart::LineId;
use crate::catalog::Location;
use crate::ids::{CustomerId, EditId, FulfilmentId, ReturnId};

/// Who changed an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Actor {
    /// The buyer; a guest has no account.
    Customer {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<CustomerId>,
    },
    /// Somebody of the house, or a program of theirs by its key.
    Staff {
        id: String,
        name: String,
    },
    /// The house itself: a reconciler.
    System,
    Gateway {
        name: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a command is decided at once, and lives no longer")]
pub enum OrderCommand {
    /// A new try after one that was given up, with what the cart holds now.
    Reopen(NewOrder),
    /// Begins the next attempt to pay for a draft.
    StartPayment(PaymentChoice),
    /// What a gateway answered, or told on its own. Told again it changes nothing.
    RecordOutcome {
        key: OperationKey,
        outcome: PaymentOutcome,
    },
    /// Makes a paid draft an order.
    Place {
        number: OrderNumber,
    },
    /// Gives a draft up. What its payments hold goes back.
    Abandon {
        reason: String,
    },

    /// Of an order that was given up or cancelled: gives back what a gateway refused to, again.
    Settle,

    /// Takes authorized money; without an amount all of it.
    Capture {
        amount: Option<i64>,
    },
    Refund {
        of: RefundOf,
        reason: String,
    },
    Fulfil {
        lines: Vec<LineUnits>,
        tracking: Option<Tracking>,
    },
    MarkDelivered {
        fulfilment: FulfilmentId,
    },
    CancelFulfilment {
        fulfilment: FulfilmentId,
    },
    /// Before anything left the house.
    Cancel {
        reason: String,
    },
    Hold,
    Release,
    Note {
        text: String,
    },

    /// Looks at what an edit would come to. Nothing but the proposal is written.
    ProposeEdit {
        changes: Vec<EditChange>,
    },
    /// Edits the order as was proposed, unless it has changed since.
    CommitEdit {
        id: EditId,
    },

    RequestReturn {
        lines: Vec<ReturnRequestLine>,
    },
    ApproveReturn {
        id: ReturnId,
    },
    RejectReturn {
        id: ReturnId,
    },
    CancelReturn {
        id: ReturnId,
    },
    /// Books what came, and pays it back.
    ReceiveReturn {
        id: ReturnId,
        lines: Vec<ReturnedLine>,
        /// Whether nothing is paid back, since it will be exchanged.
        for_exchange: bool,
    },
    /// Sets what came back against another order, which asks under its operation's key.
    GiveCredit {
        id: ReturnId,
        key: OperationKey,
        amount: i64,
    },
    /// Pays back what another order had.
    TakeCreditBack {
        key: OperationKey,
        amount: i64,
    },
}

/// How a buyer wants to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentChoice {
    pub gateway: String,
    pub method: String,
    /// Where they come back to after paying elsewhere.
    pub return_url: Option<String>,
    /// What they named their request.
    pub request: Option<RequestKey>,
}

/// What is known of an operation. While nothing is known for sure nothing is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentOutcome {
    Succeeded {
        /// What the gateway calls the payment.
        reference: Option<String>,
    },
    Failed {
        code: String,
    },
    ActionRequired {
        reference: String,
        url: String,
    },
}

/// What is paid back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundOf {
    Lines(Vec<LineUnits>),
    Amount(i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnRequestLine {
    pub line: LineId,
    pub quantity: u32,
    pub reason: String,
}

/// Units that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedLine {
    pub line: LineId,
    pub quantity: u32,
    /// Whether they can be sold again.
    pub restock: bool,
    /// Where they lie now; the default location if nothing is said.
    pub location: Option<Location>,
}
