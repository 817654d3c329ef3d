//! The promises of a product store.

use std::collections::BTreeMap;

use super::Names;
use crate::catalog::{
    Collection, Locale, Product, ProductStatus, Review, ReviewStatus, Seo, Sku, Slug, StockPolicy,
    Translation, Variant,
};
use crate::ids::{CollectionId, ProductId, ReviewId, VariantId};
use crate::ports::{ProductStore, ProductStoreError};
use crate::time::Timestamp;

struct Suite<'a> {
    store: &'a dyn ProductStore,
    names: Names,
}

pub async fn product_store(store: &dyn ProductStore, seed: u64) {
    let suite = Suite { store, names: Names { seed } };
    suite.products_are_kept_as_written().await;
    suite.a_change_needs_its_version().await;
    suite.lookups_follow_the_product().await;
    suite.names_belong_to_one_product().await;
    suite.each_of_a_batch_stands_alone().await;
    suite.a_scan_visits_each_once().await;
    suite.collections_are_replaced_by_id().await;
    suite.reviews_are_newest_first().await;
}

impl Suite<'_> {
    fn id(&self, index: u64) -> ProductId {
        ProductId(self.names.number(index))
    }

    fn slug(&self, name: &str) -> Slug {
        Slug::new(&format!("{name}-{}", self.names.text(0))).expect("a slug")
    }

    fn sku(&self, name: &str) -> Sku {
        Sku::new(&format!("{name}/{}", self.names.text(0))).expect("a SKU")
    }

    fn product(&self, index: u64, name: &str) -> Product {
        Product {
            id: self.id(index),
            version: 1,
            slug: self.slug(name),
            former_slugs: vec![],
            external_id: None,
            title: format!("Product {name}"),
            description: "Ein Stück — mit \"Zitat\" und \u{1F6CB}".repeat(20),
            brand: Some("Barrow".to_owned()),
            status: ProductStatus::Active,
            publish_at: None,
            channels: vec![],
            collections: vec![self.slug("chairs")],
            facets: BTreeMap::from([("color".to_owned(), vec!["red".to_owned()])]),
            attributes: BTreeMap::new(),
            options: vec![],
            media: vec![],
            variants: vec![self.variant(index, name)],
            translations: BTreeMap::new(),
            seo: Seo::default(),
            featured: Some(3),
            rating: None,
            created_at: Timestamp(1_700_000_000_123),
            updated_at: Timestamp(1_700_000_000_456),
        }
    }

    fn variant(&self, index: u64, name: &str) -> Variant {
        Variant {
            id: VariantId(self.names.number(index + 500_000)),
            sku: self.sku(name),
            options: vec![],
            prices: vec![],
            stock: StockPolicy::default(),
            tax_category: "standard".to_owned(),
            weight_g: Some(1_200),
            media: vec![],
            attributes: BTreeMap::new(),
        }
    }

    async fn put_one(&self, product: &Product) -> Result<(), ProductStoreError> {
        let mut outcomes = self.store.put(vec![product.clone()]).await.expect("a batch is taken");
        assert_eq!(outcomes.len(), 1, "each product of a batch has its outcome");
        outcomes.remove(0)
    }

    async fn written(&self, product: &Product) {
        assert_eq!(self.put_one(product).await, Ok(()), "{} is written", product.slug);
    }

    async fn get(&self, id: ProductId) -> Option<Product> {
        self.store.get(id).await.expect("a product is read")
    }

    async fn by_slug(&self, name: &str) -> Option<ProductId> {
        self.store.by_slug(&self.slug(name)).await.expect("a slug is looked up")
    }

    async fn by_sku(&self, name: &str) -> Option<ProductId> {
        self.store.by_sku(&self.sku(name)).await.expect("a SKU is looked up")
    }

    async fn by_external_id(&self, id: &str) -> Option<ProductId> {
        self.store.by_external_id(id).await.expect("a foreign id is looked up")
    }

    async fn count(&self) -> u64 {
        self.store.count().await.expect("products are counted")
    }

    async fn products_are_kept_as_written(&self) {
        let before = self.count().await;
        let chair = self.product(1, "chair");
        assert_eq!(self.get(chair.id).await, None, "what was never written is not there");
        self.written(&chair).await;
        assert_eq!(self.get(chair.id).await, Some(chair.clone()), "a product is kept as written");
        let table = self.product(2, "table");
        self.written(&table).await;
        let asked = [table.id, self.id(999), chair.id, table.id];
        let found = self.store.get_many(&asked).await.expect("products are read");
        let expected = vec![Some(table.clone()), None, Some(chair.clone()), Some(table.clone())];
        assert_eq!(found, expected, "many are answered in the order asked");
        assert_eq!(self.count().await, before + 2, "each new product counts once");
        let newer = Product { version: 2, title: "Newer".to_owned(), ..chair };
        self.written(&newer).await;
        assert_eq!(self.count().await, before + 2, "a changed product counts no more");
        assert_eq!(self.get(newer.id).await, Some(newer), "a change replaces the product");
    }

    async fn a_change_needs_its_version(&self) {
        let product = self.product(10, "versioned");
        let early = Product { version: 2, ..product.clone() };
        let refused = Err(ProductStoreError::VersionMismatch { current: 0 });
        assert_eq!(self.put_one(&early).await, refused, "a new product has version 1");
        self.written(&product).await;
        let refused = Err(ProductStoreError::VersionMismatch { current: 1 });
        assert_eq!(self.put_one(&product).await, refused, "a version is written once");
        let late = Product { version: 3, ..product.clone() };
        assert_eq!(self.put_one(&late).await, refused, "no version is left out");
        self.written(&early).await;
        assert_eq!(self.get(product.id).await, Some(early), "the right version is written");
    }

    async fn lookups_follow_the_product(&self) {
        let german = Locale::new("de").expect("a locale");
        let external_id = format!("ext {}", self.names.text(20));
        let mut sofa = self.product(20, "sofa");
        sofa.external_id = Some(external_id.clone());
        sofa.former_slugs = vec![self.slug("couch")];
        let sofa_slug = Some(self.slug("kanapee"));
        let translation = Translation { slug: sofa_slug, ..Translation::default() };
        sofa.translations.insert(german.clone(), translation);
        sofa.variants.push(self.variant(21, "sofa-red"));
        assert_eq!(self.by_external_id(&external_id).await, None, "nothing has this id yet");
        self.written(&sofa).await;
        for name in ["sofa", "couch", "kanapee"] {
            assert_eq!(self.by_slug(name).await, Some(sofa.id), "the slug {name} leads to it");
        }
        for name in ["sofa", "sofa-red"] {
            assert_eq!(self.by_sku(name).await, Some(sofa.id), "the SKU {name} leads to it");
        }
        let found = self.by_external_id(&external_id).await;
        assert_eq!(found, Some(sofa.id), "the foreign id leads to it");

        sofa.version = 2;
        sofa.former_slugs.push(sofa.slug.clone());
        sofa.slug = self.slug("settee");
        sofa.translations.clear();
        sofa.variants.pop();
        sofa.external_id = None;
        self.written(&sofa).await;
        for name in ["settee", "sofa", "couch"] {
            assert_eq!(self.by_slug(name).await, Some(sofa.id), "the slug {name} leads to it");
        }
        assert_eq!(self.by_slug("kanapee").await, None, "a slug that was dropped leads nowhere");
        assert_eq!(self.by_sku("sofa-red").await, None, "a SKU that was dropped leads nowhere");
        let found = self.by_external_id(&external_id).await;
        assert_eq!(found, None, "a foreign id that was dropped leads nowhere");
        assert_eq!(self.by_slug("sof").await, None, "lookups are exact");
    }

    async fn names_belong_to_one_product(&self) {
        let mut lamp = self.product(30, "lamp");
        lamp.former_slugs = vec![self.slug("old-lamp")];
        self.written(&lamp).await;
        for taken in ["lamp", "old-lamp"] {
            let mut other = self.product(31, "other-lamp");
            other.slug = self.slug(taken);
            let refused =
                Err(ProductStoreError::SlugTaken { slug: self.slug(taken), owner: lamp.id });
            assert_eq!(self.put_one(&other).await, refused, "a slug belongs to one product");
        }
        let mut other = self.product(31, "other-lamp");
        other.variants.push(self.variant(32, "lamp"));
        let refused = Err(ProductStoreError::SkuTaken { sku: self.sku("lamp"), owner: lamp.id });
        assert_eq!(self.put_one(&other).await, refused, "a SKU belongs to one product");
        assert_eq!(self.get(other.id).await, None, "a refused product is not there");
        assert_eq!(self.by_slug("other-lamp").await, None, "nor are its names");
        other.variants.pop();
        self.written(&other).await;

        lamp.version = 2;
        lamp.former_slugs.clear();
        self.written(&lamp).await;
        let mut heir = self.product(33, "heir");
        heir.slug = self.slug("old-lamp");
        self.written(&heir).await;
        assert_eq!(self.by_slug("old-lamp").await, Some(heir.id), "a free slug can be taken");
    }

    async fn each_of_a_batch_stands_alone(&self) {
        let first = self.product(40, "batch");
        let rival = Product { slug: first.slug.clone(), ..self.product(41, "rival") };
        let early = Product { version: 5, ..self.product(42, "early") };
        let second = Product { version: 2, title: "Again".to_owned(), ..first.clone() };
        let last = self.product(43, "last");
        let before = self.count().await;
        let batch = vec![first.clone(), rival, early, second.clone(), last.clone()];
        let outcomes = self.store.put(batch).await.expect("a batch is taken");
        let taken = ProductStoreError::SlugTaken { slug: first.slug.clone(), owner: first.id };
        let mismatch = ProductStoreError::VersionMismatch { current: 0 };
        let expected = vec![Ok(()), Err(taken), Err(mismatch), Ok(()), Ok(())];
        assert_eq!(outcomes, expected, "later ones see earlier ones, a refusal harms no other");
        assert_eq!(self.get(first.id).await, Some(second), "of two the later holds");
        assert_eq!(self.get(last.id).await, Some(last), "what follows a refusal is written");
        assert_eq!(self.count().await, before + 2, "only what was written counts");
        assert_eq!(self.store.put(vec![]).await, Ok(vec![]), "an empty batch is nothing");
    }

    async fn a_scan_visits_each_once(&self) {
        let mut mine: Vec<ProductId> = (50..60).map(|index| self.id(index)).collect();
        let batch = (50..60).map(|index| self.product(index, &format!("scan{index}"))).collect();
        let outcomes = self.store.put(batch).await.expect("a batch is taken");
        assert!(outcomes.iter().all(Result::is_ok), "all are new");
        mine.sort();
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.scan(after, 3).await.expect("a page is read");
            assert!(page.len() <= 3, "a page keeps its limit");
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            seen.extend(page.iter().map(|product| product.id));
        }
        assert!(seen.is_sorted_by(|a, b| a < b), "products come in the order of their ids, once");
        let found: Vec<_> = seen.into_iter().filter(|id| mine.contains(id)).collect();
        assert_eq!(found, mine, "each product is visited");
        let behind = self.store.scan(Some(mine[4]), 1).await.expect("a page is read");
        assert!(
            behind.iter().all(|product| product.id > mine[4]),
            "a page begins behind its start"
        );
        assert!(self.store.scan(None, 0).await.expect("a page is read").is_empty());
    }

    async fn collections_are_replaced_by_id(&self) {
        let collection = |index: u64, title: &str| Collection {
            id: CollectionId(self.names.number(index)),
            slug: self.slug(&format!("collection{index}")),
            title: title.to_owned(),
            parent: None,
            image: None,
        };
        let mine = async || {
            let all = self.store.collections().await.expect("collections are read");
            let ids = [60, 61].map(|index| CollectionId(self.names.number(index)));
            let mut mine: Vec<_> = all.into_iter().filter(|c| ids.contains(&c.id)).collect();
            mine.sort_by_key(|collection| collection.slug.clone());
            mine
        };
        let (chairs, tables) = (collection(60, "Chairs"), collection(61, "Tables"));
        let put = async |collections| {
            self.store.put_collections(collections).await.expect("collections are written");
        };
        put(vec![chairs, tables.clone()]).await;
        let renamed = collection(60, "Seats");
        put(vec![renamed.clone()]).await;
        put(vec![]).await;
        assert_eq!(mine().await, vec![renamed, tables], "one with the same id is replaced");
    }

    fn review(&self, index: u64, product: u64, created_at: i64) -> Review {
        Review {
            id: ReviewId(self.names.number(index)),
            product_id: self.id(product),
            rating: 4,
            title: None,
            body: format!("Review {index}"),
            author: "Ada L.".to_owned(),
            verified: true,
            status: ReviewStatus::Published,
            created_at: Timestamp(created_at),
        }
    }

    async fn reviews_are_newest_first(&self) {
        let product = self.id(70);
        let page = async |after: Option<&Review>, limit: usize| {
            let after = after.map(|review| (review.created_at, review.id));
            self.store.reviews(product, after, limit).await.expect("reviews are read")
        };
        let put = async |reviews: Vec<Review>| {
            self.store.put_reviews(reviews).await.expect("reviews are written");
        };
        assert_eq!(page(None, 10).await, vec![], "a product without reviews has none");
        let old = self.review(80, 70, -5);
        let new = self.review(81, 70, 2_000);
        // Two of the same instant: their order is the store's, but it is always the same.
        let twins = [self.review(82, 70, 1_000), self.review(83, 70, 1_000)];
        let pending = Review { status: ReviewStatus::Pending, ..self.review(84, 70, 1_500) };
        let foreign = self.review(85, 71, 1_500);
        let all = [&old, &twins[0], &new, &pending, &twins[1], &foreign];
        put(all.into_iter().cloned().collect()).await;
        let found = page(None, 10).await;
        assert_eq!(found.len(), 4, "a product's published reviews, and no others: {found:?}");
        assert!(found.is_sorted_by(|a, b| a.created_at >= b.created_at), "newest first");
        let mut paged = Vec::new();
        while let Some(review) = page(paged.last(), 1).await.pop() {
            paged.push(review);
        }
        assert_eq!(paged, found, "paging visits each once, in the same order");

        let moved = Review { created_at: Timestamp(3_000), body: "Edited".to_owned(), ..old };
        let published = Review { status: ReviewStatus::Published, ..pending };
        let hidden = Review { status: ReviewStatus::Rejected, ..new };
        put(vec![moved.clone(), published.clone(), hidden]).await;
        put(vec![]).await;
        let found = page(None, 10).await;
        assert_eq!(found.len(), 4, "a review with the same id is replaced: {found:?}");
        assert_eq!(found[..2], [moved, published], "at its new place");
    }
}
