//! What the databases that keep stock and orders have in common: how a change goes, from the
//! locks to the rows that are written, and the stored form of a row. What is left to each is its
//! SQL.

pub(crate) mod conditions;
pub(crate) mod events;
pub(crate) mod flow;
pub(crate) mod keeping;
pub(crate) mod key_rows;
pub(crate) mod limits;
pub(crate) mod numbers;
pub(crate) mod order_row;
pub(crate) mod rows;
pub(crate) mod transaction;
pub(crate) mod write_queue;
pub(crate) mod writes;

use barrow_engine::ports::CommerceError;

/// How a transaction is to end, with what its caller is told.
pub(crate) enum End<T> {
    Commit(T),
    /// The same; and there is something for the consumers of events.
    Announce(T),
    /// Nothing is written.
    Rollback(T),
}

/// Why a transaction does not come to its end: nothing of it is written.
#[derive(Debug)]
pub(crate) enum Fault {
    Database(sqlx::Error),
    Damaged(String),
    /// What it has locked is not what it came to need. Another try sees it.
    Again,
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Fault {
        Fault::Database(error)
    }
}

/// Of a write that the database has refused, certainly without effect. What breaks a constraint
/// breaks it whenever it is tried: the business has decided what can never be.
pub(crate) fn refused(error: &sqlx::Error) -> CommerceError {
    use sqlx::error::ErrorKind;
    let kind = error.as_database_error().map(|error| error.kind());
    match kind {
        None | Some(ErrorKind::Other) => CommerceError::Unavailable(error.to_string()),
        Some(_) => CommerceError::Damaged(error.to_string()),
    }
}
