//! Events and the lanes of their consumers.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::catalog::Sku;
use barrow_engine::events::{Aggregate, Event, Position, stock_aggregate, stock_data};
use barrow_engine::ids::DeadLetterId;
use barrow_engine::inventory::StockNews;
use barrow_engine::ports::{
    ClaimAsk, ClaimToken, CommerceError, ConsumerFigures, DeadLetter, DeadLetterQuery, LANES_MAX,
    Lane, Outbox, Settled,
};
use barrow_engine::time::Timestamp;

use super::{SimulatedCommerce, Tables};
use crate::commerce::End;
use crate::commerce::events::{Kept, LaneRow, SWEEP_MAX, after, stored};

type Result<T> = std::result::Result<T, CommerceError>;

/// What there is to tell, and to whom.
#[derive(Clone, Default)]
pub(super) struct Outgoing {
    /// By name, with when somebody last asked on their behalf.
    consumers: Arc<BTreeMap<String, Timestamp>>,
    events: Arc<BTreeMap<(Aggregate, i64), Event>>,
    /// By consumer.
    lanes: Arc<BTreeMap<(String, Aggregate), LaneState>>,
    /// How often there was news of a SKU.
    news: Arc<BTreeMap<Sku, u64>>,
}

#[derive(Clone)]
struct LaneState {
    position: i64,
    last: i64,
    attempts: i32,
    /// None for the dead.
    due_at: Option<Timestamp>,
    token: Option<ClaimToken>,
    error: Option<String>,
    dead: Option<(Timestamp, DeadLetterId)>,
}

impl LaneState {
    fn row(&self, aggregate: &Aggregate) -> LaneRow {
        (aggregate.to_string(), self.position, self.last, self.attempts)
    }
}

impl Outgoing {
    pub fn tell(&mut self, events: impl Iterator<Item = Event>, now: Timestamp) {
        if self.consumers.is_empty() {
            return;
        }
        for event in events {
            let position = stored(event.position);
            for consumer in self.consumers.keys() {
                let key = (consumer.clone(), event.aggregate.clone());
                let new = LaneState {
                    position,
                    last: position,
                    attempts: 0,
                    due_at: Some(now),
                    token: None,
                    error: None,
                    dead: None,
                };
                Arc::make_mut(&mut self.lanes).entry(key).or_insert(new).last = position;
            }
            let key = (event.aggregate.clone(), position);
            Arc::make_mut(&mut self.events).insert(key, event);
        }
    }

    pub fn tell_stock(&mut self, news: &[StockNews], now: Timestamp) {
        if self.consumers.is_empty() {
            return;
        }
        let told = news.iter().filter_map(|it| {
            let version = Arc::make_mut(&mut self.news).entry(it.sku.clone()).or_default();
            *version += 1;
            Some(Event {
                kind: it.kind,
                aggregate: stock_aggregate(&it.sku),
                position: Position::new(*version, 0)?,
                at: now,
                data: stock_data(it),
            })
        });
        let told: Vec<Event> = told.collect();
        self.tell(told.into_iter(), now);
    }

    /// The events of a lane from its position on, as far as it goes.
    fn of<'a>(
        &'a self,
        aggregate: &Aggregate,
        lane: &LaneState,
    ) -> impl Iterator<Item = &'a Event> {
        let (first, last) = ((aggregate.clone(), lane.position), (aggregate.clone(), lane.last));
        let range = if first > last { None } else { Some(self.events.range(first..=last)) };
        range.into_iter().flatten().map(|(_, event)| event)
    }

    fn claim(&mut self, ask: &ClaimAsk<'_>, now: Timestamp) -> Vec<Lane> {
        let own = self.lanes.iter().filter(|((consumer, _), _)| consumer == ask.consumer);
        let due = own.filter_map(|(key, lane)| Some((lane.due_at?, key.clone())));
        let mut due: Vec<_> = due.filter(|(at, _)| *at <= now).collect();
        due.sort_by_key(|(at, _)| *at);
        due.truncate(ask.lanes.min(LANES_MAX));
        let mut claimed = Vec::new();
        for (_, key) in due {
            let Some(lane) = Arc::make_mut(&mut self.lanes).get_mut(&key) else { continue };
            lane.attempts += 1;
            lane.token = Some(ask.token);
            lane.due_at = Some(now.plus(ask.lease));
            let lane = lane.clone();
            let most = if lane.attempts > 1 { 1 } else { ask.events.min(LANES_MAX) };
            claimed.push(Lane {
                events: self.of(&key.1, &lane).take(most).cloned().collect(),
                attempts: u32::try_from(lane.attempts).unwrap_or(0),
                aggregate: key.1,
            });
        }
        claimed
    }

    /// With the events that nobody has before them any more.
    fn write(&mut self, key: (String, Aggregate), kept: Option<Kept>, now: Timestamp) {
        let lanes = Arc::make_mut(&mut self.lanes);
        match (kept, lanes.get_mut(&key)) {
            (None, _) => drop(lanes.remove(&key)),
            (Some(kept), Some(lane)) => {
                let wait = |millis: i64| now.plus(Duration::from_millis(millis.unsigned_abs()));
                *lane = LaneState {
                    position: kept.position,
                    last: lane.last,
                    attempts: kept.attempts,
                    due_at: kept.wait.map(wait),
                    token: None,
                    error: kept.error,
                    dead: kept.dead_id.map(|id| (now, DeadLetterId(u128::from_be_bytes(id)))),
                };
            }
            (Some(_), None) => {}
        }
        self.tidy(Some(&key.1));
    }

    /// Removes events that all lanes of their aggregate are behind, of one or of all.
    fn tidy(&mut self, of: Option<&Aggregate>) {
        let mut first: BTreeMap<&Aggregate, i64> = BTreeMap::new();
        for ((_, aggregate), lane) in self.lanes.iter() {
            let first = first.entry(aggregate).or_insert(i64::MAX);
            *first = lane.position.min(*first);
        }
        let is_over = |(aggregate, position): &(Aggregate, i64)| {
            of.is_none_or(|of| of == aggregate)
                && first.get(aggregate).is_none_or(|first| position < first)
        };
        let over: Vec<_> = self.events.keys().filter(|key| is_over(key)).cloned().collect();
        for key in over.iter().take(SWEEP_MAX) {
            Arc::make_mut(&mut self.events).remove(key);
        }
    }

    fn dead(&self) -> impl Iterator<Item = (&(String, Aggregate), &LaneState, DeadLetterId)> {
        let lanes = self.lanes.iter();
        lanes.filter_map(|(key, lane)| Some((key, lane, lane.dead?.1)))
    }

    fn dead_key(&self, id: DeadLetterId) -> Option<(String, Aggregate)> {
        self.dead().find(|(_, _, own)| *own == id).map(|(key, ..)| key.clone())
    }

    fn letters(&self, query: &DeadLetterQuery) -> Vec<DeadLetter> {
        let mut letters = Vec::new();
        for ((consumer, aggregate), lane, id) in self.dead() {
            let mut events = self.of(aggregate, lane);
            let (Some((at, _)), Some(event)) = (lane.dead, events.next()) else { continue };
            let is_asked = query.consumer.as_ref().is_none_or(|asked| asked == consumer);
            if is_asked && query.after.is_none_or(|after| (at, id) < after) {
                letters.push(DeadLetter {
                    id,
                    consumer: consumer.clone(),
                    event: event.clone(),
                    attempts: u32::try_from(lane.attempts).unwrap_or(0),
                    error: lane.error.clone().unwrap_or_default(),
                    at,
                    waiting: events.count() as u64,
                });
            }
        }
        letters.sort_by_key(|letter| Reverse((letter.at, letter.id)));
        letters.truncate(query.limit.min(LANES_MAX));
        letters
    }
}

#[async_trait]
impl Outbox for SimulatedCommerce {
    async fn register(&self, consumers: &[&str]) -> Result<()> {
        self.write(async |tables: &mut Tables| {
            for name in consumers {
                let known = Arc::make_mut(&mut tables.outgoing.consumers);
                known.insert((*name).to_owned(), tables.now);
            }
            Ok(End::Commit(()))
        })
    }

    async fn claim(&self, ask: &ClaimAsk<'_>) -> Result<Vec<Lane>> {
        self.write(async |tables: &mut Tables| {
            let claimed = tables.outgoing.claim(ask, tables.now);
            Ok(if claimed.is_empty() { End::Rollback(claimed) } else { End::Commit(claimed) })
        })
    }

    async fn settle(
        &self,
        consumer: &str,
        token: ClaimToken,
        settled: &[Settled],
    ) -> Result<Vec<Aggregate>> {
        self.write(async |tables: &mut Tables| {
            let mut done = Vec::new();
            for settled in settled {
                let key = (consumer.to_owned(), settled.aggregate.clone());
                let held = tables.outgoing.lanes.get(&key);
                let Some(lane) = held.filter(|lane| lane.token == Some(token)) else { continue };
                let kept = after(&lane.row(&key.1), settled);
                tables.outgoing.write(key, kept, tables.now);
                done.push(settled.aggregate.clone());
            }
            Ok(if done.is_empty() { End::Rollback(done) } else { End::Commit(done) })
        })
    }

    async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<Vec<DeadLetter>> {
        Ok(self.tables().outgoing.letters(query))
    }

    async fn replay(&self, id: DeadLetterId) -> Result<bool> {
        self.write(async |tables: &mut Tables| {
            let Some(key) = tables.outgoing.dead_key(id) else { return Ok(End::Rollback(false)) };
            if let Some(lane) = Arc::make_mut(&mut tables.outgoing.lanes).get_mut(&key) {
                (lane.due_at, lane.attempts) = (Some(tables.now), 0);
                (lane.error, lane.dead) = (None, None);
            }
            Ok(End::Announce(true))
        })
    }

    async fn discard(&self, id: DeadLetterId) -> Result<bool> {
        self.write(async |tables: &mut Tables| {
            let outgoing = &mut tables.outgoing;
            let Some(key) = outgoing.dead_key(id) else { return Ok(End::Rollback(false)) };
            let lane = outgoing.lanes[&key].clone();
            let head = outgoing.of(&key.1, &lane).next();
            let kept = Kept {
                aggregate: key.1.to_string(),
                position: head.map_or(lane.last, |head| stored(head.position)) + 1,
                attempts: 0,
                wait: Some(0),
                error: None,
                dead_id: None,
            };
            let kept = Some(kept).filter(|kept| kept.position <= lane.last);
            outgoing.write(key, kept, tables.now);
            Ok(End::Announce(true))
        })
    }

    async fn figures(&self) -> Result<Vec<ConsumerFigures>> {
        let outgoing = self.tables().outgoing;
        let figures = outgoing.consumers.keys().map(|consumer| {
            let own = || outgoing.lanes.iter().filter(|((of, _), _)| of == consumer);
            ConsumerFigures {
                consumer: consumer.clone(),
                lanes: own().count() as u64,
                dead_letters: own().filter(|(_, lane)| lane.dead.is_some()).count() as u64,
            }
        });
        Ok(figures.collect())
    }

    async fn sweep(&self, unseen: Duration) -> Result<()> {
        self.write(async |tables: &mut Tables| {
            let (outgoing, before) = (&mut tables.outgoing, tables.now.minus(unseen));
            Arc::make_mut(&mut outgoing.consumers).retain(|_, seen_at| *seen_at >= before);
            let consumers = outgoing.consumers.clone();
            let lanes = Arc::make_mut(&mut outgoing.lanes);
            lanes.retain(|(consumer, _), _| consumers.contains_key(consumer));
            outgoing.tidy(None);
            Ok(End::Commit(()))
        })
    }

    fn written(&self) -> u64 {
        self.written.count()
    }

    async fn written_since(&self, seen: u64) -> u64 {
        self.written.since(seen).await
    }
}
