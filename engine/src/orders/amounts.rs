//! How the amount of a line falls on its units.
//!
//! A line of 3 units for 10.00 cannot be cut into three equal parts. What the first n units come
//! to is rounded once, from the whole; the next ones get what is missing to the sum of all so
//! far. So whatever is taken in whatever steps, all of it together is the whole, to the minor unit.

use crate::money::divide_half_up;

/// What the first `units` of `of` units come to.
pub(super) fn of_the_first(whole: i64, units: u32, of: u32) -> i64 {
    debug_assert!(units <= of, "no more than there are");
    let share = divide_half_up(i128::from(whole) * i128::from(units), i128::from(of.max(1)));
    i64::try_from(share).expect("a share is at most the whole")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_are_rounded_from_the_whole() {
        let shares = |whole, of| (0..=of).map(|units| of_the_first(whole, units, of)).collect();
        let check = |whole, of, expected: &[i64]| {
            let found: Vec<i64> = shares(whole, of);
            assert_eq!(found, expected, "{whole} {of}");
        };
        check(1000, 3, &[0, 333, 667, 1000]);
        check(1, 3, &[0, 0, 1, 1]);
        check(0, 2, &[0, 0, 0]);
    }

    proptest! {
        #[test]
        fn more_units_never_come_to_less_and_all_come_to_the_whole(
            whole in 0..=crate::money::AMOUNT_MAX, of in 1_u32..100_000, units in 0_u32..100_000,
        ) {
            let units = units.min(of - 1);
            let (these, one_more) =
                (of_the_first(whole, units, of), of_the_first(whole, units + 1, of));
            prop_assert!((0..=one_more).contains(&these));
            prop_assert_eq!(of_the_first(whole, of, of), whole);
        }
    }
}
