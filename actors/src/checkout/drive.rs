//! What comes next in a checkout.

use std::time::Duration;

use barrow_engine::ids::CartId;
use barrow_engine::inventory::StockRefusal;
use barrow_engine::orders::{
    Actor, OperationState, Order, OrderCommand, OrderStatus, PaymentChoice, PaymentOutcome,
};

use super::steps::{BUYER, Shortage, TOO_LITTLE};
use super::{CheckoutError, Inner, Progress};
use crate::orders::book::{BookError, Written};
use crate::runtime::{Bug, is_planted};

/// Steps of one drive: an ordinary checkout takes four.
const STEPS_MAX: usize = 30;

/// How long a draft without a payment waits for the request that opened it.
const UNPAID_MAX: Duration = Duration::from_secs(30);

/// How a drive goes on.
enum Next {
    /// With the order as it is now.
    Go(Order),
    /// By looking at the order anew.
    Look,
    End(Progress),
}

impl Inner {
    /// Buys a frozen cart, whose order was at version `before` when it was looked at.
    pub(super) async fn buy(
        &self,
        cart: CartId,
        payment: PaymentChoice,
        before: Option<u64>,
    ) -> Result<Progress, CheckoutError> {
        let opened = match before {
            None => self.open_begun(cart, &payment).await?,
            Some(_) => self.open(cart).await?.map(|order| (order, Vec::new())),
        };
        match opened {
            Some((order, shortages)) if !shortages.is_empty() => {
                self.take_back(order).await?;
                Ok(Progress::Short(shortages))
            }
            Some((order, _)) => self.drive(order, Some(payment)).await,
            None => {
                let order = self.parts.orders.of_cart(cart).await?;
                match order {
                    Some(order) if super::is_over(&order) => {
                        Ok(Progress::Placed { order, before: true })
                    }
                    // Another request has ended the try that this one joined.
                    Some(order) if is_given_up(&order) && Some(order.version) != before => {
                        self.undo(order).await
                    }
                    _ => Err(Self::total_changed()),
                }
            }
        }
    }

    /// Where a checkout stands that is driven on.
    pub(super) async fn so_far(&self, cart: CartId) -> Result<Progress, CheckoutError> {
        match self.parts.orders.of_cart(cart).await? {
            Some(order) if super::is_over(&order) => Ok(Progress::Placed { order, before: false }),
            Some(order) => Ok(Progress::Pending(order)),
            None => Err(CheckoutError::Busy),
        }
    }

    /// Goes on until the checkout has come to an end, or waits for somebody else. Without a
    /// payment it is driven for a buyer who may have gone.
    pub(super) async fn drive(
        &self,
        order: Order,
        payment: Option<PaymentChoice>,
    ) -> Result<Progress, CheckoutError> {
        let id = order.id;
        let mut order = order;
        for _ in 0..STEPS_MAX {
            let next = match order.status {
                OrderStatus::Draft => self.go_on(order, payment.as_ref()).await?,
                OrderStatus::Abandoned => Next::End(self.undo(order).await?),
                OrderStatus::Placed | OrderStatus::Cancelled | OrderStatus::Completed => {
                    self.mark_ordered(&order).await?;
                    self.ended.remember(order.cart, order.freeze);
                    self.take_at_once(&order);
                    Next::End(Progress::Placed { order, before: false })
                }
            };
            order = match next {
                Next::Go(order) => order,
                Next::Look => self.look(id).await?,
                Next::End(progress) => return Ok(progress),
            };
        }
        Err(CheckoutError::Busy)
    }

    async fn go_on(
        &self,
        order: Order,
        payment: Option<&PaymentChoice>,
    ) -> Result<Next, CheckoutError> {
        let is_asked = order.pending_operations().next().is_some();
        if is_asked {
            return self.await_payment(order).await;
        }
        let is_paid = order.live_payment().is_some() || order.totals().total == 0;
        if !is_paid && order.has_tried_to_pay() {
            return self.abandon(&order, "the payment was declined").await;
        }
        if !is_paid && payment.is_none() {
            return self.await_buyer(order).await;
        }
        let shortages = self.reserve(&order).await?;
        if !shortages.is_empty() {
            return self.end_short(order, shortages).await;
        }
        match payment.filter(|_| !is_paid) {
            None => self.place(order).await,
            Some(choice) => {
                let start = OrderCommand::StartPayment(choice.clone());
                self.step(&order, start, BUYER).await
            }
        }
    }

    /// Leaves a draft to the request that opened it, which knows how it is to be paid and has to
    /// tell its buyer what came of it; unless that has gone.
    async fn await_buyer(&self, order: Order) -> Result<Next, CheckoutError> {
        let opened = order.timeline.last().map_or(order.created_at, |last| last.at);
        match self.parts.clock.now().since(opened) < UNPAID_MAX {
            true => Ok(Next::End(Progress::Pending(order))),
            false => self.abandon(&order, "nobody went on with it").await,
        }
    }

    /// Asks the gateway.
    async fn await_payment(&self, order: Order) -> Result<Next, CheckoutError> {
        let asked = match self.place_paid(&order).await? {
            Some(next) => return Ok(next),
            None => self.book.settle_money(order).await?,
        };
        let is_asked = asked.pending_operations().next().is_some();
        if is_asked { self.wait(asked).await } else { Ok(Next::Go(asked)) }
    }

    /// Keeps what is reserved for whoever pays elsewhere, or may have paid.
    async fn wait(&self, order: Order) -> Result<Next, CheckoutError> {
        self.reserve(&order).await?;
        Ok(Next::End(Progress::Pending(order)))
    }

    /// Asks a gateway for the one thing that an order waits for, and places the order in the
    /// transaction that records a yes: what was reserved a moment ago is still there. `None`
    /// where it is not as simple as that.
    async fn place_paid(&self, order: &Order) -> Result<Option<Next>, CheckoutError> {
        let mut pending = order.pending_operations();
        let (Some((key, payment, operation)), None) = (pending.next(), pending.next()) else {
            return Ok(None);
        };
        let Some(outcome) = self.book.answer(order, key, payment, operation).await else {
            return self.wait(order.clone()).await.map(Some);
        };
        let by = Actor::Gateway { name: payment.gateway.clone() };
        if matches!(outcome, PaymentOutcome::Succeeded { .. }) {
            let number = self.parts.orders.next_number().await?;
            let record = OrderCommand::RecordOutcome { key, outcome: outcome.clone() };
            let both = [(record, by), (OrderCommand::Place { number }, Actor::System)];
            match self.book.write_all(order, both, None).await {
                Ok(Written::Done(order)) => return Ok(Some(Next::Go(order))),
                // The answer stands, whatever keeps the order from being placed with it.
                Ok(Written::Stale | Written::Refused(_)) | Err(BookError::Rejected(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let gateway = payment.gateway.clone();
        let recorded = self.book.record_outcome(order.clone(), key, outcome, gateway).await?;
        let is_open = recorded.pending_operations().any(|(pending, ..)| pending == key);
        Ok(Some(if is_open { self.wait(recorded).await? } else { Next::Go(recorded) }))
    }

    async fn place(&self, order: Order) -> Result<Next, CheckoutError> {
        let number = self.parts.orders.next_number().await?;
        match self.write(&order, OrderCommand::Place { number }, Actor::System).await? {
            Written::Done(order) => Ok(Next::Go(order)),
            // It expired between the reservation and this: reserved anew, or there is too little.
            Written::Stale | Written::Refused(StockRefusal::ReservationGone { .. }) => {
                Ok(Next::Look)
            }
            Written::Refused(refusal) => {
                tracing::error!(order = %order.id, %refusal, "a paid order cannot be placed");
                self.abandon(&order, "the stock did not allow it").await
            }
        }
    }

    /// What placing left to be asked of gateways: nobody waits for it.
    fn take_at_once(&self, order: &Order) {
        if order.pending_operations().next().is_none() {
            return;
        }
        let (book, order) = (self.book.clone(), order.clone());
        self.tasks.spawn(async move {
            if let Err(error) = book.settle_money(order).await {
                tracing::warn!(?error, "what was to be captured at once waits");
            }
        });
    }

    async fn end_short(
        &self,
        order: Order,
        shortages: Vec<Shortage>,
    ) -> Result<Next, CheckoutError> {
        let next = self.abandon(&order, TOO_LITTLE).await?;
        if let Next::Go(order) = next {
            self.take_back(order).await?;
            return Ok(Next::End(Progress::Short(shortages)));
        }
        Ok(next)
    }

    async fn abandon(&self, order: &Order, reason: &str) -> Result<Next, CheckoutError> {
        let command = OrderCommand::Abandon { reason: reason.to_owned() };
        self.step(order, command, Actor::System).await
    }

    async fn step(
        &self,
        order: &Order,
        command: OrderCommand,
        by: Actor,
    ) -> Result<Next, CheckoutError> {
        Ok(match self.write(order, command, by).await? {
            Written::Done(order) => Next::Go(order),
            Written::Stale | Written::Refused(_) => Next::Look,
        })
    }

    /// Gives back what a draft had that was given up, and tells what came of it.
    async fn undo(&self, order: Order) -> Result<Progress, CheckoutError> {
        let order = self.take_back(order).await?;
        match order.live_payment() {
            Some(_) => Ok(Progress::Pending(order)),
            None => self.given_up(order).await,
        }
    }

    /// The cart is free at once; what is reserved is kept while a payment may still turn out to be
    /// made.
    async fn take_back(&self, order: Order) -> Result<Order, CheckoutError> {
        self.let_cart_go(&order).await?;
        let order = self.book.settle_money(order).await?;
        if order.live_payment().is_none() {
            self.let_go(&order).await?;
        }
        Ok(order)
    }

    /// What a buyer is told of a draft that was given up, whichever of their requests met the
    /// reason. Of what there was too little then there may be enough by now.
    async fn given_up(&self, order: Order) -> Result<Progress, CheckoutError> {
        if order.abandoned_for() == Some(TOO_LITTLE) {
            let shortages = self.missing(&order).await?;
            return Ok(match shortages.is_empty() {
                true => Progress::GivenUp(order),
                false => Progress::Short(shortages),
            });
        }
        Ok(match last_refusal(&order).filter(|_| order.has_tried_to_pay()) {
            Some(code) => Progress::Declined { order, code, before: false },
            None => Progress::GivenUp(order),
        })
    }

    pub(super) async fn give_up(&self, cart: CartId) -> Result<(), CheckoutError> {
        let Some(mut order) = self.parts.orders.of_cart(cart).await? else { return Ok(()) };
        if is_planted(Bug::UnfrozenWhileDraft) {
            self.let_cart_go(&order).await?;
        }
        for _ in 0..STEPS_MAX {
            if order.status != OrderStatus::Draft {
                break;
            }
            let reason = OrderCommand::Abandon { reason: "given up by the buyer".to_owned() };
            let next = self.step(&order, reason, BUYER).await?;
            order = match next {
                Next::Go(order) => order,
                _ => self.look(order.id).await?,
            };
        }
        match order.status {
            OrderStatus::Abandoned => self.take_back(order).await.map(drop),
            _ => Ok(()),
        }
    }
}

fn is_given_up(order: &Order) -> bool {
    order.status == OrderStatus::Abandoned
}

/// Why the newest payment was refused, if it was.
fn last_refusal(order: &Order) -> Option<String> {
    let operation = order.payments.last()?.operations.first()?;
    match &operation.state {
        OperationState::Failed { code } => Some(code.clone()),
        OperationState::Pending | OperationState::Succeeded => None,
    }
}
