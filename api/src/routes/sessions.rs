//! `/v1/sessions`: a token for a guest, what goes with it, its renewal and its end. Idempotency
//! keys are ignored here: a reply that holds a secret is never kept to be said again.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use barrow_actors::catalog::Viewpoint;
use barrow_actors::sessions::SessionsUnavailable;
use barrow_engine::ids::{CartId, SessionId};
use barrow_engine::time::Timestamp;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, SharedApp};
use crate::auth::{Shopper, Subject, TokenClaims};
use crate::edge::{NoParams, OptionalJson, Params, Problem, Selling};
use crate::wire::cart_requests::Nothing;
use crate::wire::catalog::Item;

/// A token. Whoever has it is the session.
#[derive(Serialize, ToSchema)]
pub struct SessionToken {
    #[schema(example = "shop_AQEAAAGjGcUYAQEAAAAAAAAAAAAAAAEjRWeJq83v")]
    pub token: String,
    #[schema(value_type = String, example = "sess_06d3r8v2k9m5w1x7q4t0c3f8hn")]
    pub session_id: SessionId,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// A session, to its bearer.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct CurrentSession {
    #[schema(value_type = String, example = "sess_06d3r8v2k9m5w1x7q4t0c3f8hn")]
    pub session_id: SessionId,
    /// When this token ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// `null` for a guest.
    #[schema(required, value_type = Option<Object>)]
    pub customer: Option<serde_json::Value>,
    /// The cart that the session opened last.
    #[schema(required, value_type = Option<String>)]
    pub cart_id: Option<CartId>,
    /// What it looked at, newest first; may be forgotten at any time.
    pub recently_viewed: Vec<Item>,
}

pub fn routes() -> Router<SharedApp> {
    Router::new()
        .route("/v1/sessions", post(start))
        .route("/v1/sessions/current", get(current).delete(end))
        .route("/v1/sessions/current/refresh", post(refresh))
}

async fn start(State(app): State<SharedApp>, _: NoParams, _: OptionalJson<Nothing>) -> Response {
    let mut response = token(&app, SessionId(app.entropy.next_u128()));
    *response.status_mut() = StatusCode::CREATED;
    let location = HeaderValue::from_static("/v1/sessions/current");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

async fn refresh(
    State(app): State<SharedApp>,
    shopper: Shopper,
    _: NoParams,
    _: OptionalJson<Nothing>,
) -> Response {
    token(&app, shopper.session)
}

fn token(app: &App, session: SessionId) -> Response {
    let expires_at = app.clock.now().plus(app.settings.session_ttl);
    let claims = TokenClaims { subject: Subject::Session(session), expires_at };
    let token = app.token_keys.seal(claims);
    secret_json(&SessionToken { token, session_id: session, expires_at })
}

async fn end(
    State(app): State<SharedApp>,
    shopper: Shopper,
    _: NoParams,
) -> Result<StatusCode, Problem> {
    // Other tokens of the session may live longer than the one that is shown here.
    let last_token_ends = app.clock.now().plus(app.settings.session_ttl);
    let until = last_token_ends.max(shopper.expires_at);
    app.sessions.revoke(shopper.session, until).await.map_err(unavailable)?;
    Ok(StatusCode::NO_CONTENT)
}

fn unavailable(error: SessionsUnavailable) -> Problem {
    tracing::error!(%error, "a session could not be reached");
    Problem::unavailable("the session cannot be reached now", std::time::Duration::from_secs(1))
}

async fn current(
    State(app): State<SharedApp>,
    shopper: Shopper,
    mut params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let selling = Selling::from_params(&app.shop, &mut params, &headers)?;
    params.finish()?;
    let view = Viewpoint {
        channel: selling.channel,
        currency: selling.currency,
        locale: selling.locale,
        now: app.clock.now(),
    };
    let body = CurrentSession {
        session_id: shopper.session,
        expires_at: shopper.expires_at,
        customer: None,
        cart_id: cart_of(&app, shopper.session).await?,
        recently_viewed: recently_viewed(&app, shopper.session, &view).await?,
    };
    Ok(secret_json(&body))
}

/// The session's cart. A cart tells its session that it was opened, but in its own time; one
/// that was opened here a moment ago is known at once.
async fn cart_of(app: &App, session: SessionId) -> Result<Option<CartId>, Problem> {
    if let Some(cart) = app.opened.get(&session) {
        return Ok(Some(cart));
    }
    app.sessions.current_cart(session).await.map_err(unavailable)
}

async fn recently_viewed(
    app: &App,
    session: SessionId,
    view: &Viewpoint,
) -> Result<Vec<Item>, Problem> {
    let mut items = Vec::new();
    for id in app.sessions.recently_viewed(session).await {
        match app.catalog.product(id).await? {
            Some(offer) if offer.is_shown(view) => {
                items.push(Item::new(&offer, view, &app.media_urls));
            }
            _ => {}
        }
    }
    Ok(items)
}

/// JSON that nobody may keep.
fn secret_json(body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("texts and numbers always serialise");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, body).into_response()
}
