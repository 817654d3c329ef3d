//! Stock that a file names: what lies where becomes what the file says, by a movement of the
//! difference. A movement whose outcome is unknown is sent again as it is and booked once; and an
//! import that was cut off finds, when it is repeated, that nothing differs any more.

use std::collections::{BTreeMap, HashMap, HashSet};

use barrow_engine::catalog::{Location, Sku};
use barrow_engine::ids::MovementId;
use barrow_engine::inventory::{Movement, MovementDraft, StockRefusal, default_location};
use barrow_engine::ports::{CommerceError, STOCK_BATCH_MAX, StockLedger, levels_of};

use super::{ImportError, Importer, Origin, Outcome};
use crate::record::{Problem, StockRecord};

/// How often movements of unknown outcome are sent again.
const REPEATS_MAX: u32 = 5;

/// Who and why, in the ledger.
const ACTOR: &str = "import";
const REASON: &str = "counted";

/// Units on hand by SKU and location.
#[derive(Default)]
pub(super) struct OnHand {
    by_sku: HashMap<Sku, BTreeMap<Location, u64>>,
}

/// What is to lie at a location.
pub(super) struct Count {
    pub sku: Sku,
    pub location: Location,
    /// What lies there now; `None` where nothing ever has.
    pub before: Option<u64>,
    pub said: u32,
    /// Where the file says it.
    pub pointer: String,
}

impl OnHand {
    pub async fn read(ledger: &dyn StockLedger, skus: &[Sku]) -> Result<OnHand, CommerceError> {
        let mut by_sku: HashMap<Sku, BTreeMap<Location, u64>> = HashMap::new();
        for level in levels_of(ledger, skus).await? {
            by_sku.entry(level.sku).or_default().insert(level.location, level.on_hand);
        }
        Ok(OnHand { by_sku })
    }

    fn at(&self, sku: &Sku, location: &Location) -> Option<u64> {
        self.by_sku.get(sku)?.get(location).copied()
    }

    /// What a variant is said to have, if that is to be set: where it was never stocked, so that
    /// importing again after sales brings no stock back, or where the caller wants stock set.
    pub fn of_variant(&self, sku: &Sku, said: u32, set_stock: bool) -> Option<Count> {
        let location = default_location();
        let before = self.at(sku, &location);
        let is_new = !self.by_sku.contains_key(sku);
        let is_other = before.unwrap_or(0) != u64::from(said);
        let is_to_set = is_new || set_stock && is_other;
        let count = || Count { sku: sku.clone(), location, before, said, pointer: String::new() };
        is_to_set.then(count)
    }

    /// The same of one location, whatever lies elsewhere.
    fn of_line(&self, record: &StockRecord, set_stock: bool) -> Option<Count> {
        let StockRecord { sku, location, on_hand: said } = record.clone();
        let before = self.at(&sku, &location);
        let is_to_set = before.is_none_or(|before| set_stock && before != u64::from(said));
        is_to_set.then(|| Count { sku, location, before, said, pointer: "/on_hand".to_owned() })
    }
}

/// Why a level could not be set.
pub(super) fn refused(count: &Count, refusal: &StockRefusal) -> Problem {
    let code = match refusal {
        StockRefusal::TooMany { .. } => "out_of_range",
        _ => "stock_below_zero",
    };
    Problem::new(count.pointer.clone(), code, refusal.to_string())
}

impl Importer<'_> {
    pub(super) async fn write_stock(
        &mut self,
        batch: Vec<(Origin, StockRecord)>,
    ) -> Result<(), ImportError> {
        let skus: Vec<Sku> = batch.iter().map(|(_, record)| record.sku.clone()).collect();
        let on_hand = OnHand::read(&*self.stores.stock, &skus).await?;
        let mut seen = HashSet::new();
        let (mut origins, mut counts) = (Vec::new(), Vec::new());
        for (origin, record) in batch {
            if self.view.by_sku(&record.sku).await?.is_none() {
                let detail = format!("no product has a variant of the SKU '{}'", record.sku);
                self.fail(&origin, vec![Problem::new("/sku", "unknown_sku", detail)]);
                continue;
            }
            // What came before in this very batch is not in the store yet.
            if !seen.insert((record.sku.clone(), record.location.clone())) {
                let detail = format!("the SKU '{}' came before", record.sku);
                self.fail(&origin, vec![Problem::new("/sku", "duplicate", detail)]);
                continue;
            }
            match on_hand.of_line(&record, self.options.set_stock) {
                None => self.count(Outcome::Unchanged),
                Some(count) => {
                    origins.push(origin);
                    counts.push(count);
                }
            }
        }
        let booked = self.book(&counts).await?;
        for ((origin, count), refusal) in origins.iter().zip(&counts).zip(booked) {
            match (refusal, count.before) {
                (Some(refusal), _) => self.fail(origin, vec![refused(count, &refusal)]),
                (None, None) => self.count(Outcome::Created),
                (None, Some(_)) => self.count(Outcome::Updated),
            }
        }
        Ok(())
    }

    /// Books what differs, unless the run is dry; what was refused of each.
    pub(super) async fn book(
        &mut self,
        counts: &[Count],
    ) -> Result<Vec<Option<StockRefusal>>, ImportError> {
        let mut refusals = Vec::with_capacity(counts.len());
        if self.options.dry_run {
            refusals.resize(counts.len(), None);
            return Ok(refusals);
        }
        for some in counts.chunks(STOCK_BATCH_MAX) {
            let drafts = some.iter().map(|count| self.draft(count)).collect();
            let booked = send(&*self.stores.stock, drafts).await?;
            refusals.extend(booked.into_iter().map(Result::err));
        }
        Ok(refusals)
    }

    /// Its id is one of this import's own: the same difference at another time is another
    /// movement.
    fn draft(&mut self, count: &Count) -> MovementDraft {
        self.booked += 1;
        let Count { sku, location, before, said, .. } = count;
        let (now, number) = (self.options.now, self.booked);
        let name = format!("import {} {number} {sku}/{location} {before:?} {said}", now.0);
        let before = i64::try_from(before.unwrap_or(0)).unwrap_or(i64::MAX);
        MovementDraft {
            id: MovementId::derived(&name),
            sku: sku.clone(),
            location: location.clone(),
            quantity: i64::from(*said) - before,
            reason: REASON.to_owned(),
            actor: ACTOR.to_owned(),
            order: None,
            at: now,
        }
    }
}

async fn send(
    ledger: &dyn StockLedger,
    drafts: Vec<MovementDraft>,
) -> Result<Vec<Result<Movement, StockRefusal>>, CommerceError> {
    for _ in 0..REPEATS_MAX {
        match ledger.book(drafts.clone()).await {
            Err(CommerceError::OutcomeUnknown(_)) => {}
            known => return known,
        }
    }
    ledger.book(drafts).await
}
