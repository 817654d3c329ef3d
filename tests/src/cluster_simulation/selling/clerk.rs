//! Somebody of the house, by the routes of `/admin`: takes money, sends parcels, pays back,
//! cancels, and takes in what comes back.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::buyer::Caller;
use super::purchases::{Mark, Purchases};
use crate::simulation::http::Ask;

/// The least that is captured or paid back by hand. No two such amounts are the same, nor any
/// that follows from a price.
const AMOUNT_MIN: i64 = 101;

pub struct Clerk {
    pub caller: Caller,
    pub purchases: Arc<Purchases>,
    pub commands: i64,
}

impl Clerk {
    pub async fn run(mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            match self.caller.dice.below(4) {
                0 => self.take_back().await,
                _ => self.look_at_an_order().await,
            }
            self.caller.rest(500).await;
        }
    }

    /// One of a list; `None` where there is none, or no answer.
    async fn one_of(&self, list: &str) -> Option<Value> {
        let answer = self.caller.ask(&Ask::get(format!("/admin/v1/{list}"))).await?.json();
        let items = answer["items"].as_array()?;
        items.get(self.caller.dice.below(items.len() as u64) as usize).cloned()
    }

    async fn look_at_an_order(&mut self) {
        let Some(order) = self.one_of("orders?status=placed&limit=50").await else { return };
        self.commands += 1;
        let amount = AMOUNT_MIN + self.commands;
        let name = format!("{}-{}", self.caller.name, self.commands);
        let money = json!({"amount": amount, "currency": "EUR"});
        match self.caller.dice.below(8) {
            0 => {
                self.tell(&order, "captures", json!({"amount": money}), Mark::Capture(amount)).await
            }
            1 => {
                let body = json!({"amount": money, "reason": name});
                self.tell(&order, "refunds", body, Mark::Refund(name)).await;
            }
            2 => {
                let body = json!({"reason": "the buyer called"});
                self.tell(&order, "cancel", body, Mark::Cancellation).await;
            }
            _ => {
                let lines = order["lines"].as_array().into_iter().flatten();
                let left = |line: &Value| {
                    line["quantity"].as_u64().unwrap_or(0) - line["fulfilled"].as_u64().unwrap_or(0)
                };
                let Some(line) = lines.into_iter().find(|line| left(line) > 0) else { return };
                let quantity = 1 + self.caller.dice.below(left(line));
                let units = json!([{"line_id": line["id"], "quantity": quantity}]);
                let body = json!({"lines": units, "tracking": {"number": name}});
                self.tell(&order, "fulfilments", body, Mark::Parcel(name)).await;
            }
        }
    }

    async fn tell(&mut self, order: &Value, what: &str, body: Value, mark: Mark) {
        let Some(id) = order["id"].as_str() else { return };
        let mut ask = Ask::post(format!("/admin/v1/orders/{id}/{what}"), body);
        ask.key = Some(self.caller.key());
        let (heard, _) = self.caller.insist(&ask).await;
        let id = id.parse().expect("an order's id");
        self.purchases.asked(id, mark, heard);
    }

    /// The next step of a return that somebody asked for.
    async fn take_back(&mut self) {
        let (list, step) = match self.caller.dice.chance(50) {
            true => ("returns?status=requested&limit=50", "approve"),
            false => ("returns?status=approved&limit=50", "receive"),
        };
        let Some(one) = self.one_of(list).await else { return };
        let Some(id) = one["id"].as_str() else { return };
        let lines = one["lines"].as_array().into_iter().flatten();
        let lines: Vec<Value> = lines
            .map(|line| {
                json!({"line_id": line["line_id"], "quantity": line["quantity"], "restock": true})
            })
            .collect();
        let body = (step == "receive").then(|| json!({"lines": lines}));
        let ask = Ask::post(format!("/admin/v1/returns/{id}/{step}"), Value::Null);
        let key = Some(self.caller.key());
        self.caller.insist(&Ask { body, key, ..ask }).await;
    }
}
