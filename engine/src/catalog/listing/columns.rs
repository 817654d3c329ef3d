//! What rows are sorted by, a column for each, so that a look at a million prices reads a
//! million prices and nothing else.

use std::cmp::Ordering;

use roaring::RoaringBitmap;

use super::query::{Position, SortKey};
use super::title::title_key;
use super::{ListingEntry, ListingPrice};
use crate::catalog::{ChannelId, Rating};
use crate::ids::ProductId;
use crate::money::Currency;

/// A price that is none. Amounts are never negative, so no range of prices holds it.
const NO_PRICE: i64 = -1;

/// How many ratings still tell equal averages apart: the rest of 32 bits beside the average.
const RATINGS_COUNTED_MAX: u64 = (1 << 23) - 1;

/// An order that is kept, always rising; ids break ties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderBy {
    Id,
    Featured,
    Newest,
    Rating,
    Title,
    /// By the price of a slot; holds only rows that have one.
    Price(usize),
}

/// What a row is sorted by.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key<'a> {
    Number(i64),
    Title(&'a str),
}

/// The sortable values of one product.
#[derive(Debug)]
pub struct Values {
    pub id: ProductId,
    featured: u32,
    created_at: i64,
    rating: u32,
    title: Box<str>,
    /// By slot; shorter than the list of slots where the last ones have no price.
    prices: Vec<i64>,
}

/// A channel and a currency in which something has a price.
#[derive(Debug, Clone)]
pub struct Slot {
    channel: ChannelId,
    currency: Currency,
    pub priced: RoaringBitmap,
    pub prices: Vec<i64>,
}

#[derive(Debug, Clone, Default)]
pub struct Columns {
    ids: Vec<ProductId>,
    featured: Vec<u32>,
    created_at: Vec<i64>,
    ratings: Vec<u32>,
    titles: Vec<Box<str>>,
    pub slots: Vec<Slot>,
}

impl Columns {
    /// Rows, those that are free now among them.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn id(&self, row: u32) -> ProductId {
        self.ids[row as usize]
    }

    /// The values of an entry, with a slot for each of its prices.
    pub fn values(&mut self, entry: &ListingEntry) -> Values {
        let mut prices = Vec::new();
        for ListingPrice { channel, currency, from } in &entry.prices {
            let slot = self.slot(channel, *currency).unwrap_or_else(|| {
                self.add_slot(channel.clone(), *currency);
                self.slots.len() - 1
            });
            if prices.len() <= slot {
                prices.resize(slot + 1, NO_PRICE);
            }
            prices[slot] = (*from).max(0);
        }
        Values {
            id: entry.id,
            featured: entry.featured.unwrap_or(u32::MAX),
            created_at: entry.created_at.as_millis(),
            rating: entry.rating.map_or(0, rating_rank),
            title: title_key(&entry.title),
            prices,
        }
    }

    pub fn slot(&self, channel: &ChannelId, currency: Currency) -> Option<usize> {
        self.slots.iter().position(|slot| slot.currency == currency && slot.channel == *channel)
    }

    fn add_slot(&mut self, channel: ChannelId, currency: Currency) {
        let prices = vec![NO_PRICE; self.len()];
        self.slots.push(Slot { channel, currency, priced: RoaringBitmap::new(), prices });
    }

    /// Appends a row.
    pub fn push(&mut self, values: Values) -> u32 {
        let row = u32::try_from(self.len()).expect("an index holds millions, not billions");
        self.ids.push(values.id);
        self.featured.push(values.featured);
        self.created_at.push(values.created_at);
        self.ratings.push(values.rating);
        self.titles.push(values.title);
        for (index, slot) in self.slots.iter_mut().enumerate() {
            slot.prices.push(NO_PRICE);
            slot.set(row, values.prices.get(index).copied());
        }
        row
    }

    /// Replaces what a row holds.
    pub fn set(&mut self, row: u32, values: Values) {
        let at = row as usize;
        self.ids[at] = values.id;
        self.featured[at] = values.featured;
        self.created_at[at] = values.created_at;
        self.ratings[at] = values.rating;
        self.titles[at] = values.title;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            slot.set(row, values.prices.get(index).copied());
        }
    }

    /// Gives up what a free row need not hold.
    pub fn clear(&mut self, row: u32) {
        self.titles[row as usize] = Box::default();
        self.slots.iter_mut().for_each(|slot| slot.set(row, None));
    }

    /// What a row is sorted by; `None` where it has no place in that order.
    pub fn key(&self, by: OrderBy, row: u32) -> Option<Key<'_>> {
        match by {
            OrderBy::Title => Some(Key::Title(&self.titles[row as usize])),
            OrderBy::Price(slot) if !self.slots[slot].priced.contains(row) => None,
            _ => Some(Key::Number(self.number(by, row))),
        }
    }

    fn number(&self, by: OrderBy, row: u32) -> i64 {
        let row = row as usize;
        match by {
            OrderBy::Featured => featured_key(self.featured[row]),
            OrderBy::Newest => newest_key(self.created_at[row]),
            OrderBy::Rating => rating_key(self.ratings[row]),
            OrderBy::Price(slot) => self.slots[slot].prices[row],
            OrderBy::Id | OrderBy::Title => 0,
        }
    }

    pub fn compare(&self, by: OrderBy, a: u32, b: u32) -> Ordering {
        let keys = match by {
            OrderBy::Title => self.titles[a as usize].cmp(&self.titles[b as usize]),
            _ => self.number(by, a).cmp(&self.number(by, b)),
        };
        keys.then_with(|| self.id(a).cmp(&self.id(b)))
    }

    /// How a row stands to a position of the same order.
    pub fn compare_position(&self, by: OrderBy, row: u32, position: &Position) -> Ordering {
        let keys = match (by, &position.key) {
            (OrderBy::Title, SortKey::Title(title)) => (*self.titles[row as usize]).cmp(title),
            (_, SortKey::Number(number)) => self.number(by, row).cmp(number),
            _ => Ordering::Equal,
        };
        keys.then_with(|| self.id(row).cmp(&position.id))
    }
}

impl Slot {
    fn set(&mut self, row: u32, price: Option<i64>) {
        let price = price.unwrap_or(NO_PRICE);
        self.prices[row as usize] = price;
        if price == NO_PRICE {
            self.priced.remove(row);
        } else {
            self.priced.insert(row);
        }
    }
}

impl Values {
    pub fn key(&self, by: OrderBy) -> Option<Key<'_>> {
        match by {
            OrderBy::Id => Some(Key::Number(0)),
            OrderBy::Featured => Some(Key::Number(featured_key(self.featured))),
            OrderBy::Newest => Some(Key::Number(newest_key(self.created_at))),
            OrderBy::Rating => Some(Key::Number(rating_key(self.rating))),
            OrderBy::Title => Some(Key::Title(&self.title)),
            OrderBy::Price(slot) => {
                let price = self.prices.get(slot).copied().unwrap_or(NO_PRICE);
                (price != NO_PRICE).then_some(Key::Number(price))
            }
        }
    }
}

impl Key<'_> {
    pub fn to_sort_key(&self) -> SortKey {
        match self {
            Key::Number(number) => SortKey::Number(*number),
            Key::Title(title) => SortKey::Title((*title).to_owned()),
        }
    }
}

fn featured_key(place: u32) -> i64 {
    i64::from(place)
}

/// Turned round without a value that overflows.
fn newest_key(created_at: i64) -> i64 {
    !created_at
}

/// The average, then the number of ratings; none is 0.
fn rating_rank(rating: Rating) -> u32 {
    let average = rating.average_hundredths.min(500) << 23;
    let rank = average | rating.count.min(RATINGS_COUNTED_MAX);
    u32::try_from(rank).expect("500 takes nine bits, the count 23")
}

fn rating_key(rank: u32) -> i64 {
    i64::from(u32::MAX - rank)
}
