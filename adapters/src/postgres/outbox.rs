//! Events and the lanes of their consumers.

use async_trait::async_trait;
use barrow_engine::events::{Aggregate, Event};
use barrow_engine::ids::DeadLetterId;
use barrow_engine::ports::{
    ClaimAsk, ClaimToken, CommerceError, ConsumerFigures, DeadLetter, DeadLetterQuery, LANES_MAX,
    Lane, Outbox, Settled,
};
use barrow_engine::time::Timestamp;
use sqlx::postgres::PgConnection;

use super::primary::Postgres;
use crate::commerce::events::{
    DeadRow, EventRow, Handled, Kept, LaneRow, SWEEP_MAX, after, dead_letters, lanes, stored,
};
use crate::commerce::rows::limit;
use crate::commerce::{End, Fault};

type Result<T> = std::result::Result<T, CommerceError>;

/// Where events wait.
pub struct PostgresOutbox {
    postgres: Postgres,
}

/// The server's clock, as the tables have it.
macro_rules! with_now {
    ($before:literal, $after:literal) => {
        concat!($before, "(extract(epoch FROM statement_timestamp()) * 1000)::int8", $after)
    };
}

const REGISTER: &str = with_now!(
    "INSERT INTO event_consumer (name, seen_at) SELECT name, ",
    " FROM unnest($1::text[]) AS name ORDER BY name
    ON CONFLICT (name) DO UPDATE SET seen_at = EXCLUDED.seen_at"
);

/// Who claims at the same moment takes other lanes.
const CLAIM: &str = with_now!(
    "WITH clock AS (SELECT ",
    " AS now), due AS MATERIALIZED (
        SELECT consumer, aggregate FROM event_lane
        WHERE consumer = $1 AND due_at <= (SELECT now FROM clock)
        ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
    UPDATE event_lane SET token = $3, due_at = clock.now + $4, attempts = attempts + 1
        FROM due, clock
        WHERE event_lane.consumer = due.consumer AND event_lane.aggregate = due.aggregate
        RETURNING event_lane.aggregate, position, last, attempts"
);

const READ_EVENTS: &str = "SELECT own.aggregate, own.position, kind, at, data
    FROM unnest($1::text[], $2::int8[], $3::int8[]) AS lane (aggregate, position, most),
        LATERAL (SELECT * FROM event WHERE event.aggregate = lane.aggregate
            AND event.position >= lane.position ORDER BY event.position LIMIT lane.most) AS own
    ORDER BY own.aggregate, own.position";

const LOCK: &str = "SELECT aggregate, position, last, attempts FROM event_lane
    WHERE consumer = $1 AND token = $2 AND aggregate = ANY($3) ORDER BY aggregate FOR UPDATE";

const LOCK_DEAD: &str = "SELECT consumer, aggregate, position, last, attempts FROM event_lane
    WHERE dead_id = $1 FOR UPDATE";

const DELETE: &str = "DELETE FROM event_lane WHERE consumer = $1 AND aggregate = ANY($2)";

const KEEP: &str = with_now!(
    "WITH clock AS (SELECT ",
    " AS now) UPDATE event_lane SET position = kept.position, attempts = kept.attempts,
        token = NULL, due_at = clock.now + kept.wait, error = kept.error, dead_id = kept.dead_id,
        dead_at = CASE WHEN kept.dead_id IS NOT NULL THEN clock.now END
    FROM clock, unnest($2::text[], $3::int8[], $4::int4[], $5::int8[], $6::text[], $7::bytea[])
        AS kept (aggregate, position, attempts, wait, error, dead_id)
    WHERE event_lane.consumer = $1 AND event_lane.aggregate = kept.aggregate"
);

/// What no lane is before any more. Whoever sees an event sees the lanes that were written with
/// it, or that they have moved on.
const TIDY: &str = "DELETE FROM event WHERE aggregate = ANY($1) AND NOT EXISTS (
    SELECT FROM event_lane WHERE event_lane.aggregate = event.aggregate
        AND event_lane.position <= event.position)";

const DEAD: &str = "SELECT consumer, dead_id, dead_at, attempts, error,
        (SELECT count(*) FROM event AS later WHERE later.aggregate = event_lane.aggregate
            AND later.position > event.position AND later.position <= last) AS waiting,
        event.aggregate, event.position, kind, at, data
    FROM event_lane JOIN event ON event.aggregate = event_lane.aggregate
        AND event.position = (SELECT min(head.position) FROM event AS head
            WHERE head.aggregate = event_lane.aggregate AND head.position >= event_lane.position)
    WHERE dead_at IS NOT NULL AND (dead_at, dead_id) < ($1, $2)
        AND consumer = coalesce($3, consumer)
    ORDER BY dead_at DESC, dead_id DESC LIMIT $4";

const REPLAY: &str = with_now!(
    "UPDATE event_lane SET due_at = ",
    ", attempts = 0, error = NULL, dead_id = NULL, dead_at = NULL WHERE dead_id = $1"
);

const HEAD: &str = "SELECT min(position) FROM event WHERE aggregate = $1 AND position >= $2";

const FIGURES: &str = "SELECT name, count(aggregate), count(dead_id)
    FROM event_consumer LEFT JOIN event_lane ON consumer = name GROUP BY name ORDER BY name";

const SWEEP_CONSUMERS: &str = with_now!("DELETE FROM event_consumer WHERE seen_at < ", " - $1");

const SWEEP_LANES: &str = "DELETE FROM event_lane WHERE (consumer, aggregate) IN (
    SELECT consumer, aggregate FROM event_lane
        WHERE NOT EXISTS (SELECT FROM event_consumer WHERE name = consumer) LIMIT $1)";

const SWEEP_EVENTS: &str = "DELETE FROM event WHERE (aggregate, position) IN (
    SELECT aggregate, position FROM event WHERE NOT EXISTS (
        SELECT FROM event_lane WHERE event_lane.aggregate = event.aggregate
            AND event_lane.position <= event.position) LIMIT $1)";

impl PostgresOutbox {
    pub fn new(postgres: &Postgres) -> PostgresOutbox {
        PostgresOutbox { postgres: postgres.clone() }
    }

    /// Runs the effect of an event that lies in this database, once: in one transaction with the
    /// mark that the consumer has had it. Whoever comes second, after a crash or because their
    /// lease ran out, does nothing; nor does whoever comes when the event is a dead letter.
    ///
    /// # Errors
    /// As a change of the commerce store. Whatever the outcome, it may be called again.
    pub async fn handle_once(
        &self,
        consumer: &str,
        event: &Event,
        effect: impl AsyncFn(&mut PgConnection) -> std::result::Result<(), sqlx::Error>,
    ) -> Result<Handled> {
        let effect = &effect;
        let run = || {
            async move |transaction: &mut PgConnection| {
                if !pass(transaction, consumer, event).await? {
                    return Ok::<_, Fault>(End::Rollback(Handled::Before));
                }
                effect(transaction).await?;
                Ok(End::Commit(Handled::Now))
            }
        };
        self.postgres.transact(run).await
    }

    /// How many dead letters there are, for who only looks: the tables may not be there yet.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub async fn dead_letters_at_all(&self) -> Result<u64> {
        const IS_THERE: &str = "SELECT to_regclass('event_lane') IS NOT NULL";
        const COUNT: &str = "SELECT count(*) FROM event_lane WHERE dead_id IS NOT NULL";
        let counted: std::result::Result<i64, _> = self
            .postgres
            .call(async |connection| {
                let is_there = sqlx::query_scalar(IS_THERE).fetch_one(&mut *connection).await?;
                match is_there {
                    true => sqlx::query_scalar(COUNT).fetch_one(connection).await,
                    false => Ok(0),
                }
            })
            .await;
        let counted = counted.map_err(|error| error.of_no_commit())?;
        Ok(u64::try_from(counted).unwrap_or(0))
    }

    /// Events that nobody has before them any more. What it misses the next sweep finds.
    async fn tidy(&self, aggregates: &[String]) {
        if aggregates.is_empty() {
            return;
        }
        let tidied = self
            .postgres
            .call(async |connection| sqlx::query(TIDY).bind(aggregates).execute(connection).await)
            .await;
        if let Err(error) = tidied {
            tracing::debug!(%error, "events that everybody has had are left to the sweep");
        }
    }
}

/// Moves a lane behind an event; false if it is there already.
async fn pass(
    transaction: &mut PgConnection,
    consumer: &str,
    event: &Event,
) -> std::result::Result<bool, sqlx::Error> {
    const LOCK: &str = "SELECT position FROM event_lane
        WHERE consumer = $1 AND aggregate = $2 AND position <= $3 AND dead_id IS NULL
        FOR UPDATE";
    const PASS: &str = "UPDATE event_lane SET position = $3 + 1, attempts = 0
        WHERE consumer = $1 AND aggregate = $2";
    let (aggregate, position) = (event.aggregate.to_string(), stored(event.position));
    let query = sqlx::query_scalar(LOCK).bind(consumer).bind(&aggregate).bind(position);
    let found: Option<i64> = query.fetch_optional(&mut *transaction).await?;
    if found.is_some() {
        let query = sqlx::query(PASS).bind(consumer).bind(aggregate).bind(position);
        query.execute(transaction).await?;
    }
    Ok(found.is_some())
}

/// Two statements that stand for themselves: what was claimed and not read is left to run out.
async fn claim(
    connection: &mut PgConnection,
    ask: &ClaimAsk<'_>,
) -> std::result::Result<(Vec<LaneRow>, Vec<EventRow>), sqlx::Error> {
    let lease = i64::try_from(ask.lease.as_millis()).unwrap_or(i64::MAX / 4);
    let query = sqlx::query_as(CLAIM).bind(ask.consumer).bind(limit(ask.lanes.min(LANES_MAX)));
    let query = query.bind(ask.token.0.to_be_bytes()).bind(lease);
    let mut claimed: Vec<LaneRow> = query.fetch_all(&mut *connection).await?;
    if claimed.is_empty() {
        return Ok((claimed, Vec::new()));
    }
    claimed.sort();
    let aggregates: Vec<&str> = claimed.iter().map(|lane| lane.0.as_str()).collect();
    let positions: Vec<i64> = claimed.iter().map(|lane| lane.1).collect();
    let most = |attempts: i32| if attempts > 1 { 1 } else { limit(ask.events.min(LANES_MAX)) };
    let most: Vec<i64> = claimed.iter().map(|lane| most(lane.3)).collect();
    let query = sqlx::query_as(READ_EVENTS).bind(&aggregates[..]).bind(&positions[..]);
    let mut events: Vec<EventRow> = query.bind(&most[..]).fetch_all(connection).await?;
    events.sort();
    Ok((claimed, events))
}

async fn settle(
    transaction: &mut PgConnection,
    consumer: &str,
    token: ClaimToken,
    settled: &[Settled],
) -> std::result::Result<End<Vec<Aggregate>>, Fault> {
    let aggregates: Vec<String> = settled.iter().map(|it| it.aggregate.to_string()).collect();
    let query = sqlx::query_as(LOCK).bind(consumer).bind(token.0.to_be_bytes());
    let held: Vec<LaneRow> = query.bind(&aggregates[..]).fetch_all(&mut *transaction).await?;
    let (mut gone, mut kept, mut done) = (Vec::new(), Vec::new(), Vec::new());
    for lane in &held {
        let of_lane = aggregates.iter().zip(settled).find(|(name, _)| **name == lane.0);
        let Some((_, settled)) = of_lane else { continue };
        done.push(settled.aggregate.clone());
        match after(lane, settled) {
            Some(lane) => kept.push(lane),
            None => gone.push(lane.0.clone()),
        }
    }
    if done.is_empty() {
        return Ok(End::Rollback(done));
    }
    write_lanes(transaction, consumer, &gone, &kept).await?;
    Ok(End::Commit(done))
}

async fn write_lanes(
    transaction: &mut PgConnection,
    consumer: &str,
    gone: &[String],
    kept: &[Kept],
) -> std::result::Result<(), sqlx::Error> {
    if !gone.is_empty() {
        sqlx::query(DELETE).bind(consumer).bind(gone).execute(&mut *transaction).await?;
    }
    if !kept.is_empty() {
        let aggregates: Vec<&str> = kept.iter().map(|it| it.aggregate.as_str()).collect();
        let positions: Vec<i64> = kept.iter().map(|it| it.position).collect();
        let attempts: Vec<i32> = kept.iter().map(|it| it.attempts).collect();
        let waits: Vec<Option<i64>> = kept.iter().map(|it| it.wait).collect();
        let errors: Vec<Option<&str>> = kept.iter().map(|it| it.error.as_deref()).collect();
        let dead: Vec<Option<[u8; 16]>> = kept.iter().map(|it| it.dead_id).collect();
        let query = sqlx::query(KEEP).bind(consumer).bind(&aggregates[..]).bind(&positions[..]);
        let query = query.bind(&attempts[..]).bind(&waits[..]).bind(&errors[..]);
        query.bind(&dead[..]).execute(transaction).await?;
    }
    Ok(())
}

/// The aggregate of a dead letter that was given up.
async fn discard(
    transaction: &mut PgConnection,
    id: DeadLetterId,
) -> std::result::Result<End<Option<String>>, Fault> {
    let query = sqlx::query_as(LOCK_DEAD).bind(id.0.to_be_bytes());
    let found: Option<(String, String, i64, i64, i32)> =
        query.fetch_optional(&mut *transaction).await?;
    let Some((consumer, aggregate, position, last, _)) = found else {
        return Ok(End::Rollback(None));
    };
    let query = sqlx::query_scalar(HEAD).bind(&aggregate).bind(position);
    let head: Option<i64> = query.fetch_one(&mut *transaction).await?;
    let position = head.map_or(last, |head| head) + 1;
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    if position > last {
        gone.push(aggregate.clone());
    } else {
        let aggregate = aggregate.clone();
        let (wait, error, dead_id) = (Some(0), None, None);
        kept.push(Kept { aggregate, position, attempts: 0, wait, error, dead_id });
    }
    write_lanes(transaction, &consumer, &gone, &kept).await?;
    Ok(End::Announce(Some(aggregate)))
}

#[async_trait]
impl Outbox for PostgresOutbox {
    async fn register(&self, consumers: &[&str]) -> Result<()> {
        let registered = self
            .postgres
            .call(async |connection| {
                sqlx::query(REGISTER).bind(consumers).execute(connection).await
            })
            .await;
        registered.map(drop).map_err(|error| error.of_no_commit())
    }

    async fn claim(&self, ask: &ClaimAsk<'_>) -> Result<Vec<Lane>> {
        let claim = async |connection: &mut PgConnection| claim(connection, ask).await;
        let (claimed, events) =
            self.postgres.call(claim).await.map_err(|error| error.of_no_commit())?;
        Ok(lanes(claimed, events)?)
    }

    async fn settle(
        &self,
        consumer: &str,
        token: ClaimToken,
        settled: &[Settled],
    ) -> Result<Vec<Aggregate>> {
        let settle = || {
            async move |transaction: &mut PgConnection| {
                settle(transaction, consumer, token, settled).await
            }
        };
        let done = self.postgres.transact(settle).await?;
        // After the commit: of two consumers that are done with an event at once, one sees that
        // the other is too.
        self.tidy(&done.iter().map(Aggregate::to_string).collect::<Vec<_>>()).await;
        Ok(done)
    }

    async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<Vec<DeadLetter>> {
        let (at, id) = query.after.unwrap_or((Timestamp::MAX, DeadLetterId(u128::MAX)));
        let found: std::result::Result<Vec<DeadRow>, _> = self
            .postgres
            .call(async |connection| {
                let rows = sqlx::query_as(DEAD).bind(at.as_millis()).bind(id.0.to_be_bytes());
                let rows = rows.bind(&query.consumer).bind(limit(query.limit.min(LANES_MAX)));
                rows.fetch_all(connection).await
            })
            .await;
        dead_letters(found.map_err(|error| error.of_no_commit())?)
    }

    async fn replay(&self, id: DeadLetterId) -> Result<bool> {
        let replay = || {
            async move |transaction: &mut PgConnection| {
                let query = sqlx::query(REPLAY).bind(id.0.to_be_bytes());
                let replayed = query.execute(transaction).await?.rows_affected() == 1;
                Ok::<_, Fault>(End::Announce(replayed))
            }
        };
        self.postgres.transact(replay).await
    }

    async fn discard(&self, id: DeadLetterId) -> Result<bool> {
        let discard = || async move |transaction: &mut PgConnection| discard(transaction, id).await;
        let aggregate = self.postgres.transact(discard).await?;
        self.tidy(aggregate.as_slice()).await;
        Ok(aggregate.is_some())
    }

    async fn figures(&self) -> Result<Vec<ConsumerFigures>> {
        let found: std::result::Result<Vec<(String, i64, i64)>, _> = self
            .postgres
            .call(async |connection| sqlx::query_as(FIGURES).fetch_all(connection).await)
            .await;
        let found = found.map_err(|error| error.of_no_commit())?;
        Ok(found.into_iter().map(crate::commerce::events::figures).collect())
    }

    async fn sweep(&self, unseen: std::time::Duration) -> Result<()> {
        let unseen = i64::try_from(unseen.as_millis()).unwrap_or(i64::MAX / 4);
        let swept = self
            .postgres
            .call(async |connection| {
                sqlx::query(SWEEP_CONSUMERS).bind(unseen).execute(&mut *connection).await?;
                sqlx::query(SWEEP_LANES).bind(limit(SWEEP_MAX)).execute(&mut *connection).await?;
                sqlx::query(SWEEP_EVENTS).bind(limit(SWEEP_MAX)).execute(connection).await
            })
            .await;
        swept.map(drop).map_err(|error| error.of_no_commit())
    }

    fn written(&self) -> u64 {
        self.postgres.written().count()
    }

    async fn written_since(&self, seen: u64) -> u64 {
        self.postgres.written().since(seen).await
    }
}
