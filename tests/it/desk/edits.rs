//! Placed orders that staff edits.

use barrow_actors::orders::{EditWish, OrderTerms};
use barrow_engine::catalog::Sku;
use barrow_engine::ids::EditId;
use barrow_engine::orders::OperationKind;
use barrow_tests::simulation::shelf::{UNIT, sku};

use super::*;

fn sku_of(index: u32) -> Sku {
    sku(index).parse().unwrap()
}

fn set(line: u32, quantity: u32) -> EditWish {
    EditWish::SetQuantity { line: LineId(line), quantity }
}

fn add(index: u32, quantity: u32) -> EditWish {
    EditWish::AddLine { sku: sku_of(index), quantity }
}

/// The order with the proposal, and its id.
async fn propose(desk: &Orders, order: &Order, wishes: &[EditWish]) -> (Order, EditId) {
    let proposed = desk.propose_edit(order.id, wishes, staff(), OrderTerms::default()).await;
    let proposed = proposed.expect("it can be proposed");
    (proposed.order, proposed.made.unwrap().parse().unwrap())
}

#[tokio::test]
async fn an_edit_is_previewed_committed_once_and_moves_its_stock() {
    let (shop, process, desk, order) = sold().await;
    process.stock(3, 10).await;
    done(&desk, &order, capture()).await;
    // One chair less, and one of something else for two.
    let wishes = [set(1, 2), set(2, 0), add(3, 1)];
    let (proposed, id) = propose(&desk, &order, &wishes).await;
    let preview = proposed.preview(id).unwrap();
    let (before, after) = (order.totals().total, preview.totals().total);
    assert_eq!((before - after, proposed.edits[0].difference), (UNIT, after - before));
    assert_eq!(process.level(3).await.allocated, 0, "nothing is changed yet");
    let commit = OrderCommand::CommitEdit { id };
    let terms =
        OrderTerms { expected_version: Some(proposed.version), ..key("commit-0123456789", "") };
    let edited = desk.execute(order.id, commit.clone(), staff(), terms).await.unwrap().order;
    assert_eq!(edited.totals(), preview.totals());
    assert_eq!(shop.books.taken(order.id), after);
    let allocated = async |index| process.level(index).await.allocated;
    assert_eq!((allocated(1).await, allocated(2).await, allocated(3).await), (2, 0, 1));
    let again = desk.execute(order.id, commit, staff(), terms).await.unwrap();
    assert!(again.replayed.is_some());
    assert_eq!(shop.books.done(order.id, OperationKind::Refund), (UNIT, 1));
}

#[tokio::test]
async fn what_cannot_be_edited_is_refused_by_its_code() {
    let (_shop, process, desk, order) = sold().await;
    let check = async |wishes: &[EditWish], expected: &str| {
        let refused = desk.propose_edit(order.id, wishes, staff(), OrderTerms::default()).await;
        assert_eq!(refused.unwrap_err().code(), expected, "{wishes:?}");
    };
    let nothing = EditWish::AddLine { sku: "NOBODY-HAS-IT".parse().unwrap(), quantity: 1 };
    check(&[nothing], "validation_failed").await;
    check(&[set(9, 1)], "validation_failed").await;
    check(&[add(1, 0)], "validation_failed").await;
    let by_buyer = desk.propose_edit(order.id, &[set(1, 1)], buyer(), OrderTerms::default()).await;
    assert_eq!(by_buyer.unwrap_err().code(), "forbidden");
    let commit = async |id| tell(&desk, &order, OrderCommand::CommitEdit { id }).await;
    let (_, dearer) = propose(&desk, &order, &[set(1, 4)]).await;
    assert_eq!(commit(dearer).await.unwrap_err().code(), "capture_exceeds_authorized");
    // There are ten of SKU 1, and none of SKU 3.
    let (_, short) = propose(&desk, &order, &[set(1, 1), add(3, 2)]).await;
    assert_eq!(commit(short).await.unwrap_err().code(), "insufficient_stock");
    assert_eq!(process.level(1).await.allocated, 3, "nothing of it is done");
    done(&desk, &order, OrderCommand::Note { text: String::new() }).await;
    assert_eq!(commit(short).await.unwrap_err().code(), "version_mismatch");
    assert_eq!(commit(dearer).await.unwrap_err().code(), "not_found");
}
