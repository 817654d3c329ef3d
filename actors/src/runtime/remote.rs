//! What is asked of an entity on another node, and its answer, as bytes.
//!
//! A request is a version byte, what is asked, the entity's key, and what belongs to it; an
//! answer is a version byte, how it ended, and what belongs to that. A node that reads an older
//! version only refuses, and nothing was done.

use std::time::Duration;

use barrow_cluster::transport::Refusal;
use barrow_engine::codec::{Reader, Writer};
use barrow_engine::entity::{DecodeError, Effect, EntityKey};
use bytes::Bytes;

use super::gate::Answer;
use super::host::{Host, Rejection};
use super::machine::Order;
use super::memory::IdempotencyKey;
use super::outbox::SequencedEffect;
use super::{CommandError, Reply};

/// The newest form; nodes of the build before it read one less.
const VERSION: u8 = 1;

const COMMAND: u8 = 1;
const READ: u8 = 2;
const SUBSCRIBE: u8 = 3;
const RECEIVE: u8 = 4;
const CONFIRM: u8 = 5;

const OK: u8 = 0;
const REJECTED: u8 = 1;
const VERSION_MISMATCH: u8 = 2;
const KEY_REUSED: u8 = 3;
const KEY_MEMORY_FULL: u8 = 4;
const OVERLOADED: u8 = 5;
const UNAVAILABLE: u8 = 6;
const OUTCOME_UNKNOWN: u8 = 7;
const UNREADABLE: u8 = 8;

/// What is asked of an entity of a kind that is not known yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    pub key: EntityKey,
    pub(super) asked: Asked,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Command { key: Option<IdempotencyKey>, expected_version: Option<u64>, ask: Bytes, rest: Bytes },
    Read { ask: Bytes },
    Subscribe { ask: Bytes },
    Receive { source: EntityKey, effect: SequencedEffect },
    Confirm { source: EntityKey, sequence: u64 },
}

impl Request {
    /// Reads what another node asks.
    ///
    /// # Errors
    /// If it is damaged, or of a later build.
    pub fn decode(payload: &Bytes) -> Result<Request, Refusal> {
        Request::read(payload).map_err(|error| {
            tracing::warn!(%error, "a call of another node cannot be read");
            Refusal::Unreadable
        })
    }

    fn read(payload: &Bytes) -> Result<Request, DecodeError> {
        let (_, mut reader) = Reader::open(payload, VERSION)?;
        let asked = reader.byte()?;
        let key = read_key(&mut reader)?;
        let asked = match asked {
            COMMAND => {
                let idempotency_key = match read_flag(&mut reader)? {
                    false => None,
                    true => Some(IdempotencyKey {
                        key_hash: u64::from_be_bytes(reader.array()?),
                        payload_hash: u32::from_be_bytes(reader.array()?),
                    }),
                };
                let expected_version = match read_flag(&mut reader)? {
                    false => None,
                    true => Some(reader.varint()?),
                };
                let length = reader.count(payload.len())?;
                let ask = payload.slice_ref(reader.raw(length)?);
                let rest = payload.slice_ref(reader.rest());
                Asked::Command { key: idempotency_key, expected_version, ask, rest }
            }
            READ => Asked::Read { ask: payload.slice_ref(reader.rest()) },
            SUBSCRIBE => Asked::Subscribe { ask: payload.slice_ref(reader.rest()) },
            RECEIVE => {
                let (source, sequence) = (read_key(&mut reader)?, reader.varint()?);
                let effect = Effect { target: key, body: reader.rest().to_vec() };
                Asked::Receive { source, effect: SequencedEffect { sequence, effect } }
            }
            CONFIRM => {
                let (source, sequence) = (read_key(&mut reader)?, reader.varint()?);
                reader.finish()?;
                Asked::Confirm { source, sequence }
            }
            _ => return Err(DecodeError::Damaged("an unknown question")),
        };
        Ok(Request { key, asked })
    }
}

fn read_key(reader: &mut Reader<'_>) -> Result<EntityKey, DecodeError> {
    let key = EntityKey::from_bytes(reader.raw(EntityKey::LEN)?);
    key.ok_or(DecodeError::Damaged("an entity of an unknown kind"))
}

fn read_flag(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match reader.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Damaged("a flag is neither 0 nor 1")),
    }
}

fn begin(out: &mut Vec<u8>, asked: u8, key: EntityKey) -> Writer<'_> {
    let mut writer = Writer::new(out, VERSION);
    writer.byte(asked);
    writer.raw(&key.to_bytes());
    writer
}

pub(super) fn command<H: Host>(host: &H, key: EntityKey, order: &Order<H>) -> Bytes {
    let (mut out, mut ask) = (Vec::with_capacity(128), Vec::new());
    host.encode_ask(&order.ask, &mut ask);
    let mut writer = begin(&mut out, COMMAND, key);
    writer.byte(order.key.is_some().into());
    if let Some(key) = order.key {
        writer.raw(&key.key_hash.to_be_bytes());
        writer.raw(&key.payload_hash.to_be_bytes());
    }
    writer.byte(order.expected_version.is_some().into());
    order.expected_version.iter().for_each(|version| writer.varint(*version));
    writer.varint(ask.len() as u64);
    writer.raw(&ask);
    host.encode_command(&order.command, &mut out);
    out.into()
}

pub(super) fn read<H: Host>(host: &H, key: EntityKey, ask: &H::Ask) -> Bytes {
    let mut out = Vec::with_capacity(64);
    begin(&mut out, READ, key);
    host.encode_ask(ask, &mut out);
    out.into()
}

pub(super) fn subscribe<H: Host>(host: &H, key: EntityKey, ask: &H::Ask) -> Bytes {
    let mut out = Vec::with_capacity(64);
    begin(&mut out, SUBSCRIBE, key);
    host.encode_ask(ask, &mut out);
    out.into()
}

pub(super) fn receive(source: EntityKey, effect: &SequencedEffect) -> Bytes {
    let mut out = Vec::with_capacity(64);
    let mut writer = begin(&mut out, RECEIVE, effect.effect.target);
    writer.raw(&source.to_bytes());
    writer.varint(effect.sequence);
    writer.raw(&effect.effect.body);
    out.into()
}

pub(super) fn confirm(source: EntityKey, target: EntityKey, sequence: u64) -> Bytes {
    let mut out = Vec::with_capacity(64);
    let mut writer = begin(&mut out, CONFIRM, target);
    writer.raw(&source.to_bytes());
    writer.varint(sequence);
    out.into()
}

pub(super) fn encode_answer<H: Host>(host: &H, answer: &Answer<H>) -> Bytes {
    let mut out = Vec::with_capacity(512);
    let mut writer = Writer::new(&mut out, VERSION);
    match answer {
        Ok(reply) => {
            writer.byte(OK);
            writer.varint(reply.version);
            writer.byte(reply.replayed.is_some().into());
            reply.replayed.iter().for_each(|version| writer.varint(*version));
            host.encode_view(&reply.view, &mut out);
        }
        Err(error) => encode_error(host, error, &mut out),
    }
    out.into()
}

fn encode_error<H: Host>(host: &H, error: &CommandError<Rejection<H>>, out: &mut Vec<u8>) {
    let millis = |wait: &Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let (code, number) = match error {
        CommandError::Rejected(rejection) => {
            out.push(REJECTED);
            return host.encode_rejection(rejection, out);
        }
        CommandError::VersionMismatch { current } => (VERSION_MISMATCH, *current),
        CommandError::KeyReused => (KEY_REUSED, 0),
        CommandError::KeyMemoryFull => (KEY_MEMORY_FULL, 0),
        CommandError::Overloaded { retry_after } => (OVERLOADED, millis(retry_after)),
        CommandError::Unavailable { retry_after } => (UNAVAILABLE, millis(retry_after)),
        CommandError::OutcomeUnknown => (OUTCOME_UNKNOWN, 0),
        CommandError::Unreadable => (UNREADABLE, 0),
    };
    out.push(code);
    let mut digits = Vec::new();
    Writer::new(&mut digits, VERSION).varint(number);
    out.extend_from_slice(&digits[1..]);
}

/// Reads the answer about the entity with that id.
pub(super) fn decode_answer<H: Host>(
    host: &H,
    id: u128,
    bytes: &Bytes,
) -> Result<Answer<H>, DecodeError> {
    let (_, mut reader) = Reader::open(bytes, VERSION)?;
    let error = match reader.byte()? {
        OK => {
            let version = reader.varint()?;
            let replayed = match read_flag(&mut reader)? {
                false => None,
                true => Some(reader.varint()?),
            };
            let view = host.decode_view(id, bytes.slice_ref(reader.rest()))?;
            return Ok(Ok(Reply { version, view, replayed }));
        }
        REJECTED => return Ok(Err(CommandError::Rejected(host.decode_rejection(reader.rest())?))),
        code => {
            let number = reader.varint()?;
            let retry_after = Duration::from_millis(number);
            match code {
                VERSION_MISMATCH => CommandError::VersionMismatch { current: number },
                KEY_REUSED => CommandError::KeyReused,
                KEY_MEMORY_FULL => CommandError::KeyMemoryFull,
                OVERLOADED => CommandError::Overloaded { retry_after },
                UNAVAILABLE => CommandError::Unavailable { retry_after },
                OUTCOME_UNKNOWN => CommandError::OutcomeUnknown,
                UNREADABLE => CommandError::Unreadable,
                _ => return Err(DecodeError::Damaged("an unknown end")),
            }
        }
    };
    reader.finish()?;
    Ok(Err(error))
}
