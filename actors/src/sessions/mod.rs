//! Sessions: what the shop knows of a visitor beside the token they carry.
//!
//! A token proves itself, so nothing in here is needed to let a visitor in. Durable are the
//! keys that sign tokens, the tokens revoked before their time, and which cart is a session's;
//! what was looked at last is volatile, and its loss costs nobody a cart or a login.

mod revoked;
mod viewed;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use barrow_cluster::Ownership;
use barrow_engine::entity::EntityKind;
use barrow_engine::ids::{CartId, ProductId, SessionId};
use barrow_engine::ports::{Cache, Clock, EntityStore, Entropy};
use barrow_engine::session::{
    Revocations, RevocationsCommand, SessionEntity, SigningKey, SigningKeys, SigningKeysCommand,
};
use barrow_engine::time::Timestamp;

use crate::runtime::{
    CommandError, EffectRouter, PlainHost, Runtime, RuntimeObservation, RuntimeParts,
    RuntimeSettings, Wakeable,
};
use revoked::Revoked;

/// What sessions are made of.
pub struct SessionParts {
    pub store: Arc<dyn EntityStore>,
    pub cache: Arc<dyn Cache>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub ownership: Arc<dyn Ownership>,
    pub effects: Arc<EffectRouter>,
    pub settings: RuntimeSettings,
    /// How long what a session looked at last is remembered after its last visit.
    pub viewed_ttl: Duration,
}

/// The entity store could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sessions are not available: {0}")]
pub struct SessionsUnavailable(pub String);

/// Why a token that is otherwise good does not let its bearer in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionCheckError {
    #[error("the session was ended")]
    Revoked,
    /// It is not known for certain which sessions were ended, so nobody is let in.
    #[error("the ended sessions could not be read lately")]
    Stale,
}

/// All sessions. Clones are handles to the same ones.
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

struct Inner {
    sessions: Runtime<PlainHost<SessionEntity>>,
    revocations: Runtime<PlainHost<Revocations>>,
    signing_keys: Runtime<PlainHost<SigningKeys>>,
    revoked: Arc<Revoked>,
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    viewed_ttl: Duration,
}

impl Sessions {
    /// Starts them on the current tokio runtime. Nobody is let in before [`Sessions::learn`] has
    /// succeeded.
    pub fn start(parts: SessionParts) -> Sessions {
        let revocations = start_runtime::<Revocations>(&parts);
        let revoked = Arc::new(Revoked::new(revocations.clone(), parts.clock.clone()));
        let inner = Inner {
            sessions: start_runtime::<SessionEntity>(&parts),
            revocations,
            signing_keys: start_runtime::<SigningKeys>(&parts),
            revoked,
            cache: parts.cache,
            clock: parts.clock,
            entropy: parts.entropy,
            viewed_ttl: parts.viewed_ttl,
        };
        Sessions { inner: Arc::new(inner) }
    }

    /// Reads what was revoked, and keeps reading from then on. Apart from the start: nodes that
    /// start together are each other's owners, and have to answer before they ask.
    pub async fn learn(&self) -> Result<(), SessionsUnavailable> {
        let revoked = &self.inner.revoked;
        revoked.refresh().await.map_err(|error| SessionsUnavailable(error.to_string()))?;
        Revoked::keep_fresh(Arc::downgrade(revoked));
        Ok(())
    }

    /// Whether the session may still act. Looks in memory only.
    pub fn check(&self, id: SessionId) -> Result<(), SessionCheckError> {
        self.inner.revoked.check(id)
    }

    /// As [`Sessions::check`], after the ended sessions were read anew if they are out of date:
    /// a process that was stopped for long would otherwise refuse for the moment until they are
    /// read in turn. It waits a second at most.
    pub async fn check_anew(&self, id: SessionId) -> Result<(), SessionCheckError> {
        self.inner.revoked.check_anew(id).await
    }

    /// Ends a session: no token of it is good any more, here at once, elsewhere within a second
    /// or two. `expires_at` is when its last token ends anyway.
    pub async fn revoke(
        &self,
        id: SessionId,
        expires_at: Timestamp,
    ) -> Result<(), SessionsUnavailable> {
        let command = RevocationsCommand::Revoke { session: id, until: expires_at };
        let bucket = Revocations::key(id).id;
        let reply = self.inner.revocations.execute(bucket, command, (), None, None).await;
        let reply = reply.map_err(|error| SessionsUnavailable(error.to_string()))?;
        self.inner.revoked.learn(bucket, reply.version, &reply.view);
        Ok(())
    }

    /// The cart that the session opened last and that is still its own.
    pub async fn current_cart(&self, id: SessionId) -> Result<Option<CartId>, SessionsUnavailable> {
        let reply = self.inner.sessions.read(id.0, ()).await;
        Ok(reply.map_err(|error| SessionsUnavailable(error.to_string()))?.view.current_cart())
    }

    /// The session looked at a product. Volatile: a failure is nobody's concern.
    pub async fn viewed(&self, id: SessionId, product: ProductId) {
        viewed::record(&*self.inner.cache, id, product, self.inner.viewed_ttl).await;
    }

    /// What the session looked at last, newest first; empty where that was forgotten.
    pub async fn recently_viewed(&self, id: SessionId) -> Vec<ProductId> {
        viewed::read(&*self.inner.cache, id, Some(self.inner.viewed_ttl)).await
    }

    /// The keys that sign tokens, the one to sign with first; made at the first start.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>, SessionsUnavailable> {
        let unavailable = |error: String| SessionsUnavailable(error);
        let id = SigningKeys::key().id;
        let ring = self.inner.signing_keys.read(id, ()).await;
        let ring = ring.map_err(|error| unavailable(error.to_string()))?.view;
        if !ring.keys().is_empty() {
            return Ok(ring.keys().to_vec());
        }
        let mut secret = [0; 32];
        self.inner.entropy.fill(&mut secret);
        let command = SigningKeysCommand::Add { secret, created_at: self.inner.clock.now() };
        // Only the first of several that start at once adds its key; the others see it.
        let reply = self.inner.signing_keys.execute(id, command, (), None, Some(0)).await;
        match reply {
            Ok(reply) => Ok(reply.view.keys().to_vec()),
            Err(CommandError::VersionMismatch { .. }) => {
                let ring = self.inner.signing_keys.read(id, ()).await;
                Ok(ring.map_err(|error| unavailable(error.to_string()))?.view.keys().to_vec())
            }
            Err(error) => Err(unavailable(error.to_string())),
        }
    }

    /// As [`Runtime::drain_shards`].
    pub async fn drain_shards(&self, shards: &[u16], deadline: Duration) -> bool {
        let (sessions, revocations, signing_keys) = futures::join!(
            self.inner.sessions.drain_shards(shards, deadline),
            self.inner.revocations.drain_shards(shards, deadline),
            self.inner.signing_keys.drain_shards(shards, deadline),
        );
        sessions && revocations && signing_keys
    }

    /// Refuses new commands, finishes and stores what was admitted.
    pub async fn drain(&self, deadline: Duration) -> bool {
        let (sessions, revocations, signing_keys) = futures::join!(
            self.inner.sessions.drain(deadline),
            self.inner.revocations.drain(deadline),
            self.inner.signing_keys.drain(deadline),
        );
        sessions && revocations && signing_keys
    }

    pub fn observe(&self) -> RuntimeObservation {
        self.inner.sessions.observe()
    }

    /// For the scanner of due entities.
    pub fn wakeables(&self) -> HashMap<EntityKind, Weak<dyn Wakeable>> {
        HashMap::from([
            (EntityKind::Session, self.inner.sessions.wakeable()),
            (EntityKind::Revocations, self.inner.revocations.wakeable()),
            (EntityKind::SigningKeys, self.inner.signing_keys.wakeable()),
        ])
    }
}

fn start_runtime<E>(parts: &SessionParts) -> Runtime<PlainHost<E>>
where
    E: barrow_engine::entity::Portable,
    E::State: Clone + Sync,
{
    Runtime::start(RuntimeParts {
        host: PlainHost::default(),
        store: parts.store.clone(),
        clock: parts.clock.clone(),
        entropy: parts.entropy.clone(),
        ownership: parts.ownership.clone(),
        effects: parts.effects.clone(),
        settings: parts.settings.clone(),
    })
}
