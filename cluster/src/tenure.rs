//! One process serves at a time: how it comes to that, keeps it, and loses it.
//!
//! A row of the control table names the holder and counts its beats. Each beat is a
//! compare-and-set, and grants a lease from the moment it was *sent*, on the holder's own
//! boot-time clock. Whoever else wants to serve watches the row on its own clock: if no beat was
//! seen for a lease and a margin, the holder is dead or fenced, and the row is taken over at the
//! very version that was watched, so that a holder that beats after all keeps it. Clocks are
//! never compared.
//!
//! All of it is decided here, and the time is handed in; who reads and writes the row is told
//! what to do next.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ControlRow, Lease};

/// How long a beat lets its sender serve.
pub const LEASE: Duration = Duration::from_secs(5);

/// How often the holder beats.
pub const BEAT_INTERVAL: Duration = Duration::from_secs(1);

/// What a watcher waits for without seeing a beat: clocks run at different speeds, by far less
/// than a twentieth.
const SILENCE: Duration = LEASE.saturating_mul(105).checked_div(100).expect("100 is not 0");

/// Who serves, as the row says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Tells each start of a process from every other.
    pub incarnation: String,
    /// Where it runs, for people.
    pub name: String,
    /// Higher for each new holder.
    pub epoch: u64,
    /// It has ended by itself: nobody has to wait.
    pub released: bool,
}

impl Holder {
    fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a holder is plain data")
    }

    fn decode(row: &ControlRow) -> Option<Holder> {
        serde_json::from_slice(&row.value).ok()
    }
}

/// A write to make: `value` at the version after `expected`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    pub expected: u64,
    pub value: Vec<u8>,
}

/// What a candidate does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Somebody else serves, or may: look again.
    Wait(Holder),
    /// Write this; if it is written, the tenure has begun.
    Take(Beat),
}

/// A process that wants to serve.
#[derive(Debug)]
pub struct Candidate {
    incarnation: String,
    name: String,
    /// The version that was last seen, and since when it stands.
    watched: Option<(u64, Duration)>,
}

impl Candidate {
    pub fn new(incarnation: String, name: String) -> Candidate {
        Candidate { incarnation, name, watched: None }
    }

    /// What a successful read of the row leads to. `uptime` is of the moment it was answered.
    pub fn observe(&mut self, row: Option<&ControlRow>, uptime: Duration) -> Step {
        let Some(row) = row else { return Step::Take(self.bid(0, 1)) };
        // What cannot be read was written by a later version: its holder may be alive.
        let holder = Holder::decode(row).unwrap_or_else(|| Holder {
            incarnation: String::new(),
            name: "a process of another version".to_owned(),
            epoch: 0,
            released: false,
        });
        let since = match self.watched {
            Some((version, since)) if version == row.version => since,
            _ => uptime,
        };
        self.watched = Some((row.version, since));
        let is_over = holder.released || uptime.saturating_sub(since) > SILENCE;
        match is_over {
            true => Step::Take(self.bid(row.version, holder.epoch + 1)),
            false => Step::Wait(holder),
        }
    }

    /// A read failed: silence only counts between reads that succeed.
    pub fn missed(&mut self) {
        self.watched = None;
    }

    fn bid(&self, expected: u64, epoch: u64) -> Beat {
        let (incarnation, name) = (self.incarnation.clone(), self.name.clone());
        let holder = Holder { incarnation, name, epoch, released: false };
        Beat { expected, value: holder.encode() }
    }

    /// The bid was written, or is found in the row after an unknown outcome. `sent` is the uptime
    /// at which it was sent.
    pub fn won(self, bid: &Beat, sent: Duration) -> Tenure {
        let row = ControlRow { version: bid.expected + 1, value: bid.value.clone() };
        let holder = Holder::decode(&row).expect("it is our own");
        Tenure { holder, version: row.version, lease: Lease::until(sent + LEASE) }
    }
}

/// A process that serves, for as long as its beats arrive.
#[derive(Debug)]
pub struct Tenure {
    holder: Holder,
    version: u64,
    lease: Lease,
}

impl Tenure {
    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    pub fn epoch(&self) -> u64 {
        self.holder.epoch
    }

    /// The next beat; the same one until its outcome is known.
    pub fn beat(&self) -> Beat {
        Beat { expected: self.version, value: self.holder.encode() }
    }

    /// The last one: whoever waits may serve at once.
    pub fn release(mut self) -> Beat {
        self.lease.renew(Duration::ZERO);
        self.holder.released = true;
        self.beat()
    }

    /// The beat was written; it was sent at `sent`.
    pub fn beaten(&mut self, sent: Duration) {
        self.version += 1;
        self.lease.renew(sent + LEASE);
    }

    /// The beat met this row. Answers whether it is our own beat, whose answer was lost; if not,
    /// another one serves, and this process must not.
    pub fn met(&mut self, row: Option<&ControlRow>, sent: Duration) -> bool {
        let own = row.is_some_and(|row| {
            row.version == self.version + 1 && Holder::decode(row).as_ref() == Some(&self.holder)
        });
        match own {
            true => self.beaten(sent),
            false => self.lease.renew(Duration::ZERO),
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The table's one row.
    #[derive(Default)]
    struct Table(Option<ControlRow>);

    impl Table {
        fn cas(&mut self, beat: &Beat) -> bool {
            let version = self.0.as_ref().map_or(0, |row| row.version);
            if version != beat.expected {
                return false;
            }
            self.0 = Some(ControlRow { version: version + 1, value: beat.value.clone() });
            true
        }
    }

    fn candidate(name: &str) -> Candidate {
        Candidate::new(format!("{name}-1"), name.to_owned())
    }

    fn taken(step: Step) -> Beat {
        match step {
            Step::Take(bid) => bid,
            Step::Wait(holder) => panic!("it waits for {holder:?}"),
        }
    }

    fn begin(table: &mut Table, name: &str, now: Duration) -> Tenure {
        let mut candidate = candidate(name);
        let bid = taken(candidate.observe(table.0.as_ref(), now));
        assert!(table.cas(&bid));
        candidate.won(&bid, now)
    }

    #[test]
    fn a_second_process_waits_while_the_first_beats_and_takes_over_when_it_is_silent() {
        let mut table = Table::default();
        let mut first = begin(&mut table, "first", SECOND);
        let mut second = candidate("second");
        for second_count in 2..20 {
            let now = SECOND * second_count;
            assert!(matches!(second.observe(table.0.as_ref(), now), Step::Wait(_)));
            assert!(table.cas(&first.beat()));
            first.beaten(now);
        }
        // From now on it is silent. Its lease is over before anybody takes its place.
        let last = SECOND * 19;
        let bid = (1..).map(|n| last + Duration::from_millis(100) * n).find_map(|now| match second
            .observe(table.0.as_ref(), now)
        {
            Step::Take(bid) => Some((bid, now)),
            Step::Wait(holder) => {
                assert_eq!(holder.name, "first");
                None
            }
        });
        let (bid, now) = bid.expect("it does not wait for ever");
        assert!(!first.lease().is_valid(now), "the former lease has ended");
        assert!(now < last + 7 * SECOND, "it takes over within two beats of that");
        assert!(table.cas(&bid));
        let successor = second.won(&bid, now);
        assert!(successor.epoch() > first.epoch());
        // The first one wakes: its beat meets the other's row, and it fences itself.
        assert!(!table.cas(&first.beat()));
        assert!(!first.met(table.0.as_ref(), now));
        assert!(!first.lease().is_valid(now));
    }

    #[test]
    fn who_has_ended_by_itself_is_not_waited_for() {
        let mut table = Table::default();
        let first = begin(&mut table, "first", SECOND);
        assert!(table.cas(&first.release()));
        begin(&mut table, "second", SECOND);
    }

    #[test]
    fn a_beat_whose_answer_was_lost_is_known_again() {
        let mut table = Table::default();
        let mut first = begin(&mut table, "first", SECOND);
        let beat = first.beat();
        assert!(table.cas(&beat));
        assert_eq!(first.beat(), beat, "it is repeated as it was");
        assert!(!table.cas(&beat));
        assert!(first.met(table.0.as_ref(), 2 * SECOND));
        assert!(first.lease().is_valid(6 * SECOND));
        assert!(table.cas(&first.beat()));
    }

    #[test]
    fn silence_does_not_count_while_the_table_cannot_be_read() {
        let mut table = Table::default();
        begin(&mut table, "first", SECOND);
        let mut second = candidate("second");
        for n in 1..30 {
            assert!(matches!(second.observe(table.0.as_ref(), SECOND * n), Step::Wait(_)));
            second.missed();
        }
    }

    #[test]
    fn a_row_of_a_later_version_is_respected() {
        let row = ControlRow { version: 7, value: b"what is this".to_vec() };
        let mut candidate = candidate("old");
        assert!(matches!(candidate.observe(Some(&row), SECOND), Step::Wait(_)));
    }

    proptest! {
        /// Two processes with any pauses between what they do: at no time do both hold a valid
        /// lease.
        #[test]
        fn two_never_serve_at_once(
            steps in prop::collection::vec((any::<bool>(), 0u64..4_000), 1..200),
        ) {
            let mut table = Table::default();
            let mut now = SECOND;
            let mut sides = [(Some(candidate("a")), None), (Some(candidate("b")), None)];
            for (side, pause) in steps {
                let (waiting, serving) = &mut sides[usize::from(side)];
                if let Some(candidate) = waiting {
                    if let Step::Take(bid) = candidate.observe(table.0.as_ref(), now) {
                        // Sent now, answered after the pause.
                        if table.cas(&bid) {
                            *serving = waiting.take().map(|candidate| candidate.won(&bid, now));
                        }
                    }
                } else if let Some(tenure) = serving {
                    match table.cas(&tenure.beat()) {
                        true => tenure.beaten(now),
                        false => drop(tenure.met(table.0.as_ref(), now)),
                    }
                }
                now += Duration::from_millis(pause);
                let valid = sides.iter().filter(|(_, tenure)| {
                    tenure.as_ref().is_some_and(|tenure: &Tenure| tenure.lease().is_valid(now))
                });
                prop_assert!(valid.count() <= 1);
            }
        }
    }
}
