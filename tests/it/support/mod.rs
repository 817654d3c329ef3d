//! What the tests over HTTP share: one shop that all of them ask, a client that holds every
//! reply to the conventions and to the API's own description, and ways to look at replies.

pub mod client;
pub mod contract;
pub mod goods;
pub mod redact;
pub mod sse;

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use barrow_tests::server::{Launch, Server, kill_at_the_end, run};

pub use client::{Call, Cart, Client, Reply};

/// The origin that the shop under test lets call from a browser.
pub const ORIGIN: &str = "https://shop.example";

/// Writes the catalog under test, with its media, into the data directory of a folder.
pub fn stock_up(folder: &Path) {
    let media = folder.join("data/media");
    for (key, content) in goods::media() {
        let path = media.join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    import(folder, &goods::catalog());
}

/// Imports records and expects that all of them are taken.
pub fn import(folder: &Path, records: &str) {
    std::fs::write(folder.join("records.jsonl"), records).unwrap();
    let ended = run(folder, &["import", "records.jsonl"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

/// A server of its own for a test that disturbs it: few goods, of the bulk kind.
pub fn small_shop(folder: &Path) -> Launch {
    import(folder, &goods::lines(&goods::bulk()));
    Launch::at(folder)
}

/// The one shop that all tests ask which do not disturb it. It is started by the first, and
/// killed with this program.
pub fn shop() -> &'static Server {
    static SHOP: OnceLock<Server> = OnceLock::new();
    SHOP.get_or_init(|| {
        barrow_adapters::s3::install_cryptography();
        let folder = tempfile::tempdir().unwrap().keep();
        stock_up(&folder);
        let origins = format!("server.cors_origins=[\"{ORIGIN}\"]");
        let server = Launch::at(&folder).set(&origins).start();
        kill_at_the_end(&server, &folder);
        server
    })
}

/// A client of that shop, without a token.
pub fn visitor() -> Client {
    Client::of(&shop().url)
}

/// A client of that shop with a session of its own.
pub async fn guest() -> Client {
    visitor().guest().await
}

/// How often to try: what everybody waits for, or what `./dev test --long` has time for.
pub fn times(everyday: usize, long: usize) -> usize {
    match std::env::var("BARROW_TEST_LONG").as_deref() {
        Ok("1") => long,
        _ => everyday,
    }
}

/// Waits until something holds, and says what did not if it never does.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = tokio::time::Instant::now();
    while !holds().await {
        assert!(began.elapsed() < barrow_tests::server::PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
