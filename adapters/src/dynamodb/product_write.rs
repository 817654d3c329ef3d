//! One change of a product and of the names it gains and loses. `product_names` says what must
//! hold of names at any moment, between any two requests of any two changes.

use std::collections::{BTreeSet, HashMap};

use barrow_engine::catalog::Product;
use barrow_engine::ids::ProductId;
use barrow_engine::ports::ProductStoreError;

use super::batch::{ATTEMPTS_MAX, pause};
use super::client::Dynamo;
use super::errors::{Fault, fault_of};
use super::name_claims::{Actions, Cancelled, Condition, transact};
use super::product_names::{
    Claim, Intent, begin_intent, is_abandoned, is_condition_failure, read_claim,
};
use super::product_store::{Result, product_item, read_product};
use super::tables::PRODUCTS;
use crate::catalog::names::{Name, names_of};

/// What one transaction may hold.
const ACTIONS_MAX: usize = 100;

/// What is known of the stored product when its change begins.
pub(super) enum Before {
    Read(Option<Box<Product>>),
    Unread,
}

/// A change of a product on its way.
pub(super) struct Write<'a> {
    dynamo: &'a Dynamo,
    product: &'a Product,
    document: String,
    names: BTreeSet<Name>,
    /// Claims of other products that were found to be abandoned.
    abandoned: HashMap<Name, Claim>,
}

/// How an attempt ended that was not the last.
enum Failure {
    Refused(ProductStoreError),
    /// Something moved meanwhile, or the service refuses for load.
    Again,
    /// It may have been applied.
    Unknown(String),
}

impl From<ProductStoreError> for Failure {
    fn from(error: ProductStoreError) -> Failure {
        Failure::Refused(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        match fault {
            Fault::Throttled => Failure::Again,
            Fault::Unknown(text) => Failure::Unknown(text),
            Fault::NotWritten(text) => Failure::Refused(ProductStoreError::Unavailable(text)),
        }
    }
}

/// What a change does to names. A foreign id is not exclusive, and is never claimed.
#[derive(Default)]
struct Changes {
    claimed: Vec<Name>,
    freed: Vec<Name>,
    foreign_set: Vec<Name>,
    foreign_freed: Vec<Name>,
}

impl Changes {
    fn len(&self) -> usize {
        self.claimed.len() + self.freed.len() + self.foreign_len()
    }

    fn foreign_len(&self) -> usize {
        self.foreign_set.len() + self.foreign_freed.len()
    }
}

impl<'a> Write<'a> {
    pub fn new(dynamo: &'a Dynamo, product: &'a Product, document: String) -> Write<'a> {
        let names = names_of(product);
        Write { dynamo, product, document, names, abandoned: HashMap::new() }
    }

    pub async fn run(mut self, before: Before) -> Result<()> {
        let mut before = before;
        let mut open: Option<String> = None;
        for attempt in 0..ATTEMPTS_MAX {
            pause(attempt).await;
            let stored = match before {
                Before::Read(stored) => stored.map(|product| *product),
                Before::Unread => read_product(self.dynamo, self.product.id).await?,
            };
            before = Before::Unread;
            // An attempt whose end is not known may have been the one that wrote it.
            if open.is_some() && stored.as_ref() == Some(self.product) {
                return Ok(());
            }
            let current = stored.as_ref().map_or(0, |product| product.version);
            if self.product.version != current + 1 {
                return Err(ProductStoreError::VersionMismatch { current });
            }
            match self.attempt(stored.as_ref()).await {
                Ok(()) => return Ok(()),
                Err(Failure::Refused(error)) => return Err(error),
                Err(Failure::Again) => {}
                Err(Failure::Unknown(text)) => open = Some(text),
            }
        }
        let reason =
            open.unwrap_or_else(|| "too many changes at once, or too much load".to_owned());
        Err(ProductStoreError::Unavailable(format!("{}: {reason}", self.product.id)))
    }

    async fn attempt(&mut self, stored: Option<&Product>) -> std::result::Result<(), Failure> {
        let changes = self.changes(stored).await?;
        let current = stored.map(|product| product.version);
        if changes.len() == 0 {
            self.put_alone(current).await
        } else if changes.len() < ACTIONS_MAX {
            self.put_at_once(current, &changes).await
        } else {
            self.put_in_steps(current, &changes).await
        }
    }

    async fn changes(&self, stored: Option<&Product>) -> Result<Changes> {
        let before = stored.map(names_of).unwrap_or_default();
        let mut changes = Changes::default();
        for name in self.names.union(&before) {
            match (name.is_exclusive(), self.names.contains(name), before.contains(name)) {
                (true, true, false) => changes.claimed.push(name.clone()),
                (true, false, _) => changes.freed.push(name.clone()),
                (true, true, true) => {}
                (false, true, false) => changes.foreign_set.push(name.clone()),
                // Another product may have taken it since: then it leads there.
                (false, is_carried, true) => {
                    let is_mine = self.owner(name).await? == Some(self.product.id);
                    match (is_carried, is_mine) {
                        (true, false) => changes.foreign_set.push(name.clone()),
                        (false, true) => changes.foreign_freed.push(name.clone()),
                        _ => {}
                    }
                }
                (false, false, false) => {}
            }
        }
        Ok(changes)
    }

    async fn owner(&self, name: &Name) -> Result<Option<ProductId>> {
        Ok(read_claim(self.dynamo, name).await?.map(|claim| claim.owner))
    }

    /// No name changes: one write, at half the price of a transaction.
    async fn put_alone(&self, current: Option<u64>) -> std::result::Result<(), Failure> {
        let Condition { expression, names, values } = Condition::version_is(current);
        let put = self.dynamo.writes().put_item().table_name(self.dynamo.table(PRODUCTS.name));
        let written = put
            .set_item(Some(product_item(self.product, &self.document)))
            .condition_expression(expression)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(values)
            .send()
            .await;
        match written {
            Ok(_) => Ok(()),
            Err(error) if is_condition_failure(&error) => Err(Failure::Again),
            Err(error) => Err(fault_of(&error).into()),
        }
    }

    async fn put_at_once(
        &mut self,
        current: Option<u64>,
        changes: &Changes,
    ) -> std::result::Result<(), Failure> {
        let mut actions = Actions::new(self.dynamo, self.product.id);
        actions.put_product(product_item(self.product, &self.document), current);
        for name in &changes.claimed {
            actions.claim(name, None, self.abandoned.get(name));
        }
        changes.freed.iter().for_each(|name| actions.free(name, None));
        self.change_foreign(&mut actions, changes);
        self.transact(actions).await
    }

    fn change_foreign(&self, actions: &mut Actions<'_>, changes: &Changes) {
        changes.foreign_set.iter().for_each(|name| actions.set(name));
        changes.foreign_freed.iter().for_each(|name| actions.free(name, None));
    }

    /// More names than fit into a transaction: first the intent, then the names that come and
    /// go, then the product and the end of the intent at once; the rest is tidying.
    async fn put_in_steps(
        &mut self,
        current: Option<u64>,
        changes: &Changes,
    ) -> std::result::Result<(), Failure> {
        let intent = Intent::new();
        begin_intent(self.dynamo, self.product.id, intent).await?;
        let all: Vec<&Name> = changes.claimed.iter().chain(&changes.freed).collect();
        for (index, some) in all.chunks(ACTIONS_MAX).enumerate() {
            let mut actions = Actions::new(self.dynamo, self.product.id);
            some.iter()
                .for_each(|name| actions.claim(name, Some(intent), self.abandoned.get(*name)));
            let claimed = self.transact(actions).await;
            if let Err(Failure::Refused(_)) = claimed {
                let claimed_before = &all[..index * ACTIONS_MAX];
                self.give_back(current, claimed_before, intent).await;
            }
            claimed?;
        }
        let mut actions = Actions::new(self.dynamo, self.product.id);
        actions.put_product(product_item(self.product, &self.document), current);
        actions.end_intent(intent);
        self.change_foreign(&mut actions, changes);
        self.transact(actions).await?;
        self.tidy(changes, intent).await;
        Ok(())
    }

    /// After a refusal: names that were claimed in vain. They would be harmless; but who wants
    /// one would have to look at this product first.
    async fn give_back(&self, current: Option<u64>, claimed: &[&Name], intent: Intent) {
        for some in claimed.chunks(ACTIONS_MAX - 1) {
            let mut actions = Actions::new(self.dynamo, self.product.id);
            // A change by somebody else may have made these names the product's own.
            actions.check_product(current);
            some.iter().for_each(|name| actions.free(name, Some(intent)));
            if transact(self.dynamo, actions).await.is_err() {
                tracing::debug!(product.id = %self.product.id, "some claims stay behind");
            }
        }
    }

    /// After the change: names that need no more looking at the product, and those that are gone.
    async fn tidy(&self, changes: &Changes, intent: Intent) {
        let kept = changes.claimed.iter().map(|name| (name, true));
        let all: Vec<_> = kept.chain(changes.freed.iter().map(|name| (name, false))).collect();
        for some in all.chunks(ACTIONS_MAX) {
            let mut actions = Actions::new(self.dynamo, self.product.id);
            for (name, is_kept) in some {
                if *is_kept {
                    actions.settle(name, intent)
                } else {
                    actions.free(name, Some(intent))
                }
            }
            if transact(self.dynamo, actions).await.is_err() {
                tracing::debug!(product.id = %self.product.id, "some names keep their intent");
            }
        }
    }

    /// Runs the actions, and judges why they were cancelled.
    async fn transact(&mut self, actions: Actions<'_>) -> std::result::Result<(), Failure> {
        let cancelled = match transact(self.dynamo, actions).await? {
            Ok(()) => return Ok(()),
            Err(cancelled) => cancelled,
        };
        let contested = match cancelled {
            Cancelled::Moved => return Err(Failure::Again),
            Cancelled::Invalid(reason) => return Err(ProductStoreError::Unavailable(reason).into()),
            Cancelled::Contested(contested) => contested,
        };
        for (name, claim) in contested {
            let is_free = match claim.intent {
                None => false,
                Some(intent) => is_abandoned(self.dynamo, &name, claim.owner, intent).await?,
            };
            if is_free {
                self.abandoned.insert(name, claim);
            } else if let Some(refusal) = name.taken_by(claim.owner) {
                return Err(refusal.into());
            }
        }
        Err(Failure::Again)
    }
}
