//! How Stripe counts money: in minor units as ISO 4217 has them, but for some currencies.

use barrow_engine::money::Money;

/// Without minor units at Stripe. UGX and ISK have none either, but are counted in hundredths for
/// the sake of old programs.
const WHOLE: [&str; 15] = [
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
    "XOF", "XPF",
];

/// In thousandths, of which the last digit has to be 0: card networks know hundredths only.
const THOUSANDTHS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

/// In hundredths, of which only whole units are taken.
const WHOLE_IN_HUNDREDTHS: [&str; 2] = ["ISK", "UGX"];

/// An amount and its currency as Stripe counts and writes them; `None` if it cannot be said there.
pub(super) fn to_stripe(money: Money) -> Option<(i64, String)> {
    let code = money.currency.code();
    let (digits, step) = match code {
        _ if WHOLE.contains(&code) => (0, 1),
        _ if WHOLE_IN_HUNDREDTHS.contains(&code) => (2, 100),
        _ if THOUSANDTHS.contains(&code) => (3, 10),
        _ => (2, 1),
    };
    let ours = money.currency.exponent();
    let factor = |digits: u32| 10_i64.checked_pow(digits);
    let amount = match digits >= ours {
        true => money.amount.checked_mul(factor(digits - ours)?)?,
        false => {
            let divisor = factor(ours - digits)?;
            (money.amount % divisor == 0).then(|| money.amount / divisor)?
        }
    };
    (amount % step == 0).then(|| (amount, code.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use barrow_engine::money::Currency;

    use super::*;

    #[test]
    fn amounts_are_counted_as_stripe_counts_them() {
        let check = |amount, code, expected: Option<(i64, &str)>| {
            let money = Money::new(amount, Currency::from_code(code).unwrap());
            let expected = expected.map(|(amount, code)| (amount, code.to_owned()));
            assert_eq!(to_stripe(money), expected, "{amount} {code}");
        };
        check(1299, "EUR", Some((1299, "eur")));
        check(500, "JPY", Some((500, "jpy")));
        check(5_120, "KWD", Some((5_120, "kwd")));
        check(5_124, "KWD", None);
        check(5, "UGX", Some((500, "ugx")));
        check(5, "ISK", Some((500, "isk")));
        // 5 ariary; of its fifths Stripe knows nothing.
        check(500, "MGA", Some((5, "mga")));
        check(520, "MGA", None);
        check(i64::MAX, "UGX", None);
    }
}
