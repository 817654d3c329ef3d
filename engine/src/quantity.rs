//! How many of something a line holds.

/// The most units one line may hold; more is a wholesale order and wants a person.
pub const QUANTITY_MAX: u32 = 99_999;

/// A line's quantity: 1 to [`QUANTITY_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Quantity(u32);

impl Quantity {
    pub const ONE: Quantity = Quantity(1);

    /// `None` outside 1 to [`QUANTITY_MAX`].
    pub fn new(units: u32) -> Option<Quantity> {
        (1..=QUANTITY_MAX).contains(&units).then_some(Quantity(units))
    }

    pub fn get(self) -> u32 {
        self.0
    }

    /// `None` where the sum is more than a line may hold.
    pub fn checked_add(self, other: Quantity) -> Option<Quantity> {
        Quantity::new(self.0 + other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_from_one_unit_to_the_most() {
        let units = |units| Quantity::new(units).map(Quantity::get);
        assert_eq!(units(0), None);
        assert_eq!(units(1), Some(1));
        assert_eq!(units(QUANTITY_MAX), Some(QUANTITY_MAX));
        assert_eq!(units(QUANTITY_MAX + 1), None);
        assert_eq!(units(u32::MAX), None);
        let most = Quantity::new(QUANTITY_MAX).unwrap();
        assert_eq!(most.checked_add(Quantity::ONE), None);
        assert_eq!(Quantity::ONE.checked_add(Quantity::ONE), Quantity::new(2));
    }
}
