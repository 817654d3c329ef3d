//! Money: integer minor units and a currency, with the rounding and proration that belong to it.
//! No float touches money, and no bare integer is an amount outside this module.

mod decimal;
mod round;

use std::fmt;

pub(crate) use round::divide_half_up;
pub use round::{WHOLE_BP, percent_of, prorate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The largest amount, 2^53 - 1 minor units: what a JSON reader of any language holds exactly.
pub const AMOUNT_MAX: i64 = (1 << 53) - 1;

/// A currency of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("'{0}' is not a currency of ISO 4217")]
    UnknownCurrency(String),
    #[error("'{0}' is not an amount of this currency")]
    InvalidAmount(String),
    #[error("the amount is beyond 2^53 - 1 minor units")]
    OutOfRange,
    #[error("{0} and {1} cannot be combined")]
    CurrencyMismatch(Currency, Currency),
}

impl Currency {
    pub fn from_code(code: &str) -> Result<Self, MoneyError> {
        iso_currency::Currency::from_code(code)
            .map(Currency)
            .ok_or_else(|| MoneyError::UnknownCurrency(code.to_owned()))
    }

    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Digits after the decimal point: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(0))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.code().cmp(other.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Currency::from_code(&code).map_err(serde::de::Error::custom)
    }
}

/// An amount of a currency, in its minor units. What comes in from outside is at most
/// [`AMOUNT_MAX`] either way, and so is every result of its arithmetic.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    #[serde(deserialize_with = "deserialize_amount")]
    pub amount: i64,
    pub currency: Currency,
}

fn deserialize_amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let amount = i64::deserialize(deserializer)?;
    in_range(i128::from(amount)).map_err(serde::de::Error::custom)
}

fn in_range(amount: i128) -> Result<i64, MoneyError> {
    let amount = i64::try_from(amount).map_err(|_| MoneyError::OutOfRange)?;
    if amount.unsigned_abs() <= AMOUNT_MAX.unsigned_abs() {
        Ok(amount)
    } else {
        Err(MoneyError::OutOfRange)
    }
}

impl Money {
    pub fn new(amount: i64, currency: Currency) -> Money {
        Money { amount, currency }
    }

    pub fn zero(currency: Currency) -> Money {
        Money { amount: 0, currency }
    }

    /// The sum.
    ///
    /// # Errors
    /// Where the currencies differ or the sum is beyond [`AMOUNT_MAX`].
    pub fn checked_add(self, other: Money) -> Result<Money, MoneyError> {
        self.same_currency(other)?;
        self.with(i128::from(self.amount) + i128::from(other.amount))
    }

    /// The difference.
    ///
    /// # Errors
    /// Where the currencies differ or the difference is beyond [`AMOUNT_MAX`].
    pub fn checked_sub(self, other: Money) -> Result<Money, MoneyError> {
        self.same_currency(other)?;
        self.with(i128::from(self.amount) - i128::from(other.amount))
    }

    /// The price of so many units.
    ///
    /// # Errors
    /// Where the product is beyond [`AMOUNT_MAX`].
    pub fn checked_mul(self, units: u32) -> Result<Money, MoneyError> {
        self.with(i128::from(self.amount) * i128::from(units))
    }

    fn same_currency(self, other: Money) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::CurrencyMismatch(self.currency, other.currency))
    }

    fn with(self, amount: i128) -> Result<Money, MoneyError> {
        Ok(Money { amount: in_range(amount)?, currency: self.currency })
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

/// "12.99 EUR".
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(amount: i64, code: &str) -> Money {
        Money::new(amount, Currency::from_code(code).unwrap())
    }

    #[test]
    fn currencies_are_those_of_iso_4217() {
        let exponent = |code| Currency::from_code(code).map(Currency::exponent);
        assert_eq!(exponent("EUR"), Ok(2));
        assert_eq!(exponent("JPY"), Ok(0));
        assert_eq!(exponent("KWD"), Ok(3));
        for code in ["eur", "EURO", "", "ZZZ"] {
            assert_eq!(exponent(code), Err(MoneyError::UnknownCurrency(code.into())), "{code}");
        }
    }

    #[test]
    fn currencies_never_mix() {
        let (eur, usd) = (money(5, "EUR"), money(5, "USD"));
        let mixed = Err(MoneyError::CurrencyMismatch(eur.currency, usd.currency));
        assert_eq!(eur.checked_add(usd), mixed);
        assert_eq!(eur.checked_sub(usd), mixed);
    }

    #[test]
    fn an_amount_beyond_the_bound_is_refused_wherever_it_arises() {
        let most = money(AMOUNT_MAX, "EUR");
        assert_eq!(most.checked_add(money(1, "EUR")), Err(MoneyError::OutOfRange));
        assert_eq!(
            money(-AMOUNT_MAX, "EUR").checked_sub(money(1, "EUR")),
            Err(MoneyError::OutOfRange)
        );
        assert_eq!(most.checked_mul(2), Err(MoneyError::OutOfRange));
        assert_eq!(most.checked_mul(1), Ok(most));
        assert_eq!(most.checked_sub(most), Ok(money(0, "EUR")));
        let read = |amount: &str| {
            serde_json::from_str::<Money>(&format!(r#"{{"amount":{amount},"currency":"EUR"}}"#))
        };
        assert_eq!(read("9007199254740991").unwrap(), most);
        assert!(read("9007199254740992").is_err());
        assert!(read("-9223372036854775808").is_err());
        assert!(read("12.5").is_err());
    }

    proptest! {
        #[test]
        fn arithmetic_is_exact_or_refused(a: i64, b: i64, units: u32) {
            let (a, b) = (money(a, "EUR"), money(b, "EUR"));
            let check = |found: Result<Money, MoneyError>, exact: i128| {
                let fits = exact.unsigned_abs() <= u128::from(AMOUNT_MAX.unsigned_abs());
                match found {
                    Ok(found) => prop_assert_eq!(i128::from(found.amount), exact),
                    Err(error) => prop_assert!(!fits && error == MoneyError::OutOfRange),
                }
                Ok(())
            };
            let (x, y) = (i128::from(a.amount), i128::from(b.amount));
            check(a.checked_add(b), x + y)?;
            check(a.checked_sub(b), x - y)?;
            check(a.checked_mul(units), x * i128::from(units))?;
        }
    }
}
