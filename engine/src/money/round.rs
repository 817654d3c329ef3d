//! Rounding and proration: how an amount is cut without losing or making a minor unit.
//!
//! Everything is rounded to the nearest minor unit, and a half goes away from zero. So taking
//! back mirrors giving, and a larger amount never rounds to a smaller one.

use super::MoneyError;

/// Basis points in a whole: 100 %.
pub const WHOLE_BP: u32 = 10_000;

/// A share of an amount, in basis points: 1000 of 12.99 EUR is 1.30 EUR.
///
/// # Errors
/// [`MoneyError::OutOfRange`] where the share is beyond what an amount may be.
pub fn percent_of(amount: i64, basis_points: u32) -> Result<i64, MoneyError> {
    let share = divide_half_up(i128::from(amount) * i128::from(basis_points), i128::from(WHOLE_BP));
    super::in_range(share)
}

/// Cuts `total` into shares in proportion to the weights, by largest remainder: each share is
/// within one minor unit of its due, and together they are exactly the total. Of equal
/// remainders the first gets the unit. Where all weights are zero the shares are equal; else a
/// zero weight gets nothing. A negative total is cut as its opposite is. No weights, no shares.
pub fn prorate(total: i64, weights: &[u64]) -> Vec<i64> {
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if sum == 0 {
        let equal = vec![1; weights.len()];
        return if equal.is_empty() { Vec::new() } else { prorate(total, &equal) };
    }
    let magnitude = u128::from(total.unsigned_abs());
    // At most 2^63 x 2^64: the products fit.
    let dues: Vec<u128> = weights.iter().map(|weight| magnitude * u128::from(*weight)).collect();
    let mut shares: Vec<u128> = dues.iter().map(|due| due / sum).collect();
    let missing = magnitude - shares.iter().sum::<u128>();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|index| std::cmp::Reverse(dues[*index] % sum));
    for index in by_remainder.into_iter().take(missing as usize) {
        shares[index] += 1;
    }
    let signed = |share: u128| {
        let share = i128::try_from(share).expect("a share is at most the total");
        let share = if total < 0 { -share } else { share };
        i64::try_from(share).expect("a share is at most the total")
    };
    shares.into_iter().map(signed).collect()
}

/// Divides and rounds to the nearest whole, halves away from zero. The divisor is positive.
pub(crate) fn divide_half_up(dividend: i128, divisor: i128) -> i128 {
    debug_assert!(divisor > 0);
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    // Compared by the missing part, so that nothing is doubled and nothing overflows.
    if rest.abs() >= divisor - rest.abs() { quotient + dividend.signum() } else { quotient }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::money::AMOUNT_MAX;

    #[test]
    fn percentages_round_half_away_from_zero() {
        let check = |amount, basis_points, expected: i64| {
            assert_eq!(percent_of(amount, basis_points), Ok(expected), "{amount} {basis_points}");
        };
        check(1299, 1000, 130);
        check(5, 1000, 1);
        check(4, 1000, 0);
        check(-5, 1000, -1);
        check(-4, 1000, 0);
        check(AMOUNT_MAX, WHOLE_BP, AMOUNT_MAX);
        check(AMOUNT_MAX, 0, 0);
        assert_eq!(percent_of(AMOUNT_MAX, WHOLE_BP + 1), Err(MoneyError::OutOfRange));
        assert_eq!(percent_of(i64::MIN, u32::MAX), Err(MoneyError::OutOfRange));
    }

    #[test]
    fn shares_are_in_proportion_and_the_first_of_equals_gets_the_odd_unit() {
        let check = |total, weights: &[u64], expected: &[i64]| {
            assert_eq!(prorate(total, weights), expected, "{total} {weights:?}");
        };
        check(100, &[1, 1, 1], &[34, 33, 33]);
        check(-100, &[1, 1, 1], &[-34, -33, -33]);
        check(10, &[1, 2, 0, 3], &[2, 3, 0, 5]);
        check(5, &[0, 0], &[3, 2]);
        check(0, &[7, 9], &[0, 0]);
        check(1, &[1, 5], &[0, 1]);
        check(9, &[], &[]);
        check(i64::MIN, &[u64::MAX], &[i64::MIN]);
        check(i64::MAX, &[u64::MAX, u64::MAX], &[i64::MAX / 2 + 1, i64::MAX / 2]);
    }

    fn any_weights() -> impl Strategy<Value = Vec<u64>> {
        let weight = prop_oneof![0..4u64, 0..100_000u64, any::<u64>(), Just(0), Just(u64::MAX)];
        vec(weight, 1..40)
    }

    fn any_total() -> impl Strategy<Value = i64> {
        prop_oneof![-20..20i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
    }

    proptest! {
        #[test]
        fn shares_sum_to_the_total_and_none_is_off_by_a_unit(
            total in any_total(),
            weights in any_weights(),
        ) {
            let shares = prorate(total, &weights);
            prop_assert_eq!(shares.len(), weights.len());
            prop_assert_eq!(shares.iter().map(|s| i128::from(*s)).sum::<i128>(), total.into());
            let sum: i128 = weights.iter().map(|w| i128::from(*w)).sum();
            for (share, weight) in shares.iter().zip(&weights) {
                prop_assert!(share.signum() * total.signum() >= 0);
                if sum > 0 {
                    let due = i128::from(total) * i128::from(*weight);
                    let (low, high) = (due.div_euclid(sum), due.div_euclid(sum) + 1);
                    prop_assert!((low..=high).contains(&i128::from(*share)));
                    prop_assert!(*weight > 0 || *share == 0);
                }
            }
        }

        #[test]
        fn of_two_weights_the_larger_never_gets_less_and_the_first_of_equals_never_less(
            total in 0..=i64::MAX,
            weights in any_weights(),
        ) {
            let shares = prorate(total, &weights);
            for i in 0..weights.len() {
                for j in i + 1..weights.len() {
                    prop_assert!(weights[i] < weights[j] || shares[i] >= shares[j]);
                    prop_assert!(weights[i] > weights[j] || shares[i] <= shares[j] + 1);
                }
            }
        }

        #[test]
        fn rounding_is_monotone_symmetric_and_exact_to_half_a_unit(
            a in -(1i128 << 100)..(1i128 << 100),
            step in 0..1_000_000i128,
            divisor in 1..1_000_000i128,
        ) {
            let rounded = divide_half_up(a, divisor);
            prop_assert!(divide_half_up(a + step, divisor) >= rounded);
            prop_assert_eq!(divide_half_up(-a, divisor), -rounded);
            prop_assert!((rounded * divisor - a).abs() * 2 <= divisor);
        }

        #[test]
        fn a_percentage_never_panics_and_grows_with_the_amount(
            a: i64,
            b: i64,
            basis_points: u32,
        ) {
            let (less, more) = (a.min(b), a.max(b));
            if let (Ok(less), Ok(more)) =
                (percent_of(less, basis_points), percent_of(more, basis_points))
            {
                prop_assert!(less <= more);
            }
        }
    }
}
