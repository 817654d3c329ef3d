//! A build that stores in a later form is deployed under load, node by node: forwards, back, and
//! forwards again. Then the form is raised, and the build before does not come back.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use barrow_actors::runtime::NEXT_FORM;
use barrow_adapters::postgres::{Postgres, PostgresEntityStore, PostgresOptions};
use barrow_cluster::FIRST_FORM;
use barrow_engine::cart;
use barrow_engine::ids::CartId;
use barrow_engine::ports::EntityStore;
use barrow_tests::server::{Ended, binary};

use super::crowd::{Crowd, Pace};
use super::fleet::{Fleet, NODES, On};
use crate::support::until;

const SHOPPERS: usize = 9;
const PACE: Pace = Pace { adds: Duration::from_millis(100), looks: Duration::from_millis(300) };

/// `barrow` of the build to come.
fn later() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_barrow_next"))
}

/// Ends one node after the other, and starts it as another build.
async fn deploy(fleet: &mut Fleet, crowd: &mut Crowd, program: &Path) {
    let began = Instant::now();
    for node in 0..NODES {
        fleet.node(node).stop().await;
        fleet.node(node).program = program.to_owned();
        fleet.start(node).await;
        crowd.is_content();
    }
    let deployed = Instant::now();
    until("every shopper goes on", async || {
        crowd.is_content();
        crowd.log.served_since(deployed).len() >= SHOPPERS
    })
    .await;
    let took = began.elapsed();
    println!("{} after {took:.1?}: {} changes so far", program.display(), crowd.log.count());
}

/// The forms that the carts at hand are stored in.
async fn forms(rows: &PostgresEntityStore, crowd: &Crowd) -> Vec<u8> {
    let mut forms = Vec::new();
    for cart in crowd.carts() {
        let id: CartId = cart.rsplit('/').next().unwrap().parse().unwrap();
        let row = rows.load(cart::key(id)).await.unwrap();
        forms.push(row.expect("it was acknowledged").blob[0]);
    }
    forms
}

async fn raise_form(fleet: &Fleet, program: &Path) -> Ended {
    let args = ["cluster", "raise-form"];
    tokio::task::block_in_place(|| fleet.ground().run_of(program, "commands", &args))
}

async fn rows_of(fleet: &Fleet) -> PostgresEntityStore {
    let url = fleet.ground().setting("commerce.url").unwrap();
    let postgres = Postgres::connect(url, PostgresOptions::default()).await;
    PostgresEntityStore::start(&postgres.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_build_is_deployed_forwards_and_back_until_the_form_is_raised() {
    let Some(mut fleet) = Fleet::open(On::Postgres).await else { return };
    let (this, later, rows) = (binary(), later(), rows_of(&fleet).await);
    let mut crowd = Crowd::enter(&fleet.doors(), SHOPPERS, PACE).await;
    for build in [&later, &this, &later] {
        deploy(&mut fleet, &mut crowd, build).await;
        let forms = forms(&rows, &crowd).await;
        assert!(forms.iter().all(|form| *form == FIRST_FORM), "{forms:?}");
    }

    let refused = raise_form(&fleet, &this).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.err.contains("this build reads up to 1"), "{refused:#?}");
    let raised = raise_form(&fleet, &later).await;
    assert_eq!(raised.code, Some(0), "{raised:#?}");
    assert_eq!(fleet.view().await.form, NEXT_FORM);
    until("every cart is in the later form", async || {
        crowd.is_content();
        forms(&rows, &crowd).await.iter().all(|form| *form == NEXT_FORM)
    })
    .await;

    fleet.node(0).stop().await;
    fleet.node(0).program = this;
    let ended = fleet.start_in_vain(0).await;
    assert_eq!(ended.code, Some(5), "{ended:#?}");
    let said = "the shop is stored in form 2; the newest that this build reads is 1";
    assert!(ended.err.contains(said), "{ended:#?}");
    assert_eq!(fleet.view().await.members.len(), NODES - 1);
    fleet.node(0).program = later;
    fleet.start(0).await;
    crowd.stop().await;
    fleet.begin_anew().await;
    crowd.compare().await;
    println!("{} acknowledged changes are there, each once", crowd.log.count());
}
