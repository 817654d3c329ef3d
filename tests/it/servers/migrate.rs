//! `barrow migrate` on Postgres.

use barrow_servers::{Postgres, Sync, or_skip};

use super::ground::Ground;

#[test]
fn tables_of_postgres_are_told_and_made() {
    let Some(server) = or_skip("Postgres", Postgres::start(Sync::Memory)) else { return };
    let ground = Ground::new().set("stores.commerce=postgres");
    let ground = ground.set(format!("commerce.url={}", server.url()));
    let tables = || {
        let count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
        server.sql(count).unwrap().trim().to_owned()
    };
    let told = ground.run(&["migrate", "--check"]);
    assert_eq!(told.code, Some(1), "{told:#?}");
    assert!(told.out.starts_with("postgres 0001 stores\n"), "{told:#?}");
    assert_eq!(tables(), "0", "who only looks makes nothing");
    assert!(ground.done(&["migrate"]).starts_with("postgres 0001 stores\n"));
    assert_ne!(tables(), "0");
    for args in [&["migrate", "--check"][..], &["migrate"]] {
        assert_eq!(ground.done(args), "everything is there\n");
    }
    // As a build that has one step more would have found it, and as one that has one less.
    let last = "(SELECT max(version) FROM _sqlx_migrations)";
    server.sql(&format!("DELETE FROM _sqlx_migrations WHERE version = {last}")).unwrap();
    let told = ground.run(&["migrate", "--check"]);
    assert_eq!((told.code, told.out.lines().count()), (Some(1), 2), "{told:#?}");
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
                 execution_time) VALUES (9999, 'later', true, '', 0)";
    server.sql(later).unwrap();
    let refused = ground.run(&["migrate", "--check"]);
    assert_eq!(refused.code, Some(5), "{refused:#?}");
    assert!(refused.err.contains("9999"), "{refused:#?}");
}
