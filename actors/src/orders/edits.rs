//! Edits as staff names them: what is added is looked up in the catalog, at today's price.

use std::sync::Arc;

use barrow_engine::cart::LineId;
use barrow_engine::catalog::{Sellable, Sku, StockPolicy};
use barrow_engine::ids::OrderId;
use barrow_engine::inventory::UNITS_MAX;
use barrow_engine::money::AMOUNT_MAX;
use barrow_engine::orders::OrderRejection;
use barrow_engine::orders::{EDIT_CHANGES_MAX, EditChange, Order, OrderCommand, OrderLine};
use barrow_engine::pricing::{PriceQuery, TAX_RATE_BP_MAX, tax_amount};

use super::{Executed, Inner, OrderCaller, OrderDeskError, OrderTerms, Orders};

/// The most units of a line: as in a cart.
const QUANTITY_MAX: u32 = 99_999;

/// What is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditWish {
    /// None removes the line.
    SetQuantity {
        line: LineId,
        quantity: u32,
    },
    AddLine {
        sku: Sku,
        quantity: u32,
    },
}

impl Orders {
    /// Proposes an edit; `made` is its id. What it comes to is [`Order::preview`], and it is
    /// committed by [`OrderCommand::CommitEdit`].
    ///
    /// # Errors
    /// Nothing was proposed.
    pub async fn propose_edit(
        &self,
        id: OrderId,
        wishes: &[EditWish],
        caller: OrderCaller,
        terms: OrderTerms,
    ) -> Result<Executed, OrderDeskError> {
        let order = self.get(id, &caller).await?;
        let key = terms.key.map(|key| caller.key(key));
        if let Some(done) = self.inner.recalled(&order, key.as_ref())? {
            return Ok(done);
        }
        let changes = self.inner.to_changes(&order, wishes).await?;
        self.execute(id, OrderCommand::ProposeEdit { changes }, caller, terms).await
    }
}

impl Inner {
    async fn to_changes(
        &self,
        order: &Order,
        wishes: &[EditWish],
    ) -> Result<Vec<EditChange>, OrderDeskError> {
        if wishes.len() > EDIT_CHANGES_MAX {
            return Err(OrderDeskError::Rejected(OrderRejection::TooMany("changes")));
        }
        let sku_of = |wish: &EditWish| match wish {
            EditWish::AddLine { sku, .. } => Ok(sku.clone()),
            EditWish::SetQuantity { line, .. } => match order.line(*line) {
                Some(line) => Ok(line.sku.clone()),
                None => Err(OrderDeskError::Rejected(OrderRejection::UnknownLine(*line))),
            },
        };
        let skus: Vec<Sku> = wishes.iter().map(sku_of).collect::<Result<_, _>>()?;
        let sellables = self.checkouts.shelf().sellables(&skus).await?;
        let changes = wishes.iter().zip(&skus).zip(&sellables).map(|((wish, sku), sellable)| {
            let allowance = allowance(sellable.as_deref());
            Ok(match wish {
                EditWish::SetQuantity { line, quantity } => {
                    EditChange::SetQuantity { line: *line, quantity: *quantity, allowance }
                }
                EditWish::AddLine { quantity, .. } => {
                    let line = self.price_line(order, sku, *quantity, sellable.as_ref())?;
                    EditChange::AddLine { line: Box::new(line), allowance }
                }
            })
        });
        changes.collect()
    }

    /// Lines at today's prices, on the terms of an order.
    pub(super) async fn price_lines(
        &self,
        order: &Order,
        wanted: &[(Sku, u32)],
    ) -> Result<Vec<OrderLine>, OrderDeskError> {
        if wanted.is_empty() || wanted.len() > EDIT_CHANGES_MAX {
            return Err(OrderDeskError::Rejected(OrderRejection::InvalidLines));
        }
        let skus: Vec<Sku> = wanted.iter().map(|(sku, _)| sku.clone()).collect();
        let sellables = self.checkouts.shelf().sellables(&skus).await?;
        let lines = wanted.iter().zip(&sellables).zip(1..).map(|(((sku, quantity), sold), id)| {
            let line = self.price_line(order, sku, *quantity, sold.as_ref())?;
            Ok(OrderLine { id: LineId(id), ..line })
        });
        lines.collect()
    }

    fn price_line(
        &self,
        order: &Order,
        sku: &Sku,
        quantity: u32,
        sellable: Option<&Arc<Sellable>>,
    ) -> Result<OrderLine, OrderDeskError> {
        if !(1..=QUANTITY_MAX).contains(&quantity) {
            return Err(OrderDeskError::Rejected(OrderRejection::InvalidLines));
        }
        let unknown = || OrderDeskError::UnknownSku(sku.clone());
        let sellable = sellable.ok_or_else(unknown)?;
        let now = self.book.clock.now();
        if !sellable.is_purchasable_in(&order.channel, now) {
            return Err(OrderDeskError::Unavailable(sku.clone()));
        }
        let price = sellable.prices.price(PriceQuery {
            currency: order.currency,
            channel: &order.channel,
            customer_group: None,
            quantity,
            now,
        });
        let unit_price = price.map(|price| price.amount.amount).filter(|amount| *amount >= 0);
        let unit_price = unit_price.ok_or_else(|| OrderDeskError::NoPrice(sku.clone()))?;
        let total = i128::from(unit_price) * i128::from(quantity);
        if total > i128::from(AMOUNT_MAX) {
            return Err(OrderDeskError::Rejected(OrderRejection::InvalidAmount));
        }
        let place = &order.addresses.shipping;
        let rates = &self.shop.tax;
        let rate_bp =
            rates.rate_bp(&place.country, place.region.as_deref(), &sellable.tax_category);
        let tax_rate_bp = rate_bp.min(TAX_RATE_BP_MAX);
        let total = unit_price * i64::from(quantity);
        Ok(OrderLine {
            id: LineId(0),
            sku: sku.clone(),
            product: sellable.product_id,
            title: sellable.title(&order.locale).to_string(),
            options: sellable.options.clone(),
            image: sellable.image.as_deref().map(str::to_owned),
            quantity,
            unit_price,
            discount: 0,
            tax: tax_amount(total, tax_rate_bp, order.tax_included),
            tax_rate_bp,
            tracked: sellable.stock.track,
            max_per_customer: sellable.stock.max_per_customer,
            fulfilled: 0,
            returned: 0,
            refunded: 0,
        })
    }
}

/// How many more units may be promised than are on hand; none of what is not sold any more.
fn allowance(sellable: Option<&Sellable>) -> u64 {
    let more = sellable.map(|sold| StockPolicy::available(&sold.stock, Some(0)));
    more.unwrap_or(Some(0)).unwrap_or(UNITS_MAX)
}
