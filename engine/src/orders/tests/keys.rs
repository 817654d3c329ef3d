//! What an order remembers of the keys that its commands were sent with.

use std::time::Duration;

use super::*;

fn key(n: u64) -> CommandKey {
    CommandKey { caller: "staff_1".into(), key_hash: n, payload_hash: n as u32 }
}

fn after(days: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(days * 24 * 60 * 60))
}

#[test]
fn the_last_sixteen_are_kept_however_old_and_all_of_thirty_days() {
    let mut order = draft();
    for n in 0..40 {
        assert_eq!(order.recall(&key(n), after(0)), KeyRecall::New);
        order.remember(key(n), None, after(0));
    }
    assert_eq!(order.keys.len(), 40);
    order.remember(key(40), None, after(30));
    assert_eq!(order.keys.len(), 41, "thirty days are not over yet");
    order.remember(key(41), None, after(31));
    assert_eq!(order.keys.len(), ORDER_KEYS_MIN);
    assert!(matches!(order.recall(&key(26), after(90)), KeyRecall::Seen(_)));
    assert_eq!(order.recall(&key(25), after(90)), KeyRecall::New);
}

#[test]
fn a_full_memory_refuses_rather_than_forget() {
    let mut order = draft();
    for n in 0..ORDER_KEYS_MAX as u64 {
        order.remember(key(n), None, after(0));
    }
    assert_eq!(order.recall(&key(9_999), after(30)), KeyRecall::Full);
    assert_eq!(order.recall(&key(9_999), after(31)), KeyRecall::New);
}

#[test]
fn a_key_stands_for_one_command_of_one_caller() {
    let mut order = draft();
    order.remember(key(1), Some("ref_1".into()), NOW);
    let KeyRecall::Seen(used) = order.recall(&key(1), NOW) else { panic!("it was seen") };
    assert_eq!((used.version, used.made.as_deref()), (order.version, Some("ref_1")));
    let other = CommandKey { payload_hash: 2, ..key(1) };
    assert_eq!(order.recall(&other, NOW), KeyRecall::Reused);
    let theirs = CommandKey { caller: "staff_2".into(), ..key(1) };
    assert_eq!(order.recall(&theirs, NOW), KeyRecall::New);
    let stored = serde_json::to_string(&order).unwrap();
    assert_eq!(serde_json::from_str::<Order>(&stored).unwrap(), order);
}
