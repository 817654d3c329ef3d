//! The forms in which commands to sessions, revocations and signing keys travel between nodes.

use super::{
    Never, Revocations, RevocationsCommand, RevocationsRejection, SessionCommand, SessionEntity,
    SigningKeys, SigningKeysCommand, SigningKeysRejection,
};
use crate::codec::{Reader, Writer};
use crate::entity::{DecodeError, Portable};
use crate::ids::{CartId, SessionId};

/// The newest form of them all; nodes of the build before it read one less.
const VERSION: u8 = 1;

const SET_CURRENT_CART: u8 = 1;
const CLEAR_CURRENT_CART: u8 = 2;
const EXPIRE: u8 = 3;
const REVOKE: u8 = 1;
const ADD: u8 = 1;
const FULL: u8 = 1;

const UNKNOWN_COMMAND: DecodeError = DecodeError::Damaged("an unknown command");
const UNKNOWN_REFUSAL: DecodeError = DecodeError::Damaged("an unknown refusal");

impl Portable for SessionEntity {
    fn encode_command(command: &SessionCommand, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out, VERSION);
        match command {
            SessionCommand::SetCurrentCart { cart, opened_at } => {
                writer.byte(SET_CURRENT_CART);
                writer.id(cart.0);
                writer.time(*opened_at);
            }
            SessionCommand::ClearCurrentCart { cart } => {
                writer.byte(CLEAR_CURRENT_CART);
                writer.id(cart.0);
            }
            SessionCommand::Expire => writer.byte(EXPIRE),
        }
    }

    fn decode_command(bytes: &[u8]) -> Result<SessionCommand, DecodeError> {
        let (_, mut reader) = Reader::open(bytes, VERSION)?;
        let command = match reader.byte()? {
            SET_CURRENT_CART => {
                let cart = CartId(reader.id()?);
                SessionCommand::SetCurrentCart { cart, opened_at: reader.time()? }
            }
            CLEAR_CURRENT_CART => SessionCommand::ClearCurrentCart { cart: CartId(reader.id()?) },
            EXPIRE => SessionCommand::Expire,
            _ => return Err(UNKNOWN_COMMAND),
        };
        reader.finish()?;
        Ok(command)
    }

    fn encode_rejection(rejection: &Never, _out: &mut Vec<u8>) {
        match *rejection {}
    }

    fn decode_rejection(_bytes: &[u8]) -> Result<Never, DecodeError> {
        Err(UNKNOWN_REFUSAL)
    }
}

impl Portable for Revocations {
    fn encode_command(command: &RevocationsCommand, out: &mut Vec<u8>) {
        let RevocationsCommand::Revoke { session, until } = command;
        let mut writer = Writer::new(out, VERSION);
        writer.byte(REVOKE);
        writer.id(session.0);
        writer.time(*until);
    }

    fn decode_command(bytes: &[u8]) -> Result<RevocationsCommand, DecodeError> {
        let (_, mut reader) = Reader::open(bytes, VERSION)?;
        let REVOKE = reader.byte()? else { return Err(UNKNOWN_COMMAND) };
        let session = SessionId(reader.id()?);
        let command = RevocationsCommand::Revoke { session, until: reader.time()? };
        reader.finish()?;
        Ok(command)
    }

    fn encode_rejection(rejection: &RevocationsRejection, out: &mut Vec<u8>) {
        let RevocationsRejection::Full = rejection;
        Writer::new(out, VERSION).byte(FULL);
    }

    fn decode_rejection(bytes: &[u8]) -> Result<RevocationsRejection, DecodeError> {
        full(bytes).map(|()| RevocationsRejection::Full)
    }
}

impl Portable for SigningKeys {
    fn encode_command(command: &SigningKeysCommand, out: &mut Vec<u8>) {
        let SigningKeysCommand::Add { secret, created_at } = command;
        let mut writer = Writer::new(out, VERSION);
        writer.byte(ADD);
        writer.raw(secret);
        writer.time(*created_at);
    }

    fn decode_command(bytes: &[u8]) -> Result<SigningKeysCommand, DecodeError> {
        let (_, mut reader) = Reader::open(bytes, VERSION)?;
        let ADD = reader.byte()? else { return Err(UNKNOWN_COMMAND) };
        let secret = reader.array()?;
        let command = SigningKeysCommand::Add { secret, created_at: reader.time()? };
        reader.finish()?;
        Ok(command)
    }

    fn encode_rejection(rejection: &SigningKeysRejection, out: &mut Vec<u8>) {
        let SigningKeysRejection::Full = rejection;
        Writer::new(out, VERSION).byte(FULL);
    }

    fn decode_rejection(bytes: &[u8]) -> Result<SigningKeysRejection, DecodeError> {
        full(bytes).map(|()| SigningKeysRejection::Full)
    }
}

/// The one refusal of entities that can only be full.
fn full(bytes: &[u8]) -> Result<(), DecodeError> {
    let (_, mut reader) = Reader::open(bytes, VERSION)?;
    let FULL = reader.byte()? else { return Err(UNKNOWN_REFUSAL) };
    reader.finish()
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;

    use super::*;
    use crate::time::Timestamp;

    fn check<E: Portable>(command: E::Command, length: usize)
    where
        E::Command: PartialEq + Debug,
    {
        let mut bytes = Vec::new();
        E::encode_command(&command, &mut bytes);
        assert_eq!(bytes.len(), length, "{bytes:?}");
        assert_eq!(E::decode_command(&bytes), Ok(command));
        for cut in 0..bytes.len() {
            assert!(E::decode_command(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn every_command_arrives_as_it_was_sent() {
        let (cart, at) = (CartId(u128::MAX), Timestamp(1));
        check::<SessionEntity>(SessionCommand::SetCurrentCart { cart, opened_at: at }, 19);
        check::<SessionEntity>(SessionCommand::ClearCurrentCart { cart }, 18);
        check::<SessionEntity>(SessionCommand::Expire, 2);
        let revoke = RevocationsCommand::Revoke { session: SessionId(7), until: at };
        check::<Revocations>(revoke, 19);
        check::<SigningKeys>(SigningKeysCommand::Add { secret: [9; 32], created_at: at }, 35);
    }

    #[test]
    fn every_refusal_arrives_as_it_was_sent() {
        let mut bytes = Vec::new();
        Revocations::encode_rejection(&RevocationsRejection::Full, &mut bytes);
        assert_eq!(Revocations::decode_rejection(&bytes), Ok(RevocationsRejection::Full));
        assert_eq!(SigningKeys::decode_rejection(&bytes), Ok(SigningKeysRejection::Full));
        assert!(SessionEntity::decode_rejection(&bytes).is_err());
        assert!(Revocations::decode_rejection(&[VERSION, 9]).is_err());
    }

    proptest! {
        #[test]
        fn noise_is_an_error_and_never_more(noise: Vec<u8>) {
            let _ = SessionEntity::decode_command(&noise);
            let _ = Revocations::decode_command(&noise);
            let _ = SigningKeys::decode_command(&noise);
        }
    }
}
