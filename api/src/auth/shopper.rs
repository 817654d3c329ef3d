//! Who is behind a request, by the token it carries.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use barrow_actors::sessions::SessionCheckError;
use barrow_engine::ids::SessionId;
use barrow_engine::time::Timestamp;
use http::request::Parts;
use http::{HeaderMap, header};

use super::secret::PREFIX;
use super::{KeyError, KeySecret, Principal, Subject, TokenError};
use crate::app::{App, SharedApp};
use crate::edge::{Code, Problem};

/// The list of ended sessions is read each second.
const STALE_RETRY: Duration = Duration::from_secs(1);

/// Somebody with a good token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shopper {
    pub session: SessionId,
    pub expires_at: Timestamp,
}

/// Who asks, where nobody needs to be known. Public routes take this and may still greet a
/// known shopper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    Anonymous,
    Known(Shopper),
    /// The token is good, but whether its session was ended is not known now. Good enough for
    /// what anybody may see, and for nothing else.
    Unchecked(Shopper),
    /// No shopper, but somebody of the house. They see what anybody may, and what their scopes
    /// let them.
    House(Arc<Principal>),
}

impl Identity {
    pub fn shopper(&self) -> Option<&Shopper> {
        match self {
            Identity::Known(shopper) => Some(shopper),
            Identity::Unchecked(_) | Identity::Anonymous | Identity::House(_) => None,
        }
    }
}

/// Reads the token of a request. None is fine here; a bad one is refused on every route.
pub async fn identify(app: &App, headers: &HeaderMap) -> Result<Identity, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(Identity::Anonymous) };
    if values.next().is_some() {
        return Err(unauthenticated("there is more than one Authorization header"));
    }
    let token = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| unauthenticated("send 'Authorization: Bearer TOKEN'"))?;
    if token.starts_with(PREFIX) {
        // Boxed: the way of a shopper need not be as large as this one.
        return Box::pin(of_the_house(app, token)).await.map(Identity::House);
    }
    let claims = app.token_keys.open(token, app.clock.now()).map_err(|error| match error {
        TokenError::Expired => {
            Problem::new(Code::TokenExpired, "the token has expired; start a new session")
        }
        TokenError::Invalid => unauthenticated("the token is not valid"),
    })?;
    let Subject::Session(session) = claims.subject;
    let shopper = Shopper { session, expires_at: claims.expires_at };
    match app.sessions.check(session) {
        Ok(()) => Ok(Identity::Known(shopper)),
        Err(SessionCheckError::Revoked) => Err(unauthenticated("the session was ended")),
        Err(SessionCheckError::Stale) => Ok(Identity::Unchecked(shopper)),
    }
}

async fn of_the_house(app: &App, token: &str) -> Result<Arc<Principal>, Problem> {
    let unknown = || unauthenticated("the API key is not valid, or was revoked");
    let secret = KeySecret::read(token).ok_or_else(unknown)?;
    let keys = app.office.as_ref().map(|office| &office.api_keys).ok_or_else(unknown)?;
    keys.check(secret.hash()).await.map_err(|error| match error {
        KeyError::Unknown => unknown(),
        KeyError::Expired => Problem::new(Code::TokenExpired, "the API key has expired"),
        KeyError::Unavailable => {
            Problem::unavailable("whether the API key is good cannot be told now", STALE_RETRY)
        }
    })
}

fn unauthenticated(detail: &'static str) -> Problem {
    Problem::new(Code::Unauthenticated, detail)
}

impl FromRequestParts<SharedApp> for Identity {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        match parts.extensions.get::<Identity>() {
            Some(identity) => Ok(identity.clone()),
            None => identify(app, &parts.headers).await,
        }
    }
}

impl FromRequestParts<SharedApp> for Shopper {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        match Identity::from_request_parts(parts, app).await? {
            Identity::Known(shopper) => Ok(shopper),
            Identity::Anonymous => Err(unauthenticated("this needs a shop token")),
            Identity::House(_) => {
                Err(unauthenticated("this needs a shop token; an API key is no shopper"))
            }
            Identity::Unchecked(shopper) => match app.sessions.check_anew(shopper.session).await {
                Ok(()) => Ok(shopper),
                Err(SessionCheckError::Revoked) => Err(unauthenticated("the session was ended")),
                Err(SessionCheckError::Stale) => {
                    let detail = "whether the session was ended cannot be told now";
                    Err(Problem::unavailable(detail, STALE_RETRY))
                }
            },
        }
    }
}
