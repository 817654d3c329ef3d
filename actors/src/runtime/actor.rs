//! The actor around one entity: the only place where its state changes. It never waits for the
//! store: loads, writes and deliveries run beside it and report back as messages.

use std::collections::VecDeque;
use std::sync::Arc;

use barrow_cluster::Grant;
use barrow_engine::entity::EntityKey;
use barrow_engine::ports::StoreError;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{Mutex, oneshot};

use super::directory::Shared;
use super::gate::{Answer, Held, SubscriptionAnswer, Ticket};
use super::host::Host;
use super::machine::{Machine, Order};
use super::observe::count;
use super::outbox::{DeliveryError, SequencedEffect};
use super::planted::{Bug, is_planted};
use super::spawn::{or_broken, spawn};
use super::write::WriteEnd;
use super::{CommandError, write};

/// Why an actor that did not come up ended: its supervisor lets the entity rest for a while.
pub(super) const FAILED: &str = "failed";

pub(super) enum Message<H: Host> {
    Loaded(Result<Box<Machine<H>>, LoadError>),
    Command {
        order: Order<H>,
        to: oneshot::Sender<Answer<H>>,
        ticket: Ticket,
    },
    Read {
        ask: H::Ask,
        to: oneshot::Sender<Answer<H>>,
        ticket: Ticket,
    },
    Subscribe {
        ask: H::Ask,
        to: oneshot::Sender<SubscriptionAnswer<H>>,
        ticket: Ticket,
    },
    Receive {
        source: EntityKey,
        effect: SequencedEffect,
        to: oneshot::Sender<Result<(), DeliveryError>>,
        ticket: Ticket,
    },
    Forget {
        source: EntityKey,
        sequence: u64,
        ticket: Ticket,
    },
    Wake {
        ticket: Ticket,
    },
    Written(WriteEnd),
    Delivered {
        sequence: u64,
        outcome: Result<(), DeliveryError>,
    },
    Confirmed {
        target: EntityKey,
        sequence: u64,
    },
    /// No message comes after it: end once nothing is in flight.
    Retire,
}

impl<H: Host> Message<H> {
    /// Whether somebody asks something of the entity's state.
    fn is_asked(&self) -> bool {
        matches!(self, Message::Command { .. } | Message::Read { .. } | Message::Subscribe { .. })
    }
}

/// Why an entity does not come up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LoadError {
    /// Damaged, or of a newer build. The row stays as it is.
    Unreadable(String),
    Unavailable(String),
}

/// Held by whoever loads or writes the entity's row: the next activation waits for it, so that
/// it starts only after the former's write has ended (R2).
pub(super) type Lane = Arc<Mutex<()>>;

pub(super) struct Arguments<H: Host> {
    pub shared: Arc<Shared<H>>,
    pub key: EntityKey,
    pub grant: Grant,
    pub lane: Lane,
}

pub(super) struct EntityActor<H>(pub std::marker::PhantomData<fn() -> H>);

pub(super) struct Live<H: Host> {
    shared: Arc<Shared<H>>,
    key: EntityKey,
    grant: Grant,
    lane: Lane,
    phase: Phase<H>,
    delivering: bool,
    /// The last delivery failed: the next one waits for the scanner, not for the next message,
    /// or a target that refuses at once would keep both sides busy for nothing.
    delivery_waits: bool,
    retiring: bool,
}

enum Phase<H: Host> {
    /// The row is being loaded; what comes meanwhile waits. Tickets bound how much that can be.
    Loading(VecDeque<Message<H>>),
    Up(Box<Machine<H>>),
    /// Ended for a reason that its callers were told; nothing more is decided.
    Down(CommandError<super::host::Rejection<H>>),
}

impl<H: Host> Actor for EntityActor<H> {
    type Msg = Message<H>;
    type State = Live<H>;
    type Arguments = Arguments<H>;

    async fn pre_start(
        &self,
        myself: ActorRef<Message<H>>,
        arguments: Arguments<H>,
    ) -> Result<Live<H>, ActorProcessingErr> {
        let Arguments { shared, key, grant, lane } = arguments;
        count(&shared.stats.activations);
        let (task_shared, task_lane, epoch) = (shared.clone(), lane.clone(), grant.epoch);
        spawn(async move {
            let _lane = task_lane.lock().await;
            let broken = || Err(LoadError::Unreadable("whatever loads it breaks".to_owned()));
            let loaded = or_broken(task_shared.load(key, epoch), broken).await.map(Box::new);
            drop(myself.cast(Message::Loaded(loaded)));
        });
        let phase = Phase::Loading(VecDeque::new());
        Ok(Live {
            shared,
            key,
            grant,
            lane,
            phase,
            delivering: false,
            delivery_waits: false,
            retiring: false,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message<H>>,
        message: Message<H>,
        live: &mut Live<H>,
    ) -> Result<(), ActorProcessingErr> {
        if let Phase::Loading(waiting) = &mut live.phase {
            match message {
                // Boxed, as the refresh is: the future of a message is part of every actor.
                Message::Loaded(Ok(machine)) => Box::pin(live.loaded(machine, &myself)).await,
                Message::Loaded(Err(error)) => {
                    live.not_loaded(error);
                    myself.stop(Some(FAILED.to_owned()));
                    return Ok(());
                }
                message => {
                    waiting.push_back(message);
                    return Ok(());
                }
            }
        } else if live.wants_refresh(&message) {
            Box::pin(live.refresh()).await;
            live.take(message, &myself);
        } else {
            live.take(message, &myself);
        }
        live.go_on(&myself);
        Ok(())
    }
}

impl<H: Host> Live<H> {
    async fn loaded(&mut self, machine: Box<Machine<H>>, myself: &ActorRef<Message<H>>) {
        let waiting = self.take_waiting();
        self.send_confirmations(myself, machine.unconfirmed());
        self.phase = Phase::Up(machine);
        for message in waiting {
            if self.wants_refresh(&message) {
                self.refresh().await;
            }
            self.take(message, myself);
        }
    }

    /// What came while the row was being loaded.
    fn take_waiting(&mut self) -> VecDeque<Message<H>> {
        let Phase::Loading(waiting) = &mut self.phase else { return VecDeque::new() };
        std::mem::take(waiting)
    }

    /// Whether the message is about the state, which is no longer what the host would have it.
    fn wants_refresh(&self, message: &Message<H>) -> bool {
        let Phase::Up(machine) = &self.phase else { return false };
        message.is_asked()
            && self.lease_is_valid()
            && !self.shared.host.is_fresh(&machine.state, self.shared.clock.now())
    }

    async fn refresh(&mut self) {
        let Phase::Up(machine) = &mut self.phase else { return };
        let now = self.shared.clock.now();
        if let Err(error) = self.shared.host.refresh(&mut machine.state, now).await {
            tracing::warn!(entity = %self.key, %error, "goes on with what it had");
        }
    }

    fn lease_is_valid(&self) -> bool {
        self.grant.lease.is_valid(self.shared.clock.uptime()) || is_planted(Bug::LeaseIgnored)
    }

    fn take(&mut self, message: Message<H>, myself: &ActorRef<Message<H>>) {
        let lease_is_valid = self.lease_is_valid();
        let Phase::Up(machine) = &mut self.phase else {
            if let Phase::Down(error) = &self.phase {
                refuse(message, error);
            }
            return;
        };
        let now = self.shared.clock.now();
        if message.is_asked() && !lease_is_valid {
            return refuse(message, &self.shared.unavailable());
        }
        let settings = &self.shared.settings;
        match message {
            Message::Command { order, to, ticket } => {
                let answer = machine.command(order, now, settings);
                self.shared.count_answer(&answer);
                machine.hold_command(to, answer, ticket, lease_is_valid);
            }
            Message::Read { ask, to, ticket } => {
                count(&self.shared.stats.reads);
                let answer = machine.view(ask);
                match is_planted(Bug::ReadBeforeDurable) {
                    true => drop(to.send(answer)),
                    false => machine.hold_command(to, answer, ticket, lease_is_valid),
                }
            }
            Message::Subscribe { ask, to, ticket } => {
                let answer = match machine.gate.subscribers() < settings.feeds_max {
                    true => machine.view(ask),
                    false => Err(self.shared.overloaded()),
                };
                let held = Held::Subscribe { to, answer, _ticket: ticket };
                machine.gate.hold(held, lease_is_valid);
            }
            Message::Receive { source, effect, to, ticket } => {
                match machine.receive(source, &effect, now, settings) {
                    Ok(()) => {
                        machine.gate.hold(Held::Receipt { to, _ticket: ticket }, lease_is_valid);
                    }
                    Err(error) => drop(to.send(Err(error))),
                }
            }
            Message::Forget { source, sequence, ticket: _ticket } => {
                machine.forget(source, sequence);
            }
            Message::Wake { ticket: _ticket } => {
                self.delivery_waits = false;
                machine.wake(now, settings);
            }
            Message::Written(end) => self.written(end, myself),
            Message::Delivered { sequence, outcome } => self.delivered(sequence, outcome),
            Message::Confirmed { target, sequence } => machine.confirmed(target, sequence),
            Message::Retire => self.retiring = true,
            Message::Loaded(_) => {}
        }
    }

    fn written(&mut self, end: WriteEnd, myself: &ActorRef<Message<H>>) {
        let lease_is_valid = self.lease_is_valid();
        let Phase::Up(machine) = &mut self.phase else { return };
        let error = match end {
            WriteEnd::Written => {
                let confirmations = machine.written(lease_is_valid);
                self.send_confirmations(myself, confirmations);
                return;
            }
            WriteEnd::Overtaken => {
                count(&self.shared.stats.overtaken);
                CommandError::OutcomeUnknown
            }
            WriteEnd::Unknown => {
                count(&self.shared.stats.unknown);
                CommandError::OutcomeUnknown
            }
            WriteEnd::NotWritten(StoreError::Throttled) => self.shared.overloaded(),
            WriteEnd::NotWritten(_) => self.shared.unavailable(),
        };
        // What is in memory is ahead of the row and must not be seen: the actor is dropped.
        machine.gate.abandon(&error);
        self.phase = Phase::Down(error);
    }

    fn delivered(&mut self, sequence: u64, outcome: Result<(), DeliveryError>) {
        let Phase::Up(machine) = &mut self.phase else { return };
        self.delivering = false;
        self.delivery_waits = outcome.is_err();
        match outcome {
            Ok(()) => {
                count(&self.shared.stats.effects);
                machine.delivered(sequence);
            }
            Err(DeliveryError) => count(&self.shared.stats.effects_failed),
        }
    }

    /// Starts what has become possible: a write, a delivery, the end.
    fn go_on(&mut self, myself: &ActorRef<Message<H>>) {
        let machine = match &mut self.phase {
            Phase::Loading(_) => return,
            Phase::Down(_) => return self.shared.retire_and_stop(self.key, myself),
            Phase::Up(machine) => machine,
        };
        if machine.gate.wants_write() {
            let write = machine.begin_write(self.shared.next_write_id(), self.shared.form());
            self.shared.count_write(write.row.blob.len());
            write::start(&self.shared, self.key, &self.lane, write, myself);
        }
        if !self.delivering
            && !self.delivery_waits
            && let Some(effect) = machine.next_effect()
        {
            self.delivering = true;
            let (shared, myself, source) = (self.shared.clone(), myself.clone(), self.key);
            // What is delivered slowly would be delivered again and again by one that is gone
            // whenever the target has it.
            let kept = shared.keep(source);
            spawn(async move {
                let sequence = effect.sequence;
                let outcome = match shared.effects.receiver(effect.effect.target.kind) {
                    Ok(receiver) => receiver.receive(source, effect).await,
                    Err(error) => Err(error),
                };
                drop(myself.cast(Message::Delivered { sequence, outcome }));
                drop(kept);
            });
        }
        // A delivery under way is not waited for: its target may be waiting for this very entity,
        // which answers nobody until it is gone. The next activation delivers again.
        if self.retiring && machine.gate.is_settled() {
            self.passivate(myself);
        } else if machine.is_blank() {
            self.shared.retire_if_unused(self.key);
        }
    }

    fn passivate(&mut self, myself: &ActorRef<Message<H>>) {
        let Phase::Up(machine) = &self.phase else { return };
        count(&self.shared.stats.passivations);
        if let Some(row) = machine.settled_row() {
            self.shared.warm.put(self.key.id, self.grant.epoch, row);
        }
        myself.stop(None);
    }

    fn send_confirmations(
        &self,
        myself: &ActorRef<Message<H>>,
        confirmations: Vec<(EntityKey, u64)>,
    ) {
        for (target, sequence) in confirmations {
            let Ok(receiver) = self.shared.effects.receiver(target.kind) else { continue };
            let (myself, source) = (myself.clone(), self.key);
            spawn(async move {
                if receiver.confirm(source, target, sequence).await.is_ok() {
                    drop(myself.cast(Message::Confirmed { target, sequence }));
                }
            });
        }
    }

    fn not_loaded(&mut self, error: LoadError) {
        let error = match error {
            LoadError::Unreadable(why) => {
                tracing::error!(entity = %self.key, why, "a stored row cannot be read");
                CommandError::Unreadable
            }
            LoadError::Unavailable(why) => {
                tracing::warn!(entity = %self.key, why, "an entity did not come up");
                self.shared.unavailable()
            }
        };
        for message in self.take_waiting() {
            refuse(message, &error);
        }
        self.phase = Phase::Down(error);
    }
}

/// Answers a message that will not be decided.
fn refuse<H: Host>(message: Message<H>, error: &CommandError<super::host::Rejection<H>>) {
    match message {
        Message::Command { to, .. } | Message::Read { to, .. } => {
            drop(to.send(Err(error.clone())));
        }
        Message::Subscribe { to, .. } => drop(to.send(Err(error.clone()))),
        Message::Receive { to, .. } => drop(to.send(Err(DeliveryError))),
        _ => {}
    }
}
