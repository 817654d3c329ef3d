//! Fuzz target: the rows of entities, as the runtime reads them back.

use barrow_engine::cart::{Cart, CartEntity};
use barrow_engine::entity::{Effect, Entity, EntityKey, EntityKind};
use barrow_engine::time::Timestamp;
use barrow_fuzz::{INPUTS, Verdict, fuzz};

use super::envelope::Envelope;
use super::form::FORM;
use super::memory::{IdempotencyKey, KEYS_MAX};
use super::outbox::PENDING_MAX;

/// A cart of many lines, with contact and addresses.
const CART: &str = include_str!("../../../engine/src/cart/golden/v1_full.hex");

fn cart() -> Vec<u8> {
    let digits: Vec<u8> = CART.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// An envelope with something in each of its parts.
pub(super) fn full() -> Envelope {
    let key = |id: u128| EntityKey::new(EntityKind::Session, id);
    let mut envelope =
        Envelope { version: 300, armed: Some(Timestamp(1_795_334_400_000)), ..Envelope::default() };
    for n in 0..20u64 {
        let key = IdempotencyKey::new(&n.to_be_bytes(), b"POST /a");
        envelope.memory.remember(key, n * 3, Timestamp(1_795_334_400_000 + n as i64));
    }
    for n in 1..=4 {
        envelope.outbox.push(Effect { target: key(n), body: vec![1, 2, n as u8] });
        envelope.inbox.remember(key(n), 500 * n as u64);
    }
    envelope.outbox.delivered(1);
    envelope
}

fn written(envelope: &Envelope, cart: &Cart) -> Vec<u8> {
    let mut row = Vec::new();
    envelope.encode::<CartEntity>(cart, FORM, &mut row);
    row
}

#[test]
fn fuzz_rows_of_entities() {
    let cart = CartEntity::decode(1, &cart()).unwrap();
    let samples = [
        written(&full(), &cart),
        written(&Envelope::default(), &cart),
        written(&full(), &CartEntity::initial(1)),
    ];
    let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
    fuzz("entity_rows", INPUTS, &samples, |bytes| {
        let Ok((mut envelope, cart)) = Envelope::decode::<CartEntity>(1, bytes, FORM) else {
            return Verdict::Refused;
        };
        let row = written(&envelope, &cart);
        assert!(row.len() <= bytes.len(), "{} bytes became {}", bytes.len(), row.len());
        let (again, cart) =
            Envelope::decode::<CartEntity>(1, &row, FORM).expect("it was written so");
        assert_eq!(again, envelope);
        assert_eq!(written(&again, &cart), row);
        assert!(envelope.memory.len() <= KEYS_MAX);

        // What was read is worked with: the effects that wait go out in their order.
        let mut last = 0;
        while let Some(effect) = envelope.outbox.first() {
            let sequence = effect.sequence;
            assert!(sequence > last && sequence <= envelope.outbox.last_sequence(), "{sequence}");
            envelope.outbox.delivered(sequence);
            last = sequence;
        }
        assert!(envelope.outbox.unconfirmed().len() <= PENDING_MAX);
        Verdict::Taken
    });
}
