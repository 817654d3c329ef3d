//! A batch of products: found, decided one after the other, then written together.

use std::collections::BTreeMap;

use barrow_engine::catalog::{Media, Product, Sku, Slug};
use barrow_engine::ports::{MediaError, ProductStoreError};
use futures::stream::{self, StreamExt, TryStreamExt};

use super::media::{MediaWork, Resolved};
use super::stock::{Count, OnHand, refused as refused_count};
use super::view::{Found, View};
use super::{ImportError, Importer, Origin, Outcome};
use crate::plan::{self, Context, Planned};
use crate::record::{Field, Problem, ProductRecord, SlugSource};
use crate::slug;

/// How many lookups are under way at once: a remote store is asked in parallel.
const LOOKUPS: usize = 32;
/// How many products' pictures are taken in at once.
const MEDIA_WORKERS: usize = 8;
/// The most products of one title that are told apart by number.
const SAME_SLUG_MAX: u32 = 100_000;
/// The most slugs whose next free number is remembered; a forgotten one is searched for again.
const HINTS_MAX: usize = 100_000;

/// A product that is decided and not yet written.
struct Pending {
    origin: Origin,
    product: Product,
    outcome: Outcome,
    /// `false`: it is as it is stored, and only its stock is set.
    changed: bool,
    stock: Vec<Count>,
}

impl Importer<'_> {
    pub(super) async fn write_products(
        &mut self,
        batch: Vec<(Origin, ProductRecord)>,
    ) -> Result<(), ImportError> {
        let found = self.find(&batch).await?;
        let on_hand = self.on_hand_of(&batch).await?;
        let media = self.take_media_in(&batch, &found).await?;
        let mut pending: Vec<Pending> = Vec::new();
        for (((origin, mut record), found), media) in batch.into_iter().zip(found).zip(media) {
            let existing = match found {
                Found::Nothing => None,
                Found::Product(product) => Some(*product),
                Found::DecidedBefore => {
                    self.count(Outcome::Updated);
                    continue;
                }
            };
            let media = match media {
                Ok(media) => media,
                Err(problem) => {
                    self.fail(&origin, vec![problem]);
                    continue;
                }
            };
            let media = self.name_media(&origin, &mut record, media);
            match self.decide(&record, existing, media, &on_hand).await? {
                Ok((planned, stock)) => {
                    self.view.decide(planned.product());
                    let outcome = match (&planned, stock.is_empty()) {
                        (Planned::Created(_), _) => Outcome::Created,
                        (Planned::Unchanged(_), true) => Outcome::Unchanged,
                        _ => Outcome::Updated,
                    };
                    let changed = !matches!(planned, Planned::Unchanged(_));
                    let product = planned.into_product();
                    if outcome == Outcome::Unchanged {
                        self.count(outcome);
                    } else {
                        pending.push(Pending { origin, product, outcome, changed, stock });
                    }
                }
                Err(problems) => self.fail(&origin, problems),
            }
        }
        self.write(pending).await?;
        self.view.written();
        Ok(())
    }

    /// The products that the records are about, in their order.
    async fn find(
        &self,
        batch: &[(Origin, ProductRecord)],
    ) -> Result<Vec<Found>, ProductStoreError> {
        let view = &self.view;
        stream::iter(batch.iter().map(|(_, record)| find_one(view, record)))
            .buffered(LOOKUPS)
            .try_collect()
            .await
    }

    /// What lies where of the SKUs whose stock the batch speaks of.
    async fn on_hand_of(&self, batch: &[(Origin, ProductRecord)]) -> Result<OnHand, ImportError> {
        let variants = batch.iter().flat_map(|(_, record)| &record.variants);
        let skus: Vec<Sku> = variants
            .filter(|variant| variant.on_hand.is_some())
            .map(|variant| variant.sku.clone())
            .collect();
        if skus.is_empty() {
            return Ok(OnHand::default());
        }
        Ok(OnHand::read(&*self.stores.stock, &skus).await?)
    }

    async fn take_media_in(
        &self,
        batch: &[(Origin, ProductRecord)],
        found: &[Found],
    ) -> Result<Vec<Result<Option<Vec<Resolved>>, Problem>>, MediaError> {
        let work = self.media_work();
        let each = batch.iter().zip(found).map(|((_, record), found)| {
            let known = match found {
                Found::Product(product) => product.media.as_slice(),
                Found::Nothing | Found::DecidedBefore => &[],
            };
            resolve_all(&work, record, known)
        });
        stream::iter(each).buffered(MEDIA_WORKERS).try_collect().await
    }

    /// Tells what was not fetched, and gives the variants' media the keys they are kept under.
    fn name_media(
        &mut self,
        origin: &Origin,
        record: &mut ProductRecord,
        resolved: Option<Vec<Resolved>>,
    ) -> Option<Vec<Media>> {
        let resolved = resolved?;
        for resolved in &resolved {
            if let Some(warning) = &resolved.warning {
                self.watcher.warned(&origin.position.error(None, "not_fetched", warning.clone()));
            }
        }
        let keys: BTreeMap<&str, &str> =
            resolved.iter().map(|it| (it.said.as_str(), it.media.key.as_str())).collect();
        for variant in &mut record.variants {
            if let Field::Set(media) = &mut variant.media {
                for key in media.iter_mut() {
                    if let Some(kept) = keys.get(key.as_str()) {
                        *key = (*kept).to_owned();
                    }
                }
            }
        }
        let mut media: Vec<Media> = Vec::new();
        for resolved in resolved {
            // The same picture twice is one.
            if media.iter().all(|known| known.key != resolved.media.key) {
                media.push(resolved.media);
            }
        }
        Some(media)
    }

    async fn decide(
        &mut self,
        record: &ProductRecord,
        existing: Option<Product>,
        media: Option<Vec<Media>>,
        on_hand: &OnHand,
    ) -> Result<Result<(Planned, Vec<Count>), Vec<Problem>>, ProductStoreError> {
        let slug = match &record.slug {
            SlugSource::Given(slug) => slug.clone(),
            SlugSource::Made(base) => self.free_slug(base, existing.as_ref()).await?,
        };
        let old_skus: Vec<Sku> = existing
            .iter()
            .flat_map(|product| product.variants.iter().map(|variant| variant.sku.clone()))
            .collect();
        let known = existing.is_some();
        let context = Context { existing, slug, media, now: self.options.now };
        let planned = match plan::plan(record, context) {
            Ok(planned) => planned,
            Err(problems) => return Ok(Err(problems)),
        };
        let mut problems = self.conflicts(planned.product(), &old_skus, known).await?;
        for named in record.collections.as_set().into_iter().flatten() {
            if problems.is_empty() {
                problems.extend(self.collections.imply(named).err());
            }
        }
        if !problems.is_empty() {
            return Ok(Err(problems));
        }
        let mut stock = Vec::new();
        for (index, variant) in record.variants.iter().enumerate() {
            let Some(said) = variant.on_hand else { continue };
            let count = on_hand.of_variant(&variant.sku, said, self.options.set_stock);
            let pointer = format!("/variants/{index}/on_hand");
            stock.extend(count.map(|count| Count { pointer, ..count }));
        }
        Ok(Ok((planned, stock)))
    }

    /// The slug of a product whose file names none: the one it has, or the first free.
    async fn free_slug(
        &mut self,
        base: &Slug,
        existing: Option<&Product>,
    ) -> Result<Slug, ProductStoreError> {
        // An address that people have does not change because a title does.
        if let Some(product) = existing {
            return Ok(product.slug.clone());
        }
        let first = self.slug_hints.get(base).copied().unwrap_or(1);
        for number in first..SAME_SLUG_MAX {
            let slug = if number == 1 { base.clone() } else { slug::numbered(base, number) };
            let owner = self.view.by_slug(&slug).await?;
            if owner.is_none() {
                if self.slug_hints.len() >= HINTS_MAX {
                    self.slug_hints.clear();
                }
                self.slug_hints.insert(base.clone(), number);
                return Ok(slug);
            }
        }
        // All numbers are taken: the conflict is told when the slug is checked.
        Ok(base.clone())
    }

    /// Names that belong to another product.
    async fn conflicts(
        &self,
        product: &Product,
        old_skus: &[Sku],
        known: bool,
    ) -> Result<Vec<Problem>, ProductStoreError> {
        let mut problems = Vec::new();
        for slug in std::iter::once(&product.slug).chain(&product.former_slugs) {
            if let Some(owner) = self.view.by_slug(slug).await?.filter(|id| *id != product.id) {
                let detail = format!("the slug '{slug}' belongs to {owner}");
                problems.push(Problem::new("/slug", "slug_taken", detail));
            }
        }
        for (index, variant) in product.variants.iter().enumerate() {
            if known && old_skus.contains(&variant.sku) {
                continue;
            }
            let owner = self.view.by_sku(&variant.sku).await?;
            if let Some(owner) = owner.filter(|id| *id != product.id) {
                let detail = format!("the SKU '{}' belongs to {owner}", variant.sku);
                let pointer = format!("/variants/{index}/sku");
                problems.push(Problem::new(pointer, "sku_taken", detail));
            }
        }
        Ok(problems)
    }

    async fn write(&mut self, pending: Vec<Pending>) -> Result<(), ImportError> {
        self.write_collections().await?;
        if self.options.dry_run {
            pending.iter().for_each(|pending| self.count(pending.outcome));
            return Ok(());
        }
        let mut refused = vec![None; pending.len()];
        let changed = pending.iter().enumerate().filter(|(_, pending)| pending.changed);
        let (indices, products): (Vec<usize>, Vec<Product>) =
            changed.map(|(index, pending)| (index, pending.product.clone())).unzip();
        if !products.is_empty() {
            let results = self.stores.products.put(products).await?;
            for (index, result) in indices.into_iter().zip(results) {
                refused[index] = result.err();
            }
        }
        let (mut written, mut stock) = (Vec::new(), Vec::new());
        for (pending, refused) in pending.into_iter().zip(refused) {
            match refused {
                None => {
                    written.push((pending.origin, pending.outcome, pending.stock.len()));
                    stock.extend(pending.stock);
                }
                Some(error) if error.is_retryable() => return Err(error.into()),
                Some(error) => self.fail(&pending.origin, vec![store_problem(&error)]),
            }
        }
        // Stock comes last: where this is never reached, the SKUs were still never stocked, and
        // the next import sets them.
        let mut booked = stock.iter().zip(self.book(&stock).await?);
        for (origin, outcome, counts) in written {
            let problems: Vec<Problem> = booked
                .by_ref()
                .take(counts)
                .filter_map(|(count, refusal)| Some(refused_count(count, &refusal?)))
                .collect();
            match problems.is_empty() {
                true => self.count(outcome),
                false => self.fail(&origin, problems),
            }
        }
        Ok(())
    }
}

async fn find_one(view: &View, record: &ProductRecord) -> Result<Found, ProductStoreError> {
    let by_external_id = match &record.external_id {
        Some(id) => view.by_external_id(id).await?,
        None => None,
    };
    if let Some(id) = by_external_id {
        return view.get(id).await;
    }
    let SlugSource::Given(slug) = &record.slug else { return Ok(Found::Nothing) };
    let Some(id) = view.by_slug(slug).await? else { return Ok(Found::Nothing) };
    Ok(match view.get(id).await? {
        // A product that has another name elsewhere is another product: the slug is taken.
        Found::Product(product)
            if record.external_id.is_some() && product.external_id.is_some() =>
        {
            Found::Nothing
        }
        found => found,
    })
}

async fn resolve_all(
    work: &MediaWork,
    record: &ProductRecord,
    known: &[Media],
) -> Result<Result<Option<Vec<Resolved>>, Problem>, MediaError> {
    let Field::Set(media) = &record.media else { return Ok(Ok(None)) };
    let mut resolved = Vec::with_capacity(media.len());
    for (index, said) in media.iter().enumerate() {
        match work.resolve(said, known).await? {
            Ok(media) => resolved.push(media),
            Err(refused) => return Ok(Err(refused.under(&format!("/media/{index}/key")))),
        }
    }
    Ok(Ok(Some(resolved)))
}

fn store_problem(error: &ProductStoreError) -> Problem {
    let (pointer, code) = match error {
        ProductStoreError::SlugTaken { .. } => ("/slug", "slug_taken"),
        ProductStoreError::SkuTaken { .. } => ("/variants/0/sku", "sku_taken"),
        ProductStoreError::VersionMismatch { .. } => ("", "version_mismatch"),
        ProductStoreError::TooLarge { .. } => ("", "too_large"),
        ProductStoreError::Damaged(_) | ProductStoreError::Unavailable(_) => ("", "unavailable"),
    };
    Problem::new(pointer, code, error.to_string())
}
