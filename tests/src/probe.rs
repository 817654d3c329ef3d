//! An entity made for tests of the runtime: a list that commands append to. It can be told to
//! refuse, to panic, to tell another probe, and to set a timer.

use async_trait::async_trait;
use barrow_actors::runtime::{Host, HostError, WireError};
use barrow_engine::codec::{Reader, Writer};
use barrow_engine::entity::{Decision, DecodeError, Effect, Entity, EntityKey, EntityKind};
use barrow_engine::time::Timestamp;
use bytes::Bytes;

pub struct Probe;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    pub items: Vec<u64>,
    pub timer: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub enum ProbeCommand {
    Append(u64),
    /// Accepted, and changes nothing.
    Nothing,
    Refuse,
    Panic,
    /// Appends, and has another probe append the same.
    Tell {
        target: u128,
        item: u64,
    },
    /// Appends `item` at a time to come.
    Later {
        at: Timestamp,
        item: u64,
    },
}

#[derive(Debug)]
pub enum ProbeEvent {
    Appended(u64),
    TimerSet(Option<Timestamp>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused;

/// A probe that holds this expires, at [`EXPIRES_AT`].
pub const EXPIRING_ITEM: u64 = 8_888;
/// Later than any test plays.
pub const EXPIRES_AT: Timestamp = Timestamp(4_102_444_800_000);

/// What a timer appends.
pub const TIMER_ITEM: u64 = 7_777;

/// What only a later build understands, when another probe tells it.
pub const NOT_UNDERSTOOD_ITEM: u64 = 6_666;

impl Entity for Probe {
    const KIND: EntityKind = EntityKind::Probe;
    type State = List;
    type Command = ProbeCommand;
    type Event = ProbeEvent;
    type Rejection = Refused;

    fn initial(_id: u128) -> List {
        List::default()
    }

    fn decide(
        _state: &List,
        command: ProbeCommand,
        now: Timestamp,
    ) -> Result<Decision<Probe>, Refused> {
        Ok(match command {
            ProbeCommand::Append(TIMER_ITEM) => Decision {
                events: vec![ProbeEvent::Appended(TIMER_ITEM), ProbeEvent::TimerSet(None)],
                effects: Vec::new(),
            },
            ProbeCommand::Append(item) => Decision::event(ProbeEvent::Appended(item)),
            ProbeCommand::Nothing => Decision::nothing(),
            ProbeCommand::Refuse => return Err(Refused),
            ProbeCommand::Panic => panic!("a probe was told to panic at {now}"),
            ProbeCommand::Tell { target, item } => Decision {
                events: vec![ProbeEvent::Appended(item)],
                effects: vec![Effect {
                    target: EntityKey::new(EntityKind::Probe, target),
                    body: item.to_le_bytes().to_vec(),
                }],
            },
            ProbeCommand::Later { at, item } => Decision {
                events: vec![ProbeEvent::Appended(item), ProbeEvent::TimerSet(Some(at))],
                effects: Vec::new(),
            },
        })
    }

    fn apply(state: &mut List, event: ProbeEvent) {
        match event {
            ProbeEvent::Appended(item) => state.items.push(item),
            ProbeEvent::TimerSet(at) => state.timer = at,
        }
    }

    fn due(state: &List) -> Option<Timestamp> {
        state.timer
    }

    fn timer(state: &List, now: Timestamp) -> Option<ProbeCommand> {
        state.timer.filter(|at| *at <= now).map(|_| ProbeCommand::Append(TIMER_ITEM))
    }

    fn expires(state: &List) -> Option<Timestamp> {
        state.items.contains(&EXPIRING_ITEM).then_some(EXPIRES_AT)
    }

    fn receive(_source: EntityKey, body: &[u8]) -> Result<ProbeCommand, DecodeError> {
        let body = body.try_into().map_err(|_| DecodeError::Damaged("not eight bytes"))?;
        match u64::from_le_bytes(body) {
            NOT_UNDERSTOOD_ITEM => Err(DecodeError::FutureVersion { found: 2, supported: 1 }),
            item => Ok(ProbeCommand::Append(item)),
        }
    }

    fn encode(state: &List, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out, 1);
        writer.varint(state.items.len() as u64);
        state.items.iter().for_each(|item| writer.varint(*item));
        writer.time(state.timer.unwrap_or(Timestamp(0)));
    }

    fn decode(_id: u128, blob: &[u8]) -> Result<List, DecodeError> {
        let (_, mut reader) = Reader::open(blob, 1)?;
        let mut items = Vec::new();
        for _ in 0..reader.count(1_000_000)? {
            items.push(reader.varint()?);
        }
        let timer = Some(reader.time()?).filter(|at| at.0 != 0);
        Ok(List { items, timer })
    }
}

/// Shows the list as it is.
#[derive(Default)]
pub struct ProbeHost;

#[async_trait]
impl Host for ProbeHost {
    type Entity = Probe;
    type Ask = ();
    type View = Vec<u64>;

    fn is_fresh(&self, _state: &List, _now: Timestamp) -> bool {
        true
    }

    async fn refresh(&self, _state: &mut List, _now: Timestamp) -> Result<(), HostError> {
        Ok(())
    }

    fn view(&self, state: &List, _version: u64, (): ()) -> Result<Vec<u64>, Refused> {
        Ok(state.items.clone())
    }

    fn publication(&self, state: &List, _version: u64) -> Option<Vec<u64>> {
        Some(state.items.clone())
    }

    fn encode_command(&self, command: &ProbeCommand, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out, 1);
        match command {
            ProbeCommand::Append(item) => {
                writer.byte(1);
                writer.varint(*item);
            }
            ProbeCommand::Nothing => writer.byte(2),
            ProbeCommand::Refuse => writer.byte(3),
            ProbeCommand::Panic => writer.byte(4),
            ProbeCommand::Tell { target, item } => {
                writer.byte(5);
                writer.id(*target);
                writer.varint(*item);
            }
            ProbeCommand::Later { at, item } => {
                writer.byte(6);
                writer.time(*at);
                writer.varint(*item);
            }
        }
    }

    async fn decode_command(&self, bytes: &[u8]) -> Result<ProbeCommand, WireError> {
        let (_, mut reader) = Reader::open(bytes, 1)?;
        Ok(match reader.byte()? {
            1 => ProbeCommand::Append(reader.varint()?),
            2 => ProbeCommand::Nothing,
            3 => ProbeCommand::Refuse,
            4 => ProbeCommand::Panic,
            5 => ProbeCommand::Tell { target: reader.id()?, item: reader.varint()? },
            6 => ProbeCommand::Later { at: reader.time()?, item: reader.varint()? },
            _ => return Err(DecodeError::Damaged("an unknown command").into()),
        })
    }

    fn encode_ask(&self, (): &(), _out: &mut Vec<u8>) {}

    fn decode_ask(&self, _bytes: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }

    fn encode_view(&self, view: &Vec<u64>, out: &mut Vec<u8>) {
        Probe::encode(&List { items: view.clone(), timer: None }, out);
    }

    fn decode_view(&self, id: u128, bytes: Bytes) -> Result<Vec<u64>, DecodeError> {
        Probe::decode(id, &bytes).map(|list| list.items)
    }

    fn encode_rejection(&self, _rejection: &Refused, _out: &mut Vec<u8>) {}

    fn decode_rejection(&self, _bytes: &[u8]) -> Result<Refused, DecodeError> {
        Ok(Refused)
    }
}
