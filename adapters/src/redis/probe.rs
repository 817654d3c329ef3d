//! How the servers are.

use std::time::{Duration, Instant, SystemTime};

use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand, Value};

use super::client::{RedisError, RedisServers};
use crate::probe::Probe;

impl RedisServers {
    /// Asks the first of them that answers for its time.
    pub async fn probe(&self) -> Result<Probe, RedisError> {
        let mut failure = RedisError::Url("it names no server".to_owned());
        for address in &self.addresses {
            let (client, task) = match self.connect(address).await {
                Ok(connected) => connected,
                Err(error) => {
                    failure = error;
                    continue;
                }
            };
            let mut latency = Duration::MAX;
            let mut answer = Value::Null;
            for _ in 0..3 {
                let began = Instant::now();
                let time = CustomCommand::new_static("TIME", ClusterHash::FirstKey, false);
                let asked = client.custom(time, Vec::<Value>::new()).await;
                answer = asked.map_err(|error| RedisError::Unreachable {
                    address: address.to_string(),
                    reason: error.details().to_owned(),
                })?;
                latency = latency.min(began.elapsed());
            }
            task.abort();
            let seconds = answer.into_array().first().and_then(Value::as_u64).unwrap_or(0);
            return Ok(Probe {
                latency,
                time: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            });
        }
        Err(failure)
    }
}
