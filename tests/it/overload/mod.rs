//! A shop that is asked for more than it can do refuses the rest at once, loses nothing of what
//! it took, stays small, and serves as before when it is over. One cart's trouble stays its own.
//!
//! How fast it does so is measured by `./dev overload`; nothing in here depends on the machine.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use barrow_tests::overload::{
    BREAKING, Carts, Connection, Pick, Round, Seen, Slowness, UNREADABLE, in_flight, next_key,
    open, stall, watch,
};
use barrow_tests::server::{Launch, Server};
use tempfile::TempDir;

use crate::support::goods::{self, bulk_sku};
use crate::support::{import, until};

/// Some 400 writes a second, which a debug build on a busy machine can do, too.
const SLOWNESS: Slowness = Slowness { permits: 4, delay: Duration::from_millis(10) };
const LASTS: Duration = Duration::from_secs(3);
/// What a few hundred requests, carts and their connections may take, many times over.
const GROWTH_MAX: u64 = 96 << 20;

struct Shop {
    server: Server,
    carts: Carts,
    _folder: TempDir,
}

impl Shop {
    async fn start(carts: usize, settings: &[&str]) -> Shop {
        let folder = tempfile::tempdir().unwrap();
        import(folder.path(), &goods::lines(&goods::bulk()));
        let program = Path::new(env!("CARGO_BIN_EXE_overload"));
        let launch = Launch::of(program, folder.path(), SLOWNESS.args()).without_backtraces();
        let launch = settings.iter().fold(launch, |launch, setting| launch.set(setting));
        let server = launch.start();
        let skus: Vec<String> = (0..50).map(bulk_sku).collect();
        let address = server.address().parse().unwrap();
        let carts = Carts::open(address, carts, &skus).await.unwrap();
        Shop { server, carts, _folder: folder }
    }

    fn address(&self) -> SocketAddr {
        self.carts.address
    }

    /// Sends so many requests a second for a while.
    async fn round(&self, rate: f64, pick: &Pick) -> (Seen, Round) {
        let before = self.server.resident_bytes();
        let (seen, round) = watch(&self.server, open(&self.carts, rate, LASTS, pick)).await;
        assert!(round.wrong.is_empty(), "{:#?}", &round.wrong[..round.wrong.len().min(10)]);
        assert!(seen.looks > 3, "{seen:?}");
        let growth = seen.resident_bytes.saturating_sub(before);
        assert!(growth < GROWTH_MAX, "{growth} bytes more");
        (seen, round)
    }

    /// All is as if nothing had been: adds to all carts from `from` on are done, each once.
    async fn is_well_again(&self, from: usize) {
        until("nothing is under way", async || in_flight(self.address()).await.unwrap() == 0).await;
        let mut connection = Connection::open(self.address()).await.unwrap();
        for cart in from..self.carts.len().min(from + 50) {
            let account = self.carts.get(cart);
            let answer = connection.send(&account.add(Some(next_key()))).await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.json());
            account.told(Some(&answer));
        }
        assert_eq!(self.carts.wrong(from).await.unwrap(), Vec::<String>::new());
        assert!(!self.server.said().contains("panicked at api"), "{}", self.server.said());
    }
}

/// Whose requests these are, by the number of the request.
fn is_others(due: u64) -> bool {
    due.is_multiple_of(10)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_is_refused_at_once_and_what_was_taken_is_done_once() {
    const REQUESTS_MAX: u64 = 100;

    let shop = Shop::start(400, &[&format!("limits.requests={REQUESTS_MAX}")]).await;
    let carts = shop.carts.clone();
    let pick = move |due: u64| {
        let cart = due as usize * 7 % carts.len();
        (cart, carts.get(cart).add(Some(next_key())))
    };
    let (seen, round) = shop.round(3_000.0, &pick).await;
    let accepted = round.count(200);
    let refused = round.count(429);
    assert!(accepted > 100 && refused > accepted, "{accepted} and {refused}");
    assert_eq!(accepted + refused, round.sent.len(), "{:?}", round.refusals);
    let codes: BTreeMap<_, _> = [((429, "overloaded".to_owned()), refused as u64)].into();
    assert_eq!(round.refusals, codes);
    // Connections are kept: making them anew costs more than refusing.
    assert!(round.last * 10 < refused as u64, "{} replies of {refused} were the last", round.last);
    assert!(seen.in_flight <= REQUESTS_MAX, "{seen:?}");
    assert!(seen.in_flight > REQUESTS_MAX / 2, "it was full: {seen:?}");
    shop.is_well_again(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cart_that_everybody_wants_is_refused_alone() {
    let shop = Shop::start(200, &["actors.max_queue=10"]).await;
    let carts = shop.carts.clone();
    let pick = move |due: u64| match is_others(due) {
        true => {
            let cart = 1 + (due / 10) as usize % (carts.len() - 1);
            (cart, carts.get(cart).add(Some(next_key())))
        }
        // More keys than a cart remembers would be another refusal.
        false => (0, carts.get(0).add(None)),
    };
    let (_, round) = shop.round(1_500.0, &pick).await;
    let hot = round.refusals.get(&(429, "overloaded".to_owned())).copied().unwrap_or(0);
    assert!(hot > 100, "{:?}", round.refusals);
    assert_eq!(round.refusals.len(), 1, "{:?}", round.refusals);
    // The hot cart was refused, and nobody else.
    for sent in round.sent.iter().filter(|sent| sent.cart != 0) {
        assert_eq!(sent.status, 200, "{sent:?}");
    }
    assert!(shop.carts.get(0).acknowledged() > 0, "it is served, too");
    shop.is_well_again(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carts_that_cannot_be_read_or_break_their_actor_are_refused_alone() {
    let shop = Shop::start(200, &[]).await;
    let mut connection = Connection::open(shop.address()).await.unwrap();
    for (cart, mark) in [(0, UNREADABLE), (1, BREAKING)] {
        let answer = connection.send(&shop.carts.get(cart).set_contact(mark)).await.unwrap();
        assert_eq!(answer.status, 503, "{}", answer.json());
    }
    let carts = shop.carts.clone();
    let pick = move |due: u64| {
        let cart = match is_others(due) {
            true => 2 + (due / 10) as usize % (carts.len() - 2),
            false => (due % 2) as usize,
        };
        (cart, carts.get(cart).add(Some(next_key())))
    };
    let (_, round) = shop.round(1_000.0, &pick).await;
    for sent in &round.sent {
        assert_eq!(sent.status, if sent.cart < 2 { 503 } else { 200 }, "{sent:?}");
    }
    // Whoever comes in the moment in which the actor ends is not told whether it still decided.
    for (_, code) in round.refusals.keys() {
        assert!(["unavailable", "outcome_unknown"].contains(&code.as_str()), "{code}");
    }
    shop.is_well_again(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_stall_hold_up_nobody() {
    let shop = Shop::start(200, &[]).await;
    let mut stalled = Vec::new();
    for _ in 0..8 {
        stalled.push(stall(shop.address(), &shop.carts.get(0).events()).await.unwrap());
    }
    let carts = shop.carts.clone();
    let pick = move |due: u64| {
        let cart = if due.is_multiple_of(2) { due as usize / 2 % carts.len() } else { 0 };
        (cart, carts.get(cart).add(None))
    };
    let (_, round) = shop.round(400.0, &pick).await;
    assert_eq!(round.count(200), round.sent.len(), "{:?}", round.refusals);
    shop.is_well_again(0).await;
    drop(stalled);
}
