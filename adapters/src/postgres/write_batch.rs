//! Writes of entities that share a statement, and so a commit.
//!
//! While a few statements are under way, the writes that come meanwhile wait in one queue; each
//! worker that is free takes what is there as one statement. Under load a statement carries
//! hundreds, alone it carries one and waits for nobody.

use std::collections::HashSet;
use std::sync::Arc;

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::{CasOutcome, CasReply, CasResult, Expected, Row, StoreError, WriteId};
use barrow_engine::time::Timestamp;
use bytes::Bytes;
use sqlx::postgres::PgConnection;
use tokio::sync::{Mutex, mpsc};

use super::primary::Postgres;

/// Writes that wait at most; one more is refused for load.
const QUEUE_MAX: usize = 8_192;

/// Statements under way at once. While one waits for the disk another is made ready; more only
/// split what could be one commit. Of 2, 4 and 8 none was faster beyond the noise; each more
/// splits the batches and costs processor time: 64 writers took 6.0, 6.8 and 9.3 us a write.
const WORKERS: usize = 4;

/// Writes in one statement at most.
const BATCH_MAX: usize = 256;

/// One compare-and-set.
pub(super) struct Write {
    pub key: EntityKey,
    pub expected: Expected,
    pub row: Row,
}

/// A write and who waits for its outcome.
type Queued = (Write, CasReply);

/// The queue of writes. The workers end when it is dropped.
pub(super) struct WriteQueue {
    sender: mpsc::Sender<Queued>,
}

impl WriteQueue {
    pub fn start(postgres: &Postgres) -> WriteQueue {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..WORKERS {
            tokio::spawn(work(postgres.clone(), Arc::clone(&receiver)));
        }
        WriteQueue { sender }
    }

    pub fn push(&self, write: Write, reply: CasReply) {
        if let Err(refused) = self.sender.try_send((write, reply)) {
            let (_, reply) = refused.into_inner();
            reply.send(Err(StoreError::Throttled));
        }
    }
}

async fn work(postgres: Postgres, queue: Arc<Mutex<mpsc::Receiver<Queued>>>) {
    loop {
        let mut batch = Vec::new();
        if queue.lock().await.recv_many(&mut batch, BATCH_MAX).await == 0 {
            return;
        }
        // A statement changes a row once. Two writes of one entity are rare: a repeat, or two
        // owners where one does not know yet that it is none.
        while !batch.is_empty() {
            let mut keys = HashSet::new();
            let (now, later) = batch.into_iter().partition(|(write, _)| keys.insert(write.key));
            write_all(&postgres, now).await;
            batch = later;
        }
    }
}

async fn write_all(postgres: &Postgres, mut batch: Vec<Queued>) {
    // Two statements that lock the same rows do it in the same order.
    batch.sort_unstable_by_key(|(write, _)| write.key);
    let (writes, replies): (Vec<Write>, Vec<CasReply>) = batch.into_iter().unzip();
    for (reply, outcome) in replies.into_iter().zip(outcomes(postgres, &writes).await) {
        reply.send(outcome);
    }
}

/// The outcome of each write, in their order.
async fn outcomes(postgres: &Postgres, writes: &[Write]) -> Vec<CasResult> {
    let of_all = |error: StoreError| writes.iter().map(|_| Err(error.clone())).collect();
    let columns = Columns::of(writes);
    let written = postgres.call(async |connection| columns.execute(connection).await).await;
    let written: HashSet<EntityKey> = match written {
        Ok(keys) => keys.iter().filter_map(|key| EntityKey::from_bytes(key)).collect(),
        Err(error) => return of_all(error.of_write()),
    };
    let refused: Vec<EntityKey> =
        writes.iter().map(|write| write.key).filter(|key| !written.contains(key)).collect();
    let found = match refused.is_empty() {
        true => Ok(Vec::new()),
        // By a statement of its own: the first one sees the rows as they were when it began, and
        // not what it then waited for.
        false => read_rows(postgres, &refused).await,
    };
    let outcome = |write: &Write| match &found {
        _ if written.contains(&write.key) => Ok(CasOutcome::Written),
        // Certainly not written, but there is nothing to show for it.
        Err(error) => Err(error.clone()),
        Ok(found) => {
            let row = found.iter().find(|(key, _)| *key == write.key).map(|(_, row)| row);
            row.cloned().transpose().map(CasOutcome::Conflict)
        }
    };
    writes.iter().map(outcome).collect()
}

/// The writes, turned into an array for each column.
struct Columns<'a> {
    keys: Vec<[u8; EntityKey::LEN]>,
    shards: Vec<i16>,
    /// `None` where no row is expected.
    expected_versions: Vec<Option<i64>>,
    expected_write_ids: Vec<Option<[u8; 16]>>,
    versions: Vec<i64>,
    write_ids: Vec<[u8; 16]>,
    dues: Vec<Option<i64>>,
    blobs: Vec<&'a [u8]>,
}

const WRITE: &str = "WITH wanted AS (
    SELECT * FROM unnest($1::bytea[], $2::int2[], $3::int8[], $4::bytea[],
            $5::int8[], $6::bytea[], $7::int8[], $8::bytea[])
        AS wanted (key, shard, expected_version, expected_write_id, version, write_id, due, blob)
), updated AS (
    UPDATE entity SET version = wanted.version, write_id = wanted.write_id, due = wanted.due,
            blob = wanted.blob
        FROM wanted WHERE entity.key = wanted.key
            AND entity.version = wanted.expected_version
            AND entity.write_id = wanted.expected_write_id
        RETURNING entity.key
), inserted AS (
    INSERT INTO entity (key, shard, version, write_id, due, blob)
        SELECT key, shard, version, write_id, due, blob FROM wanted
            WHERE expected_version IS NULL
        ON CONFLICT (key) DO NOTHING RETURNING key
) SELECT key FROM updated UNION ALL SELECT key FROM inserted";

impl Columns<'_> {
    fn of(writes: &[Write]) -> Columns<'_> {
        let expected = |write: &Write| match write.expected {
            Expected::Absent => None,
            Expected::Present { version, write_id } => {
                Some((version as i64, write_id.0.to_be_bytes()))
            }
        };
        let rows = || writes.iter().map(|write| &write.row);
        Columns {
            keys: writes.iter().map(|write| write.key.to_bytes()).collect(),
            shards: writes.iter().map(|write| write.key.shard().index() as i16).collect(),
            expected_versions: writes.iter().map(|w| expected(w).map(|(v, _)| v)).collect(),
            expected_write_ids: writes.iter().map(|w| expected(w).map(|(_, id)| id)).collect(),
            versions: rows().map(|row| row.version as i64).collect(),
            write_ids: rows().map(|row| row.write_id.0.to_be_bytes()).collect(),
            dues: rows().map(|row| row.due.map(Timestamp::as_millis)).collect(),
            blobs: rows().map(|row| &row.blob[..]).collect(),
        }
    }

    /// The keys that were written. All rows are read to the end: only then has it committed.
    async fn execute(&self, connection: &mut PgConnection) -> Result<Vec<Vec<u8>>, sqlx::Error> {
        let query = sqlx::query_scalar(WRITE).bind(&self.keys[..]).bind(&self.shards[..]);
        let query = query.bind(&self.expected_versions[..]).bind(&self.expected_write_ids[..]);
        let query = query.bind(&self.versions[..]).bind(&self.write_ids[..]);
        query.bind(&self.dues[..]).bind(&self.blobs[..]).fetch_all(connection).await
    }
}

const READ: &str = "SELECT key, version, write_id, due, blob FROM entity WHERE key = ANY($1)";

type StoredRow = (Vec<u8>, i64, Vec<u8>, Option<i64>, Vec<u8>);

/// The rows that are there, each as far as it can be read.
pub(super) async fn read_rows(
    postgres: &Postgres,
    keys: &[EntityKey],
) -> Result<Vec<(EntityKey, Result<Row, StoreError>)>, StoreError> {
    let keys: Vec<_> = keys.iter().map(|key| key.to_bytes()).collect();
    let rows: Result<Vec<StoredRow>, _> = postgres
        .call(async |connection| sqlx::query_as(READ).bind(&keys[..]).fetch_all(connection).await)
        .await;
    let rows = rows.map_err(|error| error.of_read())?;
    let read = |(key, version, write_id, due, blob): StoredRow| {
        let key = EntityKey::from_bytes(&key)?;
        Some((key, decode(version, &write_id, due, blob)))
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

fn decode(
    version: i64,
    write_id: &[u8],
    due: Option<i64>,
    blob: Vec<u8>,
) -> Result<Row, StoreError> {
    let damaged = |what: &str| StoreError::Damaged(what.to_owned());
    let write_id = write_id.try_into().map_err(|_| damaged("its write id is cut short"))?;
    Ok(Row {
        version: u64::try_from(version).map_err(|_| damaged("its version is negative"))?,
        write_id: WriteId(u128::from_be_bytes(write_id)),
        due: due.map(Timestamp::from_millis),
        expires: None,
        blob: Bytes::from(blob),
    })
}
