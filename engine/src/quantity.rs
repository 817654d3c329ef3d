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
