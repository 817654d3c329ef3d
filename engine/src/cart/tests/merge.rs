//! Proofs of the merge at login.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::policy::{Dropped, DroppedCode, Merge, MergePolicy, merge};
use super::sku;
use crate::cart::LINES_MAX;
use crate::catalog::Sku;
use crate::quantity::{QUANTITY_MAX, Quantity};

fn cart(lines: &[(u32, u32)]) -> Vec<(Sku, Quantity)> {
    lines.iter().map(|(n, quantity)| (sku(*n), Quantity::new(*quantity).unwrap())).collect()
}

fn held(merge: &Merge) -> Vec<(Sku, u32)> {
    let lines = merge.lines.iter().filter(|line| line.quantity > 0);
    lines.map(|line| (line.sku.clone(), line.quantity)).collect()
}

#[test]
fn each_policy_merges_in_its_way() {
    let check = |policy: &str, expected: &[(u32, u32)]| {
        let (guest, customer) = (cart(&[(1, 2), (3, 4)]), cart(&[(2, 5), (1, 3)]));
        let merged = merge(policy.parse().unwrap(), &guest, &customer);
        let expected: Vec<_> = expected.iter().map(|(n, quantity)| (sku(*n), *quantity)).collect();
        assert_eq!(held(&merged), expected, "{policy}");
        assert_eq!(merged.dropped, [], "{policy}");
        assert_eq!((merged.lines.len(), merged.policy.as_str()), (3, policy));
    };
    check("sum", &[(2, 5), (1, 5), (3, 4)]);
    check("max", &[(2, 5), (1, 3), (3, 4)]);
    check("keep_guest", &[(1, 2), (3, 4)]);
    check("keep_customer", &[(2, 5), (1, 3)]);
    assert_eq!(MergePolicy::default(), MergePolicy::Sum);
    assert!("both".parse::<MergePolicy>().is_err());
}

#[test]
fn what_a_limit_takes_is_named() {
    let merged = merge(MergePolicy::Sum, &cart(&[(1, QUANTITY_MAX)]), &cart(&[(1, 1)]));
    assert_eq!(held(&merged), [(sku(1), QUANTITY_MAX)]);
    assert_eq!(merged.dropped, [Dropped { sku: sku(1), code: DroppedCode::QuantityLimit }]);
    assert_eq!(merged.dropped[0].code.as_str(), "quantity_limit");

    let full: Vec<_> = (1..=LINES_MAX as u32).map(|n| (n, 1)).collect();
    let merged = merge(MergePolicy::Sum, &cart(&[(5_000, 1), (7, 1)]), &cart(&full));
    assert_eq!(held(&merged).len(), LINES_MAX);
    assert_eq!(merged.dropped, [Dropped { sku: sku(5_000), code: DroppedCode::LineLimit }]);
    assert_eq!(merged.dropped[0].code.as_str(), "line_limit");
    let merged = merge(MergePolicy::KeepGuest, &cart(&[(5_000, 1), (7, 1)]), &cart(&full));
    assert_eq!(held(&merged), [(sku(7), 1), (sku(5_000), 1)]);
    assert_eq!(merged.dropped, []);
}

fn any_cart() -> impl Strategy<Value = BTreeMap<u32, u32>> {
    let quantity = prop_oneof![1..5u32, QUANTITY_MAX - 3..=QUANTITY_MAX];
    let small = prop::collection::btree_map(0..12u32, quantity.clone(), 0..8);
    let large = (0..400u32, prop::collection::vec(quantity, 900..=LINES_MAX));
    let large = large.prop_map(|(first, quantities)| (first..).zip(quantities).collect());
    prop_oneof![9 => small, 1 => large]
}

fn any_policy() -> impl Strategy<Value = MergePolicy> {
    let all = ["sum", "max", "keep_guest", "keep_customer"];
    prop::sample::select(all.to_vec()).prop_map(|name| name.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_merge_holds_what_its_policy_says_and_names_what_it_drops(
        policy in any_policy(), guest in any_cart(), customer in any_cart(),
    ) {
        let lines = |map: &BTreeMap<u32, u32>| cart(&map.clone().into_iter().collect::<Vec<_>>());
        let merged = merge(policy, &lines(&guest), &lines(&customer));
        let all: std::collections::BTreeSet<_> = guest.keys().chain(customer.keys()).collect();
        prop_assert_eq!(merged.lines.len(), all.len(), "every SKU once");
        let dropped: BTreeMap<_, _> =
            merged.dropped.iter().map(|dropped| (dropped.sku.clone(), dropped.code)).collect();
        prop_assert_eq!(dropped.len(), merged.dropped.len());
        let held = held(&merged).len();
        prop_assert!(held <= LINES_MAX);
        let by_sku: BTreeMap<_, _> = merged.lines.iter().map(|line| (&line.sku, line)).collect();
        for n in all {
            let line = by_sku[&sku(*n)];
            let of = |map: &BTreeMap<u32, u32>| map.get(n).copied().unwrap_or(0);
            let (g, c) = (of(&guest), of(&customer));
            prop_assert_eq!((line.guest_quantity, line.customer_quantity), (g, c));
            let wanted = match policy {
                MergePolicy::Sum => g + c,
                MergePolicy::Max => g.max(c),
                MergePolicy::KeepGuest => g,
                MergePolicy::KeepCustomer => c,
            };
            match dropped.get(&line.sku) {
                None => prop_assert_eq!(line.quantity, wanted),
                Some(DroppedCode::QuantityLimit) => {
                    prop_assert!(wanted > QUANTITY_MAX && line.quantity == QUANTITY_MAX);
                }
                Some(DroppedCode::LineLimit) => {
                    prop_assert!(wanted > 0 && line.quantity == 0 && held == LINES_MAX);
                    prop_assert!(c == 0 || policy == MergePolicy::KeepGuest, "customer's first");
                }
            }
        }
    }
}
