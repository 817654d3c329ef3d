//! What every request of the API passes before its route: admission, the token, and a net below
//! it, so that a handler that breaks is a 503 and a line in the log, not a hang-up.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::Method;

use super::metrics::Gauged;
use super::{Code, Problem, body};
use crate::app::{App, SharedApp};
use crate::auth::identify;

/// What a refused client should wait: long enough to matter, short enough to be back soon.
const SHED_RETRY: Duration = Duration::from_secs(1);

/// The layer around the routes of the API: admits, reads the token, catches panics.
pub async fn guard(State(app): State<SharedApp>, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let _admitted = match admit(&app) {
        Ok(admitted) => admitted,
        Err(problem) => return labelled(route, turn_away(request, problem).await),
    };
    let response = match identify(&app, request.headers()).await {
        Ok(identity) => {
            request.extensions_mut().insert(identity);
            catch(&app, next.run(request)).await
        }
        Err(problem) => problem.into_response(),
    };
    labelled(route, response)
}

/// Takes a place among the requests that are being answered, or refuses for load.
pub fn admit(app: &App) -> Result<Gauged, Problem> {
    let max = app.settings.requests_in_flight_max;
    Gauged::hold_below(&app.metrics, |metrics| &metrics.in_flight, max).ok_or_else(|| {
        app.metrics.shed.fetch_add(1, Ordering::Relaxed);
        Problem::new(Code::Overloaded, "too many requests are being answered now")
            .retry_after(SHED_RETRY)
    })
}

/// Answers a request that was refused for load. Its connection is kept if that is cheap.
pub async fn turn_away(request: Request, problem: Problem) -> Response {
    body::discard_what_came(request).await;
    problem.into_response()
}

/// The same net for routes that are open to operators and never refused for load.
pub async fn net(State(app): State<SharedApp>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    labelled(route, catch(&app, next.run(request)).await)
}

/// Tells the front which route answered, to count by.
fn labelled(route: Option<MatchedPath>, mut response: Response) -> Response {
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

/// Answers, come what may. (No `async fn`: that would hold the answer's future twice.)
pub fn catch<'a>(
    app: &'a App,
    answer: impl Future<Output = Response> + 'a,
) -> impl Future<Output = Response> + 'a {
    AssertUnwindSafe(answer)
        .catch_unwind()
        .map(|caught| caught.unwrap_or_else(|panic| broken(app, &*panic)))
}

fn broken(app: &App, panic: &(dyn Any + Send)) -> Response {
    app.metrics.panics.fetch_add(1, Ordering::Relaxed);
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic.message = said, "a request handler broke");
    Problem::unavailable("the request could not be answered", SHED_RETRY).into_response()
}

/// 404 for what no route matches.
pub async fn unrouted() -> Problem {
    Problem::not_found("there is nothing at this address")
}

/// 405; the router adds which methods are allowed.
pub async fn wrong_method(method: Method) -> Problem {
    Problem::new(Code::MethodNotAllowed, format!("{method} is not allowed here"))
}
