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

/// Whether this process runs in a task of ECS, which tells its address.
pub fn is_task() -> bool {
    std::env::var_os(ECS_METADATA).is_some()
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
    let task_ip = task.as_ref().and_then(Task::address);
    Ok(Location { name, address: address(cluster, bound, task_ip)? })
}

fn address(cluster: &Cluster, bound: SocketAddr, task: Option<IpAddr>) -> Result<String, String> {
    if let Some(advertised) = &cluster.advertise {
        let port = if advertised.port() == 0 { bound.port() } else { advertised.port() };
        return Ok(advertised.with_port(port).to_string());
    }
    if !bound.ip().is_unspecified() {
        return Ok(bound.to_string());
    }
    task.map(|ip| SocketAddr::new(ip, bound.port()).to_string()).ok_or_else(|| {
        format!(
            "it is not set, and cluster.listen is {bound}: name the host by which the other nodes \
             reach this one"
        )
    })
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// As the agent of ECS answers a task on Fargate.
    const SAMPLE: &str = r#"{
        "Cluster": "arn:aws:ecs:us-east-1:111122223333:cluster/shop",
        "TaskARN": "arn:aws:ecs:us-east-1:111122223333:task/shop/e9028f8d5d8e4f258373e7b93ce9a3c3",
        "Family": "barrow-cart",
        "Revision": "7",
        "DesiredStatus": "RUNNING",
        "KnownStatus": "RUNNING",
        "Limits": {"CPU": 1, "Memory": 2048},
        "PullStartedAt": "2026-11-20T21:45:10.352Z",
        "AvailabilityZone": "us-east-1a",
        "LaunchType": "FARGATE",
        "Containers": [{
            "DockerId": "e9028f8d5d8e4f258373e7b93ce9a3c3-2495160603",
            "Name": "barrow",
            "Image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/barrow:latest",
            "Labels": {"com.amazonaws.ecs.task-definition-family": "barrow-cart"},
            "Networks": [{
                "NetworkMode": "awsvpc",
                "IPv4Addresses": ["10.0.0.108"],
                "AttachmentIndex": 0,
                "MACAddress": "0a:62:17:7a:36:68",
                "IPv4SubnetCIDRBlock": "10.0.0.0/24",
                "DomainNameServers": ["10.0.0.2"]
            }],
            "ClockDrift": {"ClockErrorBound": 0.5, "ClockSynchronizationStatus": "SYNCHRONIZED"}
        }]
    }"#;

    const TASK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 108));

    /// A server of one request, which gets that answer.
    fn answering(status: &str, body: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v4/0123/task", listener.local_addr().unwrap());
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n{body}"
        );
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                request.push(byte[0]);
            }
            assert!(request.starts_with(b"GET /v4/0123/task HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        url
    }

    #[tokio::test]
    async fn a_task_of_ecs_is_told_its_name_and_address() {
        let task = ask_ecs(&answering("200 OK", SAMPLE)).await.unwrap();
        let name = "barrow-cart e9028f8d5d8e4f258373e7b93ce9a3c3";
        assert_eq!(task.name().as_deref(), Some(name));
        assert_eq!(task.address(), Some(TASK));
    }

    #[tokio::test]
    async fn what_ecs_does_not_tell_is_not_made_up() {
        assert_eq!(ask_ecs(&answering("500 Internal Server Error", "{}")).await, None);
        assert_eq!(ask_ecs(&answering("200 OK", "<html>")).await, None);
        let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(ask_ecs(&format!("http://{unused}/task")).await, None);
        let task = ask_ecs(&answering("200 OK", "{}")).await.unwrap();
        assert_eq!((task.name(), task.address()), (None, None));
        let cut = r#"{"TaskARN": "a/b", "Containers": [{"Networks": [{}]}]}"#;
        let task = ask_ecs(&answering("200 OK", cut)).await.unwrap();
        assert_eq!((task.name().as_deref(), task.address()), (Some("task b"), None));
    }

    fn check(
        listen: &str,
        advertise: Option<&str>,
        task: Option<IpAddr>,
    ) -> Result<String, String> {
        let advertise = advertise.map(|text| text.parse().unwrap());
        let cluster = Cluster { advertise, ..Cluster::default() };
        address(&cluster, listen.parse().unwrap(), task)
    }

    #[test]
    fn what_is_advertised_beats_the_task_and_that_the_listener() {
        for (listen, advertise, task, found) in [
            ("127.0.0.1:7600", None, None, "127.0.0.1:7600"),
            ("0.0.0.0:7600", Some("node-1:7700"), Some(TASK), "node-1:7700"),
            ("0.0.0.0:7600", Some("node-1:0"), None, "node-1:7600"),
            ("[::]:7600", Some("[fd00::1]:0"), None, "[fd00::1]:7600"),
            ("0.0.0.0:7600", None, Some(TASK), "10.0.0.108:7600"),
            ("10.0.0.9:7600", None, Some(TASK), "10.0.0.9:7600"),
        ] {
            assert_eq!(check(listen, advertise, task).as_deref(), Ok(found), "{listen}");
        }
    }

    #[test]
    fn who_listens_everywhere_has_to_say_where_it_is() {
        for listen in ["0.0.0.0:7600", "[::]:7600"] {
            let refused = check(listen, None, None).unwrap_err();
            assert!(refused.contains(listen) && refused.contains("name the host"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_node_outside_of_ecs_is_named_by_its_process() {
        let cluster = Cluster { listen: "127.0.0.1:0".parse().unwrap(), ..Cluster::default() };
        let found = locate(&cluster, "127.0.0.1:7600".parse().unwrap()).await.unwrap();
        assert!(found.name.starts_with(&format!("process {} on ", std::process::id())));
        assert_eq!(found.address, "127.0.0.1:7600");
    }
}
