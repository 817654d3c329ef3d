//! Who of the house is asking, and what they may.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use barrow_engine::access::{Scope, ScopeSet};
use barrow_engine::ids::ApiKeyId;
use barrow_engine::orders::Actor;
use http::request::Parts;

use crate::edge::{Code, Problem};

/// Somebody of the house, or a program of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A program, by its key.
    ApiKey { id: ApiKeyId, name: String, scopes: ScopeSet },
}

impl Principal {
    pub fn scopes(&self) -> ScopeSet {
        match self {
            Principal::ApiKey { scopes, .. } => *scopes,
        }
    }

    /// The id that never changes: what idempotency keys belong to.
    pub fn id(&self) -> String {
        match self {
            Principal::ApiKey { id, .. } => id.to_string(),
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Principal::ApiKey { name, .. } => name,
        }
    }

    /// As timelines name them.
    pub fn actor(&self) -> Actor {
        Actor::Staff { id: self.id(), name: self.name().to_owned() }
    }

    /// As the lines of the stock's ledger name them.
    pub fn label(&self) -> String {
        format!("{} ({})", self.name(), self.id())
    }

    /// # Errors
    /// 403, naming the scope that is missing.
    pub fn needs(&self, scope: Scope) -> Result<(), Problem> {
        match self.scopes().allows(scope) {
            true => Ok(()),
            false => Err(Problem::new(Code::Forbidden, format!("this needs the scope '{scope}'"))),
        }
    }
}

/// The principal that was found to have the scope of the route: what a handler of `/admin` takes.
#[derive(Debug, Clone)]
pub struct Staff(pub Arc<Principal>);

impl<S: Sync> FromRequestParts<S> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Staff, Problem> {
        // Only the layer that looks at the scope puts it there: without one, nobody gets in.
        let permitted = parts.extensions.get::<Staff>().cloned();
        permitted.ok_or_else(|| Problem::new(Code::Unauthenticated, "this needs an API key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_scope_is_named() {
        let principal = Principal::ApiKey {
            id: ApiKeyId(1),
            name: "till".into(),
            scopes: [Scope::OrdersWrite].into_iter().collect(),
        };
        assert!(principal.needs(Scope::OrdersRead).is_ok());
        let problem = principal.needs(Scope::StockRead).unwrap_err();
        assert_eq!(problem.code(), Code::Forbidden);
        assert!(problem.detail().contains("'stock:read'"), "{}", problem.detail());
        let id = "key_00000000000000000000000001".to_owned();
        assert_eq!(principal.label(), format!("till ({id})"));
        assert_eq!(principal.actor(), Actor::Staff { id, name: "till".into() });
    }
}
