//! What an event stream tells of its cart's hold: that units are held and until when, that little
//! time is left, and that it is over. Told once each; a renewed hold is told anew.

use std::time::Duration;

use barrow_actors::carts::HoldState;
use barrow_engine::time::Timestamp;

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Held,
    Expiring,
    Expired,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Stage::Held => "held",
            Stage::Expiring => "expiring",
            Stage::Expired => "expired",
        }
    }
}

/// Follows a hold for one reader.
#[derive(Debug)]
pub(super) struct HoldWatch {
    /// How much time is little.
    expiring: Duration,
    state: HoldState,
    /// What the reader knows.
    told: Option<(Stage, Timestamp)>,
}

impl HoldWatch {
    pub fn new(expiring: Duration) -> HoldWatch {
        HoldWatch { expiring, state: HoldState::None, told: None }
    }

    /// The hold as the cart has it now.
    pub fn set(&mut self, state: HoldState) {
        self.state = state;
    }

    /// When there will be something to tell, if nothing happens before.
    pub fn due(&self) -> Option<Timestamp> {
        let HoldState::Until(until) = self.state else { return None };
        match self.told {
            Some((Stage::Held, told)) if told == until => Some(self.expiring_at(until)),
            Some((Stage::Expiring, told)) if told == until => Some(until),
            _ => None,
        }
    }

    fn expiring_at(&self, until: Timestamp) -> Timestamp {
        let little = i64::try_from(self.expiring.as_millis()).unwrap_or(i64::MAX);
        Timestamp(until.as_millis().saturating_sub(little))
    }

    /// What is to be told next; `None` if the reader knows all.
    pub fn next(&mut self, now: Timestamp) -> Option<String> {
        let stage = match (self.state, self.told) {
            // Its order has what it needs, for as long as that takes.
            (HoldState::CheckingOut, _) => None,
            (HoldState::Until(until), told) => {
                let known = told.filter(|(_, told)| *told == until).map(|(stage, _)| stage);
                match known {
                    _ if until <= now => is_open(told).then_some((Stage::Expired, until)),
                    None => Some((Stage::Held, until)),
                    Some(Stage::Held) if self.expiring_at(until) <= now => {
                        Some((Stage::Expiring, until))
                    }
                    Some(_) => None,
                }
            }
            (HoldState::None, told) => is_open(told).then_some((Stage::Expired, now)),
        };
        let (stage, at) = stage?;
        self.told = Some((stage, at));
        Some(format!(r#"{{"state":"{}","expires_at":"{at}"}}"#, stage.as_str()))
    }
}

/// Whether the reader takes the units for held.
fn is_open(told: Option<(Stage, Timestamp)>) -> bool {
    told.is_some_and(|(stage, _)| stage != Stage::Expired)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is told at a moment, as `state` and seconds.
    fn told(watch: &mut HoldWatch, at: i64) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(data) = watch.next(Timestamp(at * 1_000)) {
            let data: serde_json::Value = serde_json::from_str(&data).unwrap();
            let at = data["expires_at"].as_str().unwrap().get(14..19).unwrap();
            all.push(format!("{} {at}", data["state"].as_str().unwrap()));
        }
        all
    }

    fn until(seconds: i64) -> HoldState {
        HoldState::Until(Timestamp(seconds * 1_000))
    }

    #[test]
    fn each_stage_of_a_hold_is_told_once() {
        let mut watch = HoldWatch::new(Duration::from_secs(60));
        assert_eq!((told(&mut watch, 0), watch.due()), (vec![], None));
        watch.set(until(100));
        assert_eq!(told(&mut watch, 0), ["held 01:40"]);
        assert_eq!(watch.due(), Some(Timestamp(40_000)));
        assert_eq!(told(&mut watch, 39), [""; 0]);
        assert_eq!(told(&mut watch, 40), ["expiring 01:40"]);
        assert_eq!(watch.due(), Some(Timestamp(100_000)));
        watch.set(until(150));
        assert_eq!(told(&mut watch, 50), ["held 02:30"], "a renewed hold is told anew");
        assert_eq!(told(&mut watch, 150), ["expired 02:30"]);
        assert_eq!((told(&mut watch, 151), watch.due()), (vec![], None));
        watch.set(until(200));
        assert_eq!(told(&mut watch, 170), ["held 03:20", "expiring 03:20"]);
        watch.set(HoldState::None);
        assert_eq!(told(&mut watch, 171), ["expired 02:51"], "nothing is held any more");
        assert_eq!(told(&mut watch, 172), [""; 0]);
    }

    #[test]
    fn what_is_being_bought_does_not_run_out_and_what_is_over_is_no_news() {
        let mut watch = HoldWatch::new(Duration::from_secs(60));
        watch.set(until(100));
        assert_eq!(told(&mut watch, 101), [""; 0], "who comes after it had no hold to lose");
        watch.set(until(300));
        assert_eq!(told(&mut watch, 101), ["held 05:00"]);
        watch.set(HoldState::CheckingOut);
        assert_eq!((told(&mut watch, 400), watch.due()), (vec![], None));
        watch.set(HoldState::None);
        assert_eq!(told(&mut watch, 401), ["expired 06:41"], "its order has let it go");
    }
}
