//! What the head of a request to change an order says: which order, under which key, at which
//! version.

use axum::extract::{FromRequestParts, RawPathParams};
use barrow_actors::orders::OrderTerms;
use barrow_actors::runtime::IdempotencyKey;
use barrow_engine::ids::OrderId;
use http::request::Parts;
use http::{Method, Uri};
use serde_json::Value;

use super::refusal::no_order;
use crate::app::SharedApp;
use crate::edge::idempotency::payload;
use crate::edge::{ClientKey, Code, NoParams, Precondition, Problem};

/// A request to change an order, but for who asks and its body.
#[derive(Debug)]
pub struct OrderHead {
    pub order: OrderId,
    key: Option<ClientKey>,
    precondition: Precondition,
    method: Method,
    uri: Uri,
}

impl FromRequestParts<SharedApp> for OrderHead {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        NoParams::from_request_parts(parts, app).await?;
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| no_order())?;
        let id = params.iter().find(|(name, _)| *name == "id").and_then(|(_, id)| id.parse().ok());
        Ok(OrderHead {
            order: id.ok_or_else(no_order)?,
            key: ClientKey::from_headers(&parts.headers)?,
            precondition: Precondition::from_headers(&parts.headers),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
        })
    }
}

impl OrderHead {
    /// On what terms the command is sent whose body this is.
    pub fn terms(&self, body: &Value) -> OrderTerms {
        let key = self.key.as_ref().map(|key| {
            IdempotencyKey::new(key.as_bytes(), &payload(&self.method, self.uri.path(), Some(body)))
        });
        let expected_version = match &self.precondition {
            Precondition::None => None,
            // Versions begin at 1: 0 stands for a tag that can never fit.
            Precondition::OneOf(accepted) => Some(accepted.first().copied().unwrap_or(0)),
        };
        OrderTerms { expected_version, key }
    }

    /// The same of a command that moves money: only with a key.
    pub fn terms_with_key(&self, body: &Value) -> Result<OrderTerms, Problem> {
        let terms = self.terms(body);
        let detail = "send an Idempotency-Key, new for each change and kept for its repeats";
        match terms.key {
            Some(_) => Ok(terms),
            None => Err(Problem::new(Code::IdempotencyKeyRequired, detail)),
        }
    }
}
