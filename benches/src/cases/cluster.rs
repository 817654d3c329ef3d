//! A cluster of two nodes: what a request costs at the node that owns its cart, beside a node on
//! its own; and what it costs when it comes to the other node, and is forwarded.

use super::peers::skip;
use crate::options::{Case, Options};

#[cfg(not(feature = "peers"))]
pub fn run(options: &Options, _: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    if options.wants(Case::Cluster) {
        skip(options, "cluster", "built without the feature `peers`");
    }
    Ok(())
}

#[cfg(feature = "peers")]
pub fn run(options: &Options, runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    if !options.wants(Case::Cluster) {
        return Ok(());
    }
    let start = || barrow_servers::Postgres::start_large(&options.dir());
    let servers = match (start(), start()) {
        (Ok(of_one), Ok(of_two)) => [of_one, of_two],
        (Err(error), _) | (_, Err(error)) => {
            skip(options, "cluster", &format!("{error:#}"));
            return Ok(());
        }
    };
    measured::run(options, runtime, &servers)
}

#[cfg(feature = "peers")]
mod measured {
    use std::net::SocketAddr;
    use std::time::{Duration, Instant};

    use anyhow::ensure;
    use barrow_servers::Postgres;
    use tokio::runtime::Runtime;

    use crate::cases::paired::{Pairs, Side};
    use crate::catalog;
    use crate::load::requests::Request;
    use crate::load::{Requests, Target};
    use crate::metrics;
    use crate::options::Options;
    use crate::report::Target as Bound;
    use crate::server::Server;
    use crate::shop::{ShopCart, fill};

    /// Carts that a round is spread over.
    const CARTS: usize = 3_200;
    /// Joining, and handing over half of the shards in batches, takes seconds.
    const BALANCED_WITHIN: Duration = Duration::from_secs(30);
    const CONNECTIONS: usize = 64;

    /// A node with a folder of its own, and the same catalog as every other.
    struct Node {
        server: Server,
        _folder: tempfile::TempDir,
    }

    impl Node {
        fn start(options: &Options, postgres: &Postgres) -> anyhow::Result<Node> {
            let folder = tempfile::tempdir_in(options.dir())?;
            catalog::import(folder.path())?;
            let settings = [
                ("BARROW_STORES__ENTITIES", "postgres"),
                ("BARROW_COMMERCE__URL", &postgres.url()),
            ];
            let server = Server::shop(folder.path(), &settings)?;
            Ok(Node { server, _folder: folder })
        }

        fn shards(&self) -> anyhow::Result<f64> {
            metrics::value(self.server.address(), "barrow_cluster_shards_owned")
        }
    }

    /// All nodes of a cluster, and the one that requests come to.
    struct Entry<'a> {
        nodes: &'a [Node],
        at: usize,
    }

    impl Target for Entry<'_> {
        fn address(&self) -> SocketAddr {
            self.nodes[self.at].server.address()
        }

        fn processes(&self) -> Vec<u32> {
            self.nodes.iter().flat_map(|node| node.server.processes()).collect()
        }
    }

    pub fn run(
        options: &Options,
        runtime: &Runtime,
        [of_one, of_two]: &[Postgres; 2],
    ) -> anyhow::Result<()> {
        let alone = [Node::start(options, of_one)?];
        let pair = [Node::start(options, of_two)?, Node::start(options, of_two)?];
        let began = Instant::now();
        while pair[0].shards()? > 563.0 || pair[1].shards()? < 461.0 {
            ensure!(began.elapsed() < BALANCED_WITHIN, "the shards are not balanced");
            std::thread::sleep(Duration::from_millis(200));
        }
        // A cart is opened at a shard of the node that it is opened at.
        let fill = |node: &Node| runtime.block_on(fill(node.server.address(), CARTS));
        let (single, owned) = (fill(&alone[0])?, fill(&pair[0])?);
        let single_entry = Entry { nodes: &alone, at: 0 };
        let [at_owner, at_other] = [0, 1].map(|at| Entry { nodes: &pair, at });
        let gets = |carts: &[ShopCart]| requests(carts, ShopCart::get);
        let adds = |carts: &[ShopCart]| requests(carts, |cart| cart.add(0));
        for (what, make) in [("get cart", &gets as Make<'_>), ("add", &adds)] {
            let name = format!("{what} at its owner, of two nodes / a node alone");
            let (ours, theirs) = (|_| make(&owned), |_| make(&single));
            let ours = Side { server: &at_owner, requests: &ours, connections: CONNECTIONS };
            let theirs =
                Side { server: &single_entry, requests: &theirs, connections: CONNECTIONS };
            measure(options, &name, &ours, &theirs, 1.15)?;
            let name = format!("{what} forwarded by the other node / a node alone");
            let ours = |_| make(&owned);
            let ours = Side { server: &at_other, requests: &ours, connections: CONNECTIONS };
            measure(options, &name, &ours, &theirs, 2.0)?;
        }
        Ok(())
    }

    type Make<'a> = &'a dyn Fn(&[ShopCart]) -> anyhow::Result<Requests>;

    fn requests(
        carts: &[ShopCart],
        request: impl Fn(&ShopCart) -> Request,
    ) -> anyhow::Result<Requests> {
        Requests::new(&carts.iter().map(request).collect::<Vec<_>>())
    }

    fn measure(
        options: &Options,
        name: &str,
        ours: &Side<'_, Entry<'_>>,
        theirs: &Side<'_, Entry<'_>>,
        cpu_max: f64,
    ) -> anyhow::Result<()> {
        let frames = |entry: &Entry<'_>| -> anyhow::Result<(f64, f64)> {
            let read = |name| metrics::value(entry.address(), name);
            Ok((read("barrow_cluster_forwarded_total")?, read("barrow_cluster_call_frames_total")?))
        };
        let before = frames(ours.server)?;
        let pairs = Pairs::measure(ours, theirs, options.rounds(), options.round())?;
        let after = frames(ours.server)?;
        let (calls, sent) = (after.0 - before.0, after.1 - before.1);
        let report = pairs.report(name, Bound::AtLeast(0.0), Some(Bound::AtMost(cpu_max)));
        report.figure("calls_per_frame", calls / sent.max(1.0)).print(options.form());
        Ok(())
    }
}
