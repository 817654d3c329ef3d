//! Commands to placed orders, by who may and who may not.

use barrow_actors::orders::{OrderCaller, OrderDeskError, OrderTerms};
use barrow_engine::cart::{LineId, Owner};
use barrow_engine::ids::{OrderId, SessionId};
use barrow_engine::orders::{
    ORDER_KEYS_MAX, OperationKind, OrderCommand, OrderStatus, PaymentProgress, ReturnStatus,
    ReturnedLine,
};

use super::*;

#[tokio::test]
async fn money_is_taken_as_parcels_leave_and_given_back_for_what_returns() {
    let (shop, process, desk, order) = sold().await;
    let part = done(&desk, &order, fulfil(&[(1, 2)])).await;
    assert_eq!(part.payment_progress(), PaymentProgress::PartiallyCaptured);
    assert_eq!(shop.books.taken(order.id), part.captured());
    let all = done(&desk, &order, fulfil(&[(1, 1), (2, 1)])).await;
    assert_eq!(all.status, OrderStatus::Completed);
    assert_eq!(shop.books.taken(order.id), order.totals().total);
    assert_eq!((process.level(1).await.on_hand, process.level(1).await.allocated), (7, 0));

    let wished = desk.execute(order.id, wish(1, 2), buyer(), OrderTerms::default()).await.unwrap();
    let id = wished.order.returns[0].id;
    assert_eq!(wished.made, Some(id.to_string()));
    done(&desk, &order, OrderCommand::ApproveReturn { id }).await;
    let line = ReturnedLine { line: LineId(1), quantity: 2, restock: true, location: None };
    let came = OrderCommand::ReceiveReturn { id, lines: vec![line], for_exchange: false };
    let back = done(&desk, &order, came).await;
    assert_eq!(back.returns[0].status, ReturnStatus::Refunded);
    assert_eq!(process.level(1).await.on_hand, 9);
    let paid_back = back.refunds[0].amount;
    assert_eq!(shop.books.taken(order.id), order.totals().total - paid_back);
}

#[tokio::test]
async fn a_buyer_cancels_what_has_not_left_the_house_and_nothing_more() {
    let (shop, process, desk, order) = sold().await;
    let by_buyer =
        async |command| desk.execute(order.id, command, buyer(), OrderTerms::default()).await;
    for command in [capture(), refund(1), fulfil(&[(1, 1)]), OrderCommand::Hold] {
        let refused = by_buyer(command).await.unwrap_err();
        assert!(matches!(refused, OrderDeskError::Forbidden), "{refused:?}");
    }
    let cancelled = by_buyer(cancel()).await.unwrap().order;
    assert_eq!(cancelled.status, OrderStatus::Cancelled);
    assert_eq!(cancelled.payment_progress(), PaymentProgress::Voided);
    assert_eq!(shop.books.held(order.id), 0);
    assert_eq!((process.level(1).await.available(), process.level(2).await.available()), (10, 10));
    assert_eq!(by_buyer(cancel()).await.unwrap_err().code(), "order_state");
}

#[tokio::test]
async fn what_belongs_to_others_is_not_there() {
    let (_shop, _process, desk, order) = sold().await;
    let stranger = OrderCaller::Buyer(Owner::Session(SessionId(99)));
    assert_eq!(desk.get(order.id, &stranger).await.unwrap_err().code(), "not_found");
    let cancelled = desk.execute(order.id, cancel(), stranger, OrderTerms::default()).await;
    assert_eq!(cancelled.unwrap_err().code(), "not_found");
    assert_eq!(desk.get(OrderId(5), &staff()).await.unwrap_err().code(), "not_found");
    assert_eq!(desk.get(order.id, &buyer()).await.unwrap(), order);
    assert_eq!(desk.get(order.id, &staff()).await.unwrap(), order);
}

#[tokio::test]
async fn refusals_have_the_codes_that_the_contract_names() {
    let (_shop, _process, desk, order) = sold().await;
    let check = async |command, expected: &str| {
        assert_eq!(tell(&desk, &order, command).await.unwrap_err().code(), expected);
    };
    let too_much = OrderCommand::Capture { amount: Some(order.totals().total + 1) };
    check(too_much, "capture_exceeds_authorized").await;
    check(refund(1), "refund_exceeds_captured").await;
    check(wish(1, 1), "return_exceeds_fulfilled").await;
    check(fulfil(&[(1, 4)]), "validation_failed").await;
    check(OrderCommand::Settle, "forbidden").await;
    done(&desk, &order, fulfil(&[(1, 1)])).await;
    check(cancel(), "already_fulfilled").await;
}

#[tokio::test]
async fn who_insists_on_a_version_is_told_of_another() {
    let (_shop, _process, desk, order) = sold().await;
    let insist = |version| OrderTerms { expected_version: Some(version), key: None };
    let note = || OrderCommand::Note { text: "call first".into() };
    let noted = desk.execute(order.id, note(), staff(), insist(order.version)).await.unwrap();
    assert_eq!(noted.order.version, order.version + 1);
    let stale = desk.execute(order.id, note(), staff(), insist(order.version)).await.unwrap_err();
    assert_eq!(stale.code(), "version_mismatch");
    assert!(
        matches!(stale, OrderDeskError::VersionMismatch { current } if current > order.version)
    );
}

#[tokio::test]
async fn a_command_that_is_sent_again_is_told_as_it_was_made() {
    let (shop, _process, desk, order) = sold().await;
    done(&desk, &order, capture()).await;
    let give = async |terms| desk.execute(order.id, refund(100), staff(), terms).await;
    let first = give(key("refund-0123456789", "100")).await.unwrap();
    let again = give(key("refund-0123456789", "100")).await.unwrap();
    assert_eq!(first.made, Some(first.order.refunds[0].id.to_string()));
    assert_eq!((&again.made, again.order.refunds.len()), (&first.made, 1));
    assert!(again.replayed.is_some_and(|version| version <= first.order.version));
    assert_eq!(shop.books.done(order.id, OperationKind::Refund), (100, 1));
    let reused = give(key("refund-0123456789", "200")).await.unwrap_err();
    assert_eq!(reused.code(), "idempotency_key_reused");
    // Another caller's key is another key.
    let terms = key("refund-0123456789", "100");
    let other = OrderCaller::Staff { id: "staff_2".into(), name: "Ada".into() };
    let theirs = desk.execute(order.id, refund(100), other, terms).await.unwrap();
    assert_eq!((theirs.replayed, theirs.order.refunds.len()), (None, 2));
}

#[tokio::test]
async fn a_command_without_an_effect_is_remembered_too() {
    let (_shop, _process, desk, order) = sold().await;
    done(&desk, &order, OrderCommand::Hold).await;
    let hold = async || {
        let terms = key("hold-0123456789ab", "");
        desk.execute(order.id, OrderCommand::Hold, staff(), terms).await.unwrap()
    };
    assert_eq!(hold().await.replayed, None);
    done(&desk, &order, OrderCommand::Release).await;
    let again = hold().await;
    assert!(again.replayed.is_some() && !again.order.on_hold, "it was sent before the release");
}

#[tokio::test]
async fn a_full_memory_refuses_rather_than_forget() {
    let (_shop, _process, desk, order) = sold().await;
    let note = async |index: usize| {
        let note = OrderCommand::Note { text: String::new() };
        let terms = key(&format!("note-{index}"), "");
        desk.execute(order.id, note, staff(), terms).await
    };
    for index in 0..ORDER_KEYS_MAX {
        note(index).await.unwrap();
    }
    assert_eq!(note(ORDER_KEYS_MAX).await.unwrap_err().code(), "idempotency_memory_full");
    assert!(note(0).await.unwrap().replayed.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_give_the_last_money_back_at_once_give_it_once() {
    let (shop, _process, desk, order) = sold().await;
    let captured = done(&desk, &order, capture()).await.captured();
    let all = || tell(&desk, &order, refund(captured));
    let (one, other) = futures::join!(all(), all());
    let refused: Vec<&str> =
        [&one, &other].iter().filter_map(|done| Some(done.as_ref().err()?.code())).collect();
    assert_eq!(refused, ["refund_exceeds_captured"]);
    assert_eq!(shop.books.done(order.id, OperationKind::Refund), (captured, 1));
}

/// As many clicks as fit: each is one effect, and the sums hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_pay_back_a_part_at_once_pay_back_no_more_than_there_is() {
    let (shop, _process, desk, order) = sold().await;
    let captured = done(&desk, &order, capture()).await.captured();
    let part = captured / 4;
    let parts = (0..6).map(|_| tell(&desk, &order, refund(part)));
    let outcomes = futures::future::join_all(parts).await;
    let made = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(made, 4, "{outcomes:?}");
    assert_eq!(shop.books.done(order.id, OperationKind::Refund), (part * 4, 4));
}
