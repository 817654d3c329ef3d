//! The servers that the configured ports stand on: reachable, let in, complete, near, and of one
//! time with us.

use std::time::Duration;

use super::{Check, fail, ok, warn};
use crate::config::Config;
use crate::wiring::{self, Found, Health};

/// A signature of AWS is taken for five minutes; and a price begins when the clock says so.
const SKEW_S_MAX: u64 = 60;

/// A server in the same region answers within a few milliseconds; each change waits for it.
const LATENCY_HIGH: Duration = Duration::from_millis(25);

pub fn checks(config: &Config) -> Vec<Check> {
    let Ok(runtime) = super::super::runtime() else { return Vec::new() };
    runtime.block_on(wiring::look(config)).into_iter().map(check).collect()
}

fn check(found: Found) -> Check {
    let name = found.server;
    let health = match found.answer {
        Ok(health) => health,
        Err(reason) => {
            let advice = match name {
                "dynamodb" => "look at AWS_REGION, the credentials, the endpoint and the network",
                "s3" => "look at media.url, AWS_REGION, the credentials and the endpoint",
                "postgres" => "look at commerce.url, its password and the network",
                _ => "look at cache.url, its password and the network",
            };
            return fail(name, reason, advice);
        }
    };
    let Health { at, latency, skew_s, missing } = health;
    let found = format!("{at}, answers in {latency:.1?}, its clock is {skew_s} s from ours");
    match () {
        () if !missing.is_empty() => {
            let found = format!("{found}; to be done: {}", missing.join("; "));
            fail(name, found, "barrow setup aws, or your infrastructure as code")
        }
        () if skew_s > SKEW_S_MAX => warn(name, found, "set this machine's clock; use NTP"),
        () if latency > LATENCY_HIGH => {
            warn(name, found, "run Barrow in the same region; each change waits for an answer")
        }
        () => ok(name, found),
    }
}
