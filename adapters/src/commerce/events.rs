//! Events and lanes as they are stored, and what becomes of a lane that was settled.

use barrow_engine::events::{Event, Position};
use barrow_engine::ids::DeadLetterId;
use barrow_engine::ports::{
    CommerceError, ConsumerFigures, DELIVERY_ERROR_CHARS_MAX, DeadLetter, Lane, Settled, Then,
};
use barrow_engine::time::Timestamp;
use tokio::sync::watch;

use super::rows::{Damage, id};

/// How much one call of a sweep removes of each kind.
pub(crate) const SWEEP_MAX: usize = 10_000;

/// Aggregate, position, kind, at, data.
pub(crate) type EventRow = (String, i64, String, i64, String);

/// Aggregate, position, last, attempts.
pub(crate) type LaneRow = (String, i64, i64, i32);

/// Consumer, id, at, attempts, error, waiting; the event.
#[derive(sqlx::FromRow)]
pub(crate) struct DeadRow {
    pub consumer: String,
    pub dead_id: Vec<u8>,
    pub dead_at: i64,
    pub attempts: i32,
    pub error: Option<String>,
    pub waiting: i64,
    pub aggregate: String,
    pub position: i64,
    pub kind: String,
    pub at: i64,
    pub data: String,
}

pub(crate) fn event((aggregate, position, kind, at, data): EventRow) -> Result<Event, Damage> {
    let unknown = |what: &str| Damage(format!("an event of unknown {what}"));
    Ok(Event {
        kind: kind.parse().map_err(|_| unknown(&format!("kind {kind}")))?,
        aggregate: aggregate.parse().map_err(|_| unknown(&format!("aggregate {aggregate}")))?,
        position: Position(u64::try_from(position).map_err(|_| unknown("position"))?),
        at: Timestamp::from_millis(at),
        data: serde_json::from_str(&data).map_err(|error| Damage(format!("an event: {error}")))?,
    })
}

/// A position as databases take it: it is less than 2^63.
pub(crate) fn stored(position: Position) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

/// Lanes with their events, of which there are any number, sorted by lane and position.
pub(crate) fn lanes(claimed: Vec<LaneRow>, events: Vec<EventRow>) -> Result<Vec<Lane>, Damage> {
    let mut events = events.into_iter().peekable();
    let mut lanes = Vec::with_capacity(claimed.len());
    for (aggregate, _, _, attempts) in claimed {
        let mut own = Vec::new();
        while let Some(row) = events.next_if(|row| row.0 == aggregate) {
            own.push(event(row)?);
        }
        let aggregate = aggregate.parse();
        lanes.push(Lane {
            aggregate: aggregate.map_err(|_| Damage("a lane of no aggregate".to_owned()))?,
            attempts: u32::try_from(attempts).unwrap_or(0),
            events: own,
        });
    }
    Ok(lanes)
}

pub(crate) fn dead_letter(row: DeadRow) -> Result<DeadLetter, Damage> {
    Ok(DeadLetter {
        id: DeadLetterId(id(&row.dead_id)?),
        consumer: row.consumer,
        event: event((row.aggregate, row.position, row.kind, row.at, row.data))?,
        attempts: u32::try_from(row.attempts).unwrap_or(0),
        error: row.error.unwrap_or_default(),
        at: Timestamp::from_millis(row.dead_at),
        waiting: u64::try_from(row.waiting).unwrap_or(0),
    })
}

pub(crate) fn dead_letters(rows: Vec<DeadRow>) -> Result<Vec<DeadLetter>, CommerceError> {
    Ok(rows.into_iter().map(dead_letter).collect::<Result<_, _>>()?)
}

/// Of a name, its lanes and its dead letters.
pub(crate) fn figures((consumer, lanes, dead): (String, i64, i64)) -> ConsumerFigures {
    let count = |rows: i64| u64::try_from(rows).unwrap_or(0);
    ConsumerFigures { consumer, lanes: count(lanes), dead_letters: count(dead) }
}

/// A lane that is kept, as it is to be written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub aggregate: String,
    pub position: i64,
    pub attempts: i32,
    /// Milliseconds until its turn; none for the dead.
    pub wait: Option<i64>,
    pub error: Option<String>,
    pub dead_id: Option<[u8; 16]>,
}

/// What a settled lane becomes; `None` where all was handled.
pub(crate) fn after(lane: &LaneRow, settled: &Settled) -> Option<Kept> {
    let (aggregate, from, last, attempts) = lane;
    let handled = settled.handled.map_or(*from, |it| stored(it.next()));
    let position = handled.max(*from);
    // Something may have been handled that its consumer believes to have failed.
    if position > *last {
        return None;
    }
    let has_moved = position > *from;
    let cut = |error: &str| Some(error.chars().take(DELIVERY_ERROR_CHARS_MAX).collect());
    let (wait, error, dead_id) = match &settled.then {
        Then::Next => (Some(0), None, None),
        Then::Retry { after, error } => {
            (Some(i64::try_from(after.as_millis()).unwrap_or(i64::MAX / 4)), cut(error), None)
        }
        Then::Bury { id, error } => (None, cut(error), Some(id.0.to_be_bytes())),
    };
    let attempts = match (&settled.then, has_moved) {
        (Then::Next, true) => 0,
        // It was not tried.
        (Then::Next, false) => (attempts - 1).max(0),
        (Then::Retry { .. } | Then::Bury { .. }, true) => 1,
        (Then::Retry { .. } | Then::Bury { .. }, false) => *attempts,
    };
    Some(Kept { aggregate: aggregate.clone(), position, attempts, wait, error, dead_id })
}

/// Counts what this process has written, for those who wait for it.
#[derive(Debug)]
pub(crate) struct Written(watch::Sender<u64>);

impl Default for Written {
    fn default() -> Written {
        Written(watch::Sender::new(0))
    }
}

impl Written {
    pub fn bump(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    pub fn count(&self) -> u64 {
        *self.0.borrow()
    }

    pub async fn since(&self, seen: u64) -> u64 {
        let mut watching = self.0.subscribe();
        match watching.wait_for(|count| *count > seen).await {
            Ok(count) => *count,
            Err(_) => unreachable!("the sender lives as long as this"),
        }
    }
}

/// How an effect in the same database ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    Now,
    /// It was handled before, or is no longer this one's to handle; nothing was done.
    Before,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_a_lane_becomes() {
        let lane = || ("sku/A".to_owned(), 10, 20, 3);
        let check =
            |handled: Option<u64>, then: Then, expected: Option<(i64, i32, Option<i64>)>| {
                let handled = handled.map(Position);
                let settled = Settled { aggregate: "sku/A".parse().unwrap(), handled, then };
                let found = after(&lane(), &settled);
                assert_eq!(
                    found.map(|it| (it.position, it.attempts, it.wait)),
                    expected,
                    "{settled:?}"
                );
            };
        let retry = || Then::Retry { after: Duration::from_secs(2), error: "no".into() };
        let bury = || Then::Bury { id: DeadLetterId(1), error: "no".into() };
        check(Some(20), Then::Next, None);
        check(Some(20), retry(), None);
        check(Some(12), Then::Next, Some((13, 0, Some(0))));
        check(None, Then::Next, Some((10, 2, Some(0))));
        check(Some(5), Then::Next, Some((10, 2, Some(0))));
        check(None, retry(), Some((10, 3, Some(2_000))));
        check(Some(12), retry(), Some((13, 1, Some(2_000))));
        check(None, bury(), Some((10, 3, None)));
    }
}
