//! Where this process runs, as its peers reach it and as people know it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use crate::config::Cluster;

/// Where ECS tells a task about itself.
const ECS_METADATA: &str = "ECS_CONTAINER_METADATA_URI_V4";

/// The metadata are answered by the same machine.
const ECS_PATIENCE: Duration = Duration::from_secs(2);

/// How a node is reached, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub name: String,
    /// Host and port.
    pub address: String,
}

/// What ECS tells of a task, as far as it is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Task {
    #[serde(rename = "TaskARN")]
    task_arn: String,
    family: String,
    containers: Vec<Container>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Container {
    networks: Vec<Network>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Network {
    #[serde(rename = "IPv4Addresses")]
    ipv4_addresses: Vec<IpAddr>,
}

impl Task {
    /// The last part of its ARN: what the console of ECS calls it.
    fn name(&self) -> Option<String> {
        let id = self.task_arn.rsplit('/').next().filter(|id| !id.is_empty())?;
        Some(format!("{} {id}", if self.family.is_empty() { "task" } else { &self.family }))
    }

    fn address(&self) -> Option<IpAddr> {
        let networks = self.containers.iter().flat_map(|container| &container.networks);
        networks.flat_map(|network| &network.ipv4_addresses).next().copied()
    }
}

/// Where this node is: as configured, else as ECS tells it, else where it listens.
///
/// # Errors
/// If it listens on all addresses, and nobody tells which one of them the others reach.
pub async fn locate(cluster: &Cluster, bound: SocketAddr) -> Result<Location, String> {
    let task = match std::env::var(ECS_METADATA) {
        Ok(url) => ask_ecs(&format!("{url}/task")).await,
        Err(_) => None,
    };
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let process = || format!("process {} on {host}", std::process::id());
    let name = task.as_ref().and_then(Task::name).unwrap_or_else(process);
    if let Some(advertised) = &cluster.advertise {
        let port = if advertised.port() == 0 { bound.port() } else { advertised.port() };
        return Ok(Location { name, address: format!("{}:{port}", advertised.host()) });
    }
    if !bound.ip().is_unspecified() {
        return Ok(Location { name, address: bound.to_string() });
    }
    match task.as_ref().and_then(Task::address) {
        Some(ip) => Ok(Location { name, address: SocketAddr::new(ip, bound.port()).to_string() }),
        None => Err(format!(
            "it is not set, and cluster.listen is {bound}: name the host by which the other nodes \
             reach this one"
        )),
    }
}

async fn ask_ecs(url: &str) -> Option<Task> {
    let url = url.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let config = ureq::Agent::config_builder().timeout_global(Some(ECS_PATIENCE)).build();
        let body = ureq::Agent::new_with_config(config).get(&url).call();
        body.and_then(|mut reply| reply.body_mut().read_to_vec())
    });
    match asked.await {
        Ok(Ok(body)) => match serde_json::from_slice(&body) {
            Ok(task) => Some(task),
            Err(error) => {
                tracing::warn!(%error, "what ECS tells of this task cannot be read");
                None
            }
        },
        Ok(Err(error)) => {
            tracing::warn!(%error, "ECS does not tell where this task runs");
            None
        }
        Err(_) => None,
    }
}
