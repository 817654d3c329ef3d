//! The connections to the primary, whichever host that is at the moment.
//!
//! The servers of the URL are looked over when a statement fails for a reason of the server's, and
//! every few seconds; the one that is not in recovery is the primary. Where two say so, a former
//! primary has come back: the one with the higher timeline was promoted after it, and it holds
//! what was acknowledged since. A timeline never goes back.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::migrate::Migrator;
use sqlx::pool::{PoolConnection, PoolConnectionMetadata};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection, PgPool};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::errors::{CallError, ConnectError};
use super::hosts::{Host, hosts};
use crate::commerce::events::Written;
use crate::commerce::write_queue::WriteQueue;
use crate::migrations::{self, MissingMigrations};

/// How the tables came to be, step by step.
static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long the servers are given to answer who is the primary.
const PROBE_MAX: Duration = Duration::from_secs(1);

/// How often the servers are looked over where nothing seems wrong.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// How soon again while there is no primary.
const SEARCH_INTERVAL: Duration = Duration::from_millis(200);

/// Transactions with changes of orders and reservations that are under way at once. While one
/// waits for the disk another is made ready; more wait for each other's rows. Of 1, 2 and 4 two
/// were fastest: 64 buyers made 1,183, 1,368 and 1,245 orders a second.
const WRITERS: usize = 2;

/// What the stores take of Postgres.
#[derive(Debug, Clone, Copy)]
pub struct PostgresOptions {
    /// Connections at most; a server takes a hundred in all unless it was told otherwise.
    pub connections_max: u32,
    /// How long a statement waits for a connection.
    pub acquire_max: Duration,
    /// How long a connection may have rested to be used unasked, if nothing went wrong since.
    pub rest_max: Duration,
    /// How long a statement may take. A commit waits for the standby for so long.
    pub statement_max: Duration,
    /// How long a batch of products may take.
    pub batch_max: Duration,
    /// How long the start waits for a primary.
    pub start_max: Duration,
    /// Whether the start brings the tables up to date; who only looks does not.
    pub migrates: bool,
}

impl Default for PostgresOptions {
    fn default() -> PostgresOptions {
        PostgresOptions {
            connections_max: 16,
            acquire_max: Duration::from_secs(2),
            // Under load none rests for so long; at rest nobody minds a round trip more.
            rest_max: Duration::from_secs(1),
            statement_max: Duration::from_secs(3),
            batch_max: Duration::from_secs(30),
            start_max: Duration::from_secs(10),
            migrates: true,
        }
    }
}

/// The way to the primary. Clones share it.
#[derive(Clone)]
pub struct Postgres {
    inner: Arc<Inner>,
}

struct Inner {
    hosts: Vec<Host>,
    options: PostgresOptions,
    current: Mutex<Current>,
    trouble: Arc<Trouble>,
    durability: &'static str,
    /// Told when there is something for the consumers of events.
    written: Written,
    writes: WriteQueue,
}

/// When something seemed wrong with the primary.
#[derive(Default)]
struct Trouble {
    last: Mutex<Option<Instant>>,
    told: Notify,
}

impl Trouble {
    fn note(&self) {
        *self.last.lock() = Some(Instant::now());
        self.told.notify_one();
    }

    fn was_within(&self, time: Duration) -> bool {
        self.last.lock().is_some_and(|last| last.elapsed() <= time)
    }
}

struct Current {
    pool: PgPool,
    found: Primary,
}

/// A server that said that it is the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Primary {
    /// Its place in the list of hosts.
    host: usize,
    /// Counts the promotions.
    timeline: u32,
}

impl Postgres {
    /// Finds the primary, brings its tables up to date, and keeps following it.
    pub async fn connect(url: &str, options: PostgresOptions) -> Result<Postgres, ConnectError> {
        let mut hosts = hosts(url)?;
        let began = tokio::time::Instant::now();
        let found = loop {
            match find(&hosts, 0).await {
                Ok(found) => break found,
                Err(missing) if missing.for_good || began.elapsed() > options.start_max => {
                    let hosts: Vec<_> = hosts.into_iter().map(|host| host.name).collect();
                    let (hosts, reason) = (hosts.join(", "), missing.reason);
                    return Err(ConnectError::NoPrimary { hosts, reason });
                }
                Err(_) => tokio::time::sleep(SEARCH_INTERVAL).await,
            }
        };
        let durability = settle_durability(&mut hosts, found).await?;
        let trouble = Arc::new(Trouble::default());
        let pool = open(&hosts[found.host], options, &trouble);
        let current = Mutex::new(Current { pool, found });
        let inner = Arc::new_cyclic(|inner: &Weak<Inner>| {
            let inner = inner.clone();
            let database = move || inner.upgrade().map(|inner| Postgres { inner });
            let writes = WriteQueue::start(WRITERS, options.acquire_max, database);
            let written = Written::default();
            Inner { hosts, options, current, trouble, durability, written, writes }
        });
        let postgres = Postgres { inner };
        if options.migrates {
            postgres.migrate().await?;
        }
        let follower = Arc::downgrade(&postgres.inner);
        tokio::spawn(async move {
            while let Some(inner) = follower.upgrade() {
                let looked = inner.follow().await;
                let interval = if looked { LOOK_INTERVAL } else { SEARCH_INTERVAL };
                // The wait holds no handle for longer than that, so that the last one ends it.
                let _ = timeout(interval, inner.trouble.told.notified()).await;
            }
        });
        Ok(postgres)
    }

    /// What an acknowledged write survives.
    pub fn durability(&self) -> &'static str {
        self.inner.durability
    }

    /// Where changes of orders and reservations are written, together with others.
    pub(super) fn writes(&self) -> &WriteQueue {
        &self.inner.writes
    }

    pub(super) fn written(&self) -> &Written {
        &self.inner.written
    }

    /// HOST:PORT of the primary.
    pub fn primary(&self) -> String {
        self.inner.hosts[self.inner.current.lock().found.host].name.clone()
    }

    async fn migrate(&self) -> Result<(), ConnectError> {
        let migration = |error: &dyn std::fmt::Display| ConnectError::Migration(error.to_string());
        let mut connection = self.acquire().await.map_err(|error| migration(&error))?;
        // It holds a lock meanwhile, so that of several processes one does it.
        MIGRATIONS.run(&mut *connection).await.map_err(|error| migration(&error))
    }

    /// What the tables lack, for who only looks.
    ///
    /// # Errors
    /// Where they cannot be read, or a start would refuse them.
    pub async fn missing_migrations(&self) -> Result<MissingMigrations, ConnectError> {
        const HAS_ACCOUNT: &str = "SELECT to_regclass($1) IS NOT NULL";
        let migration = |error: &dyn std::fmt::Display| ConnectError::Migration(error.to_string());
        let mut connection = self.acquire().await.map_err(|error| migration(&error))?;
        let has_account = sqlx::query_scalar(HAS_ACCOUNT).bind(migrations::ACCOUNT);
        match has_account.fetch_one(&mut *connection).await.map_err(|error| migration(&error))? {
            true => {
                let missing = migrations::missing(&MIGRATIONS, &mut *connection).await;
                missing.map_err(|error| migration(&error))
            }
            false => Ok(migrations::all(&MIGRATIONS)),
        }
    }

    async fn acquire(&self) -> Result<PoolConnection<sqlx::Postgres>, CallError> {
        let pool = self.inner.current.lock().pool.clone();
        let acquired = pool.acquire().await;
        acquired.map_err(|error| self.note(CallError::NotSent(error)))
    }

    /// Runs a statement, for as long as one may take.
    pub(super) async fn call<T>(
        &self,
        statement: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, CallError> {
        self.call_within(self.inner.options.statement_max, statement).await
    }

    /// As [`Postgres::call`], for a batch of statements.
    pub(super) async fn call_batch<T>(
        &self,
        statements: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, CallError> {
        self.call_within(self.inner.options.batch_max, statements).await
    }

    async fn call_within<T>(
        &self,
        longest: Duration,
        statement: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, CallError> {
        let mut connection = self.acquire().await?;
        match timeout(longest, statement(&mut connection)).await {
            Ok(answer) => answer.map_err(|error| self.note(CallError::Failed(error))),
            Err(_) => {
                // Its answer may yet come: nobody else may read it. The server is not asked to
                // cancel: a commit that is cancelled while it waits for the standby reports
                // success.
                drop(connection.detach());
                Err(self.note(CallError::TimedOut))
            }
        }
    }

    fn note(&self, error: CallError) -> CallError {
        if error.is_of_the_server() {
            self.inner.trouble.note();
        }
        error
    }
}

impl Inner {
    /// Looks the servers over and goes to the primary; whether there is one.
    async fn follow(&self) -> bool {
        let before = self.current.lock().found;
        let found = match find(&self.hosts, before.timeline).await {
            Ok(found) => found,
            Err(Missing { reason, .. }) => {
                tracing::warn!(reason, "no primary of Postgres is found");
                return false;
            }
        };
        if found != before {
            let host = &self.hosts[found.host];
            tracing::warn!(primary = host.name, timeline = found.timeline, "Postgres has moved");
            let pool = open(host, self.options, &self.trouble);
            let former = std::mem::replace(&mut *self.current.lock(), Current { pool, found });
            // Who waits for the former one is told at once.
            former.pool.close().await;
        }
        true
    }
}

fn open(host: &Host, options: PostgresOptions, trouble: &Arc<Trouble>) -> PgPool {
    let trouble = Arc::clone(trouble);
    PgPoolOptions::new()
        .max_connections(options.connections_max)
        .acquire_timeout(options.acquire_max)
        // Asking each time costs each statement a round trip. But a server that was restarted has
        // left us as many dead connections as there were, each of which would fail somebody.
        .test_before_acquire(false)
        .before_acquire(move |connection, PoolConnectionMetadata { idle_for, .. }| {
            let is_doubtful = idle_for > options.rest_max || trouble.was_within(idle_for);
            Box::pin(async move {
                if is_doubtful {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(host.options.clone())
}

/// Why there is no primary.
struct Missing {
    reason: String,
    /// A server let us not in: asking again does not help.
    for_good: bool,
}

/// The primary of the highest timeline, at least `timeline`; or why there is none.
async fn find(hosts: &[Host], timeline: u32) -> Result<Primary, Missing> {
    let probes = hosts.iter().map(|host| timeout(PROBE_MAX, probe(&host.options)));
    let mut reason = "none of them answers".to_owned();
    let mut for_good = false;
    let mut best: Option<Primary> = None;
    for (host, answer) in futures::future::join_all(probes).await.into_iter().enumerate() {
        match answer {
            Ok(Ok(Some(found))) if found >= timeline => {
                if best.is_none_or(|best| best.timeline < found) {
                    best = Some(Primary { host, timeline: found });
                }
            }
            Ok(Ok(Some(_))) => "a former primary answers".clone_into(&mut reason),
            Ok(Ok(None)) => "only a standby answers".clone_into(&mut reason),
            Ok(Err(error)) => {
                for_good |= is_locked_out(&error);
                reason = error.to_string();
            }
            Err(_) => {}
        }
    }
    best.ok_or(Missing { reason, for_good })
}

/// Whether the password, the user or the database is wrong: classes 28 and 3D.
fn is_locked_out(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
    code.starts_with("28") || code.starts_with("3D")
}

/// The timeline of a server that is the primary.
async fn probe(options: &PgConnectOptions) -> Result<Option<u32>, sqlx::Error> {
    // A standby has no place of its own in the log to name.
    let timeline = "SELECT CASE WHEN NOT pg_is_in_recovery()
        THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END";
    let mut connection = PgConnection::connect_with(options).await?;
    let timeline: Option<String> = sqlx::query_scalar(timeline).fetch_one(&mut connection).await?;
    // Its answer is what counts.
    let _ = connection.close().await;
    Ok(timeline.and_then(|timeline| u32::from_str_radix(&timeline, 16).ok()))
}

/// What a commit waits for is the server's setting; but it never waits for less than the disk.
async fn settle_durability(
    hosts: &mut [Host],
    primary: Primary,
) -> Result<&'static str, ConnectError> {
    let unreadable = |error: sqlx::Error| ConnectError::NoPrimary {
        hosts: hosts[primary.host].name.clone(),
        reason: error.to_string(),
    };
    let settings = "SELECT current_setting('synchronous_commit'),
        current_setting('synchronous_standby_names')";
    let mut connection =
        PgConnection::connect_with(&hosts[primary.host].options).await.map_err(unreadable)?;
    let settings: (String, String) =
        sqlx::query_as(settings).fetch_one(&mut connection).await.map_err(unreadable)?;
    let (commit, standbys) = settings;
    if matches!(commit.as_str(), "off" | "local") {
        for host in hosts.iter_mut() {
            host.options = host.options.clone().options([("synchronous_commit", "on")]);
        }
    }
    Ok(match standbys.is_empty() {
        false => {
            "a crash of any process or machine, and the loss of the primary's disk: Postgres \
             answers once its synchronous standby has it"
        }
        true => {
            "a crash of the process and of Postgres, and a loss of power; not the loss of \
             Postgres' disk: it has no synchronous standby"
        }
    })
}
