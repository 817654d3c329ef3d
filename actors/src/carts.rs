//! Carts, each an actor: what the edge talks to when a shopper clicks.

use std::any::Any;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use async_trait::async_trait;
use barrow_cluster::Ownership;
use barrow_engine::cart::{
    By, Cart, CartCommand, CartEntity, CartRejection, CartRejectionCode, Owner,
};
use barrow_engine::ids::CartId;
use barrow_engine::ports::{Clock, EntityStore, Entropy};
use barrow_engine::pricing::Shop;
use barrow_engine::time::Timestamp;
use bytes::Bytes;

use crate::runtime::{
    CommandError, EffectRouter, Feed, Host, HostError, IdempotencyKey, Reply, Runtime,
    RuntimeObservation, RuntimeParts, RuntimeSettings, Wakeable,
};
use crate::shelf::{Shelf, ShelfError};

/// How much of the cart a caller wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Full,
    /// Id, version, totals and problems.
    Minimal,
}

/// Writes a cart the way the edge's clients read it. Runs in the cart's actor, once per reply.
pub trait CartRenderer: Send + Sync + 'static {
    fn render(&self, cart: &Cart, version: u64, shape: Shape) -> Bytes;
}

/// What carts are made of.
pub struct CartParts {
    pub shop: Arc<Shop>,
    pub shelf: Arc<dyn Shelf>,
    pub renderer: Arc<dyn CartRenderer>,
    pub store: Arc<dyn EntityStore>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub ownership: Arc<dyn Ownership>,
    pub effects: Arc<EffectRouter>,
    pub settings: RuntimeSettings,
}

/// How a command is to be taken, beside what it says.
#[derive(Debug, Clone, Copy)]
pub struct CommandOptions {
    pub key: Option<IdempotencyKey>,
    /// The version the caller saw, where it insists on it.
    pub expected_version: Option<u64>,
    pub shape: Shape,
}

/// A cart as its reader gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CartReply {
    pub version: u64,
    pub body: Bytes,
    /// The version then made, if this answers a repeated command.
    pub replayed: Option<u64>,
}

pub type CartError = CommandError<CartRejection>;

/// All carts. Clones are handles to the same ones.
#[derive(Clone)]
pub struct Carts {
    runtime: Runtime<CartHost>,
}

impl Carts {
    /// Starts them on the current tokio runtime.
    pub fn start(parts: CartParts) -> Carts {
        let CartParts { shop, shelf, renderer, .. } = parts;
        let runtime = Runtime::start(RuntimeParts {
            host: CartHost { shop, shelf, renderer },
            store: parts.store,
            clock: parts.clock,
            entropy: parts.entropy,
            ownership: parts.ownership,
            effects: parts.effects,
            settings: parts.settings,
        });
        Carts { runtime }
    }

    /// Sends a command of a shopper; the reply comes once it is durable.
    pub async fn execute(
        &self,
        id: CartId,
        command: CartCommand,
        options: CommandOptions,
    ) -> Result<CartReply, CartError> {
        // The house's own commands come from timers, and never this way.
        let By::Shopper(by) = command.by else {
            return Err(CommandError::Rejected(CartRejectionCode::NotFound.into()));
        };
        let ask = CartAsk { by, look: Look::Body(options.shape) };
        let CommandOptions { key, expected_version, .. } = options;
        self.runtime.execute(id.0, command, ask, key, expected_version).await.map(to_cart_reply)
    }

    pub async fn get(&self, id: CartId, by: Owner) -> Result<CartReply, CartError> {
        let ask = CartAsk { by, look: Look::Body(Shape::Full) };
        self.runtime.read(id.0, ask).await.map(to_cart_reply)
    }

    /// Looks something up in the durable cart, in its actor.
    pub async fn inspect<T: Send + Sync + Clone + 'static>(
        &self,
        id: CartId,
        by: Owner,
        look: impl FnOnce(&Cart) -> T + Send + 'static,
    ) -> Result<T, CartError> {
        let look = Look::Inspect(Box::new(move |cart| Arc::new(look(cart))));
        let reply = self.runtime.read(id.0, CartAsk { by, look }).await?;
        let CartView::Inspected(found) = reply.view else {
            unreachable!("the host answers an inspection with what was inspected");
        };
        let found = found.downcast_ref::<T>().expect("it is what the closure above made");
        Ok(found.clone())
    }

    /// Follows a cart: its body now, and after each change.
    pub async fn subscribe(&self, id: CartId, by: Owner) -> Result<CartFeed, CartError> {
        let ask = CartAsk { by, look: Look::Body(Shape::Full) };
        Ok(CartFeed(self.runtime.subscribe(id.0, ask).await?))
    }

    /// Refuses new commands, finishes and stores what was admitted.
    pub async fn drain(&self, deadline: Duration) -> bool {
        self.runtime.drain(deadline).await
    }

    pub fn observe(&self) -> RuntimeObservation {
        self.runtime.observe()
    }

    /// For the scanner of due entities.
    pub fn wakeable(&self) -> Weak<dyn Wakeable> {
        self.runtime.wakeable()
    }
}

/// Follows one cart.
pub struct CartFeed(Feed<CartHost>);

impl CartFeed {
    /// The newest durable cart; versions between may be skipped. `None` when its actor ended:
    /// subscribe anew.
    pub async fn next(&mut self) -> Option<CartReply> {
        self.0.next().await.map(to_cart_reply)
    }
}

fn to_cart_reply(reply: Reply<CartView>) -> CartReply {
    let CartView::Body(body) = reply.view else {
        unreachable!("the host answers a request for a body with one");
    };
    CartReply { version: reply.version, body, replayed: reply.replayed }
}

struct CartHost {
    shop: Arc<Shop>,
    shelf: Arc<dyn Shelf>,
    renderer: Arc<dyn CartRenderer>,
}

struct CartAsk {
    by: Owner,
    look: Look,
}

enum Look {
    Body(Shape),
    Inspect(Inspection),
}

type Inspection = Box<dyn FnOnce(&Cart) -> Found + Send>;
type Found = Arc<dyn Any + Send + Sync>;

#[derive(Clone)]
enum CartView {
    Body(Bytes),
    Inspected(Found),
}

#[async_trait]
impl Host for CartHost {
    type Entity = CartEntity;
    type Ask = CartAsk;
    type View = CartView;

    fn is_fresh(&self, cart: &Cart, now: Timestamp) -> bool {
        !cart.exists() || cart.is_fresh(self.shelf.generation(), now)
    }

    async fn refresh(&self, cart: &mut Cart, now: Timestamp) -> Result<(), HostError> {
        if !cart.exists() {
            return Ok(());
        }
        // Read first: a change that comes in between makes the cart stale again, not wrong.
        let generation = self.shelf.generation();
        let skus = cart.skus();
        let cached: Vec<_> = skus.iter().map(|sku| self.shelf.cached(sku.as_str())).collect();
        let sellables = match cached.iter().all(Option::is_some) {
            true => cached,
            false => self.shelf.sellables(&skus).await.map_err(|ShelfError(why)| HostError(why))?,
        };
        cart.refresh(self.shop.clone(), generation, sellables, now);
        Ok(())
    }

    fn view(&self, cart: &Cart, version: u64, ask: CartAsk) -> Result<CartView, CartRejection> {
        if cart.owner() != Some(ask.by) {
            return Err(CartRejectionCode::NotFound.into());
        }
        Ok(match ask.look {
            Look::Body(shape) => CartView::Body(self.renderer.render(cart, version, shape)),
            Look::Inspect(look) => CartView::Inspected(look(cart)),
        })
    }

    fn publication(&self, cart: &Cart, version: u64) -> Option<CartView> {
        Some(CartView::Body(self.renderer.render(cart, version, Shape::Full)))
    }
}
