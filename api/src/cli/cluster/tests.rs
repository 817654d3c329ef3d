//! What is told of a cluster, and that a drain is marked whatever comes between.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use barrow_cluster::{Member, MemoryControlTable, SHARDS, plan};

use super::report::Heartbeat;
use super::*;
use crate::cli::args::DrainArgs;
use crate::cli::failure::Exit;

const A: MemberId = MemberId(0xaaaa_0001 << 96);
const B: MemberId = MemberId(0xaaaa_0002 << 96);

fn member(id: MemberId, name: &str) -> Member {
    let (name, build) = (name.to_owned(), "0.1.0".to_owned());
    Member { id, name, weight: 1, build, reads: 1, draining: false }
}

fn peer(id: MemberId, name: &str) -> Peer {
    let (name, address) = (name.to_owned(), format!("{name}:7600"));
    Peer { id, name, address, certificate: Vec::new(), unreachable: Vec::new() }
}

/// One member, or two that have their shares, within a tenth.
fn view(members: &[(MemberId, &str)]) -> View {
    let mut view = View { version: 3, ..View::default() };
    for (id, name) in members {
        plan::join(&mut view, member(*id, name)).unwrap();
        let moves = plan::plan(&view);
        plan::apply(&mut view, &moves);
    }
    view
}

fn two() -> View {
    view(&[(A, "left"), (B, "right")])
}

fn row(peer: Peer, beat_ms: Option<u64>) -> Row {
    Row { peer: Some(peer), beat_age: beat_ms.map(Duration::from_millis) }
}

#[test]
fn the_status_is_told_in_columns() {
    let mut lonely = peer(B, "right");
    lonely.unreachable = vec!["left".to_owned()];
    let joining = MemberId(7 << 96);
    let rows = BTreeMap::from([
        (A, row(peer(A, "left"), Some(340))),
        (B, row(lonely, None)),
        (joining, row(peer(joining, "new"), Some(0))),
    ]);
    let status = Status::of(&two(), &rows);
    let text = "\
NODE   ID        ADDRESS     WEIGHT  BUILD  READS  SHARDS  BEAT       STATE    REACHES NOT
left   aaaa0001  left:7600   1       0.1.0  1      563     0.3 s ago  member
right  aaaa0002  right:7600  1       0.1.0  1      461     silent     member   left
new    00000007  new:7600    -       -      -      0       0.0 s ago  joining
view 3, form 1: 2 members, 0 shards without owner, no deploy under way, balanced
";
    assert_eq!(status.text(), text);
    assert!(status.balanced && !status.deploying);
    assert_eq!((status.shards_without_owner, status.shards_to_move), (0, 0));
}

#[test]
fn a_member_without_a_row_is_gone_and_a_drain_is_a_deploy() {
    let mut view = two();
    plan::drain(&mut view, B);
    view.give(5, None);
    let rows = BTreeMap::from([(B, row(peer(B, "right"), Some(10)))]);
    let status = Status::of(&view, &rows);
    assert_eq!(status.nodes[0].heartbeat, Heartbeat::Gone);
    assert_eq!(status.nodes[0].address, None);
    assert!(status.nodes[1].draining && status.deploying && !status.balanced);
    assert_eq!(status.shards_without_owner, 1);
    let text = status.text();
    assert!(text.contains("no row") && text.contains("a deploy under way"), "{text}");
    let empty = Status::of(&View::default(), &BTreeMap::new());
    assert!(!empty.balanced && empty.text().contains("0 members, 1024 shards without owner"));
}

#[test]
fn shards_are_told_as_ranges_and_with_their_epochs() {
    let mut view = view(&[(A, "left")]);
    view.give(7, None);
    view.give(8, None);
    view.give(10, None);
    let text = "\
NODE    ID        SHARDS  WHICH
left    aaaa0001  1021    0-6, 9, 11-1023
nobody  -         3       7-8, 10
view 3
";
    assert_eq!(Shards::of(&view, None).text(), text);
    let shards = Shards::of(&view, Some(A));
    assert_eq!(shards.owners.len(), 1);
    let json = serde_json::to_value(&shards).unwrap();
    assert_eq!(json["owners"][0]["shards"][8], serde_json::json!({"shard": 11, "epoch": 1}));
}

#[test]
fn a_node_is_meant_by_its_id_the_beginning_of_it_or_its_name() {
    let view = view(&[(A, "left"), (B, "right"), (MemberId(0xb << 124), "right")]);
    let chosen = |text: &str| choice::choose(&view, text).map(|member| member.id);
    assert_eq!(chosen(&A.to_string()).unwrap(), A);
    assert_eq!(chosen("AAAA0002").unwrap(), B);
    assert_eq!(chosen("left").unwrap(), A);
    for (text, said) in [("aaaa", "2 nodes"), ("right", "2 nodes"), ("c", "no node"), ("", "no")] {
        let refused = chosen(text).unwrap_err();
        assert_eq!(refused.exit, Exit::Refused);
        assert!(refused.what.contains(said), "{text}: {}", refused.what);
        assert!(refused.hint.unwrap().contains(&B.to_string()), "{text}");
    }
}

/// A table whose first changes come to nothing, or to nobody knows what.
#[derive(Default)]
struct Contended {
    inner: MemoryControlTable,
    others_first: AtomicU64,
    unknown: AtomicU64,
    /// The first row beats whenever the rows are read.
    beats: AtomicBool,
}

fn take_one(count: &AtomicU64) -> bool {
    let less = |left: u64| left.checked_sub(1);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
}

#[async_trait]
impl ControlTable for Contended {
    async fn load(&self, key: &str) -> Result<Option<ControlRow>, ControlError> {
        self.inner.load(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, ControlRow)>, ControlError> {
        let rows = self.inner.list(prefix).await?;
        if self.beats.load(Ordering::Relaxed) {
            let (key, row) = rows.first().unwrap();
            self.inner.cas(key, row.version, row.value.clone()).await?;
        }
        Ok(rows)
    }

    async fn cas(
        &self,
        key: &str,
        expected: u64,
        value: Vec<u8>,
    ) -> Result<ControlOutcome, ControlError> {
        if take_one(&self.others_first) {
            let row = self.inner.load(key).await?.unwrap();
            self.inner.cas(key, row.version, row.value).await?;
        }
        let outcome = self.inner.cas(key, expected, value).await;
        match take_one(&self.unknown) {
            true => Err(ControlError::OutcomeUnknown("nobody knows".to_owned())),
            false => outcome,
        }
    }

    async fn delete(&self, key: &str, expected: u64) -> Result<ControlOutcome, ControlError> {
        self.inner.delete(key, expected).await
    }
}

/// A table with that view; the version is its own.
async fn table(view: &View, others_first: u64, unknown: u64) -> Table {
    let table = Contended::default();
    table.beats.store(true, Ordering::Relaxed);
    table.inner.cas(VIEW_KEY, 0, view.encode()).await.unwrap();
    table.others_first.store(others_first, Ordering::Relaxed);
    table.unknown.store(unknown, Ordering::Relaxed);
    Table(Arc::new(table))
}

fn drain_args(node: &str, no_wait: bool) -> DrainArgs {
    DrainArgs { node: node.to_owned(), no_wait, json: false }
}

#[tokio::test]
async fn a_drain_is_marked_though_others_change_the_view_or_its_outcome_is_unknown() {
    for (others_first, unknown) in [(0, 0), (3, 0), (0, 1), (2, 2)] {
        let table = table(&two(), others_first, unknown).await;
        let view = drain::mark(&table, B).await.unwrap();
        assert!(view.member(B).unwrap().draining);
        let stored = table.view().await.unwrap();
        assert!(stored.member(B).unwrap().draining && !stored.member(A).unwrap().draining);
    }
    let table = table(&two(), u64::MAX, 0).await;
    let refused = drain::mark(&table, B).await.unwrap_err();
    assert_eq!(refused.exit, Exit::Refused, "it does not try for ever");
}

/// A view in the first form, with nodes that read up to these.
fn reading(reads: [u8; 2]) -> View {
    let mut view = two();
    view.members.iter_mut().zip(reads).for_each(|(member, reads)| member.reads = reads);
    view
}

#[test]
fn the_form_is_raised_to_what_all_nodes_and_this_build_read() {
    let raised = |reads, build| form::raised(&reading(reads), build);
    assert_eq!(raised([1, 1], 1).unwrap(), None);
    assert_eq!(raised([2, 3], 2).unwrap().map(|view| view.form), Some(2));
    let behind = raised([1, 2], 2).unwrap_err();
    assert!(behind.what.contains("not read by all nodes: left"), "{}", behind.what);
    let blind = raised([2, 2], 1).unwrap_err();
    assert!(blind.what.contains("this build reads up to 1"), "{}", blind.what);
    let text = Status::of(&reading([2, 2]), &BTreeMap::new()).text();
    assert!(text.contains("view 3, form 1, form 2 to come: 2 members"), "{text}");
}

#[tokio::test]
async fn a_shop_in_the_newest_form_stays_in_it_and_a_later_one_is_told() {
    let known = table(&two(), 0, 0).await;
    let report = serde_json::to_value(form::raise(&known).await.unwrap()).unwrap();
    assert_eq!(report, serde_json::json!({"form": 1, "former": 1}));
    let later = View { form: 9, ..two() };
    let refused = table(&later, 0, 0).await.view().await.unwrap_err();
    assert_eq!(refused.exit, Exit::TooOld);
    assert!(refused.what.contains("the shop is stored in form 9"), "{}", refused.what);
}

#[tokio::test]
async fn the_only_node_that_takes_shards_is_not_drained() {
    let table = table(&view(&[(A, "left")]), 0, 0).await;
    let refused =
        drain::drain(&table, &drain_args("left", true), Duration::ZERO).await.unwrap_err();
    assert!(refused.what.contains("no other node takes shards"), "{}", refused.what);
    assert!(!table.view().await.unwrap().member(A).unwrap().draining);
}

#[tokio::test]
async fn a_drain_waits_until_the_shards_have_gone_but_not_for_ever() {
    let table = table(&two(), 0, 0).await;
    let args = drain_args("right", false);
    let refused = drain::drain(&table, &args, Duration::ZERO).await.unwrap_err();
    assert!(refused.what.contains("still has 461"), "{}", refused.what);

    let handed_over = async {
        let mut view = table.view().await.unwrap();
        assert!(view.member(B).unwrap().draining, "it stays marked");
        for shard in 0..SHARDS as u16 {
            view.give(shard, Some(A));
        }
        assert_eq!(table.change(&view).await, Ok(ControlOutcome::Written));
    };
    let long = Duration::from_secs(3_600);
    let (drained, ()) = tokio::join!(drain::drain(&table, &args, long), handed_over);
    let report = serde_json::to_value(drained.unwrap()).unwrap();
    assert_eq!((&report["shards"], &report["shards_left"]), (&461.into(), &0.into()));
}

/// The beats are counted by versions alone: no clock of another machine is asked.
#[tokio::test]
async fn a_row_that_grows_beats_and_one_that_does_not_is_silent() {
    let table = table(&two(), 0, 0).await;
    for (id, name) in [(A, "left"), (B, "right")] {
        let value = serde_json::to_vec(&peer(id, name)).unwrap();
        table.0.cas(&format!("{HEARTBEAT_PREFIX}{id}"), 0, value).await.unwrap();
    }
    let (view, rows) = watch(&table).await.unwrap();
    assert_eq!(view.members.len(), 2);
    assert!(rows[&A].beat_age.is_some_and(|age| age < WATCH_MAX));
    assert_eq!(rows[&B].beat_age, None);
    assert_eq!(rows[&B].peer.as_ref().unwrap().address, "right:7600");
}
