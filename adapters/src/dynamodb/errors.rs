//! What an error of the SDK says of a write: whether it was certainly not made.
//!
//! Only three things prove that nothing was written: that no connection came about, that the
//! request was never built, and a refusal of the service itself (a status of 400 to 499 with an
//! error code of DynamoDB). All else may have been applied, or may yet be.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use barrow_engine::ports::{ProductStoreError, StoreError};

/// How a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing was written, for certain.
    NotWritten(String),
    /// The service refuses for load, or because the item is being changed; nothing was written.
    Busy,
    /// A write may or may not have been, or may yet be, applied.
    Unknown(String),
}

/// The codes by which DynamoDB refuses what it would take at another time. Those without
/// `Exception` are reasons for which a transaction is cancelled.
const BUSY: [&str; 9] = [
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TransactionConflict",
    "TransactionConflictException",
];

pub(super) fn is_busy(code: &str) -> bool {
    BUSY.contains(&code)
}

pub(super) fn fault_of<E>(error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) => Fault::NotWritten(text_of(error)),
        // The time ran out for the attempt as a whole; the request may be on its way.
        SdkError::TimeoutError(_) => Fault::Unknown(text_of(error)),
        SdkError::DispatchFailure(failure) => {
            let connector = failure.as_connector_error();
            if connector.is_some_and(|error| was_never_sent(error)) {
                Fault::NotWritten(text_of(error))
            } else {
                Fault::Unknown(text_of(error))
            }
        }
        // An answer came that is none of the service's, or was cut short.
        SdkError::ResponseError(_) => Fault::Unknown(text_of(error)),
        SdkError::ServiceError(refused) => {
            let status = refused.raw().status().as_u16();
            refusal(status, refused.err().code(), || text_of(error))
        }
        _ => Fault::Unknown(text_of(error)),
    }
}

fn refusal(status: u16, code: Option<&str>, text: impl FnOnce() -> String) -> Fault {
    match code {
        // A proxy answers without a code, and who knows what it did with the request.
        Some(code) if (400..500).contains(&status) => {
            if is_busy(code) {
                Fault::Busy
            } else {
                Fault::NotWritten(text())
            }
        }
        _ => Fault::Unknown(text()),
    }
}

/// Codes by which a single statement of several is refused, for certain.
const STATEMENT_REFUSED: [&str; 4] =
    ["AccessDenied", "ItemCollectionSizeLimitExceeded", "ResourceNotFound", "ValidationError"];

/// How a statement failed whose request did not.
pub(super) fn statement_fault(code: Option<&str>, message: String) -> Fault {
    let code = code.unwrap_or("no code");
    if is_busy(code) {
        return Fault::Busy;
    }
    let text = format!("{code}: {message}");
    match STATEMENT_REFUSED.contains(&code) {
        true => Fault::NotWritten(text),
        false => Fault::Unknown(text),
    }
}

/// Whether no connection came about, or nobody could sign the request.
fn was_never_sent(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let client = cause.downcast_ref::<hyper_util::client::legacy::Error>();
        client.is_some_and(hyper_util::client::legacy::Error::is_connect)
            || cause.is::<CredentialsError>()
    })
}

type Cause<'a> = &'a (dyn Error + 'static);

fn causes(error: Cause<'_>) -> impl Iterator<Item = Cause<'_>> {
    std::iter::successors(Some(error), |error: &Cause<'_>| (*error).source())
}

/// The error with its causes, on one line.
pub(super) fn text_of(error: &(dyn Error + 'static)) -> String {
    let texts: Vec<String> = causes(error).map(ToString::to_string).collect();
    texts.join(": ")
}

impl Fault {
    /// For calls that write nothing, and for writes that may be repeated at will.
    pub fn into_text(self) -> String {
        match self {
            Fault::NotWritten(text) | Fault::Unknown(text) => text,
            Fault::Busy => "DynamoDB is too busy".to_owned(),
        }
    }

    pub fn of_load(self) -> StoreError {
        match self {
            Fault::Busy => StoreError::Throttled,
            Fault::NotWritten(text) | Fault::Unknown(text) => StoreError::Unavailable(text),
        }
    }

    pub fn of_cas(self) -> StoreError {
        match self {
            Fault::NotWritten(text) => StoreError::Unavailable(text),
            Fault::Busy => StoreError::Throttled,
            Fault::Unknown(text) => StoreError::OutcomeUnknown(text),
        }
    }
}

impl From<Fault> for ProductStoreError {
    fn from(fault: Fault) -> ProductStoreError {
        ProductStoreError::Unavailable(fault.into_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_refused_by_name_or_left_open() {
        let fault = |code| statement_fault(code, "why".to_owned());
        for busy in ["ThrottlingError", "ProvisionedThroughputExceeded", "TransactionConflict"] {
            assert_eq!(fault(Some(busy)), Fault::Busy);
        }
        assert_eq!(fault(Some("RequestLimitExceeded")), Fault::Busy);
        let refused = Fault::NotWritten("ValidationError: why".to_owned());
        assert_eq!(fault(Some("ValidationError")), refused);
        let open = Fault::Unknown("InternalServerError: why".to_owned());
        assert_eq!(fault(Some("InternalServerError")), open);
        assert_eq!(fault(None), Fault::Unknown("no code: why".to_owned()));
    }

    #[track_caller]
    fn check(status: u16, code: Option<&str>, expected: Fault) {
        assert_eq!(refusal(status, code, || "why".to_owned()), expected);
    }

    #[test]
    fn only_a_refusal_by_name_proves_that_nothing_was_written() {
        let (not_written, unknown) =
            (Fault::NotWritten("why".to_owned()), Fault::Unknown("why".to_owned()));
        check(400, Some("ValidationException"), not_written.clone());
        check(403, Some("AccessDeniedException"), not_written.clone());
        check(400, Some("ResourceNotFoundException"), not_written);
        for code in BUSY {
            check(400, Some(code), Fault::Busy);
            check(503, Some(code), unknown.clone());
        }
        check(500, Some("InternalServerError"), unknown.clone());
        check(400, None, unknown.clone());
        check(408, None, unknown.clone());
        check(302, Some("Found"), unknown);
    }
}
