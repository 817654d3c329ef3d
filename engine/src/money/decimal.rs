//! Amounts as people write them: "12.99" euro are 1299 cents, "1299" yen are 1299 yen.

use super::{Currency, Money, MoneyError, in_range};

impl Money {
    /// Reads a decimal number without any grouping, spaces or symbols. Digits beyond the
    /// currency's are refused, not rounded: who wrote them means something that cannot be kept.
    ///
    /// # Errors
    /// [`MoneyError::InvalidAmount`] for any other text, [`MoneyError::OutOfRange`] beyond
    /// 2^53 - 1 minor units.
    pub fn parse_decimal(text: &str, currency: Currency) -> Result<Money, MoneyError> {
        let amount = parse_minor_units(text, currency.exponent() as usize)?;
        Ok(Money { amount, currency })
    }

    /// What [`Money::parse_decimal`] reads: always all digits of the currency.
    pub fn to_decimal(self) -> String {
        let digits = self.currency.exponent() as usize;
        let sign = if self.amount < 0 { "-" } else { "" };
        let magnitude = self.amount.unsigned_abs();
        if digits == 0 {
            return format!("{sign}{magnitude}");
        }
        let padded = format!("{magnitude:0width$}", width = digits + 1);
        let (whole, fraction) = padded.split_at(padded.len() - digits);
        format!("{sign}{whole}.{fraction}")
    }
}

fn parse_minor_units(text: &str, exponent: usize) -> Result<i64, MoneyError> {
    let invalid = || MoneyError::InvalidAmount(text.chars().take(40).collect());
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text),
    };
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(invalid()),
        None => (unsigned, ""),
    };
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > exponent || !is_number(whole) || !is_number(fraction) {
        return Err(invalid());
    }
    let padding = std::iter::repeat_n(b'0', exponent - fraction.len());
    let digits = whole.bytes().chain(fraction.bytes()).chain(padding);
    let magnitude = digits.fold(0i128, |sum, digit| {
        // Saturating: a number of a thousand digits is out of range, not a panic.
        sum.saturating_mul(10).saturating_add(i128::from(digit - b'0'))
    });
    in_range(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::AMOUNT_MAX;

    fn currency(code: &str) -> Currency {
        Currency::from_code(code).unwrap()
    }

    #[test]
    fn decimal_texts_are_read_by_the_digits_of_the_currency() {
        let check = |text, code, expected: i64| {
            let money = Money::parse_decimal(text, currency(code)).expect(text);
            assert_eq!(money, Money::new(expected, currency(code)), "{text} {code}");
        };
        check("12.99", "EUR", 1299);
        check("12.9", "EUR", 1290);
        check("12", "EUR", 1200);
        check("0.05", "EUR", 5);
        check("-0.05", "EUR", -5);
        check("007", "EUR", 700);
        check("1299", "JPY", 1299);
        check("1.234", "KWD", 1234);
        check("90071992547409.91", "EUR", AMOUNT_MAX);
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "-", ".", ".5", "5.", "1,5", "1 000", "+1", "1e3", "€5", "--1", "1.2.3"]
        {
            let found = Money::parse_decimal(text, currency("EUR"));
            assert_eq!(found, Err(MoneyError::InvalidAmount(text.into())), "{text}");
        }
        for (text, code) in [("12.990", "EUR"), ("12.0", "JPY"), ("٣", "EUR")] {
            assert!(Money::parse_decimal(text, currency(code)).is_err(), "{text} {code}");
        }
        for text in ["90071992547409.92", "-90071992547409.92", &"9".repeat(1000)] {
            let found = Money::parse_decimal(text, currency("EUR"));
            assert_eq!(found, Err(MoneyError::OutOfRange), "{text}");
        }
    }

    #[test]
    fn amounts_are_written_with_all_digits_of_the_currency() {
        let check = |amount, code, expected| {
            assert_eq!(Money::new(amount, currency(code)).to_decimal(), expected);
        };
        check(1299, "EUR", "12.99");
        check(-5, "EUR", "-0.05");
        check(0, "EUR", "0.00");
        check(1299, "JPY", "1299");
        check(-1234, "KWD", "-1.234");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            amount in -AMOUNT_MAX..=AMOUNT_MAX,
            code in prop::sample::select(vec!["EUR", "JPY", "KWD", "CLF"]),
        ) {
            let money = Money::new(amount, currency(code));
            prop_assert_eq!(Money::parse_decimal(&money.to_decimal(), money.currency), Ok(money));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}|-?[0-9]{0,30}\\.?[0-9]{0,5}") {
            if let Ok(money) = Money::parse_decimal(&text, currency("EUR")) {
                prop_assert!(money.amount.abs() <= AMOUNT_MAX);
            }
        }
    }
}
