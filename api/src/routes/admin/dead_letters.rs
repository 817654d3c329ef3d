//! `/admin/v1/dead_letters`: what nobody could be told of orders and stock, until somebody has it
//! told again or gives it up.

use axum::extract::State;
use axum::response::Response;
use barrow_engine::ids::DeadLetterId;
use barrow_engine::ports::{CONSUMER_NAME_CHARS_MAX, DeadLetterQuery};
use http::StatusCode;

use super::{Id, office, place, private_json, read_place};
use crate::app::SharedApp;
use crate::auth::Staff;
use crate::edge::params::invalid;
use crate::edge::{NoParams, Params, Problem};
use crate::routes::orders::refusal::store_problem;
use crate::wire::dead_letters::{DeadLetterBody, DeadLetterList};

pub async fn list(
    State(app): State<SharedApp>,
    _: Staff,
    mut params: Params,
) -> Result<Response, Problem> {
    let limit = params.limit()?;
    let consumer = params.one("consumer")?;
    let cursor = params.one("cursor")?;
    params.finish()?;
    if consumer.as_ref().is_some_and(|name| name.chars().count() > CONSUMER_NAME_CHARS_MAX) {
        let detail = format!("it has more than {CONSUMER_NAME_CHARS_MAX} characters");
        return Err(invalid("consumer", &detail));
    }
    let question = format!("dead letters of {consumer:?}");
    let mut query = DeadLetterQuery { consumer, after: None, limit };
    if let Some(text) = cursor {
        let (at, id) = read_place(&app.cursors.open(&question, &text)?)?;
        query.after = Some((at, DeadLetterId(id)));
    }
    let deliveries = &office(&app)?.deliveries;
    let read = async |query: &DeadLetterQuery| {
        let found = deliveries.dead_letters(query.clone()).await;
        found.map_err(|error| store_problem(&error))
    };
    let found = read(&query).await?;
    let mut next_cursor = None;
    if let Some(last) = found.last().filter(|_| found.len() == limit) {
        // A page is never larger than the largest: whether one follows is asked for by itself.
        (query.after, query.limit) = (Some((last.at, last.id)), 1);
        if !read(&query).await?.is_empty() {
            next_cursor = Some(app.cursors.seal(&question, &place(last.at, last.id.0)));
        }
    }
    let items = found.iter().map(DeadLetterBody::from).collect();
    Ok(private_json(&DeadLetterList { items, next_cursor }))
}

pub async fn replay(
    State(app): State<SharedApp>,
    _: Staff,
    Id(id): Id<DeadLetterId>,
    _: NoParams,
) -> Result<StatusCode, Problem> {
    done(office(&app)?.deliveries.replay(id).await.map_err(|error| store_problem(&error))?)
}

pub async fn discard(
    State(app): State<SharedApp>,
    _: Staff,
    Id(id): Id<DeadLetterId>,
    _: NoParams,
) -> Result<StatusCode, Problem> {
    done(office(&app)?.deliveries.discard(id).await.map_err(|error| store_problem(&error))?)
}

fn done(was_there: bool) -> Result<StatusCode, Problem> {
    match was_there {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("There is no such dead letter, or not any more.")),
    }
}
