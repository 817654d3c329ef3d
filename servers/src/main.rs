//! `servers FOLDER`: runs all servers on that folder until it is told to end, and writes there
//! what a shell has to know of them. `./dev up` and `./dev down` start and end it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use barrow_servers::{
    ACCESS_KEY, DynamoDb, PostgresPair, REGION, Redis, RedisCluster, S3, SECRET_KEY, free_port,
};
use clap::Parser;

#[derive(Parser)]
#[command(about = "Runs the servers that a shop on AWS needs, on this machine")]
struct Args {
    /// Where their data lies; what is there is taken up again
    folder: PathBuf,
}

/// All of them. They end when this is dropped.
struct Servers {
    postgres: PostgresPair,
    redis: Redis,
    cluster: RedisCluster,
    dynamodb: DynamoDb,
    s3: S3,
}

impl Servers {
    fn start(folder: &Path) -> anyhow::Result<Servers> {
        let ports = [free_port()?, free_port()?];
        let objects = folder.join("s3");
        std::fs::create_dir_all(&objects)?;
        Ok(Servers {
            postgres: PostgresPair::start_in(&folder.join("postgres"), ports)
                .context("Postgres")?,
            redis: Redis::start().context("Redis")?,
            cluster: RedisCluster::start().context("Redis Cluster")?,
            dynamodb: DynamoDb::start_on(0, &folder.join("dynamodb.sqlite"))
                .context("the DynamoDB API")?,
            s3: S3::start_on(0, &objects).context("the S3 API")?,
        })
    }

    /// As a shell reads it. Nothing in it is secret: all of it serves this machine alone.
    fn environment(&self) -> String {
        let variables = [
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb.endpoint()),
            ("AWS_ENDPOINT_URL_S3", self.s3.endpoint()),
            ("BARROW_COMMERCE__URL", self.postgres.url()),
            ("BARROW_CACHE__URL", self.cluster.url()),
            ("BARROW_MEDIA__URL", "s3://barrow-media".to_owned()),
            ("REDIS_URL", self.redis.url()),
        ];
        variables.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect()
    }
}

fn main() -> anyhow::Result<()> {
    let folder = std::path::absolute(Args::parse().folder)?;
    std::fs::create_dir_all(&folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let servers = Servers::start(&folder)?;
    // Whoever waits for the file finds it whole.
    let (environment, aside) = (folder.join("environment"), folder.join("environment.part"));
    std::fs::write(&aside, servers.environment())?;
    std::fs::rename(&aside, &environment)?;
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut told = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = told.recv() => Ok(()),
            ended = tokio::signal::ctrl_c() => ended,
        }
    })?;
    std::fs::remove_file(&environment)?;
    drop(servers);
    Ok(())
}
