//! The shop that a deployment sells by until it is told otherwise: enough of the world's
//! currencies, taxes and ways to ship that every rule can be seen at work.

use super::{Channel, ShippingMethod, ShippingRate, Shop, TaxRate, TaxTable, TaxZone};
use crate::catalog::{ChannelId, CountryCode, Locale};
use crate::money::{Currency, Money};

/// Standard and reduced rates in basis points, of 2026.
const VAT: [(&str, u32, u32); 17] = [
    ("DE", 1900, 700),
    ("AT", 2000, 1000),
    ("BE", 2100, 600),
    ("CH", 810, 260),
    ("CZ", 2100, 1200),
    ("DK", 2500, 2500),
    ("ES", 2100, 1000),
    ("FI", 2550, 1350),
    ("FR", 2000, 550),
    ("GB", 2000, 500),
    ("IE", 2300, 1350),
    ("IT", 2200, 1000),
    ("LU", 1700, 800),
    ("NL", 2100, 900),
    ("PL", 2300, 800),
    ("PT", 2300, 600),
    ("SE", 2500, 1200),
];

/// Sales tax of a few states, and whether they tax shipping.
const STATES: [(&str, u32, bool); 8] = [
    ("CA", 725, false),
    ("FL", 600, true),
    ("IL", 625, true),
    ("MA", 625, false),
    ("NY", 400, true),
    ("PA", 600, true),
    ("TX", 625, true),
    ("WA", 650, true),
];

impl Shop {
    /// The default shop: channel `web` with prices that include the tax, in three currencies;
    /// channel `us` with the tax on top, by state.
    pub fn sample() -> Shop {
        let web_countries = VAT.iter().map(|(code, ..)| *code).chain(["US"]);
        Shop {
            name: "Barrow".to_owned(),
            default_channel: channel_id("web"),
            channels: vec![
                Channel {
                    id: channel_id("web"),
                    currencies: ["EUR", "USD", "GBP"].map(currency).to_vec(),
                    locales: ["en", "de", "fr", "es", "it", "nl"].map(locale).to_vec(),
                    countries: web_countries.map(country).collect(),
                    tax_included: true,
                },
                Channel {
                    id: channel_id("us"),
                    currencies: vec![currency("USD")],
                    locales: ["en", "es"].map(locale).to_vec(),
                    countries: vec![country("US")],
                    tax_included: false,
                },
            ],
            tax: TaxTable { zones: vat_zones().chain(state_zones()).collect() },
            shipping_methods: shipping_methods(),
        }
    }
}

fn vat_zones() -> impl Iterator<Item = TaxZone> {
    VAT.iter().map(|(code, standard_bp, reduced_bp)| TaxZone {
        id: code.to_ascii_lowercase(),
        countries: vec![country(code)],
        regions: Vec::new(),
        rates: vec![tax_rate("standard", *standard_bp), tax_rate("reduced", *reduced_bp)],
    })
}

fn state_zones() -> impl Iterator<Item = TaxZone> {
    STATES.iter().map(|(state, standard_bp, taxes_shipping)| {
        let shipping_bp = if *taxes_shipping { *standard_bp } else { 0 };
        TaxZone {
            id: format!("us-{}", state.to_ascii_lowercase()),
            countries: vec![country("US")],
            regions: vec![(*state).to_owned()],
            rates: vec![tax_rate("standard", *standard_bp), tax_rate("shipping", shipping_bp)],
        }
    })
}

fn tax_rate(category: &str, rate_bp: u32) -> TaxRate {
    TaxRate { category: category.to_owned(), rate_bp }
}

fn shipping_methods() -> Vec<ShippingMethod> {
    let mut standard = method("standard", "Standard", "2 to 4 working days");
    standard.channels = vec![channel_id("web")];
    standard.countries = VAT.iter().map(|(code, ..)| country(code)).collect();
    standard.rates = vec![
        shipping_rate("EUR", 490, 0),
        shipping_rate("EUR", 0, 5000),
        shipping_rate("USD", 590, 0),
        shipping_rate("USD", 0, 6000),
        shipping_rate("GBP", 450, 0),
        shipping_rate("GBP", 0, 4500),
    ];
    let mut express = method("express", "Express", "the next working day");
    express.channels = vec![channel_id("web")];
    express.countries = standard.countries.clone();
    express.rates = vec![
        shipping_rate("EUR", 1290, 0),
        shipping_rate("USD", 1490, 0),
        shipping_rate("GBP", 1190, 0),
    ];
    let mut overseas = method("overseas", "Overseas", "6 to 10 working days");
    overseas.channels = vec![channel_id("web")];
    overseas.countries = vec![country("US")];
    overseas.rates = vec![
        shipping_rate("EUR", 1490, 0),
        shipping_rate("USD", 1690, 0),
        shipping_rate("GBP", 1290, 0),
    ];
    let mut ground = method("us-ground", "Ground", "3 to 5 business days");
    ground.channels = vec![channel_id("us")];
    ground.rates = vec![shipping_rate("USD", 699, 0), shipping_rate("USD", 0, 7500)];
    let mut air = method("us-air", "Two-day air", "2 business days");
    air.channels = vec![channel_id("us")];
    air.rates = vec![shipping_rate("USD", 1899, 0)];
    vec![standard, express, overseas, ground, air]
}

fn method(id: &str, name: &str, estimate: &str) -> ShippingMethod {
    ShippingMethod {
        id: id.to_owned(),
        name: name.to_owned(),
        estimate: estimate.to_owned(),
        channels: Vec::new(),
        countries: Vec::new(),
        rates: Vec::new(),
    }
}

fn shipping_rate(code: &str, amount: i64, min_subtotal: i64) -> ShippingRate {
    ShippingRate { price: Money::new(amount, currency(code)), min_subtotal }
}

fn channel_id(text: &str) -> ChannelId {
    text.parse().expect("the sample's channels are well formed")
}

fn country(text: &str) -> CountryCode {
    text.parse().expect("the sample's countries exist")
}

fn locale(text: &str) -> Locale {
    text.parse().expect("the sample's locales are well formed")
}

fn currency(code: &str) -> Currency {
    Currency::from_code(code).expect("the sample's currencies exist")
}
