//! How the primary is.

use std::time::{Duration, Instant, SystemTime};

use super::errors::ConnectError;
use super::primary::Postgres;
use crate::probe::Probe;

impl Postgres {
    /// Asks the primary for its time.
    pub async fn probe(&self) -> Result<Probe, ConnectError> {
        const TIME: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let failed = |error: &dyn std::fmt::Display| ConnectError::NoPrimary {
            hosts: self.primary(),
            reason: error.to_string(),
        };
        // The first one connects, and prepares the statement.
        let mut latency = Duration::MAX;
        let mut millis: i64 = 0;
        for _ in 0..3 {
            let began = Instant::now();
            let asked = self
                .call(async |connection| sqlx::query_scalar(TIME).fetch_one(connection).await)
                .await;
            millis = asked.map_err(|error| failed(&error))?;
            latency = latency.min(began.elapsed());
        }
        let millis = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        Ok(Probe { latency, time: SystemTime::UNIX_EPOCH + millis })
    }
}
