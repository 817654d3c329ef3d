//! What Stripe answers and tells, as far as we read it: everything else may come and go.

use std::collections::BTreeMap;

use barrow_engine::orders::{OperationKey, OperationKind};
use barrow_engine::ports::PaymentRequest;
use serde::Deserialize;

/// The key of an authorization in the metadata of its session and payment intent, and of a refund
/// in its own.
pub(super) const OPERATION: &str = "barrow_operation";

/// What the name of a capture in the metadata of its payment intent begins with; behind it which
/// operation of the payment it is. The value is the amount.
pub(super) const CAPTURE: &str = "barrow_capture_";

type Metadata = BTreeMap<String, String>;

/// An object, or the id of one that was not asked for.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Expandable<T> {
    Id(String),
    Whole(Box<T>),
}

#[derive(Debug, Deserialize)]
pub(super) struct Session {
    pub id: String,
    pub status: Option<String>,
    pub url: Option<String>,
    pub payment_intent: Option<Expandable<Intent>>,
    pub metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Intent {
    pub id: String,
    pub status: String,
    pub amount: i64,
    pub currency: String,
    #[serde(default)]
    pub amount_received: i64,
    pub cancellation_reason: Option<String>,
    pub latest_charge: Option<Expandable<Charge>>,
    pub metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Charge {
    pub payment_method_details: Option<MethodDetails>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MethodDetails {
    pub card: Option<CardDetails>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CardDetails {
    pub multicapture: Option<Multicapture>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Multicapture {
    pub status: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    pub id: String,
    pub status: Option<String>,
    pub failure_reason: Option<String>,
    pub metadata: Option<Metadata>,
}

/// A page of a list or of a search.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub data: Vec<T>,
    #[serde(default)]
    pub has_more: bool,
}

/// Why something was refused.
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    pub error: ProblemDetail,
}

#[derive(Debug, Deserialize)]
pub(super) struct ProblemDetail {
    #[serde(rename = "type")]
    pub kind: String,
    pub code: Option<String>,
    pub decline_code: Option<String>,
    pub param: Option<String>,
}

/// What is told on its own.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub kind: String,
    pub data: EventData,
}

#[derive(Debug, Deserialize)]
pub(super) struct EventData {
    pub object: serde_json::Value,
}

impl Session {
    /// The authorization that it is for; `None` if it is none of ours.
    pub fn operation(&self) -> Option<OperationKey> {
        operation(self.metadata.as_ref())
    }

    /// Whether it is the page of the payment that an operation is part of.
    pub fn is_of(&self, request: &PaymentRequest) -> bool {
        is_of(self.operation(), request)
    }

    pub fn intent_id(&self) -> Option<&str> {
        self.payment_intent.as_ref().map(|intent| match intent {
            Expandable::Id(id) => id.as_str(),
            Expandable::Whole(intent) => intent.id.as_str(),
        })
    }
}

impl Intent {
    /// The authorization that it is for; `None` if it is none of ours.
    pub fn operation(&self) -> Option<OperationKey> {
        operation(self.metadata.as_ref())
    }

    /// Whether it is the payment that an operation is part of.
    pub fn is_of(&self, request: &PaymentRequest) -> bool {
        is_of(self.operation(), request)
    }

    /// What was captured, by its operation of the payment. Empty if Stripe's own sum says
    /// otherwise: then what stands there is not to be believed.
    pub fn captures(&self) -> BTreeMap<u32, i64> {
        let entries = self.metadata.iter().flatten().filter_map(|(name, amount)| {
            let operation = name.strip_prefix(CAPTURE)?.parse().ok()?;
            Some((operation, amount.parse::<i64>().ok().filter(|amount| *amount > 0)?))
        });
        let captures: BTreeMap<u32, i64> = entries.collect();
        let sum = captures.values().try_fold(0_i64, |sum, amount| sum.checked_add(*amount));
        match sum.is_some_and(|sum| sum <= self.amount_received) {
            true => captures,
            false => BTreeMap::new(),
        }
    }

    /// Whether it can be captured more than once. Where it cannot, a capture lets the rest go.
    pub fn has_multicapture(&self) -> bool {
        let Some(Expandable::Whole(charge)) = &self.latest_charge else { return false };
        let card = charge.payment_method_details.as_ref().and_then(|method| method.card.as_ref());
        let multicapture = card.and_then(|card| card.multicapture.as_ref());
        multicapture.is_some_and(|multicapture| multicapture.status == "available")
    }
}

impl ProblemDetail {
    /// Why the card's bank refused, or else Stripe.
    pub fn code_of(&self, kind: OperationKind) -> String {
        code(self.decline_code.as_deref().or(self.code.as_deref()), kind)
    }
}

impl Refund {
    pub fn operation(&self) -> Option<OperationKey> {
        operation(self.metadata.as_ref())
    }
}

fn is_of(authorization: Option<OperationKey>, request: &PaymentRequest) -> bool {
    let payment = |key: OperationKey| (key.order, key.attempt);
    authorization.map(payment) == Some(payment(request.key))
}

fn operation(metadata: Option<&Metadata>) -> Option<OperationKey> {
    metadata?.get(OPERATION)?.parse().ok()
}

/// A code as clients may see it: Stripe's are short words, and whatever else it were is none.
pub(super) fn code(text: Option<&str>, kind: OperationKind) -> String {
    let is_word = |text: &&str| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        (1..=64).contains(&text.len()) && text.bytes().all(is_letter)
    };
    let otherwise = match kind {
        OperationKind::Authorize => "payment_refused",
        OperationKind::Capture => "capture_refused",
        OperationKind::Void => "void_refused",
        OperationKind::Refund => "refund_refused",
    };
    text.filter(is_word).unwrap_or(otherwise).to_owned()
}
