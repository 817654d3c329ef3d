//! What the database is asked for keys, and how soon a change of them is seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use barrow_api::auth::{ApiKeys, KeyError};
use barrow_engine::access::{ApiKey, ApiKeyDraft, KeyHash, Scope};
use barrow_engine::ids::ApiKeyId;
use barrow_engine::ports::{ApiKeyStore, Clock, CommerceError, KeyMade};
use barrow_engine::time::Timestamp;
use futures::future::join_all;
use parking_lot::Mutex;

const EPOCH: i64 = 1_800_000_000_000;

/// Keys in memory, of which every read is counted.
#[derive(Default)]
struct Store {
    keys: Mutex<Vec<(KeyHash, ApiKey)>>,
    touched: Mutex<Vec<(ApiKeyId, Timestamp)>>,
    reads: AtomicUsize,
    is_away: AtomicBool,
}

impl Store {
    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    fn make(&self, number: u8, expires_at: Option<Timestamp>) -> KeyHash {
        let hash = KeyHash([number; 32]);
        let key = ApiKey::new(&ApiKeyDraft {
            id: ApiKeyId(number.into()),
            hash,
            name: format!("key {number}"),
            scopes: [Scope::OrdersRead].into_iter().collect(),
            created_at: Timestamp(EPOCH),
            expires_at,
        });
        self.keys.lock().push((hash, key));
        hash
    }
}

#[async_trait]
impl ApiKeyStore for Store {
    async fn create(&self, draft: &ApiKeyDraft) -> Result<KeyMade, CommerceError> {
        self.keys.lock().push((draft.hash, ApiKey::new(draft)));
        Ok(KeyMade::Done)
    }

    async fn unrevoked(&self) -> Result<Vec<(KeyHash, ApiKey)>, CommerceError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(3)).await;
        match self.is_away.load(Ordering::Relaxed) {
            true => Err(CommerceError::Unavailable("away".into())),
            false => Ok(self.keys.lock().clone()),
        }
    }

    async fn list(
        &self,
        _: Option<(Timestamp, ApiKeyId)>,
        limit: usize,
    ) -> Result<Vec<ApiKey>, CommerceError> {
        Ok(self.keys.lock().iter().take(limit).map(|(_, key)| key.clone()).collect())
    }

    async fn revoke(&self, id: ApiKeyId, _: Timestamp) -> Result<Option<ApiKey>, CommerceError> {
        let mut keys = self.keys.lock();
        let place = keys.iter().position(|(_, key)| key.id == id);
        Ok(place.map(|place| keys.remove(place).1))
    }

    async fn touch(&self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), CommerceError> {
        self.touched.lock().extend(uses);
        Ok(())
    }
}

/// The runtime's own paused time.
struct Paused(tokio::time::Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp(EPOCH).plus(self.uptime())
    }

    fn uptime(&self) -> Duration {
        self.0.elapsed()
    }
}

fn keys() -> (Arc<Store>, ApiKeys) {
    let store = Arc::new(Store::default());
    let clock = Arc::new(Paused(tokio::time::Instant::now()));
    (Arc::clone(&store), ApiKeys::new(store, clock))
}

async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

#[tokio::test(start_paused = true)]
async fn a_good_key_costs_one_read_a_second_at_most() {
    let (store, keys) = keys();
    let hash = store.make(1, None);
    let began = tokio::time::Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        keys.check(hash).await.unwrap();
        pass(7).await;
    }
    assert!((9..=11).contains(&store.reads()), "{} reads", store.reads());
    pass(60_000).await;
    assert!(store.reads() <= 11, "who is not asked does not read");
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_good_at_once_and_a_revoked_one_bad_within_a_second() {
    let (store, keys) = keys();
    let first = store.make(1, None);
    keys.check(first).await.unwrap();
    let second = store.make(2, None);
    assert_eq!(keys.check(second).await.unwrap().name(), "key 2");
    store.revoke(ApiKeyId(2), Timestamp(EPOCH)).await.unwrap();
    pass(1_001).await;
    assert_eq!(keys.check(second).await, Err(KeyError::Unknown));
    keys.check(first).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn unknown_keys_do_not_flood_the_database() {
    let (store, keys) = keys();
    let good = store.make(1, None);
    let began = tokio::time::Instant::now();
    let crowd = (0..200_u8).map(|number| {
        let (keys, began) = (keys.clone(), began);
        async move {
            while began.elapsed() < Duration::from_secs(2) {
                let hash = KeyHash([number, 7].repeat(16).try_into().unwrap());
                assert_eq!(keys.check(hash).await, Err(KeyError::Unknown));
            }
        }
    });
    let house = async {
        while began.elapsed() < Duration::from_secs(2) {
            keys.check(good).await.unwrap();
            pass(5).await;
        }
    };
    tokio::join!(join_all(crowd), house);
    assert!((10..=25).contains(&store.reads()), "{} reads in two seconds", store.reads());
}

#[tokio::test(start_paused = true)]
async fn while_keys_cannot_be_read_nobody_gets_in() {
    let (store, keys) = keys();
    let hash = store.make(1, None);
    keys.check(hash).await.unwrap();
    store.is_away.store(true, Ordering::Relaxed);
    pass(500).await;
    keys.check(hash).await.expect("what was read a moment ago is believed");
    pass(600).await;
    let before = store.reads();
    let asked = join_all((0..50).map(|_| keys.check(hash))).await;
    assert!(asked.iter().all(|asked| *asked == Err(KeyError::Unavailable)), "{asked:?}");
    assert_eq!(store.reads() - before, 1, "one asks for all");
    store.is_away.store(false, Ordering::Relaxed);
    pass(1_000).await;
    keys.check(hash).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_ends_when_it_expires() {
    let (store, keys) = keys();
    let hash = store.make(1, Some(Timestamp(EPOCH + 300)));
    keys.check(hash).await.unwrap();
    pass(300).await;
    assert_eq!(keys.check(hash).await, Err(KeyError::Expired));
}

#[tokio::test(start_paused = true)]
async fn a_use_is_written_down_once_a_minute() {
    let (store, keys) = keys();
    let (one, two) = (store.make(1, None), store.make(2, None));
    for _ in 0..130 {
        keys.check(one).await.unwrap();
        pass(1_000).await;
    }
    keys.check(two).await.unwrap();
    pass(10).await;
    let touched = store.touched.lock().clone();
    let of = |id| touched.iter().filter(|(touched, _)| *touched == ApiKeyId(id)).count();
    assert_eq!((of(1), of(2)), (3, 1), "{touched:?}");
}
