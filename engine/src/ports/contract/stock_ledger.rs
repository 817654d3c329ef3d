//! The promises of a stock ledger.

use super::{Names, concurrently};
use crate::catalog::{Location, Sku};
use crate::ids::{MovementId, OrderId};
use crate::inventory::{
    DEFAULT_LOCATION, Held, Kept, Level, Movement, MovementDraft, StockRefusal, UNITS_MAX, Wish,
};
use crate::ports::{StockLedger, units_of};
use crate::time::Timestamp;

/// When everything in here happens.
const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// When reservations run out that are not meant to.
const LATER: Timestamp = Timestamp(4_102_444_800_000);

/// Before anything that anybody else reserves runs out.
const LONG_AGO: i64 = -9_000_000_000_000;

struct Suite<'a> {
    ledger: &'a dyn StockLedger,
    names: Names,
}

pub async fn stock_ledger(ledger: &dyn StockLedger, seed: u64) {
    let suite = Suite { ledger, names: Names { seed } };
    suite.levels_follow_their_movements().await;
    suite.what_was_counted_is_known().await;
    suite.units_are_added_up_over_locations().await;
    suite.a_movement_is_booked_once().await;
    suite.each_of_a_batch_stands_alone().await;
    suite.movements_are_newest_first().await;
    suite.a_scan_visits_each_once().await;
    suite.units_are_reserved_all_or_nothing().await;
    suite.a_reservation_is_one_however_often_it_is_asked_for().await;
    suite.units_come_from_several_locations().await;
    suite.what_comes_later_can_be_promised().await;
    suite.reservations_are_let_go().await;
    suite.what_is_kept_lasts_longer().await;
    suite.reservations_run_out_the_oldest_first().await;
    suite.i7_a_race_oversells_nothing().await;
    suite.a_race_of_reserving_and_letting_go_leaves_nothing_held().await;
    suite.a_race_of_one_movement_books_it_once().await;
    suite.batches_of_any_order_end().await;
}

fn at(location: &str) -> Location {
    location.parse().expect("a location")
}

/// On hand, reserved, allocated.
fn figures(level: &Level) -> (u64, u64, u64) {
    (level.on_hand, level.reserved, level.allocated)
}

impl Suite<'_> {
    fn sku(&self, name: &str) -> Sku {
        Sku::new(&format!("{name} {}", self.names.text(0))).expect("a SKU")
    }

    fn order(&self, index: u64) -> OrderId {
        OrderId(self.names.number(index))
    }

    fn draft(&self, index: u64, sku: &Sku, location: &str, quantity: i64) -> MovementDraft {
        MovementDraft {
            id: MovementId(self.names.number(index)),
            sku: sku.clone(),
            location: at(location),
            quantity,
            reason: "gezählt, \"neu\"".into(),
            actor: "staff".into(),
            order: None,
            at: Timestamp(NOW.0 + index as i64),
        }
    }

    fn wish(&self, index: u64, quantity: u32) -> Wish {
        Wish { order: self.order(index), quantity, expires_at: LATER }
    }

    async fn book(&self, drafts: Vec<MovementDraft>) -> Vec<Result<Movement, StockRefusal>> {
        self.ledger.book(drafts).await.expect("movements are booked")
    }

    /// Books one that must be taken.
    async fn stock(&self, index: u64, sku: &Sku, location: &str, quantity: i64) -> Movement {
        let booked = self.book(vec![self.draft(index, sku, location, quantity)]).await.remove(0);
        booked.expect("units come and go where there is room")
    }

    async fn levels(&self, skus: &[Sku]) -> Vec<Level> {
        self.ledger.levels(skus).await.expect("levels are read")
    }

    /// On hand, reserved and allocated of a SKU at the default location.
    async fn level(&self, sku: &Sku) -> (u64, u64, u64) {
        let levels = self.levels(std::slice::from_ref(sku)).await;
        let level = levels.iter().find(|level| level.location.as_str() == DEFAULT_LOCATION);
        level.map(figures).expect("the SKU was stocked")
    }

    async fn reserve(&self, sku: &Sku, allowance: Option<u64>, wishes: &[Wish]) -> Vec<Held> {
        let held = self.ledger.reserve(sku, allowance, wishes).await;
        held.expect("units are reserved")
    }

    async fn release(&self, order: OrderId) -> Vec<Sku> {
        self.ledger.release(order).await.expect("a reservation is let go")
    }

    async fn movements(
        &self,
        sku: &Sku,
        after: Option<(Timestamp, MovementId)>,
        limit: usize,
    ) -> Vec<Movement> {
        self.ledger.movements(sku, after, limit).await.expect("movements are read")
    }

    async fn levels_follow_their_movements(&self) {
        let (chair, table) = (self.sku("chair"), self.sku("table"));
        assert_eq!(self.levels(&[]).await, [], "nothing asked, nothing answered");
        let asked = [table.clone(), chair.clone()];
        assert_eq!(self.levels(&asked).await, [], "what was never stocked has no level");
        let booked = self.stock(100, &chair, DEFAULT_LOCATION, 5).await;
        assert_eq!(booked.level, 5, "a movement tells the level after it");
        assert_eq!(self.stock(101, &chair, DEFAULT_LOCATION, -2).await.level, 3, "units go");
        self.stock(102, &table, "Łódź / 1", 4).await;
        self.stock(103, &table, "berlin", 6).await;
        let found = self.levels(&asked).await;
        let places: Vec<_> = found.iter().map(|it| (&it.sku, it.location.as_str())).collect();
        let expected = [(&table, "berlin"), (&table, "Łódź / 1"), (&chair, DEFAULT_LOCATION)];
        assert_eq!(places, expected, "levels come in the order asked, and then by location");
        assert_eq!(found[0].on_hand, 6, "each location has its own level");
        self.stock(104, &chair, DEFAULT_LOCATION, -3).await;
        assert_eq!(self.level(&chair).await, (0, 0, 0), "what is sold out was stocked");
    }

    async fn what_was_counted_is_known(&self) {
        let stool = self.sku("bar stool");
        for _ in 0..2 {
            let counted = self.stock(150, &stool, DEFAULT_LOCATION, 0).await;
            assert_eq!(counted.level, 0, "a count of nothing is answered, however often");
            assert_eq!(self.level(&stool).await, (0, 0, 0), "and its level is known");
        }
        assert_eq!(self.movements(&stool, None, 10).await, [], "it is no line of the ledger");
        self.stock(151, &stool, DEFAULT_LOCATION, 4).await;
        self.stock(150, &stool, DEFAULT_LOCATION, 0).await;
        assert_eq!(self.level(&stool).await, (4, 0, 0), "it changes no level");
    }

    async fn units_are_added_up_over_locations(&self) {
        let (rack, hook) = (self.sku("rack"), self.sku("coat hook"));
        self.stock(160, &rack, DEFAULT_LOCATION, 3).await;
        self.stock(161, &rack, "berlin", 4).await;
        assert_eq!(self.reserve(&rack, Some(2), &[self.wish(160, 8)]).await, [Held::All]);
        let asked = [hook.clone(), rack.clone(), hook, rack];
        let units = units_of(self.ledger, &asked).await;
        let promised = Some(-1);
        assert_eq!(units, Ok(vec![None, promised, None, promised]), "each as it was asked for");
        assert_eq!(units_of(self.ledger, &[]).await, Ok(vec![]), "nothing asked");
    }

    async fn a_movement_is_booked_once(&self) {
        let lamp = self.sku("lamp");
        let draft = self.draft(200, &lamp, DEFAULT_LOCATION, 5);
        let first = self.book(vec![draft.clone()]).await;
        self.stock(201, &lamp, DEFAULT_LOCATION, 2).await;
        let again = self.book(vec![draft.clone()]).await;
        assert_eq!(again, first, "a movement that is sent again is answered as it was then");
        assert_eq!(self.level(&lamp).await.0, 7, "and is booked once");
        let twin = self.draft(202, &lamp, DEFAULT_LOCATION, 1);
        let twins = self.book(vec![twin.clone(), twin.clone()]).await;
        assert_eq!(twins[0], twins[1], "also within one call");
        let moved = self.movements(&lamp, None, 10).await;
        assert_eq!(moved.len(), 3, "each movement is a line of the ledger");
        assert_eq!(moved[2].draft, draft, "a movement is kept as it was sent");
    }

    async fn each_of_a_batch_stands_alone(&self) {
        let (vase, rug) = (self.sku("vase"), self.sku("rug"));
        let full = UNITS_MAX as i64;
        let outcomes = self
            .book(vec![
                self.draft(300, &vase, DEFAULT_LOCATION, 3),
                self.draft(301, &vase, DEFAULT_LOCATION, -4),
                self.draft(302, &rug, DEFAULT_LOCATION, -1),
                self.draft(303, &vase, DEFAULT_LOCATION, full),
                self.draft(304, &vase, DEFAULT_LOCATION, -1),
            ])
            .await;
        let below = |sku: &Sku, available| {
            let (sku, location) = (sku.clone(), at(DEFAULT_LOCATION));
            Err(StockRefusal::BelowZero { sku, location, available })
        };
        assert_eq!(outcomes[0].as_ref().map(|it| it.level), Ok(3), "the first is booked");
        assert_eq!(outcomes[1], below(&vase, 3), "no more goes than lies there");
        assert_eq!(outcomes[2], below(&rug, 0), "nothing goes where nothing is");
        let too_many = StockRefusal::TooMany { sku: vase.clone(), location: at(DEFAULT_LOCATION) };
        assert_eq!(outcomes[3], Err(too_many), "a level has a bound");
        assert_eq!(outcomes[4].as_ref().map(|it| it.level), Ok(2), "the others are in force");
        assert_eq!(self.movements(&vase, None, 10).await.len(), 2, "a refusal leaves no line");
        assert_eq!(self.levels(&[rug]).await, [], "nor a level");
        let again = self.draft(301, &vase, DEFAULT_LOCATION, -2);
        let again = self.book(vec![again]).await;
        assert!(again[0].is_ok(), "the id of what was refused is free");
    }

    async fn movements_are_newest_first(&self) {
        let bed = self.sku("bed");
        for index in 400..407 {
            let mut draft = self.draft(index, &bed, DEFAULT_LOCATION, 1);
            // Two by two they happen at once.
            draft.at = Timestamp(NOW.0 + index as i64 / 2);
            self.book(vec![draft]).await.remove(0).expect("units come");
        }
        let all = self.movements(&bed, None, 100).await;
        assert_eq!(all.len(), 7, "each is there");
        let key = |it: &Movement| (it.draft.at, it.draft.id);
        assert!(all.windows(2).all(|two| key(&two[0]) > key(&two[1])), "the newest comes first");
        let mut paged = Vec::new();
        loop {
            let page = self.movements(&bed, paged.last().map(key), 3).await;
            assert!(page.len() <= 3, "a page has its limit");
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, all, "pages visit each once");
        let sum: i64 = all.iter().map(|it| it.draft.quantity).sum();
        assert_eq!(self.level(&bed).await.0 as i64, sum, "I7: movements sum to the level");
    }

    async fn a_scan_visits_each_once(&self) {
        let skus: Vec<Sku> = (0..5).map(|n| self.sku(&format!("scanned {n}"))).collect();
        for (index, sku) in (5_000..).zip(&skus) {
            self.stock(2 * index, sku, DEFAULT_LOCATION, 1).await;
            self.stock(2 * index + 1, sku, "shop", 1).await;
        }
        let mut seen: Vec<(Sku, Location)> = Vec::new();
        loop {
            let page = self.ledger.scan(seen.last().cloned(), 3).await.expect("levels are read");
            assert!(page.len() <= 3, "a page has its limit");
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|level| (level.sku, level.location)));
        }
        assert!(seen.is_sorted_by(|a, b| a < b), "a scan goes by SKU and location");
        let ours = seen.iter().filter(|(sku, _)| skus.contains(sku)).count();
        assert_eq!(ours, 10, "a scan visits each level once");
    }

    async fn units_are_reserved_all_or_nothing(&self) {
        let sofa = self.sku("sofa");
        let refused = self.reserve(&sofa, Some(0), &[self.wish(600, 1)]).await;
        assert_eq!(refused, [Held::Short { available: 0 }], "what never came cannot be held");
        assert_eq!(self.levels(std::slice::from_ref(&sofa)).await, [], "a refusal leaves no level");
        self.stock(600, &sofa, DEFAULT_LOCATION, 5).await;
        let wishes = [self.wish(601, 3), self.wish(602, 3), self.wish(603, 2)];
        let held = self.reserve(&sofa, Some(0), &wishes).await;
        let expected = [Held::All, Held::Short { available: 2 }, Held::All];
        assert_eq!(held, expected, "each wish is answered in turn, all of it or nothing");
        assert_eq!(self.level(&sofa).await, (5, 5, 0), "what is held is reserved");
        let gone = self.draft(604, &sofa, DEFAULT_LOCATION, -1);
        assert!(self.book(vec![gone]).await[0].is_err(), "what is promised does not go");
        assert_eq!(self.reserve(&sofa, Some(0), &[]).await, [], "no wish, no answer");
    }

    async fn a_reservation_is_one_however_often_it_is_asked_for(&self) {
        let stool = self.sku("milking stool");
        self.stock(700, &stool, DEFAULT_LOCATION, 5).await;
        for (quantity, expected, reserved) in [
            (3, Held::All, 3),
            (3, Held::All, 3),
            (5, Held::All, 5),
            (6, Held::Short { available: 5 }, 5),
            (1, Held::All, 1),
        ] {
            let held = self.reserve(&stool, Some(0), &[self.wish(701, quantity)]).await;
            assert_eq!(held, [expected], "{quantity} of 5, counting what the order holds");
            assert_eq!(self.level(&stool).await, (5, reserved, 0), "an order holds once");
        }
    }

    async fn units_come_from_several_locations(&self) {
        let desk = self.sku("desk");
        for (index, location, units) in
            [(800, "berlin", 2), (801, DEFAULT_LOCATION, 1), (802, "aachen", 4)]
        {
            self.stock(index, &desk, location, units).await;
        }
        let held = self.reserve(&desk, Some(0), &[self.wish(803, 6)]).await;
        assert_eq!(held, [Held::All], "all locations count");
        let reserved: Vec<u64> =
            self.levels(std::slice::from_ref(&desk)).await.iter().map(|it| it.reserved).collect();
        assert_eq!(reserved, [4, 1, 1], "the default location comes first, then by name");
        let freed = self.release(self.order(803)).await;
        assert_eq!(freed, std::slice::from_ref(&desk), "a SKU is told once");
        let levels = self.levels(&[desk]).await;
        assert!(levels.iter().all(|it| it.reserved == 0), "all of it is let go");
    }

    async fn what_comes_later_can_be_promised(&self) {
        let bench = self.sku("bench");
        let held = self.reserve(&bench, Some(2), &[self.wish(900, 2), self.wish(901, 1)]).await;
        let expected = [Held::All, Held::Short { available: 0 }];
        assert_eq!(held, expected, "so many are sold before they come");
        assert_eq!(self.level(&bench).await, (0, 2, 0), "they will come to the default location");
        let held = self.reserve(&bench, None, &[self.wish(902, 100_000)]).await;
        assert_eq!(held, [Held::All], "without end");
        let held = self.reserve(&bench, Some(0), &[self.wish(903, 1)]).await;
        assert_eq!(held, [Held::Short { available: 0 }], "a stricter policy takes nothing back");
        self.release(self.order(902)).await;
        let levels = self.levels(&[bench]).await;
        assert!(levels.iter().all(Level::is_sound), "I7: no more is promised than may be");
    }

    async fn reservations_are_let_go(&self) {
        let (pot, pan) = (self.sku("pot"), self.sku("pan"));
        for (index, sku) in [(1000, &pot), (1001, &pan)] {
            self.stock(index, sku, DEFAULT_LOCATION, 2).await;
            let wishes = [self.wish(1002, 1), self.wish(1003, 1)];
            assert_eq!(self.reserve(sku, Some(0), &wishes).await, [Held::All, Held::All]);
        }
        let mut freed = self.release(self.order(1002)).await;
        freed.sort();
        assert_eq!(freed, [pan.clone(), pot.clone()], "an order lets go all that it holds");
        assert_eq!(self.level(&pot).await, (2, 1, 0), "and nothing of another's");
        assert_eq!(self.release(self.order(1002)).await, [], "there is nothing left to let go");
        assert_eq!(self.level(&pan).await, (2, 1, 0), "and nothing is let go twice");
        assert_eq!(self.release(self.order(1004)).await, [], "who held nothing lets nothing go");
    }

    async fn what_is_kept_lasts_longer(&self) {
        let (fork, knife) = (self.sku("fork"), self.sku("knife"));
        let soon = Timestamp(LONG_AGO + 5);
        for (index, sku) in [(1050, &fork), (1051, &knife)] {
            self.stock(index, sku, DEFAULT_LOCATION, 3).await;
            let wishes = [self.wish(1052, 2), self.wish(1053, 1)];
            let wishes = wishes.map(|wish| Wish { expires_at: soon, ..wish });
            assert_eq!(self.reserve(sku, Some(0), &wishes).await, [Held::All, Held::All]);
        }
        let keep = async |index, keep: &[(&Sku, u64)]| {
            let keep = keep.iter().map(|(sku, units)| ((*sku).clone(), *units)).collect();
            let kept = self.ledger.keep(self.order(index), &keep, LATER).await;
            kept.expect("reservations are kept")
        };
        for freed in [vec![fork.clone(), knife.clone()], vec![]] {
            let kept = keep(1052, &[(&fork, 1)]).await;
            assert_eq!(kept.held, [(fork.clone(), 1)].into(), "no more than is to be kept");
            assert!(kept.freed.into_iter().eq(freed), "the rest is let go, once");
        }
        assert_eq!((self.level(&fork).await, self.level(&knife).await), ((3, 2, 0), (3, 1, 0)));
        assert_eq!(keep(1054, &[(&fork, 9)]).await, Kept::default(), "nothing is made of nothing");
        let freed = self.ledger.expire(soon, 10).await.expect("reservations run out");
        assert!(freed.contains(&fork) && freed.contains(&knife), "what is another's runs out");
        assert_eq!((self.level(&fork).await, self.level(&knife).await), ((3, 1, 0), (3, 0, 0)));
        assert_eq!(keep(1053, &[(&fork, 1)]).await, Kept::default(), "and is not kept after that");
        self.release(self.order(1052)).await;
    }

    async fn reservations_run_out_the_oldest_first(&self) {
        let skus: Vec<Sku> = (0..4).map(|n| self.sku(&format!("old {n}"))).collect();
        let times = [20, 10, 30, 40].map(|time| Timestamp(LONG_AGO + time));
        for (index, (sku, expires_at)) in (1100..).zip(skus.iter().zip(times)) {
            self.stock(index, sku, DEFAULT_LOCATION, 1).await;
            let wish = Wish { expires_at, ..self.wish(index, 1) };
            assert_eq!(self.reserve(sku, Some(0), &[wish]).await, [Held::All]);
        }
        let expire = async |time: i64, limit| {
            let freed = self.ledger.expire(Timestamp(LONG_AGO + time), limit).await;
            freed.expect("reservations run out")
        };
        assert_eq!(expire(9, 10).await, [], "none has run out yet");
        assert_eq!(expire(30, 1).await, [skus[1].clone()], "the oldest goes first");
        assert_eq!(expire(10, 10).await, [], "and once");
        let mut freed = expire(30, 10).await;
        freed.sort();
        assert_eq!(freed, [skus[0].clone(), skus[2].clone()], "until the very millisecond");
        assert_eq!(expire(30, 10).await, [], "then there are none");
        assert_eq!(self.level(&skus[2]).await, (1, 0, 0), "what ran out can be had again");
        assert_eq!(self.level(&skus[3]).await, (1, 1, 0), "what did not is held");
        // Held anew it lasts longer.
        assert_eq!(self.reserve(&skus[3], Some(0), &[self.wish(1103, 1)]).await, [Held::All]);
        assert_eq!(expire(40, 10).await, [], "a reservation lasts as long as was asked last");
    }

    async fn i7_a_race_oversells_nothing(&self) {
        let rare = self.sku("rare");
        self.stock(1200, &rare, DEFAULT_LOCATION, 10).await;
        let tries = (0..40).map(|n| {
            let (rare, wish) = (rare.clone(), self.wish(1201 + n, 1));
            async move { self.reserve(&rare, Some(0), &[wish]).await[0] }
        });
        let held = concurrently(tries.collect()).await;
        let won = held.iter().filter(|it| **it == Held::All).count();
        assert_eq!(won, 10, "of 40 that want one of 10 units, 10 get one");
        assert_eq!(self.level(&rare).await, (10, 10, 0), "and no more is promised");
        let moved = (0..20).map(|n| {
            let draft =
                self.draft(1300 + n, &rare, DEFAULT_LOCATION, if n % 2 == 0 { 1 } else { -1 });
            async move { self.book(vec![draft]).await.remove(0).is_ok() }
        });
        concurrently(moved.collect()).await;
        let level = self.level(&rare).await;
        assert!(level.0 >= level.1, "what is promised is never moved away: {level:?}");
        let sum: i64 =
            self.movements(&rare, None, 100).await.iter().map(|it| it.draft.quantity).sum();
        assert_eq!(level.0 as i64, sum, "I7: movements sum to the level");
    }

    async fn a_race_of_reserving_and_letting_go_leaves_nothing_held(&self) {
        let (tea, cup) = (self.sku("tea"), self.sku("cup"));
        for (index, sku) in [(1400, &tea), (1401, &cup)] {
            self.stock(index, sku, DEFAULT_LOCATION, 3).await;
        }
        let shoppers = (0..16).map(|n| {
            let (tea, cup) = (tea.clone(), cup.clone());
            async move {
                let (first, second) = if n % 2 == 0 { (&tea, &cup) } else { (&cup, &tea) };
                for sku in [first, second, first] {
                    self.reserve(sku, Some(0), &[self.wish(1410 + n, 1 + n as u32 % 2)]).await;
                }
                self.release(self.order(1410 + n)).await;
            }
        });
        concurrently(shoppers.collect()).await;
        let found: Vec<_> = self.levels(&[tea, cup]).await.iter().map(figures).collect();
        assert_eq!(found, [(3, 0, 0), (3, 0, 0)], "who has let go holds nothing");
    }

    async fn a_race_of_one_movement_books_it_once(&self) {
        let coin = self.sku("coin");
        let draft = self.draft(1500, &coin, DEFAULT_LOCATION, 1);
        let tries = (0..12).map(|_| {
            let draft = draft.clone();
            async move { self.book(vec![draft]).await.remove(0) }
        });
        let booked = concurrently(tries.collect()).await;
        assert!(booked.iter().all(|it| it.as_ref().is_ok_and(|it| it.level == 1)), "{booked:?}");
        assert_eq!(self.level(&coin).await, (1, 0, 0), "a movement is booked once");
    }

    /// Rows are locked in one order, whatever the order of the movements.
    async fn batches_of_any_order_end(&self) {
        const SKUS: u64 = 6;
        let skus: Vec<Sku> = (0..SKUS).map(|n| self.sku(&format!("batch {n}"))).collect();
        let batches = (0..12).map(|batch| {
            let drafts = (0..SKUS).map(|n| {
                let sku = &skus[((n * (1 + 4 * (batch % 2)) + batch) % SKUS) as usize];
                self.draft(1600 + batch * SKUS + n, sku, DEFAULT_LOCATION, 1)
            });
            let drafts = drafts.collect();
            async move { self.book(drafts).await.iter().all(Result::is_ok) }
        });
        let booked = concurrently(batches.collect()).await;
        assert!(booked.iter().all(|it| *it), "batches that meet are booked one after the other");
        let found: Vec<u64> = self.levels(&skus).await.iter().map(|it| it.on_hand).collect();
        assert_eq!(found, [12; SKUS as usize], "none of them is lost");
    }
}
