//! The promises of an inventory.

use super::Names;
use crate::catalog::Sku;
use crate::ports::Inventory;

pub async fn inventory(inventory: &dyn Inventory, seed: u64) {
    let names = Names { seed };
    let sku = |index| Sku::new(&names.text(index)).expect("letters and digits are a SKU");
    let (chair, table, lamp) = (sku(1), sku(2), sku(3));
    let on_hand = async |skus: &[Sku]| inventory.on_hand(skus).await.expect("levels are read");
    let set = async |levels: &[(Sku, u32)]| {
        inventory.set_on_hand(levels).await.expect("levels are set");
    };

    assert_eq!(on_hand(&[]).await, [], "nothing asked, nothing answered");
    assert_eq!(
        on_hand(std::slice::from_ref(&chair)).await,
        [None],
        "a SKU that was never counted has none"
    );
    set(&[(chair.clone(), 7), (table.clone(), 0)]).await;
    let asked = [table.clone(), lamp.clone(), chair.clone(), chair.clone()];
    let answer = on_hand(&asked).await;
    assert_eq!(answer, [Some(0), None, Some(7), Some(7)], "answers come in the order asked");
    set(&[(chair.clone(), u32::MAX), (table.clone(), 0)]).await;
    assert_eq!(on_hand(&[chair.clone(), table]).await, [Some(u32::MAX), Some(0)], "levels are set");
    set(&[(chair.clone(), 1), (chair.clone(), 2)]).await;
    assert_eq!(on_hand(&[chair]).await, [Some(2)], "of two levels in one call the last holds");
    set(&[]).await;

    // Real warehouses name things with spaces, slashes and letters beyond ASCII.
    let odd = Sku::new(&format!("Ä/b c {}", names.text(4))).expect("a SKU");
    set(&[(odd.clone(), 3)]).await;
    assert_eq!(on_hand(&[odd]).await, [Some(3)], "any SKU names a level");
}
