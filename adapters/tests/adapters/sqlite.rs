//! SQLite beside what its ports promise: what is there after a kill, and a second process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use barrow_adapters::sqlite::{
    Sqlite, SqliteError, SqliteOptions, SqliteOrderStore, SqliteStockLedger,
};
use barrow_engine::catalog::Sku;
use barrow_engine::ids::{MovementId, OrderId};
use barrow_engine::inventory::{Held, MovementDraft, Wish};
use barrow_engine::orders::Order;
use barrow_engine::orders::sample::{line, new_order};
use barrow_engine::ports::{OrderStore, StockLedger};
use barrow_engine::time::Timestamp;

pub async fn open(file: &Path) -> Sqlite {
    Sqlite::open(file, SqliteOptions::default()).await.expect("the file opens")
}

fn sku() -> Sku {
    Sku::new("SKU-1").unwrap()
}

fn units(id: u128, quantity: i64) -> MovementDraft {
    MovementDraft {
        id: MovementId(id),
        sku: sku(),
        location: "default".parse().unwrap(),
        quantity,
        reason: "counted".into(),
        actor: "staff".into(),
        order: None,
        at: Timestamp(1),
    }
}

/// On hand and reserved.
async fn level(sqlite: &Sqlite) -> (u64, u64) {
    let levels = SqliteStockLedger::new(sqlite).levels(&[sku()]).await.unwrap();
    (levels[0].on_hand, levels[0].reserved)
}

/// Another process that runs one of the tests below, with the file's name in its environment.
fn process(test: &str, role: &str, file: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("sqlite::{test}"), "--nocapture"]);
    command.env("BARROW_TEST_SQLITE", file).env("BARROW_TEST_ROLE", role);
    command.stdout(Stdio::piped()).spawn().expect("this program runs once more")
}

/// What the other process was told, in it.
fn role() -> Option<(std::path::PathBuf, u128)> {
    let file = std::env::var_os("BARROW_TEST_SQLITE")?;
    Some((file.into(), std::env::var("BARROW_TEST_ROLE").ok()?.parse().ok()?))
}

/// The numbers that the other process tells.
fn told(child: &mut Child) -> impl Iterator<Item = u128> + use<> {
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("told ")?.parse().ok())
}

#[tokio::test]
async fn what_a_killed_process_acknowledged_is_there() {
    if let Some((file, _)) = role() {
        let sqlite = open(&file).await;
        let ledger = SqliteStockLedger::new(&sqlite);
        for id in 1.. {
            ledger.book(vec![units(id, 1)]).await.unwrap()[0].as_ref().unwrap();
            println!("\ntold {id}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("commerce.db");
    let mut child = process("what_a_killed_process_acknowledged_is_there", "0", &file);
    let mut told = told(&mut child);
    assert!(told.by_ref().any(|id| id == 50), "it books");
    child.kill().unwrap();
    child.wait().unwrap();
    let last = told.last().unwrap_or(50) as u64;
    let sqlite = open(&file).await;
    let (on_hand, _) = level(&sqlite).await;
    assert!((last..=last + 1).contains(&on_hand), "{on_hand} are there, {last} were told");
    let ledger = SqliteStockLedger::new(&sqlite);
    let moved = ledger.movements(&sku(), None, usize::MAX).await.unwrap();
    assert_eq!(moved.len() as u64, on_hand, "I7: movements sum to the level");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_sell_what_there_is() {
    const UNITS: u64 = 120;
    if let Some((file, role)) = role() {
        let sqlite = open(&file).await;
        let ledger = SqliteStockLedger::new(&sqlite);
        let mut sold = 0;
        for order in 1.. {
            let order = OrderId(role << 64 | order);
            let wish = Wish { order, quantity: 1, expires_at: Timestamp::MAX };
            match ledger.reserve(&sku(), Some(0), &[wish]).await.unwrap()[0] {
                Held::All => sold += 1,
                Held::Short { .. } => break,
            }
        }
        println!("\ntold {sold}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("commerce.db");
    // Both find no file, and one makes the tables.
    let (first, second) = tokio::join!(open(&file), open(&file));
    let ledger = SqliteStockLedger::new(&first);
    ledger.book(vec![units(1, UNITS as i64)]).await.unwrap()[0].as_ref().unwrap();
    let test = "two_processes_sell_what_there_is";
    let mut children = ["1", "2"].map(|role| process(test, role, &file));
    let sold: Vec<u128> = children.iter_mut().map(|child| told(child).sum()).collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(sold.iter().sum::<u128>(), u128::from(UNITS), "{sold:?}");
    assert_eq!(level(&second).await, (UNITS, UNITS));
}

#[tokio::test]
async fn orders_are_found_again_and_numbers_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("commerce.db");
    let sqlite = open(&file).await;
    let orders = SqliteOrderStore::new(&sqlite);
    let draft = Order::draft(new_order(vec![line(1, 1, 100, 0, 0)], 0, true), Timestamp(5));
    orders.open(&draft).await.unwrap();
    let first = orders.next_number().await.unwrap();
    drop((sqlite, orders));
    let orders = SqliteOrderStore::new(&open(&file).await);
    assert_eq!(orders.get(draft.id).await, Ok(Some(draft)));
    assert_ne!(orders.next_number().await, Ok(first));
}

#[tokio::test]
async fn a_file_of_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("commerce.db");
    std::fs::write(&file, "a letter, and no database at all".repeat(100)).unwrap();
    let refused = Sqlite::open(&file, SqliteOptions::default()).await.err();
    assert!(matches!(refused, Some(SqliteError::Unusable { .. })), "{refused:?}");
    let nowhere = dir.path().join("missing/commerce.db");
    let refused = Sqlite::open(&nowhere, SqliteOptions::default()).await.err();
    assert!(matches!(refused, Some(SqliteError::Io { .. })), "{refused:?}");
}
