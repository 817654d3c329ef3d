//! How the shop sells: the ways to pay, and the checkouts on the stores of stock and orders.

use std::collections::BTreeMap;
use std::sync::Arc;

use barrow_adapters::gateways::{ManualPayment, TestGateway};
use barrow_engine::ports::{Clock, PaymentGateway};

use crate::app::TestPayments;
use crate::auth::TokenKeys;

/// Where the test gateway's page is on this server.
const TEST_PAGE: &str = "/v1/payments/test/pay";

/// The ways to pay, by the names that clients know them by.
pub(super) struct Gateways {
    pub all: BTreeMap<String, Arc<dyn PaymentGateway>>,
    /// The one whose page is on this server.
    pub test: Option<TestPayments>,
}

impl Gateways {
    pub fn new(token_keys: &TokenKeys, clock: Arc<dyn Clock>) -> Gateways {
        let test = Arc::new(TestGateway {
            page: TEST_PAGE.to_owned(),
            secret: token_keys.test_gateway_secret().to_vec(),
            clock,
        });
        let mut all: BTreeMap<String, Arc<dyn PaymentGateway>> = BTreeMap::new();
        all.insert("test".to_owned(), test.clone());
        all.insert("manual".to_owned(), Arc::new(ManualPayment));
        Gateways { all, test: Some(Arc::new(move |key, paid| test.told(key, paid))) }
    }
}
