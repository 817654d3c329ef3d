//! What nobody could be told waits until somebody looks at it.

use super::*;
use crate::ids::DeadLetterId;
use crate::ports::{DeadLetter, DeadLetterQuery};

impl Suite<'_> {
    /// A SKU with so many events, of which the first could not be told.
    async fn buried(&self, consumer: &str, sku: &Sku, count: usize) -> DeadLetterId {
        self.told(sku, count).await;
        let token = self.token();
        let id = DeadLetterId(self.number());
        for lane in self.claim(consumer, token, LONG).await {
            assert_eq!(lane.aggregate, stock_aggregate(sku), "nothing else waits");
            let then = Then::Bury { id, error: "410 Gone".into() };
            let settled = Settled { aggregate: lane.aggregate, handled: None, then };
            assert!(self.settle(consumer, token, settled).await);
        }
        id
    }

    async fn listed(&self, consumer: &str) -> Vec<DeadLetter> {
        let consumer = Some(consumer.to_owned());
        let query = DeadLetterQuery { consumer, after: None, limit: 100 };
        self.outbox.dead_letters(&query).await.expect("dead letters are listed")
    }

    pub(super) async fn a_dead_letter_holds_up_its_aggregate(&self) {
        let consumer = self.consumer("dead").await;
        let (desk, tray) = (self.sku("desk"), self.sku("tray"));
        let id = self.buried(&consumer, &desk, 2).await;
        self.told(&tray, 1).await;
        self.book(&desk, 1).await;
        let others = self.drained(&consumer).await;
        assert_eq!(others.len(), 1, "what comes after it waits behind it");
        assert_eq!(others[0].aggregate, stock_aggregate(&tray), "others go on");
        let listed = self.listed(&consumer).await;
        assert_eq!(listed.len(), 1, "it is listed");
        let letter = &listed[0];
        assert_eq!((letter.id, letter.consumer.as_str()), (id, consumer.as_str()));
        assert_eq!((letter.attempts, letter.error.as_str()), (1, "410 Gone"));
        assert_eq!(letter.event.kind, EventKind::StockBack, "the event itself is shown");
        assert_eq!(letter.waiting, 2, "and how many wait for it");
        let figures = self.outbox.figures().await.expect("figures are read");
        let own = figures.iter().find(|it| it.consumer == consumer).expect("it is known");
        assert_eq!((own.lanes, own.dead_letters), (1, 1), "it is counted");

        assert_eq!(self.outbox.replay(id).await, Ok(true));
        assert_eq!(self.outbox.replay(id).await, Ok(false), "once");
        assert_eq!(self.listed(&consumer).await, [], "it is no dead letter any more");
        let lanes = self.drained(&consumer).await;
        assert_eq!(lanes[0].events[0], letter.event, "it is told again");
        assert_eq!((lanes[0].events.len(), lanes[0].attempts), (3, 1), "with those behind it");
        let unknown = DeadLetterId(self.number());
        assert_eq!(self.outbox.replay(unknown).await, Ok(false), "what is not there is not told");
    }

    pub(super) async fn a_dead_letter_that_is_discarded_lets_the_others_go_on(&self) {
        let consumer = self.consumer("discard").await;
        let id = self.buried(&consumer, &self.sku("vase"), 3).await;
        assert_eq!(self.outbox.discard(id).await, Ok(true));
        assert_eq!(self.outbox.discard(id).await, Ok(false), "once");
        assert_eq!(self.listed(&consumer).await, []);
        let lanes = self.drained(&consumer).await;
        assert_eq!(kinds(&lanes[0]), [EventKind::StockOut, EventKind::StockBack]);
        // One that nothing waits for.
        let id = self.buried(&consumer, &self.sku("bowl"), 1).await;
        assert_eq!(self.outbox.discard(id).await, Ok(true));
        assert_eq!(self.drained(&consumer).await, []);
        let figures = self.outbox.figures().await.expect("figures are read");
        let own = figures.iter().find(|it| it.consumer == consumer).expect("it is known");
        assert_eq!((own.lanes, own.dead_letters), (0, 0));
    }

    pub(super) async fn dead_letters_are_listed_page_by_page(&self) {
        let consumer = self.consumer("pages").await;
        let mut expected = Vec::new();
        for n in 0..5 {
            expected.push(self.buried(&consumer, &self.sku(&format!("page-{n}")), 1).await);
        }
        let mut query = DeadLetterQuery { consumer: Some(consumer.clone()), after: None, limit: 2 };
        let mut found = Vec::new();
        loop {
            let page = self.outbox.dead_letters(&query).await.expect("dead letters are listed");
            assert!(page.len() <= 2, "a page is no longer than was asked");
            let Some(last) = page.last() else { break };
            query.after = Some((last.at, last.id));
            found.extend(page);
        }
        assert!(found.is_sorted_by(|a, b| (a.at, a.id) > (b.at, b.id)), "the newest first");
        let mut found: Vec<DeadLetterId> = found.into_iter().map(|letter| letter.id).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "each is on one page");
        let all = DeadLetterQuery { consumer: None, after: None, limit: 100 };
        let all = self.outbox.dead_letters(&all).await.expect("dead letters are listed");
        assert!(expected.iter().all(|id| all.iter().any(|it| it.id == *id)), "of all consumers");
    }
}
