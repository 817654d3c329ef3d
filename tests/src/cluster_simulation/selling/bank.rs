//! A payment gateway beside the cluster, with books of its own: what it did under which key. It
//! outlives every process, remembers each key, and loses requests and answers on the way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_adapters::decorators::{Faults, Rate};
use barrow_engine::ids::OrderId;
use barrow_engine::orders::{OperationKey, OperationKind, PaymentOutcome};
use barrow_engine::ports::{
    Clock, GatewayAnswer, GatewayError, Notice, PaymentGateway, PaymentRequest, WebhookError,
};
use barrow_engine::time::Timestamp;
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::cluster_simulation::ground::Ground;
use crate::host::{SeededEntropy, SimulatedClock};
use crate::simulation::history::History;

/// What a shop calls it.
pub const BANK: &str = "bank";

/// For so long at least it remembers keys. Wall clocks are up to a minute off, each way.
const KEY_MEMORY: Duration = Duration::from_secs(150);

/// How long a slow payment takes at most. Its money is held at once.
const SLOW_MS_MAX: u64 = 6_000;

/// Money of one authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    pub order: OrderId,
    pub attempt: u32,
    pub authorized: i64,
    pub captured: i64,
    pub refunded: i64,
    pub voided: bool,
}

impl Account {
    /// Held of the buyer, and not taken.
    pub fn held(&self) -> i64 {
        if self.voided { 0 } else { self.authorized - self.captured }
    }
}

#[derive(Default)]
struct Books {
    accounts: BTreeMap<String, Account>,
    done: BTreeMap<OperationKey, Done>,
}

/// An operation that has had its effect, or will have none.
#[derive(Clone)]
struct Done {
    kind: OperationKind,
    amount: i64,
    outcome: PaymentOutcome,
    /// Of uptime: the bank itself does not know before.
    known_at: Duration,
}

pub struct Bank {
    books: Mutex<Books>,
    pub faults: Mutex<Faults>,
    dice: SeededEntropy,
    clock: Arc<SimulatedClock>,
    history: Arc<History>,
}

impl Bank {
    pub fn new(seed: u64, clock: Arc<SimulatedClock>, history: Arc<History>) -> Bank {
        let (books, faults) = (Mutex::default(), Mutex::default());
        Bank { books, faults, dice: SeededEntropy::new(seed), clock, history }
    }

    /// All accounts, by what the bank calls them.
    pub fn accounts(&self) -> BTreeMap<String, Account> {
        self.books.lock().accounts.clone()
    }

    fn happens(&self, rate: Rate) -> bool {
        self.dice.below(1_000_000) < u64::from(rate.0)
    }

    fn up_to(&self, longest: Duration) -> Duration {
        Duration::from_micros(self.dice.below(longest.as_micros() as u64 + 1))
    }

    /// Each key has one effect.
    fn act(&self, request: &PaymentRequest) -> GatewayAnswer {
        let mut books = self.books.lock();
        if !books.done.contains_key(&request.key) {
            let outcome = books.decide(request);
            if let PaymentOutcome::Failed { code } = &outcome
                && code == IMPOSSIBLE
            {
                self.history.wrong(format!("the bank cannot do that: {request:?}"));
            }
            let slow = match (request.kind, request.method.as_str()) {
                (OperationKind::Authorize, "slow") => self.dice.below(SLOW_MS_MAX),
                _ => 0,
            };
            let known_at = self.clock.uptime() + Duration::from_millis(slow);
            let (kind, amount) = (request.kind, request.amount.amount);
            books.done.insert(request.key, Done { kind, amount, outcome, known_at });
        }
        let done = &books.done[&request.key];
        if (done.kind, done.amount) != (request.kind, request.amount.amount) {
            self.history.wrong(format!("the key of another operation: {request:?}"));
        }
        done.answer(self.clock.uptime())
    }

    fn find(&self, key: OperationKey) -> GatewayAnswer {
        let books = self.books.lock();
        let done = books.done.get(&key);
        done.map_or(GatewayAnswer::NeverAsked, |done| done.answer(self.clock.uptime()))
    }
}

impl Done {
    fn answer(&self, uptime: Duration) -> GatewayAnswer {
        match self.known_at <= uptime {
            true => GatewayAnswer::Known(self.outcome.clone()),
            false => GatewayAnswer::Pending,
        }
    }
}

/// What no shop that keeps its books well ever asks.
const IMPOSSIBLE: &str = "impossible";

impl Books {
    fn decide(&mut self, request: &PaymentRequest) -> PaymentOutcome {
        let OperationKey { order, attempt, operation } = request.key;
        let amount = request.amount.amount;
        let failed = |code: &str| PaymentOutcome::Failed { code: code.to_owned() };
        if request.kind == OperationKind::Authorize {
            if request.method == "declined" {
                return failed("card_declined");
            }
            let reference = format!("bank/{order}/{attempt}/{operation}");
            let (captured, refunded, voided) = (0, 0, false);
            let authorized = amount;
            let account = Account { order, attempt, authorized, captured, refunded, voided };
            self.accounts.insert(reference.clone(), account);
            return PaymentOutcome::Succeeded { reference: Some(reference) };
        }
        let account = request.reference.as_ref().and_then(|name| self.accounts.get_mut(name));
        let Some(account) = account else { return failed(IMPOSSIBLE) };
        let is_possible = match request.kind {
            OperationKind::Authorize => false,
            OperationKind::Capture => account.held() >= amount,
            OperationKind::Void => account.held() == amount && account.captured == 0,
            OperationKind::Refund => account.captured - account.refunded >= amount,
        };
        if !is_possible {
            return failed(IMPOSSIBLE);
        }
        match request.kind {
            OperationKind::Authorize => {}
            OperationKind::Capture => account.captured += amount,
            OperationKind::Void => account.voided = true,
            OperationKind::Refund => account.refunded += amount,
        }
        PaymentOutcome::Succeeded { reference: request.reference.clone() }
    }
}

/// The bank as one machine reaches it.
pub struct BankFromMachine {
    pub ground: Arc<Ground>,
    pub bank: Arc<Bank>,
}

type Answer = Result<GatewayAnswer, GatewayError>;

fn unknown(what: &str) -> Answer {
    Err(GatewayError::OutcomeUnknown(format!("{what} on purpose")))
}

async fn ask(bank: Arc<Bank>, ground: Arc<Ground>, request: PaymentRequest) -> Answer {
    let faults = *bank.faults.lock();
    sleep(bank.up_to(faults.latency_max)).await;
    if bank.happens(faults.unavailable) || bank.happens(faults.throttled) {
        return Err(GatewayError::Unavailable("broken on purpose".to_owned()));
    }
    if bank.happens(faults.request_lost) {
        return unknown("the request was lost");
    }
    if bank.happens(faults.late) {
        let (after, later) = (bank.up_to(faults.late_max), bank.clone());
        ground.outside.spawn(async move {
            sleep(after).await;
            drop(later.act(&request));
        });
        return unknown("it is late");
    }
    let answer = bank.act(&request);
    sleep(bank.up_to(faults.latency_max)).await;
    match bank.happens(faults.reply_lost) {
        true => unknown("the answer was lost"),
        false => Ok(answer),
    }
}

async fn look_up(bank: Arc<Bank>, key: OperationKey) -> Answer {
    let faults = *bank.faults.lock();
    sleep(bank.up_to(faults.latency_max)).await;
    if bank.happens(faults.unavailable) {
        return Err(GatewayError::Unavailable("broken on purpose".to_owned()));
    }
    let answer = bank.find(key);
    sleep(bank.up_to(faults.latency_max)).await;
    Ok(answer)
}

#[async_trait]
impl PaymentGateway for BankFromMachine {
    fn methods(&self) -> &[&str] {
        &["ok", "slow", "declined"]
    }

    fn key_memory(&self) -> Duration {
        KEY_MEMORY
    }

    async fn ask(&self, request: &PaymentRequest) -> Answer {
        let asked = ask(self.bank.clone(), self.ground.clone(), request.clone());
        self.ground.beyond(asked).await
    }

    async fn look_up(&self, request: &PaymentRequest) -> Answer {
        self.ground.beyond(look_up(self.bank.clone(), request.key)).await
    }

    fn notices(
        &self,
        _: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
        _: &[u8],
        _: Timestamp,
    ) -> Result<Vec<Notice>, WebhookError> {
        Err(WebhookError::NotSigned)
    }
}
