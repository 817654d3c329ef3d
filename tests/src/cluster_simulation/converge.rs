//! What has to come right once nothing goes wrong any more: every shard has one live owner, all
//! nodes agree on the view, nothing is due, and every cart answers the same through every node.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use barrow_actors::runtime::NEXT_FORM;
use barrow_adapters::decorators::Faults;
use barrow_cluster::node::HEARTBEAT_PREFIX;
use barrow_cluster::{ControlTable, SHARDS, VIEW_KEY, View, plan};
use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ids::CartId;
use barrow_engine::ports::Clock;
use barrow_engine::time::Timestamp;
use tokio::time::sleep;

use super::door::Door;
use super::node::Run;
use super::weather::Weather;
use crate::simulation::check::Finals;
use crate::simulation::client::Shopper;
use crate::simulation::edge::Edge;
use crate::simulation::history::History;
use crate::simulation::http::{Ask, CartSeen};

/// How long a cluster has to come to rest: a lease runs out, shards move.
const RESTS_WITHIN: Duration = Duration::from_secs(90);
/// How long what is due may take. Wall clocks differ by minutes: what the fastest of them made due
/// now is due for the slowest only then.
const DONE_WITHIN: Duration = Duration::from_secs(150);
const LOOK: Duration = Duration::from_millis(250);
/// What was on its way when the faults ended has arrived by then.
const AFTERMATH: Duration = Duration::from_secs(5);
const CALM_LATENCY: Duration = Duration::from_millis(10);

pub struct Converging<'a> {
    pub shoppers: &'a [Arc<Shopper>],
    pub history: &'a History,
    pub weather: &'a Weather,
}

impl Converging<'_> {
    /// Ends all faults, and waits until the cluster is at rest.
    pub async fn heal(&self) {
        let Weather { ground, .. } = self.weather;
        self.weather.heal();
        sleep(AFTERMATH).await;
        ground.store.settle().await;
        self.expect_late_surprises();
        ground.store.set_faults(Faults { latency_max: CALM_LATENCY, ..Faults::default() });
        self.rest().await;
    }

    /// A write that a node had sent before it lost a shard may have landed when the next owner had
    /// its entity in memory already. That one learns it at its next write, and asks its client to
    /// repeat the change: the only way in which anybody may still be turned away.
    fn expect_late_surprises(&self) {
        let Weather { ground, .. } = self.weather;
        let rows = ground.rows.rows();
        for (key, write_id) in ground.store.landed_late() {
            let is_last = rows.get(&key).is_some_and(|row| row.write_id == write_id);
            if key.kind == EntityKind::Cart && is_last {
                self.history.was_overtaken(CartId(key.id));
            }
        }
    }

    pub async fn rest(&self) {
        let clock = &self.weather.ground.clock;
        let give_up_at = clock.uptime() + RESTS_WITHIN;
        while let Some(unrest) = self.unrest().await {
            if clock.uptime() > give_up_at {
                return self.history.wrong(format!("it does not come to rest: {unrest}"));
            }
            sleep(LOOK).await;
        }
    }

    /// Why the cluster is not at rest.
    async fn unrest(&self) -> Option<String> {
        let Weather { ground, seats, .. } = self.weather;
        let runs: Vec<Arc<Run>> = seats.iter().filter_map(|seat| seat.run()).collect();
        if let Some(down) = seats.iter().find(|seat| seat.run().is_none()) {
            return Some(format!("machine {} is down", down.number));
        }
        if let Some(run) = runs.iter().find(|run| run.front().is_none() || run.is_leaving()) {
            return Some(format!("machine {} is not up, or about to leave", run.machine));
        }
        let Some(row) = ground.table.load(VIEW_KEY).await.expect("it is in memory") else {
            return Some("there is no view".to_owned());
        };
        let view = View::decode(row.version, &row.value, NEXT_FORM).expect("a view was written");
        let members: BTreeSet<_> = view.members.iter().map(|member| member.id).collect();
        let living: BTreeSet<_> = runs.iter().map(|run| run.id).collect();
        let rows = ground.table.list(HEARTBEAT_PREFIX).await.expect("it is in memory");
        if members != living || rows.len() != living.len() {
            let (members, rows) = (members.len(), rows.len());
            return Some(format!("{members} members, {rows} rows, {} live", living.len()));
        }
        let mut open = 0;
        for run in &runs {
            let (known, has_lease) = (run.shards.view().version, run.has_lease());
            match run.open_shards().filter(|_| has_lease && known == view.version) {
                Some(count) => open += count,
                None => return Some(format!("machine {} knows {known}, {has_lease}", run.machine)),
            }
        }
        let moves = plan::plan(&view).len();
        (open != SHARDS || moves > 0).then(|| format!("{open} shards are open, {moves} to move"))
    }

    /// Waits until nothing is due any more, and reads every cart through every node.
    pub async fn settle(&self) -> Finals {
        let ground = &self.weather.ground;
        ground.store.set_faults(Faults::default());
        let give_up_at = ground.clock.uptime() + DONE_WITHIN;
        while let Some((key, due)) = self.next_due() {
            if ground.clock.uptime() > give_up_at {
                let late = ground.clock.now().since(due);
                let what = format!("after {DONE_WITHIN:?} of calm {key} is due since {late:?}");
                self.history.wrong(what);
                break;
            }
            sleep(LOOK).await;
        }
        let mut finals = Finals::new();
        for shopper in self.shoppers {
            for (cart, known) in self.history.carts() {
                if known.session != shopper.session.0 {
                    continue;
                }
                if let Some(seen) = self.read_everywhere(shopper, CartId(cart)).await {
                    finals.insert(cart, seen.items.unwrap_or_default());
                }
            }
        }
        finals
    }

    fn next_due(&self) -> Option<(EntityKey, Timestamp)> {
        let ground = &self.weather.ground;
        let now = ground.clock.now();
        // Timers of carts are days away; what is delivered at once is due when it is written, by
        // a clock that may be fast.
        let horizon = now.plus(DONE_WITHIN);
        let rows = ground.rows.rows();
        let due = rows.into_iter().filter_map(|(key, row)| Some((key, row.due?)));
        due.into_iter().find(|(_, due)| *due <= horizon)
    }

    /// The cart, if every node shows the same one.
    async fn read_everywhere(&self, shopper: &Shopper, cart: CartId) -> Option<CartSeen> {
        let mut first: Option<CartSeen> = None;
        for seat in self.weather.seats.iter() {
            let door = Door::of(self.weather.seats.clone(), seat.number);
            let request = Ask::get(format!("/v1/carts/{cart}")).to_request(Some(&shopper.token));
            let seen = match door.answer(request).await {
                Some(answer) if answer.status == 200 => answer.cart(),
                Some(answer) => Err(format!("{cart} cannot be read: {}", answer.describe())),
                None => Err(format!("{cart} cannot be read: no answer")),
            };
            let seen = seen.map_err(|what| self.history.wrong(what)).ok()?;
            let first = first.get_or_insert_with(|| seen.clone());
            if *first != seen {
                self.history.wrong(format!("{cart} is {first:?} and, elsewhere, {seen:?}"));
            }
        }
        first
    }
}
