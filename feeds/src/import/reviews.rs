//! Reviews, and what they come to: a product's rating is counted anew whenever they change.

use std::collections::BTreeMap;

use barrow_engine::catalog::{RatingSummary, Review, ReviewStatus};
use barrow_engine::ids::{ProductId, ReviewId};
use barrow_engine::ports::ProductStore;

use super::view::Found;
use super::{ImportError, Importer, Origin, Outcome};
use crate::derive;
use crate::record::{Problem, ProductKey, ReviewRecord};

/// How many stored reviews are read at once.
const PAGE: usize = 500;

/// The longest body of a review, in characters.
const BODY_CHARS_MAX: usize = 10_000;

/// What is known of one product's reviews: kept from batch to batch, since files have the
/// reviews of a product together.
#[derive(Default)]
pub struct ReviewIndex {
    product: Option<ProductId>,
    /// A hash of each review's content, and its stars.
    known: BTreeMap<ReviewId, (u64, u8)>,
}

impl ReviewIndex {
    async fn load(
        &mut self,
        store: &dyn ProductStore,
        product: ProductId,
    ) -> Result<(), ImportError> {
        if self.product == Some(product) {
            return Ok(());
        }
        self.product = None;
        self.known.clear();
        let mut after = None;
        loop {
            let page = store.reviews(product, after, PAGE).await?;
            for review in &page {
                self.known.insert(review.id, (fingerprint(review), review.rating));
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some((last.created_at, last.id)),
                _ => break,
            }
        }
        self.product = Some(product);
        Ok(())
    }

    fn take(&mut self, review: &Review) -> Outcome {
        let print = fingerprint(review);
        match self.known.insert(review.id, (print, review.rating)) {
            None => Outcome::Created,
            Some((known, _)) if known == print => Outcome::Unchanged,
            Some(_) => Outcome::Updated,
        }
    }

    fn summary(&self) -> Option<RatingSummary> {
        let mut histogram = [0; 5];
        for (_, stars) in self.known.values() {
            if let Some(count) = histogram.get_mut(usize::from(*stars).wrapping_sub(1)) {
                *count += 1;
            }
        }
        (!self.known.is_empty()).then_some(RatingSummary { histogram })
    }
}

fn fingerprint(review: &Review) -> u64 {
    let Review { rating, title, body, author, verified, .. } = review;
    let text = format!("{rating}\u{1f}{verified}\u{1f}{title:?}\u{1f}{author:?}\u{1f}{body}");
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

impl Importer<'_> {
    pub(super) async fn write_reviews(
        &mut self,
        batch: Vec<(Origin, ReviewRecord)>,
    ) -> Result<(), ImportError> {
        let mut by_product: BTreeMap<ProductId, Vec<Review>> = BTreeMap::new();
        for (origin, record) in batch {
            match self.product_of(&record.product).await? {
                None => {
                    let detail = "there is no such product";
                    self.fail(&origin, vec![Problem::new("/product", "unknown_product", detail)]);
                }
                Some(product) => match review(record, product) {
                    Ok(review) => by_product.entry(product).or_default().push(review),
                    Err(problems) => self.fail(&origin, problems),
                },
            }
        }
        for (product, reviews) in by_product {
            self.reviews.load(self.stores.products.as_ref(), product).await?;
            let mut changed = Vec::new();
            for review in reviews {
                let outcome = self.reviews.take(&review);
                self.count(outcome);
                if outcome != Outcome::Unchanged {
                    changed.push(review);
                }
            }
            if self.options.dry_run {
                continue;
            }
            if !changed.is_empty() {
                self.stores.products.put_reviews(changed).await?;
            }
            self.rate(product).await?;
        }
        Ok(())
    }

    async fn product_of(&self, key: &ProductKey) -> Result<Option<ProductId>, ImportError> {
        Ok(match key {
            ProductKey::Slug(slug) => self.view.by_slug(slug).await?,
            ProductKey::ExternalId(id) => self.view.by_external_id(id).await?,
        })
    }

    /// Writes what the reviews come to, if the product does not say so. Where this is not
    /// reached, the next import of any of its reviews does it.
    async fn rate(&mut self, product: ProductId) -> Result<(), ImportError> {
        let Found::Product(mut product) = self.view.get(product).await? else { return Ok(()) };
        let rating = self.reviews.summary();
        if product.rating == rating {
            return Ok(());
        }
        product.rating = rating;
        product.version += 1;
        for result in self.stores.products.put(vec![*product]).await? {
            result?;
        }
        Ok(())
    }
}

fn review(record: ReviewRecord, product_id: ProductId) -> Result<Review, Vec<Problem>> {
    let ReviewRecord { rating, title, body, author, verified, created_at, .. } = record;
    let mut problems = Vec::new();
    if !(1..=5).contains(&rating) {
        problems.push(Problem::new("/rating", "out_of_range", "1 to 5 stars are wanted"));
    }
    if body.chars().count() > BODY_CHARS_MAX {
        let detail = format!("at most {BODY_CHARS_MAX} characters are taken");
        problems.push(Problem::new("/body", "out_of_range", detail));
    }
    if !(1..=200).contains(&author.chars().count()) {
        problems.push(Problem::new("/author", "out_of_range", "1 to 200 characters are wanted"));
    }
    if title.as_ref().is_some_and(|title| title.chars().count() > 200) {
        problems.push(Problem::new("/title", "out_of_range", "at most 200 characters are taken"));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Review {
        id: derive::review_id(product_id, &author, created_at),
        product_id,
        rating,
        title,
        body,
        author,
        verified,
        status: ReviewStatus::Published,
        created_at,
    })
}
