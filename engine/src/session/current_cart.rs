//! Which cart is a session's. The cart says so itself, when it is opened and when it ends; the
//! session only remembers.

use std::time::Duration;

use super::Never;
use crate::cart::SessionNews;
use crate::codec::{Reader, Writer};
use crate::entity::{Decision, DecodeError, Entity, EntityKey, EntityKind};
use crate::ids::{CartId, SessionId};
use crate::time::Timestamp;

/// How long a session remembers its cart after the last change to it: 400 days, as long as
/// browsers keep anything. A cart that ends tells its session, so this only clears up after
/// sessions whose cart is used for longer than any token lives.
pub const SESSION_TTL: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// How much longer than [`SESSION_TTL`] a session's row is kept: a month for the session's own
/// timer, which a shop that stands still runs late. A row that goes first says the same.
pub const SESSION_ROW_SLACK: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The newest stored form: a flag, then cart, when it was opened, when the session was told.
const VERSION: u8 = 1;

/// The entity of a session.
pub fn key(id: SessionId) -> EntityKey {
    EntityKey::new(EntityKind::Session, id.0)
}

/// What a session remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Session {
    current: Option<CurrentCart>,
}

/// A session's cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrentCart {
    pub cart: CartId,
    pub opened_at: Timestamp,
    /// When the session last heard of it.
    pub set_at: Timestamp,
}

impl Session {
    /// The cart to go on with.
    pub fn current_cart(&self) -> Option<CartId> {
        self.current.map(|current| current.cart)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionCommand {
    /// Of two carts the one opened later stays.
    SetCurrentCart { cart: CartId, opened_at: Timestamp },
    /// Forgets the cart, if it is this one.
    ClearCurrentCart { cart: CartId },
    /// Forgets everything, if it is old enough.
    Expire,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEvent {
    CurrentCartSet(CurrentCart),
    CurrentCartCleared,
}

/// The session, to the runtime.
#[derive(Debug)]
pub struct SessionEntity;

impl Entity for SessionEntity {
    const KIND: EntityKind = EntityKind::Session;

    type State = Session;
    type Command = SessionCommand;
    type Event = SessionEvent;
    type Rejection = Never;

    fn initial(_id: u128) -> Session {
        Session::default()
    }

    fn decide(
        session: &Session,
        command: SessionCommand,
        now: Timestamp,
    ) -> Result<Decision<Self>, Never> {
        let current = session.current;
        let event = match command {
            SessionCommand::SetCurrentCart { cart, opened_at } => {
                let is_news = current.is_none_or(|current| {
                    // The cart's id decides between two of the same instant, so that the order
                    // in which their messages arrive does not matter.
                    (opened_at, cart) > (current.opened_at, current.cart)
                });
                is_news.then_some(SessionEvent::CurrentCartSet(CurrentCart {
                    cart,
                    opened_at,
                    set_at: now,
                }))
            }
            SessionCommand::ClearCurrentCart { cart } => {
                let is_it = current.is_some_and(|current| current.cart == cart);
                is_it.then_some(SessionEvent::CurrentCartCleared)
            }
            SessionCommand::Expire => {
                let is_due = Self::due(session).is_some_and(|due| due <= now);
                is_due.then_some(SessionEvent::CurrentCartCleared)
            }
        };
        Ok(event.map_or_else(Decision::nothing, Decision::event))
    }

    fn apply(session: &mut Session, event: SessionEvent) {
        session.current = match event {
            SessionEvent::CurrentCartSet(current) => Some(current),
            SessionEvent::CurrentCartCleared => None,
        };
    }

    fn due(session: &Session) -> Option<Timestamp> {
        session.current.map(|current| current.set_at.plus(SESSION_TTL))
    }

    fn timer(session: &Session, now: Timestamp) -> Option<SessionCommand> {
        Self::due(session).filter(|due| *due <= now).map(|_| SessionCommand::Expire)
    }

    /// A session without a cart has no time from which to count.
    fn expires(session: &Session) -> Option<Timestamp> {
        Self::due(session).map(|due| due.plus(SESSION_ROW_SLACK))
    }

    fn receive(source: EntityKey, body: &[u8]) -> Result<SessionCommand, DecodeError> {
        if source.kind != EntityKind::Cart {
            return Err(DecodeError::Damaged("only carts have news for sessions"));
        }
        let cart = CartId(source.id);
        Ok(match SessionNews::decode(body)? {
            SessionNews::CartOpened { at } => {
                SessionCommand::SetCurrentCart { cart, opened_at: at }
            }
            SessionNews::CartEnded => SessionCommand::ClearCurrentCart { cart },
        })
    }

    fn encode(session: &Session, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out, VERSION);
        writer.byte(session.current.is_some().into());
        if let Some(current) = &session.current {
            writer.id(current.cart.0);
            writer.time(current.opened_at);
            writer.time(current.set_at);
        }
    }

    fn decode(_id: u128, blob: &[u8]) -> Result<Session, DecodeError> {
        let (_, mut reader) = Reader::open(blob, VERSION)?;
        let current = match reader.byte()? {
            0 => None,
            1 => Some(CurrentCart {
                cart: CartId(reader.id()?),
                opened_at: reader.time()?,
                set_at: reader.time()?,
            }),
            _ => return Err(DecodeError::Damaged("an unknown kind of session")),
        };
        reader.finish()?;
        Ok(Session { current })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::SessionCommand::{ClearCurrentCart, Expire, SetCurrentCart};
    use super::*;
    use crate::session::tests::{check_codec, check_golden, run};

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn set(cart: u128, opened_at: i64) -> SessionCommand {
        SetCurrentCart { cart: CartId(cart), opened_at: Timestamp(opened_at) }
    }

    fn check(commands: &[SessionCommand], expected: Option<u128>) {
        let mut session = Session::default();
        for command in commands {
            run::<SessionEntity>(&mut session, *command, Timestamp(50)).unwrap();
        }
        assert_eq!(session.current_cart(), expected.map(CartId), "{commands:?}");
    }

    #[test]
    fn the_cart_opened_last_is_the_current_one() {
        check(&[], None);
        check(&[set(1, 10)], Some(1));
        check(&[set(1, 10), set(2, 20)], Some(2));
        check(&[set(2, 20), set(1, 10)], Some(2));
        check(&[set(1, 10), set(2, 10)], Some(2));
        check(&[set(2, 10), set(1, 10)], Some(2));
        check(&[set(1, 10), ClearCurrentCart { cart: CartId(1) }], None);
        check(&[set(2, 20), ClearCurrentCart { cart: CartId(1) }], Some(2));
        check(&[set(1, 10), Expire], Some(1));
    }

    #[test]
    fn hearing_the_same_again_changes_nothing() {
        let mut session = Session::default();
        assert_eq!(run::<SessionEntity>(&mut session, set(1, 10), Timestamp(10)), Ok(1));
        assert_eq!(run::<SessionEntity>(&mut session, set(1, 10), Timestamp(99)), Ok(0));
        let gone = ClearCurrentCart { cart: CartId(9) };
        assert_eq!(run::<SessionEntity>(&mut session, gone, Timestamp(99)), Ok(0));
    }

    #[test]
    fn it_forgets_after_its_time_and_not_before() {
        let mut session = Session::default();
        assert_eq!(SessionEntity::due(&session), None);
        run::<SessionEntity>(&mut session, set(1, 0), Timestamp(7)).unwrap();
        let due = Timestamp(7).plus(SESSION_TTL);
        assert_eq!(SessionEntity::due(&session), Some(due));
        assert_eq!(SessionEntity::timer(&session, due.minus(DAY)), None);
        assert_eq!(SessionEntity::timer(&session, due), Some(Expire));
        run::<SessionEntity>(&mut session, Expire, due).unwrap();
        assert_eq!(session, Session::default());
    }

    #[test]
    fn its_row_may_go_a_month_after_its_timer_and_only_while_it_has_one() {
        let mut session = Session::default();
        assert_eq!(SessionEntity::expires(&session), None);
        run::<SessionEntity>(&mut session, set(1, 0), Timestamp(7)).unwrap();
        let expires = Timestamp(7).plus(430 * DAY);
        assert_eq!(SessionEntity::expires(&session), Some(expires));
        run::<SessionEntity>(&mut session, set(2, 1), Timestamp(9)).unwrap();
        assert_eq!(SessionEntity::expires(&session), Some(Timestamp(expires.0 + 2)));
        let cleared = ClearCurrentCart { cart: CartId(2) };
        run::<SessionEntity>(&mut session, cleared, Timestamp(11)).unwrap();
        assert_eq!(SessionEntity::expires(&session), None);
    }

    #[test]
    fn it_hears_carts_only() {
        let opened = SessionNews::CartOpened { at: Timestamp(10) }.encode();
        let cart = crate::cart::key(CartId(1));
        let heard = SessionEntity::receive(cart, &opened);
        assert_eq!(heard, Ok(set(1, 10)));
        let ended = SessionEntity::receive(cart, &SessionNews::CartEnded.encode());
        assert_eq!(ended, Ok(ClearCurrentCart { cart: CartId(1) }));
        let from = |source, body| SessionEntity::receive(source, body);
        assert!(matches!(from(key(SessionId(1)), &opened), Err(DecodeError::Damaged(_))));
        assert!(matches!(from(cart, &[1, 9]), Err(DecodeError::Damaged(_))));
        let later = DecodeError::FutureVersion { found: 9, supported: 1 };
        assert_eq!(from(cart, &[9, 9]), Err(later));
    }

    #[test]
    fn the_stored_form_never_changes() {
        check_golden::<SessionEntity>(include_str!("golden/session_v1_empty.hex"), |session| {
            assert_eq!(*session, Session::default());
        });
        check_golden::<SessionEntity>(include_str!("golden/session_v1_cart.hex"), |session| {
            let current = CurrentCart {
                cart: CartId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
                opened_at: Timestamp(1_700_000_000_000),
                set_at: Timestamp(1_700_000_000_123),
            };
            assert_eq!(*session, Session { current: Some(current) });
        });
    }

    proptest! {
        #[test]
        fn any_session_survives_its_row_and_any_damage(
            current: Option<(u128, i64, i64)>, noise: Vec<u8>, cut: prop::sample::Index,
        ) {
            let current = current.map(|(cart, opened_at, set_at)| CurrentCart {
                cart: CartId(cart),
                opened_at: Timestamp(opened_at),
                set_at: Timestamp(set_at),
            });
            check_codec::<SessionEntity>(&Session { current }, &noise, cut);
        }
    }
}
