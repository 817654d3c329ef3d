//! Whether the other nodes will reach this one: a node that they do not reach joins, and whoever
//! asks them for its carts is told to come again.

use super::{Check, check_port, fail, ok, resolve, warn};
use crate::config::{Cluster, Config, Control};
use crate::wiring;

const NAME: &str = "cluster";

/// What is to be said of it, where there is a cluster.
pub fn check(config: &Config, is_serving: bool) -> Option<Check> {
    let has_table = config.control() != Control::None;
    has_table.then(|| check_listener(&config.cluster, is_serving, wiring::is_task()))
}

fn check_listener(cluster: &Cluster, is_serving: bool, is_task: bool) -> Check {
    // The port of the running one is its own.
    if !is_serving {
        let port = check_port(NAME, &cluster.listen, None);
        if port.advice.is_some() {
            return port;
        }
    }
    let Ok(address) = resolve(&cluster.listen) else {
        return ok(NAME, format!("listens on {}", cluster.listen));
    };
    let listens = format!("cluster.listen is {}", cluster.listen);
    match &cluster.advertise {
        Some(advertised) => ok(NAME, format!("{listens}, advertised as {advertised}")),
        None if address.ip().is_unspecified() && is_task => {
            ok(NAME, format!("{listens}, advertised as the address of this task"))
        }
        None if address.ip().is_unspecified() => fail(
            NAME,
            format!("{listens}, and nobody tells the other nodes which of its addresses to use"),
            "set cluster.advertise to the host by which they reach this one",
        ),
        None if address.ip().is_loopback() => warn(
            NAME,
            format!("{listens}: nodes on other machines do not reach this one"),
            "if there are to be such, set cluster.listen=0.0.0.0:7600 and cluster.advertise",
        ),
        None => ok(NAME, listens),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_node_that_others_cannot_reach_is_told_so() {
        for (listen, advertise, is_task, verdict) in [
            ("127.0.0.1:0", None, false, Verdict::Warn),
            ("127.0.0.1:0", Some("node-1:7600"), false, Verdict::Ok),
            ("0.0.0.0:0", None, false, Verdict::Fail),
            ("0.0.0.0:0", None, true, Verdict::Ok),
            ("0.0.0.0:0", Some("node-1:0"), false, Verdict::Ok),
            ("203.0.113.9:7600", None, false, Verdict::Fail),
        ] {
            let listen = listen.parse().unwrap();
            let advertise = advertise.map(|text: &str| text.parse().unwrap());
            let cluster = Cluster { listen, advertise, ..Cluster::default() };
            let found = check_listener(&cluster, false, is_task);
            assert_eq!(found.verdict, verdict, "{found:?}");
        }
        assert_eq!(check(&Config::default(), false), None, "one node has no others");
    }

    #[test]
    fn the_port_of_the_running_node_is_its_own() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = taken.local_addr().unwrap().to_string().parse().unwrap();
        let cluster = Cluster { listen, ..Cluster::default() };
        assert_eq!(check_listener(&cluster, false, false).verdict, Verdict::Fail);
        assert_eq!(check_listener(&cluster, true, false).verdict, Verdict::Warn);
    }
}
