//! What a database lacks of the steps by which its tables come to be, as sqlx keeps account of
//! them in the database itself. Whoever only looks makes nothing, that account neither.

use std::collections::BTreeMap;

use sqlx::migrate::{Migrate, MigrateError, Migrator};

/// Where sqlx keeps its account.
pub(crate) const ACCOUNT: &str = "_sqlx_migrations";

/// A step that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStep {
    /// Steps are made in the order of these.
    pub version: i64,
    /// What its file is called: `stock`.
    pub name: String,
}

/// All steps, where there is no account yet.
pub(crate) fn all(migrator: &Migrator) -> Vec<MigrationStep> {
    let steps = migrator.iter().map(|step| MigrationStep {
        version: step.version,
        name: step.description.clone().into_owned(),
    });
    steps.collect()
}

/// What is missing by the account.
///
/// # Errors
/// What a start would refuse too: a step that broke off, one that was changed since it was made,
/// one that this build does not know.
pub(crate) async fn missing(
    migrator: &Migrator,
    connection: &mut impl Migrate,
) -> Result<Vec<MigrationStep>, MigrateError> {
    if let Some(version) = connection.dirty_version(ACCOUNT).await? {
        return Err(MigrateError::Dirty(version));
    }
    let made = connection.list_applied_migrations(ACCOUNT).await?;
    let mut made: BTreeMap<_, _> = made.into_iter().map(|it| (it.version, it.checksum)).collect();
    let mut missing = all(migrator);
    for step in migrator.iter() {
        match made.remove(&step.version) {
            Some(checksum) if checksum == step.checksum => {
                missing.retain(|it| it.version != step.version);
            }
            Some(_) => return Err(MigrateError::VersionMismatch(step.version)),
            None => {}
        }
    }
    match made.first_key_value() {
        Some((unknown, _)) => Err(MigrateError::VersionMissing(*unknown)),
        None => Ok(missing),
    }
}
