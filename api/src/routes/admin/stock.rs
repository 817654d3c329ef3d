//! `/admin/v1/stock`: how units came and went, and how many lie where.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use barrow_engine::catalog::{Location, Sku};
use barrow_engine::ids::MovementId;
use barrow_engine::inventory::{
    DEFAULT_LOCATION, Level, MOVEMENT_REASON_CHARS_MAX, Movement, MovementDraft, StockRefusal,
    UNITS_MAX,
};
use http::{HeaderName, HeaderValue, StatusCode};

use super::{Page, office, place, private_json, read_place};
use crate::app::{App, SharedApp};
use crate::auth::{Principal, Staff};
use crate::edge::params::invalid as invalid_parameter;
use crate::edge::{ClientKey, Code, FieldError, Json, MaybeKey, NoParams, Params, Problem};
use crate::routes::carts::sellables;
use crate::routes::cursor;
use crate::routes::orders::refusal::store_problem;
use crate::wire::stock::{BookMovement, LevelBody, LevelList, MovementBody, MovementList};

/// The most SKUs whose levels are asked for at once.
const SKUS_MAX: usize = 100;

/// Never change it: repeats over an upgrade would be booked twice.
const ID_CONTEXT: &str = "barrow 2026-11-23 movement id of a key v1";

pub async fn book(
    State(app): State<SharedApp>,
    Staff(principal): Staff,
    _: NoParams,
    MaybeKey(key): MaybeKey,
    Json { body, .. }: Json<BookMovement>,
) -> Result<Response, Problem> {
    let draft = draft(&app, &principal, key.as_ref(), body)?;
    sellables(&app, &[(draft.sku.as_str(), "/sku".to_owned())]).await?;
    let booked = office(&app)?.stock.book(vec![draft.clone()]).await;
    let booked =
        booked.map_err(|error| store_problem(&error))?.pop().expect("there is one for each");
    let movement = booked.map_err(refused)?;
    if !is_same(&movement.draft, &draft) {
        let detail = "the idempotency key was used for another movement";
        return Err(Problem::new(Code::IdempotencyKeyReused, detail));
    }
    let is_replayed = movement.draft.at != draft.at;
    let mut response = private_json(&MovementBody::from(&movement));
    *response.status_mut() = StatusCode::CREATED;
    if is_replayed {
        let name = HeaderName::from_static("idempotent-replayed");
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    Ok(response.into_response())
}

fn draft(
    app: &App,
    principal: &Principal,
    key: Option<&ClientKey>,
    body: BookMovement,
) -> Result<MovementDraft, Problem> {
    let out_of_range = |pointer: &str, detail: String| {
        Problem::invalid(vec![FieldError::new(pointer, "out_of_range", detail)])
    };
    let BookMovement { sku, location, quantity, reason } = body;
    let unknown_sku = || {
        let detail = "the catalog has no such SKU";
        Problem::invalid(vec![FieldError::new("/sku", "unknown_sku", detail)])
    };
    let location = location.as_deref().unwrap_or(DEFAULT_LOCATION);
    let reason_length = reason.chars().count();
    if quantity.0 == 0 || quantity.0.unsigned_abs() > UNITS_MAX {
        let detail =
            format!("it must be a whole number other than 0, up to {UNITS_MAX} either way");
        return Err(out_of_range("/quantity", detail));
    }
    if !(1..=MOVEMENT_REASON_CHARS_MAX).contains(&reason_length)
        || reason.chars().any(char::is_control)
    {
        let detail = format!(
            "it must have 1 to {MOVEMENT_REASON_CHARS_MAX} characters, none of them a control \
             character"
        );
        return Err(out_of_range("/reason", detail));
    }
    Ok(MovementDraft {
        id: match key {
            Some(key) => derived_id(principal, key),
            None => MovementId(app.entropy.next_u128()),
        },
        sku: Sku::new(&sku).map_err(|_| unknown_sku())?,
        location: Location::new(location)
            .map_err(|error| out_of_range("/location", error.to_string()))?,
        quantity: quantity.0,
        reason,
        actor: principal.label(),
        order: None,
        at: app.clock.now(),
    })
}

/// The same caller with the same key means the same movement, for ever.
fn derived_id(principal: &Principal, key: &ClientKey) -> MovementId {
    let mut hasher = blake3::Hasher::new_derive_key(ID_CONTEXT);
    hasher.update(principal.id().as_bytes());
    hasher.update(b"\n");
    hasher.update(key.as_bytes());
    let hash = hasher.finalize();
    MovementId(u128::from_be_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes")))
}

/// Whether they ask for the same. When, and how the caller was called then, is no part of it.
fn is_same(booked: &MovementDraft, asked: &MovementDraft) -> bool {
    let what = |it: &MovementDraft| {
        (it.sku.clone(), it.location.clone(), it.quantity, it.reason.clone(), it.order)
    };
    what(booked) == what(asked)
}

fn refused(refusal: StockRefusal) -> Problem {
    let detail = refusal.to_string();
    match refusal {
        StockRefusal::BelowZero { .. } => {
            Problem::new(Code::StockBelowZero, detail).at("/quantity")
        }
        StockRefusal::TooMany { .. }
        | StockRefusal::ReservationGone { .. }
        | StockRefusal::TooFew { .. }
        | StockRefusal::OverLimit(_)
        | StockRefusal::NotAllocated { .. } => {
            Problem::invalid(vec![FieldError::new("/quantity", "out_of_range", detail)])
        }
    }
}

pub async fn movements(
    State(app): State<SharedApp>,
    _: Staff,
    mut params: Params,
) -> Result<Response, Problem> {
    let limit = params.limit()?;
    let sku = params.one("sku")?;
    let after = params.one("cursor")?;
    params.finish()?;
    let sku = sku.ok_or_else(|| invalid_parameter("sku", "it is needed"))?;
    let question = format!("movements of {sku}");
    let after = match after {
        None => None,
        Some(text) => {
            let (at, id) = read_place(&app.cursors.open(&question, &text)?)?;
            Some((at, MovementId(id)))
        }
    };
    // What cannot be a SKU has never moved.
    let found = match Sku::new(&sku) {
        Ok(sku) => office(&app)?.stock.movements(&sku, after, limit + 1).await,
        Err(_) => Ok(Vec::new()),
    };
    let found = found.map_err(|error| store_problem(&error))?;
    let Page { items, next_cursor } = Page::new(found, limit, |Movement { draft, .. }| {
        app.cursors.seal(&question, &place(draft.at, draft.id.0))
    });
    let items = items.iter().map(MovementBody::from).collect();
    Ok(private_json(&MovementList { items, next_cursor }))
}

pub async fn levels(
    State(app): State<SharedApp>,
    _: Staff,
    mut params: Params,
) -> Result<Response, Problem> {
    let limit = params.limit()?;
    let mut skus = params.all("sku");
    let after = params.one("cursor")?;
    params.finish()?;
    if skus.len() > SKUS_MAX {
        return Err(invalid_parameter("sku", &format!("it is given more than {SKUS_MAX} times")));
    }
    skus.sort_unstable();
    skus.dedup();
    let question = format!("levels of {skus:?}");
    let after = match after {
        None => None,
        Some(text) => Some(level_place(&app.cursors.open(&question, &text)?)?),
    };
    let found = match skus.is_empty() {
        true => office(&app)?.stock.scan(after.clone(), limit + 1).await,
        false => {
            // What cannot be a SKU has no level.
            let skus: Vec<Sku> = skus.iter().filter_map(|sku| Sku::new(sku).ok()).collect();
            office(&app)?.stock.levels(&skus).await
        }
    };
    let mut found = found.map_err(|error| store_problem(&error))?;
    if !skus.is_empty() {
        found.retain(|it| {
            after.as_ref().is_none_or(|(sku, place)| (&it.sku, &it.location) > (sku, place))
        });
        found.sort_by(|a, b| (&a.sku, &a.location).cmp(&(&b.sku, &b.location)));
    }
    let Page { items, next_cursor } = Page::new(found, limit, |Level { sku, location, .. }| {
        app.cursors.seal(&question, format!("{sku}\n{location}").as_bytes())
    });
    let items = items.iter().map(LevelBody::from).collect();
    Ok(private_json(&LevelList { items, next_cursor }))
}

/// Neither a SKU nor a location has an end of a line in it.
fn level_place(bytes: &[u8]) -> Result<(Sku, Location), Problem> {
    let read = || {
        let (sku, location) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
        Some((Sku::new(sku).ok()?, Location::new(location).ok()?))
    };
    read().ok_or_else(cursor::refused)
}
