//! Waiting for a write that is submitted.

use barrow_engine::ports::{CasReply, CasResult, StoreError};
use tokio::sync::oneshot;

/// Hands `submit` the place for the outcome, and waits for it.
pub(crate) async fn outcome_of(submit: impl FnOnce(CasReply)) -> CasResult {
    let (tell, told) = oneshot::channel();
    // A caller that went away does not want to know.
    submit(CasReply::new(move |result| drop(tell.send(result))));
    // A reply is told even when it is dropped; unless its thread was killed in the middle.
    let gone = |_| Err(StoreError::OutcomeUnknown("the store went away".to_owned()));
    told.await.unwrap_or_else(gone)
}
