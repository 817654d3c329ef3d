//! Rows in two forms, as builds of which one follows the other read and write them.

use std::sync::atomic::{AtomicU8, Ordering};

use barrow_actors::runtime::NEXT_FORM;
use barrow_cluster::{FIRST_FORM, Grant, Ownership};

use super::*;

/// Owns all, and lets rows be written in a form that others read as well.
struct Among {
    lease: Lease,
    form: AtomicU8,
}

impl Ownership for Among {
    fn grant(&self, _shard: u16) -> Option<Grant> {
        Some(Grant { epoch: 1, lease: self.lease.clone() })
    }

    fn form(&self) -> Option<u8> {
        Some(self.form.load(Ordering::Relaxed))
    }
}

fn reading(reads: u8) -> RuntimeSettings {
    RuntimeSettings { reads, ..RuntimeSettings::default() }
}

/// A node of the later build, among others.
fn among(store: &Arc<ScriptedStore>, form: u8) -> (Arc<Among>, Runtime<ProbeHost>) {
    let among = Arc::new(Among { lease: Lease::endless(), form: AtomicU8::new(form) });
    let runtime = Runtime::start(RuntimeParts {
        host: ProbeHost,
        store: store.clone(),
        clock: Arc::new(SimulatedClock::default()),
        entropy: Arc::new(SeededEntropy::new(store.applied.lock().len() as u64 + 1)),
        ownership: among.clone(),
        effects: Arc::new(EffectRouter::default()),
        settings: reading(NEXT_FORM),
    });
    (among, runtime)
}

async fn append(runtime: &Runtime<ProbeHost>, item: u64) -> Vec<u64> {
    let answer = runtime.execute(1, ProbeCommand::Append(item), (), None, None).await;
    answer.expect("it is taken").view
}

fn form(store: &ScriptedStore) -> u8 {
    store.row(key(1)).expect("it was written").blob[0]
}

#[tokio::test(start_paused = true)]
async fn a_node_alone_writes_the_newest_form_and_the_build_before_leaves_it() {
    let store = Arc::<ScriptedStore>::default();
    let later = Node::start_on(store.clone(), reading(NEXT_FORM));
    later.append(1, 1).await.unwrap();
    assert_eq!(form(&store), NEXT_FORM);
    let (row, before) = (store.row(key(1)), Node::start_on(store.clone(), reading(FIRST_FORM)));
    assert_eq!(before.append(1, 2).await, Err(CommandError::Unreadable));
    assert_eq!(store.row(key(1)), row);
    assert_eq!(later.append(1, 2).await.unwrap().view, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn among_others_a_row_takes_the_later_form_once_all_read_it() {
    let store = Arc::<ScriptedStore>::default();
    let (among, later) = among(&store, FIRST_FORM);
    append(&later, 1).await;
    assert_eq!(form(&store), FIRST_FORM);
    among.form.store(NEXT_FORM, Ordering::Relaxed);
    append(&later, 2).await;
    assert_eq!(form(&store), NEXT_FORM);
    let again = Node::start_on(store.clone(), reading(NEXT_FORM));
    assert_eq!(again.read(1).await, [1, 2]);
}

/// Whoever knows an old view still may read what was written by a newer one.
#[tokio::test(start_paused = true)]
async fn a_row_does_not_go_back_to_an_earlier_form() {
    let store = Arc::<ScriptedStore>::default();
    append(&among(&store, NEXT_FORM).1, 1).await;
    let (_, late) = among(&store, FIRST_FORM);
    assert_eq!(append(&late, 2).await, [1, 2]);
    assert_eq!(form(&store), NEXT_FORM);
}

#[tokio::test(start_paused = true)]
async fn an_effect_of_a_later_build_waits_for_one_that_understands_it() {
    let node = Node::start();
    let told = ProbeCommand::Tell { target: 2, item: NOT_UNDERSTOOD_ITEM };
    node.send(1, told).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(node.runtime.observe().effects_failed > 1, "it is tried again");
    assert_eq!(node.store.row(key(2)), None, "nothing is remembered of it");
    let due = node.store.row(key(1)).and_then(|row| row.due);
    assert!(due.is_some(), "it waits in its source's row");
}
