//! What happens when the price of something in a cart is no longer the one the shopper saw.
//!
//! The cart always shows, and adds up, the current price. The question is only whether the
//! shopper has to say yes to it before buying. A change of the shopper's own making, another
//! quantity and with it another tier, is never a question: the shopper saw it happen.

/// When a changed price needs the shopper's consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PriceChangePolicy {
    /// Whichever way it moved: nobody is charged a figure they did not see. The default.
    #[default]
    AskAlways,
    /// Only when it rose; a lower price pleases without a question.
    AskOnRise,
}

impl PriceChangePolicy {
    /// Whether the shopper, who accepted one unit price, still has to accept the current one.
    pub fn needs_consent(self, accepted_unit: i64, current_unit: i64) -> bool {
        match self {
            PriceChangePolicy::AskAlways => current_unit != accepted_unit,
            PriceChangePolicy::AskOnRise => current_unit > accepted_unit,
        }
    }

    /// The accepted unit price after the shopper changed the quantity. `before` and `after` are
    /// today's unit prices of the old and the new quantity.
    ///
    /// Where nothing was open the accepted price follows the tier. Where a change was open it
    /// stays open: another quantity is no consent to another price.
    pub fn accepted_after_quantity(self, accepted_unit: i64, before: i64, after: i64) -> i64 {
        if self.needs_consent(accepted_unit, before) { accepted_unit } else { after }
    }
}

#[cfg(test)]
mod tests {
    use super::PriceChangePolicy::{AskAlways, AskOnRise};

    #[test]
    fn consent_is_asked_for_what_the_policy_names() {
        assert!(!AskAlways.needs_consent(500, 500));
        assert!(AskAlways.needs_consent(500, 499));
        assert!(AskAlways.needs_consent(500, 501));
        assert!(!AskOnRise.needs_consent(500, 499));
        assert!(AskOnRise.needs_consent(500, 501));
    }

    #[test]
    fn the_accepted_price_follows_the_tier_unless_a_change_is_open() {
        assert_eq!(AskAlways.accepted_after_quantity(500, 500, 450), 450);
        assert_eq!(AskAlways.accepted_after_quantity(500, 520, 450), 500);
        assert_eq!(AskAlways.accepted_after_quantity(500, 480, 450), 500);
        assert_eq!(AskOnRise.accepted_after_quantity(500, 480, 450), 450);
    }
}
