//! The output gate (rule R3): holds every reply until the state it was decided on is durable,
//! with one write in flight per entity. Commands that come meanwhile ride in the next write.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use barrow_engine::ports::{Expected, WriteId};
use tokio::sync::{OwnedSemaphorePermit, broadcast, oneshot};

use super::host::{Host, Rejection};
use super::outbox::DeliveryError;
use super::planted::{Bug, is_planted};
use super::{CommandError, Reply};

pub(super) type Answer<H> = Result<Reply<<H as Host>::View>, CommandError<Rejection<H>>>;

/// What an admitted message holds until its reply has left: a permit of the runtime's, and a
/// place in the entity's queue.
#[derive(Debug)]
pub(super) struct Ticket {
    pub _in_use: InUse,
    pub _permit: OwnedSemaphorePermit,
}

/// Keeps an entity from being taken out of memory for being idle.
#[derive(Debug)]
pub(super) struct InUse(Arc<AtomicUsize>);

impl InUse {
    pub fn new(queued: &Arc<AtomicUsize>) -> InUse {
        queued.fetch_add(1, Ordering::AcqRel);
        InUse(queued.clone())
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The newest durable view, as a subscriber follows it.
pub(super) struct Subscription<H: Host> {
    pub first: Reply<H::View>,
    pub newest: broadcast::Receiver<Reply<H::View>>,
}

pub(super) type SubscriptionAnswer<H> = Result<Subscription<H>, CommandError<Rejection<H>>>;

/// A reply that is decided and waits for its cause to be durable.
pub(super) enum Held<H: Host> {
    Command {
        to: oneshot::Sender<Answer<H>>,
        answer: Answer<H>,
        _ticket: Ticket,
    },
    Subscribe {
        to: oneshot::Sender<SubscriptionAnswer<H>>,
        answer: Answer<H>,
        _ticket: Ticket,
    },
    /// To the source of an effect: it is applied, and will be remembered.
    Receipt {
        to: oneshot::Sender<Result<(), DeliveryError>>,
        _ticket: Ticket,
    },
}

impl<H: Host> Held<H> {
    /// Lets the reply go. A caller that went away is no concern.
    fn release(self, publisher: &mut Publisher<H>) {
        match self {
            Held::Command { to, answer, .. } => drop(to.send(answer)),
            Held::Subscribe { to, answer, .. } => {
                let publisher = publisher.get_or_insert_with(|| broadcast::Sender::new(1));
                let newest = publisher.subscribe();
                drop(to.send(answer.map(|first| Subscription { first, newest })));
            }
            Held::Receipt { to, .. } => drop(to.send(Ok(()))),
        }
    }

    /// Whether a planted bug lets it go before its cause is durable.
    fn leaves_early(&self) -> bool {
        let Held::Command { answer, .. } = self else { return false };
        let is_accepted = answer.as_ref().is_ok_and(|reply| reply.replayed.is_none());
        match is_accepted {
            true => is_planted(Bug::ReplyBeforeDurable),
            false => is_planted(Bug::RejectionBeforeDurable),
        }
    }

    /// Answers with an error instead: what was decided will not be heard of.
    pub fn refuse(self, error: CommandError<Rejection<H>>) {
        match self {
            Held::Command { to, .. } => drop(to.send(Err(error))),
            Held::Subscribe { to, .. } => drop(to.send(Err(error))),
            Held::Receipt { to, .. } => drop(to.send(Err(DeliveryError))),
        }
    }
}

/// To whoever follows the entity, once somebody has. It keeps only the newest: a slow follower
/// skips what came between.
type Publisher<H> = Option<broadcast::Sender<Reply<<H as Host>::View>>>;

pub(super) struct Gate<H: Host> {
    /// What the next write demands of the stored row.
    durable: Expected,
    writing: Option<WriteId>,
    /// Whether the state holds something that neither the row nor the write in flight has.
    dirty: bool,
    /// Replies that wait for the write in flight.
    in_flight: Vec<Held<H>>,
    /// Replies that wait for the next write.
    waiting: Vec<Held<H>>,
    publisher: Publisher<H>,
}

impl<H: Host> Gate<H> {
    pub fn new(durable: Expected) -> Gate<H> {
        Gate {
            durable,
            writing: None,
            dirty: false,
            in_flight: Vec::new(),
            waiting: Vec::new(),
            publisher: None,
        }
    }

    pub fn durable(&self) -> Expected {
        self.durable
    }

    pub fn mark_dirty(&mut self) {
        self.dirty = true;
    }

    pub fn wants_write(&self) -> bool {
        self.dirty && self.writing.is_none()
    }

    /// Nothing is in flight and nothing waits: the state is what the row says.
    pub fn is_settled(&self) -> bool {
        !self.dirty && self.writing.is_none()
    }

    pub fn subscribers(&self) -> usize {
        self.publisher.as_ref().map_or(0, broadcast::Sender::receiver_count)
    }

    /// Holds a reply decided on the state as it is now, or lets it go if that is durable.
    pub fn hold(&mut self, held: Held<H>, lease_is_valid: bool) {
        if held.leaves_early() {
            held.release(&mut self.publisher);
        } else if self.dirty {
            self.waiting.push(held);
        } else if self.writing.is_some() {
            self.in_flight.push(held);
        } else if lease_is_valid {
            held.release(&mut self.publisher);
        } else {
            held.refuse(CommandError::OutcomeUnknown);
        }
    }

    /// The state goes out under this id; what waits rides with it.
    pub fn begin_write(&mut self, id: WriteId) {
        debug_assert!(self.writing.is_none(), "one write in flight per entity");
        self.writing = Some(id);
        self.dirty = false;
        self.in_flight.append(&mut self.waiting);
    }

    /// The write in flight is durable, at this version of the row.
    pub fn written(
        &mut self,
        row_version: u64,
        publication: Option<Reply<H::View>>,
        lease_is_valid: bool,
    ) {
        let Some(write_id) = self.writing.take() else { return };
        self.durable = Expected::Present { version: row_version, write_id };
        if let Some(publication) = publication.filter(|_| lease_is_valid)
            && let Some(publisher) = &self.publisher
        {
            // Nobody may be following any more.
            drop(publisher.send(publication));
        }
        for held in self.in_flight.drain(..) {
            if lease_is_valid {
                held.release(&mut self.publisher);
            } else {
                held.refuse(CommandError::OutcomeUnknown);
            }
        }
    }

    /// The actor is dropped: nobody gets an answer that was decided here.
    pub fn abandon(&mut self, error: &CommandError<Rejection<H>>) {
        for held in self.in_flight.drain(..).chain(self.waiting.drain(..)) {
            held.refuse(error.clone());
        }
    }
}
