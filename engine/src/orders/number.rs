//! The number of an order, as people read it out: `482-177-305`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a person says on the telephone. Digits only, since letters are misheard, in groups of
/// three. The last one is a check digit (Damm's), which finds every single wrong digit and every
/// two that changed places.
///
/// Numbers come from a sequence, mixed so that an order does not tell how many there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderNumber(u64);

/// A text that is not an order's number, or one that was misheard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the number of an order, like 482-177-305")]
pub struct InvalidOrderNumber;

/// A table of Damm's: totally anti-symmetric, with zeros on its diagonal.
const DAMM: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

/// Digits before the check digit of the first hundred million orders less the ten million that
/// would begin with 0; each further group holds a thousand times as many.
const FIRST_DIGITS: u32 = 8;
const GROUP_DIGITS: u32 = 3;

/// As many numbers as a signed 64-bit sequence of a database can come near.
const DIGITS_MAX: u32 = 17;

/// Shares no factor with 2, 3 or 5, so that it mixes the numbers of a length without two meeting.
const MIXER: u128 = 6_364_136_223_846_793;

/// So that the first numbers look like any others.
const BEGIN: u128 = 48_217_730;

impl OrderNumber {
    /// The number of the order that is placed as the `nth`, from 0 on: always the same, never
    /// another's. `None` beyond 10^17.
    pub fn of(nth: u64) -> Option<OrderNumber> {
        let mut rest = nth;
        let mut digits = FIRST_DIGITS;
        while digits <= DIGITS_MAX {
            let first = 10_u64.pow(digits - 1);
            let count = 9 * first;
            if rest < count {
                let mixed = (BEGIN + u128::from(rest)) * MIXER % u128::from(count);
                let number = first + u64::try_from(mixed).expect("it is less than the count");
                return Some(OrderNumber(number * 10 + u64::from(check_digit(number))));
            }
            rest -= count;
            digits += GROUP_DIGITS;
        }
        None
    }
}

fn check_digit(number: u64) -> u8 {
    number.to_string().bytes().fold(0, |row, digit| DAMM[row as usize][(digit - b'0') as usize])
}

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && place % GROUP_DIGITS as usize == 0 {
                f.write_str("-")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

impl FromStr for OrderNumber {
    type Err = InvalidOrderNumber;

    /// Reads what was said: hyphens and spaces are as one likes.
    fn from_str(text: &str) -> Result<Self, InvalidOrderNumber> {
        let digits: String = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
        let is_length = matches!(digits.len(), 9 | 12 | 15 | 18);
        if !is_length || digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidOrderNumber);
        }
        let number: u64 = digits.parse().map_err(|_| InvalidOrderNumber)?;
        let is_checked = u64::from(check_digit(number / 10)) == number % 10;
        is_checked.then_some(OrderNumber(number)).ok_or(InvalidOrderNumber)
    }
}

impl Serialize for OrderNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OrderNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_numbers_of_orders_are_fixed_for_ever() {
        let text = |nth| OrderNumber::of(nth).unwrap().to_string();
        assert_eq!([text(0), text(1), text(2)], ["562-398-909", "300-866-833", "939-334-769"]);
        // The last of nine digits, and the first of twelve.
        assert_eq!([text(89_999_999).len(), text(90_000_000).len()], [11, 15]);
        assert_eq!(OrderNumber::of(u64::MAX), None);
    }

    #[test]
    fn no_two_orders_have_one_number() {
        let numbers: BTreeSet<_> = (0..100_000).map(OrderNumber::of).collect();
        assert_eq!(numbers.len(), 100_000);
    }

    #[test]
    fn a_number_is_read_as_it_is_said() {
        let number = OrderNumber::of(2).unwrap();
        for text in ["939-334-769", "939334769", "939 334 769", "9 3 9-334769"] {
            assert_eq!(text.parse(), Ok(number), "{text}");
        }
        for text in ["", "939-334-76", "939-334-7699", "93933476a", "039-334-769", "939-334-768"] {
            assert_eq!(text.parse::<OrderNumber>(), Err(InvalidOrderNumber), "{text}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_digit_or_two_swapped_are_noticed(
            nth in 0_u64..1_000_000_000, place in 0_usize..9, digit in 0_u8..10,
        ) {
            let number = OrderNumber::of(nth).unwrap();
            let right = number.to_string().replace('-', "");
            prop_assert_eq!(right.parse(), Ok(number));
            let mut wrong = right.clone().into_bytes();
            wrong[place] = b'0' + digit;
            let wrong = String::from_utf8(wrong).unwrap();
            prop_assert!(wrong == right || wrong.parse::<OrderNumber>().is_err());
            let mut swapped = right.clone().into_bytes();
            swapped.swap(place, (place + 1) % right.len().min(9));
            let swapped = String::from_utf8(swapped).unwrap();
            let is_neighbour = place + 1 < right.len().min(9);
            prop_assert!(
                !is_neighbour || swapped == right || swapped.parse::<OrderNumber>().is_err()
            );
        }
    }
}
