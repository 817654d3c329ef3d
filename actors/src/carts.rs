//! Carts, each an actor: what the edge talks to when a shopper clicks.

mod holds;

use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use async_trait::async_trait;
use barrow_cluster::Ownership;
use barrow_engine::cart::{
    self, By, Cart, CartAction, CartCommand, CartEntity, CartRejection, CartRejectionCode, Owner,
    SentCommand, key, next_of,
};
use barrow_engine::entity::DecodeError;
use barrow_engine::ids::CartId;
use barrow_engine::orders::{NewOrder, Order};
use barrow_engine::ports::{Clock, EntityStore, Entropy};
use barrow_engine::pricing::Shop;
use barrow_engine::time::Timestamp;
use bytes::Bytes;

use crate::runtime::{
    CommandError, EffectRouter, Feed, Host, HostError, IdempotencyKey, Reply, Runtime,
    RuntimeObservation, RuntimeParts, RuntimeSettings, Wakeable, WireError,
};
use crate::shelf::{Shelf, ShelfError};
use holds::Holds;

pub use holds::{HoldParts, HoldState};

/// How many ids are thrown for one whose shard is here: on a node that owns a thirtieth of the
/// shards one of them is found nine times of ten.
const IDS_TRIED: u32 = 64;

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

    /// The ways in which the cart may be shipped.
    fn render_shipping_methods(&self, cart: &Cart) -> Bytes;
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
    shop: Arc<Shop>,
    ownership: Arc<dyn Ownership>,
    entropy: Arc<dyn Entropy>,
    /// Where units are reserved for what is in a cart.
    holds: Option<Arc<Holds>>,
}

impl Carts {
    /// Starts them on the current tokio runtime.
    pub fn start(parts: CartParts) -> Carts {
        let CartParts { shop, shelf, renderer, .. } = parts;
        let (ownership, entropy) = (parts.ownership.clone(), parts.entropy.clone());
        let runtime = Runtime::start(RuntimeParts {
            host: CartHost { shop: shop.clone(), shelf, renderer },
            store: parts.store,
            clock: parts.clock,
            entropy: parts.entropy,
            ownership: parts.ownership,
            effects: parts.effects,
            settings: parts.settings,
        });
        Carts { runtime, shop, ownership, entropy, holds: None }
    }

    /// Sends a command of a shopper; the reply comes once it is durable.
    pub async fn execute(
        &self,
        id: CartId,
        command: CartCommand,
        options: CommandOptions,
    ) -> Result<CartReply, CartError> {
        // The house's own commands never come this way.
        let By::Shopper(by) = command.by else {
            return Err(CommandError::Rejected(CartRejectionCode::NotFound.into()));
        };
        match (&self.holds, command.action) {
            (Some(holds), CartAction::Change(steps)) => {
                Box::pin(self.change_held(holds, id, (by, steps), options)).await
            }
            (_, action) => self.send(id, CartCommand { action, ..command }, options).await,
        }
    }

    async fn send(
        &self,
        id: CartId,
        command: CartCommand,
        options: CommandOptions,
    ) -> Result<CartReply, CartError> {
        let ask = CartAsk { by: command.by, look: Look::Body(options.shape) };
        let CommandOptions { key, expected_version, .. } = options;
        self.runtime.execute(id.0, command, ask, key, expected_version).await.map(to_cart_reply)
    }

    pub async fn get(&self, id: CartId, by: Owner) -> Result<CartReply, CartError> {
        let ask = CartAsk { by: By::Shopper(by), look: Look::Body(Shape::Full) };
        self.runtime.read(id.0, ask).await.map(to_cart_reply)
    }

    /// As [`Carts::get`], whoever's it is: for the house.
    pub async fn look_at(&self, id: CartId) -> Result<CartReply, CartError> {
        let ask = CartAsk { by: By::System, look: Look::Body(Shape::Full) };
        self.runtime.read(id.0, ask).await.map(to_cart_reply)
    }

    /// The ways in which the cart may be shipped, as the renderer writes them.
    pub async fn shipping_methods(&self, id: CartId, by: Owner) -> Result<Bytes, CartError> {
        let ask = CartAsk { by: By::Shopper(by), look: Look::ShippingMethods };
        Ok(self.runtime.read(id.0, ask).await?.view)
    }

    /// How often a cart was frozen to be bought. One that never was has no order.
    pub(crate) async fn tries(&self, id: CartId, by: Owner) -> Result<u32, CartError> {
        let ask = CartAsk { by: By::Shopper(by), look: Look::Tries };
        let view = self.runtime.read(id.0, ask).await?.view;
        let tries = <[u8; 4]>::try_from(&view[..]).map_err(|_| CommandError::Unreadable)?;
        Ok(u32::from_be_bytes(tries))
    }

    /// The order of a cart that is being checked out; `None` where it cannot be bought as it is
    /// now for what the shopper agreed to.
    pub(crate) async fn to_order(&self, id: CartId) -> Result<Option<NewOrder>, CartError> {
        let ask = CartAsk { by: By::System, look: Look::Order };
        let view = self.runtime.read(id.0, ask).await?.view;
        serde_json::from_slice(&view).map_err(|_| CommandError::Unreadable)
    }

    /// Tells a cart what became of its order.
    pub(crate) async fn settle(&self, id: CartId, action: CartAction) -> Result<(), CartError> {
        let ask = CartAsk { by: By::System, look: Look::Body(Shape::Minimal) };
        let command = CartCommand { by: By::System, action };
        self.runtime.execute(id.0, command, ask, None, None).await.map(drop)
    }

    /// Opens the cart that the buyer of an order goes on with, unless it is open already.
    pub(crate) async fn open_next(&self, order: &Order) -> Result<(), CartError> {
        let by = By::Shopper(order.owner);
        let action = CartAction::Create {
            currency: order.currency,
            channel: order.channel.clone(),
            locale: order.locale.clone(),
            shop: self.shop.clone(),
        };
        let ask = CartAsk { by, look: Look::Body(Shape::Minimal) };
        let command = CartCommand { by, action };
        self.runtime.execute(next_of(order.cart).0, command, ask, None, None).await.map(drop)
    }

    /// An id for a cart that nobody has yet; where it can be, one whose shard is on this node, so
    /// that the requests of its shopper, who will mostly come here again, stay here.
    pub fn new_id(&self) -> CartId {
        let mut id = CartId(self.entropy.next_u128());
        for _ in 1..IDS_TRIED {
            if self.ownership.grant(key(id).shard().index()).is_some() {
                break;
            }
            id = CartId(self.entropy.next_u128());
        }
        id
    }

    /// Follows a cart: its body now, and after each change.
    pub async fn subscribe(&self, id: CartId, by: Owner) -> Result<CartFeed, CartError> {
        let ask = CartAsk { by: By::Shopper(by), look: Look::Body(Shape::Full) };
        Ok(CartFeed(self.runtime.subscribe(id.0, ask).await?))
    }

    /// As [`Runtime::drain_shards`].
    pub async fn drain_shards(&self, shards: &[u16], deadline: Duration) -> bool {
        self.runtime.drain_shards(shards, deadline).await
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

fn to_cart_reply(reply: Reply<Bytes>) -> CartReply {
    CartReply { version: reply.version, body: reply.view, replayed: reply.replayed }
}

struct CartHost {
    shop: Arc<Shop>,
    shelf: Arc<dyn Shelf>,
    renderer: Arc<dyn CartRenderer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CartAsk {
    by: By,
    look: Look,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Body(Shape),
    ShippingMethods,
    Order,
    /// To whoever reserves for it.
    Hold,
    /// How often it was frozen: four bytes.
    Tries,
}

const LOOK_FULL: u8 = 1;
const LOOK_MINIMAL: u8 = 2;
const LOOK_SHIPPING_METHODS: u8 = 3;
const LOOK_ORDER: u8 = 4;
const LOOK_HOLD: u8 = 5;
const LOOK_TRIES: u8 = 6;

#[async_trait]
impl Host for CartHost {
    type Entity = CartEntity;
    type Ask = CartAsk;
    type View = Bytes;

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

    fn view(&self, cart: &Cart, version: u64, ask: CartAsk) -> Result<Bytes, CartRejection> {
        let may_look = match ask.by {
            By::System => cart.exists(),
            By::Shopper(owner) => cart.belongs_to(owner),
        };
        if !may_look {
            return Err(CartRejectionCode::NotFound.into());
        }
        Ok(match ask.look {
            Look::Body(shape) => self.renderer.render(cart, version, shape),
            Look::ShippingMethods => self.renderer.render_shipping_methods(cart),
            Look::Order => {
                let order = serde_json::to_vec(&cart.to_order(version));
                order.expect("an order is plain data").into()
            }
            Look::Hold => {
                let held = serde_json::to_vec(&cart.holdable(version));
                held.expect("names and numbers are plain data").into()
            }
            Look::Tries => Bytes::copy_from_slice(&cart.freeze().to_be_bytes()),
        })
    }

    fn publication(&self, cart: &Cart, version: u64) -> Option<Bytes> {
        Some(self.renderer.render(cart, version, Shape::Full))
    }

    fn encode_command(&self, command: &CartCommand, out: &mut Vec<u8>) {
        cart::encode_command(command, out);
    }

    async fn decode_command(&self, bytes: &[u8]) -> Result<CartCommand, WireError> {
        let sent = SentCommand::decode(bytes)?;
        let unavailable = |why: String| WireError::Unavailable(why);
        let skus = sent.skus();
        let cached: Vec<_> = skus.iter().map(|sku| self.shelf.cached(sku.as_str())).collect();
        let sellables = match cached.iter().all(Option::is_some) {
            true => cached,
            false => {
                let found = self.shelf.sellables(&skus).await;
                found.map_err(|ShelfError(why)| unavailable(why))?
            }
        };
        sent.complete(&self.shop, sellables).map_err(|error| unavailable(error.to_string()))
    }

    fn encode_ask(&self, ask: &CartAsk, out: &mut Vec<u8>) {
        cart::encode_by(ask.by, out);
        out.push(match ask.look {
            Look::Body(Shape::Full) => LOOK_FULL,
            Look::Body(Shape::Minimal) => LOOK_MINIMAL,
            Look::ShippingMethods => LOOK_SHIPPING_METHODS,
            Look::Order => LOOK_ORDER,
            Look::Hold => LOOK_HOLD,
            Look::Tries => LOOK_TRIES,
        });
    }

    fn decode_ask(&self, bytes: &[u8]) -> Result<CartAsk, DecodeError> {
        let (by, rest) = cart::decode_by(bytes)?;
        let look = match rest {
            [LOOK_FULL] => Look::Body(Shape::Full),
            [LOOK_MINIMAL] => Look::Body(Shape::Minimal),
            [LOOK_SHIPPING_METHODS] => Look::ShippingMethods,
            [LOOK_ORDER] => Look::Order,
            [LOOK_HOLD] => Look::Hold,
            [LOOK_TRIES] => Look::Tries,
            _ => return Err(DecodeError::Damaged("an unknown look at a cart")),
        };
        Ok(CartAsk { by, look })
    }

    fn encode_view(&self, view: &Bytes, out: &mut Vec<u8>) {
        out.extend_from_slice(view);
    }

    fn decode_view(&self, _id: u128, bytes: Bytes) -> Result<Bytes, DecodeError> {
        Ok(bytes)
    }

    fn encode_rejection(&self, rejection: &CartRejection, out: &mut Vec<u8>) {
        cart::encode_rejection(rejection, out);
    }

    fn decode_rejection(&self, bytes: &[u8]) -> Result<CartRejection, DecodeError> {
        cart::decode_rejection(bytes)
    }
}
