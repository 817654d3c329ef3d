//! Events and the lanes of their consumers.

use std::path::Path;

use async_trait::async_trait;
use barrow_engine::events::{Aggregate, Event};
use barrow_engine::ids::DeadLetterId;
use barrow_engine::ports::{
    ClaimAsk, ClaimToken, CommerceError, ConsumerFigures, DeadLetter, DeadLetterQuery, LANES_MAX,
    Lane, Outbox, Settled,
};
use barrow_engine::time::Timestamp;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::database::{Sqlite, SqliteError};
use crate::commerce::events::{
    DeadRow, EventRow, Handled, Kept, LaneRow, SWEEP_MAX, after, dead_letters, figures, lanes,
    stored,
};
use crate::commerce::rows::limit;
use crate::commerce::{End, Fault};

type Result<T> = std::result::Result<T, CommerceError>;
type Change<T> = std::result::Result<T, Fault>;

/// Where events wait.
pub struct SqliteOutbox {
    sqlite: Sqlite,
}

/// The machine's clock, as the tables have it.
macro_rules! with_now {
    ($before:literal, $after:literal) => {
        concat!($before, "CAST(unixepoch('subsec') * 1000 AS INTEGER)", $after)
    };
}

const REGISTER: &str = with_now!(
    "INSERT INTO event_consumer (name, seen_at) SELECT ?1, ",
    " WHERE true ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at"
);

const IS_DUE: &str =
    with_now!("SELECT EXISTS (SELECT 1 FROM event_lane WHERE consumer = ?1 AND due_at <= ", ")");

const DUE: &str = with_now!(
    "SELECT aggregate, position, last, attempts FROM event_lane
        WHERE consumer = ?1 AND due_at <= ",
    " ORDER BY due_at LIMIT ?2"
);

const CLAIM: &str = with_now!(
    "UPDATE event_lane SET token = ?3, attempts = attempts + 1, due_at = ",
    " + ?4 WHERE consumer = ?1 AND aggregate = ?2"
);

const READ_EVENTS: &str = "SELECT aggregate, position, kind, at, data FROM event
    WHERE aggregate = ?1 AND position >= ?2 ORDER BY position LIMIT ?3";

const HELD: &str = "SELECT aggregate, position, last, attempts FROM event_lane
    WHERE consumer = ?1 AND token = ?2 AND aggregate = ?3";

const DELETE: &str = "DELETE FROM event_lane WHERE consumer = ?1 AND aggregate = ?2";

const KEEP: &str = with_now!(
    "WITH clock AS (SELECT ",
    " AS now) UPDATE event_lane SET position = ?3, attempts = ?4, token = NULL,
        due_at = clock.now + ?5, error = ?6, dead_id = ?7,
        dead_at = CASE WHEN ?7 IS NOT NULL THEN clock.now END
    FROM clock WHERE consumer = ?1 AND aggregate = ?2"
);

/// What no lane is before any more.
const TIDY: &str = "DELETE FROM event WHERE aggregate = ?1 AND position < coalesce(
    (SELECT min(position) FROM event_lane WHERE aggregate = ?1), 9223372036854775807)";

const DEAD: &str = "SELECT consumer, dead_id, dead_at, attempts, error,
        (SELECT count(*) FROM event AS later WHERE later.aggregate = event_lane.aggregate
            AND later.position > event.position AND later.position <= last) AS waiting,
        event.aggregate, event.position, kind, at, data
    FROM event_lane JOIN event ON event.aggregate = event_lane.aggregate
        AND event.position = (SELECT min(head.position) FROM event AS head
            WHERE head.aggregate = event_lane.aggregate AND head.position >= event_lane.position)
    WHERE dead_at IS NOT NULL AND (dead_at, dead_id) < (?1, ?2)
        AND consumer = coalesce(?3, consumer)
    ORDER BY dead_at DESC, dead_id DESC LIMIT ?4";

const REPLAY: &str = with_now!(
    "UPDATE event_lane SET due_at = ",
    ", attempts = 0, error = NULL, dead_id = NULL, dead_at = NULL WHERE dead_id = ?1"
);

const DEAD_LANE: &str = "SELECT consumer, aggregate, last, (SELECT min(position) FROM event
        WHERE event.aggregate = event_lane.aggregate AND event.position >= event_lane.position)
    FROM event_lane WHERE dead_id = ?1";

const FIGURES: &str = "SELECT name, count(aggregate), count(dead_id)
    FROM event_consumer LEFT JOIN event_lane ON consumer = name GROUP BY name ORDER BY name";

const SWEEP_CONSUMERS: &str = with_now!("DELETE FROM event_consumer WHERE seen_at < ", " - ?1");

const SWEEP_LANES: &str = "DELETE FROM event_lane WHERE (consumer, aggregate) IN (
    SELECT consumer, aggregate FROM event_lane
        WHERE consumer NOT IN (SELECT name FROM event_consumer) LIMIT ?1)";

const SWEEP_EVENTS: &str = "DELETE FROM event WHERE (aggregate, position) IN (
    SELECT aggregate, position FROM event WHERE NOT EXISTS (
        SELECT 1 FROM event_lane WHERE event_lane.aggregate = event.aggregate
            AND event_lane.position <= event.position) LIMIT ?1)";

impl SqliteOutbox {
    pub fn new(sqlite: &Sqlite) -> SqliteOutbox {
        SqliteOutbox { sqlite: sqlite.clone() }
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
        effect: impl AsyncFn(&mut SqliteConnection) -> std::result::Result<(), sqlx::Error>,
    ) -> Result<Handled> {
        const PASS: &str = "UPDATE event_lane SET position = ?3 + 1, attempts = 0
            WHERE consumer = ?1 AND aggregate = ?2 AND position <= ?3 AND dead_id IS NULL";
        let (aggregate, position) = (event.aggregate.to_string(), stored(event.position));
        let run = async |transaction: &mut SqliteConnection| {
            let query = sqlx::query(PASS).bind(consumer).bind(&aggregate).bind(position);
            if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Ok::<_, Fault>(End::Rollback(Handled::Before));
            }
            effect(transaction).await?;
            Ok(End::Commit(Handled::Now))
        };
        self.sqlite.write(run).await
    }
}

/// How many dead letters a file has, for who only looks: beside a running shop, and without
/// bringing its tables up to date.
///
/// # Errors
/// Where it cannot be read.
pub async fn dead_letters_in(file: &Path) -> std::result::Result<u64, SqliteError> {
    const IS_THERE: &str = "SELECT count(*) FROM sqlite_schema WHERE name = 'event_lane'";
    const COUNT: &str = "SELECT count(*) FROM event_lane WHERE dead_id IS NOT NULL";
    let unusable = |error: sqlx::Error| SqliteError::Unusable {
        path: file.to_owned(),
        reason: error.to_string(),
    };
    let connect = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut connection = SqliteConnection::connect_with(&connect).await.map_err(unusable)?;
    let mut count: i64 =
        sqlx::query_scalar(IS_THERE).fetch_one(&mut connection).await.map_err(unusable)?;
    if count > 0 {
        count = sqlx::query_scalar(COUNT).fetch_one(&mut connection).await.map_err(unusable)?;
    }
    connection.close().await.map_err(unusable)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

async fn claim(transaction: &mut SqliteConnection, ask: &ClaimAsk<'_>) -> Change<End<Vec<Lane>>> {
    let lease = i64::try_from(ask.lease.as_millis()).unwrap_or(i64::MAX / 4);
    let query = sqlx::query_as(DUE).bind(ask.consumer).bind(limit(ask.lanes.min(LANES_MAX)));
    let mut claimed: Vec<LaneRow> = query.fetch_all(&mut *transaction).await?;
    let mut events: Vec<EventRow> = Vec::new();
    for (aggregate, position, _, attempts) in &mut claimed {
        *attempts += 1;
        let query = sqlx::query(CLAIM).bind(ask.consumer).bind(&*aggregate);
        let query = query.bind(ask.token.0.to_be_bytes().to_vec()).bind(lease);
        query.execute(&mut *transaction).await?;
        let most = if *attempts > 1 { 1 } else { limit(ask.events.min(LANES_MAX)) };
        let query = sqlx::query_as(READ_EVENTS).bind(&*aggregate).bind(*position).bind(most);
        events.extend(query.fetch_all(&mut *transaction).await?);
    }
    Ok(End::Commit(lanes(claimed, events)?))
}

async fn settle(
    transaction: &mut SqliteConnection,
    consumer: &str,
    token: ClaimToken,
    settled: &[Settled],
) -> Change<End<Vec<Aggregate>>> {
    let mut done = Vec::new();
    for settled in settled {
        let name = settled.aggregate.to_string();
        let query = sqlx::query_as(HELD).bind(consumer).bind(token.0.to_be_bytes().to_vec());
        let held: Option<LaneRow> = query.bind(&name).fetch_optional(&mut *transaction).await?;
        let Some(lane) = held else { continue };
        write_lane(transaction, consumer, &name, after(&lane, settled)).await?;
        done.push(settled.aggregate.clone());
    }
    Ok(if done.is_empty() { End::Rollback(done) } else { End::Commit(done) })
}

/// With the events that nobody has before them any more.
async fn write_lane(
    transaction: &mut SqliteConnection,
    consumer: &str,
    aggregate: &str,
    kept: Option<Kept>,
) -> std::result::Result<(), sqlx::Error> {
    match kept {
        None => {
            let query = sqlx::query(DELETE).bind(consumer).bind(aggregate);
            query.execute(&mut *transaction).await?;
        }
        Some(kept) => {
            let query = sqlx::query(KEEP).bind(consumer).bind(aggregate).bind(kept.position);
            let query = query.bind(kept.attempts).bind(kept.wait).bind(kept.error);
            let query = query.bind(kept.dead_id.map(|id| id.to_vec()));
            query.execute(&mut *transaction).await?;
        }
    }
    sqlx::query(TIDY).bind(aggregate).execute(transaction).await?;
    Ok(())
}

async fn discard(transaction: &mut SqliteConnection, id: DeadLetterId) -> Change<End<bool>> {
    let query = sqlx::query_as(DEAD_LANE).bind(id.0.to_be_bytes().to_vec());
    let found: Option<(String, String, i64, Option<i64>)> =
        query.fetch_optional(&mut *transaction).await?;
    let Some((consumer, aggregate, last, head)) = found else { return Ok(End::Rollback(false)) };
    let kept = Kept {
        aggregate: aggregate.clone(),
        position: head.unwrap_or(last) + 1,
        attempts: 0,
        wait: Some(0),
        error: None,
        dead_id: None,
    };
    let kept = Some(kept).filter(|kept| kept.position <= last);
    write_lane(transaction, &consumer, &aggregate, kept).await?;
    Ok(End::Announce(true))
}

#[async_trait]
impl Outbox for SqliteOutbox {
    async fn register(&self, consumers: &[&str]) -> Result<()> {
        let register = async |transaction: &mut SqliteConnection| {
            for name in consumers {
                sqlx::query(REGISTER).bind(*name).execute(&mut *transaction).await?;
            }
            Ok::<_, Fault>(End::Commit(()))
        };
        self.sqlite.write(register).await
    }

    async fn claim(&self, ask: &ClaimAsk<'_>) -> Result<Vec<Lane>> {
        // Who looks in vain does not take the place of one who writes.
        let is_due: bool = self
            .sqlite
            .read(async |connection| {
                sqlx::query_scalar(IS_DUE).bind(ask.consumer).fetch_one(connection).await
            })
            .await?;
        if !is_due {
            return Ok(Vec::new());
        }
        self.sqlite.write(async |transaction| claim(transaction, ask).await).await
    }

    async fn settle(
        &self,
        consumer: &str,
        token: ClaimToken,
        settled: &[Settled],
    ) -> Result<Vec<Aggregate>> {
        let settle =
            async |transaction: &mut _| settle(transaction, consumer, token, settled).await;
        self.sqlite.write(settle).await
    }

    async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<Vec<DeadLetter>> {
        let (at, id) = query.after.unwrap_or((Timestamp::MAX, DeadLetterId(u128::MAX)));
        let found: Vec<DeadRow> = self
            .sqlite
            .read(async |connection| {
                let rows = sqlx::query_as(DEAD).bind(at.as_millis());
                let rows = rows.bind(id.0.to_be_bytes().to_vec()).bind(&query.consumer);
                rows.bind(limit(query.limit.min(LANES_MAX))).fetch_all(connection).await
            })
            .await?;
        dead_letters(found)
    }

    async fn replay(&self, id: DeadLetterId) -> Result<bool> {
        let replay = async |transaction: &mut SqliteConnection| {
            let query = sqlx::query(REPLAY).bind(id.0.to_be_bytes().to_vec());
            let replayed = query.execute(transaction).await?.rows_affected() == 1;
            Ok::<_, Fault>(End::Announce(replayed))
        };
        self.sqlite.write(replay).await
    }

    async fn discard(&self, id: DeadLetterId) -> Result<bool> {
        self.sqlite.write(async |transaction| discard(transaction, id).await).await
    }

    async fn figures(&self) -> Result<Vec<ConsumerFigures>> {
        let read = async |connection: &mut _| sqlx::query_as(FIGURES).fetch_all(connection).await;
        Ok(self.sqlite.read(read).await?.into_iter().map(figures).collect())
    }

    async fn sweep(&self, unseen: std::time::Duration) -> Result<()> {
        let unseen = i64::try_from(unseen.as_millis()).unwrap_or(i64::MAX / 4);
        let sweep = async |transaction: &mut SqliteConnection| {
            sqlx::query(SWEEP_CONSUMERS).bind(unseen).execute(&mut *transaction).await?;
            sqlx::query(SWEEP_LANES).bind(limit(SWEEP_MAX)).execute(&mut *transaction).await?;
            sqlx::query(SWEEP_EVENTS).bind(limit(SWEEP_MAX)).execute(transaction).await?;
            Ok::<_, Fault>(End::Commit(()))
        };
        self.sqlite.write(sweep).await
    }

    fn written(&self) -> u64 {
        self.sqlite.written().count()
    }

    async fn written_since(&self, seen: u64) -> u64 {
        self.sqlite.written().since(seen).await
    }
}
