//! What an error of Postgres says of the statement that met it.

use barrow_engine::ports::StoreError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// Why there is no connection to begin with. No password is ever part of it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("the URL of Postgres is wrong: {0}")]
    Url(String),
    #[error("no primary was found among {hosts}: {reason}")]
    NoPrimary { hosts: String, reason: String },
    #[error("the tables could not be brought up to date: {0}")]
    Migration(String),
}

/// How a statement failed.
#[derive(Debug)]
pub(super) enum CallError {
    /// There was no connection to send it on: it was never sent.
    NotSent(sqlx::Error),
    /// It may have been sent.
    Failed(sqlx::Error),
    /// No answer came in time.
    TimedOut,
}

impl CallError {
    /// Whether the server itself says that the statement was rolled back: an ERROR is the
    /// statement's, and ends its transaction. A FATAL is the connection's, and may come after the
    /// commit, while it waited for the standby.
    pub fn was_rolled_back(&self) -> bool {
        let CallError::Failed(sqlx::Error::Database(error)) = self else { return false };
        let error = error.try_downcast_ref::<PgDatabaseError>();
        error.is_some_and(|error| error.severity() == PgSeverity::Error)
    }

    /// Whether it says something of the server rather than of the statement: another one may be
    /// the primary now.
    pub fn is_of_the_server(&self) -> bool {
        match self {
            CallError::NotSent(_) | CallError::TimedOut => true,
            CallError::Failed(sqlx::Error::Database(error)) => {
                // 25006: read only, since it is a standby now. 57P: it shuts down.
                let code = error.code().unwrap_or_default();
                code == "25006" || code.starts_with("57P")
            }
            CallError::Failed(_) => true,
        }
    }

    /// Whether the transaction was rolled back since it met another one, and would succeed after
    /// it: it could not be put in a row with others, or was in a deadlock.
    pub fn has_met_another(&self) -> bool {
        let CallError::Failed(sqlx::Error::Database(error)) = self else { return false };
        self.was_rolled_back()
            && error.code().is_some_and(|code| matches!(&*code, "40001" | "40P01"))
    }

    /// For a write of entities.
    pub fn of_write(&self) -> StoreError {
        match self {
            CallError::NotSent(error) => StoreError::Unavailable(error.to_string()),
            CallError::Failed(error) if self.was_rolled_back() => refused(error),
            CallError::Failed(error) => StoreError::OutcomeUnknown(error.to_string()),
            CallError::TimedOut => {
                StoreError::OutcomeUnknown("Postgres did not answer in time".to_owned())
            }
        }
    }

    /// For what changes nothing.
    pub fn of_read(&self) -> StoreError {
        StoreError::Unavailable(self.to_string())
    }
}

/// A server that is short of something says so with class 53.
fn refused(error: &sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
    match code.starts_with("53") {
        true => StoreError::Throttled,
        false => StoreError::Unavailable(error.to_string()),
    }
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CallError::NotSent(error) => write!(f, "no connection to Postgres: {error}"),
            CallError::Failed(error) => error.fmt(f),
            CallError::TimedOut => f.write_str("Postgres did not answer in time"),
        }
    }
}
