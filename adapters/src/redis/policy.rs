//! Whether a server may drop what it holds when it is full. It must not: a cart is no cache entry.

use std::time::Duration;

use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand, Value};

use super::client::RedisError;
use super::link::{CallError, Link};

const TIMEOUT: Duration = Duration::from_secs(2);

/// Refuses a server whose `maxmemory-policy` is not `noeviction`.
pub(super) async fn check_keeps_all(link: &Link) -> Result<(), RedisError> {
    let address = link.address().to_string();
    let unreachable = |error: CallError| RedisError::Unreachable {
        address: address.clone(),
        reason: error.to_string(),
    };
    // ElastiCache forbids CONFIG; what is needed of it stands here too.
    let connection = link.connection().map_err(unreachable)?;
    let info = CustomCommand::new_static("INFO", ClusterHash::FirstKey, false);
    let question = connection.client().custom(info, vec!["memory"]);
    let answer: Value = connection.call(TIMEOUT, question).await.map_err(unreachable)?;
    let found = policy(&answer.as_string().unwrap_or_default());
    if found == "noeviction" { Ok(()) } else { Err(RedisError::Evicts { address, found }) }
}

fn policy(info: &str) -> String {
    let found = info.lines().find_map(|line| line.strip_prefix("maxmemory_policy:"));
    found.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_read_of_the_info() {
        let info = "# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\nmem:1\r\n";
        assert_eq!(policy(info), "allkeys-lru");
        assert_eq!(policy(""), "");
    }
}
