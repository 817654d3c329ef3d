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

/// What the tables lack, or have too much of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissingMigrations {
    pub steps: Vec<MigrationStep>,
    /// A step that was made, and that this build does not know: it is of a later one.
    pub unknown: Option<i64>,
}

/// All steps, where there is no account yet.
pub(crate) fn all(migrator: &Migrator) -> MissingMigrations {
    MissingMigrations { steps: steps(migrator), unknown: None }
}

fn steps(migrator: &Migrator) -> Vec<MigrationStep> {
    let steps = migrator.iter().map(|step| MigrationStep {
        version: step.version,
        name: step.description.clone().into_owned(),
    });
    steps.collect()
}

/// What is missing by the account.
///
/// # Errors
/// What a start would refuse too: a step that broke off, or was changed since it was made.
pub(crate) async fn missing(
    migrator: &Migrator,
    connection: &mut impl Migrate,
) -> Result<MissingMigrations, MigrateError> {
    if let Some(version) = connection.dirty_version(ACCOUNT).await? {
        return Err(MigrateError::Dirty(version));
    }
    let made = connection.list_applied_migrations(ACCOUNT).await?;
    let mut made: BTreeMap<_, _> = made.into_iter().map(|it| (it.version, it.checksum)).collect();
    let mut steps = steps(migrator);
    for step in migrator.iter() {
        match made.remove(&step.version) {
            Some(checksum) if checksum == step.checksum => {
                steps.retain(|it| it.version != step.version);
            }
            Some(_) => return Err(MigrateError::VersionMismatch(step.version)),
            None => {}
        }
    }
    Ok(MissingMigrations { steps, unknown: made.into_keys().next_back() })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use sqlx::Connection;
    use sqlx::migrate::{Migration, MigrationType};
    use sqlx::sqlite::SqliteConnection;

    use super::*;

    fn migrator(tables: &[(i64, &'static str)]) -> Migrator {
        let step = |&(version, name): &(i64, &'static str)| {
            let sql = sqlx::AssertSqlSafe(format!("CREATE TABLE {name} (a)"));
            let sql = sqlx::SqlSafeStr::into_sql_str(sql);
            Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql, false)
        };
        Migrator::with_migrations(tables.iter().map(step).collect())
    }

    #[tokio::test]
    async fn what_is_missing_is_told_by_the_account() {
        let mut database = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let all_steps = migrator(&[(1, "one"), (2, "two"), (3, "three")]);
        let two_steps = migrator(&[(1, "one"), (2, "two")]);
        assert_eq!(all(&all_steps).steps.len(), 3);
        two_steps.run_direct(None, &mut database, false).await.unwrap();
        assert_eq!(missing(&two_steps, &mut database).await.unwrap(), MissingMigrations::default());
        let third = MigrationStep { version: 3, name: "three".into() };
        let found = missing(&all_steps, &mut database).await.unwrap();
        assert_eq!(found, MissingMigrations { steps: vec![third], unknown: None });
        let former = migrator(&[(1, "one")]);
        let found = missing(&former, &mut database).await.unwrap();
        assert_eq!(found, MissingMigrations { steps: Vec::new(), unknown: Some(2) });
        let changed = migrator(&[(1, "one"), (2, "other")]);
        let refused = missing(&changed, &mut database).await.unwrap_err();
        assert!(matches!(refused, MigrateError::VersionMismatch(2)), "{refused}");
        let broken = "UPDATE _sqlx_migrations SET success = false WHERE version = 2";
        sqlx::query(broken).execute(&mut database).await.unwrap();
        let refused = missing(&all_steps, &mut database).await.unwrap_err();
        assert!(matches!(refused, MigrateError::Dirty(2)), "{refused}");
    }
}
