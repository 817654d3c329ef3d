//! The load balancer, as one client sees it: mostly the same node, now and then another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::body::Body;
use http::Request;
use tokio::sync::{mpsc, oneshot};

use super::machine::Seat;
use super::node::Run;
use crate::host::SeededEntropy;
use crate::simulation::edge::{Edge, EventSource};
use crate::simulation::http::Answer;
use crate::simulation::stream::Events;

/// Of a hundred requests, so many go to another node than the last.
const ELSEWHERE: u64 = 25;

pub struct Door {
    seats: Arc<[Arc<Seat>]>,
    dice: SeededEntropy,
    at: AtomicUsize,
    /// Always the same node.
    is_fixed: bool,
}

impl Door {
    pub fn new(seats: Arc<[Arc<Seat>]>, seed: u64) -> Door {
        let dice = SeededEntropy::new(seed);
        let at = AtomicUsize::new(dice.below(seats.len() as u64) as usize);
        Door { seats, dice, at, is_fixed: false }
    }

    /// To that machine alone.
    pub fn of(seats: Arc<[Arc<Seat>]>, machine: usize) -> Door {
        Door { at: AtomicUsize::new(machine), is_fixed: true, ..Door::new(seats, 0) }
    }

    /// The process that gets the next request, if one takes it.
    fn knock(&self) -> Option<Arc<Run>> {
        if !self.is_fixed && self.dice.chance(ELSEWHERE) {
            self.go_elsewhere();
        }
        let run = self.seats[self.at.load(Ordering::Relaxed)].run();
        let run = run.filter(|run| run.front().is_some() && !run.has_ended());
        if !self.is_fixed && run.as_ref().is_none_or(|run| run.is_leaving()) {
            self.go_elsewhere();
        }
        run
    }

    fn go_elsewhere(&self) {
        let at = self.dice.below(self.seats.len() as u64) as usize;
        self.at.store(at, Ordering::Relaxed);
    }
}

#[async_trait]
impl Edge for Door {
    async fn answer(&self, request: Request<Body>) -> Option<Answer> {
        let run = self.knock()?;
        let front = run.front()?;
        let (mut to, answer) = oneshot::channel();
        run.handle.spawn(async move {
            let work = async { Answer::read(front.answer(request, None).await).await };
            let answer = tokio::select! {
                biased;
                // Whoever gives up closes the connection.
                () = to.closed() => return,
                answer = work => answer,
            };
            drop(to.send(answer));
        });
        answer.await.ok().flatten()
    }

    async fn follow(&self, request: Request<Body>) -> Option<Box<dyn EventSource>> {
        let run = self.knock()?;
        let front = run.front()?;
        let (to, mut events) = mpsc::channel::<Option<String>>(1);
        run.handle.spawn(async move {
            let work = async {
                let response = front.answer(request, None).await;
                if response.status() != 200 || to.send(None).await.is_err() {
                    return;
                }
                let mut events = Events::of(response);
                while let Some(event) = events.next().await {
                    if to.send(Some(event)).await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                biased;
                () = to.closed() => {}
                () = work => {}
            }
        });
        events.recv().await?;
        Some(Box::new(EventsOfANode(events)))
    }
}

struct EventsOfANode(mpsc::Receiver<Option<String>>);

#[async_trait]
impl EventSource for EventsOfANode {
    async fn next(&mut self) -> Option<String> {
        self.0.recv().await.flatten()
    }
}
