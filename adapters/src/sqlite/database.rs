//! The file, and the connections to it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use barrow_engine::ports::CommerceError;
use sqlx::Connection;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use tokio::time::timeout;

use crate::commerce::events::Written;
use crate::commerce::write_queue::WriteQueue;
use crate::commerce::{End, Fault, refused};
use crate::migrations::{self, MissingMigrations};

/// How the tables came to be, step by step.
static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How soon somebody looks again whether another process has made the tables.
const LOCK_STEP: Duration = Duration::from_millis(20);

/// How many steps of a statement are made between two looks at the clock: some tens of
/// microseconds.
const STEPS: i32 = 10_000;

/// What the stores take of SQLite.
#[derive(Debug, Clone, Copy)]
pub struct SqliteOptions {
    /// Connections that read. The one that writes is beside them.
    pub readers_max: u32,
    /// How long a call may take, with its wait for the one before it.
    pub call_max: Duration,
    /// How long the start waits for another process that makes the tables.
    pub start_max: Duration,
}

impl Default for SqliteOptions {
    fn default() -> SqliteOptions {
        SqliteOptions {
            readers_max: 4,
            call_max: Duration::from_secs(5),
            start_max: Duration::from_secs(30),
        }
    }
}

/// Why there is no database to begin with.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path} cannot be opened: {reason}")]
    Unusable { path: PathBuf, reason: String },
}

/// The database. Clones share its connections.
#[derive(Clone)]
pub struct Sqlite {
    inner: Arc<Inner>,
}

struct Inner {
    writer: SqlitePool,
    readers: SqlitePool,
    options: SqliteOptions,
    /// Told when there is something for the consumers of events.
    written: Written,
    writes: WriteQueue,
}

impl Sqlite {
    /// Opens the file, made if it is not there, and brings its tables up to date. Its folder has
    /// to be there.
    ///
    /// # Errors
    /// Where the file is none of SQLite's, or of a newer build, or may not be written.
    pub async fn open(file: &Path, options: SqliteOptions) -> Result<Sqlite, SqliteError> {
        let unusable = |reason: &dyn std::fmt::Display| SqliteError::Unusable {
            path: file.to_owned(),
            reason: reason.to_string(),
        };
        let _lock = lock(&file.with_extension("lock"), options.start_max).await?;
        let connect = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What is acknowledged is on the disk, not on its way there.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(options.call_max);
        let pool = || SqlitePoolOptions::new().acquire_timeout(options.call_max);
        let writer = pool().max_connections(1).connect_with(connect.clone()).await;
        let writer = writer.map_err(|error| unusable(&error))?;
        MIGRATIONS.run(&writer).await.map_err(|error| unusable(&error))?;
        let connect = connect.create_if_missing(false).read_only(true);
        let readers = pool().max_connections(options.readers_max).connect_lazy_with(connect);
        let inner = Arc::new_cyclic(|inner: &Weak<Inner>| {
            let inner = inner.clone();
            let database = move || inner.upgrade().map(|inner| Sqlite { inner });
            // One transaction at a time can write.
            let writes = WriteQueue::start(1, options.call_max, database);
            Inner { writer, readers, options, written: Written::default(), writes }
        });
        Ok(Sqlite { inner })
    }

    /// Where changes of orders and reservations are written, together with others.
    pub(super) fn writes(&self) -> &WriteQueue {
        &self.inner.writes
    }

    pub(super) fn written(&self) -> &Written {
        &self.inner.written
    }

    /// Reads every page, and that they fit together.
    ///
    /// # Errors
    /// Where they do not.
    pub async fn check(&self) -> Result<(), CommerceError> {
        let found = sqlx::query_scalar("PRAGMA integrity_check(1)");
        let found: Result<String, _> = found.fetch_one(&self.inner.readers).await;
        match found.map_err(|error| damaged_or(error, CommerceError::Unavailable))?.as_str() {
            "ok" => Ok(()),
            wrong => Err(CommerceError::Damaged(wrong.to_owned())),
        }
    }

    /// Reads what is committed.
    pub(super) async fn read<T>(
        &self,
        statements: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, CommerceError> {
        let Inner { readers, options, .. } = &*self.inner;
        let ran = timeout(options.call_max, async {
            let mut connection = readers.acquire().await?;
            bound(&mut connection, options.call_max).await?;
            statements(&mut connection).await
        });
        match ran.await {
            Ok(answer) => answer.map_err(|error| damaged_or(error, CommerceError::Unavailable)),
            Err(_) => Err(CommerceError::Unavailable(TOO_LATE.to_owned())),
        }
    }

    /// Runs a transaction, alone.
    pub(super) async fn write<T>(
        &self,
        change: impl AsyncFnOnce(&mut SqliteConnection) -> Result<End<T>, Fault>,
    ) -> Result<T, CommerceError> {
        let Inner { writer, options, .. } = &*self.inner;
        let is_committing = AtomicBool::new(false);
        let ran = timeout(options.call_max, async {
            let mut connection = writer.acquire().await?;
            bound(&mut connection, options.call_max).await?;
            // It is the writer from here on: nothing that it reads changes any more.
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            match change(&mut transaction).await? {
                End::Rollback(answer) => {
                    transaction.rollback().await?;
                    Ok(answer)
                }
                End::Commit(answer) => {
                    is_committing.store(true, Ordering::Relaxed);
                    transaction.commit().await?;
                    Ok(answer)
                }
                End::Announce(answer) => {
                    is_committing.store(true, Ordering::Relaxed);
                    transaction.commit().await?;
                    self.written().bump();
                    Ok(answer)
                }
            }
        });
        let ran = ran.await;
        // Of a transaction that ends otherwise than by its commit nothing is left.
        match (ran, is_committing.into_inner()) {
            (Ok(Ok(answer)), _) => Ok(answer),
            (Ok(Err(Fault::Damaged(what))), _) => Err(CommerceError::Damaged(what)),
            (Ok(Err(Fault::Again)), _) => {
                Err(CommerceError::Unavailable("another change came between".to_owned()))
            }
            (Ok(Err(Fault::Database(error))), true) => {
                Err(damaged_or(error, CommerceError::OutcomeUnknown))
            }
            (Ok(Err(Fault::Database(error))), false) => match refused(&error) {
                CommerceError::Damaged(what) => Err(CommerceError::Damaged(what)),
                _ => Err(damaged_or(error, CommerceError::Unavailable)),
            },
            (Err(_), true) => Err(CommerceError::OutcomeUnknown(TOO_LATE.to_owned())),
            (Err(_), false) => Err(CommerceError::Unavailable(TOO_LATE.to_owned())),
        }
    }
}

/// What the tables of a file lack, for who only looks: all of it where there is no file.
///
/// # Errors
/// Where the file cannot be read, or a start would refuse it.
pub async fn missing_migrations(file: &Path) -> Result<MissingMigrations, SqliteError> {
    const HAS_ACCOUNT: &str = "SELECT count(*) FROM sqlite_schema WHERE name = ?";
    if !file.exists() {
        return Ok(migrations::all(&MIGRATIONS));
    }
    let unusable = |reason: &dyn std::fmt::Display| SqliteError::Unusable {
        path: file.to_owned(),
        reason: reason.to_string(),
    };
    let connect = SqliteConnectOptions::new().filename(file).read_only(true);
    let connection = SqliteConnection::connect_with(&connect).await;
    let mut connection = connection.map_err(|error| unusable(&error))?;
    let has_account = sqlx::query_scalar(HAS_ACCOUNT).bind(migrations::ACCOUNT);
    let has_account: i64 =
        has_account.fetch_one(&mut connection).await.map_err(|error| unusable(&error))?;
    let missing = match has_account {
        0 => migrations::all(&MIGRATIONS),
        _ => {
            let missing = migrations::missing(&MIGRATIONS, &mut connection).await;
            missing.map_err(|error| unusable(&error))?
        }
    };
    connection.close().await.map_err(|error| unusable(&error))?;
    Ok(missing)
}

/// Writes a database as of this instant to a new file, while others use it. It takes as long as
/// reading all of it does.
///
/// # Errors
/// Where it cannot be read, or the new file not be written.
pub async fn copy(file: &Path, to: &Path) -> Result<(), SqliteError> {
    let unusable = |error: sqlx::Error| SqliteError::Unusable {
        path: file.to_owned(),
        reason: error.to_string(),
    };
    let connect = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut connection = SqliteConnection::connect_with(&connect).await.map_err(unusable)?;
    let copied = sqlx::query("VACUUM INTO ?").bind(to.to_string_lossy().into_owned());
    copied.execute(&mut connection).await.map_err(unusable)?;
    connection.close().await.map_err(unusable)
}

const TOO_LATE: &str = "SQLite did not answer in time";

/// A file that is not as it was written, by the codes `SQLITE_CORRUPT` and `SQLITE_NOTADB`.
fn damaged_or(error: sqlx::Error, otherwise: fn(String) -> CommerceError) -> CommerceError {
    let code = error.as_database_error().and_then(|error| error.code());
    // The lowest eight bits tell what, the others more of it.
    let code = code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff);
    match code {
        Some(11 | 26) => CommerceError::Damaged(error.to_string()),
        _ => otherwise(error.to_string()),
    }
}

/// Ends the statements of this connection that are under way at that time: who waits no more
/// must not leave one behind that the next has to wait for.
async fn bound(connection: &mut SqliteConnection, longest: Duration) -> Result<(), sqlx::Error> {
    let until = Instant::now() + longest;
    let mut handle = connection.lock_handle().await?;
    handle.set_progress_handler(STEPS, move || Instant::now() < until);
    Ok(())
}

/// Of several processes one makes the tables.
async fn lock(path: &Path, longest: Duration) -> Result<File, SqliteError> {
    let io = |source| SqliteError::Io { path: path.to_owned(), source };
    let mut options = File::options();
    let file = options.create(true).truncate(false).write(true).open(path).map_err(io)?;
    let until = Instant::now() + longest;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                tokio::time::sleep(LOCK_STEP).await;
            }
            Err(error) => return Err(io(error.into())),
        }
    }
}
