//! Exchanges: what came back pays for another order.
//!
//! The other order goes the way of a checkout: its stock is reserved, its payment authorized, and
//! it is placed or given up. What authorizes, though, is the order that the units came back from:
//! it notes a credit in a write of its own, once for the operation's key. So whoever crashes
//! between the two rows, the other order is a draft with a pending operation, and is driven.

use barrow_engine::catalog::Sku;
use barrow_engine::ids::{CartId, OrderId, ReturnId};
use barrow_engine::inventory::StockRefusal;
use barrow_engine::orders::{
    Actor, CommandKey, EXCHANGE_GATEWAY, ExchangeOf, NewOrder, OperationKey, OperationKind, Order,
    OrderCommand, OrderRejection, OrderStatus, PaymentChoice, PaymentOutcome, RefundStatus,
    ShippingCharge,
};
use barrow_engine::ports::{GatewayAnswer, Opened, PaymentRequest};

use super::book::{BookError, OrderBook, TRIES_MAX, Written};
use super::{Executed, Inner, OrderCaller, OrderDeskError, OrderTerms, Orders};
use crate::checkout::{CheckoutError, Progress, Shortage};

impl Orders {
    /// Makes an order in exchange for a return that was received for that; what is left of its
    /// value is paid back. It may not cost more. Shipping is free.
    ///
    /// # Errors
    /// Nothing was exchanged.
    pub async fn exchange(
        &self,
        id: OrderId,
        of_return: ReturnId,
        wanted: &[(Sku, u32)],
        caller: OrderCaller,
        terms: OrderTerms,
    ) -> Result<Executed, OrderDeskError> {
        let OrderCaller::Staff { .. } = caller else { return Err(OrderDeskError::Forbidden) };
        let inner = &self.inner;
        let before = self.get(id, &caller).await?;
        let key = terms.key.map(|key| caller.key(key));
        let exchange = ExchangeOf { order: id, of_return };
        let earlier = inner.book.orders.get(exchange_id(exchange)).await?;
        // A try that was given up changed nothing: asked again it is decided anew.
        let made = earlier.as_ref().filter(|order| order.status != OrderStatus::Abandoned);
        if let Some(made) = made
            && let Some(done) = inner.recalled(made, key.as_ref())?
        {
            return Ok(done);
        }
        let current = before.version;
        if terms.expected_version.is_some_and(|expected| expected != current) {
            return Err(OrderDeskError::VersionMismatch { current });
        }
        let new = inner.to_exchange(&before, exchange, wanted).await?;
        let draft = inner.open_exchange(new, earlier, key).await?;
        let payment = PaymentChoice {
            gateway: EXCHANGE_GATEWAY.to_owned(),
            method: of_return.to_string(),
            return_url: None,
            request: None,
        };
        let progress = inner.checkouts.pay(draft, payment).await.map_err(of_checkout)?;
        if let Ok(order) = inner.book.look(id).await {
            inner.settle(&before, order).await;
        }
        match progress {
            Progress::Placed { order, .. } | Progress::Pending(order) => {
                let made = Some(order.id.to_string());
                Ok(Executed { order, replayed: None, made })
            }
            Progress::Short(shortages) => Err(short(shortages)),
            Progress::Declined { .. } | Progress::GivenUp(_) => {
                Err(OrderDeskError::Rejected(OrderRejection::WrongStep))
            }
        }
    }
}

/// A return is exchanged once, for an order of this id.
fn exchange_id(exchange: ExchangeOf) -> OrderId {
    OrderId::derived(&format!("exchange/{}", exchange.of_return))
}

fn short(shortages: Vec<Shortage>) -> OrderDeskError {
    match shortages.into_iter().next() {
        Some(Shortage { sku, requested, available, .. }) => {
            let requested = u64::from(requested);
            OrderDeskError::Stock(StockRefusal::TooFew { sku, requested, available })
        }
        None => OrderDeskError::Busy,
    }
}

fn of_checkout(error: CheckoutError) -> OrderDeskError {
    match error {
        CheckoutError::Order(rejection) => OrderDeskError::Rejected(rejection),
        CheckoutError::Store(error) => OrderDeskError::Store(error),
        CheckoutError::Catalog(error) => OrderDeskError::Catalog(error),
        _ => OrderDeskError::Busy,
    }
}

impl Inner {
    async fn to_exchange(
        &self,
        before: &Order,
        exchange: ExchangeOf,
        wanted: &[(Sku, u32)],
    ) -> Result<NewOrder, OrderDeskError> {
        let left = before.exchange_value(exchange.of_return).map_err(OrderDeskError::Rejected)?;
        let lines = self.price_lines(before, wanted).await?;
        let new = NewOrder {
            id: exchange_id(exchange),
            cart: CartId::derived(&format!("exchange/{}", exchange.of_return)),
            cart_version: 0,
            freeze: 1,
            owner: before.owner,
            channel: before.channel.clone(),
            locale: before.locale.clone(),
            currency: before.currency,
            tax_included: before.tax_included,
            contact: before.contact.clone(),
            addresses: before.addresses.clone(),
            shipping: ShippingCharge { price: 0, tax: 0, ..before.shipping.clone() },
            lines,
            exchange_of: Some(exchange),
        };
        match Order::draft(new.clone(), self.book.clock.now()).totals().total {
            ..1 => Err(OrderDeskError::Rejected(OrderRejection::InvalidAmount)),
            total if total > left => {
                Err(OrderDeskError::Rejected(OrderRejection::CaptureExceedsAuthorized { left }))
            }
            _ => Ok(new),
        }
    }

    /// The draft, new or once more after a try that was given up.
    async fn open_exchange(
        &self,
        new: NewOrder,
        earlier: Option<Order>,
        key: Option<CommandKey>,
    ) -> Result<Order, OrderDeskError> {
        let now = self.book.clock.now();
        if let Some(earlier) = earlier {
            if earlier.status != OrderStatus::Abandoned {
                return Err(OrderDeskError::Rejected(OrderRejection::WrongStep));
            }
            let again = NewOrder { freeze: earlier.freeze + 1, ..new };
            let reopen = OrderCommand::Reopen(again);
            return match self.book.write(&earlier, reopen, Actor::System, key).await? {
                Written::Done(order) => Ok(order),
                Written::Stale | Written::Refused(_) => Err(OrderDeskError::Busy),
            };
        }
        let mut draft = Order::draft(new, now);
        if let Some(key) = key {
            draft.remember(key, Some(draft.id.to_string()), now);
        }
        match self.book.orders.open(&draft).await? {
            Opened::New => Ok(draft),
            // Somebody else exchanges it at this moment.
            Opened::Existing(order) if *order == draft => Ok(draft),
            Opened::Existing(_) | Opened::OverLimit(_) => {
                Err(OrderDeskError::Rejected(OrderRejection::WrongStep))
            }
        }
    }
}

impl OrderBook {
    /// Asks an order for what it holds for another, as a gateway is asked.
    pub(super) async fn ask_exchange(
        &self,
        exchange: ExchangeOf,
        request: &PaymentRequest,
    ) -> Result<GatewayAnswer, BookError> {
        let (id, key, amount) = (exchange.of_return, request.key, request.amount.amount);
        let command = match request.kind {
            // It is the house's already.
            OperationKind::Capture => return Ok(succeeded(exchange)),
            OperationKind::Authorize => OrderCommand::GiveCredit { id, key, amount },
            OperationKind::Void | OperationKind::Refund => {
                OrderCommand::TakeCreditBack { key, amount }
            }
        };
        let order = match self.write_surely(exchange.order, command).await {
            Err(BookError::Rejected(rejection)) => {
                let code = rejection.code().to_owned();
                return Ok(GatewayAnswer::Known(PaymentOutcome::Failed { code }));
            }
            written => written?,
        };
        // It is asked at gateways at once. A credit holds whatever becomes of the rest.
        let order = Box::pin(self.settle_money(order)).await?;
        match request.kind {
            OperationKind::Authorize => Ok(succeeded(exchange)),
            _ => Ok(paid_back(&order, key, exchange)),
        }
    }

    async fn write_surely(&self, id: OrderId, command: OrderCommand) -> Result<Order, BookError> {
        for _ in 0..TRIES_MAX {
            let order = self.look(id).await?;
            let written = self.write(&order, command.clone(), Actor::System, None).await?;
            if let Written::Done(order) = written {
                return Ok(order);
            }
        }
        Err(BookError::Busy)
    }
}

fn succeeded(exchange: ExchangeOf) -> GatewayAnswer {
    let reference = Some(exchange.of_return.to_string());
    GatewayAnswer::Known(PaymentOutcome::Succeeded { reference })
}

/// What became of the money that an operation of the other order asked back.
fn paid_back(order: &Order, key: OperationKey, exchange: ExchangeOf) -> GatewayAnswer {
    let refunds = || order.refunds.iter().filter(|refund| refund.for_credit == Some(key));
    if refunds().any(|refund| refund.status == RefundStatus::Pending) {
        return GatewayAnswer::Pending;
    }
    match refunds().all(|refund| refund.status == RefundStatus::Succeeded) {
        true => succeeded(exchange),
        false => {
            let code = "refused".to_owned();
            GatewayAnswer::Known(PaymentOutcome::Failed { code })
        }
    }
}
