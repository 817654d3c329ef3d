//! One entity, without an actor around it: decides commands in order, remembers keys, and says
//! what to write. It performs nothing itself.

use std::sync::Arc;

use barrow_engine::entity::{DecodeError, Entity, EntityKey};
use barrow_engine::ports::{Expected, Row, WriteId};
use barrow_engine::time::Timestamp;
use tokio::sync::oneshot;

use super::envelope::Envelope;
use super::form::FORM;
use super::gate::{Answer, Gate, Held, Ticket};
use super::host::{Command, Host, State};
use super::memory::{IdempotencyKey, Recall};
use super::outbox::{Arrival, DeliveryError, SequencedEffect};
use super::planted::{Bug, is_planted};
use super::settings::RuntimeSettings;
use super::{CommandError, Reply};

/// When an entity with pending effects is due. Not the time of the write: on a clock that goes
/// back after it, that would still lie ahead.
const DUE_AT_ONCE: Timestamp = Timestamp(0);

/// A command as a caller sends it.
pub(super) struct Order<H: Host> {
    pub command: Command<H>,
    pub ask: H::Ask,
    pub key: Option<IdempotencyKey>,
    /// The version the caller saw, where it insists on it.
    pub expected_version: Option<u64>,
}

/// A write to perform.
#[derive(Clone)]
pub(super) struct PendingWrite {
    pub expected: Expected,
    pub row: Row,
}

pub(super) struct Machine<H: Host> {
    pub key: EntityKey,
    pub state: State<H>,
    pub gate: Gate<H>,
    host: Arc<H>,
    envelope: Envelope,
    /// In which the row was read or written last. No earlier one is written: it might not hold
    /// all of it.
    form: u8,
    /// Subscribers get this once the write in flight is durable.
    publication: Option<Reply<H::View>>,
    published_version: u64,
    /// Effects up to this sequence are in the durable row, and only those may go out.
    durable_sequence: u64,
    writing_sequence: u64,
    /// Confirmations that the write in flight makes safe to send.
    confirm_after: Vec<(EntityKey, u64)>,
}

impl<H: Host> Machine<H> {
    /// From the stored row, or from nothing.
    /// `reads` is the newest form that may be met.
    pub fn load(
        key: EntityKey,
        host: Arc<H>,
        row: Option<Row>,
        reads: u8,
    ) -> Result<Self, DecodeError> {
        let form = row.as_ref().and_then(|row| row.blob.first()).copied().unwrap_or(FORM);
        let (durable, envelope, state) = match row {
            None => (Expected::Absent, Envelope::default(), H::Entity::initial(key.id)),
            Some(row) => {
                let (mut envelope, state) =
                    Envelope::decode::<H::Entity>(key.id, &row.blob, reads)?;
                if is_planted(Bug::DedupeForgotten) {
                    envelope.memory = Default::default();
                }
                let (version, write_id) = (row.version, row.write_id);
                (Expected::Present { version, write_id }, envelope, state)
            }
        };
        let durable_sequence = envelope.outbox.last_sequence();
        Ok(Machine {
            key,
            state,
            gate: Gate::new(durable),
            host,
            published_version: envelope.version,
            envelope,
            form,
            publication: None,
            durable_sequence,
            writing_sequence: 0,
            confirm_after: Vec::new(),
        })
    }

    /// Never written, and nothing on the way: not worth keeping.
    pub fn is_blank(&self) -> bool {
        self.gate.durable() == Expected::Absent && self.gate.is_settled()
    }

    pub fn view(&self, ask: H::Ask) -> Answer<H> {
        self.view_at(ask, None)
    }

    fn view_at(&self, ask: H::Ask, replayed: Option<u64>) -> Answer<H> {
        let version = self.envelope.version;
        let view = self.host.view(&self.state, version, ask).map_err(CommandError::Rejected)?;
        Ok(Reply { version, view, replayed })
    }

    /// Decides a command. The answer must pass the gate.
    pub fn command(
        &mut self,
        order: Order<H>,
        now: Timestamp,
        settings: &RuntimeSettings,
    ) -> Answer<H> {
        let Order { command, ask, key, expected_version } = order;
        // Each of these refusals first asks the view, so that a stranger learns nothing from it.
        if let Some(key) = key.filter(|_| !is_planted(Bug::NoDedupe)) {
            match self.envelope.memory.recall(key, now) {
                Recall::New => {}
                Recall::Seen(version) => return self.view_at(ask, Some(version)),
                Recall::Reused => return self.view(ask).and(Err(CommandError::KeyReused)),
                Recall::Full => return self.view(ask).and(Err(CommandError::KeyMemoryFull)),
            }
        }
        let current = self.envelope.version;
        if expected_version.is_some_and(|expected| expected != current) {
            return self.view(ask).and(Err(CommandError::VersionMismatch { current }));
        }
        self.decide(command, now, settings)?;
        if let Some(key) = key {
            self.envelope.memory.remember(key, self.envelope.version, now);
            self.gate.mark_dirty();
        }
        self.view(ask)
    }

    fn decide(
        &mut self,
        command: Command<H>,
        now: Timestamp,
        settings: &RuntimeSettings,
    ) -> Result<(), CommandError<super::host::Rejection<H>>> {
        let decision =
            H::Entity::decide(&self.state, command, now).map_err(CommandError::Rejected)?;
        if !self.envelope.outbox.has_room(decision.effects.len()) {
            return Err(CommandError::Overloaded { retry_after: settings.retry_after });
        }
        if decision.events.is_empty() && decision.effects.is_empty() {
            return Ok(());
        }
        if !decision.events.is_empty() {
            self.envelope.version += 1;
        }
        for event in decision.events {
            H::Entity::apply(&mut self.state, event);
        }
        for effect in decision.effects {
            self.envelope.outbox.push(effect);
        }
        // A timer that only moves later is left as it is: it fires early, looks, and sets
        // itself again, so that the index is not rewritten with each change.
        self.envelope.armed = match (self.envelope.armed, H::Entity::due(&self.state)) {
            (Some(armed), Some(due)) => Some(armed.min(due)),
            (armed, due) => armed.or(due),
        };
        self.gate.mark_dirty();
        Ok(())
    }

    /// Runs the entity's timer if it is due, and sets it anew.
    pub fn wake(&mut self, now: Timestamp, settings: &RuntimeSettings) {
        if self.envelope.armed.is_none_or(|armed| armed > now) {
            return;
        }
        if let Some(command) = H::Entity::timer(&self.state, now)
            && let Err(error) = self.decide(command, now, settings)
        {
            tracing::warn!(entity = %self.key, ?error, "a timer's command was refused");
        }
        // Not in the past again, or it would fire each second for ever.
        let soonest = Timestamp(now.0 + 1_000);
        self.envelope.armed = H::Entity::due(&self.state).map(|due| due.max(soonest));
        self.gate.mark_dirty();
    }

    /// Takes an effect of another entity, once. The receipt must pass the gate.
    pub fn receive(
        &mut self,
        source: EntityKey,
        effect: &SequencedEffect,
        now: Timestamp,
        settings: &RuntimeSettings,
    ) -> Result<(), DeliveryError> {
        match self.envelope.inbox.arrival(source, effect.sequence) {
            Arrival::Seen => return Ok(()),
            Arrival::Full => return Err(DeliveryError),
            Arrival::New => {}
        }
        match H::Entity::receive(source, &effect.effect.body) {
            // It stays with its source until this entity is with a build that understands it.
            Err(DecodeError::FutureVersion { .. }) => return Err(DeliveryError),
            Err(error) => {
                tracing::error!(entity = %self.key, %source, %error, "an effect is dropped");
            }
            Ok(command) => match self.decide(command, now, settings) {
                Ok(()) => {}
                Err(CommandError::Overloaded { .. }) => return Err(DeliveryError),
                Err(error) => {
                    tracing::warn!(entity = %self.key, %source, ?error, "an effect was refused");
                }
            },
        }
        self.envelope.inbox.remember(source, effect.sequence);
        self.gate.mark_dirty();
        Ok(())
    }

    /// The source will not send it again. Costs no write of its own: if it is lost, one entry
    /// too many is remembered, until the next confirmation.
    pub fn forget(&mut self, source: EntityKey, sequence: u64) {
        self.envelope.inbox.confirm(source, sequence);
    }

    /// The effect to deliver next: only one that is in the durable row.
    pub fn next_effect(&self) -> Option<SequencedEffect> {
        let first = self.envelope.outbox.first()?;
        let may_leave =
            first.sequence <= self.durable_sequence || is_planted(Bug::EffectsBeforeCommit);
        may_leave.then(|| first.clone())
    }

    pub fn delivered(&mut self, sequence: u64) {
        self.envelope.outbox.delivered(sequence);
        self.gate.mark_dirty();
    }

    pub fn confirmed(&mut self, target: EntityKey, sequence: u64) {
        self.envelope.outbox.confirmed(target, sequence);
    }

    /// Confirmations that were durable when the entity was loaded.
    pub fn unconfirmed(&self) -> Vec<(EntityKey, u64)> {
        self.envelope.outbox.unconfirmed()
    }

    /// The state as a row in that form, under a new write id; what waits rides with it.
    pub fn begin_write(&mut self, write_id: WriteId, form: u8) -> PendingWrite {
        self.form = self.form.max(form);
        let expected = self.gate.durable();
        let version = row_version(expected) + 1;
        let row = self.to_row(version, write_id);
        self.gate.begin_write(write_id);
        self.writing_sequence = self.envelope.outbox.last_sequence();
        self.confirm_after = self.envelope.outbox.unconfirmed();
        let changed = self.envelope.version != self.published_version;
        self.published_version = self.envelope.version;
        self.publication = (changed && self.gate.subscribers() > 0)
            .then(|| self.host.publication(&self.state, self.envelope.version))
            .flatten()
            .map(|view| Reply { version: self.envelope.version, view, replayed: None });
        PendingWrite { expected, row }
    }

    /// The write in flight is durable. Returns the confirmations that may now be sent.
    pub fn written(&mut self, lease_is_valid: bool) -> Vec<(EntityKey, u64)> {
        let version = row_version(self.gate.durable()) + 1;
        self.gate.written(version, self.publication.take(), lease_is_valid);
        self.durable_sequence = self.writing_sequence;
        std::mem::take(&mut self.confirm_after)
    }

    /// The durable row of a settled entity, for the warm tier.
    pub fn settled_row(&self) -> Option<Row> {
        match self.gate.durable() {
            Expected::Present { version, write_id } if self.gate.is_settled() => {
                Some(self.to_row(version, write_id))
            }
            _ => None,
        }
    }

    fn to_row(&self, version: u64, write_id: WriteId) -> Row {
        let mut blob = Vec::with_capacity(512);
        self.envelope.encode::<H::Entity>(&self.state, self.form, &mut blob);
        let is_idle = self.envelope.outbox.is_empty();
        let due = if is_idle { self.envelope.armed } else { Some(DUE_AT_ONCE) };
        Row { version, write_id, due, expires: self.expires(), blob: blob.into() }
    }

    /// Nothing that is still to happen may go with the row: no effect, and no timer.
    fn expires(&self) -> Option<Timestamp> {
        if !self.envelope.outbox.is_empty() {
            return None;
        }
        let expires = H::Entity::expires(&self.state)?;
        self.envelope.armed.is_none_or(|armed| armed < expires).then_some(expires)
    }

    pub fn hold_command(
        &mut self,
        to: oneshot::Sender<Answer<H>>,
        answer: Answer<H>,
        ticket: Ticket,
        lease_is_valid: bool,
    ) {
        self.gate.hold(Held::Command { to, answer, _ticket: ticket }, lease_is_valid);
    }
}

fn row_version(durable: Expected) -> u64 {
    match durable {
        Expected::Absent => 0,
        Expected::Present { version, .. } => version,
    }
}
