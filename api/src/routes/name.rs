//! What an address names a thing by: its id, or its slug. Slugs have no underscore and ids do,
//! so the two never look alike.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use barrow_engine::catalog::Slug;
use http::request::Parts;

use crate::edge::Problem;

/// The last part of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name<I> {
    Id(I),
    Slug(Slug),
}

/// 404 for what is neither.
fn nothing() -> Problem {
    Problem::not_found("there is nothing of this name")
}

impl<I: FromStr> Name<I> {
    pub(super) fn read(text: &str) -> Option<Name<I>> {
        let id = text.parse().ok().map(Name::Id);
        id.or_else(|| Slug::new(text).ok().map(Name::Slug))
    }
}

impl<S: Send + Sync, I: FromStr> FromRequestParts<S> for Name<I> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|_| nothing())?;
        Name::read(&text).ok_or_else(nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrow_engine::ids::ProductId;

    #[test]
    fn ids_and_slugs_are_told_apart() {
        let id = ProductId(7);
        assert_eq!(Name::read(&id.to_string()), Some(Name::Id(id)));
        let slug = Slug::new("oak-chair").unwrap();
        assert_eq!(Name::<ProductId>::read("oak-chair"), Some(Name::Slug(slug)));
        for text in ["", "Oak", "prod_", "cart_00000000000000000000000007", "a/b", "ä", "a_b"] {
            assert_eq!(Name::<ProductId>::read(text), None, "{text}");
        }
    }
}
