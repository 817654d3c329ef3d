//! What becomes of a write when the network or the service fails: what certainly was not written
//! is told so, all else is open until the same write is repeated (R2).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use barrow_adapters::decorators::{Retries, Retrying};
use barrow_adapters::dynamodb::DynamoEntityStore;
use barrow_adapters::host::{SystemEntropy, TokioSleeper};
use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ports::{
    BLOB_BYTES_MAX, CasOutcome, EntityStore, Expected, Row, StoreError, WriteId,
};
use barrow_engine::time::Timestamp;
use bytes::Bytes;

use super::front::{Fate, Front};
use super::{client, in_process, local, with_tables};

pub(super) fn key(id: u128) -> EntityKey {
    EntityKey::new(EntityKind::Probe, id)
}

pub(super) fn row(version: u64, write_id: u128, due: Option<i64>) -> Row {
    let blob = Bytes::from(format!("version {version} by {write_id}"));
    Row { version, write_id: WriteId(write_id), due: due.map(Timestamp), expires: None, blob }
}

pub(super) fn present(row: &Row) -> Expected {
    Expected::Present { version: row.version, write_id: row.write_id }
}

/// A server, a front before it, and a store on the front.
pub(super) async fn behind_a_front(server: &str) -> (Front, Arc<DynamoEntityStore>) {
    with_tables(server).await;
    let front = Front::before(server).await;
    let store = DynamoEntityStore::new(client(&front.endpoint()).await);
    (front, Arc::new(store))
}

#[derive(Debug, PartialEq)]
enum Told {
    Unavailable,
    Throttled,
    OutcomeUnknown,
}

/// One write meets its fate, after a request for it alone; the same write repeated tells how it
/// ended.
async fn check_fate(front: &Front, store: &DynamoEntityStore, id: u128, fate: Fate, told: Told) {
    let row = row(1, id, Some(5));
    front.judge(move |_| fate);
    front.seen();
    let error = store.cas(key(id), Expected::Absent, row.clone()).await.unwrap_err();
    let found = match error {
        StoreError::Unavailable(_) => Told::Unavailable,
        StoreError::Throttled => Told::Throttled,
        StoreError::OutcomeUnknown(_) => Told::OutcomeUnknown,
        other => panic!("{fate:?}: {other}"),
    };
    assert_eq!(found, told, "{fate:?}");
    assert_eq!(front.seen(), ["PutItem"], "{fate:?}: a write is sent once");
    front.judge(|_| Fate::Pass);
    let was_applied = matches!(fate, Fate::ReplyLost | Fate::Silence | Fate::ReplyCut);
    let expected = match was_applied {
        true => CasOutcome::Conflict(Some(row.clone())),
        false => CasOutcome::Written,
    };
    let repeated = store.cas(key(id), Expected::Absent, row.clone()).await;
    assert_eq!(repeated, Ok(expected), "{fate:?}: the repeat tells how the write ended");
    assert_eq!(store.load(key(id)).await, Ok(Some(row)), "{fate:?}");
}

async fn check_fates(server: &str) {
    use Told::{OutcomeUnknown, Throttled, Unavailable};
    let (front, store) = behind_a_front(server).await;
    let fates = [
        (Fate::RequestLost, OutcomeUnknown),
        (Fate::ReplyLost, OutcomeUnknown),
        (Fate::ReplyCut, OutcomeUnknown),
        (Fate::Silence, OutcomeUnknown),
        (Fate::Answered("this is no JSON"), OutcomeUnknown),
        (Fate::Refused(500, "InternalServerError"), OutcomeUnknown),
        (Fate::Refused(503, "ThrottlingException"), OutcomeUnknown),
        (Fate::Refused(502, ""), OutcomeUnknown),
        (Fate::Refused(403, ""), OutcomeUnknown),
        (Fate::Refused(400, "ProvisionedThroughputExceededException"), Throttled),
        (Fate::Refused(400, "RequestLimitExceeded"), Throttled),
        (Fate::Refused(400, "ThrottlingException"), Throttled),
        (Fate::Refused(400, "ValidationException"), Unavailable),
        (Fate::Refused(400, "ResourceNotFoundException"), Unavailable),
        (Fate::Refused(403, "AccessDeniedException"), Unavailable),
    ];
    let unknown = fates.iter().filter(|(_, told)| *told == OutcomeUnknown).count() as u64;
    for (id, (fate, told)) in (1..).zip(fates) {
        check_fate(&front, &store, id, fate, told).await;
    }
    let figures = store.figures();
    assert_eq!((figures.outcomes_unknown, figures.throttled), (unknown, 3));
    assert_eq!(figures.in_flight, 0);
}

#[tokio::test]
async fn fates_in_process() {
    check_fates(&in_process().endpoint()).await;
}

#[tokio::test]
async fn fates_against_dynamodb_local() {
    let Some(server) = local() else { return };
    check_fates(&server.endpoint()).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_has_written_nothing() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let store = DynamoEntityStore::new(client(&format!("http://127.0.0.1:{port}")).await);
    let refused = store.cas(key(1), Expected::Absent, row(1, 1, None)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let refused = store.load(key(1)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

/// A connection that does not come about in time was none.
#[tokio::test]
async fn a_server_that_takes_no_connection_has_written_nothing() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts: once the queue is full, the system leaves callers waiting.
    let mut queue = Vec::new();
    let a_moment = Duration::from_millis(300);
    while let Ok(connected) =
        tokio::time::timeout(a_moment, tokio::net::TcpStream::connect(address)).await
    {
        queue.push(connected.unwrap());
    }
    let store = DynamoEntityStore::new(client(&format!("http://{address}")).await);
    let refused = store.cas(key(1), Expected::Absent, row(1, 1, None)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_throttled_write_is_tried_again_by_who_is_dressed_so() {
    let server = in_process();
    let (front, store) = behind_a_front(&server.endpoint()).await;
    let (entropy, sleeper) = (Arc::new(SystemEntropy), Arc::new(TokioSleeper));
    let dressed = Retrying::new(store.clone(), Retries::default(), entropy, sleeper);
    let mut refusals = 2;
    front.judge(move |_| match refusals {
        0 => Fate::Pass,
        _ => {
            refusals -= 1;
            Fate::Refused(400, "ThrottlingException")
        }
    });
    let written = dressed.cas(key(1), Expected::Absent, row(1, 1, None)).await;
    assert_eq!(written, Ok(CasOutcome::Written));
    assert_eq!(front.seen(), ["PutItem"; 3]);
    let figures = store.figures();
    assert_eq!((figures.write_requests, figures.throttled, figures.written), (3, 2, 1));
}

#[tokio::test]
async fn a_load_is_tried_again_and_changes_nothing() {
    let server = in_process();
    let (front, store) = behind_a_front(&server.endpoint()).await;
    let mut refusals = 2;
    front.judge(move |_| match refusals {
        0 => Fate::Pass,
        _ => {
            refusals -= 1;
            Fate::Refused(500, "InternalServerError")
        }
    });
    assert_eq!(store.load(key(1)).await, Ok(None));
    assert_eq!(front.seen(), ["GetItem"; 3]);
    front.judge(|_| Fate::Refused(500, "InternalServerError"));
    let failed = store.load(key(1)).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    front.judge(|_| Fate::Refused(400, "ThrottlingException"));
    assert_eq!(store.load(key(1)).await, Err(StoreError::Throttled));
}

/// A change costs one request and, below a KB and without a due, one write unit.
async fn check_cost(server: &str) {
    let (front, store) = behind_a_front(server).await;
    let mut before: Option<Row> = None;
    for version in 1..=20 {
        let next = Row { blob: Bytes::from(vec![7; 900]), ..row(version, version.into(), None) };
        let expected = before.as_ref().map_or(Expected::Absent, present);
        let outcome = store.cas(key(1), expected, next.clone()).await;
        assert_eq!(outcome, Ok(CasOutcome::Written));
        before = Some(next);
    }
    assert_eq!(front.seen(), ["PutItem"; 20], "one request for each change");
    let figures = store.figures();
    assert_eq!((figures.write_requests, figures.written, figures.conflicts), (20, 20, 0));
    assert_eq!(figures.write_units, 20.0, "one unit for each change");
    let item_bytes = (1 + 17) + (1 + 2) + (1 + 16) + (1 + 900);
    assert_eq!(figures.item_bytes, 20 * item_bytes);
    let with_due = row(21, 21, Some(1_000));
    let outcome = store.cas(key(1), present(&before.unwrap()), with_due.clone()).await;
    assert_eq!(outcome, Ok(CasOutcome::Written));
    assert_eq!(store.figures().write_units, 22.0, "a new due is a write of the index, too");
    let stale = store.cas(key(1), Expected::Absent, row(1, 99, None)).await;
    assert_eq!(stale, Ok(CasOutcome::Conflict(Some(with_due))));
    assert_eq!(store.figures().conflicts, 1);
}

#[tokio::test]
async fn cost_in_process() {
    check_cost(&in_process().endpoint()).await;
}

#[tokio::test]
async fn cost_against_dynamodb_local() {
    let Some(server) = local() else { return };
    check_cost(&server.endpoint()).await;
}

#[tokio::test]
async fn a_blob_beyond_the_limit_is_not_sent() {
    let server = in_process();
    let (front, store) = behind_a_front(&server.endpoint()).await;
    let large = |bytes| Row { blob: Bytes::from(vec![1; bytes]), ..row(1, 1, Some(i64::MAX)) };
    let refused = store.cas(key(1), Expected::Absent, large(BLOB_BYTES_MAX + 1)).await;
    let (bytes, limit) = (BLOB_BYTES_MAX + 1, BLOB_BYTES_MAX);
    assert_eq!(refused, Err(StoreError::TooLarge { bytes, limit }));
    assert_eq!(front.seen(), [""; 0]);
    let written = store.cas(key(1), Expected::Absent, large(BLOB_BYTES_MAX)).await;
    assert_eq!(written, Ok(CasOutcome::Written), "the largest blob is taken");
}

/// Writes wait for their turn: behind a store that does not answer no more than the limit are
/// on their way.
#[tokio::test]
async fn writes_in_flight_are_bounded() {
    const LIMIT: usize = 8;
    const MORE: usize = 3;
    let server = in_process();
    let (front, _) = behind_a_front(&server.endpoint()).await;
    let store = DynamoEntityStore::bounded(client(&front.endpoint()).await, LIMIT);
    let store = Arc::new(store);
    let mut held = LIMIT;
    front.judge(move |_| {
        let fate = if held > 0 { Fate::Held } else { Fate::Pass };
        held = held.saturating_sub(1);
        fate
    });
    let started = Arc::new(AtomicUsize::new(0));
    let writes: Vec<_> = (0..LIMIT + MORE)
        .map(|id| {
            let (store, started) = (store.clone(), started.clone());
            tokio::spawn(async move {
                started.fetch_add(1, Ordering::Relaxed);
                store.cas(key(id as u128), Expected::Absent, row(1, id as u128, None)).await
            })
        })
        .collect();
    front.until_waiting(LIMIT).await;
    assert_eq!(started.load(Ordering::Relaxed), LIMIT + MORE);
    let figures = store.figures();
    assert_eq!((figures.in_flight, figures.write_requests), (LIMIT as u64, LIMIT as u64));
    (0..LIMIT).for_each(|_| front.release());
    for write in writes {
        assert_eq!(write.await.unwrap(), Ok(CasOutcome::Written));
    }
    assert_eq!(store.figures().in_flight, 0);
}

/// Rows that are there, each with a write that follows; the request of the first is held until
/// the others wait behind it.
async fn check_crowd(server: &str) {
    const OTHERS: u128 = 30;
    let (front, _) = behind_a_front(server).await;
    let store = Arc::new(DynamoEntityStore::bounded(client(&front.endpoint()).await, 1));
    let due = |id: u128, flip: bool| (id.is_multiple_of(2) == flip).then_some(id as i64 - 10);
    let rows: Vec<Row> = (0..=OTHERS).map(|id| row(1, id, due(id, true))).collect();
    for (row, id) in rows.iter().zip(0..) {
        let written = store.cas(key(id), Expected::Absent, row.clone()).await;
        assert_eq!(written, Ok(CasOutcome::Written));
    }
    let write = |id: u128, expected: Expected, next: Row| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.cas(key(id), expected, next).await })
    };
    for fate in [Fate::Pass, Fate::ReplyLost, Fate::Refused(400, "ThrottlingException")] {
        let version = store.load(key(1)).await.unwrap().unwrap().version;
        let held = front.waiting();
        front.judge(move |operation| match operation {
            "PutItem" => Fate::Held,
            "BatchExecuteStatement" => fate,
            _ => Fate::Pass,
        });
        front.seen();
        let first = store.load(key(0)).await.unwrap().unwrap();
        let next = row(first.version + 1, 1_000 + u128::from(version), None);
        let first = write(0, present(&first), next);
        front.until_waiting(held + 1).await;
        let next = |id: u128| row(version + 1, id + 10_000, due(id, version % 2 == 0));
        let expected = |id: u128| {
            let write_id = WriteId(if version == 1 { id } else { id + 10_000 });
            Expected::Present { version, write_id }
        };
        let others: Vec<_> = (1..=OTHERS).map(|id| write(id, expected(id), next(id))).collect();
        // Two that are refused: for the row's version, and because there is no row.
        let stale = Expected::Present { version: 99, write_id: WriteId(1) };
        let refused = [write(1, stale, row(100, 1, None)), write(999, stale, row(100, 1, None))];
        tokio::task::yield_now().await;
        front.release();
        assert_eq!(first.await.unwrap(), Ok(CasOutcome::Written));
        let outcomes = futures::future::join_all(others).await;
        let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
        let refused = futures::future::join_all(refused).await;
        let requests = front.seen().into_iter().filter(|one| *one != "GetItem").count();
        assert!(requests <= 4, "they share requests: {requests}");
        front.judge(|_| Fate::Pass);
        for (outcome, id) in outcomes.into_iter().zip(1..) {
            let is_right = match fate {
                Fate::Pass => outcome == Ok(CasOutcome::Written),
                Fate::ReplyLost => matches!(outcome, Err(StoreError::OutcomeUnknown(_))),
                _ => outcome == Err(StoreError::Throttled),
            };
            assert!(is_right, "{fate:?}: {outcome:?}");
            let repeated = store.cas(key(id), expected(id), next(id)).await.unwrap();
            let found = CasOutcome::Conflict(Some(next(id)));
            let was_applied = !matches!(fate, Fate::Refused(..));
            assert_eq!(repeated, if was_applied { found } else { CasOutcome::Written });
            assert_eq!(store.load(key(id)).await, Ok(Some(next(id))), "{fate:?}");
        }
        if fate == Fate::Pass {
            let refused: Vec<_> = refused.into_iter().map(Result::unwrap).collect();
            let shown = [Some(rows[1].clone()), Some(next(1))].map(|r| Ok(CasOutcome::Conflict(r)));
            assert!(shown.contains(&refused[0]), "the row that was found: {:?}", refused[0]);
            assert_eq!(refused[1], Ok(CasOutcome::Conflict(None)));
        }
    }
}

#[tokio::test]
async fn crowd_in_process() {
    check_crowd(&in_process().endpoint()).await;
}

#[tokio::test]
async fn crowd_against_dynamodb_local() {
    let Some(server) = local() else { return };
    check_crowd(&server.endpoint()).await;
}
