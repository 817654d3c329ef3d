//! A shopper's client: sends, gives up waiting, and repeats with the same key.

use std::sync::Arc;
use std::time::Duration;

use barrow_actors::carts::{CartError, CartReply, CommandOptions, Shape};
use barrow_actors::runtime::{CommandError, IdempotencyKey};
use barrow_engine::cart::{By, CartAction, CartCommand, workload};
use barrow_engine::ids::CartId;
use barrow_engine::pricing::Shop;

use super::Plan;
use super::history::History;
use super::node::Host;
use crate::host::SeededEntropy;

/// So long a client waits for an answer.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// So often it repeats a command with a key before it leaves it open.
const TRIES_MAX: usize = 12;

pub struct Client {
    number: u64,
    dice: SeededEntropy,
    host: Arc<Host>,
    history: Arc<History>,
    sent: u32,
}

impl Client {
    pub fn new(number: u64, seed: u64, host: Arc<Host>, history: Arc<History>) -> Client {
        Client { number, dice: SeededEntropy::new(seed), host, history, sent: 0 }
    }

    pub async fn run(mut self, plan: Plan) {
        let end = tokio::time::Instant::now() + plan.chaos;
        while tokio::time::Instant::now() < end {
            let cart = CartId(1 + u128::from(self.dice.below(plan.carts as u64)));
            match self.dice.below(10) {
                0..=4 => self.add(cart, true).await,
                5 => self.add(cart, false).await,
                6 => self.insist_on_a_wrong_version(cart).await,
                7 => self.follow(cart).await,
                _ => self.read(cart).await,
            }
            tokio::time::sleep(Duration::from_millis(self.dice.below(40))).await;
        }
    }

    /// Adds a SKU that nobody else adds, so that its place in the cart tells the order.
    async fn add(&mut self, cart: CartId, keyed: bool) {
        self.sent += 1;
        let item = self.number as u32 * 10_000 + self.sent;
        let key = keyed.then(|| IdempotencyKey::new(&item.to_le_bytes(), b"add"));
        let operation = self.history.begin();
        let mut tries = 0;
        loop {
            tries += 1;
            let options = CommandOptions { key, expected_version: None, shape: Shape::Full };
            match self.send(cart, workload::add_line(item), options).await {
                Some(Ok(reply)) => {
                    return self.history.added(operation, cart, item, Some(reply));
                }
                // There is no cart yet: it is opened, by whoever comes first.
                Some(Err(CommandError::Rejected(_))) => self.open(cart).await,
                Some(Err(error)) if !keyed && changed_nothing(&error) => {}
                // Without a key it is never sent twice.
                _ if !keyed => return self.history.added(operation, cart, item, None),
                _ => {}
            }
            if tries == TRIES_MAX {
                return self.history.added(operation, cart, item, None);
            }
            tokio::time::sleep(Duration::from_millis(20 + self.dice.below(200))).await;
        }
    }

    async fn open(&self, cart: CartId) {
        let options = CommandOptions { key: None, expected_version: None, shape: Shape::Full };
        let create = workload::create(Arc::new(Shop::sample()));
        drop(self.send(cart, create, options).await);
    }

    async fn read(&self, cart: CartId) {
        let operation = self.history.begin();
        let node = self.host.node();
        let reply = tokio::time::timeout(PATIENCE, node.carts.get(cart, workload::OWNER)).await;
        if let (true, Ok(Ok(reply))) = (node.is_alive(), reply) {
            self.history.read(operation, cart, &reply);
        }
    }

    /// A refusal tells the version, so it is a read like any other.
    async fn insist_on_a_wrong_version(&self, cart: CartId) {
        let operation = self.history.begin();
        let nothing = CartCommand {
            by: By::Shopper(workload::OWNER),
            action: CartAction::Change(Vec::new()),
        };
        let expected_version = Some(u64::MAX);
        let options = CommandOptions { key: None, expected_version, shape: Shape::Full };
        if let Some(Err(CommandError::VersionMismatch { current })) =
            self.send(cart, nothing, options).await
        {
            self.history.version_seen(operation, cart, current);
        }
    }

    /// Follows the cart for a moment; each state it is shown is a read.
    async fn follow(&self, cart: CartId) {
        let node = self.host.node();
        let operation = self.history.begin();
        let subscribed =
            tokio::time::timeout(PATIENCE, node.carts.subscribe(cart, workload::OWNER)).await;
        let Ok(Ok(mut feed)) = subscribed else { return };
        for _ in 0..3 {
            match tokio::time::timeout(Duration::from_millis(300), feed.next()).await {
                Ok(Some(reply)) if node.is_alive() => self.history.seen(operation, cart, &reply),
                _ => return,
            }
        }
    }

    /// `None` where no answer came.
    async fn send(
        &self,
        cart: CartId,
        command: CartCommand,
        options: CommandOptions,
    ) -> Option<Result<CartReply, CartError>> {
        let node = self.host.node();
        let answer = tokio::time::timeout(PATIENCE, node.carts.execute(cart, command, options));
        answer.await.ok().filter(|_| node.is_alive())
    }
}

/// Safe to send again without a key.
fn changed_nothing(error: &CartError) -> bool {
    matches!(error, CommandError::Overloaded { .. } | CommandError::Unavailable { .. })
}
