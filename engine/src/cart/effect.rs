//! What a cart tells others: the session of its shopper, that it was opened and that it ended;
//! and whoever drives checkouts, that it was frozen.

use super::Owner;
use crate::codec::{Reader, Writer};
use crate::entity::{DecodeError, Effect, EntityKey, EntityKind};
use crate::ids::OrderId;
use crate::time::Timestamp;

/// The newest form of the message.
const VERSION: u8 = 1;

const OPENED: u8 = 1;
const ENDED: u8 = 2;

/// A message from a cart to its session. Which cart it is, the source of the effect says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionNews {
    /// This is the shopper's cart from now on. Of two carts the one opened later counts, in
    /// whichever order the messages arrive.
    CartOpened {
        at: Timestamp,
    },
    CartEnded,
}

impl SessionNews {
    /// The effect that carries it; `None` where the owner is no session.
    pub(super) fn to(self, owner: Owner) -> Option<Effect> {
        match owner {
            Owner::Session(session) => Some(Effect {
                target: EntityKey::new(EntityKind::Session, session.0),
                body: self.encode(),
            }),
            Owner::Customer(_) => None,
        }
    }

    pub fn encode(self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut writer = Writer::new(&mut body, VERSION);
        match self {
            SessionNews::CartOpened { at } => {
                writer.byte(OPENED);
                writer.time(at);
            }
            SessionNews::CartEnded => writer.byte(ENDED),
        }
        body
    }

    /// # Errors
    /// As [`crate::entity::Entity::decode`].
    pub fn decode(body: &[u8]) -> Result<SessionNews, DecodeError> {
        let (_, mut reader) = Reader::open(body, VERSION)?;
        let news = match reader.byte()? {
            OPENED => SessionNews::CartOpened { at: reader.time()? },
            ENDED => SessionNews::CartEnded,
            _ => return Err(DecodeError::Damaged("an unknown message of a cart")),
        };
        reader.finish()?;
        Ok(news)
    }
}

/// A message from a cart that was frozen to what drives its checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckoutNews {
    /// Which of the cart's tries it is.
    pub freeze: u32,
}

impl CheckoutNews {
    pub(super) fn to(self, order: OrderId) -> Effect {
        let target = EntityKey::new(EntityKind::Checkout, order.0);
        Effect { target, body: self.encode() }
    }

    pub fn encode(self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut writer = Writer::new(&mut body, VERSION);
        writer.varint(u64::from(self.freeze));
        body
    }

    /// # Errors
    /// As [`crate::entity::Entity::decode`].
    pub fn decode(body: &[u8]) -> Result<CheckoutNews, DecodeError> {
        let (_, mut reader) = Reader::open(body, VERSION)?;
        let news = CheckoutNews { freeze: reader.varint_u32()? };
        reader.finish()?;
        Ok(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_never_changes() {
        let opened = SessionNews::CartOpened { at: Timestamp(1_700_000_000_000) };
        assert_eq!(opened.encode(), [1, 1, 128, 160, 171, 254, 249, 98]);
        assert_eq!(SessionNews::CartEnded.encode(), [1, 2]);
        for news in [opened, SessionNews::CartEnded] {
            assert_eq!(SessionNews::decode(&news.encode()), Ok(news));
        }
        let frozen = CheckoutNews { freeze: 300 };
        assert_eq!(frozen.encode(), [1, 172, 2]);
        assert_eq!(CheckoutNews::decode(&frozen.encode()), Ok(frozen));
        assert!(CheckoutNews::decode(&[1, 1, 0]).is_err());
        for body in [&[][..], &[1], &[1, 3], &[1, 2, 0], &[2, 2], &[1, 1, 0x80]] {
            assert!(SessionNews::decode(body).is_err(), "{body:?}");
        }
    }
}
