//! What the house works with: one API key, and somebody who listens to what happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_actors::deliveries::{Consumer, ConsumerError, DeliverySettings};
use barrow_api::auth::KeySecret;
use barrow_engine::access::{ApiKey, ApiKeyDraft, KeyHash, Scope};
use barrow_engine::events::{Aggregate, Event, EventKind, Position, order_events};
use barrow_engine::ids::ApiKeyId;
use barrow_engine::orders::Order;
use barrow_engine::ports::{ApiKeyStore, CommerceError, Entropy, KeyMade};
use barrow_engine::time::Timestamp;
use parking_lot::Mutex;

use crate::host::SeededEntropy;
use crate::simulation::history::History;

/// Of a hundred events, so many are not handled when they are told.
const FAILS: u64 = 5;

/// A key that may do everything, and was always there.
pub struct OneKey {
    pub secret: String,
    hash: KeyHash,
    key: ApiKey,
}

impl OneKey {
    pub fn new(dice: &SeededEntropy) -> OneKey {
        let secret = KeySecret::draw(dice);
        let draft = ApiKeyDraft {
            id: ApiKeyId(dice.next_u128()),
            hash: secret.hash(),
            name: "clerk".to_owned(),
            scopes: [Scope::Everything].into_iter().collect(),
            created_at: Timestamp(0),
            expires_at: None,
        };
        OneKey { secret: secret.expose(), hash: secret.hash(), key: ApiKey::new(&draft) }
    }
}

#[async_trait]
impl ApiKeyStore for OneKey {
    async fn create(&self, _: &ApiKeyDraft) -> Result<KeyMade, CommerceError> {
        Ok(KeyMade::Full)
    }

    async fn unrevoked(&self) -> Result<Vec<(KeyHash, ApiKey)>, CommerceError> {
        Ok(vec![(self.hash, self.key.clone())])
    }

    async fn list(
        &self,
        _: Option<(Timestamp, ApiKeyId)>,
        _: usize,
    ) -> Result<Vec<ApiKey>, CommerceError> {
        Ok(vec![self.key.clone()])
    }

    async fn revoke(&self, _: ApiKeyId, _: Timestamp) -> Result<Option<ApiKey>, CommerceError> {
        Ok(None)
    }

    async fn touch(&self, _: &[(ApiKeyId, Timestamp)]) -> Result<(), CommerceError> {
        Ok(())
    }
}

/// A lease is short, so that what a crashed node had is told again before the run ends.
pub fn deliveries() -> DeliverySettings {
    let (lease, handle_max) = (Duration::from_secs(10), Duration::from_secs(3));
    DeliverySettings { lease, handle_max, ..DeliverySettings::default() }
}

/// Hears of everything, on whatever node, and fails now and then. What it heard is beyond the
/// nodes.
pub struct Listener {
    dice: SeededEntropy,
    heard: Mutex<BTreeMap<Aggregate, BTreeMap<Position, EventKind>>>,
    history: Arc<History>,
}

impl Listener {
    pub fn new(seed: u64, history: Arc<History>) -> Listener {
        Listener { dice: SeededEntropy::new(seed), heard: Mutex::default(), history }
    }

    /// Whether all that happened to these orders was told.
    pub fn check(&self, orders: &[Order]) {
        let heard = self.heard.lock();
        let mut known = BTreeSet::new();
        for order in orders {
            let happened = order_events(order, 0);
            let expected: Vec<EventKind> = happened.iter().map(|event| event.kind).collect();
            let aggregate = happened.first().map(|event| event.aggregate.clone());
            let told = aggregate.as_ref().and_then(|aggregate| heard.get(aggregate));
            let told: Vec<EventKind> =
                told.into_iter().flat_map(|told| told.values().copied()).collect();
            if told != expected {
                let what = format!("{}: {told:?} was told of {expected:?}", order.id);
                self.history.wrong(what);
            }
            known.extend(aggregate);
        }
        let is_order = |of: &&Aggregate| of.to_string().starts_with("order/");
        for stranger in heard.keys().filter(is_order).filter(|of| !known.contains(of)) {
            self.history.wrong(format!("{stranger} was told of, and is no order"));
        }
    }
}

#[async_trait]
impl Consumer for Listener {
    fn name(&self) -> &'static str {
        "listener"
    }

    fn handles(&self, _: EventKind) -> bool {
        true
    }

    async fn handle(&self, event: &Event) -> Result<(), ConsumerError> {
        tokio::time::sleep(Duration::from_millis(self.dice.below(20))).await;
        if self.dice.chance(FAILS) {
            return Err(ConsumerError::Later("on purpose".to_owned()));
        }
        let mut heard = self.heard.lock();
        let of_it = heard.entry(event.aggregate.clone()).or_default();
        let last = of_it.keys().next_back().copied();
        // What comes again was heard before; what is new comes behind all that was heard.
        let is_new = of_it.insert(event.position, event.kind).is_none();
        if is_new && last.is_some_and(|last| last > event.position) {
            let what = format!("{:?} of {} was told too late", event.kind, event.aggregate);
            self.history.wrong(what);
        }
        Ok(())
    }
}
