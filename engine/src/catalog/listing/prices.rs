//! The filter by price.

use roaring::RoaringBitmap;

use super::columns::Slot;
use super::order::Order;
use super::query::{ListingQuery, Position, Sort, SortKey};
use crate::ids::ProductId;

/// Looking at the price of a row costs about as much as taking so many rows from the order.
const TAKEN_PER_LOOK: usize = 8;

/// The rows among `rows` whose price in a slot lies from `min` to `max`; `order` is that of the
/// slot's prices.
pub fn between(
    slot: &Slot,
    order: &Order,
    (min, max): (i64, i64),
    rows: &RoaringBitmap,
) -> RoaringBitmap {
    let price = |row: u32| slot.prices[row as usize];
    let from = order.place(|row| price(row) < min);
    let to = order.place(|row| price(row) <= max);
    let inside = if min <= max { order.count_between(from, to) } else { 0 };
    let outside = order.count_between(order.start(), order.end()) - inside;
    let looks = usize::try_from(rows.len()).unwrap_or(usize::MAX);
    if looks.saturating_mul(TAKEN_PER_LOOK) < inside.min(outside) {
        let is_inside =
            |row: &u32| slot.priced.contains(*row) && (min..=max).contains(&price(*row));
        let within = rows.iter().filter(is_inside);
        return RoaringBitmap::from_sorted_iter(within).expect("rows come in order");
    }
    if inside <= outside {
        return bitmap(order.iter_from(from).take(inside), slot.prices.len()) & rows;
    }
    let below = order.iter_back(from);
    let above = order.iter_from(to);
    (rows & &slot.priced) - bitmap(below.chain(above), slot.prices.len())
}

/// The position right before the first price that the filter lets pass; `None` where the order
/// starts with it.
pub fn before_first(query: &ListingQuery) -> Option<Position> {
    let at = |number, id| Position { sort: query.sort, key: SortKey::Number(number), id };
    match query.sort {
        Sort::Price => query.price_min.map(|min| at(min.saturating_sub(1), ProductId(u128::MAX))),
        Sort::PriceDesc => query.price_max.map(|max| at(max.saturating_add(1), ProductId(0))),
        _ => None,
    }
}

/// Rows in any order, each below `len`.
fn bitmap(rows: impl Iterator<Item = u32>, len: usize) -> RoaringBitmap {
    let mut bytes = vec![0u8; len.div_ceil(8)];
    for row in rows {
        bytes[row as usize / 8] |= 1 << (row % 8);
    }
    RoaringBitmap::from_lsb0_bytes(0, &bytes)
}
