//! Taxes: which rate a category of goods bears in a zone, and how much of an amount is tax.

use serde::{Deserialize, Serialize};

use crate::catalog::CountryCode;
use crate::money::divide_half_up;

/// The category that a zone's other categories fall back to.
pub const TAX_STANDARD: &str = "standard";

/// The category of shipping.
pub const TAX_SHIPPING: &str = "shipping";

/// 100 %: no sales tax comes near, so a higher one is a slip of the decimal point.
pub const TAX_RATE_BP_MAX: u32 = 10_000;

/// Basis points in a whole.
const WHOLE_BP: i128 = 10_000;

/// A rate in basis points: 1900 is 19 %.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxRate {
    /// A tax category of variants; shipping is `shipping`, and falls back to `standard`.
    pub category: String,
    pub rate_bp: u32,
}

/// Countries, or a region of one, that share their rates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxZone {
    pub id: String,
    pub countries: Vec<CountryCode>,
    /// Where given, only these regions of the countries; such a zone goes before one without.
    #[serde(default)]
    pub regions: Vec<String>,
    pub rates: Vec<TaxRate>,
}

/// All zones. A place in no zone bears no tax.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxTable {
    pub zones: Vec<TaxZone>,
}

impl TaxTable {
    /// The rate in basis points that goods of `category` bear in a place. Zones of the region
    /// go before zones of the whole country. A category that the zone does not name, shipping
    /// among them, bears its `standard` rate: an exemption has to be said.
    pub fn rate_bp(&self, country: &CountryCode, region: Option<&str>, category: &str) -> u32 {
        let regional = self.zones.iter().filter(|zone| zone.holds_region(country, region));
        let national = self.zones.iter().filter(|zone| zone.holds_country(country));
        regional.chain(national).find_map(|zone| zone.rate_bp(category)).unwrap_or(0)
    }
}

impl TaxZone {
    fn holds_region(&self, country: &CountryCode, region: Option<&str>) -> bool {
        region.is_some_and(|region| {
            // Shoppers type their region: neither case nor stray spaces may cost them a tax.
            self.regions.iter().any(|own| own.eq_ignore_ascii_case(region.trim()))
                && self.countries.contains(country)
        })
    }

    fn holds_country(&self, country: &CountryCode) -> bool {
        self.regions.is_empty() && self.countries.contains(country)
    }

    fn rate_bp(&self, category: &str) -> Option<u32> {
        let rate_of = |wanted: &str| self.rates.iter().find(|rate| rate.category == wanted);
        rate_of(category).or_else(|| rate_of(TAX_STANDARD)).map(|rate| rate.rate_bp)
    }
}

/// The tax on an amount in minor units: the part of it that is tax where prices include the
/// tax, what comes on top of it where they do not. Rounded half away from zero, so that a
/// refund bears exactly the tax that the sale bore.
pub fn tax_amount(amount: i64, rate_bp: u32, included: bool) -> i64 {
    let rate = i128::from(rate_bp);
    let whole = if included { WHOLE_BP + rate } else { WHOLE_BP };
    let tax = divide_half_up(i128::from(amount) * rate, whole);
    i64::try_from(tax).unwrap_or(if tax > 0 { i64::MAX } else { i64::MIN })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::AMOUNT_MAX;

    fn zone(countries: &[&str], regions: &[&str], rates: &[(&str, u32)]) -> TaxZone {
        TaxZone {
            id: format!("{countries:?}{regions:?}"),
            countries: countries.iter().map(|code| code.parse().unwrap()).collect(),
            regions: regions.iter().map(|region| region.to_string()).collect(),
            rates: rates
                .iter()
                .map(|(category, rate_bp)| TaxRate {
                    category: category.to_string(),
                    rate_bp: *rate_bp,
                })
                .collect(),
        }
    }

    fn check(country: &str, region: Option<&str>, category: &str, expected_bp: u32) {
        let table = TaxTable {
            zones: vec![
                zone(&["DE", "AT"], &[], &[("standard", 1900), ("reduced", 700)]),
                zone(&["US"], &[], &[("standard", 100)]),
                zone(&["US"], &["CA"], &[("standard", 725), ("shipping", 0)]),
            ],
        };
        let found = table.rate_bp(&country.parse().unwrap(), region, category);
        assert_eq!(found, expected_bp, "{country} {region:?} {category}");
    }

    #[test]
    fn the_rate_is_that_of_the_narrowest_zone() {
        check("DE", None, "standard", 1900);
        check("AT", None, "reduced", 700);
        check("DE", Some("Bayern"), "reduced", 700);
        check("US", None, "standard", 100);
        check("US", Some("CA"), "standard", 725);
        check("US", Some(" ca "), "standard", 725);
        check("US", Some("OR"), "standard", 100);
        check("FR", None, "standard", 0);
    }

    #[test]
    fn a_category_the_zone_does_not_name_bears_its_standard_rate() {
        check("DE", None, "shipping", 1900);
        check("US", Some("CA"), "shipping", 0);
        check("US", Some("CA"), "reduced", 725);
    }

    #[test]
    fn tax_is_rounded_half_away_from_zero() {
        let check = |amount, rate_bp, included, expected: i64| {
            assert_eq!(tax_amount(amount, rate_bp, included), expected, "{amount} {rate_bp}");
        };
        check(11900, 1900, true, 1900);
        check(10000, 1900, false, 1900);
        check(50, 100, false, 1);
        check(49, 100, false, 0);
        check(-50, 100, false, -1);
        check(0, 1900, true, 0);
        check(AMOUNT_MAX, u32::MAX, false, i64::MAX);
    }

    proptest! {
        #[test]
        fn tax_is_exact_to_half_a_unit_and_a_refund_mirrors_the_sale(
            amount in -AMOUNT_MAX..=AMOUNT_MAX,
            rate_bp in 0..=TAX_RATE_BP_MAX,
            included: bool,
        ) {
            let tax = tax_amount(amount, rate_bp, included);
            let whole = if included { WHOLE_BP + i128::from(rate_bp) } else { WHOLE_BP };
            let error = i128::from(tax) * whole - i128::from(amount) * i128::from(rate_bp);
            prop_assert!(error.abs() * 2 <= whole);
            prop_assert_eq!(tax_amount(-amount, rate_bp, included), -tax);
        }
    }
}
