//! Rows of two forms, and who reads which.

use barrow_engine::cart::{CartEntity, SessionNews};
use barrow_engine::entity::{DecodeError, Entity};
use barrow_engine::session::{Revocations, SessionEntity, SigningKeys};

use super::super::form::{FORM, NEXT_FORM};
use super::Envelope;
use crate::runtime::fuzz::full;

fn row(form: u8) -> Vec<u8> {
    let mut row = Vec::new();
    full().encode::<CartEntity>(&CartEntity::initial(7), form, &mut row);
    row
}

fn read(row: &[u8], reads: u8) -> Result<Envelope, DecodeError> {
    Envelope::decode::<CartEntity>(7, row, reads).map(|(envelope, _)| envelope)
}

#[test]
fn each_row_names_its_form_and_is_read_by_whoever_knows_it() {
    for form in [FORM, NEXT_FORM] {
        assert_eq!(row(form)[0], form);
        assert_eq!(read(&row(form), NEXT_FORM), Ok(full()));
    }
    let refused = Err(DecodeError::FutureVersion { found: NEXT_FORM, supported: FORM });
    assert_eq!(read(&row(NEXT_FORM), FORM), refused);
    assert_eq!(read(&row(FORM), FORM), Ok(full()));
}

/// Nodes of the build before read what is written in this form: a new version of a state, or of
/// an effect, needs a new form.
#[test]
fn a_state_keeps_its_version_within_a_form() {
    fn version<E: Entity>() -> u8 {
        let mut state = Vec::new();
        E::encode(&E::initial(7), &mut state);
        state[0]
    }
    let versions = [
        version::<CartEntity>(),
        version::<SessionEntity>(),
        version::<Revocations>(),
        version::<SigningKeys>(),
        SessionNews::CartEnded.encode()[0],
    ];
    assert_eq!((FORM, versions), (1, [1; 5]));
}

#[test]
fn the_forms_differ_in_more_than_their_number() {
    let mut other = row(NEXT_FORM);
    other[0] = FORM;
    assert_ne!(read(&other, NEXT_FORM), Ok(full()));
    let mut damaged = row(NEXT_FORM);
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(read(&damaged, NEXT_FORM), Err(DecodeError::Damaged("its hash is another")));
}
