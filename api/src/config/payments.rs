//! Who moves the money, and when it is taken.

use std::net::IpAddr;

use barrow_engine::orders::CapturePolicy;
use serde::{Deserialize, Serialize};

use super::section::section;
use super::sections::{Config, Profile};
use super::units::{Secret, ServerUrl};

section! {
    /// Who moves the money, and when it is taken.
    pub struct Payments {
        /// When reserved money is taken: `manual` (when staff says so), `at_fulfilment` (as units
        /// leave the house) or `at_once` (as soon as the order is placed).
        pub capture: Capture = Capture::AtFulfilment,
        /// Who can be paid by: `stripe`, `manual` (an invoice that staff books as paid), `test`
        /// (no money moves, and whoever asks gets the goods). Empty: `stripe` and `manual` where
        /// Stripe has its key; without one `test` and `manual` in the profile embedded, to try
        /// the shop out, and `manual` alone in the profile aws.
        pub gateways: Vec<Gateway> = Vec::new(),
        /// The shop's account at Stripe.
        pub stripe: Stripe = Stripe::default(),
    }
}

section! {
    /// The shop's account at Stripe.
    pub struct Stripe {
        /// The secret key: `sk_live_...`, or better a restricted one, `rk_live_...`, that may
        /// write Checkout Sessions, Payment Intents and Refunds.
        pub secret_key: Option<Secret> = None,
        /// The signing secret of the webhook endpoint `/v1/payments/stripe/webhook`: `whsec_...`.
        pub webhook_secret: Option<Secret> = None,
        /// What a buyer reads on Stripe's page beside the amount.
        pub title: String = "Your order".to_owned(),
        /// Another server that speaks like Stripe, for tests. Unset: Stripe.
        pub api_url: Option<ServerUrl> = None,
    }
}

/// A payment gateway that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gateway {
    Stripe,
    Manual,
    Test,
}

impl Gateway {
    pub fn name(self) -> &'static str {
        match self {
            Gateway::Stripe => "stripe",
            Gateway::Manual => "manual",
            Gateway::Test => "test",
        }
    }
}

/// When reserved money is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    Manual,
    AtFulfilment,
    AtOnce,
}

impl Capture {
    pub fn policy(self) -> CapturePolicy {
        match self {
            Capture::Manual => CapturePolicy::Manual,
            Capture::AtFulfilment => CapturePolicy::AtFulfilment,
            Capture::AtOnce => CapturePolicy::AtOnce,
        }
    }
}

impl Config {
    /// Who can be paid by. The test gateway is there only where somebody named it, or on a shop
    /// that is being tried out: with a key of Stripe's it is none.
    pub fn gateways(&self) -> Vec<Gateway> {
        let has_stripe = self.payments.stripe.secret_key.is_some();
        match self.profile {
            _ if !self.payments.gateways.is_empty() => self.payments.gateways.clone(),
            _ if has_stripe => vec![Gateway::Stripe, Gateway::Manual],
            Profile::Embedded => vec![Gateway::Test, Gateway::Manual],
            Profile::Aws => vec![Gateway::Manual],
        }
    }
}

/// What is wrong with the payments: each with its key and what is to be done.
pub(super) fn problems(config: &Config) -> Vec<(&'static str, String)> {
    let Payments { stripe, .. } = &config.payments;
    let gateways = config.gateways();
    let mut problems = Vec::new();
    let mut check = |holds: bool, key: &'static str, what: &str| {
        if !holds {
            problems.push((key, what.to_owned()));
        }
    };
    let mut names = gateways.clone();
    names.sort_unstable();
    names.dedup();
    check(names.len() == gateways.len(), "payments.gateways", "one is named twice");
    // Neither is shown: it may be a secret that was pasted into the wrong place.
    let begins = |secret: &Option<Secret>, with: &[&str]| {
        let text = secret.as_ref().map_or("", Secret::expose);
        with.iter().any(|with| text.starts_with(with) && text.len() > with.len())
    };
    let is_wanted = gateways.contains(&Gateway::Stripe);
    check(
        begins(&stripe.secret_key, &["sk_", "rk_"]) || (stripe.secret_key.is_none() && !is_wanted),
        "payments.stripe.secret_key",
        "payments go to Stripe: it has to be a key that begins with sk_ or rk_",
    );
    check(
        begins(&stripe.webhook_secret, &["whsec_"])
            || (stripe.webhook_secret.is_none() && !is_wanted),
        "payments.stripe.webhook_secret",
        "payments go to Stripe: it has to be the endpoint's signing secret, whsec_...",
    );
    let title = &stripe.title;
    check(
        !title.trim().is_empty() && title.chars().count() <= 200,
        "payments.stripe.title",
        "it is empty, or has more than 200 characters",
    );
    check(
        stripe.api_url.as_ref().is_none_or(is_safe),
        "payments.stripe.api_url",
        "it is neither https:// nor http:// on this machine: the key would be seen on its way",
    );
    problems
}

fn is_safe(url: &ServerUrl) -> bool {
    let rest = url.expose().split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or_default();
    let is_here =
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => !host.is_empty(),
        "http" => is_here && !authority.contains('@'),
        _ => false,
    }
}
