//! The cases, in the order in which they are measured.

mod cluster;
mod commerce;
mod micro;
mod paired;
mod peers;
mod quote;
mod requests;
mod stored;
mod stores;

use crate::options::Options;

pub fn run(options: &Options) -> anyhow::Result<()> {
    quote::run(options);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    requests::run(options, &runtime)?;
    stored::run(options, &runtime)?;
    micro::run(options, &runtime)?;
    stores::run(options, &runtime)?;
    commerce::run(options, &runtime)?;
    cluster::run(options, &runtime)?;
    peers::run(options, &runtime)
}
