//! How the shop sells: when units are reserved, the ways to pay, and the checkouts on the stores of
//! stock and orders.

use std::collections::BTreeMap;
use std::sync::Arc;

use barrow_actors::carts::{Carts, HoldParts};
use barrow_actors::stock::Stock;
use barrow_adapters::gateways::{ManualPayment, TestGateway};
use barrow_engine::ports::{Clock, PaymentGateway};

use super::start::StartError;
use crate::app::TestPayments;
use crate::auth::TokenKeys;
use crate::config::{Config, Gateway};

/// Where the test gateway's page is on this server.
const TEST_PAGE: &str = "/v1/payments/test/pay";

/// Carts that reserve what is in them, where the shop is configured so.
pub(super) fn with_holds(
    carts: Carts,
    config: &Config,
    stock: &Stock,
    clock: &Arc<dyn Clock>,
) -> Carts {
    match config.inventory.hold_ttl() {
        Some(ttl) => carts.held_with(HoldParts { stock: stock.clone(), clock: clock.clone(), ttl }),
        None => carts,
    }
}

/// The ways to pay, by the names that clients know them by.
pub(super) struct Gateways {
    pub all: BTreeMap<String, Arc<dyn PaymentGateway>>,
    /// The one whose page is on this server.
    pub test: Option<TestPayments>,
}

impl Gateways {
    /// Those that the configuration names, but for the test gateway: that one signs, so it comes
    /// when there are keys.
    pub fn new(config: &Config, clock: &Arc<dyn Clock>) -> Result<Gateways, StartError> {
        let mut all: BTreeMap<String, Arc<dyn PaymentGateway>> = BTreeMap::new();
        for gateway in config.gateways() {
            let made: Arc<dyn PaymentGateway> = match gateway {
                Gateway::Manual => Arc::new(ManualPayment),
                Gateway::Stripe => stripe(config, Arc::clone(clock))?,
                Gateway::Test => continue,
            };
            all.insert(gateway.name().to_owned(), made);
        }
        Ok(Gateways { all, test: None })
    }

    /// Adds the test gateway, where the configuration names it.
    pub fn with_test(
        mut self,
        config: &Config,
        token_keys: &TokenKeys,
        clock: Arc<dyn Clock>,
    ) -> Gateways {
        if config.gateways().contains(&Gateway::Test) {
            let test = Arc::new(TestGateway {
                page: TEST_PAGE.to_owned(),
                secret: token_keys.test_gateway_secret().to_vec(),
                clock,
            });
            self.all.insert(Gateway::Test.name().to_owned(), test.clone());
            self.test = Some(Arc::new(move |key, paid| test.told(key, paid)));
        }
        self
    }
}

#[cfg(feature = "stripe")]
fn stripe(config: &Config, clock: Arc<dyn Clock>) -> Result<Arc<dyn PaymentGateway>, StartError> {
    use barrow_adapters::gateways::{STRIPE_API, StripeGateway, StripeSettings};
    let stripe = &config.payments.stripe;
    let secret = |key, secret: &Option<crate::config::Secret>| match secret {
        Some(secret) => Ok(secret.expose().to_owned()),
        None => Err(StartError::configuration(key, "it is not set")),
    };
    let api_url = stripe.api_url.as_ref().map_or(STRIPE_API, |url| url.expose());
    let settings = StripeSettings {
        api_url: api_url.to_owned(),
        secret_key: secret("payments.stripe.secret_key", &stripe.secret_key)?,
        webhook_secret: secret("payments.stripe.webhook_secret", &stripe.webhook_secret)?,
        title: stripe.title.clone(),
    };
    let made = StripeGateway::new(settings, clock);
    Ok(Arc::new(made.map_err(|error| StartError::configuration("payments.stripe", error))?))
}

#[cfg(not(feature = "stripe"))]
fn stripe(_: &Config, _: Arc<dyn Clock>) -> Result<Arc<dyn PaymentGateway>, StartError> {
    Err(StartError::configuration("payments.gateways", "this build lacks `stripe`"))
}

#[cfg(test)]
mod tests {
    use barrow_adapters::host::SystemClock;

    use super::*;
    use crate::config::{FlagValue, Sources, load};

    fn gateways(flags: &[(&str, &str)]) -> Result<(Vec<String>, bool), String> {
        let flags = flags.iter().map(|(key, text)| FlagValue {
            flag: "--set".to_owned(),
            key: (*key).to_owned(),
            text: (*text).to_owned(),
        });
        let sources = Sources { flags: flags.collect(), ..Sources::default() };
        let config = load(&sources).map_err(|error| error.to_string())?.config;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let made = Gateways::new(&config, &clock).map_err(|error| error.to_string())?;
        let keys = TokenKeys::from_configured("a key of at least 32 characters");
        let made = made.with_test(&config, &keys, clock);
        Ok((made.all.into_keys().collect(), made.test.is_some()))
    }

    #[test]
    fn who_is_not_named_cannot_be_paid_by() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(gateways(&[]), Ok((names(&["manual", "test"]), true)));
        let manual = gateways(&[("payments.gateways", "manual")]);
        assert_eq!(manual, Ok((names(&["manual"]), false)), "the page has gone with its gateway");
    }

    #[cfg(feature = "stripe")]
    #[test]
    fn a_gateway_that_cannot_be_made_is_a_wrong_configuration() {
        let with = |key: &str| {
            gateways(&[
                ("payments.stripe.secret_key", key),
                ("payments.stripe.webhook_secret", "whsec_sesame"),
            ])
        };
        let (names, has_test) = with("sk_test_sesame").unwrap();
        assert_eq!((names.join(","), has_test), ("manual,stripe".to_owned(), false));
        let error = with("sk_test_se\nsame").unwrap_err();
        assert!(error.contains("payments.stripe") && !error.contains("same"), "{error}");
    }
}
