//! Payments of an order: what a gateway was asked for, what it answered, and what it holds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Order;
use crate::cart::LineId;
use crate::ids::{EditId, OrderId, PaymentId, RefundId, ReturnId};
use crate::time::Timestamp;

/// The most payments of one order: attempts that failed, mostly.
pub const PAYMENTS_MAX: usize = 50;

/// The most operations of one payment.
pub const OPERATIONS_MAX: usize = 200;

/// One attempt to pay, at one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    pub id: PaymentId,
    pub gateway: String,
    pub method: String,
    /// Where the buyer comes back to after paying elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    /// What the gateway calls it, once it told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Where the buyer has to go, while the gateway waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// What the request was named that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestKey>,
    /// All that the gateway was asked, in that order. Amounts and states follow from it.
    pub operations: Vec<Operation>,
}

/// A buyer's idempotency key, and what it stands for: hashes of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestKey {
    pub key: u64,
    pub payload: u32,
}

/// One thing asked of a gateway. It is part of the order before it is sent, so that whoever finds
/// it there after a crash knows that it may have been sent, and asks under the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    pub kind: OperationKind,
    /// A void's is what it lets go; 0 where it closes the page that the buyer was sent to.
    pub amount: i64,
    pub state: OperationState,
    pub at: Timestamp,
    /// Whose money goes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    Authorize,
    Capture,
    Void,
    Refund,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum OperationState {
    /// To be sent, or sent and not answered.
    Pending,
    Succeeded,
    /// Refused for good: it had no effect, and never will.
    Failed {
        code: String,
    },
}

/// The name of an operation at the gateway: the same for ever, so that asking again is one effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationKey {
    pub order: OrderId,
    /// Which payment of the order, from 1: the attempt.
    pub attempt: u32,
    /// Which operation of the payment, from 1.
    pub operation: u32,
}

impl fmt::Display for OperationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.order, self.attempt, self.operation)
    }
}

/// A text that is not the name of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an operation, like ord_.../1/1")]
pub struct InvalidOperationKey;

impl FromStr for OperationKey {
    type Err = InvalidOperationKey;

    fn from_str(text: &str) -> Result<Self, InvalidOperationKey> {
        let mut parts = text.split('/');
        let mut next = || parts.next().ok_or(InvalidOperationKey);
        let (order, attempt, operation) = (next()?, next()?, next()?);
        let number = |text: &str| match text.starts_with(|c: char| matches!(c, '1'..='9')) {
            true => text.parse().map_err(|_| InvalidOperationKey),
            false => Err(InvalidOperationKey),
        };
        let order = order.parse().map_err(|_| InvalidOperationKey)?;
        let key = OperationKey { order, attempt: number(attempt)?, operation: number(operation)? };
        if parts.next().is_none() { Ok(key) } else { Err(InvalidOperationKey) }
    }
}

impl Serialize for OperationKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OperationKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a payment has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    RequiresAction,
    Pending,
    Authorized,
    PartiallyCaptured,
    Captured,
    PartiallyRefunded,
    Refunded,
    Voided,
    Failed,
}

impl PaymentStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            PaymentStatus::RequiresAction => "requires_action",
            PaymentStatus::Pending => "pending",
            PaymentStatus::Authorized => "authorized",
            PaymentStatus::PartiallyCaptured => "partially_captured",
            PaymentStatus::Captured => "captured",
            PaymentStatus::PartiallyRefunded => "partially_refunded",
            PaymentStatus::Refunded => "refunded",
            PaymentStatus::Voided => "voided",
            PaymentStatus::Failed => "failed",
        }
    }
}

impl Payment {
    /// What operations of a kind came to, or may still come to where they are pending.
    fn sum(&self, kind: OperationKind, with_pending: bool) -> i64 {
        let counts = |state: &OperationState| match state {
            OperationState::Succeeded => true,
            OperationState::Pending => with_pending,
            OperationState::Failed { .. } => false,
        };
        let of_kind = self.operations.iter().filter(|one| one.kind == kind && counts(&one.state));
        of_kind.map(|one| one.amount).sum()
    }

    fn has(&self, kind: OperationKind, state: &OperationState) -> bool {
        self.operations.iter().any(|one| one.kind == kind && one.state == *state)
    }

    pub fn authorized(&self) -> i64 {
        self.sum(OperationKind::Authorize, false)
    }

    pub fn captured(&self) -> i64 {
        self.sum(OperationKind::Capture, false)
    }

    /// What was captured, or is about to be.
    pub(super) fn asked_to_take(&self) -> i64 {
        self.sum(OperationKind::Capture, true)
    }

    pub fn refunded(&self) -> i64 {
        self.sum(OperationKind::Refund, false)
    }

    pub fn is_voided(&self) -> bool {
        self.lets_go(&OperationState::Succeeded)
    }

    /// Of what is held. Where nothing is, a void closes the page that the buyer was sent to.
    fn lets_go(&self, state: &OperationState) -> bool {
        let mut voids = self.operations.iter().filter(|one| one.kind == OperationKind::Void);
        voids.any(|one| one.amount > 0 && one.state == *state)
    }

    /// Whether the buyer was sent elsewhere to pay, may still do so, and nobody has closed that.
    pub fn has_open_page(&self) -> bool {
        self.redirect.is_some()
            && self.has(OperationKind::Authorize, &OperationState::Pending)
            && !self.has(OperationKind::Void, &OperationState::Pending)
    }

    /// What can still be captured; nothing of what a void may have let go.
    pub fn capturable(&self) -> i64 {
        let is_let_go = self.is_voided() || self.lets_go(&OperationState::Pending);
        if is_let_go { 0 } else { self.authorized() - self.sum(OperationKind::Capture, true) }
    }

    /// What can still be given back of what was captured.
    pub fn refundable(&self) -> i64 {
        self.captured() - self.sum(OperationKind::Refund, true)
    }

    /// Whether it holds money of the buyer's, or may come to hold some.
    pub fn may_hold_money(&self) -> bool {
        let is_asked = self.has(OperationKind::Authorize, &OperationState::Pending);
        let holds = self.authorized() > 0 && !self.is_voided();
        is_asked || (holds && self.captured() == 0) || self.captured() > self.refunded()
    }

    /// The operations that were not answered, or not sent, each with its place from 0.
    pub fn pending(&self) -> impl Iterator<Item = (usize, &Operation)> {
        let all = self.operations.iter().enumerate();
        all.filter(|(_, operation)| operation.state == OperationState::Pending)
    }

    pub fn status(&self) -> PaymentStatus {
        let (authorized, captured) = (self.authorized(), self.captured());
        let refunded = self.refunded();
        match () {
            () if captured > 0 && refunded >= captured => PaymentStatus::Refunded,
            () if refunded > 0 => PaymentStatus::PartiallyRefunded,
            () if captured > 0 && captured >= authorized => PaymentStatus::Captured,
            () if captured > 0 => PaymentStatus::PartiallyCaptured,
            () if self.is_voided() => PaymentStatus::Voided,
            () if self.has(OperationKind::Authorize, &OperationState::Succeeded) => {
                PaymentStatus::Authorized
            }
            () if self.has(OperationKind::Authorize, &OperationState::Pending) => {
                match self.redirect {
                    Some(_) => PaymentStatus::RequiresAction,
                    None => PaymentStatus::Pending,
                }
            }
            () => PaymentStatus::Failed,
        }
    }
}

/// What money goes back for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Refund,
    Return(ReturnId),
    Edit(EditId),
    Credit(OperationKey),
}

/// Money that goes back, for units or as an amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    pub id: RefundId,
    pub payment: PaymentId,
    pub amount: i64,
    /// The units it pays back; none where it is a bare amount.
    pub lines: Vec<RefundLine>,
    pub reason: String,
    /// The return it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_return: Option<ReturnId>,
    /// The edit that made the order cheaper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_edit: Option<EditId>,
    /// The operation of another order, which had this money in an exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_credit: Option<OperationKey>,
    pub status: RefundStatus,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundLine {
    pub line: LineId,
    pub quantity: u32,
    pub amount: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    Pending,
    Succeeded,
    Failed,
}

impl RefundStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            RefundStatus::Pending => "pending",
            RefundStatus::Succeeded => "succeeded",
            RefundStatus::Failed => "failed",
        }
    }
}

impl Order {
    /// What gateways are still to be asked, or asked again, in the order in which it came up.
    pub fn pending_operations(&self) -> impl Iterator<Item = (OperationKey, &Payment, &Operation)> {
        self.payments.iter().zip(1..).flat_map(move |(payment, attempt)| {
            payment.pending().map(move |(place, operation)| {
                let place = u32::try_from(place).expect("there are at most 200 operations");
                let key = OperationKey { order: self.id, attempt, operation: place + 1 };
                (key, payment, operation)
            })
        })
    }
}
