//! Stripe's gateway against a server that speaks like Stripe: it keeps the promises of gateways,
//! whatever answer is lost and whatever is told twice.

#![expect(clippy::unwrap_used, reason = "what does not go as planned fails the test")]

mod events;
mod objects;
mod payments;
mod server;

use std::sync::Arc;
use std::time::Duration;

use barrow_adapters::gateways::{StripeGateway, StripeSettings};
use barrow_engine::ids::OrderId;
use barrow_engine::money::{Currency, Money};
use barrow_engine::orders::{OperationKey, OperationKind, PaymentOutcome};
use barrow_engine::ports::{Clock, GatewayAnswer, PaymentGateway, PaymentRequest};
use barrow_engine::time::Timestamp;
use parking_lot::Mutex;
use server::{SECRET_KEY, Stripe};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const WEBHOOK_SECRET: &str = "whsec_test_secret";

struct Time(Mutex<Timestamp>);

impl Clock for Time {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }
}

/// A shop with an account at Stripe.
struct Shop {
    stripe: Stripe,
    gateway: StripeGateway,
    time: Arc<Time>,
}

fn gateway_at(url: &str, secret_key: &str, time: &Arc<Time>) -> StripeGateway {
    let settings = StripeSettings {
        api_url: url.to_owned(),
        secret_key: secret_key.to_owned(),
        webhook_secret: WEBHOOK_SECRET.to_owned(),
        title: "Your order & more".to_owned(),
    };
    StripeGateway::new(settings, Arc::clone(time) as Arc<dyn Clock>).unwrap()
}

impl Shop {
    async fn open() -> Shop {
        let stripe = Stripe::start().await;
        let time = Arc::new(Time(Mutex::new(NOW)));
        let gateway = gateway_at(&stripe.url, SECRET_KEY, &time);
        let shop = Shop { stripe, gateway, time };
        shop.later(Duration::ZERO);
        shop
    }

    /// Lets time pass, for the shop and for Stripe.
    fn later(&self, time: Duration) {
        let mut now = self.time.0.lock();
        *now = now.plus(time);
        self.stripe.with(|objects| objects.now = now.as_millis() / 1_000);
    }

    async fn ask(&self, request: &PaymentRequest) -> String {
        word(self.gateway.ask(request).await)
    }

    async fn look_up(&self, request: &PaymentRequest) -> String {
        word(self.gateway.look_up(request).await)
    }

    /// A payment of so much that the buyer has made: what Stripe calls it.
    async fn paid(&self, attempt: u32, amount: i64) -> String {
        let request = request(attempt, 1, OperationKind::Authorize, amount, None);
        let asked = self.gateway.ask(&request).await.unwrap();
        let GatewayAnswer::Known(PaymentOutcome::ActionRequired { url, .. }) = asked else {
            panic!("the buyer is sent nowhere: {asked:?}")
        };
        self.stripe.with(|objects| objects.pay(&url))
    }
}

/// An answer as a word: the code of a refusal, the page of a buyer.
fn word(answer: Result<GatewayAnswer, barrow_engine::ports::GatewayError>) -> String {
    use barrow_engine::ports::GatewayError;
    match answer {
        Ok(GatewayAnswer::Known(PaymentOutcome::Succeeded { .. })) => "succeeded".to_owned(),
        Ok(GatewayAnswer::Known(PaymentOutcome::Failed { code })) => code,
        Ok(GatewayAnswer::Known(PaymentOutcome::ActionRequired { url, .. })) => url,
        Ok(GatewayAnswer::Pending) => "pending".to_owned(),
        Ok(GatewayAnswer::NeverAsked) => "never asked".to_owned(),
        Err(GatewayError::Unavailable(_)) => "unavailable".to_owned(),
        Err(GatewayError::OutcomeUnknown(_)) => "unknown".to_owned(),
    }
}

fn key(attempt: u32, operation: u32) -> OperationKey {
    OperationKey { order: OrderId(1), attempt, operation }
}

fn request(
    attempt: u32,
    operation: u32,
    kind: OperationKind,
    amount: i64,
    reference: Option<&str>,
) -> PaymentRequest {
    PaymentRequest {
        key: key(attempt, operation),
        kind,
        amount: Money::new(amount, Currency::from_code("EUR").unwrap()),
        method: "card".to_owned(),
        reference: reference.map(str::to_owned),
        return_url: Some("https://shop.example/paid?a=1&b=ä".to_owned()),
        at: NOW,
    }
}
