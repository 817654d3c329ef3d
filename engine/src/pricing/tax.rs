//! Taxes: which rate a category of goods bears in a zone.

use serde::{Deserialize, Serialize};

use crate::catalog::CountryCode;

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
