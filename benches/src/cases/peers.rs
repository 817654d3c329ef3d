//! The shop beside peers that do the same add.

use crate::options::{Case, Options};
use crate::report::Form;

/// Says that something was not measured, so that nobody takes it for measured.
pub fn skip(options: &Options, case: &str, why: &str) {
    match options.form() {
        Form::Json => println!("{}", serde_json::json!({ "case": case, "skipped": why })),
        Form::Markdown => println!("| {case} | | SKIPPED: {why} |"),
        Form::Text => println!("{case}\n    SKIPPED: {why}"),
    }
}

#[cfg(not(feature = "peers"))]
pub fn run(options: &Options, _: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    if options.wants(Case::Peers) {
        skip(options, "peers", "built without the feature `peers`");
    }
    Ok(())
}

#[cfg(feature = "peers")]
pub fn run(options: &Options, runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    use crate::peers::stores::Peer;

    if !options.wants(Case::Peers) {
        return Ok(());
    }
    let shop = runtime.block_on(crate::shop::Shop::start(&options.dir(), 2))?;
    let dir = options.dir();
    let case = "add to 10,000 carts / axum with Redis (appendfsync always), 64 connections";
    match Peer::redis(&dir) {
        Ok(peer) => measured::beside(options, &shop, &peer, case)?,
        Err(error) => skip(options, case, &format!("{error:#}")),
    }
    let case = "add to 10,000 carts / axum with sqlx and Postgres, 64 connections";
    match Peer::postgres(&dir) {
        Ok(peer) => measured::beside(options, &shop, &peer, case)?,
        Err(error) => skip(options, case, &format!("{error:#}")),
    }
    Ok(())
}

#[cfg(feature = "peers")]
mod measured {
    use crate::cases::paired::{Pairs, Side};
    use crate::catalog::sku;
    use crate::load::Requests;
    use crate::load::requests::Request;
    use crate::options::Options;
    use crate::peers::stores::Peer;
    use crate::shop::{CARTS, Shop};

    pub fn beside(options: &Options, shop: &Shop, peer: &Peer, case: &str) -> anyhow::Result<()> {
        let (adds, peer_adds) = (|round| shop.adds(round), |_| adds());
        let ours = Side { server: shop, requests: &adds, connections: 64 };
        let theirs = Side { server: peer, requests: &peer_adds, connections: 64 };
        let pairs = Pairs::measure(&ours, &theirs, options.rounds(), options.round())?;
        pairs.report_plain(case).print(options.form());
        Ok(())
    }

    /// As many headers as the shop gets, though a peer looks at none.
    fn adds() -> anyhow::Result<Requests> {
        let bearer = format!("authorization: Bearer {}\r\n", "x".repeat(100));
        let add = |cart: usize| {
            let body = serde_json::json!({"sku": sku(cart * 7), "quantity": 1}).to_string();
            Request::keyed_post(&format!("/v1/carts/{cart}/lines"), &bearer, &body)
        };
        Requests::new(&(0..CARTS).map(add).collect::<Vec<_>>())
    }
}
