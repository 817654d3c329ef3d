//! Proofs of the stored form.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::entity::DecodeError;
use crate::session::tests::from_hex;

/// A 25-line cart as the budget of a row means it: SKUs of 12 to 16 characters, prices up to
/// hundreds, no contact and no addresses.
fn ordinary() -> Cart {
    let mut cart = workload::cart_of(0);
    for index in 0..25u32 {
        let mut sellable = workload::sellable(index, 499 + 1_371 * i64::from(index));
        let sku = &"CHAIR-01234567-X"[..12 + index as usize % 5 - 2];
        sellable.sku = Sku::new(&format!("{sku}{index:02}")).unwrap();
        let quantity = Quantity::new(1 + index % 4).unwrap();
        let steps = vec![CartStep::AddLine { sellable: Arc::new(sellable), quantity }];
        let action = CartAction::Change(steps);
        workload::click(&mut cart, CartCommand { by: By::Shopper(OWNER), action });
    }
    cart
}

/// A cart with everything that a row can hold.
fn full() -> Cart {
    let mut bench = Bench::in_channel("us", "USD");
    (1..=4).for_each(|n| bench.stock(n, |_| {}));
    let mut shipping = address_form("US", Some("NY"));
    shipping.company = Some("Analytical Engines".into());
    shipping.phone = Some("+1 212 555 0100".into());
    let mut billing = address_form("DE", None);
    billing.line2 = Some("c/o Bäbbage".into());
    let addresses = Addresses::new(&shipping, Some(&billing)).unwrap();
    let contact = Contact::new("ada@example.com", Some("+44 20 7946 0000")).unwrap();
    let steps = vec![
        bench.add(1, 1),
        bench.add(2, 99_999),
        bench.add(3, 300),
        remove(1),
        bench.add(4, 7),
        CartStep::SetContact(contact),
        CartStep::SetAddresses(addresses),
        method("us-ground"),
    ];
    bench.now = bench.now.plus(std::time::Duration::from_secs(3_600));
    bench.change(steps).unwrap();
    bench.cart
}

fn expired() -> Cart {
    let mut bench = Bench::new();
    bench.now = bench.now.plus(CART_TTL);
    bench.give(By::System, CartAction::Expire).unwrap();
    bench.cart
}

/// Frozen for the second time, after the first was given up.
fn checking_out() -> Cart {
    let mut bench = super::checkout::ready();
    let agreed = super::checkout::total(&bench);
    super::checkout::freeze(&mut bench, agreed).unwrap();
    bench.give(By::System, CartAction::Unfreeze { freeze: 1 }).unwrap();
    super::checkout::freeze(&mut bench, agreed).unwrap();
    bench.cart
}

fn ordered() -> Cart {
    let mut cart = checking_out();
    let command = CartCommand { by: By::System, action: CartAction::MarkOrdered };
    workload::click(&mut cart, command);
    cart
}

fn unfrozen() -> Cart {
    let mut cart = checking_out();
    let command = CartCommand { by: By::System, action: CartAction::Unfreeze { freeze: 2 } };
    workload::click(&mut cart, command);
    cart
}

/// Two lines that are held, and two that are not.
fn held() -> Cart {
    let mut bench = Bench::new();
    (1..=4).for_each(|n| bench.stock(n, |_| {}));
    let short = vec![(sku(2), 1), (sku(4), 0)];
    let until = Some(bench.now.plus(std::time::Duration::from_secs(900)));
    let steps = (1..=4).map(|n| bench.add(n, 3)).collect();
    bench.change(steps).unwrap();
    bench.step(CartStep::Hold(Holding { until, short })).unwrap();
    bench.cart
}

fn of_a_customer() -> Cart {
    let mut cart = CartEntity::initial(1);
    let mut command = workload::create(Arc::new(Shop::sample()));
    command.by = By::Shopper(Owner::Customer(crate::ids::CustomerId(u128::MAX - 1)));
    workload::click(&mut cart, command);
    cart
}

fn encoded(cart: &Cart) -> Vec<u8> {
    let mut blob = Vec::new();
    CartEntity::encode(cart, &mut blob);
    blob
}

/// All that a row holds, to be compared.
fn kept(cart: &Cart) -> String {
    let lines: Vec<_> = cart.lines().map(Line::kept).collect();
    format!(
        "{:?} {lines:?} {:?} {:?} {:?} {:?} {:?}",
        (cart.id(), cart.owner(), cart.status(), cart.currency(), cart.channel(), cart.locale()),
        cart.contact(),
        cart.addresses(),
        cart.shipping_method_id(),
        (cart.created_at(), cart.updated_at()),
        (cart.next_line, cart.freezes, cart.expected_total, cart.hold()),
    )
}

fn check_golden(hex: &str, expected: &Cart) {
    let blob = from_hex(hex);
    let cart = CartEntity::decode(1, &blob).unwrap();
    assert_eq!(kept(&cart), kept(expected));
    assert_eq!(encoded(&cart), blob);
}

#[test]
fn the_stored_form_never_changes() {
    check_golden(include_str!("../golden/v1_absent.hex"), &CartEntity::initial(1));
    check_golden(include_str!("../golden/v1_empty.hex"), &workload::cart_of(0));
    check_golden(include_str!("../golden/v1_customer.hex"), &of_a_customer());
    check_golden(include_str!("../golden/v1_ordinary.hex"), &ordinary());
    check_golden(include_str!("../golden/v1_full.hex"), &full());
    check_golden(include_str!("../golden/v1_expired.hex"), &expired());
    check_golden(include_str!("../golden/v2_checking_out.hex"), &checking_out());
    check_golden(include_str!("../golden/v2_ordered.hex"), &ordered());
    check_golden(include_str!("../golden/v2_unfrozen.hex"), &unfrozen());
    check_golden(include_str!("../golden/v3_held.hex"), &held());
}

/// A row also holds the runtime's memory of 16 keys, about 16 bytes each, and a header; together
/// with them the cart has to fit 1 KB.
#[test]
fn an_ordinary_cart_fits_its_row() {
    let bytes = encoded(&ordinary()).len();
    println!("an ordinary cart of 25 lines takes {bytes} bytes");
    assert!(bytes <= 700, "{bytes}");
}

#[test]
fn a_later_version_is_told_from_damage() {
    let mut blob = encoded(&full());
    blob[0] = 4;
    let refused = CartEntity::decode(1, &blob).unwrap_err();
    assert_eq!(refused, DecodeError::FutureVersion { found: 4, supported: 3 });
    blob[0] = 0;
    assert!(matches!(CartEntity::decode(1, &blob), Err(DecodeError::Damaged(_))));
    assert!(matches!(CartEntity::decode(1, &[]), Err(DecodeError::Damaged(_))));
}

#[test]
fn a_blob_that_ends_too_early_or_late_is_damaged() {
    for cart in [CartEntity::initial(1), ordinary(), full(), expired(), checking_out(), held()] {
        let blob = encoded(&cart);
        for len in 0..blob.len() {
            let cut = CartEntity::decode(1, &blob[..len]);
            assert!(matches!(cut, Err(DecodeError::Damaged(_))), "{len} of {}", blob.len());
        }
        let longer = [&blob[..], &[0]].concat();
        assert!(matches!(CartEntity::decode(1, &longer), Err(DecodeError::Damaged(_))));
    }
}

#[test]
fn a_row_that_breaks_the_carts_rules_is_damaged() {
    let blob = encoded(&full());
    let at = |needle: &[u8]| {
        let found = blob.windows(needle.len()).position(|bytes| bytes == needle);
        found.expect("the blob holds it")
    };
    let damaged = |offset: usize, byte: u8| {
        let mut blob = blob.clone();
        assert_ne!(blob[offset], byte);
        blob[offset] = byte;
        assert!(CartEntity::decode(1, &blob).is_err(), "{byte} at {offset}");
    };
    damaged(1, 9);
    damaged(2, 3);
    damaged(at(b"USD"), b'?');
    // Lines: four names were used, so the next is 5; three stand, the first of them is 2.
    let lines = at(&[5, 3, 2]);
    damaged(lines, 4);
    damaged(lines + 2, 0);
    damaged(lines + 3, 0);
    let units = at(&[0x9f, 0x8d, 0x06, 0xe8, 0x07]) + 3;
    let dear = [&blob[..units], &[0xff, 0xff, 0xff, 0x7f], &blob[units + 2..]].concat();
    assert!(CartEntity::decode(1, &dear).is_err(), "99,999 units of something so dear");
    damaged(at(b"SKU-4") + 4, b'3');
    damaged(at(b"SKU-4"), 0);
    damaged(at(b"ada@"), 0xff);
}

#[test]
fn no_blob_makes_it_reserve_more_than_it_holds() {
    let empty = encoded(&workload::cart_of(0));
    // The number of lines is the last but one byte: the flags follow.
    let announced = |count: &[u8]| [&empty[..empty.len() - 2], count, &[0]].concat();
    assert!(CartEntity::decode(1, &announced(&[0])).is_ok());
    for count in [&[0xe8, 7][..], &[0xff; 9], &[0xff, 0xff, 0xff, 0xff, 0x7f]] {
        assert!(CartEntity::decode(1, &announced(count)).is_err());
    }
}

/// The blobs that are damaged in the proofs below, made once.
static SOUND: LazyLock<[Vec<u8>; 4]> =
    LazyLock::new(|| [full(), ordinary(), checking_out(), held()].map(|cart| encoded(&cart)));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn noise_is_an_error_or_a_cart_and_never_a_panic(noise: Vec<u8>, version in 0..5u8) {
        let _ = CartEntity::decode(1, &noise);
        let _ = CartEntity::decode(1, &[&[version][..], &noise].concat());
    }

    #[test]
    fn a_damaged_cart_is_an_error_or_another_sound_cart(
        which in 0..4usize,
        flips in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6),
    ) {
        let mut blob = SOUND[which].clone();
        for (place, byte) in flips {
            let place = place.index(blob.len());
            blob[place] = byte;
        }
        if let Ok(mut cart) = CartEntity::decode(1, &blob) {
            let again = CartEntity::decode(1, &encoded(&cart)).unwrap();
            prop_assert_eq!(kept(&again), kept(&cart));
            let nothing = vec![None; cart.lines().len()];
            cart.refresh(Arc::new(Shop::sample()), 1, nothing, workload::NOW);
            let _ = (cart.problems(), CartEntity::due(&cart), view(&cart));
        }
    }

    #[test]
    fn any_cart_survives_its_row(
        lines in prop::collection::btree_map(0..50u32, (1..100_000u32, 0..20_000_000i64), 0..30),
        email in prop::option::of("[a-z]{1,20}@[a-z]{1,20}\\.[a-z]{2,9}"),
        place in prop::option::of(0..2usize),
        millis in 0..10_000_000i64,
    ) {
        let mut bench = Bench::new();
        let mut steps = Vec::new();
        for (n, (quantity, unit)) in &lines {
            bench.stock(*n, at_price(*unit));
            steps.push(bench.add(*n, *quantity));
        }
        steps.extend(email.map(|email| contact(&email)));
        steps.extend(place.map(|place| ship_to(["DE", "GB"][place], Some("Süd"))));
        bench.now = Timestamp(bench.now.0 + millis);
        bench.change(steps).unwrap();
        let read = CartEntity::decode(1, &bench.row()).unwrap();
        prop_assert_eq!(kept(&read), kept(&bench.cart));
    }
}
