//! A gateway that answers as the method says, for shops without one, for tests and for those who
//! build on the API. No money moves.
//!
//! It keeps nothing: what it knows of an operation follows from the method, the operation's key
//! and how long ago it was first to be asked. So all nodes of a cluster tell the same, and a crash
//! loses nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::orders::{OperationKey, OperationKind, PaymentOutcome};
use barrow_engine::ports::{
    Clock, GatewayAnswer, GatewayError, Notice, PaymentGateway, PaymentRequest, WebhookError,
};
use barrow_engine::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::signature;

/// The header that carries the signature of a notice.
const SIGNATURE: &str = "test-signature";

/// How long `slow` takes.
const SLOW: Duration = Duration::from_secs(3);

/// How long nobody knows what became of an `ambiguous` payment. Its money is reserved at once.
const AMBIGUOUS: Duration = Duration::from_secs(2);

/// How long `late_webhook` takes to know.
const LATE: Duration = Duration::from_secs(5);

/// How long a buyer has who was sent elsewhere.
const SESSION: Duration = Duration::from_secs(30 * 60);

/// The gateway `test`.
pub struct TestGateway {
    /// Where its page is, without a slash at the end.
    pub page: String,
    pub secret: Vec<u8>,
    pub clock: Arc<dyn Clock>,
}

/// What it tells on its own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    operation: String,
    succeeded: bool,
}

impl TestGateway {
    /// A notice of what a buyer did on the gateway's page: its body, and the name and value of the
    /// header that signs it.
    pub fn notice(&self, key: OperationKey, succeeded: bool) -> (Vec<u8>, &'static str, String) {
        let told = Told { operation: key.to_string(), succeeded };
        let body = serde_json::to_vec(&told).expect("it is plain data");
        let signature = signature::sign(&self.secret, &body, self.clock.now());
        (body, SIGNATURE, signature)
    }

    /// What it tells once a buyer has done something on its page.
    pub fn told(&self, key: OperationKey, succeeded: bool) -> Notice {
        let outcome = match succeeded {
            true => PaymentOutcome::Succeeded { reference: Some(reference(key)) },
            false => PaymentOutcome::Failed { code: "cancelled".to_owned() },
        };
        Notice { key, outcome }
    }

    /// What is known of an authorization by now.
    fn known(&self, request: &PaymentRequest) -> GatewayAnswer {
        let age = self.clock.now().since(request.at);
        let succeeded = PaymentOutcome::Succeeded { reference: Some(reference(request.key)) };
        let failed = |code: &str| PaymentOutcome::Failed { code: code.to_owned() };
        GatewayAnswer::Known(match request.method.as_str() {
            "declined" => failed("card_declined"),
            "late_webhook" if age < LATE => return GatewayAnswer::Pending,
            "redirect" if age < SESSION => PaymentOutcome::ActionRequired {
                reference: reference(request.key),
                url: format!("{}/{}", self.page, request.key),
            },
            "redirect" => failed("session_expired"),
            _ => succeeded,
        })
    }
}

/// What it calls a payment.
fn reference(key: OperationKey) -> String {
    format!("test/{}/{}", key.order, key.attempt)
}

#[async_trait]
impl PaymentGateway for TestGateway {
    fn methods(&self) -> &[&str] {
        &["ok", "declined", "slow", "ambiguous", "redirect", "late_webhook"]
    }

    fn key_memory(&self) -> Duration {
        Duration::MAX
    }

    async fn ask(&self, request: &PaymentRequest) -> Result<GatewayAnswer, GatewayError> {
        if request.kind != OperationKind::Authorize {
            let reference = request.reference.clone();
            return Ok(GatewayAnswer::Known(PaymentOutcome::Succeeded { reference }));
        }
        match request.method.as_str() {
            "slow" => tokio::time::sleep(SLOW).await,
            "ambiguous" if self.clock.now().since(request.at) < AMBIGUOUS => {
                return Err(GatewayError::OutcomeUnknown("the answer was lost".to_owned()));
            }
            _ => {}
        }
        Ok(self.known(request))
    }

    async fn look_up(&self, request: &PaymentRequest) -> Result<GatewayAnswer, GatewayError> {
        self.ask(request).await
    }

    fn notices(
        &self,
        header: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<Notice>, WebhookError> {
        let signed = header(SIGNATURE).ok_or(WebhookError::NotSigned)?;
        signature::check(&self.secret, &signed, body, now)?;
        let unreadable =
            |error: &dyn std::fmt::Display| WebhookError::Unreadable(error.to_string());
        let told: Told = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        let key: OperationKey = told.operation.parse().map_err(|error| unreadable(&error))?;
        Ok(vec![self.told(key, told.succeeded)])
    }
}

#[cfg(test)]
mod tests {
    use barrow_engine::ids::OrderId;
    use barrow_engine::money::{Currency, Money};
    use parking_lot::Mutex;

    use super::*;

    struct At(Mutex<Timestamp>);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            *self.0.lock()
        }

        fn uptime(&self) -> Duration {
            Duration::ZERO
        }
    }

    const ASKED: Timestamp = Timestamp(1_790_000_000_000);
    const KEY: OperationKey = OperationKey { order: OrderId(1), attempt: 1, operation: 1 };

    fn gateway(seconds_later: u64) -> TestGateway {
        let now = ASKED.plus(Duration::from_secs(seconds_later));
        TestGateway {
            page: "http://shop/pay".to_owned(),
            secret: b"secret".to_vec(),
            clock: Arc::new(At(Mutex::new(now))),
        }
    }

    fn request(method: &str, kind: OperationKind) -> PaymentRequest {
        PaymentRequest {
            key: KEY,
            kind,
            amount: Money::new(1299, Currency::from_code("EUR").unwrap()),
            method: method.to_owned(),
            reference: Some("test/1".to_owned()),
            return_url: None,
            at: ASKED,
        }
    }

    /// The answer as a word.
    async fn answer(method: &str, seconds_later: u64) -> String {
        let asked = gateway(seconds_later).ask(&request(method, OperationKind::Authorize)).await;
        match asked {
            Ok(GatewayAnswer::Known(PaymentOutcome::Succeeded { .. })) => "succeeded".into(),
            Ok(GatewayAnswer::Known(PaymentOutcome::Failed { code })) => code,
            Ok(GatewayAnswer::Known(PaymentOutcome::ActionRequired { url, .. })) => url,
            Ok(GatewayAnswer::Pending) => "pending".into(),
            Ok(GatewayAnswer::NeverAsked) => "never asked".into(),
            Err(GatewayError::OutcomeUnknown(_)) => "unknown".into(),
            Err(GatewayError::Unavailable(_)) => "unavailable".into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_method_has_its_outcome() {
        assert_eq!(answer("ok", 0).await, "succeeded");
        assert_eq!(answer("declined", 0).await, "card_declined");
        assert_eq!(answer("ambiguous", 0).await, "unknown");
        assert_eq!(answer("ambiguous", 2).await, "succeeded");
        assert_eq!(answer("late_webhook", 4).await, "pending");
        assert_eq!(answer("late_webhook", 5).await, "succeeded");
        assert_eq!(answer("redirect", 60).await, format!("http://shop/pay/{KEY}"));
        assert_eq!(answer("redirect", 1_800).await, "session_expired");
        let before = tokio::time::Instant::now();
        assert_eq!(answer("slow", 0).await, "succeeded");
        assert_eq!(before.elapsed(), SLOW);
        for kind in [OperationKind::Capture, OperationKind::Void, OperationKind::Refund] {
            let asked = gateway(0).ask(&request("ambiguous", kind)).await;
            let reference = Some("test/1".to_owned());
            assert_eq!(asked, Ok(GatewayAnswer::Known(PaymentOutcome::Succeeded { reference })));
        }
    }

    #[test]
    fn a_notice_is_believed_if_it_is_signed() {
        let gateway = gateway(0);
        let (body, name, value) = gateway.notice(KEY, true);
        let header = |asked: &str| (asked == name).then(|| value.clone());
        let notices = gateway.notices(&header, &body, ASKED).unwrap();
        let reference = Some(format!("test/{}/1", OrderId(1)));
        let outcome = PaymentOutcome::Succeeded { reference };
        assert_eq!(notices, [Notice { key: KEY, outcome }]);
        let unsigned = gateway.notices(&|_| None, &body, ASKED);
        assert_eq!(unsigned, Err(WebhookError::NotSigned));
        let changed = String::from_utf8(body).unwrap().replace("true", "false");
        let changed = gateway.notices(&header, changed.as_bytes(), ASKED);
        assert_eq!(changed, Err(WebhookError::NotSigned));
    }
}
