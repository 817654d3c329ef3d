//! The index itself: its rows, and how they are put in, taken out and asked for.

use roaring::RoaringBitmap;

use super::ListingEntry;
use super::columns::{Columns, Key, OrderBy, Values};
use super::facets::{self, Chosen};
use super::order::Order;
use super::page::{Walk, position};
use super::prices;
use super::query::{ListingPage, ListingQuery, Position, Sort, SortKey, Total};
use super::tags::Tags;
use crate::catalog::{ChannelId, Slug};
use crate::ids::ProductId;

/// The products that some channel sells now.
#[derive(Debug, Clone, Default)]
pub struct ListingIndex {
    columns: Columns,
    tags: Tags,
    in_stock: RoaringBitmap,
    /// Rows that hold nothing, to be used again.
    free: Vec<u32>,
    orders: Orders,
}

#[derive(Debug, Clone, Default)]
struct Orders {
    id: Order,
    featured: Order,
    newest: Order,
    rating: Order,
    title: Order,
    /// By slot.
    prices: Vec<Order>,
}

impl Orders {
    fn get(&self, by: OrderBy) -> &Order {
        match by {
            OrderBy::Id => &self.id,
            OrderBy::Featured => &self.featured,
            OrderBy::Newest => &self.newest,
            OrderBy::Rating => &self.rating,
            OrderBy::Title => &self.title,
            OrderBy::Price(slot) => &self.prices[slot],
        }
    }

    fn get_mut(&mut self, by: OrderBy) -> &mut Order {
        match by {
            OrderBy::Id => &mut self.id,
            OrderBy::Featured => &mut self.featured,
            OrderBy::Newest => &mut self.newest,
            OrderBy::Rating => &mut self.rating,
            OrderBy::Title => &mut self.title,
            OrderBy::Price(slot) => &mut self.prices[slot],
        }
    }
}

/// All orders for so many slots.
fn all_orders(slots: usize) -> impl Iterator<Item = OrderBy> {
    use OrderBy::{Featured, Id, Newest, Rating, Title};
    [Id, Featured, Newest, Rating, Title].into_iter().chain((0..slots).map(OrderBy::Price))
}

/// Makes an index of many products at once, several times as fast as one by one.
#[derive(Debug, Default)]
pub struct ListingBuilder {
    index: ListingIndex,
}

impl ListingBuilder {
    pub fn new() -> ListingBuilder {
        ListingBuilder::default()
    }

    /// Adds a product; of two with the same id the later one counts.
    pub fn add(&mut self, entry: ListingEntry) {
        if !entry.channels.is_empty() {
            let values = self.index.columns.values(&entry);
            let row = self.index.columns.push(values);
            self.index.tag(row, &entry);
        }
    }

    pub fn finish(mut self) -> ListingIndex {
        let index = &mut self.index;
        let columns = &index.columns;
        let mut rows: Vec<u32> = (0..columns.len() as u32).collect();
        rows.sort_unstable_by_key(|row| (columns.id(*row), *row));
        let repeats = rows.windows(2).filter(|two| columns.id(two[0]) == columns.id(two[1]));
        let repeats: RoaringBitmap = repeats.map(|two| two[0]).collect();
        repeats.iter().for_each(|row| index.give_up(row));
        rows.retain(|row| !repeats.contains(*row));
        index.add_price_orders();
        for by in all_orders(index.columns.slots.len()) {
            let columns = &index.columns;
            let keyed = rows.iter().filter_map(|row| Some((columns.key(by, *row)?, *row)));
            let mut keyed: Vec<(Key<'_>, u32)> = keyed.collect();
            // The rows come in the order of their ids, and the sort keeps it among equals.
            keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
            let rows: Vec<u32> = keyed.into_iter().map(|(_, row)| row).collect();
            *index.orders.get_mut(by) = Order::from_sorted(&rows);
        }
        self.index
    }
}

impl ListingIndex {
    pub fn new() -> ListingIndex {
        ListingIndex::default()
    }

    /// How many products are listed.
    pub fn len(&self) -> usize {
        self.columns.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a product in as it is now, in place of how it was. One that no channel sells is
    /// taken out.
    pub fn upsert(&mut self, entry: ListingEntry) {
        if entry.channels.is_empty() {
            self.remove(entry.id);
            return;
        }
        let values = self.columns.values(&entry);
        self.add_price_orders();
        let row = match self.find(entry.id) {
            Some(row) => {
                self.move_row(row, values);
                row
            }
            None => self.add_row(values),
        };
        self.tag(row, &entry);
    }

    /// Takes a product out; nothing happens where it is not in.
    pub fn remove(&mut self, id: ProductId) {
        let Some(row) = self.find(id) else { return };
        for by in all_orders(self.columns.slots.len()) {
            self.take_out(by, row);
        }
        self.give_up(row);
    }

    /// How many products of any of the collections a channel sells.
    pub fn count(&self, channel: &ChannelId, collections: &[Slug]) -> u64 {
        let sold = self.tags.channel(channel);
        sold.map_or(0, |sold| self.any_collection(collections).intersection_len(sold))
    }

    /// Answers a page. A position of another sort leads nowhere: the page is empty.
    pub fn query(&self, query: &ListingQuery) -> ListingPage {
        let base = self.base(query);
        let chosen = self.chosen(query);
        let matches = chosen.iter().fold(base.clone(), |rows, facet| rows & &facet.rows);
        let (rows, next) = self.page(query, &matches);
        let is_first = query.after.is_none();
        ListingPage {
            ids: rows.iter().map(|row| self.columns.id(*row)).collect(),
            next,
            total: is_first.then(|| Total::of(matches.len())),
            facets: is_first.then(|| facets::count(&self.tags, &base, &chosen, &matches)),
        }
    }

    /// What matches all filters but those of facets.
    fn base(&self, query: &ListingQuery) -> RoaringBitmap {
        let Some(sold) = self.tags.channel(&query.channel) else {
            return RoaringBitmap::new();
        };
        let mut rows = match &query.collections {
            None => sold.clone(),
            Some(collections) => self.any_collection(collections) & sold,
        };
        if query.in_stock {
            rows &= &self.in_stock;
        }
        if query.has_price_filter() {
            let range = (query.price_min.unwrap_or(0), query.price_max.unwrap_or(i64::MAX));
            let slot = self.columns.slot(&query.channel, query.currency);
            rows = slot.map_or_else(RoaringBitmap::new, |slot| {
                let slot_prices = &self.columns.slots[slot];
                prices::between(slot_prices, &self.orders.prices[slot], range, &rows)
            });
        }
        rows
    }

    fn any_collection(&self, collections: &[Slug]) -> RoaringBitmap {
        collections
            .iter()
            .filter_map(|slug| self.tags.collection(slug))
            .fold(RoaringBitmap::new(), |rows, one| rows | one)
    }

    fn chosen<'a>(&self, query: &'a ListingQuery) -> Vec<Chosen<'a>> {
        let chosen = query.facets.iter().map(|(code, values)| {
            let bitmaps = values.iter().filter_map(|value| self.tags.facet(code, value));
            let rows = bitmaps.fold(RoaringBitmap::new(), |rows, one| rows | one);
            Chosen { code, values, rows }
        });
        chosen.collect()
    }

    /// The rows of the page, and where the next one starts.
    fn page(&self, query: &ListingQuery, matches: &RoaringBitmap) -> (Vec<u32>, Option<Position>) {
        let limit = query.limit.max(1);
        let after = query.after.as_ref();
        if after.is_some_and(|position| position.sort != query.sort) {
            return (Vec::new(), None);
        }
        let by = self.order_of(query);
        // One more than asked for tells whether there is a next page.
        let mut rows = match query.sort {
            Sort::Price | Sort::PriceDesc => self.by_price(query, by, matches, limit + 1),
            _ => self.walk(by, false).take(matches, after, limit + 1),
        };
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| has_more);
        let next = last.map(|row| match by {
            OrderBy::Id => {
                Position { sort: query.sort, key: SortKey::Unpriced, id: self.columns.id(*row) }
            }
            _ => position(&self.columns, by, query.sort, *row),
        });
        (rows, next)
    }

    /// What has a price, then what has none, by id.
    fn by_price(
        &self,
        query: &ListingQuery,
        by: OrderBy,
        matches: &RoaringBitmap,
        wanted: usize,
    ) -> Vec<u32> {
        let after = query.after.as_ref();
        let unpriced_after = after.filter(|position| position.key == SortKey::Unpriced);
        let OrderBy::Price(slot) = by else {
            return self.walk(OrderBy::Id, false).take(matches, unpriced_after, wanted);
        };
        let priced = &self.columns.slots[slot].priced;
        let mut rows = Vec::new();
        if unpriced_after.is_none() {
            let backwards = query.sort == Sort::PriceDesc;
            // Where prices are bounded the walk starts at the bound.
            let bound = prices::before_first(query);
            let start = after.or(bound.as_ref());
            rows = self.walk(by, backwards).take(&(matches & priced), start, wanted);
        }
        if rows.len() < wanted {
            let rest = wanted - rows.len();
            let unpriced = matches - priced;
            rows.extend(self.walk(OrderBy::Id, false).take(&unpriced, unpriced_after, rest));
        }
        rows
    }

    fn walk(&self, by: OrderBy, backwards: bool) -> Walk<'_> {
        Walk { columns: &self.columns, order: self.orders.get(by), by, backwards }
    }

    /// The order that a sort walks along. Where nothing has a price in the currency, sorting by
    /// price is sorting by id.
    fn order_of(&self, query: &ListingQuery) -> OrderBy {
        match query.sort {
            Sort::Featured => OrderBy::Featured,
            Sort::Newest => OrderBy::Newest,
            Sort::Rating => OrderBy::Rating,
            Sort::Title => OrderBy::Title,
            Sort::Price | Sort::PriceDesc => self
                .columns
                .slot(&query.channel, query.currency)
                .map_or(OrderBy::Id, OrderBy::Price),
        }
    }

    fn find(&self, id: ProductId) -> Option<u32> {
        self.orders.id.find(|row| self.columns.id(row).cmp(&id))
    }

    fn add_price_orders(&mut self) {
        self.orders.prices.resize_with(self.columns.slots.len(), Order::default);
    }

    fn add_row(&mut self, values: Values) -> u32 {
        let row = match self.free.pop() {
            Some(row) => {
                self.columns.set(row, values);
                row
            }
            None => self.columns.push(values),
        };
        for by in all_orders(self.columns.slots.len()) {
            self.put_in(by, row);
        }
        row
    }

    /// Changes a row's values, and its places in the orders that they change.
    fn move_row(&mut self, row: u32, values: Values) {
        let is_changed = |by: &OrderBy| self.columns.key(*by, row) != values.key(*by);
        let changed: Vec<OrderBy> =
            all_orders(self.columns.slots.len()).filter(is_changed).collect();
        changed.iter().for_each(|by| self.take_out(*by, row));
        self.columns.set(row, values);
        changed.iter().for_each(|by| self.put_in(*by, row));
    }

    fn put_in(&mut self, by: OrderBy, row: u32) {
        let columns = &self.columns;
        if columns.key(by, row).is_some() {
            self.orders.get_mut(by).insert(row, |other| columns.compare(by, other, row));
        }
    }

    fn take_out(&mut self, by: OrderBy, row: u32) {
        let columns = &self.columns;
        if columns.key(by, row).is_some() {
            self.orders.get_mut(by).remove(row, |other| columns.compare(by, other, row));
        }
    }

    fn tag(&mut self, row: u32, entry: &ListingEntry) {
        self.tags.set(row, entry);
        if entry.in_stock {
            self.in_stock.insert(row);
        } else {
            self.in_stock.remove(row);
        }
    }

    /// Frees a row that is in no order any more.
    fn give_up(&mut self, row: u32) {
        self.tags.clear(row);
        self.in_stock.remove(row);
        self.columns.clear(row);
        self.free.push(row);
    }
}
