//! Whether one cart after another could have shown what the clients saw.
//!
//! Every add puts one unit of a SKU of its own at the end of a cart, and makes one version. So
//! the final cart is the only order in which the adds can have happened, and what a reply showed
//! is a place in it. The history is linearizable if every reply showed a beginning of that
//! order, and nothing that ended before something else began lies behind it.

use std::collections::BTreeMap;

use super::history::{End, Event, Log, Moment, Seen};

/// What a cart is in the end: its SKUs, in the order of the versions that they made.
pub type Finals = BTreeMap<u128, Vec<u32>>;

pub fn check(log: &Log, finals: &Finals) -> Vec<String> {
    let mut violations: Vec<String> = log.wrong.iter().cloned().collect();
    let mut by_cart: BTreeMap<u128, Vec<&Event>> = BTreeMap::new();
    for event in &log.events {
        by_cart.entry(event.cart).or_default().push(event);
    }
    for (cart, events) in by_cart {
        let name = barrow_engine::ids::CartId(cart).to_string();
        match finals.get(&cart) {
            Some(end) => violations.extend(check_cart(&name, end, events)),
            // Named by a reply, and yet it never was there.
            None => violations.push(format!("{name} is gone")),
        }
    }
    violations
}

/// Adds are at odd places, what was seen between them at even ones.
fn check_cart(cart: &str, end: &[u32], events: Vec<&Event>) -> Vec<String> {
    let mut violations = Vec::new();
    let versions: BTreeMap<u32, u64> = end.iter().copied().zip(2..).collect();
    let newest = end.len() as u64 + 1;
    let mut placed: Vec<(Moment, Option<Moment>, u64)> = Vec::new();
    for event in events {
        let place = match &event.seen {
            Seen::Absent => 0,
            Seen::Added { item, end } => match (versions.get(item), end) {
                (Some(version), End::Acknowledged { made: Some(made), .. }) if made != version => {
                    let what = format!("{item} was said to be version {made}, and is {version}");
                    violations.push(format!("{cart}: {what}"));
                    continue;
                }
                (Some(version), End::Acknowledged { .. } | End::Open) => 2 * version - 1,
                (None, End::Refused | End::Open) => continue,
                (Some(_), End::Refused) => {
                    violations.push(format!("{cart}: {item} was refused and took effect"));
                    continue;
                }
                (None, End::Acknowledged { .. }) => {
                    violations.push(format!("{cart}: {item} was acknowledged and is lost"));
                    continue;
                }
            },
            Seen::Cart { version, items } => {
                let was =
                    *version <= newest && items.as_ref().is_none_or(|items| end.starts_with(items));
                if !was {
                    violations.push(format!("{cart}: {version} {items:?} was seen, never was"));
                    continue;
                }
                2 * version
            }
        };
        placed.push((event.began, event.ended, place));
    }
    violations.extend(check_order(cart, placed));
    violations
}

/// Nothing that ended before something else began may lie behind it.
fn check_order(cart: &str, mut placed: Vec<(Moment, Option<Moment>, u64)>) -> Option<String> {
    let mut ended: Vec<(Moment, u64)> =
        placed.iter().filter_map(|(_, ended, place)| Some(((*ended)?, *place))).collect();
    ended.sort_unstable();
    placed.sort_unstable();
    let (mut next, mut furthest) = (0, 0);
    for (began, _, place) in placed {
        while next < ended.len() && ended[next].0 < began {
            furthest = furthest.max(ended[next].1);
            next += 1;
        }
        if place < furthest {
            return Some(format!(
                "{cart}: what began at {began} shows version {}, after {} had been seen",
                place.div_ceil(2),
                furthest.div_ceil(2),
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::history::Known;
    use super::*;

    fn seen(began: Moment, ended: Moment, seen: Seen) -> Event {
        Event { cart: 1, began, ended: Some(ended), seen }
    }

    fn acknowledged(item: u32, made: u64) -> Seen {
        Seen::Added { item, end: End::Acknowledged { made: Some(made), replayed: false } }
    }

    fn at(version: u64, items: &[u32]) -> Seen {
        Seen::Cart { version, items: Some(items.to_vec()) }
    }

    fn violations(events: Vec<Event>, end: &[u32]) -> usize {
        let carts = BTreeMap::from([(1, Known { session: 7, created_at: None })]);
        let log = Log { events, carts, ..Log::default() };
        check(&log, &Finals::from([(1, end.to_vec())])).len()
    }

    #[test]
    fn what_could_have_been_passes() {
        let history = vec![
            seen(1, 2, at(1, &[])),
            seen(3, 8, acknowledged(10, 2)),
            // While it is under way both may be seen, but not the older one after the newer.
            seen(4, 5, at(1, &[])),
            seen(6, 7, at(2, &[10])),
            seen(9, 10, Seen::Added { item: 11, end: End::Refused }),
            Event { ended: None, ..seen(11, 12, Seen::Added { item: 12, end: End::Open }) },
        ];
        assert_eq!(violations(history, &[10]), 0);
    }

    #[test]
    fn what_could_not_have_been_is_found() {
        let check = |event: Event, end: &[u32]| {
            let history = vec![seen(1, 2, at(1, &[])), seen(3, 4, acknowledged(10, 2)), event];
            assert_eq!(violations(history, end), 1);
        };
        check(seen(5, 6, acknowledged(11, 3)), &[10]);
        check(seen(5, 6, acknowledged(11, 4)), &[10, 11]);
        check(seen(5, 6, Seen::Added { item: 11, end: End::Refused }), &[10, 11]);
        check(seen(5, 6, at(1, &[])), &[10]);
        check(seen(5, 6, at(2, &[11])), &[10, 11]);
        check(seen(5, 6, at(3, &[10, 11])), &[10]);
        check(seen(5, 6, Seen::Absent), &[10]);
    }
}
