//! A node's way to the control table, with what goes wrong on it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::node::{Answer, HEARTBEAT_PREFIX};
use crate::{ControlError, ControlRow, ControlTable, MemoryControlTable};

/// The same numbers for the same seed.
#[derive(Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.next() % 1_000 < per_mille
    }

    pub fn millis(&mut self, (from, to): (u64, u64)) -> Duration {
        Duration::from_millis(self.between(from, to))
    }
}

/// What goes wrong with calls, of a thousand each.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// The answer is lost.
    pub unknown: u64,
    /// The write comes after its answer said that nobody knows.
    pub late: u64,
    pub failed: u64,
    /// A removal takes as long as a call may.
    pub slow_removals: u64,
    /// Each beat is written, its answer is lost, and a copy of it comes that much later.
    pub twins_after: Option<Duration>,
}

#[derive(Debug)]
pub struct Shared {
    pub base: Arc<MemoryControlTable>,
    pub rng: Mutex<Rng>,
    /// Nobody reaches the table.
    pub is_out: Mutex<bool>,
}

/// One node's way to the table.
#[derive(Debug)]
pub struct Link {
    pub shared: Arc<Shared>,
    pub rates: Mutex<Rates>,
    pub is_cut: Mutex<bool>,
    pub echo: Mutex<Echo>,
}

/// What is to become of the next beat, beside that it is the last call that arrives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Echo {
    #[default]
    Off,
    /// It is written, and its answer is lost.
    Lost,
    /// It is answered.
    Heard,
}

#[derive(Debug, Clone)]
enum Call {
    Cas(String, u64, Vec<u8>),
    Delete(String, u64),
}

enum Fate {
    Fine,
    Hangs,
    Fails,
    AnswerLost,
    Late(Duration),
}

impl Link {
    fn fate(&self) -> Fate {
        let mut rng = self.shared.rng.lock();
        let rates = *self.rates.lock();
        if *self.is_cut.lock() || *self.shared.is_out.lock() {
            return if rng.chance(500) { Fate::Hangs } else { Fate::Fails };
        }
        if rng.chance(rates.failed) {
            Fate::Fails
        } else if rng.chance(rates.unknown) {
            Fate::AnswerLost
        } else if rng.chance(rates.late) {
            Fate::Late(rng.millis((50, 4_000)))
        } else {
            Fate::Fine
        }
    }

    async fn travel(&self) {
        let pause = self.shared.rng.lock().millis((0, 15));
        tokio::time::sleep(pause).await;
    }

    async fn read<T>(&self, read: impl AsyncFnOnce() -> T) -> Result<T, ControlError> {
        self.travel().await;
        match self.fate() {
            Fate::Hangs => std::future::pending().await,
            Fate::Fails | Fate::AnswerLost => Err(away()),
            Fate::Fine | Fate::Late(_) => {
                let answer = read().await;
                self.travel().await;
                Ok(answer)
            }
        }
    }

    async fn write(&self, call: Call) -> Answer {
        self.travel().await;
        let rates = *self.rates.lock();
        if let (Some(after), Call::Cas(key, ..)) = (rates.twins_after, &call)
            && key.starts_with(HEARTBEAT_PREFIX)
        {
            let first = apply(&self.shared.base, call.clone()).await;
            if first == Ok(crate::ControlOutcome::Written) {
                self.apply_later(call, after);
                return Err(unknown());
            }
            return first;
        }
        if matches!(call, Call::Delete(..)) {
            let is_slow = self.shared.rng.lock().chance(rates.slow_removals);
            let pause = self.shared.rng.lock().millis((100, 1_900));
            tokio::time::sleep(if is_slow { pause } else { Duration::ZERO }).await;
        }
        let is_beat = matches!(&call, Call::Cas(key, ..) if key.starts_with(HEARTBEAT_PREFIX));
        let echo = std::mem::take(&mut *self.echo.lock());
        if is_beat && echo != Echo::Off && !*self.is_cut.lock() {
            let answer = apply(&self.shared.base, call).await;
            *self.is_cut.lock() = true;
            return if echo == Echo::Lost { Err(unknown()) } else { answer };
        }
        *self.echo.lock() = echo;
        match self.fate() {
            Fate::Hangs => std::future::pending().await,
            Fate::Fails => Err(away()),
            Fate::AnswerLost => {
                let _ = apply(&self.shared.base, call).await;
                self.travel().await;
                Err(unknown())
            }
            Fate::Late(after) => {
                self.apply_later(call, after);
                Err(unknown())
            }
            Fate::Fine => {
                let answer = apply(&self.shared.base, call).await;
                self.travel().await;
                answer
            }
        }
    }

    fn apply_later(&self, call: Call, after: Duration) {
        let base = Arc::clone(&self.shared.base);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            apply(&base, call).await
        });
    }
}

async fn apply(base: &MemoryControlTable, call: Call) -> Answer {
    match call {
        Call::Cas(key, expected, value) => base.cas(&key, expected, value).await,
        Call::Delete(key, expected) => base.delete(&key, expected).await,
    }
}

fn away() -> ControlError {
    ControlError::Unavailable("it is away".to_owned())
}

fn unknown() -> ControlError {
    ControlError::OutcomeUnknown("nobody knows".to_owned())
}

#[async_trait]
impl ControlTable for Link {
    async fn load(&self, key: &str) -> Result<Option<ControlRow>, ControlError> {
        self.read(async || self.shared.base.load(key).await).await?
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, ControlRow)>, ControlError> {
        self.read(async || self.shared.base.list(prefix).await).await?
    }

    async fn cas(&self, key: &str, expected: u64, value: Vec<u8>) -> Answer {
        self.write(Call::Cas(key.to_owned(), expected, value)).await
    }

    async fn delete(&self, key: &str, expected: u64) -> Answer {
        self.write(Call::Delete(key.to_owned(), expected)).await
    }
}
