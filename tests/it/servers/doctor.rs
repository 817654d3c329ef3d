//! What `barrow doctor` and the commands say of the servers: well, incomplete, not let in, away.
//! No password is ever part of it.

use std::time::{Duration, Instant};

use barrow_servers::{DynamoDb, Postgres, Redis, Sync, or_skip};
use barrow_tests::server::Ended;
use serde_json::Value;

use super::ground::{Ground, address};
use crate::support::client::{list, text};

const RIGHT: &str = "open-sesame-41";
const WRONG: &str = "guessed-badly-97";

/// Whoever looks why a shop does not answer does not wait for long.
const DOCTOR_MAX: Duration = Duration::from_secs(10);

/// Runs the doctor; answers its exit code and its checks.
fn doctor(ground: &Ground) -> (i32, Vec<Value>) {
    let began = Instant::now();
    let ended = secretive(ground.run(&["doctor", "--json"]));
    assert!(began.elapsed() < DOCTOR_MAX, "it took {:?}", began.elapsed());
    let report: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:#?}"));
    (ended.code.unwrap(), list(&report["checks"]).to_vec())
}

/// Neither password is in what it said.
fn secretive(ended: Ended) -> Ended {
    for said in [&ended.out, &ended.err] {
        assert!(!said.contains(RIGHT) && !said.contains(WRONG), "a password is told: {ended:#?}");
    }
    ended
}

/// The check of that name has that verdict, and says that.
fn has(checks: &[Value], name: &str, verdict: &str, found: &str) {
    let check = checks.iter().find(|check| check["name"] == name);
    let check = check.unwrap_or_else(|| panic!("no check of {name}: {checks:#?}"));
    assert_eq!(text(&check["verdict"]), verdict, "{check:#}");
    assert!(text(&check["found"]).contains(found), "{check:#}");
    assert_eq!(check["advice"].is_string(), verdict != "ok", "{check:#}");
}

/// A role that has to name a password, on a server that lets everybody else in.
fn with_password(server: &Postgres) {
    server.sql(&format!("CREATE ROLE shop SUPERUSER LOGIN PASSWORD '{RIGHT}'")).unwrap();
    let rules = server.sql("SHOW hba_file").unwrap();
    let lines = "'host all shop 127.0.0.1/32 scram-sha-256', 'host all all 127.0.0.1/32 trust'";
    server.sql(&format!("COPY (SELECT unnest(ARRAY[{lines}])) TO '{}'", rules.trim())).unwrap();
    server.sql("SELECT pg_reload_conf()").unwrap();
}

#[test]
fn the_doctor_looks_at_postgres() {
    let Some(server) = or_skip("Postgres", Postgres::start(Sync::Memory)) else { return };
    with_password(&server);
    let ground = |password: &str| {
        let url = format!("postgres://shop:{password}@{}/postgres", server.address());
        let ground = Ground::new().set(format!("commerce.url={url}"));
        ground.set("stores.entities=postgres").set("stores.products=postgres")
    };
    let well = ground(RIGHT);
    let (code, checks) = doctor(&well);
    assert_eq!(code, 0, "{checks:#?}");
    has(&checks, "postgres", "ok", &server.address().to_string());
    well.stock();
    let (code, checks) = doctor(&well);
    assert_eq!(code, 0, "{checks:#?}");
    has(&checks, "stores", "ok", "all lie on servers beside the process");

    let locked_out = ground(WRONG);
    let (code, checks) = doctor(&locked_out);
    assert_eq!(code, 1, "{checks:#?}");
    has(&checks, "postgres", "fail", "password authentication failed");
    for command in [&["seed"][..], &["export"], &["serve"]] {
        let ended = secretive(locked_out.run(command));
        assert_eq!(ended.code, Some(4), "{command:?}: {ended:#?}");
        assert!(ended.err.contains("commerce.url"), "{command:?}: {ended:#?}");
    }
    drop(server);
    let (code, checks) = doctor(&well);
    assert_eq!(code, 1, "{checks:#?}");
    has(&checks, "postgres", "fail", "no primary was found");
}

/// Where some stores are embedded it opens those, and only those: a store on a server makes its
/// tables when it is opened.
#[test]
fn the_doctor_opens_no_store_on_a_server() {
    let Some(server) = or_skip("Postgres", Postgres::start(Sync::Memory)) else { return };
    let ground = Ground::new();
    ground.stock();
    let ground = ground.set(format!("commerce.url={}", server.url()));
    let ground = ground.set("stores.products=postgres");
    let (code, checks) = doctor(&ground);
    assert_eq!(code, 0, "{checks:#?}");
    has(&checks, "postgres", "ok", &server.address().to_string());
    has(&checks, "stores", "ok", "they open well");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(server.sql(tables).unwrap().trim(), "0", "it made tables");
}

#[test]
fn the_doctor_looks_at_dynamodb() {
    let Some(server) = or_skip("the DynamoDB API", DynamoDb::start()) else { return };
    let Some(postgres) = or_skip("Postgres", Postgres::start(Sync::Memory)) else { return };
    let ground = Ground::new().set("stores.entities=dynamodb").set("stores.products=dynamodb");
    let ground = ground.set(format!("commerce.url={}", postgres.url()));
    let mut ground = ground.with_dynamodb(&server.endpoint()).keeping(server);
    let (code, checks) = doctor(&ground);
    assert_eq!(code, 1, "{checks:#?}");
    has(&checks, "dynamodb", "fail", "to be done");
    ground.done(&["setup", "aws"]);
    let (code, checks) = doctor(&ground);
    assert_eq!(code, 0, "{checks:#?}");
    has(&checks, "dynamodb", "ok", "credentials accepted");
    ground.end_servers();
    let (code, checks) = doctor(&ground);
    assert_eq!(code, 1, "{checks:#?}");
    has(&checks, "dynamodb", "fail", "");
}

#[test]
fn the_doctor_looks_at_redis() {
    let Some(redis) = or_skip("Redis", Redis::start_with(&["--requirepass", RIGHT])) else {
        return;
    };
    let at = address(&redis.url());
    let ground = |password: &str| Ground::new().set(format!("cache.url=redis://:{password}@{at}"));
    let well = ground(RIGHT);
    let (code, checks) = doctor(&well);
    assert_eq!(code, 0, "{checks:#?}");
    has(&checks, "redis", "ok", &at.to_string());
    let (code, checks) = doctor(&ground(WRONG));
    assert_eq!(code, 1, "{checks:#?}");
    has(&checks, "redis", "fail", "WRONGPASS");
    drop(redis);
    let (code, checks) = doctor(&well);
    assert_eq!(code, 1, "{checks:#?}");
    has(&checks, "redis", "fail", "");
}
